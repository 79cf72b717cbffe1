//! What the panes of a run show besides series: read on a worker thread, away from the screen.

use crate::app::runs::RunId;

/// What to read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PaneRequest {
    /// Of which run.
    pub(crate) run: RunId,
}

/// What was read.
#[derive(Clone, Debug)]
pub(crate) struct PaneSnapshot {
    /// Of which run.
    pub(crate) run: RunId,
}

/// Reads it. Blocks; runs on a worker thread.
pub(crate) fn read(request: &PaneRequest) -> PaneSnapshot {
    PaneSnapshot { run: request.run.clone() }
}
