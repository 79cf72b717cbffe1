//! `trainer_state.json` of a Hugging Face trainer: reads the objects of its `log_history` one by one.

use std::path::{Path, PathBuf};

use super::columns::Rows;
use super::json::flatten;
use crate::error::{At as _, Result};
use crate::reader::{Progress, Reader};
use crate::sink::Sink;
use crate::tail::{LIMIT, Tail};

/// Maximum number of objects per call.
const BUDGET: usize = 4_096;
/// Maximum number of checkpoints searched.
const CHECKPOINTS: usize = 10_000;

pub(crate) const FILE: &str = "trainer_state.json";

/// A reader of the newest state in a folder of checkpoints, or of one file.
pub(crate) struct TrainerState {
    place: PathBuf,
    open: Option<Open>,
    rows: Rows,
}

struct Open {
    path: PathBuf,
    tail: Tail,
    scan: Scan,
}

/// The scanner's position in the file.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// Whether the last text of the outermost object is one of the keys searched for.
    in_history: bool,
    in_total: bool,
    /// The number of steps that the training is to have, as far as it has been read.
    total: Option<u64>,
    done: bool,
    /// Number of bytes of the buffer scanned, and the start of the current object or text.
    seen: usize,
    start: Option<usize>,
}

impl TrainerState {
    pub(crate) fn new(place: &Path) -> Self {
        Self { place: place.to_owned(), open: None, rows: Rows::knowing("loss", "train") }
    }

    /// Opens the newest state if it is another file than the current one.
    fn open_newest(&mut self, sink: &mut dyn Sink) -> Result<bool> {
        let newest = newest(&self.place)?;
        let Some(path) = newest else { return Ok(self.open.is_some()) };
        let same = match &mut self.open {
            Some(open) => open.path == path && !open.tail.is_replaced()?,
            None => false,
        };
        if !same {
            if self.open.is_some() {
                sink.again()?;
                self.rows.rewind();
            }
            self.open = Some(Open { tail: Tail::open(&path)?, path, scan: Scan::default() });
        }
        Ok(true)
    }
}

/// Returns the state of a file, or of the highest checkpoint in a folder.
fn newest(place: &Path) -> Result<Option<PathBuf>> {
    if place.is_file() {
        return Ok(Some(place.to_owned()));
    }
    let mut best = None;
    for entry in std::fs::read_dir(place).at("list", place)?.take(CHECKPOINTS) {
        let entry = entry.at("list", place)?;
        let step = step_of(&entry.file_name().to_string_lossy());
        let file = entry.path().join(FILE);
        if step.is_some() && step > best.as_ref().map(|(step, _)| *step) && file.is_file() {
            best = step.map(|step| (step, file));
        }
    }
    let own = place.join(FILE);
    Ok(if own.is_file() { Some(own) } else { best.map(|(_, file)| file) })
}

/// Returns the step of a checkpoint's folder.
pub(crate) fn step_of(name: &str) -> Option<u64> {
    name.strip_prefix("checkpoint-")?.parse().ok()
}

impl Reader for TrainerState {
    fn left_out(&self) -> Vec<String> {
        self.rows.left_out()
    }

    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        if !self.open_newest(sink)? {
            return Ok(Progress::UpToDate);
        }
        let Some(open) = &mut self.open else { return Ok(Progress::UpToDate) };
        for _ in 0..BUDGET {
            match open.next_object() {
                Found::Object(from, to) => {
                    let place = open.tail.position() + from as u64;
                    let Some(values) = flatten(&open.tail.bytes()[from..to]) else {
                        return Err(open.tail.damaged(place, "an entry of log_history is not a JSON object"));
                    };
                    let cells: Vec<_> = values.iter().map(|(k, v)| (k, v.cell())).collect();
                    self.rows.hand_over(None, &cells, sink)?;
                    open.scan.seen = to;
                    open.use_up();
                }
                Found::Done => {
                    if let Some(total) = open.scan.total.take().filter(|total| *total > 0) {
                        sink.total(total)?;
                    }
                    return Ok(Progress::UpToDate);
                }
                Found::More => {
                    open.use_up();
                    if open.tail.bytes().len() > LIMIT {
                        let place = open.tail.position();
                        return Err(open.tail.damaged(place, "an entry is longer than 16 megabytes"));
                    }
                    if !open.tail.more()? {
                        return Ok(Progress::UpToDate);
                    }
                }
                Found::Wrong => {
                    let place = open.tail.position() + open.scan.seen as u64;
                    return Err(open.tail.damaged(place, "it is not the state of a trainer"));
                }
            }
        }
        Ok(Progress::More)
    }
}

enum Found {
    Object(usize, usize),
    More,
    Done,
    Wrong,
}

impl Open {
    /// Releases the scanned bytes.
    fn use_up(&mut self) {
        let used = self.scan.start.unwrap_or(self.scan.seen);
        self.tail.consume(used);
        self.scan.seen -= used;
        self.scan.start = self.scan.start.map(|start| start - used);
    }

    /// Searches for the next object of the list, by brackets and quotes alone.
    fn next_object(&mut self) -> Found {
        let Self { tail, scan, .. } = self;
        if scan.done {
            return Found::Done;
        }
        while let Some(byte) = tail.bytes().get(scan.seen).copied() {
            let at = scan.seen;
            scan.seen += 1;
            if scan.in_text {
                match byte {
                    _ if scan.escaped => scan.escaped = false,
                    b'\\' => scan.escaped = true,
                    b'"' => {
                        scan.in_text = false;
                        if scan.depth == 1 {
                            let text = scan.start.take().map(|start| &tail.bytes()[start..=at]);
                            scan.in_history = text == Some(br#""log_history""#);
                            scan.in_total = text == Some(br#""max_steps""#);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => {
                    scan.in_text = true;
                    if scan.depth == 1 {
                        scan.start = Some(at);
                    }
                }
                b'{' | b'[' => {
                    if scan.depth == 2 && scan.in_history && byte == b'{' {
                        scan.start = Some(at);
                    }
                    scan.depth += 1;
                }
                b'}' | b']' => {
                    let Some(depth) = scan.depth.checked_sub(1) else { return Found::Wrong };
                    scan.depth = depth;
                    if depth == 0 {
                        scan.done = true;
                        return Found::Done;
                    }
                    if depth == 2
                        && scan.in_history
                        && let Some(start) = scan.start.take()
                    {
                        return Found::Object(start, at + 1);
                    }
                }
                b'-' => scan.in_total = false,
                digit @ b'0'..=b'9' if scan.depth == 1 && scan.in_total => {
                    let before = scan.total.unwrap_or(0).checked_mul(10);
                    scan.total = before.and_then(|total| total.checked_add(u64::from(digit - b'0')));
                }
                b if scan.depth == 0 && !b.is_ascii_whitespace() => return Found::Wrong,
                _ => {}
            }
        }
        Found::More
    }
}
