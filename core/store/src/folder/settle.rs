//! Writing the end of a run. If the run was cut short, the rows on the disk may be more or fewer than its status counted.

use jiff::Timestamp;

use crate::error::{Result, StoreError};
use crate::folder::events::{Event, EventLine, append_event, read_events};
use crate::folder::manifest::{Goal, read_manifest};
use crate::folder::run_dir::RunDir;
use crate::folder::run_table::write_run_table;
use crate::folder::status::{HeadlineValue, Status, write_status};
use crate::log::series::{SeriesKey, is_system_metric};
use crate::read::summary::{Point, SeriesSummary, summarize};

/// Corrects a status to the rows on the disk. It was written a moment before the end: rows that were only in memory then may be
/// lost, and others may have been logged since. If the log cannot be read, nothing changes.
pub fn settle(run: &RunDir, status: &mut Status) {
    let Ok((series, _)) = summarize(run, |_| true, |_| Goal::None) else { return };
    correct(run, status, &series);
    if status.state.is_final() && (status.is_recorded() || status.is_rebuilt) && !logs_files(run) {
        outlive(status, &series);
    }
}

/// Brings a status of a run at work to all its series, which were read a moment after it was written. Where it counts more
/// rows than there are, the others wait in memory, and nothing changes.
pub fn agree(run: &RunDir, status: &mut Status, series: &[SeriesSummary]) {
    if Some(count(series)) > status.rows {
        correct(run, status, series);
    }
}

fn count(series: &[SeriesSummary]) -> u64 {
    series.iter().map(|s| s.rows).sum()
}

/// The rows of training; the others measure the machine.
fn of_training(series: &[SeriesSummary]) -> impl Iterator<Item = Point> {
    series.iter().filter(|s| !is_system_metric(&s.key.metric)).map(|s| s.last)
}

/// Corrects all of a status that rows tell: their number, step and epoch, what is done, and the headline.
fn correct(run: &RunDir, status: &mut Status, series: &[SeriesSummary]) {
    let rows = Some(count(series));
    if rows == status.rows {
        return;
    }
    let lost = rows < status.rows;
    let kept = if logs_files(run) {
        of_training(series).max_by_key(|last| last.step)
    } else {
        of_training(series).max_by_key(|last| last.time_us)
    };
    match kept {
        // A step may log nothing, so the status may be ahead of what was logged before it was written.
        Some(kept)
            if lost
                || kept.time_us > status.updated.as_microsecond()
                || status.step.is_none_or(|step| kept.step >= step) =>
        {
            let rows = series.iter().filter(|s| !is_system_metric(&s.key.metric)).map(|s| s.rows).max();
            reach(status, kept, lost, rows.unwrap_or(0));
        }
        None if lost => (status.step, status.epoch) = (None, None),
        _ => {}
    }
    status.rows = rows;
    status.headline.retain_mut(|value| {
        let kept = series.iter().find(|s| s.key == value.key);
        kept.map(|s| value.value = s.last.value).is_some()
    });
    let Ok(manifest) = read_manifest(run) else { return };
    let shown = |key: &SeriesKey| manifest.metrics.iter().any(|m| m.headline && m.name == key.metric);
    for SeriesSummary { key, last, .. } in series.iter().filter(|s| shown(&s.key)) {
        // Of many series, the status has the best.
        if !status.headline_is_part && status.headline.iter().all(|known| known.key != *key) {
            status.headline.push(HeadlineValue { key: key.clone(), value: last.value });
        }
    }
    status.limit_headline();
}

/// Brings a status to a row: step and epoch, and the units of work done if those are steps. `rows` are those of the series with
/// the most.
fn reach(status: &mut Status, kept: Point, lost: bool, rows: u64) {
    let ahead = status.done.zip(status.step).map(|(done, step)| i128::from(done) - i128::from(step));
    let by_steps = status.works_by_steps() || status.total.is_none() && matches!(ahead, Some(0 | 1));
    // Of a client, steps are what is done if that was so when the status was written, and none was left out since.
    let each = |step| status.sink.is_some() && ahead == Some(1) && status.total > Some(step) && rows > step;
    if let Ok(step) = u64::try_from(kept.step)
        && (by_steps || each(step))
    {
        // Where steps count from 0, one more is done; the values at the end may be logged at the step `total`.
        let more = ahead.is_some_and(|ahead| ahead > 0) && status.total.is_none_or(|total| step < total);
        let done = Some(step.saturating_add(u64::from(more)));
        status.done = if lost { done } else { done.max(status.done) };
    }
    status.step = Some(kept.step);
    status.epoch = kept.epoch.or(status.epoch.filter(|_| !lost));
}

/// Lets a run have ended no earlier than its last row was logged, and have been at work until then.
fn outlive(status: &mut Status, series: &[SeriesSummary]) {
    let until = |time: Option<i64>| time.and_then(|time| Timestamp::from_microsecond(time).ok());
    let updated = status.updated;
    let more =
        |time: Option<Timestamp>| time.map_or(0.0, |t| t.duration_since(updated).as_secs_f64().max(0.0));
    let last = until(series.iter().map(|s| s.last.time_us).max());
    status.elapsed_s = status.elapsed_s.map(|seconds| seconds + more(last));
    // What measures the machine goes on during a pause.
    let trained = more(until(of_training(series).map(|last| last.time_us).max()));
    status.trained_s = status.trained_s.map(|seconds| seconds + trained);
    status.ended = status.ended.map(|ended| last.map_or(ended, |last| ended.max(last)));
}

/// Adds the last values of a metric that no headline value of the status is of, from the rows of its run. Returns what is
/// wrong with files that could not be read completely.
///
/// # Errors
/// The log cannot be read.
pub fn add_last_values(run: &RunDir, status: &mut Status, metric: &str) -> Result<Vec<StoreError>> {
    if status.headline.iter().any(|value| value.key.metric == metric) {
        return Ok(Vec::new());
    }
    let (series, damaged) = summarize(run, |key| key.metric == metric, |_| Goal::None)?;
    let last = |s: SeriesSummary| HeadlineValue { key: s.key, value: s.last.value };
    status.headline.extend(series.into_iter().map(last));
    Ok(damaged)
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
