//! `control/`: what others ask of a run. Each request is a file, created whole.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::inside;
use crate::folder::run_dir::RunDir;

/// Something asked of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Request {
    /// Finish the step, save a checkpoint, end. Stays until [`clear_control`] or [`withdraw_stop`].
    Stop {
        /// Seconds until it is killed; `None` for the default.
        grace_s: Option<f64>,
    },
    /// Wait after this step.
    Pause,
    /// Go on.
    Resume,
    /// Save a checkpoint soon.
    Checkpoint,
}

#[derive(Serialize, Deserialize, Default)]
struct StopFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_s: Option<f64>,
}

const ONCE: [(&str, Request); 3] =
    [("pause", Request::Pause), ("resume", Request::Resume), ("checkpoint", Request::Checkpoint)];

/// Asks something of a run. A later `Pause` takes back a `Resume` not yet read, and the other way round.
///
/// # Errors
/// The disk does not take it.
pub fn request(run: &RunDir, request: Request) -> Result<()> {
    let dir = run.control();
    inside::create_dir_all(run, &dir).at("create", &dir)?;
    let (name, bytes) = match request {
        Request::Stop { grace_s } => {
            let text = serde_json::to_vec(&StopFile { grace_s }).format_at("encode", &dir)?;
            ("stop", text)
        }
        Request::Pause => ("pause", Vec::new()),
        Request::Resume => ("resume", Vec::new()),
        Request::Checkpoint => ("checkpoint", Vec::new()),
    };
    match request {
        Request::Pause => drop(remove(run, "resume")?),
        Request::Resume => drop(remove(run, "pause")?),
        _ => {}
    }
    let path = dir.join(name);
    if inside::is_dir(run, &path) {
        inside::remove_dir(run, &path).at("remove", &path)?;
    }
    inside::replace_public(run, &path, &bytes).at("write", &path)
}

/// The [`Request::Stop`] that is asked for. Whatever bears its name asks for one, even if it cannot be read:
/// `touch control/stop` works too.
///
/// # Errors
/// The folder of requests cannot be read.
pub fn stop_request(run: &RunDir) -> Result<Option<Request>> {
    let stop = run.control().join("stop");
    let StopFile { grace_s } = match inside::read(run, &stop, inside::NOTE_LIMIT) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(_) if inside::exists(run, &stop) => StopFile::default(),
        Err(e) => return Err(e).at("read", &stop),
    };
    Ok(Some(Request::Stop { grace_s: grace_s.filter(|s| s.is_finite() && *s >= 0.0) }))
}

/// Which file a [`Request::Stop`] is: one that is asked for anew is another. `None`: there is none.
pub fn stop_stamp(run: &RunDir) -> Option<(u64, SystemTime)> {
    let file = inside::entry(run, &run.control().join("stop")).ok()?;
    Some((file.inode, file.modified))
}

/// Reads what is asked. `Pause`, `Resume` and `Checkpoint` are removed and so answered once; `Stop` is read each time.
///
/// # Errors
/// The folder of requests cannot be read or emptied.
pub fn take_requests(run: &RunDir) -> Result<Vec<Request>> {
    let mut out: Vec<Request> = stop_request(run)?.into_iter().collect();
    for (name, request) in ONCE {
        // One that cannot be removed would be answered for ever.
        if remove(run, name).unwrap_or(false) {
            out.push(request);
        }
    }
    Ok(out)
}

/// What the event of a stop taken back says, see [`crate::Event::Request`].
pub const WITHDRAWN: &str = "withdraw the stop";

/// What the event says of whoever asked to end a run at once.
pub const KILL: &str = "kill";

/// Why a run has ended that was ended so.
pub const KILLED: &str = "killed on request";

/// Takes back [`Request::Stop`], whoever asked for it: as with `Pause` and `Resume`, the last word counts. A trainer that
/// has already told its plugin asks for it again. `false`: there was none.
///
/// # Errors
/// The request cannot be removed.
pub fn withdraw_stop(run: &RunDir) -> Result<bool> {
    remove(run, "stop")
}

/// Removes every request, `Stop` too: for a run about to start or to be resumed.
///
/// # Errors
/// The requests cannot be removed.
pub fn clear_control(run: &RunDir) -> Result<()> {
    for name in ["stop", "pause", "resume", "checkpoint"] {
        remove(run, name)?;
    }
    Ok(())
}

/// Removes a request, whatever it is. `false`: there was none.
fn remove(run: &RunDir, name: &str) -> Result<bool> {
    let path = run.control().join(name);
    inside::remove_dir(run, &path).at("remove", &path)
}
