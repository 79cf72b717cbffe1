//! The monitor over a bad line: real ssh, real sshd, twelve live charts at 120x36.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gradtop_tests::check::sealed;
use gradtop_tests::pty::Terminal;
use gradtop_tests::ssh::in_terminal;
use gradtop_tests::until;
use gradtop_tests::watched::{BYTES_PER_S, DELAY, FRAME, QUIET, Watched, answer, quiet};

const OUTAGE: Duration = Duration::from_secs(45);
const WATCHED: Duration = Duration::from_secs(20);
const CUTS: u64 = 10;
/// The number of keys of each kind.
const KEYS: usize = 10;

/// How far the clock in the header is behind, in seconds.
fn behind(screen: &str) -> Option<i64> {
    let clock = screen.lines().next()?.split_whitespace().last()?.to_owned();
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok());
    let shown = parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??;
    Some((jiff::Timestamp::now().as_second() - shown).rem_euclid(86_400))
}

/// The sizes of the frames after so many bytes.
fn frames(terminal: &Terminal, after: usize) -> String {
    let written = terminal.written();
    let sizes = written[after..].split(FRAME.0).skip(1).map(|frame| frame.len().to_string());
    sizes.take(12).collect::<Vec<_>>().join(" ")
}

fn row(what: &str, found: &str) {
    println!("| {what} | {found} |");
}

fn kb(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}

/// A part of the table, and the function that measures it.
type Part = (&'static str, fn(&Watched));

pub(crate) fn ssh(only: Option<&str>) {
    let place = Watched::start().expect("sshd and ssh are needed");
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

fn opened(place: &Watched) {
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

fn watched(place: &Watched) {
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

/// When the frame arrived that first showed a word after so many bytes: its first and its last byte.
fn shown(terminal: &Terminal, after: usize, word: &str) -> (Instant, Instant) {
    let frame = answer(terminal, after, word);
    (terminal.times(frame.start).unwrap().0, terminal.times(frame.end - 1).unwrap().0)
}

fn keys(place: &Watched) {
    for options in [&[][..], &["-C"]] {
        let line = place.line();
        let mut terminal = place.charts(&line, options);
        let pages = [("4", "[4 params]", "the parameters"), ("1", "[1 charts]", "the charts")];
        let mut took = [Vec::new(), Vec::new()];
        for key in 0..2 * KEYS {
            let (key, word, _) = pages[key % 2];
            // At a random moment of the charts' output.
            std::thread::sleep(QUIET + Duration::from_millis(37 * took[0].len() as u64));
            let (before, start) = (terminal.count(), Instant::now());
            terminal.press(key.as_bytes());
            let (first, last) = shown(&terminal, before, word);
            took[usize::from(key == "1")].push((first - start, last - start));
        }
        for ((_, _, what), mut took) in pages.into_iter().zip(took) {
            took.sort();
            let of = |at: usize| format!("{} to {} ms", took[at].0.as_millis(), took[at].1.as_millis());
            row(
                &format!("a key for {what} {options:?}, first to last byte of the answer"),
                &format!("median {}, worst of {KEYS} {}", of(KEYS / 2), of(KEYS - 1)),
            );
        }
    }
}

fn log(place: &Watched) {
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

fn resized(place: &Watched) {
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

fn outage(place: &Watched) {
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

fn none_left(place: &Watched) {
    until("what waits over there to end", || (place.sandbox.monitors() == 0).then_some(()));
}

fn hung_up(place: &Watched) {
    for args in [
        &["wait", "watched"][..],
        &["logs", "-f", "watched"],
        &["run", "counter", "--name", "far", "--set", "steps=1000000", "--set", "rate=200"],
    ] {
        // The previous monitor may still be exiting.
        none_left(place);
        let line = place.line();
        let words = place.server.ssh(&line, &["-T"], &place.there(args));
        let mut client = Terminal::of(in_terminal(&words), (36, 120), false);
        until("it to start over there", || (place.sandbox.monitors() > 0).then_some(()));
        std::thread::sleep(Duration::from_secs(2));
        let start = Instant::now();
        line.cut();
        client.exit_code();
        let ended = loop {
            let ended = place.sandbox.monitors() == 0;
            if ended || start.elapsed() > Duration::from_secs(10) {
                break ended;
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

fn cuts(place: &Watched) {
    let kept = place.sandbox.start(&["counter", "--set", "steps=1000000", "--set", "rate=200"], "kept");
    let (mut worst, mut whole) = (Duration::ZERO, 0);
    for cut in 0..CUTS {
        let line = place.line();
        let mut terminal = place.monitor(&line, &[]);
        std::thread::sleep(Duration::from_millis(250 * cut));
        if cut > 3 {
            terminal.press(b"\r");
            std::thread::sleep(Duration::from_millis(130 * cut));
        }
        line.cut();
        terminal.exit_code();
        let start = Instant::now();
        none_left(place);
        worst = worst.max(start.elapsed());
        let line = place.line();
        let terminal = place.monitor(&line, &[]);
        terminal.shows(&["watched", "kept", "2 running"]);
        quiet(&terminal);
        whole += u64::from(behind(&terminal.screen()).is_some_and(|s| s <= 2));
    }
    place.sandbox.gradtop(&["stop", "kept"]).expect_code(0);
    kept.wait();
    let rows = sealed(&kept.dir);
    let steps = rows.iter().filter(|row| row.series.0 == "loss").map(|row| row.step).collect::<BTreeSet<_>>();
    let missing = steps.last().map_or(0, |last| last + 1) - steps.len() as i64;
    row(
        &format!("cut at {CUTS} moments, and made again"),
        &format!(
            "monitor gone after {} ms at worst; {whole} screens whole; a run meanwhile: {missing} of {} steps missing",
            worst.as_millis(),
            steps.len()
        ),
    );
}
