//! Liveness of runs with real processes: containers, forked children, suspended trainers, other machines, and launches that are
//! killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gradtop_store::{Life, State, list_runs, view};
use gradtop_tests::sandbox::{Run, ended};
use gradtop_tests::{Sandbox, untested, until};
use rustix::process::{Pid, Signal, kill_process};

const ENDLESS: [&str; 3] = ["counter", "--set", "steps=1000000"];
const PACE: [&str; 2] = ["--set", "rate=500"];

fn endless<'a>(sandbox: &'a Sandbox, name: &str) -> Run<'a> {
    let run = sandbox.start(&[&ENDLESS[..], &PACE].concat(), name);
    run.until_step(20);
    run
}

/// The state of a run in `list`, and the whole line.
fn listed(sandbox: &Sandbox, name: &str) -> (String, String) {
    let list = sandbox.gradtop(&["list"]).expect_code(0);
    let line = list.out.lines().find(|line| line.contains(name)).unwrap().to_owned();
    (line.split_whitespace().nth(1).unwrap().to_owned(), line)
}

/// A command in its own host name and process namespaces, like a container.
fn contained(sandbox: &Sandbox, host: &str, script: &str) -> Command {
    let mut command = sandbox.around("unshare");
    command.args(["--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec"]);
    command.arg(format!("hostname {host}; {script}")).arg(sandbox.program());
    command.stdin(Stdio::piped());
    command
}

fn can_contain(sandbox: &Sandbox) -> bool {
    let mut tried = contained(sandbox, "a", "true");
    let can = tried.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !can {
        untested("containers: no namespaces of host names and process ids can be made");
    }
    can
}

#[test]
fn a_run_whose_lock_is_removed_or_replaced_lives_as_long_as_its_processes() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=100"], "unlocked", 20);
    let lock = fs::read(run.dir.lock()).unwrap();
    fs::remove_file(run.dir.lock()).unwrap();
    for _ in 0..2 {
        assert_eq!(listed(&sandbox, "unlocked").0, "running");
        for args in [&["rm", "--yes", "unlocked"][..], &["resume", "unlocked"]] {
            sandbox.gradtop(args).expect_code(1);
        }
        fs::write(run.dir.lock(), &lock).unwrap();
    }
    run.go_on();
    run.wait().expect_code(0);
    assert_eq!(run.status().state, State::Finished);
}

#[test]
fn a_run_of_a_container_that_is_gone_is_judged_resumed_and_deleted_by_the_next() {
    let sandbox = Sandbox::new();
    if !can_contain(&sandbox) {
        return;
    }
    let script = "$0 run counter --detach --name far --set steps=2000 --set rate=500 --threads 1; exec cat";
    let mut first: Child = contained(&sandbox, "first", script).stdout(Stdio::null()).spawn().unwrap();
    until("the run in the first container", || list_runs(&sandbox.runs()).pop());
    let far = sandbox.find("far");
    far.until_step(20);
    // Seen from another namespace of the same boot: the lock is visible, but the process ids belong to others.
    let seen = far.view();
    assert_eq!(
        (seen.state, seen.life),
        (State::Running, Life::Alive { within_reach: false, suspended: None })
    );
    sandbox.gradtop(&["checkpoint", "far"]).expect_code(0);
    first.kill().unwrap();
    first.wait().unwrap();
    until("all of the container to be gone", || {
        matches!(view(&far.dir).unwrap().life, Life::Gone { .. }).then_some(())
    });
    let script = "$0 list; $0 resume far; $0 rm --yes far";
    let said = ended(contained(&sandbox, "second", script), &["second"]).expect_code(0);
    assert!(said.out.contains("crashed") && said.out.contains("finished"), "{said:#?}");
    assert!(list_runs(&sandbox.runs()).is_empty());
}

#[test]
fn a_run_in_another_container_is_stopped_by_file_and_never_by_signal() {
    let sandbox = Sandbox::new();
    if !can_contain(&sandbox) {
        return;
    }
    for (name, how) in [("asked", &["stop", "asked"][..]), ("killed", &["stop", "--kill", "killed"])] {
        let script =
            format!("$0 run counter --detach --name {name} --set steps=1000000 --set rate=500; exec cat");
        let mut container = contained(&sandbox, "a", &script).stdout(Stdio::null()).spawn().unwrap();
        until("the run", || list_runs(&sandbox.runs()).into_iter().find(|run| run.name() == name));
        let run = sandbox.find(name);
        run.until_step(20);
        let said = sandbox.gradtop(how);
        assert!(run.view().state.is_final(), "{said:#?}");
        // The end of its input closes the container.
        drop(container.stdin.take());
        container.wait().unwrap();
    }
}

/// A command for which the machine seems to have been up for a day longer.
fn by_other_clocks(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--time", "--boottime", "86400", "--fork"]).arg(sandbox.program()).args(args);
    command.current_dir(sandbox.path()).stdin(Stdio::null());
    command.env_clear().envs(sandbox.env().iter().map(|(k, v)| (k, v)));
    command
}

#[test]
fn a_run_lives_whatever_the_clocks_of_who_looks() {
    let sandbox = Sandbox::new();
    let elsewhere = |args: &[&str]| ended(by_other_clocks(&sandbox, args), args);
    if elsewhere(&["--version"]).code != 0 {
        untested("namespaces of clocks: none can be made");
        return;
    }
    let here = endless(&sandbox, "here");
    elsewhere(&[&["run"], &ENDLESS[..], &PACE, &["--detach", "--name", "there"]].concat()).expect_code(0);
    let there = sandbox.find("there");
    there.until_step(20);
    let alive = Life::Alive { within_reach: false, suspended: None };
    assert_eq!((there.view().state, there.view().life), (State::Running, alive));
    let state = elsewhere(&["show", "here", "--json"]).expect_code(0).json();
    assert_eq!(state["state"], "running", "{state:#}");
    elsewhere(&["rm", "--yes", "here"]).expect_code(1);
    sandbox.gradtop(&["rm", "--yes", "there"]).expect_code(1);
    elsewhere(&["stop", "here"]).expect_code(0);
    sandbox.gradtop(&["stop", "--kill", "there"]).expect_code(0);
    assert_eq!((here.view().state, there.view().state), (State::Stopped, State::Stopped));
}

#[test]
fn processes_that_hold_the_lock_live_whatever_the_status_says_of_them() {
    let sandbox = Sandbox::new();
    let run = endless(&sandbox, "live");
    assert!(run.signal_trainer(Signal::STOP));
    until("it to be suspended", || run.view().suspended());
    let mut status = run.status();
    for start in [&mut status.trainer_start, &mut status.keeper_start] {
        *start = start.map(|ticks| ticks + 1);
    }
    gradtop_store::write_status(&run.dir, &status).unwrap();
    assert_eq!(run.view().life, Life::Alive { within_reach: false, suspended: None });
    sandbox.gradtop(&["rm", "--yes", "live"]).expect_code(1);
    assert!(run.signal_trainer(Signal::CONT));
}

#[test]
fn a_crashed_run_whose_lock_a_reader_holds_is_mended_and_deleted() {
    let sandbox = Sandbox::new();
    let run = endless(&sandbox, "read");
    run.signal_keeper(Signal::KILL);
    run.signal_trainer(Signal::KILL);
    until("it to be dead", || (run.view().state == State::Crashed).then_some(()));
    let script = "import fcntl, sys; f = open(sys.argv[1]); fcntl.lockf(f, fcntl.LOCK_SH); print(1, flush=True); sys.stdin.read()";
    let mut reader = Command::new("python3");
    reader.args(["-c", script]).arg(run.dir.lock()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
    std::io::Read::read_exact(reader.stdout.as_mut().unwrap(), &mut [0; 2]).unwrap();
    assert_eq!(listed(&sandbox, "read").0, "crashed");
    assert_eq!(run.status().state, State::Crashed, "it is written down");
    sandbox.gradtop(&["rm", "--yes", "read"]).expect_code(0);
    drop(reader.stdin.take());
    assert!(reader.wait().unwrap().success());
}

#[test]
fn a_forked_child_that_outlives_its_run_does_not_make_it_look_alive() {
    let sandbox = Sandbox::new();
    let run = sandbox.start(&["forks"], "loader");
    let child =
        until("the child", || run.logged().iter().find_map(|line| line.strip_prefix("child ")?.parse().ok()));
    let child = Pid::from_raw(child).unwrap();
    run.signal_keeper(Signal::KILL);
    run.signal_trainer(Signal::KILL);
    // A child that has not run yet still has the lock.
    until("its lock to be free", || (run.view().life == Life::Gone { held: false }).then_some(()));
    assert_eq!(run.wait().code, 4);
    sandbox.gradtop(&["rm", "--yes", "loader"]).expect_code(0);
    kill_process(child, Signal::KILL).unwrap();
}

#[test]
fn a_suspended_trainer_is_named_and_has_no_rate_and_no_time_left() {
    let sandbox = Sandbox::new();
    let run = endless(&sandbox, "still");
    until("a rate", || run.view().status.steps_per_s);
    assert!(run.signal_trainer(Signal::STOP));
    until("it to be suspended", || run.view().suspended());
    let (state, line) = listed(&sandbox, "still");
    assert_eq!(state, "running", "{line}");
    assert!(
        line.contains("no sign for") && line.contains("suspended (SIGSTOP)") && !line.contains("/s"),
        "{line}"
    );
    let shown = sandbox.gradtop(&["show", "still"]).expect_code(0);
    assert!(shown.out.contains("no sign for") && !shown.out.contains("eta"), "{shown:#?}");
    let json = sandbox.gradtop(&["show", "still", "--json"]).expect_code(0).json();
    assert_eq!(
        (&json["suspended"], &json["eta_s"], &json["steps_per_s"]),
        (&true.into(), &().into(), &().into())
    );
    assert!(json["age_s"].is_number() && json["silent_s"].is_number(), "{json:#}");
    assert!(run.signal_trainer(Signal::CONT));
    until("it to move", || run.view().silent_for().is_none().then_some(()));
    assert!(!listed(&sandbox, "still").1.contains("no sign"));
}

#[test]
fn a_run_that_is_killed_while_suspended_took_until_then() {
    let sandbox = Sandbox::new();
    let run = endless(&sandbox, "still");
    until("a rate", || run.view().status.steps_per_s);
    assert!(run.signal_trainer(Signal::STOP));
    let silent = until("no sign of it", || run.view().silent_for());
    sandbox.gradtop(&["stop", "--kill", "still"]);
    let status = until("its end", || Some(run.view()).filter(|view| view.state.is_final())).status;
    assert!(status.elapsed_s.is_some_and(|took| took >= silent.as_secs_f64()), "{silent:?}: {status:#?}");
}

#[test]
fn a_paused_run_is_not_silent_and_one_that_takes_long_steps_is_heard_of() {
    let sandbox = Sandbox::new();
    let run = sandbox.start(&["hang"], "hangs");
    run.until_state(State::Running);
    let written = || fs::metadata(run.dir.status()).unwrap().modified().unwrap();
    let before = written();
    until("the next status of a run that says nothing", || (written() > before).then_some(()));
    let paused = endless(&sandbox, "paused");
    sandbox.gradtop(&["pause", "paused"]).expect_code(0);
    paused.until_state(State::Paused);
    assert_eq!(paused.view().silent_for(), None);
}

/// Records another machine as the one that the run was last in progress on.
fn take_away(run: &Run<'_>) {
    run.signal_keeper(Signal::KILL);
    run.signal_trainer(Signal::KILL);
    until("it to be dead", || (run.view().state == State::Crashed).then_some(()));
    let lock = "far-away\n00000000-0000-0000-0000-000000000000\nmachine=0\nlock=ofd\n";
    fs::write(run.dir.lock(), lock).unwrap();
    assert!(!run.view().certain);
}

#[test]
fn a_run_of_a_machine_that_is_gone_is_out_of_reach_only_until_it_is_forced() {
    let sandbox = Sandbox::new();
    for command in ["resume", "stop", "rm"] {
        let help = sandbox.gradtop(&[command, "--help"]).expect_code(0);
        assert!(help.out.contains("--force"), "{help:#?}");
    }
    let [a, b, c] = ["one", "two", "three"].map(|name| {
        let run = sandbox.start(&["counter", "--set", "steps=6000", "--set", "rate=1000"], name);
        run.until_step(20);
        sandbox.gradtop(&["checkpoint", name]).expect_code(0);
        run
    });
    until("a rate", || a.status().steps_per_s);
    for run in [&a, &b, &c] {
        take_away(run);
    }
    let json = sandbox.gradtop(&["show", "one", "--json"]).expect_code(0).json();
    assert_eq!((&json["certain"], &json["steps_per_s"]), (&false.into(), &().into()), "{json:#}");
    assert_eq!(json["eta_s"], serde_json::Value::Null);
    sandbox.gradtop(&["resume", "one"]).expect_code(1);
    sandbox.gradtop(&["resume", "--force", "one"]).expect_code(0);
    assert_eq!(a.view().state, State::Finished);
    let said = sandbox.gradtop(&["stop", "--kill", "--force", "two"]).expect_code(0);
    assert!(said.out.contains("given up") && said.out.contains("far-away"), "{said:#?}");
    assert_eq!(b.view().state, State::Crashed);
    sandbox.gradtop(&["rm", "--yes", "three"]).expect_code(1);
    sandbox.gradtop(&["rm", "--yes", "--force", "three"]).expect_code(0);
    assert!(!c.dir.path().exists());
}

fn unfinished(folder: &Path) -> Vec<String> {
    let names =
        fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn a_launch_killed_at_any_moment_leaves_whole_runs_and_nothing_that_the_next_does_not_clear() {
    let sandbox = Sandbox::new();
    for wait in (0..60).step_by(4) {
        let args = ["run", "counter", "--detach", "--set", "steps=5", "--threads", "1"];
        let mut launch = sandbox.command(&args).stdout(Stdio::null()).process_group(0).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        launch.kill().unwrap();
        launch.wait().unwrap();
        for run in list_runs(&sandbox.runs()) {
            view(&run).unwrap();
            gradtop_store::read_status(&run).unwrap();
        }
    }
    sandbox.run(&["counter", "--name", "clean", "--set", "steps=5"]).expect_code(0);
    assert_eq!(unfinished(&sandbox.runs().join("exp=counter")), [""; 0]);
    for run in list_runs(&sandbox.runs()) {
        let state = until("an end", || {
            let state = view(&run).unwrap().state;
            state.is_final().then_some(state)
        });
        assert!(matches!(state, State::Finished | State::Crashed), "{}: {state}", run.name());
    }
}

#[test]
fn a_resumed_run_took_the_time_of_its_processes_and_ends_after_it_began() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=1000"], "slept", 100);
    sandbox.gradtop(&["stop", "slept"]).expect_code(0);
    // As if an hour had passed.
    let mut status = run.status();
    let first = status.elapsed_s.unwrap();
    let hour = Duration::from_hours(1);
    status.started = status.started.map(|t| t - hour);
    status.ended = status.ended.map(|t| t - hour);
    gradtop_store::write_status(&run.dir, &status).unwrap();
    run.go_on();
    sandbox.gradtop(&["resume", "slept"]).expect_code(0);
    let took = run.status().elapsed_s.unwrap();
    assert!(took > first && took < 600.0, "{first} s, then {took} s");
    let json = sandbox.gradtop(&["show", "slept", "--json"]).expect_code(0).json();
    assert_eq!(json["elapsed_s"].as_f64(), Some(took));
    // The clock was set back during the run: nothing may end before it begins.
    let run = sandbox.start(&["counter", "--set", "steps=1000000", "--set", "rate=500"], "back");
    run.until_step(20);
    assert!(run.signal_trainer(Signal::STOP));
    until("it to be suspended", || run.view().suspended());
    let mut status = run.status();
    status.started = status.started.map(|t| t + hour);
    gradtop_store::write_status(&run.dir, &status).unwrap();
    assert!(run.signal_trainer(Signal::KILL));
    let status = run.until_state(State::Crashed).status;
    assert!(status.ended >= status.started, "{status:?}");
}

/// Copies a run of a machine into another runs folder, like `rsync --delete`.
fn bring(run: &Run<'_>, machine: &str, to: &Path) {
    let place = to.join(format!("exp=counter/run={machine}-{}", run.name()));
    if place.exists() {
        fs::remove_dir_all(&place).unwrap();
    }
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let copied = Command::new("cp").arg("-a").arg(run.dir.path()).arg(&place).status().unwrap();
    assert!(copied.success());
    let text = fs::read_to_string(place.join("run.toml")).unwrap();
    let of = |key: &str, value: &str| format!("{key} = \"{value}\"");
    let host = (of("host", &gradtop_store::host_name()), of("host", machine));
    let boot = (of("boot_id", &gradtop_store::boot_id()), of("boot_id", "another"));
    assert!(text.contains(&host.0) && text.contains(&boot.0), "{text}");
    fs::write(place.join("run.toml"), text.replace(&host.0, &host.1).replace(&boot.0, &boot.1)).unwrap();
    fs::write(place.join("lock"), format!("{machine}\nanother\nmachine=0\nlock=ofd\n")).unwrap();
}

#[test]
fn runs_brought_home_from_machines_while_they_live_show_whose_each_is() {
    let sandbox = Sandbox::new();
    let home = sandbox.path().join("home/all");
    let at_home = |args: &[&str]| {
        sandbox.gradtop(&[args, &["--runs", home.to_str().unwrap()]].concat()).expect_code(0).out
    };
    sandbox.run(&["counter", "--name", "done", "--set", "steps=50"]).expect_code(0);
    let live = sandbox.held(&["counter", "--set", "steps=200"], "live", 100);
    until("its rows in the journal", || {
        let series = gradtop_store::read_series(&live.dir, |key| key.metric == "loss").unwrap();
        series.first().is_some_and(|s| s.step.len() >= 100).then_some(())
    });
    bring(&sandbox.find("done"), "gpu-1", &home);
    bring(&live, "gpu-2", &home);
    let list = at_home(&["list"]);
    let line = |list: &str, name: &str| list.lines().find(|l| l.contains(name)).unwrap().to_owned();
    assert!(line(&list, "gpu-1-done").contains("finished"), "{list}");
    assert!(line(&list, "gpu-2-live").contains("running?"), "{list}");
    assert!(line(&list, "gpu-2-live").contains("on gpu-2, last write"), "{list}");
    // On the same machine it is a copy, whose end nobody will report.
    let here = home.join("exp=counter/run=mine");
    let copied = Command::new("cp").arg("-a").arg(live.dir.path()).arg(&here).status().unwrap();
    assert!(copied.success());
    let mine = line(&at_home(&["list"]), "mine");
    assert!(
        mine.contains("running?")
            && mine.contains("a copy, last seen ")
            && mine.contains(&format!(" ago, of {}", live.dir.path().display())),
        "{mine}"
    );
    let stop = ["stop", "mine", "--runs", home.to_str().unwrap()];
    assert!(sandbox.gradtop(&stop).expect_code(1).err.contains("mine is a copy of "));
    fs::remove_dir_all(here).unwrap();
    // The machine of each, also of ended runs.
    assert!(list.contains("host") && line(&list, "gpu-1-done").matches("gpu-1").count() == 2, "{list}");
    assert!(!at_home(&["list", "host:gpu-1"]).contains("gpu-2"));
    let before = at_home(&["export", "gpu-2-live", "--csv", "-"]);
    // Once more after its end: nothing twice, nothing missing.
    live.go_on();
    live.until_state(State::Finished);
    bring(&live, "gpu-2", &home);
    assert!(line(&at_home(&["list"]), "gpu-2-live").contains("finished"));
    let whole = sandbox.gradtop(&["export", "live", "--csv", "-"]).expect_code(0).out;
    assert_eq!(at_home(&["export", "gpu-2-live", "--csv", "-"]), whole);
    assert!((100..whole.lines().count()).contains(&before.lines().count()), "{before}");
}
