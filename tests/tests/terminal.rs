//! `gradtop run` in a real terminal: progress, Ctrl-C, and a terminal that is closed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{SeriesKey, State};
use gradtop_tests::pty::Terminal;
use gradtop_tests::run_fixtures::{RunFixtures, run};
use gradtop_tests::{Sandbox, check, until};

const LONG: [&str; 7] = ["run", "counter", "--name", "a", "--set", "steps=1000000", "--set=rate=500"];

#[test]
fn a_terminal_gets_progress_with_loss_rate_and_eta() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &LONG);
    until("progress", || {
        let screen = terminal.screen();
        let mut lines = screen.lines().skip_while(|line| !line.contains("counting"));
        let (bar, below) = (lines.next()?, lines.next()?);
        (bar.contains("/s") && bar.contains("eta") && below.contains("loss")).then_some(())
    });
    // A line that is too long would be wrapped and spread over the screen.
    let bars = terminal.screen().lines().filter(|l| l.contains("counting")).count();
    assert_eq!(bars, 1, "{}", terminal.screen());
    assert!(terminal.written().contains('\x1b'), "a terminal gets more than plain lines");
    terminal.press(b"\x03");
    assert_eq!(terminal.exit_code(), 3, "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(screen.contains("stopping after this step"), "{screen}");
    assert!(screen.contains("stopped") && screen.contains("gradtop resume a"), "{screen}");
    // The cursor is visible, and no bar remains, although the terminal echoed ^C while one was shown.
    assert!(!screen.contains('█') && !screen.contains('░') && !screen.contains("eta"), "{screen}");
    assert!(!terminal.written().ends_with("\x1b[?25l"), "{screen}");
    let run = sandbox.find("a");
    assert_eq!(run.view().state, State::Stopped);
    check::sealed(&run.dir);
}

#[test]
fn a_second_ctrl_c_leaves_the_run_going() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["run", "hang", "--name", "a"]);
    let run =
        until("the run", || gradtop_store::find_run(&sandbox.runs(), "a").ok().map(|_| sandbox.find("a")));
    run.until_state(State::Running);
    terminal.press(b"\x03");
    until("the first answer", || terminal.screen().contains("Ctrl-C again").then_some(()));
    terminal.press(b"\x03");
    assert_eq!(terminal.exit_code(), 5, "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(screen.contains("gradtop wait a") && screen.contains("gradtop logs -f a"), "{screen}");
    assert!(!run.view().state.is_final(), "{:?}", run.view().state);
    sandbox.gradtop(&["stop", "a", "--kill"]).expect_code(0);
    assert_eq!(run.wait().code, 3);
}

/// Starts an experiment that waits for a file, and presses Ctrl-C twice. Returns the file, too.
fn twice(sandbox: &Sandbox, experiment: &str, stopping: bool) -> (Terminal, std::path::PathBuf) {
    let file = sandbox.path().join("gate");
    let set = format!("file={}", file.display());
    let mut terminal = Terminal::start(sandbox, &["run", experiment, "--name", "a", "--set", &set]);
    let run =
        until("the run", || gradtop_store::find_run(&sandbox.runs(), "a").ok().map(|_| sandbox.find("a")));
    run.until_state(State::Running);
    run.until_step(0);
    terminal.press(b"\x03");
    until("the first answer", || terminal.screen().contains("Ctrl-C again").then_some(()));
    if stopping {
        run.until_state(State::Stopping);
    }
    terminal.press(b"\x03");
    assert_eq!(terminal.exit_code(), 5, "{}\n{}", terminal.screen(), run.events());
    (terminal, file)
}

#[test]
fn a_second_ctrl_c_takes_the_stop_back() {
    // Whether or not the run has already seen the stop.
    for stopping in [true, false] {
        let sandbox = Sandbox::new();
        let (terminal, gate) = twice(&sandbox, "gated", stopping);
        let screen = terminal.screen();
        assert!(screen.contains("a keeps running") && screen.contains("the stop was cancelled"), "{screen}");
        assert!(screen.contains("gradtop wait a") && screen.contains("gradtop stop a"), "{screen}");
        let run = sandbox.find("a");
        assert_eq!(run.view().state, State::Running, "{}", run.events());
        assert!(!run.dir.control().join("stop").exists());
        assert!(!stopping || run.events().contains("withdraw the stop"), "{}", run.events());
        // Only now its first step ends, where it would stop.
        std::fs::write(gate, "").unwrap();
        assert_eq!(run.wait().code, 0, "{}", run.events());
        assert_eq!(run.view().status.step, Some(1));
    }
}

#[test]
fn a_stop_that_the_experiment_was_told_of_stands() {
    let sandbox = Sandbox::new();
    let (terminal, gate) = twice(&sandbox, "told", true);
    let screen = terminal.screen();
    assert!(screen.contains("still stopping") && screen.contains("too late to cancel"), "{screen}");
    let run = sandbox.find("a");
    // The keeper enforces it again.
    assert!(run.dir.control().join("stop").exists());
    assert!(!run.events().contains("withdraw the stop"), "{}", run.events());
    std::fs::write(gate, "").unwrap();
    assert_eq!(run.wait().code, 3, "{}", run.events());
}

#[test]
fn a_stop_taken_back_is_not_enforced_either() {
    let sandbox = Sandbox::new();
    let gate = sandbox.path().join("gate");
    let run = sandbox.start(&["gated", "--set", &format!("file={}", gate.display())], "a");
    run.until_step(0);
    sandbox.gradtop(&["stop", "a", "--no-wait", "--grace", "1"]).expect_code(0);
    run.until_state(State::Stopping);
    assert!(gradtop_store::withdraw_stop(&run.dir).unwrap());
    run.until_state(State::Running);
    // Its grace period of one second passes without consequences. Any longer time would do, too.
    let asked = std::time::Instant::now();
    until("the time of grace", || (asked.elapsed().as_secs_f64() > 1.5).then_some(()));
    std::fs::write(&gate, "").unwrap();
    assert_eq!(run.wait().code, 0, "{}", run.events());
    assert!(!run.events().contains("SIGTERM"), "{}", run.events());
}

#[test]
fn a_closed_terminal_changes_nothing() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &LONG);
    until("progress", || terminal.screen().contains("counting").then_some(()));
    let run = sandbox.find("a");
    terminal.close();
    terminal.exit_code();
    let step = run.view().status.step.unwrap();
    assert_eq!(run.view().state, State::Running);
    run.until_step(step + 300);
    // Another terminal finds the run, intact.
    let list = sandbox.gradtop(&["list"]).expect_code(0);
    assert!(list.out.contains("running"), "{list:#?}");
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(run.wait().code, 3);
    let steps: Vec<i64> =
        gradtop_store::read_series(&run.dir, |k| k.metric == "loss").unwrap()[0].step.clone();
    assert!(steps.iter().copied().eq(0..steps.len() as i64), "a hole in the rows");
}

#[test]
fn ctrl_c_while_it_starts_never_loses_the_run() {
    let sandbox = Sandbox::new();
    sandbox.gradtop(&["experiments"]).expect_code(0);
    for name in ["a", "b", "c", "d"] {
        let args = ["run", "counter", "--name", name, "--set", "steps=1000000", "--set=rate=500"];
        let mut terminal = Terminal::start(&sandbox, &args);
        // As soon as its folder exists, and a little later each time.
        until("the folder", || gradtop_store::find_run(&sandbox.runs(), name).ok());
        std::thread::sleep(std::time::Duration::from_millis(5 * u64::from(name.as_bytes()[0] - b'a')));
        terminal.press(b"\x03");
        let code = terminal.exit_code();
        let run = sandbox.find(name);
        // However early: the run is asked to stop and does, and the terminal says so.
        assert_eq!(code, 3, "{name}: {:?}\n{}", run.view().status, terminal.screen());
        let screen = terminal.screen();
        assert!(
            screen.contains("stopping after this step") && screen.contains("stopped"),
            "{name}: {screen}"
        );
        let view = run.view();
        let told = format!("{name}: code {code}, {:?}\n{}\n{}", view.status, run.events(), terminal.screen());
        assert_eq!(view.state, State::Stopped, "{told}");
        check::sealed(&run.dir);
    }
}

#[test]
fn a_comparison_on_a_phone_keeps_marks_and_words_beside_values() {
    let sandbox = Sandbox::with(&[]);
    let mut fixtures = RunFixtures::new();
    for (name, log, scale) in [("plain", false, 1.0), ("factors", true, 2.0)] {
        let mut spec = run("fit", name, 3).with(|manifest, _| manifest.metrics[0].log = log);
        for trial in [0, 1] {
            let key = SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
            spec = spec.logged(key, &[(0, scale), (1, scale * f64::from(1 + 3 * trial))]);
        }
        fixtures.make(&spec);
    }
    let folder = fixtures.folder().to_str().unwrap().to_owned();
    let args = ["--runs", &folder, "compare", "plain", "factors", "--metric", "loss"];
    let mut terminal = Terminal::sized(&sandbox, &args, (40, 40));
    assert_eq!(terminal.exit_code(), 0);
    let screen = terminal.screen();
    let rows =
        |of: &str| screen.lines().map(str::trim).filter(|line| line.contains(of)).skip(1).collect::<Vec<_>>();
    assert!(rows("plain").iter().all(|row| row.ends_with('◂')), "the last and the best value: {screen}");
    assert!(rows("factors")[0].ends_with("geometric mean"), "{screen}");
}

#[test]
fn a_run_on_a_phone_has_its_values_and_its_whole_folder() {
    let sandbox = Sandbox::with(&[]);
    let mut fixtures = RunFixtures::new();
    let key = SeriesKey { split: Some("train".into()), ..SeriesKey::metric("a-metric-with-a-long-name") };
    let narrow = run("fit", "narrow", 3).logged(key, &[(0, 1.0), (1, 6.4e-5)]);
    fixtures.make(&narrow.series("loss", None, &[(0, 0.5), (1, 0.25)]));
    let folder = fixtures.folder().to_str().unwrap().to_owned();
    let mut terminal = Terminal::sized(&sandbox, &["--runs", &folder, "show", "narrow"], (60, 40));
    assert_eq!(terminal.exit_code(), 0);
    let screen = terminal.screen();
    let unbroken = screen.replace(['\n', ' '], "");
    assert!(screen.contains("6.4e-5"), "{screen}");
    assert!(screen.lines().any(|line| line.contains("loss (MSE)") && line.contains("0.25")), "{screen}");
    assert!(unbroken.contains(&format!("{folder}/exp=fit/run=narrow(")), "{screen}");
}

#[test]
fn a_list_on_a_phone_has_each_value_with_what_it_is_of() {
    let sandbox = Sandbox::new();
    let mut fixtures = RunFixtures::new();
    for (name, split, value) in
        [("a-long-name-of-a-run-1", "train", 6.4e-5), ("a-long-name-of-a-run-2", "test", 0.2)]
    {
        let key = SeriesKey { split: Some(split.into()), ..SeriesKey::metric("loss") };
        fixtures.make(&run("fit", name, 3).logged(key, &[(0, 1.0), (1, value)]));
    }
    let folder = fixtures.folder().to_str().unwrap().to_owned();
    let mut terminal = Terminal::sized(&sandbox, &["--runs", &folder, "list"], (15, 40));
    assert_eq!(terminal.exit_code(), 0);
    let screen = terminal.screen();
    for words in ["6.4e-5 train", "0.2    test", "last loss"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
}
