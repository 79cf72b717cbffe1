//! The status of a run whose `status.json` is missing or damaged, from its events and the row that it recorded at its end.

use jiff::Timestamp;

use crate::error::StoreError;
use crate::folder::events::{Event, read_events};
use crate::folder::manifest::read_manifest;
use crate::folder::run_dir::RunDir;
use crate::folder::status::{State, Status};
use crate::read::table::{Table, read_table};
use crate::sealed::table::{ColumnData, RUN_TABLE};

/// Puts a status together; `why` is what is wrong with the file. Returns `None` if neither events nor a row tell of a run whose
/// status is missing.
pub(crate) fn rebuild(run: &RunDir, why: &StoreError) -> Option<Status> {
    let mut status = Status {
        schema: crate::schema::SCHEMA,
        state: State::Starting,
        is_rebuilt: true,
        ..Status::default()
    };
    let mut cause = None;
    let events = read_events(run).unwrap_or_default();
    let row = read_table(run, RUN_TABLE).ok();
    let recorded = row.as_ref().and_then(final_state);
    if events.is_empty() && recorded.is_none() && !why.is_damage() {
        return None;
    }
    let states = events.iter().any(|line| matches!(line.event, Event::State { .. }));
    for line in events {
        status.updated = line.time;
        match line.event {
            Event::State { state, cause: why } => {
                (status.state, cause) = (state, why);
                if state == State::Running {
                    status.started.get_or_insert(line.time);
                }
                status.ended = state.is_final().then_some(line.time);
            }
            Event::Checkpoint { step, .. } => status.step = Some(step),
            _ => {}
        }
    }
    if let Some(state) = recorded.filter(|_| !states) {
        status.state = state;
    }
    if status.state.is_final()
        && row.as_ref().and_then(|row| take_times(&mut status, row)).is_none()
        && read_manifest(run).is_ok_and(|manifest| manifest.import.is_some())
    {
        // Its events tell when it was imported.
        (status.started, status.ended) = (None, None);
    }
    let note =
        format!("from {}: {why}", if states || recorded.is_none() { "events.jsonl" } else { "tables/run" });
    status.cause = Some(cause.map_or_else(|| note.clone(), |cause| format!("{cause} ({note})")));
    Some(status)
}

/// Returns the state in the row of an ended run.
fn final_state(row: &Table) -> Option<State> {
    let Some(ColumnData::Utf8(words)) = row.column("state") else { return None };
    State::ALL
        .into_iter()
        .find(|state| state.is_final() && Some(state.word()) == words.first().map(String::as_str))
}

/// Takes the times from the row of an ended run.
fn take_times(status: &mut Status, row: &Table) -> Option<()> {
    let time = |name: &str| match row.column(name) {
        Some(ColumnData::Utf8(texts)) => texts.first()?.parse::<Timestamp>().ok(),
        _ => None,
    };
    let seconds = |name: &str| match row.column(name) {
        Some(ColumnData::F64(values)) => values.first().copied().filter(|seconds| seconds.is_finite()),
        _ => None,
    };
    let ended = time("ended")?;
    (status.started, status.ended) = (time("started"), Some(ended));
    (status.elapsed_s, status.trained_s) = (seconds("duration_s"), seconds("trained_s"));
    Some(())
}
