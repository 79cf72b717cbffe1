//! Live data of runs: read in the background, handed over as snapshots.

use std::sync::Arc;

use crate::app::runs::RunId;

/// What a screen needs of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WatchRequest {
    /// Which run.
    pub(crate) run: RunId,
}

/// All data there is at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveSnapshot {}

/// Reads what is watched, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Engine {}

impl Engine {
    /// Starts it; `send` gets each new snapshot and says whether anybody listens still.
    pub(crate) fn start(_send: impl Fn(Arc<LiveSnapshot>) -> bool + Send + 'static) -> Self {
        Self {}
    }

    /// What to read from now on, instead of what was asked for before.
    pub(crate) fn watch(&self, _requests: Vec<WatchRequest>) {}
}
