//! The end of a run whose last status could not be written: what its other records tell of it.

use jiff::Timestamp;

use crate::events::{Event, read_events};
use crate::run_dir::RunDir;
use crate::status::{Ending, Status};

/// How a run ended, and when, by whichever of its records knows: the last state in `events.jsonl`, if it is final and not
/// older than the status, or what the trainer wrote into the status before it left. `None`: no record tells.
pub fn recorded_end(run: &RunDir, status: &Status) -> Option<(Ending, Timestamp)> {
    let events = read_events(run).unwrap_or_default();
    let last = events.iter().rev().find_map(|line| match &line.event {
        Event::State { state, cause } => Some((Ending { state: *state, cause: cause.clone() }, line.time)),
        _ => None,
    });
    let known = |(ending, time): &(Ending, Timestamp)| ending.state.is_final() && *time >= status.updated;
    last.filter(known).or_else(|| status.outcome.clone().map(|outcome| (outcome, status.updated)))
}
