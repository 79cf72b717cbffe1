//! `status.json`: the state and progress of a run, replaced atomically.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::disk::reserve;
use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::holdings::Holdings;
use crate::folder::run_dir::RunDir;
use crate::folder::{serde_float, unknown};
use crate::log::series::SeriesKey;

/// The state of a run, in display order: active ones first. [`crate::view()`] may also derive `Crashed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Training.
    Running,
    /// Its processes are starting.
    Starting,
    /// Paused until it is resumed.
    Paused,
    /// Finishing its step after a request to stop.
    Stopping,
    /// Created, but not started.
    #[default]
    Queued,
    /// Finished regularly.
    Finished,
    /// Stopped on request.
    Stopped,
    /// The experiment reported an error.
    Failed,
    /// Its process died.
    Crashed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Running,
        Self::Starting,
        Self::Paused,
        Self::Stopping,
        Self::Queued,
        Self::Finished,
        Self::Stopped,
        Self::Failed,
        Self::Crashed,
    ];

    /// Returns whether the state is final.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed | Self::Crashed)
    }

    /// Returns the word used in files and on the screen.
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

    /// Returns the exit code of `gradtop run` and `gradtop wait`; 5 (still running) if the state is not final.
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

/// The state and progress of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of this file, [`crate::SCHEMA`].
    pub schema: u32,
    /// The last state written; [`crate::view()`] determines whether it still holds.
    pub state: State,
    /// The cause in words: a signal, an error, or who asked.
    pub cause: Option<String>,
    /// The last completed step.
    pub step: Option<i64>,
    /// The epoch, including fractions.
    pub epoch: Option<f64>,
    /// Whether epochs start again for each of several networks trained one after the other; `epoch` is that of the latest.
    #[serde(default)]
    pub epochs_restart: bool,
    /// The current activity, in a word or two.
    pub phase: Option<String>,
    /// Completed units of work, if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Total units of work, if they are known; 0 in the file if not.
    #[serde(default, with = "unknown")]
    pub total: Option<u64>,
    /// Whether units of work were steps when a value was last logged; see [`Self::note_step`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_steps: Option<bool>,
    /// Estimated remaining seconds.
    pub eta_s: Option<f64>,
    /// Steps per second.
    pub steps_per_s: Option<f64>,
    /// When this was written.
    #[serde(default)]
    pub updated: Timestamp,
    /// When training began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Seconds that its trainers have been at work up to `updated`, by a monotonic clock. Includes pauses, but not the
    /// time between an end and a resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// Seconds of training that were not set aside, without pauses, by the same clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_s: Option<f64>,
    /// Whether training is over, and what it logged is still being written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_trained: bool,
    /// Process id of the trainer, in the namespace named in the lock's file.
    pub trainer_pid: Option<u32>,
    /// Field `starttime` of the trainer's `/proc/<pid>/stat`.
    pub trainer_start: Option<u64>,
    /// Process id of the keeper.
    pub keeper_pid: Option<u32>,
    /// Field `starttime` of the keeper's `/proc/<pid>/stat`.
    pub keeper_start: Option<u64>,
    /// Number of points logged, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Milliseconds that the training thread has waited for the log, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_wait_ms: Option<f64>,
    /// Latest values of the headline metrics.
    #[serde(default)]
    pub headline: Vec<HeadlineValue>,
    /// Whether `headline` contains only the best of more values.
    #[serde(default)]
    pub headline_is_part: bool,
    /// The UUID of its GPU, possibly of a MIG instance. The device number may mean another GPU elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// The address to which a command logs, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Why rows wait in memory, if they cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Since when it logs nothing, if that is longer than is usual for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_since: Option<Timestamp>,
    /// Whether the run's row in `tables/run` has not been written yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// How training ended, written by the trainer before it exits in case the keeper cannot write the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Ending>,
    /// What the folder held when this was written, after the end; unknown for older versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holdings>,
    /// Whether it was put together from events and rows, because there is no file or it is damaged.
    #[serde(skip)]
    pub is_rebuilt: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// A final state.
    pub state: State,
    /// The cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Rows that wait to be written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is wrong with the disk, in a few words.
    pub cause: String,
    /// Number of rows that are only in memory, if it is known.
    pub rows: Option<u64>,
    /// Since when they wait.
    pub since: Timestamp,
}

impl Status {
    /// Creates the status of a run that has not begun. `total` is its units of work, if they are known.
    pub fn queued(total: Option<u64>) -> Self {
        Self {
            schema: crate::SCHEMA,
            done: Some(0),
            total,
            rows: Some(0),
            updated: Timestamp::now(),
            trained_s: Some(0.0),
            ..Self::default()
        }
    }

    /// Returns the seconds that the run has taken up to `now`, or took in all. `None` if it has not begun to train.
    pub fn took(&self, now: Timestamp) -> Option<f64> {
        let since = |then: Timestamp| ((now.as_microsecond() - then.as_microsecond()) as f64 / 1e6).max(0.0);
        match (self.elapsed_s, self.ended) {
            (Some(elapsed), Some(_)) => Some(elapsed),
            (Some(elapsed), None) => Some(elapsed + since(self.updated)),
            // Written by an older version.
            (None, Some(ended)) => Some((ended.duration_since(self.started?).as_secs_f64()).max(0.0)),
            (None, None) => Some(since(self.started?)),
        }
    }

    /// Keeps of thousands of headline values only the first.
    pub(crate) fn limit_headline(&mut self) {
        self.headline_is_part |= self.headline.len() > HEADLINES;
        self.headline.truncate(HEADLINES);
    }

    /// Returns the epoch, except of an ended run that trained several networks one after the other: the last network's epochs
    /// say nothing about the run.
    pub fn epoch_of_run(&self, state: State) -> Option<f64> {
        self.epoch.filter(|epoch| epoch.is_finite() && !(state.is_final() && self.epochs_restart))
    }

    /// Returns whether it was read from a file: a run that another program wrote may have none.
    pub fn is_recorded(&self) -> bool {
        self.updated != Timestamp::default() && !self.is_rebuilt
    }

    /// Returns whether units of work are steps: as of now, or as of the last logged value. Between logged values, steps
    /// are completed that the status does not count yet.
    pub fn works_by_steps(&self) -> bool {
        self.by_steps == Some(true) || self.agrees_by_steps()
    }

    /// Updates [`Self::by_steps`] if a step was logged since `before`.
    pub fn note_step(&mut self, before: &Self) {
        if self.step != before.step {
            self.by_steps = Some(self.agrees_by_steps());
        }
    }

    /// Returns whether units of work and steps agree, apart from those since a value was last logged. Small numbers
    /// always seem to agree, so the one must be at most twice the other.
    fn agrees_by_steps(&self) -> bool {
        let step = self.step.and_then(|step| u64::try_from(step).ok());
        let (Some(step), Some(done), Some(total)) = (step, self.done, self.total) else { return false };
        let (less, more) = (step.min(done), step.max(done));
        let agree = less > 0 && more <= less.saturating_mul(2) && (more - less).saturating_mul(20) <= total;
        // Steps count from zero: a run of one step ends at step 0.
        agree || (done == total && step + 1 == done)
    }
}

/// Maximum number of headline values read. A trainer writes a few dozen; thousands in a damaged file would slow down every view.
const HEADLINES: usize = 1_000;

/// The latest value of a headline series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadlineValue {
    /// The series.
    #[serde(flatten)]
    pub key: SeriesKey,
    /// The value; NaN and infinities are serialized as text.
    #[serde(with = "serde_float")]
    pub value: f64,
}

/// Replaces the run's status atomically; a final one says what the folder holds. On a full disk, the status takes over the reserve.
///
/// # Errors
/// Neither the status nor a shorter one can be written.
pub fn write_status(run: &RunDir, status: &Status) -> Result<()> {
    let path = run.status();
    let holds = status.state.is_final().then(|| Holdings::of(run));
    let status = &Status { holds, ..status.clone() };
    let mut text = serde_json::to_vec_pretty(status).format_at("encode", &path)?;
    text.push(b'\n');
    // A final status is worth an fsync.
    match inside::replace(run, &path, &text, status.state.is_final() || status.outcome.is_some())
        .at("write", &path)
    {
        Err(e) if e.patience().is_some() => write_over_reserve(run, status).map_err(|_| e),
        r => r,
    }
}

/// Writes over the reserve, without headline values if the whole status does not fit.
fn write_over_reserve(run: &RunDir, status: &Status) -> Result<()> {
    let path = run.status();
    let short = Status { headline: Vec::new(), ..status.clone() };
    let encode = |status| serde_json::to_vec(status).format_at("encode", &path);
    reserve::replace(run, &path, &[encode(status)?, encode(&short)?])
}

/// Reads the run's last written status.
///
/// # Errors
/// The file cannot be read or parsed, or a newer version wrote it.
pub fn read_status(run: &RunDir) -> Result<Status> {
    let path = run.status();
    let text = inside::read(run, &path, inside::TEXT_LIMIT).at("read", &path)?;
    let mut status: Status = serde_json::from_slice(&text).format_at("understand", &path)?;
    crate::folder::manifest::check_schema(status.schema, &path)?;
    status.limit_headline();
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_as_ever_what_is_not_known() {
        let read = |text: &str| serde_json::from_str::<Status>(text).expect("a status");
        let old = read(r#"{"schema": 1, "state": "running", "done": 0, "total": 0, "rows": 5}"#);
        assert_eq!((old.done, old.total, old.rows), (Some(0), None, Some(5)));
        let least = read(r#"{"schema": 1, "state": "finished"}"#);
        assert_eq!((least.done, least.total, least.rows, least.log_wait_ms), (None, None, None, None));
        let written = serde_json::to_value(&least).expect("JSON");
        assert_eq!((written.get("done"), &written["total"]), (None, &0.into()));
        assert_eq!(serde_json::from_value::<Status>(written).expect("a status"), least);
    }

    #[test]
    fn units_of_work_are_steps_only_where_the_numbers_say_so() {
        let by_steps = |step: i64, done, total| {
            Status { step: Some(step), done: Some(done), total, ..Status::default() }.works_by_steps()
        };
        assert!(by_steps(15_000, 15_200, Some(20_000)), "values are logged now and then only");
        assert!(by_steps(20_000, 20_000, Some(20_000)));
        assert!(!by_steps(3, 0, Some(100)), "three steps of the first of a hundred networks");
        assert!(!by_steps(3, 1, Some(100)));
        assert!(!by_steps(1, 100, Some(1_000_000)), "a hundred samples in one step");
        assert!(!by_steps(651, 300, Some(1_000)));
        assert!(!by_steps(5, 5, None) && !by_steps(-5, 5, Some(100)));
        assert!(!Status { done: Some(5), total: Some(10), ..Status::default() }.works_by_steps());
    }

    #[test]
    fn between_two_values_far_apart_units_of_work_stay_steps() {
        let mut status = Status { total: Some(160), ..Status::default() };
        let mut seen = Vec::new();
        for done in 1..=60 {
            let logged = i64::try_from(done).ok().map(|step| step / 20 * 20).filter(|step| *step > 0);
            let mut next = Status { step: logged, done: Some(done), ..status.clone() };
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
