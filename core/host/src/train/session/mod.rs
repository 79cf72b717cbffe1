//! The trainer's view of a run: what the host functions act on, shared with the watchdog threads.

mod headline;
mod progress;
mod status;
mod stop_pause;
mod stopwatch;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::thread::ThreadId;
use std::time::Instant;

use gradtop_abi as abi;
use gradtop_store::{
    Ending, Event, EventLog, HeadlineValue, MAX_SERIES, Manifest, MetricInfo, Recorder, RunDir, SeriesKey,
    State, Status, StoreError,
};
use jiff::Timestamp;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::train::divergence::Divergence;
use progress::Progress;
pub(crate) use stop_pause::bit;
use stopwatch::{Stopwatch, Worked};

mod flag {
    pub(super) const KNOWN: u8 = 1;
    pub(super) const GUARD: u8 = 2;
    /// A guard's last value was not finite.
    pub(super) const BAD: u8 = 4;
}

/// Why a call of a plugin was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: abi::Status,
    pub(crate) why: String,
}

impl Refused {
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self { status: abi::INVALID, why: why.into() }
    }
}

impl From<StoreError> for Refused {
    fn from(e: StoreError) -> Self {
        let status = match e {
            StoreError::Io { .. }
            | StoreError::Damaged { .. }
            | StoreError::Format { .. }
            | StoreError::Writer { .. } => abi::IO,
            _ => abi::INVALID,
        };
        Self { status, why: e.to_string() }
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.why
    }
}

pub(crate) type Call<T = ()> = Result<T, Refused>;

/// How many different warnings of figures become events.
const WARNINGS: usize = 100;
/// How many lines of a plugin become events; the rest is only in console.log.
const LOG_EVENTS: u32 = 2_000;
/// How many diverged series are told one by one.
const DIVERGED_EVENTS: u32 = 200;
/// How many headline values `status.json` holds, and of how many it takes the best.
const HEADLINES: usize = 24;
const HEADLINES_SEEN: usize = 1_000;

pub(crate) struct Session {
    pub(crate) run: RunDir,
    pub(crate) recorder: Recorder,
    events: EventLog,
    pub(crate) resumable: bool,
    metrics: RwLock<HashMap<String, MetricInfo>>,
    main: ThreadId,
    pub(crate) bits: AtomicU32,
    /// Wakes whoever waits in `step_end`.
    gate: Mutex<()>,
    opened: Condvar,
    waiting: AtomicBool,
    series: Box<[AtomicU8]>,
    divergence: Mutex<Divergence>,
    diverged_events: AtomicU32,
    headline: Mutex<Vec<(u32, SeriesKey)>>,
    /// The headline values from before a resume, and whether there were more.
    headline_before: Mutex<(Vec<HeadlineValue>, bool)>,
    figures: Mutex<()>,
    /// What has been said of declared figures.
    warned: Mutex<HashSet<String>>,
    pub(crate) progress: Progress,
    log_events: AtomicU32,
    too_many_series: AtomicBool,
    failure: Mutex<Option<String>>,
    outcome: OnceLock<Ending>,
    in_checkpoint: AtomicBool,
    /// Counts checkpoints saved, for the clock that says when the next is due.
    pub(crate) checkpoints: AtomicU32,
    /// The keeper is gone: what will be said of the run's end, if nothing worse comes.
    pub(crate) orphaned: AtomicBool,
    /// Whether `run` is being called.
    pub(crate) running: AtomicBool,
    started: OnceLock<Timestamp>,
    watch: Mutex<Stopwatch>,
}

impl Session {
    /// A session of the calling thread, which is the one that may call functions tagged \[main\].
    pub(crate) fn new(run: RunDir, manifest: &Manifest, recorder: Recorder) -> Self {
        Self {
            events: EventLog::new(&run),
            run,
            recorder,
            resumable: manifest.experiment.resumable,
            metrics: RwLock::new(manifest.metrics.iter().map(|m| (m.name.clone(), m.clone())).collect()),
            main: std::thread::current().id(),
            bits: AtomicU32::new(0),
            gate: Mutex::new(()),
            opened: Condvar::new(),
            waiting: AtomicBool::new(false),
            series: (0..=MAX_SERIES).map(|_| AtomicU8::new(0)).collect(),
            divergence: Mutex::default(),
            diverged_events: AtomicU32::new(0),
            headline: Mutex::default(),
            headline_before: Mutex::default(),
            figures: Mutex::default(),
            warned: Mutex::default(),
            progress: Progress::new(),
            log_events: AtomicU32::new(0),
            too_many_series: AtomicBool::new(false),
            failure: Mutex::default(),
            outcome: OnceLock::new(),
            in_checkpoint: AtomicBool::new(false),
            checkpoints: AtomicU32::new(0),
            orphaned: AtomicBool::new(false),
            running: AtomicBool::new(false),
            started: OnceLock::new(),
            watch: Mutex::default(),
        }
    }

    pub(crate) fn event(&self, event: &Event) {
        self.events.record(event);
    }

    /// The events that the disk has not taken to the end, for the keeper.
    pub(crate) fn unwritten_events(&self) -> String {
        self.events.flush().ok();
        self.events.hand_over(crate::run::keeper::report::EVENTS_LIMIT)
    }

    /// Writes the events that wait for the disk.
    pub(crate) fn flush_events(&self) {
        self.events.flush().ok();
    }

    // ---- what the plugin asks for ----

    pub(crate) fn intern(&self, key: &SeriesKey) -> Call<u32> {
        let metrics = self.metrics.read();
        let info = metrics.get(&key.metric);
        let number = match self.recorder.series(key, info.and_then(|m| m.unit.as_deref())) {
            Ok(number) => number,
            Err(e) => {
                if matches!(e, StoreError::TooManySeries)
                    && !self.too_many_series.swap(true, Ordering::Relaxed)
                {
                    self.event(&Event::Warning { message: e.to_string() });
                }
                return Err(e.into());
            }
        };
        let Some(flags) = self.series.get(number as usize) else {
            return Err(StoreError::TooManySeries.into());
        };
        let mut set = flag::KNOWN;
        if info.is_some_and(|m| m.guard) {
            self.divergence.lock().watch(number, key);
            set |= flag::GUARD;
        }
        let before = flags.fetch_or(set, Ordering::Release);
        if before & flag::KNOWN == 0 && info.is_some_and(|m| m.headline) {
            let mut headline = self.headline.lock();
            if headline.len() < HEADLINES_SEEN {
                headline.push((number, key.clone()));
            }
        }
        Ok(number)
    }

    /// What is to be known of a metric, for series that come from now on.
    pub(crate) fn declare_metric(&self, metric: &MetricInfo) {
        let mut metrics = self.metrics.write();
        metrics.insert(metric.name.clone(), metric.clone());
    }

    /// Logs points of one step. Nothing is logged if one of them has an unknown series.
    pub(crate) fn log(&self, step: i64, epoch: f64, points: &[abi::Point]) -> Call {
        self.log_at(step, epoch, None, points)
    }

    /// Like [`Self::log`], at a time in microseconds since 1970 if it is known.
    pub(crate) fn log_at(&self, step: i64, epoch: f64, time_us: Option<i64>, points: &[abi::Point]) -> Call {
        let time_us = self.record(step, epoch, time_us, points)?;
        self.progress.set_step(step, time_us);
        Ok(())
    }

    /// Like [`Self::log`], for a row of a log file. Several files are read one after another, so none sets the run back.
    pub(crate) fn log_of_file(&self, step: i64, epoch: f64, points: &[abi::Point]) -> Call {
        let time_us = self.record(step, epoch, None, points)?;
        self.progress.advance_to(step, time_us);
        Ok(())
    }

    /// Logs without noting the step. Returns the time, by the recorder's clock.
    fn record(&self, step: i64, epoch: f64, time_us: Option<i64>, points: &[abi::Point]) -> Call<i64> {
        let mut turned = false;
        for point in points {
            let flags = self.series.get(point.series as usize).map_or(0, |f| f.load(Ordering::Acquire));
            if flags & flag::KNOWN == 0 {
                return Err(Refused::invalid(format!("series {} was never interned", point.series)));
            }
            turned |= flags & flag::GUARD != 0 && (flags & flag::BAD != 0) == point.value.is_finite();
        }
        let values = points.iter().map(|p| (p.series, p.value));
        let some_epoch = Some(epoch).filter(|e| e.is_finite());
        let time_us = match time_us {
            Some(time_us) => self.recorder.log_at(step, some_epoch, time_us, values),
            None => self.recorder.log(step, some_epoch, values),
        };
        self.progress.note(step, epoch);
        if turned {
            self.note_divergence(step, points);
        }
        Ok(time_us)
    }

    #[cold]
    fn note_divergence(&self, step: i64, points: &[abi::Point]) {
        let mut told = Vec::new();
        {
            let mut divergence = self.divergence.lock();
            for point in points {
                let flags = &self.series[point.series as usize];
                if flags.load(Ordering::Acquire) & flag::GUARD == 0 {
                    continue;
                }
                told.extend(divergence.note(point.series, step, point.value));
                if point.value.is_finite() {
                    flags.fetch_and(!flag::BAD, Ordering::Release);
                } else {
                    flags.fetch_or(flag::BAD, Ordering::Release);
                }
            }
        }
        self.bits.fetch_or(bit::DIVERGED, Ordering::Release);
        for message in told {
            match self.diverged_events.fetch_add(1, Ordering::Relaxed) {
                n if n < DIVERGED_EVENTS => self.event(&Event::Alert { message }),
                DIVERGED_EVENTS => {
                    let message = "more series are not finite; they are not listed one by one".to_owned();
                    self.event(&Event::Alert { message });
                }
                _ => {}
            }
        }
    }

    /// Fails the run if every unit of a guard metric has diverged.
    pub(crate) fn judge(&self) {
        self.bits.fetch_and(!bit::DIVERGED, Ordering::AcqRel);
        let verdict = self.divergence.lock().verdict();
        if let Some(why) = verdict {
            self.fail(why);
        }
    }

    /// A number that changes whenever a guard metric's series changes between finite and not.
    pub(crate) fn divergence_generation(&self) -> u64 {
        self.divergence.lock().generation
    }

    pub(crate) fn log_table(&self, name: &str, step: i64, columns: Vec<gradtop_store::TableColumn>) -> Call {
        let ok = name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !ok {
            let why = format!(
                "table name \"{}\" is not a letter and then letters, digits, _ or -, at most 64",
                crate::text::clean(name)
            );
            return Err(Refused::invalid(why));
        }
        if name == "run" {
            return Err(Refused::invalid("the table name `run` is reserved"));
        }
        self.progress.note_sign();
        Ok(self.recorder.log_table(name, step, columns)?)
    }

    pub(crate) fn declare_figures(&self, toml: &str) -> Call {
        let _one_at_a_time = self.figures.lock();
        for message in self.recorder.declare_figures(toml)? {
            self.warn_once(&message);
        }
        Ok(())
    }

    /// Warns once, however often the same is said.
    pub(crate) fn warn_once(&self, message: &str) {
        let message = crate::text::clean(message);
        let mut warned = self.warned.lock();
        if warned.len() < WARNINGS && warned.insert(message.clone()) {
            self.event(&Event::Warning { message });
        }
    }

    /// A line for the console, and for the events unless it is for authors only.
    pub(crate) fn log_text(&self, level: i32, text: &[u8]) -> Call {
        let word = match level {
            abi::log_level::ERROR => "error",
            abi::log_level::WARNING => "warn",
            abi::log_level::INFO => "info",
            abi::log_level::DEBUG => "debug",
            other => return Err(Refused::invalid(format!("there is no log level {other}"))),
        };
        let text = String::from_utf8_lossy(text);
        let text = text.trim_end();
        let mut lines = text.lines();
        let first = crate::text::clean_bytes(lines.next().unwrap_or_default().as_bytes(), 4 << 10);
        let more = lines.next().is_some();
        write_lines(word, text);
        if level == abi::log_level::DEBUG {
            return Ok(());
        }
        match self.log_events.fetch_add(1, Ordering::Relaxed) {
            n if n < LOG_EVENTS => {
                let message = if more { format!("{first} (more in console.log)") } else { first };
                self.event(&Event::Log { level: word.to_owned(), message });
            }
            LOG_EVENTS => {
                let message = format!("after {LOG_EVENTS} lines, more are only in console.log");
                self.event(&Event::Warning { message });
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn begin(&self) {
        self.started.get_or_init(Timestamp::now);
        self.watch.lock().start(Instant::now());
        self.running.store(true, Ordering::Release);
        self.event(&Event::State { state: State::Running, cause: None });
    }

    /// Training is over, well or badly.
    pub(crate) fn end_training(&self) {
        self.running.store(false, Ordering::Release);
        self.watch.lock().stop(Instant::now());
    }

    /// Counts on from what earlier processes of the run have worked.
    pub(crate) fn count_on_from(&self, status: &Status) {
        let elapsed_s = status.elapsed_s.unwrap_or(0.0);
        *self.watch.lock() = Stopwatch::after(Worked { elapsed_s, trained_s: status.trained_s });
    }
}

/// Writes a text to the console: its level before the first line, the others below it. Standard error is the pipe to the keeper.
pub(crate) fn write_lines(level: &str, text: &str) {
    use std::io::Write as _;
    let mut console = String::with_capacity(text.len() + 16);
    for (i, line) in text.trim().lines().enumerate() {
        let lead = if i == 0 { format!("[{level}] ") } else { "    ".to_owned() };
        console.push_str(&lead);
        console.push_str(&crate::text::clean(line));
        console.push('\n');
    }
    // A keeper that is gone reads nothing; training goes on until it is asked to stop.
    std::io::stderr().write_all(console.as_bytes()).ok();
}
