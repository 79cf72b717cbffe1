//! `job.toml`: the batch job that is to execute a run; `job-seen.json`: what the batch system last reported about it.
//!
//! Both lie in the run's folder, which stays the same whichever job works on it. The submitter writes the first and
//! releases the run's lock; the job takes the lock when it starts. Any process that has asked the batch system writes
//! the second, for all viewers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::run_dir::RunDir;

/// The batch job that is to execute a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The launcher's name in the settings.
    pub launcher: String,
    /// Identifies the submission: a job with another token has lost the run to a later one.
    pub token: String,
    /// The job's id, or that of its array; `None` while it is being submitted.
    pub id: Option<u64>,
    /// The index of the task in its array.
    pub task: Option<u32>,
    /// Minimum number of seconds between two queries to the batch system.
    pub ask_every_s: u64,
    /// What the batch system last reported.
    #[serde(skip)]
    pub seen: Option<JobSeen>,
}

impl Job {
    /// Returns the id as the batch system writes it: `12`, or `12_3` for a task of an array.
    pub fn name(&self) -> Option<String> {
        let id = self.id?;
        Some(self.task.map_or_else(|| id.to_string(), |task| format!("{id}_{task}")))
    }
}

/// What a batch system reported about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSeen {
    /// The job's token.
    pub token: String,
    /// When the batch system was asked.
    pub asked: Timestamp,
    /// The batch system's own word, such as `PENDING`; empty if it does not know the job.
    pub state: String,
    /// What a waiting job is waiting for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The node it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When the time limit of a running job ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// The state of a task that is missing from its array although its run has not begun: a task that is cancelled before
/// it starts leaves no other trace.
pub const NOT_QUEUED: &str = "NOT_QUEUED";

/// What a job's state means for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStage {
    /// It has not started, or waits to be restarted.
    Waits,
    /// It has a node.
    Works,
    /// It has ended for good.
    Over,
    /// The batch system does not know the job.
    Unknown,
}

impl JobSeen {
    /// Interprets the state. Unknown words count as those of a job that has a node.
    pub fn stage(&self) -> JobStage {
        match self.state.as_str() {
            "" => JobStage::Unknown,
            "PENDING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => {
                JobStage::Waits
            }
            "BOOT_FAIL" | "CANCELLED" | "COMPLETED" | "DEADLINE" | "FAILED" | "NODE_FAIL"
            | "OUT_OF_MEMORY" | "PREEMPTED" | "REVOKED" | "TIMEOUT" | NOT_QUEUED => JobStage::Over,
            _ => JobStage::Works,
        }
    }
}

/// Reads a run's job with what was last reported of it. `None` if it has none or the file is invalid.
pub fn read_job(run: &RunDir) -> Option<Job> {
    let job = parse_job(run).ok()?;
    let seen = parse_seen(run).ok().filter(|seen| seen.token == job.token);
    Some(Job { seen, ..job })
}

pub(crate) fn parse_job(run: &RunDir) -> Result<Job> {
    let path = run.job();
    let text = inside::read_text(run, &path, inside::NOTE_LIMIT).at("read", &path)?;
    toml::from_str(&text).format_at("understand", &path)
}

pub(crate) fn parse_seen(run: &RunDir) -> Result<JobSeen> {
    let path = run.job_seen();
    let bytes = inside::read(run, &path, inside::NOTE_LIMIT).at("read", &path)?;
    serde_json::from_slice(&bytes).format_at("understand", &path)
}

/// Writes which job is to execute a run.
///
/// # Errors
/// The file cannot be written.
pub fn write_job(run: &RunDir, job: &Job) -> Result<()> {
    let path = run.job();
    let text = toml::to_string(job).format_at("encode", &path)?;
    inside::replace(run, &path, text.as_bytes(), true).at("write", &path)
}

/// Writes what the batch system reported about the job.
///
/// # Errors
/// The file cannot be written.
pub fn write_job_seen(run: &RunDir, seen: &JobSeen) -> Result<()> {
    let path = run.job_seen();
    let bytes = serde_json::to_vec(seen).format_at("encode", &path)?;
    inside::replace(run, &path, &bytes, false).at("write", &path)
}
