//! What is kept of the list of runs between starts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use gradtop_view::order::Sort;

/// What is kept between starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// How the runs of a group are sorted.
    pub(crate) sort: Sort,
    /// Where the cursor's run is shown.
    pub(crate) pane: Pane,
    /// Experiments whose runs are not shown.
    pub(crate) folded: BTreeSet<String>,
}

/// Where the cursor's run is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pane {
    /// Below the list.
    #[default]
    Below,
    /// Beside the list, where there is room.
    Beside,
    /// Nowhere.
    Off,
}
