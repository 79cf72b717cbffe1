//! `status.json`: how far a run is, replaced atomically.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::inside;
use crate::folder::reserve;
use crate::folder::run_dir::RunDir;
use crate::folder::serde_float;
use crate::log::series::SeriesKey;

/// Where a run stands. `Crashed` is also derived by [`crate::view()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its folder exists, nothing has started.
    #[default]
    Queued,
    /// Its processes are starting.
    Starting,
    /// It trains.
    Running,
    /// It waits to be continued.
    Paused,
    /// It was asked to stop and is finishing its step.
    Stopping,
    /// It came to its end.
    Finished,
    /// It stopped because it was asked to.
    Stopped,
    /// The experiment reported an error.
    Failed,
    /// Its process died.
    Crashed,
}

impl State {
    /// Whether nothing will follow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed | Self::Crashed)
    }

    /// The word used in files and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
        }
    }

    /// What `gradtop run` and `gradtop wait` exit with; 5 (left running) for a state that is not final.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Finished => 0,
            Self::Failed => 1,
            Self::Stopped => 3,
            Self::Crashed => 4,
            _ => 5,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of this file, [`crate::SCHEMA`].
    pub schema: u32,
    /// The state last written; [`crate::view()`] says whether it can be true.
    pub state: State,
    /// Why, in words: a signal, an error, who asked.
    pub cause: Option<String>,
    /// The last step done.
    pub step: Option<i64>,
    /// The epoch, fractions included.
    pub epoch: Option<f64>,
    /// Whether epochs have begun anew: of networks trained one after the other, `epoch` is that of the latest.
    #[serde(default)]
    pub epochs_restart: bool,
    /// What it is doing, in a word or two.
    pub phase: Option<String>,
    /// Units of work done.
    #[serde(default)]
    pub done: u64,
    /// Units of work in all; 0 if unknown.
    #[serde(default)]
    pub total: u64,
    /// Whether the units of work were steps when a value was logged last: see [`Self::note_step`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_steps: Option<bool>,
    /// Seconds still needed.
    pub eta_s: Option<f64>,
    /// Steps a second.
    pub steps_per_s: Option<f64>,
    /// When this was written.
    #[serde(default)]
    pub updated: Timestamp,
    /// When training began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Seconds that its trainers have been at work up to `updated`, pauses included and the time between an end and a resume
    /// not; by a clock that nobody sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// Seconds of training of what has not been set aside, pauses left out; by the same clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_s: Option<f64>,
    /// Process id of the trainer, in the namespace that the lock's text names.
    pub trainer_pid: Option<u32>,
    /// Field `starttime` of the trainer's `/proc/<pid>/stat`.
    pub trainer_start: Option<u64>,
    /// Process id of the keeper.
    pub keeper_pid: Option<u32>,
    /// Field `starttime` of the keeper's `/proc/<pid>/stat`.
    pub keeper_start: Option<u64>,
    /// Points logged.
    #[serde(default)]
    pub rows: u64,
    /// Milliseconds the training thread has waited for the log.
    #[serde(default)]
    pub log_wait_ms: f64,
    /// Last values of the metrics that overviews show.
    #[serde(default)]
    pub headline: Vec<HeadlineValue>,
    /// Whether those are the best of more.
    #[serde(default)]
    pub headline_is_part: bool,
    /// The UUID of the GPU that it is on, of a part of one (MIG) perhaps: its number means another one elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Where a command logs to, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Why rows wait in memory, if the disk does not take them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Whether the disk has not taken the run's row in `tables/run` yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// How training ended, if it has, as the trainer wrote before it left: what the run is if nobody is left to say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Ending>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// A final state.
    pub state: State,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// What waits for the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is wrong with the disk, in a few words.
    pub cause: String,
    /// Rows that are in memory only.
    pub rows: u64,
    /// Since when.
    pub since: Timestamp,
}

impl Status {
    /// Of a run that nobody has begun. `total`: its units of work, 0 if unknown.
    pub fn queued(total: u64) -> Self {
        let (schema, updated) = (crate::SCHEMA, Timestamp::now());
        Self { schema, state: State::Queued, updated, trained_s: Some(0.0), total, ..Self::default() }
    }

    /// Seconds that the run has taken up to `now`, or took; `None` if it has not begun to train.
    pub fn took(&self, now: Timestamp) -> Option<f64> {
        let since = |then: Timestamp| ((now.as_microsecond() - then.as_microsecond()) as f64 / 1e6).max(0.0);
        match (self.elapsed_s, self.ended) {
            (Some(elapsed), Some(_)) => Some(elapsed),
            (Some(elapsed), None) => Some(elapsed + since(self.updated)),
            // As older versions wrote it.
            (None, Some(ended)) => Some((ended.duration_since(self.started?).as_secs_f64()).max(0.0)),
            (None, None) => Some(since(self.started?)),
        }
    }

    /// Whether the units of work are steps, as far as can be seen: now, or when a value was logged last. In between, steps are done
    /// that nobody has logged yet.
    pub fn works_by_steps(&self) -> bool {
        self.by_steps == Some(true) || self.agrees_by_steps()
    }

    /// Remembers whether they are, if a step was logged since.
    pub fn note_step(&mut self, before: &Self) {
        if self.step != before.step {
            self.by_steps = Some(self.agrees_by_steps());
        }
    }

    /// Whether there are as many of the one as of the other, but for those since a value was logged last. At the beginning, when there
    /// are few of both, anything would look like that: so never more than twice as many either.
    fn agrees_by_steps(&self) -> bool {
        let agree = |step: u64| {
            let (less, more) = (step.min(self.done), step.max(self.done));
            self.total > 0
                && less > 0
                && more <= less.saturating_mul(2)
                && (more - less).saturating_mul(20) <= self.total
        };
        // Steps count from zero: of a run of one step, the one.
        let all = self.done == self.total && self.total > 0;
        let step = self.step.and_then(|step| u64::try_from(step).ok());
        step.is_some_and(|step| agree(step) || (all && step + 1 == self.done))
    }
}

/// The most values of overviews that are read. A trainer writes a few dozen; thousands in a damaged file would slow every look down.
const HEADLINES: usize = 1_000;

/// The last value of a series that overviews show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadlineValue {
    /// Which series.
    #[serde(flatten)]
    pub key: SeriesKey,
    /// The value; NaN and infinities are written as text.
    #[serde(with = "serde_float")]
    pub value: f64,
}

/// Replaces the run's status. A reader sees the old one or the new one, never a part. Where there is no room for another
/// file, it takes the place of the reserve.
///
/// # Errors
/// The disk takes neither it nor a shorter one.
pub fn write_status(run: &RunDir, status: &Status) -> Result<()> {
    let path = run.status();
    let mut text = serde_json::to_vec_pretty(status).format_at("encode", &path)?;
    text.push(b'\n');
    // An end is worth waiting for the disk.
    match inside::replace(run, &path, &text, status.state.is_final() || status.outcome.is_some())
        .at("write", &path)
    {
        Err(e) if e.patience().is_some() => write_over_reserve(run, status).map_err(|_| e),
        r => r,
    }
}

/// Without the values of overviews where all of it has no room.
fn write_over_reserve(run: &RunDir, status: &Status) -> Result<()> {
    let path = run.status();
    let short = Status { headline: Vec::new(), ..status.clone() };
    let encode = |status| serde_json::to_vec(status).format_at("encode", &path);
    reserve::replace(run, &path, &[encode(status)?, encode(&short)?])
}

/// Reads the run's status as it was last written.
///
/// # Errors
/// It cannot be read or understood, or a newer version wrote it.
pub fn read_status(run: &RunDir) -> Result<Status> {
    let path = run.status();
    let text = inside::read(run, &path, inside::TEXT_LIMIT).at("read", &path)?;
    let mut status: Status = serde_json::from_slice(&text).format_at("understand", &path)?;
    crate::folder::manifest::check_schema(status.schema, &path)?;
    status.headline_is_part |= status.headline.len() > HEADLINES;
    status.headline.truncate(HEADLINES);
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_work_are_steps_only_where_the_numbers_say_so() {
        let by_steps = |step: i64, done, total| {
            Status { step: Some(step), done, total, ..Status::default() }.works_by_steps()
        };
        assert!(by_steps(15_000, 15_200, 20_000), "values are logged now and then only");
        assert!(by_steps(20_000, 20_000, 20_000));
        assert!(!by_steps(3, 0, 100), "three steps of the first of a hundred networks");
        assert!(!by_steps(3, 1, 100));
        assert!(!by_steps(1, 100, 1_000_000), "a hundred samples in one step");
        assert!(!by_steps(651, 300, 1_000));
        assert!(!by_steps(5, 5, 0) && !by_steps(-5, 5, 100));
        assert!(!Status { done: 5, total: 10, ..Status::default() }.works_by_steps());
    }

    #[test]
    fn between_two_values_far_apart_units_of_work_stay_steps() {
        let mut status = Status { total: 160, ..Status::default() };
        let mut seen = Vec::new();
        for done in 1..=60 {
            let logged = i64::try_from(done).ok().map(|step| step / 20 * 20).filter(|step| *step > 0);
            let mut next = Status { step: logged, done, ..status.clone() };
            next.note_step(&status);
            seen.push(next.works_by_steps());
            status = next;
        }
        assert_eq!(seen.iter().position(|by_steps| *by_steps), Some(19), "from the first value on");
        assert!(seen[19..].iter().all(|by_steps| *by_steps));
        let mut other = Status { step: Some(80), ..status.clone() };
        other.note_step(&status);
        assert!(!other.works_by_steps(), "what was logged is no step of 60");
    }
}
