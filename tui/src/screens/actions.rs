//! Actions on runs: when they are possible, and what to ask first.

pub(crate) use gradtop_host::Action as RunAction;
use gradtop_store::State;
use gradtop_view::runs::RunRow;

/// What the monitor does about an action.
pub(crate) trait Act {
    /// Describes what was done to `what`, which are `n` runs.
    fn done(self, what: &str, n: usize) -> String;
    /// Returns whether the user must confirm it.
    fn asks(self) -> bool;
    /// Returns why the action is not possible for this run, if so.
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
        // Stopping again is pointless here, since the grace period cannot be changed.
        if answer.is_ok() && self == Self::Stop && run.view.state == State::Stopping {
            return Some(format!("{} is already stopping", run.name()));
        }
        answer.err().map(|why| format!("{} {why}", run.name()))
    }
}
