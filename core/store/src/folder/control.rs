//! `control/`: requests to a run. Each request is a file, created atomically.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::run_dir::RunDir;

/// A request to a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Request {
    /// Finish the step, save a checkpoint and end. Remains until [`clear_control`] or [`withdraw_stop`].
    Stop {
        /// Seconds until the run is killed; `None` for the default.
        grace_s: Option<f64>,
    },
    /// Pause after this step.
    Pause,
    /// Continue after a pause.
    Resume,
    /// Save a checkpoint soon.
    Checkpoint,
}

#[derive(Serialize, Deserialize, Default)]
struct StopFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_s: Option<f64>,
}

/// The requests that are answered once.
const ONCE: [Request; 3] = [Request::Pause, Request::Resume, Request::Checkpoint];
const STOP: &str = "stop";

impl Request {
    /// Returns the name of its file, which is what events call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop { .. } => STOP,
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// Makes a request. A later `Pause` cancels an unread `Resume`, and the other way round.
///
/// # Errors
/// The request cannot be written.
pub fn request(run: &RunDir, request: Request) -> Result<()> {
    let dir = run.control();
    inside::create_dir_all(run, &dir).at("create", &dir)?;
    let mut bytes = Vec::new();
    match request {
        Request::Stop { grace_s } => {
            bytes = serde_json::to_vec(&StopFile { grace_s }).format_at("encode", &dir)?;
        }
        Request::Pause => drop(remove(run, Request::Resume.word())?),
        Request::Resume => drop(remove(run, Request::Pause.word())?),
        Request::Checkpoint => {}
    }
    let path = dir.join(request.word());
    if inside::is_dir(run, &path) {
        inside::remove_dir(run, &path).at("remove", &path)?;
    }
    inside::replace_public(run, &path, &bytes).at("write", &path)
}

/// Returns the pending [`Request::Stop`]. Any file of that name counts, even if it cannot be parsed, so that `touch
/// control/stop` works.
///
/// # Errors
/// The folder of requests cannot be read.
pub fn stop_request(run: &RunDir) -> Result<Option<Request>> {
    let stop = run.control().join(STOP);
    let StopFile { grace_s } = match inside::read(run, &stop, inside::NOTE_LIMIT) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(_) if inside::exists(run, &stop) => StopFile::default(),
        Err(e) => return Err(e).at("read", &stop),
    };
    Ok(Some(Request::Stop { grace_s: grace_s.filter(|s| s.is_finite() && *s >= 0.0) }))
}

/// Identifies the file of a [`Request::Stop`], so that a repeated request can be told apart. `None` if there is none.
pub fn stop_stamp(run: &RunDir) -> Option<(u64, SystemTime)> {
    let file = inside::entry(run, &run.control().join(STOP)).ok()?;
    Some((file.inode, file.modified))
}

/// Reads the pending requests. `Pause`, `Resume` and `Checkpoint` are removed, so they are answered once; `Stop` stays.
///
/// # Errors
/// The folder of requests cannot be read or emptied.
pub fn take_requests(run: &RunDir) -> Result<Vec<Request>> {
    let mut out: Vec<Request> = stop_request(run)?.into_iter().collect();
    for request in ONCE {
        // A request that cannot be removed would be answered forever.
        if remove(run, request.word()).unwrap_or(false) {
            out.push(request);
        }
    }
    Ok(out)
}

/// The text of the event for a cancelled stop, see [`crate::Event::Request`].
pub const WITHDRAWN: &str = "withdraw the stop";

/// The text of the event for a request to end a run at once.
pub const KILL: &str = "kill";

/// The cause of a run that was ended by such a request.
pub const KILLED: &str = "killed on request";

/// Cancels [`Request::Stop`], whoever made it: as with `Pause` and `Resume`, the last request counts. A trainer that
/// has already notified its plugin makes the request again. Returns `false` if there was none.
///
/// # Errors
/// The request cannot be removed.
pub fn withdraw_stop(run: &RunDir) -> Result<bool> {
    remove(run, STOP)
}

/// Removes all requests, including `Stop`, for a run that is about to start or resume.
///
/// # Errors
/// The requests cannot be removed.
pub fn clear_control(run: &RunDir) -> Result<()> {
    for name in ONCE.map(Request::word).into_iter().chain([STOP]) {
        remove(run, name)?;
    }
    Ok(())
}

/// Removes a request. Returns `false` if there was none.
fn remove(run: &RunDir, name: &str) -> Result<bool> {
    let path = run.control().join(name);
    inside::remove_dir(run, &path).at("remove", &path)
}
