//! Measures the monitor in a real terminal: time to the first frame, bytes written, resources used.
//!
//! Started by `cargo xtask bench monitor`, which builds the program and passes its path and the parts to measure; without any,
//! all are measured.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be made ends")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use gradtop_tests::figures::measured;
use gradtop_tests::logs::{Events, Log, Wandb};
use gradtop_tests::synthetic::{self, LiveRun};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const COLUMNS: u16 = 200;
const ROWS: u16 = 50;
/// The fastest of so many starts counts.
const ROUNDS: usize = 5;
/// The number of keys pressed and of values awaited.
const KEYS: usize = 40;
/// Begins every frame.
const FRAME: &[u8] = b"\x1b[?2026h";
/// How long the output of a live run is measured, in seconds.
const MINUTE: u64 = 60;

/// Creates a run: `make POINTS FOLDER`.
const MAKE: &str = "make";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [make, points, runs] = &args[..]
        && make == MAKE
    {
        synthetic::finished(Path::new(runs), &format!("points-{points}"), points.parse().unwrap()).unwrap();
        return;
    }
    let program = PathBuf::from(
        std::env::var_os("GRADTOP_BENCH_PROGRAM").expect("started by `cargo xtask bench monitor`"),
    );
    let parts: Vec<String> = args.into_iter().filter(|arg| !arg.starts_with('-')).collect();
    let asked = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    println!("in a terminal of {COLUMNS}x{ROWS}, least of {ROUNDS} (latencies: median and worst of {KEYS})");
    if asked("start") {
        cold_start(&program);
    }
    if asked("thousand") {
        thousand(&program);
    }
    if asked("query") {
        query(&program);
    }
    for (part, points) in [("open-1m", 1_000_000), ("open-10m", 10_000_000)] {
        if asked(part) {
            open(&program, points);
        }
    }
    if asked("logs") {
        logs(&program);
    }
    if asked("live") {
        living(&program);
    }
    if asked("keys") {
        keys(&program);
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Prints the median and the maximum.
fn latencies(name: &str, mut times: Vec<Duration>) {
    times.sort();
    measured(name, ms(times[times.len() / 2]), None);
    measured(&format!("{name}-worst"), ms(times[times.len() - 1]), None);
}

/// A runs folder and the program's settings.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("runs")).unwrap();
        let state = dir.path().join("state/gradtop");
        fs::create_dir_all(&state).unwrap();
        // Four by three charts, without the welcome message.
        let view = "welcomed = true\n[run.experiment.synthetic]\ncolumns = 4\nrows = 3\n";
        fs::write(state.join("view.toml"), view).unwrap();
        Self { dir }
    }

    fn runs(&self) -> PathBuf {
        self.dir.path().join("runs")
    }
}

/// The program in a terminal.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    input: Box<dyn std::io::Write + Send>,
    /// Output with the time of its arrival.
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    written: Vec<u8>,
    started: Instant,
    /// When the newest bytes on `screen` arrived.
    came: Instant,
}

impl Terminal {
    fn start(program: &Path, place: &Place) -> Self {
        Self::start_with(program, place, &[])
    }

    fn start_with(program: &Path, place: &Place, args: &[&str]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        command.env("HOME", place.dir.path());
        command.env("XDG_STATE_HOME", place.dir.path().join("state"));
        command.env("XDG_DATA_HOME", place.dir.path().join("data"));
        command.env("GRADTOP_RUNS", place.runs());
        command.env("GRADTOP_PLUGINS", place.dir.path().join("plugins"));
        command.env("PATH", "/usr/bin:/bin");
        command.env("LANG", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.cwd(place.dir.path());
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut from = pair.master.try_clone_reader().unwrap();
        let input = pair.master.take_writer().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut block = [0; 16_384];
            while let Ok(n @ 1..) = from.read(&mut block) {
                if send.send((Instant::now(), block[..n].to_vec())).is_err() {
                    break;
                }
            }
        });
        let screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        let (master, written) = (pair.master, Vec::new());
        Self { child, master, input, output, screen, written, started, came: started }
    }

    fn take(&mut self, (came, block): (Instant, Vec<u8>)) {
        self.screen.process(&block);
        self.written.extend(block);
        self.came = came;
    }

    /// Waits until the screen meets a condition. Returns the arrival time of the last byte.
    fn until(&mut self, what: &str, shown: impl Fn(&str) -> bool) -> Instant {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            if shown(&self.screen.screen().contents()) {
                return self.came;
            }
            match self.output.recv_timeout(Duration::from_millis(200)) {
                Ok(block) => self.take(block),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the program ended before {what}"),
            }
            assert!(Instant::now() < end, "{what} never came:\n{}", self.screen.screen().contents());
        }
    }

    /// Reads for a while. Returns the number of bytes and of frames.
    fn listen(&mut self, time: Duration) -> (usize, usize) {
        let (end, before) = (Instant::now() + time, self.written.len());
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if let Ok(block) = self.output.recv_timeout(left) {
                self.take(block);
            }
        }
        let came = &self.written[before..];
        (came.len(), came.windows(FRAME.len()).filter(|w| *w == FRAME).count())
    }

    fn key(&mut self, keys: &str) -> Instant {
        let now = Instant::now();
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
        now
    }

    fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Memory in MiB: `VmRSS` is the resident size, `VmHWM` its maximum.
    fn memory(&self, which: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix(which)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1024.0
    }

    /// The processor time used, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    fn end(mut self) {
        self.key("q");
        let end = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                self.child.kill().unwrap();
            }
            self.listen(Duration::from_millis(20));
        }
        drop(self.master);
    }
}

/// The number of charts with a curve, recognized by Braille dots beside an axis.
fn charts(screen: &str) -> usize {
    let titles = (0..synthetic::METRICS).filter(|n| screen.contains(&synthetic::metric(*n)));
    let dots = screen.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
    // A curve covers many cells; otherwise only titles are shown.
    if dots > 12 * 20 { titles.count() } else { 0 }
}

fn cold_start(program: &Path) {
    let place = Place::new();
    for n in 0..100 {
        synthetic::finished(&place.runs(), &format!("run-{n:03}"), 20_000).unwrap();
    }
    let (list, memory, nothing) = started(program, &place);
    measured("start.list", ms(list), nothing);
    measured("start.command", ms(listed(program, &place)), nothing);
    measured("start.memory", memory, None);
}

/// A thousand runs of 100,000 points: twenty are created, the rest are copies.
fn thousand(program: &Path) {
    let place = Place::new();
    for n in 0..20 {
        let run = synthetic::finished(&place.runs(), &format!("run-{n:02}00"), 100_000).unwrap();
        for copy in 1..50 {
            let to = run.path().with_file_name(format!("run=run-{n:02}{copy:02}"));
            let copied = std::process::Command::new("cp").arg("-a").arg(run.path()).arg(to).status();
            assert!(copied.unwrap().success());
        }
    }
    let (list, _, nothing) = started(program, &place);
    measured("thousand.list", ms(list), nothing);
    measured("thousand.command", ms(listed(program, &place)), nothing);
}

/// DuckDB groups ten million rows, measured from the command to the answer.
fn query(program: &Path) {
    let place = Place::new();
    finished(&place, 10_000_000);
    let mut query = std::process::Command::new(program);
    let sql = "SELECT metric, count(*), avg(value) FROM metrics GROUP BY metric";
    query.args(["query", sql, "--csv", "--runs"]).arg(place.runs());
    measured("query.ten-million", ms((0..ROUNDS).map(|_| timed(&mut query)).min().unwrap()), None);
}

fn timed(command: &mut std::process::Command) -> Duration {
    let start = Instant::now();
    let said = command.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    start.elapsed()
}

/// The duration of `gradtop list`.
fn listed(program: &Path, place: &Place) -> Duration {
    let mut list = std::process::Command::new(program);
    list.args(["list", "--runs"]).arg(place.runs());
    (0..ROUNDS).map(|_| timed(&mut list)).min().unwrap()
}

/// The time to the first complete list, the memory used, and the time to start a program that does nothing.
fn started(program: &Path, place: &Place) -> (Duration, f64, Option<f64>) {
    let mut least = Duration::MAX;
    let mut memory = 0.0f64;
    for _ in 0..ROUNDS {
        let mut t = Terminal::start(program, place);
        // All visible rows with their states, and the footer.
        let full = |s: &str| s.matches("run-").count() >= 20 && s.contains("finished") && s.contains("quit");
        let at = t.until("the list of runs", full);
        least = least.min(at - t.started);
        t.listen(Duration::from_secs(2));
        memory = memory.max(t.memory("VmRSS"));
        t.end();
    }
    let nothing = (0..ROUNDS).map(|_| timed(&mut std::process::Command::new("true"))).min().map(ms);
    (least, memory, nothing)
}

/// Creates a finished run in a separate process, so that this one stays small.
fn finished(place: &Place, points: u64) {
    let myself = std::env::current_exe().unwrap();
    let made =
        std::process::Command::new(myself).arg(MAKE).arg(points.to_string()).arg(place.runs()).status();
    assert!(made.unwrap().success());
}

fn open(program: &Path, points: u64) {
    let place = Place::new();
    finished(&place, points);
    let mut least = Duration::MAX;
    let mut memory = 0.0f64;
    let mut idle = (0, 0);
    for round in 0..ROUNDS {
        let mut t = Terminal::start(program, &place);
        t.until("the run", |s| s.contains("points-"));
        t.listen(Duration::from_millis(500));
        let key = t.key("\r");
        let at = t.until("twelve charts", |s| charts(s) >= 12);
        least = least.min(at - key);
        t.listen(Duration::from_secs(4));
        memory = memory.max(t.memory("VmRSS"));
        if round == 0 && points < 2_000_000 {
            let before = t.ticks();
            let (bytes, _) = t.listen(Duration::from_secs(10));
            idle = (bytes, t.ticks() - before);
        }
        t.end();
    }
    if points < 2_000_000 {
        measured("open.million", ms(least), None);
        measured("idle.bytes", idle.0 as f64, Some(0.0));
        measured("idle.time", idle.1 as f64 * 10.0, Some(0.0));
    } else {
        measured("open.ten-million", ms(least), None);
        measured("open.memory", memory, None);
    }
}

/// Creates a log of another tool in its own folder.
fn log_of(place: &Place, tool: &str) -> Box<dyn Log> {
    let folder = place.dir.path().join("synthetic");
    fs::create_dir_all(&folder).unwrap();
    match tool {
        "wandb" => Box::new(Wandb::create(&folder.join("run-a.wandb")).unwrap()),
        _ => Box::new(Events::create(&folder.join("events.out.tfevents.1700000000.a")).unwrap()),
    }
}

/// Opens such a log and waits for its charts.
fn opened(program: &Path, place: &Place) -> Terminal {
    let mut t = Terminal::start_with(program, place, &["open", "synthetic"]);
    t.until("the run", |s| s.contains("running") || s.contains("finished"));
    t.key("\r");
    t.until("twelve charts", |s| charts(s) >= 12);
    t
}

/// Logs of other tools: ten million existing points, then new values.
fn logs(program: &Path) {
    let steps = 10_000_000 / u64::from(synthetic::METRICS);
    let names: Vec<String> = (0..synthetic::METRICS).map(synthetic::metric).collect();
    let mut lags = Vec::new();
    for tool in ["wandb", "events"] {
        let mut curves = synthetic::Values::default();
        let mut step = |log: &mut dyn Log, step: u64| {
            let value = |n: u32| curves.next(n, i64::try_from(step).unwrap());
            let values: Vec<_> = names.iter().cloned().zip((0..).map(value)).collect();
            log.step(step, &values).unwrap();
        };
        let place = Place::new();
        let mut log = log_of(&place, tool);
        (0..steps).for_each(|n| step(&mut *log, n));
        log.step(steps, &[(names[0].clone(), 1234.0)]).unwrap();
        log.finish().unwrap();
        let mut t = opened(program, &place);
        let at = t.until("the last value", |s| s.contains(" 1234"));
        measured(&format!("logs.{tool}"), (at - t.started).as_secs_f64(), None);
        t.listen(Duration::from_secs(2));
        measured(&format!("logs.{tool}-memory"), t.memory("VmHWM"), None);
        t.end();

        let place = Place::new();
        let mut log = log_of(&place, tool);
        (0..1000).for_each(|n| step(&mut *log, n));
        log.flush().unwrap();
        let mut t = opened(program, &place);
        for n in 0..KEYS as u64 / 2 {
            t.listen(Duration::from_millis(230 + n * 7));
            let value = 1001.0 + n as f64;
            let logged = Instant::now();
            log.step(1000 + n, &[(names[0].clone(), value)]).unwrap();
            log.flush().unwrap();
            let shown = format!(" {value:.0}");
            lags.push(t.until("a value", |s| s.contains(&shown)) - logged);
        }
        t.end();
    }
    latencies("logs.lag", lags);
}

/// A run that logs 20 metrics at 85 steps per second.
fn living(program: &Path) {
    let place = Place::new();
    let mut run = LiveRun::start(&place.runs(), "live", 100_000).unwrap();
    let mut step = 0;
    let mut steps = |run: &mut LiveRun, until: Instant| {
        while Instant::now() < until {
            run.step(step);
            if step % 85 == 0 {
                run.report().unwrap();
            }
            step += 1;
            std::thread::sleep(Duration::from_micros(1_000_000 / 85));
        }
        step
    };
    let mut t = Terminal::start(program, &place);
    steps(&mut run, Instant::now() + Duration::from_secs(5));
    t.until("the run", |s| s.contains("live"));
    t.key("\r");
    let watching = std::thread::spawn(move || {
        t.until("twelve charts", |s| charts(s) >= 12);
        t.listen(Duration::from_secs(3));
        let before = t.ticks();
        let bytes = t.listen(Duration::from_secs(MINUTE));
        let ticks = t.ticks() - before;
        (t, bytes, ticks)
    });
    while !watching.is_finished() {
        steps(&mut run, Instant::now() + Duration::from_millis(200));
    }
    let (mut t, (bytes, frames), ticks) = watching.join().unwrap();
    measured("live.rate", bytes as f64 / 1e3 / MINUTE as f64, None);
    measured("live.frame", bytes as f64 / frames as f64, None);
    measured("live.processor", ticks as f64 / MINUTE as f64, None);
    // One value at a time, from the call that logs it to the screen.
    let mut last = steps(&mut run, Instant::now() + Duration::from_millis(100));
    let mut times = Vec::new();
    for n in 0..KEYS as u64 {
        t.listen(Duration::from_millis(230 + n * 7));
        let value = 1001.0 + n as f64;
        last += 1;
        let logged = Instant::now();
        run.mark(last, value);
        let shown = format!(" {value:.0}");
        let at = t.until("a value", |s| s.contains(&shown));
        times.push(at - logged);
    }
    latencies("live.value", times);
    t.end();
    run.finish().unwrap();
}

/// Keys while nothing happens, and while a run logs as fast as possible.
fn keys(program: &Path) {
    let place = Place::new();
    finished(&place, 1_000_000);
    let mut t = Terminal::start(program, &place);
    pressed(&mut t, "points-", "key.idle");
    t.end();
    let place = Place::new();
    let mut run = LiveRun::start(&place.runs(), "flood", 10_000_000).unwrap();
    let mut t = Terminal::start(program, &place);
    let (stop, stopped) = channel::<()>();
    let flood = std::thread::spawn(move || {
        let mut step = 0;
        // 20 steps per millisecond: 400,000 points per second.
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            for _ in 0..20 {
                run.step(step);
                step += 1;
            }
            if step % 4000 == 0 {
                run.report().unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        run.finish().unwrap();
    });
    pressed(&mut t, "flood", "key.flood");
    t.end();
    stop.send(()).unwrap();
    flood.join().unwrap();
}

/// Opens the run, then moves the focus to the second chart and back.
fn pressed(t: &mut Terminal, run: &str, name: &str) {
    t.until("the run", |s| s.contains(run));
    t.key("\r");
    t.until("twelve charts", |s| charts(s) >= 12);
    t.listen(Duration::from_secs(2));
    let mut times = Vec::new();
    for n in 0..KEYS as u64 / 2 {
        for (keys, shown) in [("\t", "› metric-01"), ("\u{1b}[Z", "› metric-00")] {
            t.listen(Duration::from_millis(150 + n * 11));
            let key = t.key(keys);
            times.push(t.until("the focus", |s| s.contains(shown)) - key);
        }
    }
    latencies(name, times);
}
