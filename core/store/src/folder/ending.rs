//! The end of a run whose last status could not be written, from its other records.

use jiff::Timestamp;

use crate::folder::control::{KILL, KILLED};
use crate::folder::events::{Event, EventLine, read_events};
use crate::folder::run_dir::RunDir;
use crate::folder::status::{Ending, State, Status};

/// Returns how and when a run ended, from the last state in `events.jsonl` if that is final and not older than the status, from
/// the outcome that the trainer wrote before it exited, or from a request to kill the run. `None` if no record tells.
pub fn recorded_end(run: &RunDir, status: &Status) -> Option<(Ending, Timestamp)> {
    let events = read_events(run).unwrap_or_default();
    let last = events.iter().rev().find_map(|line| match &line.event {
        Event::State { state, cause } => Some((Ending { state: *state, cause: cause.clone() }, line.time)),
        _ => None,
    });
    let known = |(ending, time): &(Ending, Timestamp)| ending.state.is_final() && *time >= status.updated;
    let outcome = || status.outcome.clone().map(|outcome| (outcome, status.updated));
    last.filter(known).or_else(outcome).or_else(|| killed(&events))
}

/// Returns the end of a run that was asked to be killed since its last start.
fn killed(events: &[EventLine]) -> Option<(Ending, Timestamp)> {
    let goes_on = |line: &&EventLine| match line.event {
        Event::State { state, .. } => state != State::Starting && !state.is_final(),
        _ => true,
    };
    let asked = |line: &&EventLine| matches!(&line.event, Event::Request { what } if what == KILL);
    let asked = events.iter().rev().take_while(goes_on).find(asked)?;
    let cause = Some(KILLED.to_owned());
    Some((Ending { state: State::Stopped, cause }, asked.time))
}
