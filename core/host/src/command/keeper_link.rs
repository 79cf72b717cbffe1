//! The protocol between a command's keeper and its sink, one JSON object per line.

use std::io::Read as _;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

/// The descriptor of the sink's listening socket.
pub(crate) const LISTENER: RawFd = 3;
/// The descriptor of the other end of the command's descriptor 3.
pub(crate) const LINES: RawFd = 4;
/// The descriptor of the command's output, for when nobody else is left to read it.
pub(crate) const CONSOLE: RawFd = 5;

/// The last argument of a sink that replaces another one.
pub(crate) const BEGUN: &str = "begun";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "keeper", rename_all = "lowercase")]
pub(crate) enum FromKeeper {
    /// The command was started.
    Started { pid: u32, start: u64 },
    /// The command and all processes it started have ended.
    Ended {
        /// Whether none was killed, so that what they wrote is complete.
        by_themselves: bool,
    },
    /// The run is killed on request: do not wait for the disk any longer.
    GiveUp,
}

/// Messages of the sink, in addition to those of a trainer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sink", rename_all = "lowercase")]
pub(crate) enum FromSink {
    /// The log is open, so the command may start.
    Ready,
    /// A client has started or stopped checking for requests.
    Listens {
        /// Whether any client does.
        yes: bool,
    },
    /// The run has failed, so the command must end.
    Failing,
    /// A client reported that the work is done or has failed.
    Done {
        /// The reason, if it failed.
        error: Option<String>,
    },
}

/// Collects lines from a stream.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Reads the available bytes, waiting for the first, and returns the complete lines. `None` at the end of the stream.
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
