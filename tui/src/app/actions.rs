//! What can be done to runs, on which of them it makes sense, and what to ask first.

use gradtop_host::Action;
use gradtop_store::State;

use gradtop_view::runs::{RunId, RunRow};

/// Something done to runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunAction {
    /// Wait after the current step.
    Pause,
    /// Let a paused run go on, or continue an ended one from its last checkpoint.
    Resume,
    /// Save a checkpoint.
    Checkpoint,
    /// End the step, save a checkpoint, end.
    Stop,
    /// End at once.
    Kill,
    /// Delete the folder.
    Delete,
}

impl RunAction {
    /// `pause`, as in "cannot pause".
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Checkpoint => "checkpoint",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Delete => "delete",
        }
    }

    /// What was done, or will be, to `what`: `n` runs.
    pub(crate) fn done(self, what: &str, n: usize) -> String {
        let (is, goes, its) = if n == 1 { ("is", "goes", "its") } else { ("are", "go", "their") };
        match self {
            Self::Pause => format!("{what} will pause after {its} step"),
            Self::Resume => format!("{what} {goes} on"),
            Self::Checkpoint => format!("{what} will save a checkpoint after {its} step"),
            Self::Stop => format!("{what} {is} asked to stop"),
            Self::Kill => format!("{what} {is} killed"),
            Self::Delete => format!("{what} {is} deleted"),
        }
    }

    /// What the host knows it as.
    fn asked(self) -> Action {
        match self {
            Self::Pause => Action::Pause,
            Self::Resume => Action::Resume,
            Self::Checkpoint => Action::Checkpoint,
            Self::Stop => Action::Stop,
            Self::Kill => Action::Kill,
            Self::Delete => Action::Delete,
        }
    }

    /// Whether it is asked about first.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Stop | Self::Kill | Self::Delete)
    }

    /// Why it cannot be done to this run, if so.
    pub(crate) fn refused(self, run: &RunRow) -> Option<String> {
        let answer = match self {
            Self::Resume => run.resume.clone(),
            _ => gradtop_host::allowed(&run.view, self.asked()),
        };
        // Once more is no different here, where it cannot be given less time.
        if answer.is_ok() && self == Self::Stop && run.view.state == State::Stopping {
            return Some(format!("{} is stopping already", run.name()));
        }
        answer.err().map(|why| format!("{} {why}", run.name()))
    }
}

/// What a worker did, for the message line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActionResult {
    /// What to say.
    pub(crate) text: String,
    /// Whether it went wrong.
    pub(crate) failed: bool,
    /// The run that came of it, to put the cursor on.
    pub(crate) started: Option<RunId>,
}
