//! Queries Slurm about all jobs of a user at once, and stores the answers in the folders of the runs.

use std::path::Path;
use std::time::{Duration, Instant};

use gradtop_store::{
    Job, JobSeen, NOT_QUEUED, RunDir, RunLock, State, inside, list_runs, read_job, read_status, write_job,
    write_job_seen,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::{HostError, Result};
use crate::launcher::ask::ask;

/// Default interval between queries, in seconds.
pub(crate) const ASK_EVERY: u64 = 30;
/// A slow query is repeated only after this multiple of its duration.
const BACK_OFF: u32 = 20;

/// Returns the job comment that identifies a token.
pub(crate) fn comment(token: &str) -> String {
    format!("gradtop:{token}")
}

/// Parses a numeric environment variable that Slurm sets in jobs.
pub(crate) fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Cancels the job of a run.
///
/// # Errors
/// Slurm refuses or does not answer.
pub fn cancel(run: &RunDir) -> Result<()> {
    let Some(name) = read_job(run).and_then(|job| job.name()) else { return Ok(()) };
    let refused = |why| HostError::Slurm { what: "cancel the job", why };
    ask("scancel", &["--quiet", &name]).map(drop).map_err(refused)
}

/// Returns the folder that stores, per user, when to ask next.
pub(crate) fn folder(runs: &Path) -> RunDir {
    RunDir::new(runs.join(format!(".slurm-{}", rustix::process::geteuid().as_raw())))
}

/// What an answer says about one job.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    pub(crate) id: u64,
    array: u64,
    /// Its task, or the tasks of an array that have no job of their own yet.
    tasks: Vec<std::ops::RangeInclusive<u32>>,
    comment: String,
    pub(crate) state: String,
    reason: Option<String>,
    node: Option<String>,
    pub(crate) ends: Option<Timestamp>,
    pub(crate) preempted: bool,
    /// How often it was requeued.
    pub(crate) restarts: u64,
}

impl Known {
    fn read(job: &Value) -> Option<Self> {
        let text = |key: &str| job.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        // Since Slurm 23.02 a list: the base state, followed by flags.
        let state = job.get("job_state")?;
        let state = state.as_str().or_else(|| state.get(0)?.as_str())?;
        let task = number(job, "array_task_id").and_then(|task| u32::try_from(task).ok());
        let tasks = match (task, text("array_task_string")) {
            (Some(task), _) => vec![task..=task],
            (None, Some(list)) => ranges(list),
            (None, None) => Vec::new(),
        };
        let time = |key| Timestamp::from_second(i64::try_from(number(job, key)?).ok()?).ok();
        Some(Self {
            id: number(job, "job_id")?,
            array: number(job, "array_job_id").unwrap_or(0),
            tasks,
            comment: text("comment").unwrap_or_default().to_owned(),
            state: state.to_owned(),
            reason: text("state_reason").filter(|reason| *reason != "None").map(crate::text::clean),
            node: text("nodes").map(crate::text::clean),
            ends: time("end_time").filter(|time| time.as_second() > 0),
            preempted: number(job, "preempt_time").is_some_and(|time| time > 0),
            restarts: number(job, "restart_cnt").unwrap_or(0),
        })
    }

    pub(crate) fn is(&self, job: &Job) -> bool {
        let right_task = |task: u32| self.tasks.iter().any(|tasks| tasks.contains(&task));
        let id = match job.id {
            Some(id) if job.task.is_some() => self.array == id,
            Some(id) => self.id == id,
            None => self.comment == comment(&job.token),
        };
        id && job.task.is_none_or(right_task)
    }
}

/// Parses a number: plain, or since Slurm 23.02 with a flag for whether it is set.
fn number(job: &Value, key: &str) -> Option<u64> {
    let value = job.get(key)?;
    value.as_u64().or_else(|| {
        let set = value.get("set").and_then(Value::as_bool).unwrap_or(false);
        value.get("number")?.as_u64().filter(|_| set)
    })
}

/// Parses `0-3,7%2`.
fn ranges(list: &str) -> Vec<std::ops::RangeInclusive<u32>> {
    let list = list.split('%').next().unwrap_or_default();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        // A stride may follow, as in `0-8:2`. Ignoring it includes tasks without runs, which is harmless.
        let last = last.split(':').next()?;
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).collect()
}

/// Queries all jobs of this user, or one job (older versions also return the others).
///
/// # Errors
/// Slurm did not answer.
pub(crate) fn jobs(id: Option<u64>) -> Result<Vec<Known>, String> {
    let one = id.map(|id| format!("--jobs={id}"));
    let args = [Some("--me"), Some("--states=all"), Some("--json"), one.as_deref()];
    let answer = ask("squeue", &args.into_iter().flatten().collect::<Vec<_>>())?;
    read(&answer)
}

fn read(answer: &[u8]) -> Result<Vec<Known>, String> {
    let answer: Value =
        serde_json::from_slice(answer).map_err(|e| format!("squeue answered no JSON: {e}"))?;
    // Without its controller, the program succeeds with an error and no jobs.
    if let Some(error) = answer.get("errors").and_then(|errors| errors.get(0)) {
        return Err(format!("squeue says: {}", crate::text::clean(&error.to_string())));
    }
    let jobs = answer.get("jobs").and_then(Value::as_array).ok_or("squeue answered without jobs")?;
    Ok(jobs.iter().filter_map(Known::read).collect())
}

/// Queries Slurm about the jobs of unfinished runs if it is time to, and stores the answers in their folders. Returns
/// whether it did.
pub fn refresh_jobs(runs: &Path) -> bool {
    let own = folder(runs);
    // No job was ever submitted for this folder of runs.
    if !own.path().is_dir() {
        return false;
    }
    let next = own.path().join("next");
    let is_early = || {
        let text = inside::read_text(&own, &next, inside::NOTE_LIMIT).unwrap_or_default();
        text.trim().parse::<Timestamp>().is_ok_and(|next| Timestamp::now() < next)
    };
    if is_early() {
        return false;
    }
    // Another process is asking or has just asked.
    let Ok(_lock) = RunLock::acquire_now(&own) else { return false };
    if is_early() {
        return false;
    }
    let open: Vec<(RunDir, Job)> = list_runs(runs)
        .into_iter()
        .filter_map(|run| Some((read_job(&run)?, run)))
        .filter(|(_, run)| read_status(run).is_ok_and(|status| !status.state.is_final()))
        .map(|(job, run)| (run, job))
        .collect();
    let every = Duration::from_secs(open.iter().map(|(_, job)| job.ask_every_s).max().unwrap_or(ASK_EVERY));
    let (asked, start) = (Timestamp::now(), Instant::now());
    let known = if open.is_empty() { Ok(Vec::new()) } else { jobs(None) };
    // An unavailable controller may be back soon.
    let slow = if known.is_ok() { start.elapsed() * BACK_OFF } else { Duration::ZERO };
    let wait = every.max(slow).min(Duration::from_mins(10));
    let again = Timestamp::now() + SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(1));
    inside::replace(&own, &next, again.to_string().as_bytes(), false).ok();
    // Without an answer, nothing new is known.
    let Ok(known) = known else { return true };
    let found: Vec<Option<&Known>> = open.iter().map(|(_, job)| known.iter().find(|k| k.is(job))).collect();
    let missing: Vec<String> =
        open.iter().zip(&found).filter(|(_, k)| k.is_none()).filter_map(|((_, job), _)| job.name()).collect();
    let past = accounted(&missing);
    for ((run, job), of) in open.iter().zip(&found) {
        let past = || job.name().and_then(|name| past_state(&past, &name));
        let left = || has_left(&known, run, job).then(|| NOT_QUEUED.to_owned());
        let seen = JobSeen {
            token: job.token.clone(),
            asked,
            state: of.map(|known| known.state.clone()).or_else(past).or_else(left).unwrap_or_default(),
            reason: of.and_then(|known| known.reason.clone()),
            node: of.and_then(|known| known.node.clone()),
            ends: of.and_then(|known| known.ends),
        };
        note(run, job, *of, &seen);
    }
    true
}

/// Returns whether a task left its array, which is known, before its run began.
fn has_left(known: &[Known], run: &RunDir, job: &Job) -> bool {
    job.task.is_some()
        && known.iter().any(|other| Some(other.array) == job.id)
        && read_status(run).is_ok_and(|status| status.state == State::Queued)
}

/// Stores what was seen of a run's job, unless it is unchanged.
fn note(run: &RunDir, job: &Job, known: Option<&Known>, seen: &JobSeen) {
    if let (None, Some(known)) = (job.id, known) {
        let id = if job.task.is_some() { known.array } else { known.id };
        write_job(run, &Job { id: Some(id), ..job.clone() }).ok();
    }
    let updated = read_status(run).map(|status| status.updated).unwrap_or_default();
    let same = |old: &JobSeen| JobSeen { asked: seen.asked, ..old.clone() } == *seen && old.asked >= updated;
    if job.seen.as_ref().is_some_and(same) {
        return;
    }
    // Ignore files that this user may not write.
    write_job_seen(run, seen).ok();
}

/// Asks the accounting about jobs that the controller has forgotten. Returns `id|state` lines; empty if there is no accounting.
fn accounted(jobs: &[String]) -> String {
    if jobs.is_empty() {
        return String::new();
    }
    let args = ["--allocations", "--noheader", "--parsable2", "--format=JobID,State", "--jobs"];
    let list = jobs.join(",");
    let answer = ask("sacct", &[&args[..], &[list.as_str()]].concat());
    answer.map(|answer| String::from_utf8_lossy(&answer).into_owned()).unwrap_or_default()
}

/// Extracts `CANCELLED` from the line `12_3|CANCELLED by 1000`.
fn past_state(accounted: &str, job: &str) -> Option<String> {
    let state = accounted.lines().find_map(|line| line.split_once('|').filter(|(id, _)| *id == job))?.1;
    Some(state.split_whitespace().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn job(id: Option<u64>, task: Option<u32>) -> Job {
        Job { launcher: "s".into(), token: "t".into(), id, task, ask_every_s: 30, seen: None }
    }

    #[test]
    fn jobs_are_read_as_old_and_new_versions_write_them() {
        let old = json!({"job_id": 14, "array_job_id": 12, "array_task_id": 3, "job_state": "RUNNING", "nodes": "n1",
            "state_reason": "None", "end_time": 1_795_941_665, "comment": "gradtop:t", "restart_cnt": 1, "preempt_time": 5});
        let set = |n: u64| json!({"set": true, "infinite": false, "number": n});
        let unset = json!({"set": false, "infinite": false, "number": 0});
        let new = json!({"job_id": 14, "array_job_id": set(12), "array_task_id": set(3), "job_state": ["RUNNING", "COMPLETING"],
            "nodes": "n1", "state_reason": "None", "end_time": set(1_795_941_665), "comment": "gradtop:t", "restart_cnt": 1,
            "preempt_time": set(5)});
        let read = Known::read(&old).unwrap();
        assert_eq!(Some(&read), Known::read(&new).as_ref());
        assert!(read.is(&job(Some(12), Some(3))) && read.is(&job(None, Some(3))));
        assert!(!read.is(&job(Some(12), Some(4))) && !read.is(&job(Some(12), None)));
        assert_eq!((read.restarts, read.preempted, read.reason), (1, true, None));
        let waits = json!({"job_id": 12, "array_job_id": set(12), "array_task_id": unset, "array_task_string": "4-6,9%2",
            "job_state": ["PENDING"], "state_reason": "Priority"});
        let waits = Known::read(&waits).unwrap();
        let has: Vec<u32> = (0..12).filter(|task| waits.is(&job(Some(12), Some(*task)))).collect();
        assert_eq!(has, [4, 5, 6, 9]);
        assert_eq!((waits.state.as_str(), waits.reason.as_deref()), ("PENDING", Some("Priority")));
    }

    #[test]
    fn an_answer_with_an_error_is_none() {
        let job = json!({"job_id": 7, "job_state": "PENDING"});
        let known = super::read(json!({"errors": [], "jobs": [job]}).to_string().as_bytes()).unwrap();
        assert_eq!((known.len(), known[0].id), (1, 7));
        let down = json!({"errors": [{"description": "Failed while looking for jobs"}], "jobs": []});
        assert!(super::read(down.to_string().as_bytes()).unwrap_err().contains("Failed while looking"));
    }

    #[test]
    fn the_accounting_names_a_state_by_its_first_word() {
        let said = "12_3|CANCELLED by 1000\n12_30|COMPLETED\n";
        assert_eq!(past_state(said, "12_3").as_deref(), Some("CANCELLED"));
        assert_eq!(past_state(said, "12_30").as_deref(), Some("COMPLETED"));
        assert_eq!(past_state(said, "12"), None);
    }
}
