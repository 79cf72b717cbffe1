//! `events.jsonl`: what happened to a run, one JSON object a line, only ever appended to.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::inside;
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
        /// Why.
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
    /// The run went on from a checkpoint.
    Resumed {
        /// The checkpoint's step.
        step: i64,
        /// Its folder, relative to the run's.
        checkpoint: String,
    },
    /// It began to wait.
    Paused,
    /// It went on.
    Unpaused,
    /// A request was read.
    Request {
        /// `stop`, `pause`, `resume`, `checkpoint`, `kill`, or [`crate::WITHDRAWN`].
        what: String,
    },
    /// Something a person should look at.
    Warning {
        /// In words.
        message: String,
    },
    /// Something that changes what the numbers mean, such as a diverged trial.
    Alert {
        /// In words.
        message: String,
    },
    /// A line the experiment wrote.
    Log {
        /// `trace`, `debug`, `info`, `warn` or `error`.
        level: String,
        /// The line.
        message: String,
    },
    /// A process of the run got a signal.
    Signal {
        /// Such as `SIGTERM`.
        name: String,
        /// `trainer` or `keeper`.
        process: String,
    },
    /// An event of a newer gradtop.
    #[serde(other)]
    Unknown,
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// When.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// A line as written.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    time: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

/// The most bytes of events that are read.
const LIMIT: u64 = 32 << 20;
/// The last bytes of events that are looked at for an alert: each look at a run does so.
const RECENT: u64 = 64 << 10;
/// Start of every line.
const START: &[u8] = b"{\"schema\":";

/// Appends an event with one write, so that lines of several processes never mix.
///
/// # Errors
/// The disk does not take it.
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
        // What fitted is no line: on a full disk nobody else has appended one meanwhile.
        file.set_len(before).ok();
    }
    written
}

/// The events of one process, in their order. Those that the disk does not take wait, each with its own time.
#[derive(Debug)]
pub struct EventLog {
    run: RunDir,
    waiting: Mutex<Vec<u8>>,
    /// As it was last opened: it takes an end and its cause when the run's folder is closed to this process meanwhile.
    file: Mutex<Option<File>>,
}

impl EventLog {
    /// For a run of this process.
    pub fn new(run: &RunDir) -> Self {
        Self { run: run.clone(), waiting: Mutex::default(), file: Mutex::default() }
    }

    /// Appends an event after all those that wait. If that fails, it waits too.
    ///
    /// # Errors
    /// The disk does not take it; it is kept for the next time.
    pub fn append(&self, event: &Event) -> Result<()> {
        let line = encode(&self.run, event)?;
        self.waiting.lock().extend(line);
        self.flush()
    }

    /// The lines that wait, at most so many bytes of them, for another process to write.
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

    /// Writes what waits.
    ///
    /// # Errors
    /// The disk does not take them; they are kept.
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
    /// When.
    pub time: Timestamp,
    /// In words.
    pub message: String,
    /// It tells of the run's end.
    pub of_end: bool,
}

/// The last alert since a run was started or resumed, if it is among its last events.
pub(crate) fn last_alert(run: &RunDir) -> Option<RaisedAlert> {
    let (bytes, _) = inside::read_end(run, &run.events(), RECENT).ok()?;
    let whole = bytes.iter().rposition(|b| *b == b'\n')?;
    let mut alert: Option<RaisedAlert> = None;
    for line in bytes[..whole].rsplit(|b| *b == b'\n') {
        let Ok(EventLine { time, event }) = serde_json::from_slice(line) else { continue };
        match (event, &mut alert) {
            (Event::Alert { message }, None) => alert = Some(RaisedAlert { time, message, of_end: false }),
            (Event::State { state, .. }, Some(alert)) => {
                alert.of_end = state.is_final();
                break;
            }
            (Event::State { state: State::Starting, .. } | Event::Resumed { .. }, None) => break,
            _ => {}
        }
    }
    alert
}

/// All events so far, in the order written; of a file longer than 32 MiB the last ones, after a warning that says so.
/// A line without its end is one still being written, and left out.
///
/// # Errors
/// The file cannot be read.
pub fn read_events(run: &RunDir) -> Result<Vec<EventLine>> {
    let path = run.events();
    let end = inside::if_there(inside::read_end(run, &path, LIMIT)).at("read", &path)?;
    let Some((bytes, before)) = end else { return Ok(Vec::new()) };
    // Cut somewhere in a line, most likely: that one goes too.
    let start =
        if before == 0 { 0 } else { bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| n + 1) };
    let mut out = Vec::new();
    for (n, line) in bytes[start..].split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        match serde_json::from_slice::<EventLine>(line) {
            Ok(event) => out.push(event),
            // A process that died while writing leaves a line without its end, and the next one's follows on the same
            // line; a power cut leaves zeros. Whatever whole event the line ends with still stands.
            Err(e) => match line.windows(START.len()).rposition(|w| w == START).map(|at| &line[at..]) {
                Some(last) if last.len() < line.len() => {
                    if let Ok(event) = serde_json::from_slice(last) {
                        out.push(event);
                    }
                }
                _ if serde_json::from_slice::<serde_json::Value>(line).is_ok() => {
                    let time = out.last().map_or(Timestamp::UNIX_EPOCH, |e: &EventLine| e.time);
                    let message = format!("line {} of events.jsonl is invalid: {e}", n + 1);
                    out.push(EventLine { time, event: Event::Warning { message } });
                }
                _ => {}
            },
        }
    }
    if before > 0 {
        let time = out.first().map_or_else(Timestamp::now, |e: &EventLine| e.time);
        let gone = (before + start as u64) >> 20;
        let message = format!("events.jsonl is too long: its first {gone} MiB are left out");
        out.insert(0, EventLine { time, event: Event::Warning { message } });
    }
    Ok(out)
}
