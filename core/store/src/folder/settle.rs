//! How an end is written. Of a run that was cut short, the rows that are kept may be more than its status counted, or fewer.

use crate::error::Result;
use crate::folder::events::{Event, EventLine, append_event, read_events};
use crate::folder::manifest::{Goal, read_manifest};
use crate::folder::run_dir::RunDir;
use crate::folder::run_table::write_run_table;
use crate::folder::status::{Status, write_status};
use crate::read::summary::summarize;

/// Makes a status's rows, step and headline those of the rows that are kept. It was written a moment before the end, and what was
/// only in memory then may be gone. A log that cannot be read changes nothing.
pub fn settle(run: &RunDir, status: &mut Status) {
    let Ok((series, _)) = summarize(run, |_| true, |_| Goal::None) else { return };
    let rows: u64 = series.iter().map(|s| s.rows).sum();
    if rows == status.rows {
        return;
    }
    let of_training = series.iter().filter(|s| !s.key.metric.starts_with("system/"));
    let kept = of_training.max_by_key(|s| s.last.time_us).map(|s| s.last.step);
    // A step need not log anything.
    status.step = if rows < status.rows { kept } else { status.step.max(kept) };
    status.rows = rows;
    status.headline.retain_mut(|value| {
        let kept = series.iter().find(|s| s.key == value.key);
        kept.map(|s| value.value = s.last.value).is_some()
    });
}

/// Writes the end that a status tells of: the run's row, the event, and the status last, so that whoever sees it finds the others.
/// Where only the status could not be written at the end, the event is there already.
///
/// # Errors
/// The manifest or the log cannot be read, or the disk does not take it.
pub fn write_end(run: &RunDir, status: &Status) -> Result<()> {
    write_run_table(run, &read_manifest(run)?, status)?;
    let end = Event::State { state: status.state, cause: status.cause.clone() };
    let of_life = |line: &&EventLine| matches!(line.event, Event::State { .. } | Event::Resumed { .. });
    let events = read_events(run).unwrap_or_default();
    if events.iter().rev().find(of_life).is_none_or(|last| last.event != end) {
        append_event(run, &end)?;
    }
    write_status(run, status)
}
