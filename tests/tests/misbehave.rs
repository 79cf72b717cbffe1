//! Plugins that misbehave, with the real program: each run ends in the right state with the right cause and a sealed log, and
//! nothing else is harmed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use gradtop_store::{Event, State};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{CommandOutput, Sandbox, build, check, in_parallel, paths, until};
use rustix::process::{Pid, Signal, kill_process};

/// An experiment of the fixture, the expected end, and texts that the cause must contain.
type Case = (&'static str, State, &'static [&'static str]);

use State::{Crashed, Failed, Finished};

/// Runs a case in the foreground and checks everything that must hold for every ended run.
fn check_case(sandbox: &Sandbox, (experiment, state, words): Case) {
    let said = sandbox.run(&[experiment, "--name", experiment]);
    let run = sandbox.find(experiment);
    check_end(sandbox, &run, state, words);
    assert_eq!(said.code, state.exit_code(), "{experiment}: {said:#?}");
    check::harmless(&said.all());
    for word in words {
        assert!(said.all().contains(word), "{experiment}: the command does not say {word:?}: {said:#?}");
    }
    assert_eq!(run.wait().code, state.exit_code(), "{experiment}: `wait` after the end");
}

fn check_end(sandbox: &Sandbox, run: &Run<'_>, state: State, words: &[&str]) {
    let view = run.view();
    let cause = view.status.cause.clone().unwrap_or_default();
    assert_eq!(view.state, state, "{}: {cause}", run.name());
    assert!(view.certain, "{}", run.name());
    assert_eq!(view.status.state, state, "{}: the end is written, not derived", run.name());
    assert!(view.status.ended.is_some(), "{}", run.name());
    for word in words {
        assert!(cause.contains(word), "{}: the cause {cause:?} does not say {word:?}", run.name());
    }
    if state != Finished {
        assert!(!cause.is_empty(), "{}: no cause", run.name());
    }
    check::harmless(&cause);
    let shown = sandbox.gradtop(&["show", &run.name(), "--json"]).expect_code(0).json();
    assert_eq!(shown["state"], state.word(), "{shown:#}");
    assert_eq!(shown["cause"].as_str().unwrap_or_default(), cause, "{shown:#}");
    check::no_row_twice(&check::sealed(&run.dir));
    assert!(run.events().contains(&format!("\"state\":\"{state}\"")), "{}", run.events());
}

/// Checks that the program still works.
fn check_usable(sandbox: &Sandbox) {
    let list = sandbox.gradtop(&["list"]).expect_code(0);
    check::harmless(&list.all());
    let json = sandbox.gradtop(&["list", "--json"]).expect_code(0).json();
    let listed = json.as_array().expect("a list").len();
    assert_eq!(listed, gradtop_store::list_runs(&sandbox.runs()).len(), "{json:#}");
    check::harmless(&sandbox.gradtop(&["experiments"]).expect_code(0).all());
    sandbox.run(&["short"]).expect_code(0);
}

fn check_all(cases: &[Case]) {
    let sandbox = Sandbox::new();
    in_parallel(4, cases.to_vec(), |case| check_case(&sandbox, case));
    check_usable(&sandbox);
}

#[test]
fn deaths_end_only_their_own_run() {
    check_all(&[
        ("panic-create", Failed, &["the fixture panics on purpose"]),
        ("panic-run", Failed, &["the fixture panics on purpose"]),
        ("panic-destroy", Finished, &[]),
        ("abort-create", Crashed, &["SIGABRT"]),
        ("abort-run", Crashed, &["SIGABRT"]),
        ("abort-destroy", Crashed, &["SIGABRT"]),
        ("segfault", Crashed, &["SIGSEGV"]),
        ("segfault-create", Crashed, &["SIGSEGV"]),
        ("stack-overflow", Crashed, &["SIGSEGV", "the training thread has overflowed its stack"]),
        ("abort", Crashed, &["SIGABRT"]),
        ("kill-self", Crashed, &["SIGKILL"]),
        ("exit-0", Failed, &["exit(0)"]),
        ("exit-3", Failed, &["exit(3)"]),
        ("exit-create", Failed, &["exit(3)"]),
        ("fast-exit-0", Failed, &["exit(0)"]),
        ("out-of-memory", Crashed, &["SIGABRT"]),
        ("late-thread", Finished, &[]),
    ]);
}

#[test]
fn every_return_has_its_end() {
    check_all(&[
        ("short", Finished, &[]),
        ("stopped-unasked", Failed, &["STOPPED"]),
        ("unknown-status", Failed, &["77"]),
        ("fail-short", Failed, &["the data set is empty"]),
        ("fail-long", Failed, &["a long complaint"]),
        ("fail-silent", Failed, &[]),
        ("fail-bytes", Failed, &["bad "]),
        ("fail-lines", Failed, &["first line"]),
        ("fail-create", Failed, &["cannot read the data set"]),
    ]);
}

#[test]
fn guards_stop_what_has_diverged() {
    let sandbox = Sandbox::new();
    let cases: [Case; 5] = [
        ("nan-guard", Failed, &["loss", "not finite", "step 0"]),
        ("nan-late", Failed, &["loss", "not finite", "step 10"]),
        ("inf-guard", Failed, &["loss", "not finite"]),
        ("nan-one-trial", Finished, &[]),
        ("nan-plain", Finished, &[]),
    ];
    in_parallel(4, cases.to_vec(), |case| check_case(&sandbox, case));
    // A diverged trial is reported once, and the rows of the others are complete.
    let one = sandbox.find("nan-one-trial");
    let alerts = one.events().lines().filter(|l| l.contains("\"alert\"") && l.contains("loss")).count();
    assert_eq!(alerts, 1, "{}", one.events());
    // Logged values are kept unchanged.
    let plain = check::sealed(&sandbox.find("nan-plain").dir);
    let odd = |what: fn(f64) -> bool| {
        plain.iter().filter(|r| r.series.0 == "noise" && what(f64::from_bits(r.bits))).count()
    };
    assert_eq!(odd(f64::is_nan), 4);
    assert_eq!(odd(f64::is_infinite), 8);
    assert_eq!(odd(f64::is_subnormal), 4);
    assert_eq!(plain.iter().filter(|r| r.series.0 == "noise" && r.bits == (-0.0f64).to_bits()).count(), 4);
    for name in ["nan-plain", "nan-one-trial", "nan-guard"] {
        let plot = sandbox.gradtop(&["plot", name, "loss"]).expect_code(0);
        check::harmless(&plot.all());
        sandbox.gradtop(&["show", name, "--json"]).expect_code(0).json();
    }
    check_usable(&sandbox);
}

/// Asks an unresponsive run to stop, with a grace period of one second.
fn stop_hard(sandbox: &Sandbox, experiment: &str, ready: impl Fn(&Run<'_>) -> bool) {
    let run = sandbox.start(&[experiment], experiment);
    until(&format!("{experiment} to hang"), || ready(&run).then_some(()));
    sandbox.gradtop(&["stop", experiment, "--grace", "1"]);
    assert_eq!(run.wait().code, 3, "{experiment}: {}", run.events());
    check_end(sandbox, &run, State::Stopped, &["did not stop within", "killed"]);
}

#[test]
fn hangs_are_killed_after_the_grace() {
    let sandbox = Sandbox::new();
    let alive = |run: &Run<'_>| run.view().status.trainer_pid.is_some();
    let console = |run: &Run<'_>| run.dir.console().metadata().is_ok_and(|m| m.len() > 30 << 20);
    let half = |run: &Run<'_>| {
        gradtop_store::request(&run.dir, gradtop_store::Request::Checkpoint).unwrap();
        check::files(&run.dir.checkpoints()).iter().any(|f| f.ends_with("half"))
    };
    std::thread::scope(|scope| {
        for experiment in ["hang", "hang-create", "hang-destroy"] {
            let sandbox = &sandbox;
            scope.spawn(move || stop_hard(sandbox, experiment, alive));
        }
        scope.spawn(|| stop_hard(&sandbox, "flood-forever", console));
        scope.spawn(|| stop_hard(&sandbox, "save-hangs", half));
    });
    // An unfinished checkpoint does not count.
    assert!(gradtop_store::checkpoints(&sandbox.find("save-hangs").dir).is_empty());
    assert!(sandbox.find("flood-forever").dir.console().metadata().unwrap().len() < 66 << 20);
    check_usable(&sandbox);
}

#[test]
fn endless_output_keeps_its_ends() {
    let sandbox = Sandbox::new();
    check_case(&sandbox, ("flood", Finished, &[]));
    let run = sandbox.find("flood");
    let console = fs::read(run.dir.console()).unwrap();
    assert!(console.len() > 60 << 20 && console.len() < 66 << 20, "{} bytes kept", console.len());
    assert!(console.ends_with(b"the last line\n"));
    let gap = console.split(|b| *b == b'\n').filter(|line| !line.ends_with(b"flood") && !line.is_empty());
    let said: Vec<_> = gap.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    // Part of a line on either side of the gap, a note about the gap, and the last line.
    assert!(said.len() <= 5, "{said:?}");
    assert!(said.iter().any(|l| l.contains(" MB") || l.contains("bytes")), "the gap is not said: {said:?}");
}

#[test]
fn a_child_left_behind_does_not_keep_the_run() {
    let sandbox = Sandbox::new();
    check_case(&sandbox, ("orphan", Finished, &[]));
    // The child keeps the pipe to the console open longer than any test waits. The run did not wait for it.
    let child = sandbox.find("orphan").logged().iter().find_map(|l| l.strip_prefix("child ")?.parse().ok());
    let pid = child.and_then(Pid::from_raw).expect("it says who its child is");
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).expect("the child lives");
    assert_eq!(name.trim(), "sleep");
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn threads_may_log_at_once() {
    let sandbox = Sandbox::new();
    sandbox.run(&["threads", "--name", "threads", "--set", "steps=5000"]).expect_code(0);
    let rows = check::sealed(&sandbox.find("threads").dir);
    assert_eq!(rows.iter().filter(|r| r.series.0 == "loss").count(), 8 * 5000);
    check::no_row_twice(&rows);
}

#[test]
fn a_million_names_are_refused_with_one_warning() {
    let sandbox = Sandbox::new();
    check_case(&sandbox, ("million-names", Finished, &[]));
    let run = sandbox.find("million-names");
    let logged = run.logged();
    let refused = logged.iter().find_map(|l| l.strip_prefix("refused ")?.parse::<u32>().ok()).unwrap();
    // gradtop's own system series count, too.
    assert!((900_000..900_100).contains(&refused), "{refused}");
    assert!(logged.iter().any(|l| l.contains("series -> -") && l.contains(" series: put")), "{logged:?}");
    let warnings = run.events().lines().filter(|l| l.contains("\"warning\"") && l.contains("series")).count();
    assert_eq!(warnings, 1, "{}", run.events());
    let rows = check::sealed(&run.dir);
    let names = rows.iter().filter(|r| r.series.0.starts_with("loss_step_")).count();
    assert_eq!(names + refused as usize, 1_000_000);
    check_usable(&sandbox);
}

/// The results that a run of `calls` reported, as `what -> status: why`.
fn answers(sandbox: &Sandbox, experiment: &'static str, end: State) -> Vec<String> {
    let said = sandbox.run(&[experiment, "--name", experiment]);
    assert_eq!(said.code, end.exit_code(), "{said:#?}");
    check::harmless(&said.all());
    let run = sandbox.find(experiment);
    check_end(sandbox, &run, end, &[]);
    let rows = check::sealed(&run.dir);
    assert_eq!(rows.iter().filter(|r| *r.series == ("loss".to_owned(), None, None, None)).count(), 10);
    for args in [&["show", experiment][..], &["logs", experiment], &["list"], &["plot", experiment, "loss"]] {
        let said = sandbox.gradtop(args);
        assert!(said.code == 0, "{args:?}: {said:#?}");
        check::harmless(&said.all());
    }
    run.logged()
}

/// Like [`answers`], for an experiment that misbehaves and then continues for longer than the trainer's checks need: each step
/// in the status means one check without consequences.
fn answers_of_a_run_that_goes_on(sandbox: &Sandbox, experiment: &'static str) -> Vec<String> {
    let run = sandbox.held(&[experiment], experiment, 0);
    run.go_to(4);
    run.go_to(8);
    run.go_on();
    run.until_state(Finished);
    check_end(sandbox, &run, Finished, &[]);
    assert_eq!(check::sealed(&run.dir).len(), 10);
    assert!(!run.events().contains("the log can no longer be written"), "{}", run.events());
    run.logged()
}

fn refused(answers: &[String], what: &str) {
    let answer = answers.iter().find_map(|a| a.strip_prefix(&format!("{what} -> ")));
    let answer = answer.unwrap_or_else(|| panic!("nothing was said of {what}: {answers:#?}"));
    let (status, why) = answer.split_once(':').unwrap();
    assert!(status.starts_with('-'), "{what} was taken: {answer}");
    assert!(
        !why.trim().is_empty() && !why.contains("NOT UTF-8"),
        "{what} was refused without a reason: {answer}"
    );
}

fn taken(answers: &[String], what: &str) {
    assert!(
        answers.iter().any(|a| a.starts_with(&format!("{what} -> 0:"))),
        "{what} was not taken: {answers:#?}"
    );
}

#[test]
fn invalid_utf8_is_refused_or_repaired() {
    let sandbox = Sandbox::new();
    let answers = answers(&sandbox, "invalid-utf8", Finished);
    for what in ["metric", "model", "table", "column", "values", "figures"] {
        refused(&answers, what);
    }
    // Text for people is repaired.
    assert!(answers.iter().any(|a| a.starts_with("text ") && a.ends_with("after")), "{answers:#?}");
}

#[test]
fn escape_sequences_reach_no_terminal() {
    let sandbox = Sandbox::new();
    let answers = answers(&sandbox, "escapes", Failed);
    for what in ["table", "path", "slash"] {
        refused(&answers, what);
    }
    let run = sandbox.find("escapes");
    for file in check::files(sandbox.path()) {
        assert!(
            file.starts_with(run.dir.path()) || !file.to_string_lossy().contains("escaped"),
            "{}",
            file.display()
        );
    }
    let json = sandbox.gradtop(&["show", "escapes", "--json"]).expect_code(0);
    check::harmless(&json.out);
    json.json();
    let keys = gradtop_store::series_keys(&run.dir).unwrap();
    for (key, _) in keys {
        check::harmless(&sandbox.gradtop(&["plot", "escapes", &key.metric]).all());
    }
    for name in gradtop_store::table_names(&run.dir) {
        check::harmless(&name);
    }
    check_usable(&sandbox);
}

#[test]
fn wrong_calls_are_refused_with_a_reason() {
    let sandbox = Sandbox::new();
    let nulls = answers(&sandbox, "null-arguments", Finished);
    for what in [
        "series null",
        "series out null",
        "series nameless",
        "series short",
        "points null",
        "table name",
        "columns null",
        "column null",
        "data null",
        "figures null",
        "text null",
        "save null",
    ] {
        refused(&nulls, what);
    }
    for what in ["no points", "phase null"] {
        taken(&nulls, what);
    }
    assert!(nulls.contains(&"extension null: true".to_owned()), "{nulls:#?}");
    assert!(nulls.contains(&"extension unknown: true".to_owned()), "{nulls:#?}");

    let series = answers(&sandbox, "unknown-series", Finished);
    for what in ["next", "huge", "mixed"] {
        refused(&series, what);
    }

    let tables = answers_of_a_run_that_goes_on(&sandbox, "bad-tables");
    for what in [
        "no columns",
        "no name",
        "no column name",
        "twice",
        "step",
        "run",
        "other columns",
        "other type",
        "unknown type",
        "offsets null",
        "offsets back",
        "width 0",
        "short struct",
    ] {
        refused(&tables, what);
    }
    taken(&tables, "good");
    taken(&tables, "good again");
    let good = gradtop_store::read_table(&sandbox.find("bad-tables").dir, "good").unwrap();
    assert_eq!(good.column("step"), Some(&gradtop_store::ColumnData::I64(vec![0, 0, 2, 2])));

    let figures = answers_of_a_run_that_goes_on(&sandbox, "bad-figures");
    let bad = figures.iter().filter(|answer| !answer.starts_with("good -> "));
    for answer in bad.clone() {
        let (what, status) = answer.split_once(" -> ").unwrap();
        assert!(status.starts_with("-3: "), "{answer}");
        refused(&figures, what);
    }
    assert_eq!(bad.count(), 13, "{figures:#?}");
    taken(&figures, "good");
    let run = sandbox.find("bad-figures");
    assert_eq!(gradtop_store::figures::read(&run.dir).unwrap().len(), 1);
    let warned = run.logged_events(|e| matches!(e, Event::Warning { .. }));
    assert_eq!(warned.len(), 13, "{warned:#?}");

    let long = answers(&sandbox, "long-strings", Finished);
    for what in ["metric", "table"] {
        refused(&long, what);
    }
    check_usable(&sandbox);
}

/// Runs `experiment` until it has answered a request for a checkpoint.
fn with_checkpoint<'a>(sandbox: &'a Sandbox, experiment: &str) -> (Run<'a>, CommandOutput) {
    let run = sandbox.start(&[experiment], experiment);
    run.until_step(3);
    gradtop_store::request(&run.dir, gradtop_store::Request::Checkpoint).unwrap();
    let end = run.wait();
    (run, end)
}

#[test]
fn checkpoints_that_fail_are_none() {
    let sandbox = Sandbox::new();
    let (run, end) = with_checkpoint(&sandbox, "save-fails");
    assert_eq!(end.code, 0, "{}", run.events());
    refused(&run.logged(), "checkpoint");
    assert!(gradtop_store::checkpoints(&run.dir).is_empty());
    check::sealed(&run.dir);

    let (run, end) = with_checkpoint(&sandbox, "save-nested");
    assert_eq!(end.code, 0, "{}", run.events());
    refused(&run.logged(), "nested");
    taken(&run.logged(), "checkpoint");
    assert_eq!(gradtop_store::checkpoints(&run.dir).len(), 1);
    check::sealed(&run.dir);

    for experiment in ["save-aborts", "save-panics"] {
        let (run, end) = with_checkpoint(&sandbox, experiment);
        assert_eq!(end.code, 4, "{}", run.events());
        check_end(&sandbox, &run, Crashed, &["SIGABRT"]);
        assert!(gradtop_store::checkpoints(&run.dir).is_empty());
        let said = sandbox.gradtop(&["resume", experiment]).expect_code(1);
        assert!(said.err.contains("checkpoint"), "{said:#?}");
    }
    check_usable(&sandbox);
}

#[test]
fn an_exception_of_cpp_ends_its_run() {
    let sandbox = Sandbox::new();
    build::fixture("throws.cpp", &sandbox.plugins());
    check_case(&sandbox, ("throws", Crashed, &["SIGABRT", "the C++ fixture throws on purpose"]));
    check_usable(&sandbox);
    // The exception has the crash's cause; nothing of it is lost.
    let console = fs::read_to_string(sandbox.find("throws").dir.console()).unwrap();
    assert!(console.contains("the C++ fixture throws on purpose"), "{console}");
    assert!(paths::gradtop().is_file());
}
