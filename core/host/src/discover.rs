//! Finding plugins.

use std::path::PathBuf;

use crate::desc::{ExperimentDesc, PluginDesc};
use crate::error::Refusal;

/// Why a folder is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `GRADTOP_PLUGINS` names it.
    Environment,
    /// The program lies there.
    Program,
    /// The user's data folder, where `plugin install` puts them.
    User,
}

impl Origin {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Environment => "GRADTOP_PLUGINS",
            Self::Program => "beside gradtop",
            Self::User => "installed",
        }
    }
}

/// A plugin that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPlugin {
    /// The file.
    pub path: PathBuf,
    /// Why it was looked for there.
    pub origin: Origin,
    /// What it offers.
    pub desc: PluginDesc,
}

/// An experiment hidden by an earlier one of the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// The experiment's id.
    pub experiment: String,
    /// The plugin that is not used for it.
    pub path: PathBuf,
    /// The plugin that is.
    pub by: PathBuf,
}

/// All that a search found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Discovery {
    /// Plugins, in the order searched.
    pub plugins: Vec<FoundPlugin>,
    /// Files that export an entry, or claim to be a library, and cannot be used.
    pub refused: Vec<(PathBuf, Refusal)>,
    /// Experiments that an earlier plugin has too.
    pub shadowed: Vec<Shadowed>,
}

impl Discovery {
    /// The experiment of that id, and its plugin: the first that has it.
    pub fn experiment(&self, id: &str) -> Option<(&FoundPlugin, &ExperimentDesc)> {
        self.plugins.iter().find_map(|p| p.desc.experiment(id).map(|(_, e)| (p, e)))
    }

    /// Every experiment that can be run, with its plugin; those shadowed are left out.
    pub fn experiments(&self) -> impl Iterator<Item = (&FoundPlugin, &ExperimentDesc)> {
        self.plugins
            .iter()
            .flat_map(|p| p.desc.experiments.iter().map(move |e| (p, e)))
            .filter(|(p, e)| !self.shadowed.iter().any(|s| s.experiment == e.id && s.path == p.path))
    }
}

/// The folders searched, in order: those of `GRADTOP_PLUGINS` (separated by `:`), the program's own, and
/// `$XDG_DATA_HOME/gradtop/plugins`. Never the current folder.
pub fn search_path() -> Vec<PathBuf> {
    Vec::new()
}

/// Searches the path and describes what it finds; blocks while a plugin is described, and up to 300 ms for a file that is
/// just being written.
pub fn discover() -> Discovery {
    Discovery::default()
}
