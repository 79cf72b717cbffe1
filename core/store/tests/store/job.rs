//! What a run is by what its batch system said of its job, where its own lock says nothing.

use std::fs;

use gradtop_store::{
    Job, JobSeen, Life, RunDir, RunLock, State, Status, read_job, view, write_job, write_job_seen,
    write_status,
};
use jiff::{SignedDuration, Timestamp};

use crate::common::new_run;

const GONE: Life = Life::Gone { held: false };
const FAR: Life = Life::Alive { within_reach: false, suspended: None };

fn status(run: &RunDir, state: State) {
    let status = Status { schema: 1, state, updated: Timestamp::now(), ..Status::default() };
    write_status(run, &status).unwrap();
}

/// What it is thought to be once Slurm has said `word`; with an empty word it does not know the job.
fn seen(run: &RunDir, word: &str) -> (State, Life) {
    let asked = Timestamp::now() + SignedDuration::from_secs(1);
    let state = word.to_owned();
    let seen = JobSeen { token: "t".to_owned(), asked, state, reason: None, node: None, ends: None };
    write_job_seen(run, &seen).unwrap();
    let view = view(run).unwrap();
    assert_eq!(view.certain, view.life != Life::Unknown);
    assert_eq!(view.queued.is_some(), view.state == State::Queued && view.certain);
    (view.state, view.life)
}

fn job(run: &RunDir, token: &str) {
    let (launcher, token) = ("gpu".to_owned(), token.to_owned());
    let job = Job { launcher, token, id: Some(12), task: Some(3), ask_every_s: 30, seen: None };
    write_job(run, &job).unwrap();
}

/// As if another machine had it last.
fn elsewhere(run: &RunDir) {
    fs::write(run.lock(), "node-7\nanother boot\nmachine=0123\nlock=ofd\n").unwrap();
}

#[test]
fn a_run_that_has_not_begun_waits_starts_or_never_will() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    status(&run, State::Queued);
    job(&run, "t");
    let first = view(&run).unwrap();
    assert_eq!(
        (first.state, first.certain, first.queued.is_some()),
        (State::Queued, true, true),
        "nobody asked"
    );
    assert_eq!(first.job.unwrap().name().as_deref(), Some("12_3"));
    for elsewhere_too in [false, true] {
        if elsewhere_too {
            elsewhere(&run);
        }
        assert_eq!(seen(&run, "PENDING"), (State::Queued, GONE));
        assert_eq!(seen(&run, "CONFIGURING"), (State::Starting, FAR));
        assert_eq!(seen(&run, "CANCELLED"), (State::Stopped, GONE));
        assert_eq!(seen(&run, "NODE_FAIL"), (State::Crashed, GONE));
        assert_eq!(view(&run).unwrap().status.cause.as_deref(), Some("job 12_3 of gpu ended: NODE_FAIL"));
        assert_eq!(seen(&run, gradtop_store::NOT_QUEUED), (State::Stopped, GONE));
        assert_eq!(
            view(&run).unwrap().status.cause.as_deref(),
            Some("job 12_3 of gpu is in the queue no more, and has not begun")
        );
        assert_eq!(seen(&run, ""), (State::Queued, Life::Unknown), "forgotten is not failed");
    }
}

#[test]
fn a_run_that_has_begun_is_what_its_lock_says_then_what_its_job_says() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    status(&run, State::Running);
    job(&run, "t");
    assert_eq!(view(&run).unwrap().life, Life::Unknown, "its lock is free, but it may be between two starts");
    assert_eq!(seen(&run, "PENDING"), (State::Queued, GONE), "requeued");
    assert_eq!(seen(&run, "RUNNING"), (State::Running, Life::Unknown));
    assert_eq!(seen(&run, "TIMEOUT"), (State::Crashed, GONE));
    assert_eq!(seen(&run, ""), (State::Crashed, GONE), "the lock is free here, and there is no job any more");
    let lock = RunLock::acquire(&run).unwrap();
    for word in ["PENDING", "TIMEOUT", ""] {
        assert!(matches!(seen(&run, word), (State::Running, Life::Alive { .. })), "its lock comes first");
    }
    drop(lock);

    elsewhere(&run);
    assert_eq!(seen(&run, "RUNNING"), (State::Running, FAR), "on another node");
    assert_eq!(seen(&run, "OUT_OF_MEMORY"), (State::Crashed, GONE));
    assert_eq!(seen(&run, ""), (State::Running, Life::Unknown));
    // What was said before the run last wrote, or of an earlier job, is old.
    seen(&run, "FAILED");
    let status_later = Status {
        schema: 1,
        state: State::Running,
        updated: Timestamp::now() + SignedDuration::from_secs(5),
        ..Status::default()
    };
    write_status(&run, &status_later).unwrap();
    assert_eq!(view(&run).unwrap().life, Life::Unknown);
    job(&run, "u");
    assert_eq!(read_job(&run).unwrap().seen, None);
}
