//! The monitor over a bad line: real ssh, real sshd, twelve live charts at 120 by 36.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gradtop_tests::pty::Terminal;
use gradtop_tests::ssh::{Line, Server, in_terminal, quoted};
use gradtop_tests::synthetic::LiveRun;
use gradtop_tests::{Sandbox, until};

/// Of a train, a phone, another continent.
const DELAY: Duration = Duration::from_millis(100);
const BYTES_PER_S: u64 = 8_000;
/// Nothing more has come for so long: what was to come is there.
const QUIET: Duration = Duration::from_millis(700);
const OUTAGE: Duration = Duration::from_secs(45);
const WATCHED: Duration = Duration::from_secs(20);
const CUTS: u64 = 10;
/// The chart page of twelve; the hint for newcomers was read.
const VIEW: &str = "welcomed = true\n[run.experiment.synthetic]\ncolumns = 4\nrows = 3\n";

struct Place {
    sandbox: Sandbox,
    server: Server,
    stop: Arc<AtomicBool>,
    trainer: Option<std::thread::JoinHandle<()>>,
}

impl Place {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let server = Server::start(&sandbox.path().join("sshd")).expect("sshd and ssh are needed");
        let state = sandbox.path().join("home/state/gradtop");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("view.toml"), VIEW).unwrap();
        let mut run = LiveRun::start(&sandbox.runs(), "watched", 1_000_000).unwrap();
        let log = (0..5_000)
            .map(|n| format!("step {n}: loss {:.6}, of a line as long as most\n", 1.0 / f64::from(n + 1)));
        fs::write(run.dir().console(), log.collect::<String>()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let trainer = std::thread::spawn(move || {
            for step in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    run.finish().unwrap();
                    return;
                }
                run.step(step);
                if step % 85 == 0 {
                    run.report().unwrap();
                }
                std::thread::sleep(Duration::from_micros(1_000_000 / 85));
            }
        });
        Self { sandbox, server, stop, trainer: Some(trainer) }
    }

    fn line(&self) -> Line {
        self.server.line(DELAY, BYTES_PER_S)
    }

    /// What the shell over there is given to do.
    fn there(&self, args: &[&str]) -> String {
        let own = self.sandbox.env().iter().map(|(k, v)| quoted(&format!("{k}={v}")));
        let mut words: Vec<String> = ["exec", "env", "-i", "TERM=xterm-256color"].map(str::to_owned).into();
        words.extend(own);
        words.push(quoted(self.sandbox.program().to_str().unwrap()));
        words.extend(args.iter().map(|arg| quoted(arg)));
        words.join(" ")
    }

    fn monitor(&self, line: &Line, options: &[&str]) -> Terminal {
        let options = [&["-tt"], options].concat();
        let words = self.server.ssh(line, &options, &self.there(&[]));
        Terminal::of(in_terminal(&words), (36, 120), true)
    }

    /// The monitor on the run's page, once its charts are there.
    fn charts(&self, line: &Line, options: &[&str]) -> Terminal {
        let mut terminal = self.monitor(line, options);
        terminal.shows(&["watched"]);
        quiet(&terminal);
        terminal.press(b"\r");
        terminal.shows(&["metric-00", "metric-11"]);
        quiet(&terminal);
        terminal
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.trainer.take().map(std::thread::JoinHandle::join);
    }
}

/// Waits until nothing but the run's own comes: charts move at most so often that a pause tells. Bytes so far.
fn quiet(terminal: &Terminal) -> usize {
    std::thread::sleep(QUIET);
    terminal.count()
}

/// Seconds between what the header's clock shows and now.
fn behind(screen: &str) -> Option<i64> {
    let clock = screen.lines().next()?.split_whitespace().last()?.to_owned();
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let shown = parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??;
    Some((jiff::Timestamp::now().as_second() - shown).rem_euclid(86_400))
}

/// The sizes of the frames after so many bytes.
fn frames(terminal: &Terminal, after: usize) -> String {
    let written = terminal.written();
    let sizes = written[after..].split("\x1b[?2026h").skip(1).map(|frame| frame.len().to_string());
    sizes.take(12).collect::<Vec<_>>().join(" ")
}

fn row(what: &str, found: &str) {
    println!("| {what} | {found} |");
}

fn kb(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}

/// A part of the table, and what fills it in.
type Part = (&'static str, fn(&Place));

pub(crate) fn ssh(only: Option<&str>) {
    let place = Place::new();
    println!(
        "{} ms each way, {} kB/s; 120x36, twelve live charts\n\n| what | found |\n|---|---|",
        DELAY.as_millis(),
        BYTES_PER_S / 1000
    );
    let parts: [Part; 8] = [
        ("open", opened),
        ("watch", watched),
        ("keys", keys),
        ("log", log),
        ("resize", resized),
        ("outage", outage),
        ("hangup", hung_up),
        ("cuts", cuts),
    ];
    for (_, part) in parts.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        part(&place);
    }
}

fn opened(place: &Place) {
    let line = place.line();
    let mut terminal = place.monitor(&line, &[]);
    terminal.shows(&["watched"]);
    quiet(&terminal);
    let (before, start) = (terminal.count(), Instant::now());
    terminal.press(b"\r");
    terminal.shows(&["metric-00", "metric-11"]);
    let shown = start.elapsed();
    std::thread::sleep(Duration::from_secs(2));
    let frames = frames(&terminal, before);
    let bytes = kb(terminal.count() - before);
    row(
        "a run that is going on is opened",
        &format!("{} ms; {bytes} in 2 s, frames of {frames} B", shown.as_millis()),
    );
}

fn watched(place: &Place) {
    for options in [&[][..], &["-C"]] {
        let line = place.line();
        let terminal = place.charts(&line, options);
        std::thread::sleep(Duration::from_secs(3));
        let (bytes, carried) = (terminal.count(), line.carried());
        std::thread::sleep(WATCHED);
        let s = WATCHED.as_secs_f64();
        let bytes = (terminal.count() - bytes) as f64 / s / 1e3;
        let carried = (line.carried() - carried) as f64 / s / 1e3;
        row(&format!("watched {options:?}"), &format!("{bytes:.2} kB/s, {carried:.2} kB/s on the line"));
    }
}

fn keys(place: &Place) {
    for options in [&[][..], &["-C"]] {
        let line = place.line();
        let mut terminal = place.charts(&line, options);
        for (what, keys) in [
            ("the parameters instead of the charts", "4"),
            ("the charts again", "1"),
            ("the next chart", "\t"),
        ] {
            let (before, start) = (terminal.count(), Instant::now());
            terminal.press(keys.as_bytes());
            let first = until("an answer", || terminal.times(before)).0 - start;
            let bytes = quiet(&terminal) - before;
            let last = terminal.times(before).unwrap().1 - start;
            row(
                &format!("{what} {options:?}"),
                &format!("first byte {} ms, last {} ms, {}", first.as_millis(), last.as_millis(), kb(bytes)),
            );
        }
    }
}

fn log(place: &Place) {
    let line = place.line();
    let mut terminal = place.charts(&line, &[]);
    terminal.press(b"2");
    terminal.shows(&["step 4999"]);
    std::thread::sleep(Duration::from_secs(3));
    for (what, key, times) in
        [("a line up", "k", 1), ("a line down", "j", 1), ("20 pages up in 1 s", "\x1b[5~", 20)]
    {
        let (before, start) = (terminal.count(), Instant::now());
        for _ in 0..times {
            terminal.press(key.as_bytes());
            std::thread::sleep(Duration::from_millis(50));
        }
        let bytes = quiet(&terminal) - before;
        let last = terminal.times(before).map_or(start, |(_, last)| last) - start;
        row(&format!("the log {what}"), &format!("{bytes} B, {} ms", last.as_millis()));
        std::thread::sleep(Duration::from_secs(3));
    }
}

fn resized(place: &Place) {
    let line = place.line();
    let mut terminal = place.charts(&line, &[]);
    std::thread::sleep(Duration::from_secs(2));
    let (before, start) = (terminal.count(), Instant::now());
    for n in 0..20u16 {
        terminal.resize(36 + n % 2, 120 - n % 3);
        std::thread::sleep(Duration::from_millis(40));
    }
    std::thread::sleep(Duration::from_millis(1_500));
    let bytes = terminal.count() - before;
    let quiet = terminal.times(before).map_or(start, |(_, last)| last) - start;
    let frames = frames(&terminal, before);
    row(
        "20 sizes in 0.8 s",
        &format!("{} in 2.3 s, last byte after {} ms, frames of {frames} B", kb(bytes), quiet.as_millis()),
    );
}

fn outage(place: &Place) {
    let line = place.line();
    let mut terminal = place.charts(&line, &[]);
    std::thread::sleep(Duration::from_secs(3));
    line.down(true);
    std::thread::sleep(Duration::from_millis(300));
    let before = terminal.count();
    // Typed meanwhile: to the log, and back to the charts.
    std::thread::sleep(OUTAGE / 2);
    terminal.press(b"21");
    std::thread::sleep(OUTAGE / 2);
    line.down(false);
    let first = until("a byte after the outage", || terminal.times(before)).0;
    let mut seen = Vec::new();
    for ms in [500, 1_000, 2_000, 5_000] {
        std::thread::sleep((first + Duration::from_millis(ms)).saturating_duration_since(Instant::now()));
        let lag = behind(&terminal.screen()).map_or_else(|| "?".to_owned(), |s| s.to_string());
        seen.push(format!("after {ms} ms {} and {lag} s behind", kb(terminal.count() - before)));
    }
    let charts = terminal.screen().contains("metric-11");
    row(
        &format!("{} s without a line", OUTAGE.as_secs()),
        &format!("{}; keys {}", seen.join(", "), if charts { "kept" } else { "LOST" }),
    );
}

fn hung_up(place: &Place) {
    for args in [
        &["wait", "watched"][..],
        &["logs", "-f", "watched"],
        &["run", "counter", "--name", "far", "--set", "steps=1000000", "--set", "rate=200"],
    ] {
        let line = place.line();
        let words = place.server.ssh(&line, &["-T"], &place.there(args));
        let mut client = Terminal::of(in_terminal(&words), (36, 120), false);
        until("it to start over there", || (place.sandbox.monitors() > 0).then_some(()));
        std::thread::sleep(Duration::from_secs(2));
        let before = place.sandbox.monitors();
        let start = Instant::now();
        line.cut();
        client.exit_code();
        // Its run has two processes of its own.
        let ended = loop {
            let left = place.sandbox.monitors();
            if left < before || start.elapsed() > Duration::from_secs(10) {
                break left < before;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        row(
            &format!("`{}` without -t, its client gone", args[..args.len().min(2)].join(" ")),
            &if ended {
                format!("ended {} ms later", start.elapsed().as_millis())
            } else {
                "STAYED".to_owned()
            },
        );
    }
    place.sandbox.gradtop(&["stop", "far"]).expect_code(0);
    place.sandbox.gradtop(&["wait", "far"]);
}

fn cuts(place: &Place) {
    let mut worst = Duration::ZERO;
    for cut in 0..CUTS {
        let line = place.line();
        let mut terminal = place.monitor(&line, &[]);
        let step = Duration::from_millis(250 * cut);
        std::thread::sleep(step);
        if cut > 3 {
            terminal.press(b"\r");
            std::thread::sleep(Duration::from_millis(130 * cut));
        }
        line.cut();
        terminal.exit_code();
        let start = Instant::now();
        until("the monitor over there to end", || (place.sandbox.monitors() == 0).then_some(()));
        worst = worst.max(start.elapsed());
    }
    let line = place.line();
    let terminal = place.charts(&line, &[]);
    let whole = behind(&terminal.screen()).is_some_and(|s| s <= 2);
    row(
        &format!("cut at {CUTS} moments, and made again"),
        &format!(
            "monitor gone after {} ms at worst; screen {}",
            worst.as_millis(),
            if whole { "whole" } else { "WRONG" }
        ),
    );
}
