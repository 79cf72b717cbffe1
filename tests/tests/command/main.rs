//! Commands as runs: what is recorded of an unmodified command, what a shell, the Python client and logs of other tools report,
//! how each is stopped, paused and resumed, and the cost of the death of each process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod hugging_face;
mod logs;

use std::fs;

use gradtop_store::{Event, State, read_manifest, read_series};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, paths, until};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A sandbox in which Python finds the client.
fn sandbox() -> Sandbox {
    let python = paths::checkout().join("python");
    let sandbox = Sandbox::with(&[]);
    let program = sandbox.program().to_str().unwrap().to_owned();
    sandbox
        .and_env("PYTHONPATH", python.to_str().unwrap())
        .and_env("PYTHONDONTWRITEBYTECODE", "1")
        .and_env("GRADTOP_PROGRAM", &program)
}

/// `gradtop exec --detach`.
fn start<'a>(sandbox: &'a Sandbox, options: &[&str], name: &str, command: &[&str]) -> Run<'a> {
    let args = [&["exec", "--detach", "--name", name], options, &["--"], command].concat();
    sandbox.gradtop(&args).expect_code(0);
    sandbox.find(name)
}

fn console(run: &Run<'_>) -> String {
    fs::read_to_string(run.dir.console()).unwrap_or_default()
}

fn cause(run: &Run<'_>) -> String {
    run.view().status.cause.unwrap_or_default()
}

/// The steps and values of a metric and split.
fn values(run: &Run<'_>, metric: &str, split: Option<&str>) -> Vec<(i64, f64)> {
    let series = read_series(&run.dir, |key| key.metric == metric && key.split.as_deref() == split).unwrap();
    series.iter().flat_map(|s| s.step.iter().copied().zip(s.value.iter().copied())).collect()
}

/// The messages of a run's warnings.
fn warnings(run: &Run<'_>) -> Vec<String> {
    let lines = run.logged_events(|e| matches!(e, Event::Warning { .. })).into_iter();
    lines
        .filter_map(|l| if let Event::Warning { message } = l.event { Some(message) } else { None })
        .collect()
}

fn is_there(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

/// The process ids that a command prints, one per line.
fn pids(run: &Run<'_>, n: usize) -> Vec<i32> {
    until("the command to print its processes", || {
        let pids: Vec<i32> = console(run).lines().filter_map(|line| line.parse().ok()).collect();
        (pids.len() >= n).then_some(pids)
    })
}

#[test]
fn a_command_that_knows_nothing_gives_its_output_and_its_end() {
    let sandbox = sandbox();
    let script = "echo working; echo 'no such data' >&2; exit 3";
    let said = sandbox
        .gradtop(&["exec", "--name", "a", "--param", "lr=0.1", "--", "sh", "-c", script])
        .expect_code(1);
    assert!(said.all().contains("exit code 3: no such data"), "{}", said.all());
    assert!(said.out.contains("\nworking\nno such data\n"), "{}", said.out);
    let run = sandbox.find("a");
    assert_eq!((run.view().state, cause(&run).as_str()), (State::Failed, "exit code 3: no such data"));
    assert_eq!(console(&run), "working\nno such data\n");
    let manifest = read_manifest(&run.dir).unwrap();
    assert_eq!(manifest.command.unwrap().argv, ["sh", "-c", script]);
    assert_eq!(manifest.params[0].1.to_string(), "0.1");
    for command in [&["show", "a"][..], &["list"], &["show", "a", "--json"], &["logs", "a"]] {
        sandbox.gradtop(command).expect_code(0);
    }
    let said = sandbox.gradtop(&["resume", "a"]).expect_code(1);
    assert!(said.err.contains("started without --resumable; `gradtop resume --restart`"), "{}", said.err);

    let no_driver = sandbox.gradtop(&["doctor"]).all().contains("no NVIDIA driver");
    for command in [&["exec", "--name", "b"][..], &["sweep", "--dry-run", "--name", "s"]] {
        let said = sandbox.gradtop(&[command, &["--device", "cuda:0", "--", "true"]].concat());
        let told = said.err.contains("whether there is a cuda:0 cannot be checked: no NVIDIA driver");
        assert_eq!(told, no_driver, "{said:?}");
    }
    let said = sandbox.gradtop(&["exec", "--name", "quiet", "--", "true"]).expect_code(0);
    assert!(said.out.contains("gradtop logs quiet"), "nothing can be drawn: {}", said.out);
    assert!(!sandbox.gradtop(&["show", "quiet"]).out.contains("duckdb -c"));
    let said = sandbox.gradtop(&["exec", "--name", "c", "--", "no-such-program"]).expect_code(1);
    assert!(said.err.contains("not in PATH"), "{}", said.err);
    assert!(!sandbox.runs().join("exp=no-such-program").exists());
}

#[test]
fn a_command_has_nothing_of_the_keeper_but_four_descriptors() {
    let sandbox = sandbox();
    let run =
        start(&sandbox, &[], "a", &["sh", "-c", "ls -l /proc/$$/fd; echo; ps -o sid= -p $$; echo $$; env"]);
    run.wait().expect_code(0);
    let text = console(&run);
    // Without a pipe, for which a shell would briefly open more descriptors.
    let (files, rest) = text.split_once("\n\n").unwrap_or_default();
    assert_eq!(files.matches("->").count(), 4, "{text}");
    let lines: Vec<&str> = rest.lines().map(str::trim).collect();
    assert_eq!(lines[0], lines[1], "a session of its own");
    for name in ["GRADTOP_RUN_DIR=", "GRADTOP_RUN=a", "GRADTOP_SEED=", "GRADTOP_SINK=/tmp/gradtop-"] {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn a_stop_is_heard_by_the_command_alone_and_what_does_not_end_is_killed_whole() {
    let sandbox = sandbox();
    let polite = "trap 'echo saved; exit 0' TERM; echo $$; while :; do sleep 0.05; done";
    let run = start(&sandbox, &[], "polite", &["sh", "-c", polite]);
    pids(&run, 1);
    sandbox.gradtop(&["stop", "polite"]).expect_code(0);
    assert_eq!((run.view().state, cause(&run).as_str()), (State::Stopped, "asked to stop"));
    assert!(console(&run).contains("saved"));

    let deaf = "trap '' TERM; (trap '' TERM; setsid sleep 600 & echo $!; wait) & sleep 600 & echo $!; echo $$; wait; wait; sleep 600";
    let run = start(&sandbox, &["--grace", "0.3"], "deaf", &["sh", "-c", deaf]);
    let pids = pids(&run, 3);
    sandbox.gradtop(&["stop", "deaf"]).expect_code(0);
    assert_eq!(run.view().state, State::Stopped);
    assert!(pids.iter().all(|pid| !is_there(*pid)), "{pids:?}");
    assert!(cause(&run).contains("did not stop within 0.3 s: killed"), "{}", cause(&run));
}

#[test]
fn a_kill_leaves_nothing_and_nothing_is_left_behind() {
    let sandbox = sandbox();
    let run =
        start(&sandbox, &[], "a", &["sh", "-c", "setsid sleep 600 & echo $!; sleep 600 & echo $!; wait"]);
    let ids = pids(&run, 2);
    sandbox.gradtop(&["stop", "--kill", "a"]).expect_code(0);
    assert_eq!((run.view().state, cause(&run).as_str()), (State::Stopped, "killed on request"));
    assert!(ids.iter().all(|pid| !is_there(*pid)));

    // A command that fails and leaves a process behind.
    let run = start(&sandbox, &[], "b", &["sh", "-c", "setsid sleep 600 & echo $!; exit 1"]);
    run.wait().expect_code(1);
    assert!(!is_there(pids(&run, 1)[0]));
    assert!(run.events().contains("left behind"));
}

#[test]
fn a_pause_without_a_client_stops_all_of_its_processes() {
    let sandbox = sandbox();
    let run = start(&sandbox, &[], "a", &["sh", "-c", "sleep 600 & echo $!; echo $$; wait"]);
    let ids = pids(&run, 2);
    let state = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    };
    sandbox.gradtop(&["pause", "a"]).expect_code(0);
    run.until_state(State::Paused);
    until("both to be stopped", || ids.iter().all(|pid| state(*pid) == 'T').then_some(()));
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    run.until_state(State::Running);
    until("both to go on", || ids.iter().all(|pid| state(*pid) != 'T').then_some(()));
    // A stopped process receives SIGTERM only when it is continued.
    sandbox.gradtop(&["pause", "a"]).expect_code(0);
    run.until_state(State::Paused);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(cause(&run), "asked to stop");
}

#[test]
fn a_signal_to_the_command_from_outside_is_its_cause() {
    let sandbox = sandbox();
    let run = start(&sandbox, &[], "a", &["sh", "-c", "echo $$; sleep 600"]);
    let pid = pids(&run, 1)[0];
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    run.wait().expect_code(4);
    assert_eq!(cause(&run), "SIGKILL: not sent by gradtop");
}

#[test]
fn a_command_has_its_device_alone_and_values_in_their_places() {
    let sandbox = sandbox().and_env("CUDA_VISIBLE_DEVICES", "3,5");
    let options = ["--device", "cpu", "--param", "lr=1e-3", "--seed", "7"];
    let script = "echo \"$1 $2 ($CUDA_VISIBLE_DEVICES)\"";
    let run = start(&sandbox, &options, "a", &["sh", "-c", script, "x", "--lr={lr}", "{seed}{other}"]);
    run.wait().expect_code(0);
    assert_eq!(console(&run), "--lr=1e-3 7{other} ()\n");
    let manifest = read_manifest(&run.dir).unwrap();
    let command = manifest.command.unwrap();
    assert_eq!(manifest.device.as_deref(), Some("cpu"));
    let given: Vec<_> = command.given.iter().map(|(key, text)| format!("{key}={text}")).collect();
    assert_eq!(given, ["lr=1e-3"]);
    assert_eq!(command.template[4..], ["--lr={lr}", "{seed}{other}"]);
    let run = start(&sandbox, &[], "b", &["sh", "-c", "echo $CUDA_VISIBLE_DEVICES {seed}"]);
    run.wait().expect_code(0);
    assert_eq!(console(&run), "3,5 {seed}\n");
}

#[test]
fn what_differs_from_the_commit_is_kept_as_a_patch() {
    let sandbox = sandbox().and_env("GRADTOP_CODE_DIFF", "true");
    let checkout = sandbox.path().join("checkout");
    fs::create_dir(&checkout).unwrap();
    let shell = |script: &str| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).current_dir(&checkout).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(command.status().unwrap().success(), "{script}");
    };
    shell(
        "git init -q -b topic && echo one > a.py && git add a.py && \
         git -c user.name=x -c user.email=x@example.org commit -q -m first",
    );
    let exec = |name: &str, options: &[&str]| {
        let args = [&["exec", "--name", name], options, &["--", "true"]].concat();
        let mut command = sandbox.command(&args);
        assert!(command.current_dir(&checkout).output().unwrap().status.success());
        sandbox.find(name)
    };
    let clean = exec("clean", &[]);
    assert!(!clean.dir.code_diff().exists());
    let said = sandbox.gradtop(&["show", "clean"]).out;
    assert!(said.contains(" on topic") && !said.contains("with changes"), "{said}");
    sandbox.gradtop(&["show", "clean", "--diff"]).expect_code(1);

    shell("echo two >> a.py && echo new > b.py");
    let changed = exec("changed", &[]);
    let said = sandbox.gradtop(&["show", "changed"]).out;
    assert!(said.contains(" on topic, with changes: code.diff"), "{said}");
    let patch = sandbox.gradtop(&["show", "changed", "--diff"]).expect_code(0).out;
    assert!(patch.contains("# Untracked, not included: b.py\n") && patch.contains("\n+two\n"), "{patch}");
    shell(&format!(
        "git checkout -q a.py && git apply {} && grep -q two a.py",
        changed.dir.code_diff().display()
    ));
    sandbox.gradtop(&["report", "changed", "-o", "page.md"]).expect_code(0);
    assert!(fs::read_to_string(sandbox.path().join("page.md")).unwrap().contains("with changes"));

    let without = exec("without", &["--no-diff"]);
    assert!(!without.dir.code_diff().exists());
    assert_eq!(read_manifest(&without.dir).unwrap().command.unwrap().git_dirty, None);
    sandbox.gradtop(&["rm", "changed", "--yes"]).expect_code(0);
    assert!(!changed.dir.path().exists(), "nothing foreign was in it");
}

#[test]
fn a_command_starts_under_a_limit_of_few_open_files_or_says_that_it_is_too_low() {
    let sandbox = Sandbox::new();
    let exec = |limit: &str| {
        let mut command = sandbox.around("sh");
        command.args(["-c", "ulimit -n $1; exec \"$0\" exec -- true"]).arg(sandbox.program()).arg(limit);
        gradtop_tests::sandbox::ended(command, &[limit])
    };
    exec("40").expect_code(0);
    let said = exec("12").expect_code(1);
    assert!(said.err.contains("Too many open files"), "{said:#?}");
}
