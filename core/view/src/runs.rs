//! The runs as shown by screens.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradtop_host::Why;
use gradtop_store::{RunDir, View, follow_run};

/// Identifies a run by its folder. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Arc<Path>);

impl RunId {
    /// Creates the id of the run in this folder.
    pub fn new(dir: &RunDir) -> Self {
        Self(dir.path().into())
    }

    /// Returns the run's folder.
    pub fn dir(&self) -> RunDir {
        RunDir::new(&*self.0)
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Manifest, status and derived state.
    pub view: View,
    /// Whether it can be resumed, which requires reading its folder.
    pub resume: Result<(), Why>,
}

impl RunRow {
    /// Creates the row of a run.
    pub fn of(view: View) -> Self {
        let resume = gradtop_host::allowed(&view, gradtop_host::Action::Resume);
        Self { id: RunId::new(&view.dir), view, resume }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.view.manifest.run
    }

    /// Returns its experiment's id.
    pub fn experiment(&self) -> &str {
        &self.view.manifest.experiment.id
    }

    /// Returns whether it is still active, as far as known.
    pub fn live(&self) -> bool {
        !self.view.state.is_final()
    }
}

/// All runs at one moment, newest first.
#[derive(Clone, Debug, Default)]
pub struct RunsSnapshot {
    /// Their folder.
    pub folder: PathBuf,
    /// Whether the folder has been read at least once.
    pub loaded: bool,
    /// The runs.
    pub rows: Vec<Arc<RunRow>>,
    /// Folders that look like runs but cannot be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
    places: HashMap<RunId, usize>,
}

impl RunsSnapshot {
    /// Creates a snapshot of these runs, sorted newest first.
    pub fn new(folder: PathBuf, mut rows: Vec<Arc<RunRow>>, unreadable: Vec<(PathBuf, String)>) -> Self {
        rows.sort_by(|a, b| {
            let created = |r: &RunRow| r.view.manifest.created;
            created(b).cmp(&created(a)).then_with(|| a.id.cmp(&b.id))
        });
        let places = rows.iter().enumerate().map(|(i, r)| (r.id.clone(), i)).collect();
        Self { folder, loaded: true, rows, unreadable, places }
    }

    /// Returns the GPUs of this machine that are in use by runs, by UUID.
    pub fn gpus(&self) -> Vec<String> {
        let here = self.rows.iter().filter(|r| r.live() && r.view.certain);
        let on = here.filter_map(|r| r.view.status.gpu.clone());
        on.collect::<std::collections::BTreeSet<String>>().into_iter().collect()
    }

    /// Returns the new ids of runs that have moved to another folder since an earlier snapshot: within the queue, or out
    /// of it.
    pub fn moved_since(&self, before: &Self) -> HashMap<RunId, RunId> {
        let name = |row: &RunRow| (row.experiment().to_owned(), row.name().to_owned());
        let gone = before.rows.iter().filter(|row| self.get(&row.id).is_none());
        let mut gone: HashMap<_, _> = gone.map(|row| (name(row), row.id.clone())).collect();
        let new = self.rows.iter().filter(|row| !gone.is_empty() && before.get(&row.id).is_none());
        let found: Vec<_> = new.map(|row| (name(row), row.id.clone())).collect();
        found.into_iter().filter_map(|(name, now)| Some((gone.remove(&name)?, now))).collect()
    }

    /// Acts on a run of this snapshot in its current folder: it may have left the queue since.
    ///
    /// # Errors
    /// What `act` returns for the run in its last folder.
    pub fn follow<T, E>(&self, id: &RunId, mut act: impl FnMut(&RunDir) -> Result<T, E>) -> Result<T, E> {
        match self.get(id) {
            Some(row) => follow_run(&id.dir(), row.experiment(), act),
            None => act(&id.dir()),
        }
    }

    /// Returns the run with that id.
    pub fn get(&self, id: &RunId) -> Option<&Arc<RunRow>> {
        self.places.get(id).and_then(|i| self.rows.get(*i))
    }
}
