//! How a batch job takes over its run when it starts.

use std::convert::Infallible;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gradtop_store::{
    Ending, Job, Owner, RENEW, RunDir, RunLock, State, StoreError, checkpoints, clear_control, has_journal,
    is_of_earlier_start, metric_files, read_job, read_manifest, read_status, recover, stop_request,
    wait_until_stale, write_job,
};

use crate::error::{HostError, Result};
use crate::launcher::jobs::variable;
use crate::run::control::write_end;
use crate::run::keeper::invocation::{self, ResumeFrom};
use crate::run::resume::{may_run, set_back};

/// How long a job waits for the run's previous owner: a requeued job may start before its earlier start has ended.
const PATIENCE: Duration = Duration::from_mins(2);

/// Entry point of `gradtop __job DIR TOKEN [--trust]`: becomes the keeper of the run in that folder. Output goes to the
/// job's log.
pub(crate) fn job_main(dir: &Path, token: &str, trust: bool) -> i32 {
    let (said, code) = match take_over(&RunDir::new(dir), token, trust) {
        Ok(why) => (why, 0),
        Err(e) => (format!("error: {e}"), 1),
    };
    writeln!(std::io::stdout(), "{said}").ok();
    code
}

/// Takes the run and becomes its keeper, or returns why there is nothing to do.
fn take_over(run: &RunDir, token: &str, trust: bool) -> Result<String> {
    let start = Instant::now();
    let mut patience = PATIENCE;
    let lock = loop {
        if read_job(run).is_none_or(|job| job.token != token) {
            return Ok(later(run));
        }
        match RunLock::acquire(run) {
            Err(StoreError::Locked { .. }) if start.elapsed() < patience => {}
            // If the earlier start is only cut off from Slurm, it learns from the folder that it has lost the run, and
            // releases its lock.
            Err(StoreError::Locked { .. }) if patience == PATIENCE && is_of_earlier_start(run) => {
                Owner::take_over(run)?;
                patience += RENEW * 3;
            }
            Err(StoreError::Owned { .. }) if is_of_earlier_start(run) => {
                if wait_until_stale(run, || start.elapsed() < PATIENCE) {
                    Owner::take_over(run)?;
                } else if start.elapsed() >= PATIENCE {
                    Owner::take_over(run)?;
                    std::thread::sleep(RENEW * 2);
                }
            }
            lock => break lock?,
        }
    };
    let owner = Owner::claim_if_possible(run)?;
    let said = match prepare(run, &lock, token, trust) {
        Ok(Prepared::Begin(go_on)) => Err(become_keeper(run, &lock, go_on.as_ref())),
        Ok(Prepared::Over(why)) => Ok(why),
        Err(e) => Err(e),
    };
    // Nothing has begun in this process.
    if let Some(owner) = owner {
        owner.end(run);
    }
    said
}

/// What a job that has its run should do.
enum Prepared {
    /// Begin, or continue.
    Begin(Option<ResumeFrom>),
    /// Nothing, for this reason.
    Over(String),
}

fn later(run: &RunDir) -> String {
    format!("{} was given to a later job", run.name())
}

fn prepare(run: &RunDir, lock: &RunLock, token: &str, trust: bool) -> Result<Prepared> {
    let Some(job) = read_job(run).filter(|job| job.token == token) else {
        return Ok(Prepared::Over(later(run)));
    };
    let id = variable("SLURM_ARRAY_JOB_ID").filter(|_| job.task.is_some());
    let id = id.or_else(|| variable("SLURM_JOB_ID"));
    if job.id != id {
        write_job(run, &Job { id, ..job })?;
    }
    recover(run, lock)?;
    let status = read_status(run)?;
    if status.state == State::Finished {
        return Ok(Prepared::Over(format!("{} has finished", run.name())));
    }
    if stop_request(run)?.is_some() {
        let cause = Some("stopped before it started".to_owned());
        write_end(run, lock, Ending { state: State::Stopped, cause })?;
        return Ok(Prepared::Over(format!("{} was stopped", run.name())));
    }
    let manifest = read_manifest(run)?;
    clear_control(run)?;
    let trusted = may_run(run, &manifest, trust)?;
    let begun = has_journal(run) || metric_files(run)?.is_some_and(|files| !files.is_empty());
    let begun = begun || !checkpoints(run).is_empty() || trusted.is_some();
    let go_on = begun.then(|| set_back(run, lock, &status, trusted)).transpose()?;
    Ok(Prepared::Begin(go_on))
}

/// Becomes the keeper; returns the error if that fails. It must not be a child process, because Slurm signals only the
/// processes of a task.
fn become_keeper(run: &RunDir, lock: &RunLock, go_on: Option<&ResumeFrom>) -> HostError {
    let begin = || {
        let mut command = invocation::in_job(run, lock.file().try_clone()?, go_on);
        command.stdout(Stdio::from(std::io::stdout().as_fd().try_clone_to_owned()?));
        Err::<Infallible, _>(command.exec())
    };
    let Err(e) = begin();
    HostError::io("start the keeper")(e)
}
