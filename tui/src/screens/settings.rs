//! View settings, kept between starts.

use serde::{Deserialize, Serialize};

use super::compare::settings::Settings as Compare;
use super::home::settings::Settings as Home;
use super::run::settings::Settings as Run;
use gradtop_chart::cells::theme::ThemeName;
use gradtop_view::picture::Picture;

/// Everything a viewer may set about how things look. Unknown or damaged parts of a file fall back to what is usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Colours.
    pub(crate) theme: ThemeName,
    /// The line for newcomers has been read.
    pub(crate) welcomed: bool,
    /// The terminal keeps the mouse, so that text can be selected.
    pub(crate) select: bool,
    /// The list of runs.
    pub(crate) home: Home,
    /// A run's charts.
    pub(crate) run: Run,
    /// Comparisons.
    pub(crate) compare: Compare,
    /// The chart that was looked at last, for commands.
    pub(crate) last: Option<Picture>,
}
