//! `gradtop run` in a real terminal: progress, Ctrl-C, and the terminal closed under it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::State;
use gradtop_tests::pty::Terminal;
use gradtop_tests::{Sandbox, check, until};

const LONG: [&str; 7] = ["run", "counter", "--name", "a", "--set", "steps=1000000", "--set=rate=500"];

#[test]
fn a_terminal_gets_progress_with_loss_rate_and_eta() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &LONG);
    until("progress", || {
        let screen = terminal.screen();
        let line = screen.lines().find(|l| l.contains("counting"))?;
        ["loss", "/s", "eta"].iter().all(|w| line.contains(w)).then_some(())
    });
    // A long line would be wrapped and smear itself over the screen.
    let bars = terminal.screen().lines().filter(|l| l.contains("counting")).count();
    assert_eq!(bars, 1, "{}", terminal.screen());
    assert!(terminal.written().contains('\x1b'), "a terminal gets more than plain lines");
    terminal.press(b"\x03");
    assert_eq!(terminal.exit_code(), 3, "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(screen.contains("stopping after this step"), "{screen}");
    assert!(screen.contains("stopped") && screen.contains("gradtop resume a"), "{screen}");
    // The cursor is there again, and no bar is left behind.
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
    // Another terminal finds it, whole.
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
        // As early as its folder is there, and a little later each time.
        until("the folder", || gradtop_store::find_run(&sandbox.runs(), name).ok());
        std::thread::sleep(std::time::Duration::from_millis(5 * u64::from(name.as_bytes()[0] - b'a')));
        terminal.press(b"\x03");
        let code = terminal.exit_code();
        let run = sandbox.find(name);
        // Either the run was asked to stop and did, or it goes on and can be found.
        if code != 3 {
            assert!(!run.view().state.is_final(), "{name}: code {code}, {:?}", run.view().status);
            sandbox.gradtop(&["stop", name]).expect_code(0);
        }
        let view = run.view();
        let told = format!("{name}: code {code}, {:?}\n{}\n{}", view.status, run.events(), terminal.screen());
        assert_eq!(view.state, State::Stopped, "{told}");
        check::sealed(&run.dir);
    }
}
