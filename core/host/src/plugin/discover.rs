//! Finding plugins.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::Refusal;
use crate::plugin::desc::{ExperimentDesc, PluginDesc};

/// Why a folder is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Named in `GRADTOP_PLUGINS`.
    Environment,
    /// The folder of this program.
    Program,
    /// The user's data folder, where `plugin install` puts plugins.
    User,
}

impl Origin {
    /// Returns the name for display.
    pub fn word(self) -> &'static str {
        match self {
            Self::Environment => "GRADTOP_PLUGINS",
            Self::Program => "beside gradtop",
            Self::User => "installed",
        }
    }
}

/// A usable plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPlugin {
    /// The file.
    pub path: PathBuf,
    /// Why its folder was searched.
    pub origin: Origin,
    /// Its description.
    pub desc: PluginDesc,
}

/// An experiment hidden by an earlier one with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// The experiment's id.
    pub experiment: String,
    /// The plugin whose experiment is hidden.
    pub path: PathBuf,
    /// The plugin that is used instead.
    pub by: PathBuf,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Discovery {
    /// Plugins, in search order.
    pub plugins: Vec<FoundPlugin>,
    /// Files that export an entry or claim to be a library but cannot be used.
    pub refused: Vec<(PathBuf, Refusal)>,
    /// Experiments hidden by earlier plugins.
    pub shadowed: Vec<Shadowed>,
}

impl Discovery {
    /// Returns the first experiment with that id and its plugin.
    pub fn experiment(&self, id: &str) -> Option<(&FoundPlugin, &ExperimentDesc)> {
        self.plugins.iter().find_map(|p| p.desc.experiment(id).map(|(_, e)| (p, e)))
    }

    /// Returns all experiments with their plugins, without hidden ones.
    pub fn experiments(&self) -> impl Iterator<Item = (&FoundPlugin, &ExperimentDesc)> {
        self.plugins
            .iter()
            .flat_map(|p| p.desc.experiments.iter().map(move |e| (p, e)))
            .filter(|(p, e)| !self.shadowed.iter().any(|s| s.experiment == e.id && s.path == p.path))
    }
}

/// How long a new or changed file must be unchanged before it is described: a linker writes for a while.
pub(crate) const REST: Duration = Duration::from_millis(300);

/// Returns the folders to search, in order: those of `GRADTOP_PLUGINS` (separated by `:`), the program's own, and
/// `$XDG_DATA_HOME/gradtop/plugins`. Never the current folder.
pub fn search_path() -> Vec<PathBuf> {
    folders().into_iter().map(|(folder, _)| folder).collect()
}

/// Returns the folder where `plugin install` puts plugins, `$XDG_DATA_HOME/gradtop/plugins`. `None` without a data folder.
pub fn installed_plugins() -> Option<PathBuf> {
    Some(crate::machine::dirs::data_dir()?.join("plugins"))
}

pub(crate) fn folders() -> Vec<(PathBuf, Origin)> {
    let mut out: Vec<(PathBuf, Origin)> = Vec::new();
    // A relative path would depend on the current folder.
    let mut add = |folder: PathBuf, origin| {
        if folder.is_absolute() && !out.iter().any(|(f, _)| *f == folder) {
            out.push((folder, origin));
        }
    };
    if let Some(set) = std::env::var_os("GRADTOP_PLUGINS") {
        std::env::split_paths(&set).for_each(|f| add(f, Origin::Environment));
    }
    if let Some(own) = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.to_owned())) {
        add(own, Origin::Program);
    }
    if let Some(installed) = installed_plugins() {
        add(installed, Origin::User);
    }
    out
}

/// Searches for plugins and describes them. Blocks while a plugin is described, and briefly if a file is just being written.
pub fn discover() -> Discovery {
    discover_in(&folders(), None)
}

/// Like [`discover`], but if one of the wanted experiments is missing, asks previously refused plugins again.
pub fn discover_for<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Discovery {
    let now = SystemTime::now();
    let found = discover();
    let all = wanted.into_iter().all(|id| found.experiment(id).is_some());
    if all || found.refused.is_empty() { found } else { discover_in(&folders(), Some(now)) }
}

/// Returns the library files in these folders, in search order.
pub(crate) fn files(folders: &[(PathBuf, Origin)]) -> Vec<(PathBuf, Origin)> {
    let mut files: Vec<(PathBuf, Origin)> = Vec::new();
    for (folder, origin) in folders {
        let mut here: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "so") && p.is_file())
            .collect();
        here.sort();
        for path in here {
            // A file that is reachable through two folders is one plugin.
            let known = |other: &(PathBuf, Origin)| other.0.canonicalize().ok() == path.canonicalize().ok();
            if !files.iter().any(known) {
                files.push((path, *origin));
            }
        }
    }
    files
}

/// Discovers plugins, ignoring refusals from before `since`.
fn discover_in(folders: &[(PathBuf, Origin)], since: Option<SystemTime>) -> Discovery {
    let files = files(folders);
    // Describe a few at a time: opening libtorch mostly waits for the disk.
    let mut found = Discovery::default();
    for some in files.chunks(4) {
        let described = std::thread::scope(|scope| {
            let begin = |path| std::thread::Builder::new().spawn_scoped(scope, move || settled(path, since));
            let threads: Vec<_> = some.iter().map(|(path, _)| begin(path)).collect();
            // If no thread can be started, describe one after the other.
            let ends = threads.into_iter().zip(some).map(|(thread, (path, _))| match thread {
                Ok(thread) => thread.join(),
                Err(_) => Ok(settled(path, since)),
            });
            ends.collect::<Vec<_>>()
        });
        for ((path, origin), result) in some.iter().zip(described) {
            let result = result
                .unwrap_or_else(|_| Err(Refusal::Internal("gradtop failed while describing it".to_owned())));
            take(&mut found, path, *origin, result);
        }
    }
    found
}

/// Adds the next file's description or refusal.
pub(crate) fn take(found: &mut Discovery, path: &Path, origin: Origin, answer: Result<PluginDesc, Refusal>) {
    match answer {
        Ok(desc) => {
            for experiment in &desc.experiments {
                if let Some((first, _)) = found.experiment(&experiment.id) {
                    let by = first.path.clone();
                    let (experiment, path) = (experiment.id.clone(), path.to_owned());
                    found.shadowed.push(Shadowed { experiment, path, by });
                }
            }
            found.plugins.push(FoundPlugin { path: path.to_owned(), origin, desc });
        }
        // Other libraries may lie in the same folder.
        Err(Refusal::NoEntry) => {}
        Err(refusal) => found.refused.push((path.to_owned(), refusal)),
    }
}

/// Returns how long ago a file was modified.
pub(crate) fn age(path: &Path) -> Option<Duration> {
    std::fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

/// Describes a file once its size and modification time are stable.
fn settled(path: &Path, since: Option<SystemTime>) -> Result<PluginDesc, Refusal> {
    // Ten times at most: a file that keeps changing is described as it is.
    for _ in 0..10 {
        let Ok(before) = crate::machine::file::identity(path) else { break };
        let Some(age) = age(path) else { break };
        if age >= REST {
            break;
        }
        std::thread::sleep(REST.saturating_sub(age));
        if crate::machine::file::identity(path).is_ok_and(|now| now == before) {
            break;
        }
    }
    crate::plugin::describe::describe_since(path, since)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn folders_that_are_no_place_are_left_out() {
        assert!(search_path().iter().all(|p| p.is_absolute()));
    }

    #[test]
    fn what_is_no_library_is_refused_and_other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text.so"), "hello").unwrap();
        std::fs::write(dir.path().join("notes.txt"), "hello").unwrap();
        std::fs::create_dir(dir.path().join("folder.so")).unwrap();
        let found = discover_in(&[(dir.path().to_owned(), Origin::User)], None);
        assert_eq!(found.refused, vec![(dir.path().join("text.so"), Refusal::NotElf)]);
        assert!(found.plugins.is_empty());
    }
}
