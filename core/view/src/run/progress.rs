//! How far a run is: work done and to do, epoch, rate, time left and taken.

use gradtop_chart::number;
use gradtop_store::{Kind, State, Status, View};
use jiff::Timestamp;

/// Returns completed and total work, if the total is known. More may be done than the total; of a finished run of
/// unknown total, everything is.
pub fn of(view: &View) -> Option<(u64, u64)> {
    // What an import was to do in all is not known.
    let all = view.state == State::Finished && view.manifest.kind != Kind::Import;
    match view.status.total {
        Some(total) => Some((done(&view.status).unwrap_or(0), total)),
        None => all.then_some((1, 1)),
    }
}

/// Returns the completed units of work, if they are known. A killed run may have logged more than its status says.
pub(crate) fn done(status: &Status) -> Option<u64> {
    let step = status.step.filter(|_| status.works_by_steps()).and_then(|step| u64::try_from(step).ok());
    // Steps usually count from 0, so the last of 400 is step 399.
    let all = status.total.filter(|total| {
        status.state == State::Finished && step.and_then(|step| step.checked_add(1)) == Some(*total)
    });
    step.max(status.done).max(all)
}

/// How it is said that a run has done more than its total.
pub const PAST_TOTAL: &str = "past its total";

/// Returns whether the run has done more than the total it was said to do.
pub fn is_past_total(view: &View) -> bool {
    view.status.total.is_some() && done(&view.status) > view.status.total
}

/// Returns `eta 5m10s`, or that a run at work is past its total.
pub fn eta_words(view: &View) -> Option<String> {
    let past = || (moves(view) && is_past_total(view)).then(|| PAST_TOTAL.to_owned());
    eta(view).map(|eta| format!("eta {}", number::time_left(eta))).or_else(past)
}

/// Returns the epoch, see [`Status::epoch_of_run`].
pub fn epoch(view: &View) -> Option<f64> {
    view.status.epoch_of_run(view.state)
}

/// Formats an epoch with one decimal, so that its width is stable while it increases.
pub fn epoch_words(epoch: f64) -> String {
    if epoch < 9_999.95 { format!("{epoch:.1}") } else { number::whole(epoch.round() as i64) }
}

/// Returns whether it is known to be making steps now. Training may be over and its rows still wait for the disk.
fn moves(view: &View) -> bool {
    view.certain
        && matches!(view.state, State::Running | State::Stopping)
        && view.silent_for().is_none()
        && view.status.quiet_since.is_none()
        && !view.status.is_trained
}

/// Returns steps per second if the run is making steps; the rate from before a pause does not count.
pub fn rate(view: &View) -> Option<f64> {
    view.status.steps_per_s.filter(|rate| *rate > 0.0 && moves(view))
}

/// Returns the remaining seconds if the run is making steps and has not yet done what it was said to do.
pub fn eta(view: &View) -> Option<f64> {
    view.status.eta_s.filter(|_| moves(view) && done(&view.status) < view.status.total)
}

/// Returns the seconds the run has taken so far, or took.
pub fn took(view: &View, now: Timestamp) -> Option<f64> {
    // For a run that crashed without a recorded end or that cannot be observed from here, only until its last write. An
    // import takes as long as its source says.
    let until_write = view.state.is_final() || !view.certain || view.manifest.import.is_some();
    let now = if until_write { view.status.updated } else { now };
    view.status.took(now)
}

/// Returns the seconds of training so far, without pauses and what a resume has set aside, if less than [`took`] by a
/// second or more.
pub fn trained(view: &View, now: Timestamp) -> Option<f64> {
    let since =
        if moves(view) { now.duration_since(view.status.updated).as_secs_f64().max(0.0) } else { 0.0 };
    let trained = view.status.trained_s? + since;
    took(view, now).filter(|took| took - trained >= 1.0).map(|_| trained)
}

/// Formats how long it took and, if less, how much of that was training: `1m23s, 1m00s of it training`.
pub fn took_words(view: &View, now: Timestamp) -> Option<String> {
    let trained = trained(view, now).map(|t| format!(", {} of it training", number::duration(t)));
    Some(number::duration(took(view, now)?) + &trained.unwrap_or_default())
}

/// Returns how long it took or, before its end, how long it has worked, with its name.
pub fn took_fact(view: &View, now: Timestamp) -> Option<(&'static str, String)> {
    let name = if view.state.is_final() { "took" } else { "so far" };
    took_words(view, now)
        .filter(|_| view.state.is_final() || view.status.started.is_some())
        .map(|took| (name, took))
}
