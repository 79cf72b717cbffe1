//! View settings, kept between starts.

use serde::{Deserialize, Serialize};

use crate::screens::{compare, experiments, home, run};
use gradtop_chart::cells::theme::ThemeName;

/// Everything a viewer may set about how things look. Unknown or damaged parts of a file fall back to what is usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// Colours.
    pub(crate) theme: ThemeName,
    /// The line for newcomers has been read.
    pub(crate) welcomed: bool,
    /// The list of runs.
    pub(crate) home: home::Settings,
    /// A run's charts.
    pub(crate) run: run::Settings,
    /// Comparisons.
    pub(crate) compare: compare::Settings,
    /// The list of experiments and its form.
    pub(crate) experiments: experiments::Settings,
}
