//! The monitor in a real terminal: it starts, follows, acts, and leaves the terminal and the runs as they should be.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use gradtop_store::State;
use gradtop_tests::pty::Terminal;
use gradtop_tests::{Sandbox, paths, until, until_seen};
use rustix::process::{Pid, Signal, kill_process};

const LONG: [&str; 5] = ["counter", "--set", "steps=1000000", "--set", "rate=200"];
/// Restores the terminal: the cursor, and the previous screen.
const BACK: &str = "\x1b[?25h\x1b[?1049l";

/// The monitor showing a run `a` that takes for ever.
fn watched(sandbox: &Sandbox) -> Terminal {
    sandbox.start(&LONG, "a");
    let terminal = Terminal::start(sandbox, &[]);
    terminal.shows(&["1 running", "counter"]);
    terminal
}

fn signal(terminal: &Terminal, signal: Signal) {
    kill_process(Pid::from_raw(terminal.pid() as i32).unwrap(), signal).unwrap();
}

/// Checks that the terminal is restored, the program has exited, and the run continues.
#[track_caller]
fn left(sandbox: &Sandbox, terminal: &mut Terminal) {
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.screen());
    assert!(terminal.written().contains(BACK), "{:?}", terminal.written());
    let run = sandbox.find("a");
    let step = run.view().status.step.unwrap_or(0);
    run.until_step(step + 50);
    assert_eq!(run.view().state, State::Running);
}

#[test]
fn quitting_leaves_the_runs_going() {
    let sandbox = Sandbox::new();
    let mut terminal = watched(&sandbox);
    terminal.press(b"q");
    left(&sandbox, &mut terminal);
    // The first key dismissed the welcome message for good.
    let state = std::fs::read_to_string(sandbox.path().join("home/state/gradtop/view.toml")).unwrap();
    assert!(state.contains("welcomed = true"), "{state}");
}

#[test]
fn ctrl_c_hangups_and_terminations_leave_in_order() {
    let sandbox = Sandbox::new();
    let mut terminal = watched(&sandbox);
    terminal.press(b"\x03");
    left(&sandbox, &mut terminal);
    for s in [Signal::HUP, Signal::TERM, Signal::INT] {
        let mut terminal = Terminal::start(&sandbox, &[]);
        terminal.shows(&["1 running"]);
        signal(&terminal, s);
        left(&sandbox, &mut terminal);
    }
}

#[test]
fn a_closed_terminal_ends_it_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    let mut terminal = watched(&sandbox);
    terminal.close();
    assert_eq!(terminal.exit_code(), 0);
    let run = sandbox.find("a");
    run.until_step(run.view().status.step.unwrap_or(0) + 50);
    // A monitor in another terminal finds everything unchanged.
    let again = Terminal::start(&sandbox, &[]);
    again.shows(&["1 running", "counter"]);
}

#[test]
fn another_size_is_drawn_at_once() {
    let sandbox = Sandbox::new();
    let mut terminal = watched(&sandbox);
    terminal.resize(15, 40);
    let screen = terminal.shows(&["? help", "q quit"]);
    assert!(screen.lines().all(|l| l.chars().count() <= 40), "{screen}");
    terminal.resize(50, 200);
    let screen = terminal.shows(&["1 running", "trend"]);
    assert!(screen.lines().any(|l| l.chars().count() > 150), "{screen}");
}

#[test]
fn two_viewers_see_what_either_does() {
    let sandbox = Sandbox::new();
    let mut one = watched(&sandbox);
    let mut two = Terminal::start(&sandbox, &[]);
    two.shows(&["1 running"]);
    one.press(b"p");
    one.shows(&["1 paused"]);
    two.shows(&["1 paused"]);
    two.press(b"r");
    one.shows(&["1 running"]);
    // One monitor exits, the other does not notice.
    two.press(b"q");
    assert_eq!(two.exit_code(), 0);
    one.press(b"S");
    one.shows(&["stop a?", "y  yes"]);
    one.press(b"y");
    one.shows(&["1 stopped"]);
    assert_eq!(sandbox.find("a").view().state, State::Stopped);
    // A stopped run is deleted after a question, and its folder disappears.
    one.press(b"D");
    one.shows(&["delete a?"]);
    one.press(b"n");
    assert!(sandbox.find("a").dir.path().exists());
    one.press(b"Dy");
    one.shows(&["No runs in"]);
    assert!(gradtop_store::find_run(&sandbox.runs(), "a").is_err());
}

#[test]
fn read_only_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.start(&LONG, "a");
    let mut terminal = Terminal::start(&sandbox, &["--read-only"]);
    let screen = terminal.shows(&["read-only", "1 running"]);
    assert!(!screen.contains("pause"), "{screen}");
    terminal.press(b"S");
    terminal.shows(&["this is --read-only"]);
    terminal.press(b"yq");
    left(&sandbox, &mut terminal);
}

#[test]
fn stopped_and_continued_it_draws_everything_again() {
    let sandbox = Sandbox::new();
    let mut terminal = watched(&sandbox);
    let state = |terminal: &Terminal| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", terminal.pid())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().chars().next()
    };
    // The key and the signal have the same effect.
    for how in ["key", "signal"] {
        let before = terminal.written().matches(BACK).count();
        if how == "key" {
            terminal.press(b"\x1a");
        } else {
            signal(&terminal, Signal::TSTP);
        }
        until("it to be stopped", || (state(&terminal) == Some('T')).then_some(()));
        // Earlier output may not have been read yet.
        let given_back = || Some(terminal.written().matches(BACK).count()).filter(|times| *times > before);
        assert_eq!(until("the shell to have its terminal", given_back), before + 1);
        signal(&terminal, Signal::CONT);
        until("it to take the terminal again", || {
            let written = terminal.written();
            written.rsplit(BACK).next().unwrap().contains("\x1b[?1049h").then_some(())
        });
        terminal.shows(&["1 running", "counter"]);
    }
    terminal.press(b"q");
    left(&sandbox, &mut terminal);
}

#[test]
fn an_idle_screen_writes_nothing_and_takes_no_time() {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--name", "a", "--set", "steps=200"]).expect_code(0);
    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.shows(&["1 finished"]);
    terminal.press(b"j");
    // How often its threads have waited.
    let waits = |terminal: &Terminal| -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", terminal.pid())).unwrap().flatten();
        let status = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok());
        let waits = |line: &str| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok();
        status.filter_map(|status| status.lines().find_map(waits)).sum()
    };
    // A screen that is busy without reason is so all the time; one that is still reading, or updates an age once a minute, is
    // not.
    until_seen("two stretches of 3 s in which it sleeps", || {
        let quiet = || {
            let (bytes, waited) = (terminal.count(), waits(&terminal));
            std::thread::sleep(Duration::from_secs(3));
            (terminal.count() - bytes, waits(&terminal) - waited)
        };
        let seen = [quiet(), quiet()];
        let idle = seen.iter().all(|(bytes, waits)| *bytes == 0 && *waits <= 1);
        if idle { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    terminal.press(b"q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn one_frame_for_a_pipe_is_plain_text() {
    let sandbox = Sandbox::new().and_env("COLUMNS", "120").and_env("LINES", "40");
    sandbox.run(&["counter", "--name", "first", "--set", "steps=200"]).expect_code(0);
    let said = sandbox.gradtop(&["--once"]).expect_code(0);
    assert_eq!(said.err, "");
    assert_eq!(said.out.lines().count(), 40);
    assert!(said.out.contains("1 finished") && said.out.contains("first"), "{}", said.out);
    assert!(!said.out.contains('\x1b'), "{:?}", said.out);
    // Options of the monitor are not accepted by commands.
    let said = sandbox.gradtop(&["--once", "list"]).expect_code(2);
    assert!(said.err.contains("--once"), "{}", said.err);
}

#[test]
fn a_note_is_written_in_the_editor_which_has_the_terminal_meanwhile() {
    let sandbox = Sandbox::new();
    let editor = sandbox.path().join("editor");
    std::fs::write(&editor, "printf 'editor of %s\\n' \"$1\"; read line; printf '%s\\n' \"$line\" > \"$1\"")
        .unwrap();
    let sandbox = sandbox.and_env("EDITOR", &format!("sh {}", editor.display()));
    let mut terminal = watched(&sandbox);
    terminal.press(b"e");
    terminal.shows(&["editor of", "gradtop-a-"]);
    // The editor gets the keys: in the monitor, these would quit.
    terminal.press(b"quite good\r");
    terminal.shows(&["note kept: a", "quite good", "1 running"]);
    assert_eq!(gradtop_store::read_notes(&sandbox.find("a").dir).unwrap().note, "quite good");
    terminal.press(b"*");
    terminal.shows(&["starred a", "★"]);
    terminal.press(b"t");
    terminal.shows(&["Tags of a"]);
    terminal.press(b"best x/y\r");
    terminal.shows(&["tagged a", "best"]);
    terminal.press(b"q");
    left(&sandbox, &mut terminal);
}

#[test]
fn a_chart_is_written_as_it_is_seen_and_plot_draws_it_again() {
    let sandbox = Sandbox::with(&[paths::fixture("careless")]);
    for name in ["w1", "w2"] {
        sandbox.run(&["walk", "--set", "steps=400", "--name", name]).expect_code(0);
    }
    let nothing = sandbox.gradtop(&["plot", "--view", "last"]);
    assert!(nothing.code == 1 && nothing.err.contains("has not shown a chart yet"), "{nothing:?}");

    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.shows(&["2 finished", "w1", "w2"]);
    terminal.press(b"/w1\r\r");
    terminal.shows(&["height", "1 chart", "300"]);
    // A part of the axis, smoothed, as points.
    terminal.press(b"z++w");
    terminal.shows(&["Write the chart", "w1-height.png"]);
    terminal.press(b"\t\t");
    terminal.shows(&["w1-height.csv"]);
    terminal.press(b"\r");
    terminal.shows(&["wrote w1-height.csv in "]);
    let file = sandbox.path().join("w1-height.csv");
    let rows = std::fs::read_to_string(&file).unwrap();
    let steps: Vec<f64> =
        rows.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().parse().unwrap()).collect();
    assert!(rows.starts_with("series,x,y\n") && rows.contains(" raw,"), "{rows}");
    assert!(steps.len() > 20 && steps.iter().all(|x| (60.0..=340.0).contains(x)), "{rows}");
    // Existing files are not overwritten.
    terminal.press(b"w\t\t\r");
    terminal.shows(&["wrote w1-height-2.csv in "]);
    terminal.press(b"w\x15x.txt\r");
    terminal.shows(&["a chart is written as .png, .svg or"]);
    terminal.press(b"\x03");
    assert_eq!(terminal.exit_code(), 0);

    // Two runs in one chart, and the same outside the monitor.
    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.shows(&["2 finished", "w1", "w2"]);
    terminal.press(b"ac");
    // A run that lasts long enough also has system charts.
    terminal.shows(&["2 runs of walk", "height", "401"]);
    terminal.press(b"w\r");
    terminal.shows(&["wrote 2-runs-height.png in "]);
    terminal.press(b"q");
    assert_eq!(terminal.exit_code(), 0);
    sandbox.gradtop(&["plot", "--view", "last", "--png", "again.png"]).expect_code(0);
    let read = |name: &str| std::fs::read(sandbox.path().join(name)).unwrap();
    assert_eq!(read("again.png"), read("2-runs-height.png"));
    let drawn = sandbox.gradtop(&["plot", "--view", "last"]).expect_code(0);
    assert!(drawn.out.contains("w1") && drawn.out.contains("w2"), "{}", drawn.out);
}

#[test]
fn sql_is_asked_of_the_runs_selected_and_the_screen_comes_back() {
    let Some(duckdb) = paths::duckdb() else { return };
    let sandbox = Sandbox::new().and_env("GRADTOP_DUCKDB", duckdb.to_str().unwrap());
    sandbox.run(&["counter", "--name", "b", "--set", "steps=50"]).expect_code(0);
    let mut terminal = watched(&sandbox);
    terminal.shows(&["1 finished"]);
    terminal.press(b"aQ");
    terminal.shows(&["views: runs, params, metrics, events"]);
    // DuckDB gets the keys: in the monitor, the first one would quit.
    terminal.press(b"SELECT 'asked of ' || count(*) || ' quiet runs' FROM runs;\r");
    terminal.shows(&["asked of 2 quiet runs"]);
    terminal.press(b".exit\r");
    terminal.shows(&["1 running", "1 finished", "quit"]);
    terminal.press(b"q");
    left(&sandbox, &mut terminal);
    let mut terminal = Terminal::start(&sandbox, &["--read-only"]);
    terminal.shows(&["1 finished"]);
    terminal.press(b"Q");
    terminal.shows(&["--read-only"]);
    terminal.press(b"q");
    left(&sandbox, &mut terminal);
}

#[test]
fn a_view_of_the_list_is_kept_by_name_for_the_monitor_and_for_list() {
    let sandbox = Sandbox::new();
    for (name, steps) in [("few", "20"), ("more", "40"), ("most", "60")] {
        sandbox.run(&["counter", "--name", name, "--set", &format!("steps={steps}")]).expect_code(0);
    }
    let saved = ["list", "steps>30", "--sort", "steps", "--columns", "name,steps", "--save", "long"];
    let told = sandbox.gradtop(&saved).expect_code(0);
    assert!(told.out.contains("most") && !told.out.contains("few"), "{}", told.out);
    assert_eq!(sandbox.gradtop(&["list", "--view", "long"]).expect_code(0).out, told.out);
    let narrower = sandbox.gradtop(&["list", "--view", "long", "steps<50"]).expect_code(0).out;
    assert!(narrower.contains("more") && !narrower.contains("most"), "{narrower}");
    let usual = sandbox.gradtop(&["list", "steps>30", "--save", "usual"]).expect_code(0);
    sandbox.gradtop(&["list", "--columns", "name", "--save", "usual"]).expect_code(0);
    assert_ne!(sandbox.gradtop(&["list", "--view", "usual"]).expect_code(0).out, usual.out);
    sandbox.gradtop(&["list", "steps>30", "--save", "usual"]).expect_code(0);
    let now = sandbox.gradtop(&["list", "--view", "usual"]).expect_code(0).out;
    let heads = |out: &str| -> Vec<String> {
        out.lines().nth(3).unwrap().split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(heads(&now), heads(&usual.out), "the columns of the old view are gone");
    let wrong = sandbox.gradtop(&["list", "--view", "lon"]).expect_code(2);
    assert!(wrong.err.contains("did you mean long"), "{}", wrong.err);

    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.shows(&["3 finished", "few"]);
    terminal.press(b"V");
    terminal.shows(&["Views of the list", "long  steps>30  by steps  name, steps"]);
    terminal.press(b"\r");
    terminal.shows(&["sorted by steps", "steps>30"]);
    let screen = terminal.screen();
    let titles = screen.lines().find(|line| line.contains("name")).map(str::split_whitespace);
    let titles: Vec<&str> = titles.into_iter().flatten().collect();
    assert!(!screen.contains("few") && titles == ["name", "steps▾"], "{screen}");
    terminal.press(b"/\x15few\rVw");
    terminal.shows(&["Name of the view"]);
    terminal.press(b"short one\r");
    terminal.shows(&["only letters"]);
    terminal.press(b"wshort\r");
    terminal.shows(&["short  few  by steps  name, steps"]);
    terminal.press(b"D");
    terminal.shows(&["delete the view long?"]);
    terminal.press(b"y");
    terminal.shows(&["› short"]);
    terminal.press(b"qq");
    assert_eq!(terminal.exit_code(), 0);
    let short = sandbox.gradtop(&["list", "--view", "short"]).expect_code(0).out;
    assert!(
        heads(&short) == ["name", "steps"] && short.contains("few") && !short.contains("most"),
        "{short}"
    );
    assert_eq!(sandbox.gradtop(&["list", "--view", "long"]).code, 2, "it was deleted");
}
