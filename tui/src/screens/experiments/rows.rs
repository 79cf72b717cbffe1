//! The lines of the list: usable experiments, then everything else with the reason.

use std::path::{Path, PathBuf};

use gradtop_host::{ExperimentDesc, FoundPlugin, Refusal};

use crate::screens::shared::PluginsSnapshot;

/// A line of the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    /// A usable experiment.
    Ready(&'a FoundPlugin, &'a ExperimentDesc),
    /// An experiment hidden by a plugin found earlier.
    Shadowed(&'a FoundPlugin, &'a ExperimentDesc, &'a Path),
    /// A file that cannot be used.
    Refused(&'a Path, &'a Refusal),
    /// A file that is still being described.
    Pending(&'a Path),
}

/// Identifies a line while others appear and disappear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    path: PathBuf,
    experiment: String,
}

impl Row<'_> {
    pub(super) fn key(&self) -> Key {
        Key { path: self.path().to_owned(), experiment: self.id().to_owned() }
    }

    /// The experiment's id; empty if unknown.
    pub(super) fn id(&self) -> &str {
        match self {
            Row::Ready(_, e) | Row::Shadowed(_, e, _) => &e.id,
            _ => "",
        }
    }

    /// The plugin's file.
    pub(super) fn path(&self) -> &Path {
        match self {
            Row::Ready(p, _) | Row::Shadowed(p, ..) => &p.path,
            Row::Refused(path, _) | Row::Pending(path) => path,
        }
    }

    /// The name of the plugin's file.
    pub(super) fn file(&self) -> String {
        crate::print::clean(&self.path().file_name().unwrap_or_default().to_string_lossy())
    }
}

/// All lines: usable experiments first, in search order.
pub(super) fn rows(plugins: &PluginsSnapshot) -> Vec<Row<'_>> {
    let found = &plugins.found;
    let mut rows: Vec<Row<'_>> = found.experiments().map(|(p, e)| Row::Ready(p, e)).collect();
    rows.extend(plugins.pending.iter().map(|(path, _)| Row::Pending(path)));
    for hidden in &found.shadowed {
        let plugin = found.plugins.iter().find(|p| p.path == hidden.path);
        if let Some((plugin, (_, e))) = plugin.and_then(|p| Some((p, p.desc.experiment(&hidden.experiment)?)))
        {
            rows.push(Row::Shadowed(plugin, e, &hidden.by));
        }
    }
    rows.extend(found.refused.iter().map(|(path, why)| Row::Refused(path, why)));
    rows
}
