//! What keeper and sink of a command say to each other, one JSON line each.

use std::io::{Read as _, Write as _};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

/// Where a sink inherits the socket that it listens at.
pub(crate) const LISTENER: RawFd = 3;
/// The end of the command's descriptor 3.
pub(crate) const LINES: RawFd = 4;
/// The end of the command's output, for when nobody else is left to read it.
pub(crate) const CONSOLE: RawFd = 5;

/// The last argument of a sink: the command has begun, and another one recorded it before.
pub(crate) const BEGUN: &str = "begun";

/// From the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "keeper", rename_all = "lowercase")]
pub(crate) enum FromKeeper {
    /// The command was started.
    Started {
        /// Its process id.
        pid: u32,
        /// Its start time.
        start: u64,
    },
    /// It and all that it started have ended.
    Ended,
}

/// From the sink, beside what a trainer reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sink", rename_all = "lowercase")]
pub(crate) enum FromSink {
    /// The log is open: the command may start.
    Ready,
    /// Whether somebody in the command looks for requests.
    Listens {
        /// Somebody does.
        yes: bool,
    },
    /// The run has failed: the command shall end.
    Failing,
    /// A client has said that the work is done, or that it failed.
    Done {
        /// Why it failed.
        error: Option<String>,
    },
}

/// Says it; who is gone hears nothing.
pub(crate) fn say<T: Serialize>(mut stream: &UnixStream, what: &T) {
    if let Ok(mut line) = serde_json::to_vec(what) {
        line.push(b'\n');
        stream.write_all(&line).ok();
    }
}

/// Lines as they come.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Reads what is there, waiting for the first of it; the whole lines. `None`: there will be no more.
    pub(crate) fn read(&mut self, mut stream: &UnixStream) -> Option<Vec<Vec<u8>>> {
        let mut buffer = [0; 8 << 10];
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(n) => self.0.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
        let mut lines = Vec::new();
        while let Some(end) = self.0.iter().position(|b| *b == b'\n') {
            let rest = self.0.split_off(end + 1);
            lines.push(std::mem::replace(&mut self.0, rest));
        }
        Some(lines)
    }
}
