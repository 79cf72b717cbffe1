//! Reads the event files of one run in order.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::event::{Entry, Event, entries};
use super::record::{self, Next};
use super::summary::{self, Tensor};
use crate::error::{At as _, Result};
use crate::reader::{Progress, Reader};
use crate::sink::{At, End, Sink, micros};
use crate::tail::Tail;

/// Number of bytes read per call.
const BUDGET: u64 = 1 << 20;
/// Maximum length of a tag.
const TAG: usize = 4_096;
/// Maximum number of event files of a run.
const FILES: usize = 100_000;

/// How to handle the values of a tag.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Scalar(u32),
    Text,
    Histogram,
    Other,
}

/// A reader of the event files of a folder, or of one file.
pub(crate) struct EventFiles {
    folder: PathBuf,
    files: Vec<Tail>,
    /// Files that are not read.
    ignored: HashSet<PathBuf>,
    current: usize,
    tags: HashMap<Vec<u8>, Kind>,
    params: Vec<(String, gradtop_store::ParamValue)>,
}

pub(crate) fn is_event_file(name: &str) -> bool {
    name.contains("tfevents") && !name.ends_with(".profile-empty") && !name.starts_with('.')
}

/// Returns whether a subfolder contains hyperparameters: PyTorch's `add_hparams` names it after the time with fractions
/// of a second.
pub(crate) fn is_of_hyperparameters(name: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    name.split_once('.').is_some_and(|(second, rest)| second.len() >= 9 && digits(second) && digits(rest))
}

impl EventFiles {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            files: Vec::new(),
            ignored: HashSet::new(),
            current: 0,
            tags: HashMap::new(),
            params: Vec::new(),
        }
    }

    /// Opens new files, in the order of the time in each name. Of one second, those of hyperparameters are last, which
    /// are written when training begins or has ended.
    fn look_for_more(&mut self) -> Result<()> {
        if self.folder.is_file() {
            if self.files.is_empty() {
                self.files.push(Tail::open(&self.folder)?);
            }
            return Ok(());
        }
        let mut new = Vec::new();
        self.list(&self.folder, true, &mut new)?;
        new.sort();
        for (_, _, path) in new {
            self.files.push(Tail::open(&path)?);
        }
        Ok(())
    }

    /// Lists event files of a folder that are not open yet, each with the time in its name and whether it is of
    /// hyperparameters. `within` says whether to list those too.
    fn list(&self, folder: &Path, within: bool, new: &mut Vec<(u64, bool, PathBuf)>) -> Result<()> {
        for entry in std::fs::read_dir(folder).at("list", folder)?.take(FILES) {
            let entry = entry.at("list", folder)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let is_known = || self.ignored.contains(&path) || self.files.iter().any(|f| f.path() == path);
            if is_event_file(&name) && !is_known() && path.is_file() {
                let after = name.split("tfevents.").nth(1);
                let second = after.and_then(|rest| rest.split('.').next()?.parse().ok());
                new.push((second.unwrap_or(u64::MAX), !within, path));
            } else if within && is_of_hyperparameters(&name) && path.is_dir() {
                self.list(&path, false, new)?;
            }
        }
        Ok(())
    }
}

impl Reader for EventFiles {
    /// Each writer creates a new file, so existing ones can be ignored.
    fn ignore(&mut self) -> bool {
        let mut there = Vec::new();
        let listed = self.list(&self.folder, true, &mut there).is_ok();
        self.ignored.extend(there.into_iter().map(|(_, _, path)| path));
        listed
    }

    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        if self.current == self.files.len() {
            self.look_for_more()?;
            self.current = 0;
        }
        let Some(tail) = self.files.get_mut(self.current) else { return Ok(Progress::UpToDate) };
        let until = tail.position() + BUDGET;
        while tail.position() < until {
            let len = match record::next(tail)? {
                Next::Record(len) => len,
                Next::Large => continue,
                Next::NotYet => {
                    tail.rest();
                    self.current += 1;
                    let last = self.current == self.files.len();
                    return Ok(if last { Progress::UpToDate } else { Progress::More });
                }
            };
            let data = record::data(tail, len);
            if hand_over(data, &mut self.tags, &mut self.params, sink)?.is_none() {
                return Err(tail.damaged(tail.position(), "a record is not an event"));
            }
            record::pass(tail, len);
        }
        Ok(Progress::More)
    }
}

/// Handles an event. `None` if it is invalid.
fn hand_over(
    data: &[u8],
    tags: &mut HashMap<Vec<u8>, Kind>,
    params: &mut Vec<(String, gradtop_store::ParamValue)>,
    sink: &mut dyn Sink,
) -> Result<Option<()>> {
    let Some(event) = Event::parse(data) else { return Ok(None) };
    let Some(values) = event.summary else { return Ok(Some(())) };
    let at = At { step: event.step, epoch: None, time_us: micros(event.wall_time) };
    for entry in entries(values) {
        let Some(entry) = entry else { return Ok(None) };
        if let Some((name, content)) = &entry.plugin
            && name == "hparams"
        {
            let Some(new) = summary::session_start(content) else { return Ok(None) };
            if !new.is_empty() {
                params.retain(|(key, _)| new.iter().all(|(k, _)| k != key));
                params.extend(new);
                sink.params(params.clone())?;
            }
            // Success means little: PyTorch writes it along with the parameters, before training.
            match summary::session_end(content) {
                None => return Ok(None),
                Some(Some(2)) => sink.ended(End::Failed("its hyperparameter session failed".to_owned()))?,
                Some(_) => {}
            }
            continue;
        }
        let kind = match tags.get(entry.tag) {
            Some(kind) => *kind,
            None if entry.tag.len() > TAG => {
                let start = String::from_utf8_lossy(&entry.tag[..60]);
                sink.warning(format!("a tag of {} bytes was left out: {start}…", entry.tag.len()))?;
                continue;
            }
            None => {
                let kind = kind_of(&entry, sink)?;
                tags.insert(entry.tag.to_owned(), kind);
                kind
            }
        };
        value(at, &entry, kind, sink)?;
    }
    Ok(Some(()))
}

/// Determines how to handle a tag from its first value.
fn kind_of(entry: &Entry<'_>, sink: &mut dyn Sink) -> Result<Kind> {
    let tag = String::from_utf8_lossy(entry.tag);
    let name = entry.plugin.as_ref().map_or("", |(name, _)| name);
    Ok(match name {
        "text" => Kind::Text,
        "histograms" => Kind::Histogram,
        "" | "scalars" if entry.histogram.is_some() => Kind::Histogram,
        "" | "scalars" => {
            let tensor = || matches!(entry.tensor.and_then(summary::tensor), Some(Tensor::Number(_)));
            if entry.simple.is_some() || tensor() {
                Kind::Scalar(sink.series((&*tag).into())?)
            } else {
                Kind::Other
            }
        }
        _ => Kind::Other,
    })
}

/// The number of steps in the arguments of a Hugging Face trainer, if it was given one.
fn total_of(tag: &str, text: &str) -> Option<u64> {
    let args: serde_json::Value = (tag == "args/text_summary").then(|| serde_json::from_str(text).ok())??;
    args.get("max_steps")?.as_u64().filter(|steps| *steps > 0)
}

fn value(at: At, entry: &Entry<'_>, kind: Kind, sink: &mut dyn Sink) -> Result<()> {
    let tensor = || entry.tensor.and_then(summary::tensor);
    let tag = || String::from_utf8_lossy(entry.tag);
    match kind {
        Kind::Scalar(series) => match (tensor(), entry.simple) {
            // If there are both, the tensor is exact: see `write.rs`.
            (Some(Tensor::Number(value)), _) => sink.row(at, &[(series, value)]),
            (_, Some(value)) => sink.row(at, &[(series, f64::from(value))]),
            _ => Ok(()),
        },
        Kind::Text => match tensor() {
            Some(Tensor::Texts(texts)) => {
                let (tag, text) = (tag(), texts.join("\n"));
                if let Some(total) = total_of(&tag, &text) {
                    sink.total(total)?;
                }
                sink.text(at, &tag, &text)
            }
            _ => Ok(()),
        },
        Kind::Histogram => {
            let bins = match (entry.histogram.and_then(summary::histogram), entry.tensor) {
                (None, Some(_)) => match tensor() {
                    // Rows of lower edge, upper edge and count.
                    Some(Tensor::Numbers(numbers)) => numbers.as_chunks().0.to_vec(),
                    _ => Vec::new(),
                },
                (bins, _) => bins.unwrap_or_default(),
            };
            if bins.is_empty() { Ok(()) } else { sink.histogram(at, &tag(), &bins) }
        }
        Kind::Other => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_total_is_in_the_arguments_of_a_trainer() {
        assert_eq!(total_of("args/text_summary", r#"{"max_steps": 120, "lr": 0.1}"#), Some(120));
        for (tag, text) in [("args/text_summary", r#"{"max_steps": -1}"#), ("notes", r#"{"max_steps": 5}"#)] {
            assert_eq!(total_of(tag, text), None);
        }
    }

    #[test]
    fn hyperparameters_of_the_same_second_are_read_after_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["events.out.tfevents.1700000000.b", "1700000000.25/events.out.tfevents.1700000000.a"];
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let mut files = EventFiles::new(folder.path());
        files.look_for_more().unwrap();
        let opened: Vec<_> = files.files.iter().map(Tail::path).collect();
        assert_eq!(opened, names.map(|name| folder.path().join(name)));
    }
}
