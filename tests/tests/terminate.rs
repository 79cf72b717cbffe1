//! Ends that others bring about: SIGTERM to the foreground command, also as the first process of a container, and a keeper
//! that dies once training is complete.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Child, Command, Stdio};

use gradtop_store::State;
use gradtop_tests::{Sandbox, untested, until};
use rustix::process::{Pid, Signal, kill_process};

const RUN: [&str; 6] = ["run", "counter", "--set", "steps=1000000", "--set", "rate=1000"];

fn terminate(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::TERM).unwrap();
}

/// Waits for its end; the exit code.
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
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(sandbox.program()).args(args);
        command.envs(sandbox.env().iter().map(|(k, v)| (k, v))).current_dir(sandbox.path());
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
