//! Reports from a trainer to its keeper through a pipe, one JSON object per line: its phase, so that a crash can be
//! located, and how it ended.

use std::fs::File;
use std::io::{PipeReader, Read as _, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::file::readable;

/// What a trainer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Before any code of the plugin.
    #[default]
    Starting,
    /// Constructors and descriptors of the plugin are running.
    Loading,
    /// `create` is running.
    Creating,
    /// `run` is running.
    Running,
    /// `destroy` is running.
    Destroying,
    /// The log is being sealed.
    Finishing,
}

impl Phase {
    /// Returns a phrase that follows "it died".
    pub(crate) fn during(self) -> &'static str {
        match self {
            Self::Starting => "before the plugin was opened",
            Self::Loading => "while the plugin was opened",
            Self::Creating => "in create()",
            Self::Running => "in run()",
            Self::Destroying => "in destroy()",
            Self::Finishing => "while the log was sealed",
        }
    }
}

/// How training ended, as seen by the trainer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Finished,
    Stopped,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "lowercase")]
pub(crate) enum Report {
    Phase {
        phase: Phase,
    },
    /// Event lines that could not be written.
    Events {
        lines: String,
    },
    /// `exit()` was called by code other than the trainer.
    Exit,
    End {
        outcome: Outcome,
        message: Option<String>,
    },
}

/// Maximum length of a message: a pipe holds 64 KiB, and nobody reads before the end.
const MESSAGE_LIMIT: usize = 16 << 10;
/// Maximum size of event lines handed over; as JSON they may take half as much again.
pub(crate) const EVENTS_LIMIT: usize = 16 << 10;

/// The trainer's end of the pipe.
pub(crate) struct Reporter(pub(crate) File);

impl Reporter {
    /// Sends a report; ignores a keeper that is gone.
    pub(crate) fn send(&mut self, report: &Report) {
        let mut cut = report.clone();
        if let Report::End { message: Some(message), .. } = &mut cut {
            *message = crate::text::clean_bytes(message.as_bytes(), MESSAGE_LIMIT);
        }
        send(&mut self.0, &cut);
    }

    pub(crate) fn phase(&mut self, phase: Phase) {
        self.send(&Report::Phase { phase });
    }
}

/// Sends a message as a line; a dead peer is ignored.
pub(crate) fn send(mut to: impl Write, what: &impl Serialize) {
    if let Ok(mut line) = serde_json::to_vec(what) {
        line.push(b'\n');
        to.write_all(&line).ok();
    }
}

/// The reports received: the last phase, and the end if there was one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    pub(crate) phase: Phase,
    pub(crate) exit: bool,
    pub(crate) end: Option<(Outcome, Option<String>)>,
    pub(crate) events: String,
}

/// Parses reports; ignores what a plugin may have written into the pipe.
pub(crate) fn heard(bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    for line in bytes.split(|b| *b == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Report::Phase { phase }) => heard.phase = phase,
            Ok(Report::Events { lines }) => heard.events = lines,
            Ok(Report::Exit) => heard.exit = true,
            Ok(Report::End { outcome, message }) => heard.end = Some((outcome, message)),
            Err(_) => {}
        }
    }
    heard
}

/// Reads the reports that are in the pipe now. A leftover process may hold the other end, so does not wait for the end.
pub(crate) fn read_rest(mut pipe: PipeReader) -> Heard {
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    while out.len() < 256 << 10 {
        if !readable(&pipe, Duration::ZERO).unwrap_or(false) {
            break;
        }
        match pipe.read(&mut buffer) {
            Ok(n) if n > 0 => out.extend_from_slice(&buffer[..n]),
            _ => break,
        }
    }
    heard(&out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let mut reporter = Reporter(File::create(&path).unwrap());
        reporter.phase(Phase::Creating);
        assert_eq!(heard(&std::fs::read(&path).unwrap()).phase, Phase::Creating);
        reporter.0.write_all(b"noise\n").unwrap();
        reporter.phase(Phase::Running);
        reporter.send(&Report::End { outcome: Outcome::Failed, message: Some("x".repeat(100_000)) });
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() < 32 << 10);
        let heard = heard(&bytes);
        assert_eq!(heard.phase, Phase::Running);
        assert!(matches!(heard.end, Some((Outcome::Failed, Some(_)))));
    }
}
