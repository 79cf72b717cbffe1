//! What can be done to runs, on which of them it makes sense, and what to ask first.

pub(crate) use gradtop_host::Action as RunAction;
use gradtop_store::State;
use gradtop_view::runs::{RunId, RunRow};

/// What the monitor makes of an action.
pub(crate) trait Act {
    /// What was done, or will be, to `what`: `n` runs.
    fn done(self, what: &str, n: usize) -> String;
    /// Whether it is asked about first.
    fn asks(self) -> bool;
    /// Why it cannot be done to this run, if so.
    fn refused(self, run: &RunRow) -> Option<String>;
}

impl Act for RunAction {
    fn done(self, what: &str, n: usize) -> String {
        let (is, goes, its) = if n == 1 { ("is", "goes", "its") } else { ("are", "go", "their") };
        match self {
            Self::Pause => format!("pausing {what} after {its} current step"),
            Self::Resume | Self::Restart => format!("{what} {goes} on"),
            Self::Checkpoint => format!("{what} will save a checkpoint after {its} current step"),
            Self::Stop => format!("{what} {is} asked to stop"),
            Self::Kill => format!("{what} {is} killed"),
            Self::Delete => format!("{what} {is} deleted"),
            Self::Rename => format!("{what} {is} renamed"),
        }
    }

    fn asks(self) -> bool {
        matches!(self, Self::Stop | Self::Kill | Self::Delete)
    }

    fn refused(self, run: &RunRow) -> Option<String> {
        let answer = match self {
            Self::Resume => run.resume.clone(),
            _ => gradtop_host::allowed(&run.view, self),
        };
        // Once more is no different here, where it cannot be given less time.
        if answer.is_ok() && self == Self::Stop && run.view.state == State::Stopping {
            return Some(format!("{} is already stopping", run.name()));
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

impl ActionResult {
    /// It went well.
    pub(crate) fn done(text: String) -> Self {
        Self { text, failed: false, started: None }
    }

    /// It went wrong.
    pub(crate) fn failed(text: String) -> Self {
        Self { failed: true, ..Self::done(text) }
    }
}
