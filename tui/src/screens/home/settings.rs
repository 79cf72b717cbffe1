//! Persistent settings of the list of runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use gradtop_view::list::order::Sort;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// The order of the runs in a group.
    pub(crate) sort: Sort,
    /// The position of the pane.
    pub(crate) pane: Pane,
    /// Experiments whose runs are hidden.
    pub(crate) folded: BTreeSet<String>,
}

/// The position of the pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pane {
    #[default]
    Below,
    /// Beside the list, if there is room.
    Beside,
    Off,
}
