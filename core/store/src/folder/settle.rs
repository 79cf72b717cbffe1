//! Writing the end of a run. If the run was cut short, the rows on the disk may be more or fewer than its status counted.

use crate::error::Result;
use crate::folder::events::{Event, EventLine, append_event, read_events};
use crate::folder::manifest::{Goal, read_manifest};
use crate::folder::run_dir::RunDir;
use crate::folder::run_table::write_run_table;
use crate::folder::status::{Status, write_status};
use crate::log::series::is_system_metric;
use crate::read::summary::{SeriesSummary, summarize};

/// Corrects rows, step and headline of a status to the rows on the disk. The status was written a moment before the
/// end, and rows that were only in memory then may be lost. If the log cannot be read, nothing changes.
pub fn settle(run: &RunDir, status: &mut Status) {
    if let Ok((series, _)) = summarize(run, |_| true, |_| Goal::None) {
        agree(run, status, &series);
    }
}

/// Brings rows, step and headline of a status to those of all series of its run, which were read a moment before or after
/// it was written.
pub fn agree(run: &RunDir, status: &mut Status, series: &[SeriesSummary]) {
    let rows: u64 = series.iter().map(|s| s.rows).sum();
    if rows == status.rows {
        return;
    }
    let of_training = series.iter().filter(|s| !is_system_metric(&s.key.metric)).map(|s| s.last);
    let kept = if logs_files(run) {
        of_training.map(|last| last.step).max()
    } else {
        of_training.max_by_key(|last| last.time_us).map(|last| last.step)
    };
    // A step may log nothing.
    status.step = if rows < status.rows { kept } else { status.step.max(kept) };
    status.rows = rows;
    status.headline.retain_mut(|value| {
        let kept = series.iter().find(|s| s.key == value.key);
        kept.map(|s| value.value = s.last.value).is_some()
    });
}

/// Returns whether rows come from files of other tools. These are read one after another, so that the row read last does
/// not tell the step reached.
fn logs_files(run: &RunDir) -> bool {
    read_manifest(run).is_ok_and(|manifest| {
        manifest.import.is_some() || manifest.command.is_some_and(|command| !command.logs.is_empty())
    })
}

/// Writes the run's row, the event of its end and the status, in this order: whoever sees the final status finds the
/// others. The event is skipped if it was written earlier, when only the status could not be.
///
/// # Errors
/// The manifest or the log cannot be read, or a file cannot be written.
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
