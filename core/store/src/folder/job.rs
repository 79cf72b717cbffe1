//! `job.toml`: the job of a batch system that is to run a run, and `job-seen.json`: what the batch system last said of it.
//!
//! Both lie in the run's folder, which stays what it is whichever job works in it. Who submits a job writes the first and gives the
//! run's lock up; the job takes the lock where it starts. Who has asked the batch system writes the second, for everybody who looks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::inside;
use crate::folder::run_dir::RunDir;

/// The job that is to run a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The launcher's name in the settings.
    pub launcher: String,
    /// What tells one submission from the next: a job with another token has lost the run to a later one.
    pub token: String,
    /// The job's id, of an array that of the array; `None` while it is being submitted.
    pub id: Option<u64>,
    /// Which task of the array it is.
    pub task: Option<u32>,
    /// Seconds between two questions to the batch system, at least.
    pub ask_every_s: u64,
    /// What was last seen of it.
    #[serde(skip)]
    pub seen: Option<JobSeen>,
}

impl Job {
    /// The id as people and the batch system write it: `12`, or `12_3` of a task of an array.
    pub fn name(&self) -> Option<String> {
        let id = self.id?;
        Some(self.task.map_or_else(|| id.to_string(), |task| format!("{id}_{task}")))
    }
}

/// What a batch system said of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSeen {
    /// The job's token.
    pub token: String,
    /// When it was asked.
    pub asked: Timestamp,
    /// Its own word, such as `PENDING`; empty where it does not know the job.
    pub state: String,
    /// What a job that waits is waiting for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When its time will be over, of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// The state of a task that is not among those of its array any more, and whose run has not begun: what is cancelled before it begins
/// leaves no other trace.
pub const NOT_QUEUED: &str = "NOT_QUEUED";

/// What a job's state means for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStage {
    /// It has not started, or waits to be started again.
    Waits,
    /// It has a node.
    Works,
    /// It will not work any more.
    Over,
    /// The batch system does not know it.
    Unknown,
}

impl JobSeen {
    /// What its state means. A word that is not known here is one of a job that has a node.
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

/// The job of a run, with what was last seen of it; `None` where it has none, or its file says nothing.
pub fn read_job(run: &RunDir) -> Option<Job> {
    let text = inside::read_text(run, &run.job(), inside::NOTE_LIMIT).ok()?;
    let job: Job = toml::from_str(&text).ok()?;
    let bytes = inside::read(run, &run.job_seen(), inside::NOTE_LIMIT).unwrap_or_default();
    let seen = serde_json::from_slice(&bytes).ok().filter(|seen: &JobSeen| seen.token == job.token);
    Some(Job { seen, ..job })
}

/// Writes which job is to run a run.
///
/// # Errors
/// The disk does not take it.
pub fn write_job(run: &RunDir, job: &Job) -> Result<()> {
    let path = run.job();
    let text = toml::to_string(job).format_at("encode", &path)?;
    inside::replace(run, &path, text.as_bytes(), true).at("write", &path)
}

/// Writes what was seen of its job.
///
/// # Errors
/// The disk does not take it.
pub fn write_job_seen(run: &RunDir, seen: &JobSeen) -> Result<()> {
    let path = run.job_seen();
    let bytes = serde_json::to_vec(seen).format_at("encode", &path)?;
    inside::replace(run, &path, &bytes, false).at("write", &path)
}
