//! `control/`: what others ask of a run. Each request is a file, created whole.

use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::inside;
use crate::run_dir::RunDir;

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
    inside::replace(run, &path, &bytes, false).at("write", &path)
}

/// Reads what is asked. `Pause`, `Resume` and `Checkpoint` are removed and so answered once; `Stop` is read each time.
pub fn take_requests(run: &RunDir) -> Result<Vec<Request>> {
    let mut out = Vec::new();
    let stop = run.control().join("stop");
    match inside::read(run, &stop, inside::NOTE_LIMIT) {
        // Whatever the file holds, it asks for a stop: `touch control/stop` works too.
        Ok(bytes) => {
            let StopFile { grace_s } = serde_json::from_slice(&bytes).unwrap_or_default();
            out.push(Request::Stop { grace_s: grace_s.filter(|s| s.is_finite() && *s >= 0.0) });
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e).at("read", &stop),
    }
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

/// Takes back [`Request::Stop`], whoever asked for it: as with `Pause` and `Resume`, the last word counts. A trainer that
/// has already told its plugin asks for it again. `false`: there was none.
pub fn withdraw_stop(run: &RunDir) -> Result<bool> {
    remove(run, "stop")
}

/// Removes every request, `Stop` too: for a run about to start or to be resumed.
pub fn clear_control(run: &RunDir) -> Result<()> {
    for name in ["stop", "pause", "resume", "checkpoint"] {
        remove(run, name)?;
    }
    Ok(())
}

/// Removes a request. `false`: there was none.
fn remove(run: &RunDir, name: &str) -> Result<bool> {
    let path = run.control().join(name);
    inside::remove_file(run, &path).at("remove", &path)
}
