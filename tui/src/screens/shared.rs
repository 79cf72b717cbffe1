//! What all screens look at.

use std::path::PathBuf;
use std::sync::Arc;

use gradtop_host::{Discovery, Origin};
use jiff::Timestamp;
use ratatui::layout::Rect;

use super::experiments::form::Form;
use super::settings::Settings;
use crate::config::LaunchDefaults;
use crate::widgets::Turns;
use gradtop_chart::cells::theme::Theme;
use gradtop_view::live::LiveSnapshot;
use gradtop_view::runs::RunsSnapshot;

/// The plugins at one moment.
#[derive(Debug, Default)]
pub(crate) struct PluginsSnapshot {
    /// False until they have been looked for.
    pub(crate) loaded: bool,
    /// What was found. A file that changed keeps its old description until it has a new one.
    pub(crate) found: Discovery,
    /// New and changed files that are being looked at.
    pub(crate) pending: Vec<(PathBuf, Origin)>,
    /// Where they are looked for.
    pub(crate) folders: Vec<PathBuf>,
}

/// What the machine does, all its processes together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    /// How many processors are busy, on average since the last look.
    pub(crate) busy: f64,
    /// How many there are.
    pub(crate) processors: usize,
    /// Memory in use, in bytes.
    pub(crate) memory_used: f64,
    /// Memory there is, in bytes.
    pub(crate) memory_total: f64,
    /// Use of the GPUs that runs of this machine are on, in percent, as far as it is known.
    pub(crate) gpu_percent: Vec<f64>,
}

/// What every screen may read; only settings are theirs to change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    /// The runs.
    pub(crate) runs: Arc<RunsSnapshot>,
    /// The plugins.
    pub(crate) plugins: Arc<PluginsSnapshot>,
    /// The data that is watched.
    pub(crate) live: Arc<LiveSnapshot>,
    /// How things look.
    pub(crate) theme: Theme,
    /// How the viewer likes things.
    pub(crate) settings: Settings,
    /// The time, as of the last tick.
    pub(crate) now: Timestamp,
    /// What the machine does, while something runs.
    pub(crate) machine: Option<Machine>,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// What a run is started with.
    pub(crate) launch: LaunchDefaults,
    /// Forms that were left with something typed.
    pub(crate) drafts: Vec<Form>,
    /// How far what is on the terminal is behind, where that is worth telling.
    pub(crate) behind: Option<std::time::Duration>,
    /// Which charts are drawn anew.
    pub(crate) turns: Turns,
    /// Where the screen is drawn, between header and footer.
    pub(crate) area: Rect,
}
