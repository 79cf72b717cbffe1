//! The state of each entry of a study, derived from the runs' own folders.

use gradtop_host::Action;
use gradtop_store::{State, View};

use super::folder::Study;
use super::plan::Entry;
use super::schedule::{Job, Phase};
use gradtop_view::run::progress;

#[derive(Debug, Clone)]
pub(crate) enum EntryState {
    Open,
    /// The run is starting, running or paused.
    Alive(Box<View>),
    /// The run was stopped, failed or crashed.
    Ended(Box<View>),
    Finished(Box<View>),
    /// The run may be in progress on another machine, so it is left alone.
    Elsewhere(Box<View>),
    /// The run's folder cannot be read.
    Unreadable(String),
}

impl EntryState {
    /// Reads the newest run of an entry.
    pub(crate) fn of(study: &Study, entry: &Entry) -> Self {
        let Some(run) = study.attempts(entry).pop() else { return Self::Open };
        match gradtop_host::look(&run) {
            Ok(view) if view.state == State::Finished => Self::Finished(Box::new(view)),
            Ok(view) if view.state.is_final() => Self::Ended(Box::new(view)),
            Ok(view) if view.certain || view.job.is_some() => Self::Alive(Box::new(view)),
            Ok(view) => Self::Elsewhere(Box::new(view)),
            Err(why) => Self::Unreadable(format!("{}: {why:#}", run.path().display())),
        }
    }

    /// The run, if it can be read.
    pub(crate) fn view(&self) -> Option<&View> {
        match self {
            Self::Alive(view) | Self::Ended(view) | Self::Finished(view) | Self::Elsewhere(view) => {
                Some(view)
            }
            Self::Open | Self::Unreadable(_) => None,
        }
    }

    /// The share of the work that is done.
    pub(crate) fn share(&self) -> f64 {
        match self {
            Self::Finished(_) => 1.0,
            Self::Alive(view) | Self::Elsewhere(view) => share_of(view),
            Self::Ended(view) if goes_on(view) => share_of(view),
            _ => 0.0,
        }
    }

    /// The entry as a job of the schedule. `open`: this process may still start it; `speed`: how much longer everything takes
    /// than expected.
    pub(crate) fn job(&self, entry: &Entry, open: bool, speed: f64) -> Job {
        let left = entry.assumed_s() * speed * (1.0 - self.share());
        let eta = |view| progress::eta(view).filter(|s| s.is_finite() && *s >= 0.0);
        let phase = match self {
            Self::Alive(view) => Phase::Working(eta(view).unwrap_or(left)),
            Self::Open | Self::Ended(_) if open => Phase::Waiting(left),
            _ => Phase::Settled,
        };
        Job { threads: entry.threads, phase }
    }
}

fn share_of(view: &View) -> f64 {
    progress::of(view).map_or(0.0, |(done, total)| done as f64 / total.max(1) as f64).clamp(0.0, 1.0)
}

/// Returns whether an ended run can continue from a checkpoint.
pub(crate) fn goes_on(view: &View) -> bool {
    !gradtop_host::allowed(view, Action::Resume).is_err_and(|why| why.is_for_good())
}
