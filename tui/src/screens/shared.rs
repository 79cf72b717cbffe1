//! The state that all screens share.

use std::path::PathBuf;
use std::sync::Arc;

use gradtop_host::{Discovery, Origin};
use gradtop_store::State;
use jiff::Timestamp;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::experiments::form::Form;
use super::settings::Settings;
use crate::config::LaunchDefaults;
use crate::widgets::Turns;
use gradtop_chart::cells::theme::Theme;
use gradtop_view::live::LiveSnapshot;
use gradtop_view::run::state;
use gradtop_view::runs::RunsSnapshot;

/// The plugins at one moment.
#[derive(Debug, Default)]
pub(crate) struct PluginsSnapshot {
    /// Whether the search has finished.
    pub(crate) loaded: bool,
    /// The plugins found. A file that has changed keeps its old description until the new one is known.
    pub(crate) found: Discovery,
    /// New and changed files that are still being described.
    pub(crate) pending: Vec<(PathBuf, Origin)>,
    /// The search path.
    pub(crate) folders: Vec<PathBuf>,
}

/// The load of the machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    /// The average number of busy processors since the previous measurement.
    pub(crate) busy: f64,
    /// The number of processors.
    pub(crate) processors: usize,
    /// Used memory, in bytes.
    pub(crate) memory_used: f64,
    /// Total memory, in bytes.
    pub(crate) memory_total: f64,
    /// The utilization of GPUs with local runs, in percent, as far as known.
    pub(crate) gpu_percent: Vec<f64>,
}

/// The shared state. Screens change nothing but settings and drafts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub(crate) runs: Arc<RunsSnapshot>,
    pub(crate) plugins: Arc<PluginsSnapshot>,
    /// The data of the watched series.
    pub(crate) live: Arc<LiveSnapshot>,
    pub(crate) theme: Theme,
    pub(crate) settings: Settings,
    /// The time of the last tick.
    pub(crate) now: Timestamp,
    /// The load of the machine, while something runs.
    pub(crate) machine: Option<Machine>,
    /// Whether all changes are refused.
    pub(crate) read_only: bool,
    /// Whose logs are shown, instead of runs that are started here.
    pub(crate) opened: Option<PathBuf>,
    /// The default options of new runs.
    pub(crate) launch: LaunchDefaults,
    /// Forms that were closed with edits.
    pub(crate) drafts: Vec<Form>,
    /// How far the screen is behind, if that is worth reporting.
    pub(crate) behind: Option<std::time::Duration>,
    /// Which charts may be redrawn.
    pub(crate) turns: Turns,
    /// The area of the screen, between header and footer.
    pub(crate) area: Rect,
}

impl Shared {
    /// Returns the symbol of a state.
    pub(crate) fn state_glyph(&self, state: State) -> char {
        state::glyph_in(state, self.theme.ascii())
    }

    /// Returns the style of a state.
    pub(crate) fn state_style(&self, state: State) -> Style {
        self.theme.ink(state::ink(state))
    }

    /// Replaces signs and mathematical symbols that the terminal cannot show.
    pub(crate) fn signs(&self, text: &str) -> String {
        if self.theme.ascii() { crate::print::plain(text) } else { text.to_owned() }
    }
}
