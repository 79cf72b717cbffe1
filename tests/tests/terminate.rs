//! Ends caused by others: SIGTERM to the foreground command, also as the first process of a container, and a keeper that dies
//! once training is complete.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};

use gradtop_store::{State, Status, Suspended, is_started_for};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, untested, until};
use rustix::process::{Pid, Signal, kill_process};

const RUN: [&str; 6] = ["run", "counter", "--set", "steps=1000000", "--set", "rate=1000"];

fn terminate(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::TERM).unwrap();
}

/// Waits for the end. Returns the exit code.
fn code(mut child: Child) -> Option<i32> {
    until("the command to end", || child.try_wait().unwrap()).code()
}

fn quietly(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_termination_is_a_stop_that_nothing_takes_back() {
    let sandbox = Sandbox::new();
    let child = quietly(sandbox.command(&[&RUN[..], &["--name", "a"]].concat()));
    until("the run", || sandbox.runs().join("exp=counter/run=a").exists().then_some(()));
    let run = sandbox.find("a");
    run.until_state(State::Running);
    terminate(child.id());
    terminate(child.id());
    assert_eq!(code(child), Some(3));
    assert_eq!(run.view().state, State::Stopped);
    assert_eq!(gradtop_store::checkpoints(&run.dir).len(), 1);

    sandbox.gradtop(&["resume", "a", "--detach"]).expect_code(0);
    let waiting = quietly(sandbox.command(&["wait", "a"]));
    until("the signal to be caught", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", waiting.id())).unwrap_or_default();
        let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:"))?.trim();
        (u64::from_str_radix(caught, 16).unwrap() >> 14 & 1 == 1).then_some(())
    });
    terminate(waiting.id());
    assert_eq!(code(waiting), Some(5));
    assert!(!run.view().state.is_final(), "only the waiting ends");
}

#[test]
fn the_first_process_of_a_container_hears_a_termination() {
    let sandbox = Sandbox::new();
    let inside = |args: &[&str]| {
        let mut command = sandbox.around("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(sandbox.program()).args(args);
        quietly(command)
    };
    if code(inside(&["--version"])) != Some(0) {
        untested("process 1: no namespace of process ids can be made");
        return;
    }
    let child = inside(&[&RUN[..], &["--name", "a"]].concat());
    until("the run", || sandbox.runs().join("exp=counter/run=a").exists().then_some(()));
    let run = sandbox.find("a");
    until("steps", || run.status().step.filter(|step| *step > 100));
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    terminate(std::fs::read_to_string(children).unwrap().trim().parse().unwrap());
    assert_eq!(code(child), Some(3));
    assert_eq!(run.status().state, State::Stopped);
    assert_eq!(gradtop_store::checkpoints(&run.dir).len(), 1);
}

const ENDLESS: [&str; 5] = ["counter", "--set", "steps=1000000", "--set", "rate=1000"];

/// Suspends both processes of a run.
fn suspend(run: &Run<'_>) {
    let status = run.status();
    for pid in [status.keeper_pid, status.trainer_pid] {
        kill_process(Pid::from_raw(pid.unwrap() as i32).unwrap(), Signal::STOP).unwrap();
    }
    until("both to be suspended", || (run.view().suspended() == Some(Suspended::Both)).then_some(()));
}

#[test]
fn a_run_that_is_suspended_and_killed_was_killed_on_request() {
    let sandbox = Sandbox::new();
    let run = sandbox.start(&ENDLESS, "a");
    run.until_step(100);
    suspend(&run);
    let said = sandbox.gradtop(&["stop", "--kill", "a"]);
    assert!(said.all().contains("killed on request"), "{said:#?}");
    let status = run.status();
    assert_eq!((status.state, status.cause.as_deref()), (State::Stopped, Some("killed on request")));
    // A request from before a resume does not affect the run after it.
    let run = sandbox.start(&ENDLESS, "b");
    run.until_step(100);
    sandbox.gradtop(&["checkpoint", "b"]).expect_code(0);
    sandbox.gradtop(&["stop", "--kill", "b"]);
    sandbox.gradtop(&["resume", "b", "--detach"]).expect_code(0);
    run.until_state(State::Running);
    assert!(run.signal_keeper(Signal::KILL) && run.signal_trainer(Signal::KILL));
    until("it to be dead", || run.view().state.is_final().then_some(()));
    assert_eq!(run.view().state, State::Crashed);
}

#[test]
fn a_keeper_that_is_suspended_is_named() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=100"], "a", 50);
    assert!(run.signal_keeper(Signal::STOP));
    run.go_on();
    until("the trainer's last word", || run.status().outcome);
    until("the keeper to be suspended", || (run.view().suspended() == Some(Suspended::Keeper)).then_some(()));
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(72);
    let journal = std::fs::read_dir(run.dir.journal()).unwrap().map(|e| e.unwrap().path());
    let files = [run.dir.manifest(), run.dir.status(), run.dir.events(), run.dir.series()];
    for path in files.into_iter().chain(journal) {
        std::fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let list = sandbox.gradtop(&["list"]).expect_code(0);
    assert!(list.out.contains("its keeper is suspended (SIGSTOP)"), "{list:#?}");
    let waited = sandbox.gradtop(&["wait", "--timeout", "0.5", "a"]).expect_code(5);
    assert!(waited.err.contains("its keeper is suspended (SIGSTOP)"), "{waited:#?}");
    sandbox.gradtop(&["stop", "--kill", "a"]);
    assert_eq!(run.status().state, State::Finished, "all of it was done before");
}

#[test]
fn a_stop_is_readable_by_the_run_whatever_the_umask_of_who_asks() {
    let sandbox = Sandbox::new();
    let run = sandbox.start(&ENDLESS, "a");
    run.until_step(100);
    suspend(&run);
    let mut command = sandbox.around("sh");
    command.args(["-c", "umask 077; exec $0 stop --no-wait a"]).arg(sandbox.program());
    assert_eq!(code(quietly(command)), Some(0));
    let mode = std::fs::metadata(run.dir.control().join("stop")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o644, "{mode:o}");
    assert!(run.signal_keeper(Signal::CONT) && run.signal_trainer(Signal::CONT));
    run.until_state(State::Stopped);
}

#[test]
fn a_suspended_run_is_killed_through_other_mounts_than_its_own_and_a_copy_of_it_kills_nothing() {
    let sandbox = Sandbox::new();
    let elsewhere = sandbox.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut command = sandbox.around("unshare");
    let script =
        "mount --bind \"$GRADTOP_RUNS\" \"$1\"; export GRADTOP_RUNS=\"$1\"; shift; exec \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-ec", script]).arg(sandbox.program()).arg(&elsewhere);
    command.args([&RUN[..], &["--detach", "--name", "a"]].concat());
    if code(quietly(command)) != Some(0) {
        untested("other mounts: none can be made");
        return;
    }
    let run = sandbox.find("a");
    run.until_step(100);
    suspend(&run);
    let copy = run.dir.path().with_file_name("run=copy");
    assert!(Command::new("cp").arg("-al").arg(run.dir.path()).arg(&copy).status().unwrap().success());
    let said = sandbox.gradtop(&["stop", "--kill", "copy"]);
    assert_ne!(said.code, 0, "{said:#?}");
    assert_eq!(run.view().suspended(), Some(Suspended::Both), "the live one is not touched");
    std::fs::remove_dir_all(copy).unwrap();
    sandbox.gradtop(&["stop", "--kill", "a"]);
    assert_eq!(run.status().state, State::Stopped);
}

#[test]
fn a_run_whose_keeper_dies_once_training_is_complete_is_finished() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=100"], "a", 50);
    assert!(run.signal_keeper(Signal::STOP));
    run.go_on();
    until("the trainer's last word", || run.status().outcome);
    assert!(run.signal_keeper(Signal::KILL));
    run.until_state(State::Finished);
    sandbox.gradtop(&["wait", "a"]).expect_code(0);
    sandbox.gradtop(&["list"]).expect_code(0);
    assert_eq!(run.status().state, State::Finished);
}

#[test]
fn a_run_that_cannot_be_read_is_killed_by_what_its_processes_were_started_with() {
    let sandbox = Sandbox::new();
    let command = ["exec", "--detach", "--name", "b", "--", "sh", "-c", "sleep 600 & wait"];
    for (args, name) in [(&[&RUN[..], &["--name", "a", "--detach"]].concat()[..], "a"), (&command, "b")] {
        for damage in ["emptied", "removed"] {
            sandbox.gradtop(args).expect_code(0);
            let run = sandbox.find(name);
            run.until_state(State::Running);
            let Status { keeper_pid: Some(keeper), trainer_pid: Some(trainer), .. } = run.status() else {
                panic!("no processes")
            };
            match damage {
                "emptied" => fs::write(run.dir.manifest(), "").unwrap(),
                _ => fs::remove_file(run.dir.manifest()).unwrap(),
            }
            let way_out = format!("gradtop stop --kill {name}");
            for refused in [&["stop", name][..], &["rm", name, "--yes", "--force"]] {
                let said = sandbox.gradtop(refused).expect_code(1);
                assert!(said.err.contains(&way_out), "{damage}: {said:#?}");
            }
            let said = sandbox.gradtop(&["stop", "--kill", name]).expect_code(0);
            assert!(said.out.contains(&format!("killed {name}: ")), "{damage}: {said:#?}");
            assert!(said.err.contains("what they were started with"), "{damage}: {said:#?}");
            assert!(!is_started_for(&run.dir, keeper) && !is_started_for(&run.dir, trainer), "{damage}");
            sandbox.gradtop(&["rm", name, "--yes", "--force"]).expect_code(0);
        }
    }
}
