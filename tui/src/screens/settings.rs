//! Persistent settings of the monitor.

use serde::{Deserialize, Serialize};

use super::compare::settings::Settings as Compare;
use super::home::settings::Settings as Home;
use super::run::settings::Settings as Run;
use gradtop_chart::cells::theme::ThemeName;
use gradtop_view::chart_spec::ChartSpec;

/// The settings. Unknown or damaged parts of the file fall back to their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) theme: ThemeName,
    /// Whether the welcome message has been seen.
    pub(crate) welcomed: bool,
    /// The terminal keeps the mouse, so that text can be selected.
    pub(crate) select: bool,
    pub(crate) home: Home,
    pub(crate) run: Run,
    pub(crate) compare: Compare,
    /// The chart that was shown last, for `gradtop plot --view last`.
    pub(crate) last: Option<ChartSpec>,
}
