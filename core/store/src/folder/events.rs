//! `events.jsonl`: what happened to a run, one JSON object per line, append-only.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::lines::check_lines;
use crate::folder::run_dir::RunDir;
use crate::folder::status::State;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The state changed.
    State {
        /// The new state.
        state: State,
        /// The cause.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// A checkpoint was saved.
    Checkpoint {
        /// Its step.
        step: i64,
        /// Its folder, relative to the run's.
        path: String,
    },
    /// The run continued from a checkpoint.
    Resumed {
        /// The checkpoint's step.
        step: i64,
        /// Its folder, relative to the run's.
        checkpoint: String,
    },
    /// The run was paused.
    Paused,
    /// The run continued after a pause.
    Unpaused,
    /// A request was read.
    Request {
        /// `stop`, `pause`, `resume`, `checkpoint`, `kill`, or [`crate::WITHDRAWN`].
        what: String,
    },
    /// A warning.
    Warning {
        /// The message.
        message: String,
    },
    /// An event that changes what the numbers mean, such as a diverged trial.
    Alert {
        /// The message.
        message: String,
    },
    /// A line that the experiment logged.
    Log {
        /// `trace`, `debug`, `info`, `warn` or `error`.
        level: String,
        /// The message.
        message: String,
    },
    /// A process of the run received a signal.
    Signal {
        /// The signal, such as `SIGTERM`.
        name: String,
        /// `trainer` or `keeper`.
        process: String,
    },
    /// An event written by a newer version.
    #[serde(other)]
    Unknown,
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    time: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

/// Number of bytes read from the end of the file at most.
const LIMIT: u64 = 32 << 20;
/// Number of bytes searched for the last alert. Every view of a run does this.
const RECENT: u64 = 64 << 10;
/// The start of every line.
const START: &[u8] = b"{\"schema\":";

/// Appends an event with a single write, so that lines of several processes never mix.
///
/// # Errors
/// The event cannot be written.
pub fn append_event(run: &RunDir, event: &Event) -> Result<()> {
    append(run, &encode(run, event)?)
}

fn encode(run: &RunDir, event: &Event) -> Result<Vec<u8>> {
    let line = Line { schema: crate::schema::SCHEMA, time: Timestamp::now(), event };
    let mut text = serde_json::to_vec(&line).format_at("encode", &run.events())?;
    text.push(b'\n');
    Ok(text)
}

fn append(run: &RunDir, text: &[u8]) -> Result<()> {
    let path = run.events();
    append_to(&mut inside::append(run, &path).at("open", &path)?, &path, text)
}

fn append_to(file: &mut File, path: &Path, text: &[u8]) -> Result<()> {
    let before = file.metadata().at("read", path)?.len();
    let written = file.write_all(text).at("append to", path);
    if written.is_err() {
        // Removes the part of the line that was written. On a full disk, nobody else has appended in the meantime.
        file.set_len(before).ok();
    }
    written
}

/// The events of one process, in order. Events that cannot be written are kept, each with its own time.
#[derive(Debug)]
pub struct EventLog {
    run: RunDir,
    waiting: Mutex<Vec<u8>>,
    /// Kept open, so that an end and its cause can be written even if this process loses access to the run's folder.
    file: Mutex<Option<File>>,
}

impl EventLog {
    /// Creates the log for a run of this process.
    pub fn new(run: &RunDir) -> Self {
        Self { run: run.clone(), waiting: Mutex::default(), file: Mutex::default() }
    }

    /// Appends an event after all pending ones. If that fails, the event is pending too.
    ///
    /// # Errors
    /// The event cannot be written now; it is kept for the next attempt.
    pub fn append(&self, event: &Event) -> Result<()> {
        let line = encode(&self.run, event)?;
        self.waiting.lock().extend(line);
        self.flush()
    }

    /// Like [`Self::append`], where nothing can be done about an event that has to wait.
    pub fn record(&self, event: &Event) {
        self.append(event).ok();
    }

    /// Records a warning.
    pub fn warn(&self, message: String) {
        self.record(&Event::Warning { message });
    }

    /// Returns pending lines, up to `most` bytes, for another process to write.
    pub fn hand_over(&self, most: usize) -> String {
        let waiting = self.waiting.lock();
        let lines = waiting.split_inclusive(|b| *b == b'\n');
        let mut size = 0;
        let fits = lines.take_while(|line| {
            size += line.len();
            size <= most
        });
        String::from_utf8_lossy(&fits.flatten().copied().collect::<Vec<u8>>()).into_owned()
    }

    /// Takes over lines that another process could not write.
    pub fn take_over(&self, lines: &str) {
        self.waiting.lock().extend_from_slice(lines.as_bytes());
    }

    /// Writes the pending events.
    ///
    /// # Errors
    /// They cannot be written now and are kept.
    pub fn flush(&self) -> Result<()> {
        let mut waiting = self.waiting.lock();
        if !waiting.is_empty() {
            let (mut file, path) = (self.file.lock(), self.run.events());
            match inside::append(&self.run, &path) {
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied && file.is_some() => {}
                opened => *file = Some(opened.at("open", &path)?),
            }
            if let Some(file) = &mut *file {
                append_to(file, &path, &waiting)?;
            }
            waiting.clear();
        }
        Ok(())
    }
}

/// An alert that a run has raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaisedAlert {
    /// When it was raised.
    pub time: Timestamp,
    /// The message.
    pub message: String,
    /// Whether it concerns the run's end.
    pub of_end: bool,
}

/// Returns the last alert since the run was started or resumed, if it is among the latest events. One of the run's end
/// is returned only if there is no other.
pub(crate) fn last_alert(run: &RunDir) -> Option<RaisedAlert> {
    let (bytes, _) = inside::read_end(run, &run.events(), RECENT).ok()?;
    let whole = bytes.iter().rposition(|b| *b == b'\n')?;
    // An alert of the end follows the final state and begins with its name.
    let (mut alerts, mut of_end) = (Vec::new(), None);
    for line in bytes[..whole].rsplit(|b| *b == b'\n') {
        let Ok(EventLine { time, event }) = serde_json::from_slice(line) else { continue };
        match event {
            Event::Alert { message } => alerts.push(RaisedAlert { time, message, of_end: false }),
            Event::State { state, .. } if state.is_final() => {
                let is_of_end = |alert: &RaisedAlert| alert.message.starts_with(state.word());
                let ends: Vec<_> = alerts.extract_if(.., |alert| is_of_end(alert)).collect();
                of_end = of_end.or(ends.into_iter().next().map(|end| RaisedAlert { of_end: true, ..end }));
            }
            Event::State { state: State::Starting, .. } | Event::Resumed { .. } => break,
            Event::State { .. } if !alerts.is_empty() => break,
            _ => {}
        }
    }
    alerts.into_iter().next().or(of_end)
}

/// Returns the event of a line, with the part of the line that it is. A process that died while writing leaves an incomplete
/// line, and the next one is appended to it; a power cut leaves zeros: a whole event at the end of the line is still valid.
pub fn whole_event(line: &[u8]) -> Option<(&[u8], EventLine)> {
    let parsed = |part| Some((part, serde_json::from_slice(part).ok()?));
    let last = || line.windows(START.len()).rposition(|w| w == START).map(|at| &line[at..]);
    parsed(line).or_else(|| parsed(last()?))
}

/// Reads the events through, to the last byte.
///
/// # Errors
/// The file cannot be read, or the event of a line is lost.
pub(crate) fn check_events(run: &RunDir) -> Result<()> {
    check_lines(run, &run.events(), |line| whole_event(line).is_some_and(|(whole, _)| whole == line))
}

/// Reads all events in the order written, with a warning in the place of one that is lost, or of all if the file is damaged. If it is longer than 32 MiB,
/// only the last ones are read, after a warning. An incomplete last line is skipped.
///
/// # Errors
/// The file cannot be read.
pub fn read_events(run: &RunDir) -> Result<Vec<EventLine>> {
    let path = run.events();
    let end = inside::if_there(inside::read_end(run, &path, LIMIT)).at("read", &path);
    if let Some(e) = end.as_ref().err().filter(|e| e.is_damage()) {
        let message = format!("events.jsonl is damaged: {}", e.what());
        return Ok(vec![EventLine { time: Timestamp::UNIX_EPOCH, event: Event::Warning { message } }]);
    }
    let Some((bytes, before)) = end? else { return Ok(Vec::new()) };
    // The cut is most likely within a line, so skip that line too.
    let start =
        if before == 0 { 0 } else { bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| n + 1) };
    let mut out = Vec::new();
    for (n, line) in bytes[start..].split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let (whole, event) = whole_event(line).unzip();
        if whole != Some(line) {
            let time = out.last().map_or(Timestamp::UNIX_EPOCH, |e: &EventLine| e.time);
            let message = format!("line {} of events.jsonl cannot be understood", n + 1);
            out.push(EventLine { time, event: Event::Warning { message } });
        }
        out.extend(event);
    }
    if before > 0 {
        let time = out.first().map_or_else(Timestamp::now, |e: &EventLine| e.time);
        let gone = (before + start as u64) >> 20;
        let message = format!("events.jsonl is too long: its first {gone} MiB are left out");
        out.insert(0, EventLine { time, event: Event::Warning { message } });
    }
    Ok(out)
}
