//! Well-behaved experiments: `counter`, whose numbers all follow from saved state, `threads`, and two that wait for a file.

#![allow(clippy::unnecessary_wraps, reason = "every phase of an experiment has one type")]

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gradtop_abi as abi;

use crate::Job;

/// An entry in the file of `counter`, one per step, written after the step has been logged. The file is mapped, so it survives
/// any end of the process. See `gradtop_tests::logged`.
#[repr(C)]
struct Logged {
    /// Nanoseconds of `CLOCK_MONOTONIC`; 0 if not logged yet.
    ns: u64,
    beats: u64,
}

static BEATS: AtomicU64 = AtomicU64::new(0);

struct TimeFile {
    at: *mut Logged,
    len: usize,
}

impl TimeFile {
    fn open(path: &str, steps: usize) -> Option<Self> {
        if path.is_empty() {
            return None;
        }
        let size = size_of::<Logged>() * steps;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len(size as u64).unwrap();
        // SAFETY: a fresh shared mapping of a file that is long enough; checked below.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(at, libc::MAP_FAILED, "cannot map {path}");
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_millis(10));
                BEATS.fetch_add(1, Ordering::Relaxed);
            }
        });
        Some(Self { at: at.cast(), len: steps })
    }

    fn logged(&self, step: i64) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a place for the answer.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        let ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        let index = step as usize;
        assert!(index < self.len);
        // SAFETY: inside the mapping, by the assertion above.
        let slot = unsafe { self.at.add(index) };
        // SAFETY: inside the mapping.
        let beats = unsafe { &raw mut (*slot).beats };
        // SAFETY: inside the mapping.
        let time = unsafe { &raw mut (*slot).ns };
        // SAFETY: aligned and mapped for writing.
        unsafe { beats.write_volatile(BEATS.load(Ordering::Relaxed)) };
        // The time, which makes the entry valid, is written last: a kill may come in between.
        // SAFETY: as above.
        unsafe { time.write_volatile(ns) };
    }
}

/// Holds the run at a step until a test releases it, see `Sandbox::held`.
pub(crate) struct Gate {
    /// The last step that may be done.
    hold: i64,
    /// The file that says up to which step the run may continue; an empty file means to its end.
    file: String,
}

impl Gate {
    /// Reads the parameters `hold` and `gate`.
    pub(crate) fn of(job: &Job) -> Self {
        Self { hold: job.int("hold"), file: job.params["gate"].clone() }
    }

    /// Returns whether a step may be done.
    pub(crate) fn lets(&mut self, step: i64) -> bool {
        if step > self.hold
            && !self.file.is_empty()
            && let Ok(text) = fs::read_to_string(&self.file)
        {
            self.hold = text.parse().unwrap_or(i64::MAX);
        }
        step <= self.hold || self.file.is_empty()
    }
}

/// A random generator whose state is a single number.
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

fn save(dir: &Path, step: i64, state: u64, loss: f64) -> abi::Status {
    // Two files, because a checkpoint is a folder and all its files matter.
    let text = format!("{step} {state} {}", loss.to_bits());
    let written =
        fs::write(dir.join("state.txt"), text).and_then(|()| fs::write(dir.join("complete"), b"yes"));
    if written.is_ok() { abi::OK } else { abi::IO }
}

fn load(dir: &Path) -> (i64, u64, f64) {
    assert!(dir.join("complete").is_file(), "the checkpoint is not whole");
    let text = fs::read_to_string(dir.join("state.txt")).unwrap();
    let mut words = text.split(' ');
    let step = words.next().unwrap().parse().unwrap();
    let state = words.next().unwrap().parse().unwrap();
    (step, state, f64::from_bits(words.next().unwrap().parse().unwrap()))
}

/// Logs `loss` and `noise` at every step, at most `rate` steps per second (0: unlimited) in bursts of `burst`, and a table row
/// every 1,000 steps. It waits after step `hold` for the file `gate`, and responds to requests meanwhile.
pub(crate) fn run(job: &Job) -> Result<abi::Status, Vec<u8>> {
    let host = job.host;
    let steps = job.int("steps");
    let rate: f64 = job.params["rate"].parse().unwrap();
    let burst = job.int("burst").max(1);
    let mut gate = Gate::of(job);
    let file = TimeFile::open(&job.params["file"], steps as usize);
    let (start, mut state, mut loss) = match &job.resume {
        Some(dir) => {
            let (step, state, loss) = load(dir);
            (step + 1, state, loss)
        }
        None => (0, host.raw().seed, 1.0),
    };
    let series = (host.metric(c"loss"), host.metric(c"noise"), host.metric(c"clock"));
    let epoch = Instant::now();
    let mut due = epoch;
    for step in start..steps {
        while !gate.lets(step) {
            if let Some(end) = between(job, (step - 1, state, loss))? {
                return Ok(end);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let noise = next(&mut state);
        loss = loss * 0.999 + noise * 1e-3;
        let clock = epoch.elapsed().as_secs_f64();
        let points = [(series.0, loss), (series.1, noise), (series.2, clock)];
        let status = host.log_epoch(step, step as f64 / 100.0, &points);
        if status != abi::OK {
            return Err(format!("log: {}", host.last_error()).into_bytes());
        }
        if let Some(file) = &file {
            file.logged(step);
        }
        if step % 1000 == 0 {
            let (at, values) = ([step], [loss]);
            let columns =
                [crate::common::column_i64(c"at", &at), crate::common::column_f64(c"loss", &values)];
            if host.table(c"samples", step, &columns, 1) != abi::OK {
                return Err(format!("table: {}", host.last_error()).into_bytes());
            }
        }
        host.progress(step as u64 + 1, steps as u64, Some(c"counting"));
        if let Some(end) = between(job, (step, state, loss))? {
            return Ok(end);
        }
        if rate > 0.0 && (step + 1) % burst == 0 {
            // Delays are not made up for.
            due = (due + Duration::from_secs_f64(burst as f64 / rate)).max(Instant::now());
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    Ok(abi::OK)
}

/// Responds to requests after a step. Returns a status if the run should end.
fn between(job: &Job, (step, state, loss): (i64, u64, f64)) -> Result<Option<abi::Status>, Vec<u8>> {
    let host = job.host;
    if host.should_checkpoint() && host.checkpoint(step, |dir| save(dir, step, state, loss)) != abi::OK {
        return Err(format!("checkpoint: {}", host.last_error()).into_bytes());
    }
    let status = host.step_end();
    Ok((status != abi::OK).then_some(status))
}

/// Eight threads log at once, each its own series, as the header allows.
pub(crate) fn threads(job: &Job) -> Result<abi::Status, Vec<u8>> {
    let host = job.host;
    let steps = job.int("steps");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let series = host.series(c"loss", None, thread).unwrap();
                for step in 0..steps {
                    assert_eq!(host.log(step, &[(series, f64::from(thread) + step as f64)]), abi::OK);
                }
            });
        }
    });
    Ok(abi::OK)
}

fn wait_for_the_file(job: &Job) {
    while !Path::new(&job.params["file"]).exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Two steps; the first one lasts until the file exists.
pub(crate) fn gated(job: &Job) -> Result<abi::Status, Vec<u8>> {
    let host = job.host;
    let loss = host.metric(c"loss");
    for step in 0..2 {
        host.log(step, &[(loss, 1.0)]);
        wait_for_the_file(job);
        match host.step_end() {
            abi::OK => {}
            status => return Ok(status),
        }
    }
    Ok(abi::OK)
}

/// Aborts its step as soon as a stop is requested, then takes until the file exists to end.
pub(crate) fn told(job: &Job) -> Result<abi::Status, Vec<u8>> {
    let host = job.host;
    host.log(0, &[(host.metric(c"loss"), 1.0)]);
    while !host.should_stop() {
        std::thread::sleep(Duration::from_millis(5));
    }
    wait_for_the_file(job);
    Ok(host.step_end())
}
