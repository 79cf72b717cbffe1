//! Whole runs: keeper, trainer and a plugin, as processes. What the program shows of them, `tests/tests` hold.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gradtop_host as host;
use gradtop_store::{RunDir, State, Status, checkpoints, read_series, read_status, view};

/// Time to stop in that no machine needs.
const GRACE: Duration = Duration::from_mins(3);

/// A folder of runs and a cache of its own.
struct Place {
    dir: tempfile::TempDir,
}

/// Where cargo puts examples: beside the folder of this test's program.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join(name)
}

impl Place {
    fn new() -> Self {
        host::set_program(example("mini"));
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// In an environment of its own: a person's settings change no test.
    fn mini(&self, args: &[&str]) -> Command {
        let mut command = Command::new(example("mini"));
        command.args(args).env_clear().env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        command
    }

    fn start(&self, experiment: &str, sets: &[&str]) -> RunDir {
        let runs = self.dir.path().join("runs");
        let plugin = example("libplain.so");
        let mut args = vec!["run", runs.to_str().unwrap(), plugin.to_str().unwrap(), experiment];
        args.extend(sets);
        let output = self.mini(&args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        RunDir::new(String::from_utf8(output.stdout).unwrap().trim())
    }

    /// A run that does as it is asked after a step, and goes on when [`Place::go_to`] says so.
    fn held(&self, step: i64) -> RunDir {
        let gate = format!("gate={}", self.gate().display());
        let run = self.start("plain", &["steps=1000", &format!("hold={step}"), &gate]);
        until_step(&run, step);
        run
    }

    fn gate(&self) -> PathBuf {
        self.dir.path().join("gate")
    }

    /// Lets the held run go on to a step. Whole at once: it looks every few milliseconds.
    fn go_to(&self, step: i64) {
        let beside = self.dir.path().join("gate.tmp");
        std::fs::write(&beside, step.to_string()).unwrap();
        std::fs::rename(beside, self.gate()).unwrap();
    }

    /// Runs to the end: the state, the cause, and the run.
    fn end_of(&self, experiment: &str, sets: &[&str]) -> (State, String, RunDir) {
        let run = self.start(experiment, sets);
        let state = host::wait(&run).unwrap();
        (state, cause(&run), run)
    }
}

fn cause(run: &RunDir) -> String {
    read_status(run).unwrap().cause.unwrap_or_default()
}

/// Only a broken run takes this long: it ends a wait, and decides nothing.
const LIMIT: Duration = Duration::from_mins(3);

fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < LIMIT, "after {LIMIT:?} still waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for a status, which is the one given: the next may say something else.
fn until_status(run: &RunDir, what: &str, ready: impl Fn(&Status) -> bool) -> Status {
    let mut seen = None;
    until(what, || {
        seen = read_status(run).ok().filter(|s| ready(s));
        seen.is_some()
    });
    seen.unwrap()
}

fn until_step(run: &RunDir, step: i64) -> Status {
    until_status(run, &format!("step {step}"), |s| s.step >= Some(step))
}

/// Every step is there once, with its value, in both series.
fn assert_whole(run: &RunDir, steps: i64) {
    let series = read_series(run, |key| key.metric == "loss").unwrap();
    assert_eq!(series.len(), 2);
    for one in series {
        assert_eq!(one.step, (0..steps).collect::<Vec<_>>());
        let values: Vec<f64> = (0..steps).map(|s| 1.0 / (s + 1) as f64).collect();
        assert_eq!(one.value, values);
    }
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_paused_run_can_be_stopped() {
    let place = Place::new();
    let run = place.held(3);
    host::pause(&run).unwrap();
    until_status(&run, "the pause", |s| s.state == State::Paused);
    host::stop(&run, GRACE).unwrap();
    assert_eq!(host::wait(&run).unwrap(), State::Stopped);
    assert_eq!(checkpoints(&run).len(), 1);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_begins_anew() {
    let place = Place::new();
    let run = place.held(7);
    let trainer = until_step(&run, 7).trainer_pid.unwrap();
    let loss = || read_series(&run, |key| key.metric == "loss").unwrap().remove(0).step;
    until("its rows", || loss().last() == Some(&7));
    kill(trainer);
    assert_eq!(host::wait(&run).unwrap(), State::Crashed);
    until("the lock to be free", || !gradtop_store::is_locked(&run).unwrap());
    let refused = host::resume(&run, host::Resume::default()).unwrap_err().to_string();
    assert!(refused.contains("`gradtop resume --restart`"), "{refused}");
    assert_eq!(loss().len(), 8, "a refusal sets nothing aside");
    place.go_to(1000);
    let restart = host::Resume { restart: true, trust: false };
    assert_eq!(host::resume(&run, restart).unwrap(), host::Resumed::Continued);
    assert_eq!(host::wait(&run).unwrap(), State::Finished, "{}", cause(&run));
    assert_whole(&run, 1000);
    let aside = run.path().join("superseded");
    assert_eq!(std::fs::read_dir(aside).unwrap().count(), 1);
    let ended = read_status(&run).unwrap();
    assert!(ended.trained_s < ended.elapsed_s && ended.trained_s > Some(0.0), "{ended:?}");
}

#[test]
fn rows_that_an_ended_run_left_in_its_journal_are_sealed() {
    let temp = tempfile::tempdir().unwrap();
    let mut live = gradtop_tests::synthetic::LiveRun::start(temp.path(), "left", 100).unwrap();
    (0..100).for_each(|step| live.step(step));
    let run = live.dir().clone();
    drop(live);
    let ended = read_status(&run).unwrap();
    for state in [State::Failed, State::Stopped, State::Finished] {
        let cause = Some("the disk was full".to_owned());
        gradtop_store::write_status(&run, &Status { state, cause: cause.clone(), ..ended.clone() }).unwrap();
        assert_eq!(gradtop_store::has_journal(&run), state == State::Failed);
        assert_eq!(host::recover_crashed(&run).unwrap(), state == State::Failed, "{state:?}");
        let seen = view(&run).unwrap();
        assert_eq!((seen.state, seen.status.cause), (state, cause), "its end stays as it is");
        assert!(read_series(&run, |_| true).unwrap().iter().all(|s| s.step.len() == 100));
        assert!(run.metrics().join("part-00001.parquet").exists());
    }
}

#[test]
fn a_trainer_without_its_keeper_saves_and_ends() {
    let place = Place::new();
    let run = place.held(5);
    kill(read_status(&run).unwrap().keeper_pid.unwrap());
    assert_eq!(host::wait(&run).unwrap(), State::Crashed);
    assert!(!view(&run).unwrap().status.state.is_final());
    assert_eq!(checkpoints(&run).len(), 1);
    assert!(host::recover_crashed(&run).unwrap());
    assert!(!host::recover_crashed(&run).unwrap());
    assert_eq!(read_status(&run).unwrap().state, State::Crashed);
    place.go_to(9);
    assert_eq!(host::resume(&run, host::Resume::default()).unwrap(), host::Resumed::Continued);
    until_status(&run, "steps after the checkpoint", |s| s.step == Some(9) && s.state == State::Running);
    host::kill(&run).unwrap();
    assert_eq!(host::wait(&run).unwrap(), State::Stopped);
    assert_eq!(cause(&run), "killed on request");
}

#[test]
fn resuming_says_why_it_cannot() {
    let place = Place::new();
    let refused = |run: &RunDir| host::resume(run, host::Resume::default()).unwrap_err().to_string();
    let (_, _, finished) = place.end_of("plain", &[]);
    assert!(refused(&finished).contains("has finished"));
    let (_, _, failed) = place.end_of("plain", &["mode=fail"]);
    assert!(refused(&failed).contains("no checkpoint yet"));
    let (_, _, bare) = place.end_of("bare", &["mode=fail"]);
    assert!(refused(&bare).contains("is not resumable"));
    let stopped = place.held(3);
    host::stop(&stopped, GRACE).unwrap();
    host::wait(&stopped).unwrap();
    std::fs::remove_file(stopped.plugin()).unwrap();
    let gone = refused(&stopped);
    assert!(gone.contains("plugin.so in its folder is gone"), "{gone}");
    let why = host::allowed(&gradtop_store::view(&stopped).unwrap(), host::Action::Resume).unwrap_err();
    assert!(gone.ends_with(&why.to_string()) && why.is_for_good(), "who only asks is told the same: {why}");
    let running = place.held(3);
    assert!(refused(&running).contains("stop it first"));
    host::kill(&running).unwrap();
    let error = host::stop(&finished, Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("is not running: it has finished"), "{error}");
}

#[test]
fn the_two_processes_have_a_session_of_their_own() {
    let place = Place::new();
    let run = place.held(3);
    let status = read_status(&run).unwrap();
    let (keeper, trainer) = (status.keeper_pid.unwrap(), status.trainer_pid.unwrap());
    // Fields after the name: state, ppid, pgrp, session, tty.
    let stat = |pid: u32| -> Vec<String> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        text.rsplit_once(')').unwrap().1.split_whitespace().map(str::to_owned).collect()
    };
    for pid in [keeper, trainer] {
        assert_eq!(stat(pid)[3], keeper.to_string(), "session");
        assert_eq!(stat(pid)[4], "0", "terminal");
        let ignored = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = ignored.lines().find_map(|l| l.strip_prefix("SigIgn:")).unwrap();
        let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
        assert_eq!(mask & 1, 1, "SIGHUP is ignored");
    }
    assert_eq!(stat(trainer)[1], keeper.to_string(), "parent");
    let files = |pid: u32| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        entries.filter_map(|e| std::fs::read_link(e.ok()?.path()).ok()).collect()
    };
    for pid in [keeper, trainer] {
        assert_eq!(files(pid)[0], Path::new("/dev/null"), "standard input");
        assert!(files(pid).contains(&run.lock()), "both hold the lock");
    }
    // Threads, as libtorch reads them, and never the plugin's original.
    let environment = std::fs::read_to_string(format!("/proc/{trainer}/environ")).unwrap();
    for part in ["OMP_NUM_THREADS=", "CUBLAS_WORKSPACE_CONFIG=:4096:8", "GOMP_SPINCOUNT=3000"] {
        assert!(environment.contains(part), "{part} is not in {environment}");
    }
    let maps = std::fs::read_to_string(format!("/proc/{trainer}/maps")).unwrap();
    assert!(maps.contains(run.plugin().to_str().unwrap()) && !maps.contains("libplain.so"));
    let maps = std::fs::read_to_string(format!("/proc/{keeper}/maps")).unwrap();
    assert!(!maps.contains("plugin.so"));
    host::kill(&run).unwrap();
}
