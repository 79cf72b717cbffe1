//! The monitor on a slow or failing line, as seen by the terminal: the bytes and their order.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use gradtop_store::State;
use gradtop_tests::pty::Terminal;
use gradtop_tests::ssh::{Server, in_terminal, quoted};
use gradtop_tests::watched::{BYTES_PER_S, DELAY, FRAME, Watched, answer};
use gradtop_tests::{Sandbox, until, until_seen};

const LONG: [&str; 5] = ["counter", "--set", "steps=1000000", "--set", "rate=200"];
/// Begins a complete frame.
const CLEAR: &str = "\x1b[2J";

/// Opens the page of a run in a terminal that answers queries.
fn page(sandbox: &Sandbox, words: &[&str]) -> Terminal {
    let mut terminal = Terminal::start(sandbox, &[]);
    terminal.answers(true);
    terminal.shows(&["counter"]);
    terminal.press(b"jjj\r");
    terminal.shows(words);
    terminal
}

#[test]
fn of_many_sizes_few_are_drawn_and_the_last_is() {
    let sandbox = Sandbox::new();
    sandbox.start(&LONG, "a");
    let mut terminal = page(&sandbox, &["loss", "noise"]);
    let before = terminal.count();
    for n in 0..40u16 {
        terminal.resize(30 + n % 3, 99 + n % 2);
    }
    until("the last size", || {
        let screen = terminal.screen();
        let last = screen.lines().last().unwrap_or_default().to_owned();
        (last.contains("q quit") && screen.contains("noise")).then_some(())
    });
    let whole = terminal.written()[before..].matches(CLEAR).count();
    assert!(whole < 20, "{whole} whole pictures of 40 sizes");
}

#[test]
fn without_answers_nothing_is_drawn_and_then_only_the_newest() {
    let sandbox = Sandbox::new();
    let run = sandbox.start(&LONG, "a");
    let mut terminal = page(&sandbox, &["loss", "noise"]);
    until("an answer", || (terminal.asked() == 0).then_some(()));
    terminal.answers(false);
    until("a question", || (terminal.asked() > 0).then_some(()));
    let step = || run.view().status.step.unwrap_or(0);
    run.until_step(step() + 1_000);
    let held = terminal.count();
    run.until_step(step() + 1_000);
    assert_eq!(terminal.count(), held, "it draws what nobody sees");
    // A key is answered all the same.
    terminal.press(b"4");
    terminal.shows(&["rate", "behind"]);
    let held = terminal.count();
    run.until_step(step() + 1_000);
    terminal.answers(true);
    until("the next frame", || (terminal.count() > held).then_some(()));
    until("the end of the delay", || (!terminal.screen().contains("behind")).then_some(()));
    // Nothing of what was held back came before.
    let first = terminal.written()[held..].find("\x1b[?2026l").unwrap() + held;
    assert!(!terminal.screen_at(first).contains("behind"), "{}", terminal.screen_at(first));
}

#[test]
fn what_is_typed_meanwhile_is_kept_in_order_and_answers_are_no_keys() {
    let sandbox = Sandbox::new();
    sandbox.start(&LONG, "a");
    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.answers(true);
    terminal.shows(&["1 running"]);
    until("an answer", || (terminal.asked() == 0).then_some(()));
    terminal.press(b"/");
    terminal.answers(false);
    until("a question", || (terminal.asked() > 0).then_some(()));
    let text = "name:a step>12 loss<0.345";
    for piece in text.as_bytes().chunks(3) {
        terminal.press(piece);
    }
    // A response in pieces, with a key between it and the next one.
    for piece in [&b"\x1b"[..], b"[", b"0", b"n"] {
        terminal.press(piece);
        std::thread::yield_now();
    }
    terminal.press(b"6");
    terminal.answers(true);
    terminal.shows(&[&format!("{text}6")]);
    let screen = terminal.screen();
    assert!(!screen.contains("[0n") && !screen.contains("3456["), "{screen}");
    // On exit, it waits for the last response, which the shell would take for typed text.
    terminal.press(b"\r");
    terminal.press(b"q");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_line_of_the_log_costs_little_more_than_its_text() {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--name", "a", "--set", "steps=200"]).expect_code(0);
    let console = sandbox.find("a").dir.console();
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&console).unwrap();
    for n in 0..2_000 {
        writeln!(file, "step {n}: loss {:.6} of a line as long as most lines are", 1.0 / f64::from(n + 1))
            .unwrap();
    }
    let mut terminal = page(&sandbox, &["loss", "noise"]);
    terminal.press(b"2");
    terminal.shows(&["step 1999:"]);
    for (key, word) in [("k", "step 1970:"), ("k", "step 1960:"), ("j", "step 1990:")] {
        let before = until("a screen that is still", || {
            let count = terminal.count();
            std::thread::sleep(std::time::Duration::from_millis(300));
            (count == terminal.count()).then_some(count)
        });
        terminal.press(key.as_bytes());
        until("an answer", || (terminal.count() > before).then_some(()));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let bytes = terminal.count() - before;
        assert!(bytes < 300, "{bytes} bytes for {key} near {word}: {:?}", &terminal.written()[before..]);
    }
    // Others may still write to an ended run, and its page follows.
    terminal.press(b"F");
    writeln!(file, "appended afterwards").unwrap();
    terminal.press(b"G");
    terminal.shows(&["appended afterwards"]);
    writeln!(file, "appended at last").unwrap();
    terminal.shows(&["appended at last"]);
}

#[test]
fn the_terminal_is_named_after_the_run_and_named_back() {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--name", "first", "--set", "steps=200"]).expect_code(0);
    let mut terminal = page(&sandbox, &["loss", "noise"]);
    terminal.press(b"q");
    assert_eq!(terminal.exit_code(), 0);
    let written = terminal.written();
    let at = |what: &str| written.find(what).unwrap_or_else(|| panic!("{what:?} in {written:?}"));
    let order =
        [at("\x1b[22;2t"), at("\x1b]2;gradtop\x07"), at("\x1b]2;first - gradtop\x07"), at("\x1b[23;2t")];
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn commands_that_wait_end_when_nobody_reads_any_more_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    let commands: [(&[&str], i32); 3] = [
        (&["run", "counter", "--name", "a", "--set", "steps=1000000", "--set", "rate=200"], 5),
        (&["logs", "-f", "a"], 0),
        (&["wait", "a"], 5),
    ];
    for (args, code) in commands {
        let mut child = sandbox.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        if args[0] != "wait" {
            out.read_line(&mut String::new()).unwrap();
        }
        drop(out);
        let status = until("the command to end", || child.try_wait().unwrap());
        assert_eq!(status.code(), Some(code), "{args:?}");
        let run = sandbox.find("a");
        run.until_step(run.view().status.step.unwrap_or(0) + 50);
        assert_eq!(run.view().state, State::Running);
    }
}

#[test]
fn an_ssh_that_is_cut_loses_the_screen_and_nothing_else() {
    let sandbox = Sandbox::new();
    let Some(server) = Server::start(&sandbox.path().join("sshd")) else {
        gradtop_tests::untested("the monitor over a real ssh: sshd is not installed");
        return;
    };
    let run = sandbox.start(&LONG, "a");
    let env: Vec<String> = sandbox.env().iter().map(|(k, v)| quoted(&format!("{k}={v}"))).collect();
    let there = format!("exec env -i TERM=xterm-256color {} {}", env.join(" "), sandbox.program().display());
    for _ in 0..2 {
        let line = server.line(std::time::Duration::from_millis(20), 0);
        let words = server.ssh(&line, &["-tt"], &there);
        let mut terminal = Terminal::of(in_terminal(&words), (30, 100), true);
        terminal.shows(&["1 running", "counter"]);
        assert_eq!(sandbox.monitors(), 1);
        terminal.resize(36, 120);
        until_seen("the new size", || {
            let screen = terminal.screen();
            let wide = screen.lines().any(|line| line.chars().count() > 110);
            if wide && screen.contains("q quit") { Ok(()) } else { Err(screen) }
        });
        line.cut();
        assert_eq!(terminal.exit_code(), 255, "{}", terminal.screen());
        until("the monitor over there to end", || (sandbox.monitors() == 0).then_some(()));
        run.until_step(run.view().status.step.unwrap_or(0) + 50);
    }
}

#[test]
fn a_key_is_answered_within_what_a_round_trip_and_a_tenth_of_a_second_carry() {
    let Some(live) = Watched::start() else {
        gradtop_tests::untested("keys over a real ssh: sshd is not installed");
        return;
    };
    let line = live.line();
    let mut terminal = live.charts(&line, &[]);
    // Measured in bytes, independent of the load of this machine: those in transit when the key is pressed, and the answer.
    let most = (2 * DELAY + std::time::Duration::from_millis(100)).as_secs_f64() * BYTES_PER_S as f64;
    let mut took: Vec<usize> = (1..10)
        .map(|chart| {
            let before = terminal.count();
            terminal.press(b"\t");
            answer(&terminal, before, &format!("› metric-{chart:02}")).end - before
        })
        .collect();
    took.sort_unstable();
    assert!((took[took.len() / 2] as f64) < most, "{took:?} bytes, {most} carried");
}

#[test]
fn a_new_size_costs_a_picture() {
    let Some(live) = Watched::start() else {
        gradtop_tests::untested("sizes over a real ssh: sshd is not installed");
        return;
    };
    let line = live.line();
    let mut terminal = live.charts(&line, &[]);
    let before = terminal.count();
    for n in 0..20u16 {
        terminal.resize(36 + n % 2, 120 - n % 3);
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
    // A complete frame each; other frames come from the run itself.
    let pictures = until("the picture of the last size", || {
        let written = terminal.written();
        let ends = written[before..].match_indices(FRAME.1).map(|(at, end)| before + at + end.len());
        let pictures = ends.filter_map(|end| {
            let start = written[before..end].rfind(FRAME.0)? + before;
            written[start..end].contains(CLEAR).then_some((end - start, terminal.screen_at(end)))
        });
        let pictures: Vec<(usize, String)> = pictures.collect();
        let last = pictures.last().is_some_and(|(_, screen)| screen.lines().count() == 37);
        last.then(|| pictures.into_iter().map(|(bytes, _)| bytes).collect::<Vec<_>>())
    });
    assert!(pictures.iter().all(|bytes| *bytes < 8_000), "{pictures:?}");
}
