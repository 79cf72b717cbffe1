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
    /// Whether there is no such folder.
    pub missing: bool,
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
        Self { folder, loaded: true, missing: false, rows, unreadable, places }
    }

    /// Returns the GPUs of this machine that are in use by runs, by UUID.
    pub fn gpus(&self) -> Vec<String> {
        let here = self.rows.iter().filter(|r| r.live() && r.view.certain);
        let on = here.filter_map(|r| r.view.status.gpu.clone());
        on.collect::<std::collections::BTreeSet<String>>().into_iter().collect()
    }

    /// Returns the new ids of runs that have moved to another folder since an earlier snapshot: within the queue, out of
    /// it, or to another name.
    pub fn moved_since(&self, before: &Self) -> HashMap<RunId, RunId> {
        let mut gone: Vec<_> = before.rows.iter().filter(|row| self.get(&row.id).is_none()).collect();
        let new = self.rows.iter().filter(|row| !gone.is_empty() && before.get(&row.id).is_none());
        let mut new: Vec<_> = new.collect();
        let mut moved = HashMap::new();
        let named = |a: &RunRow, b: &RunRow| a.name() == b.name();
        let created = |a: &RunRow, b: &RunRow| a.view.manifest.created == b.view.manifest.created;
        for alike in [named, created] {
            let same = |a: &RunRow, b: &RunRow| a.experiment() == b.experiment() && alike(a, b);
            new.retain(|now| {
                let mut all = (0..gone.len()).filter(|at| same(gone[*at], now));
                // Imported runs may all have been created at the same time.
                let (Some(only), None) = (all.next(), all.next()) else { return true };
                moved.insert(gone.swap_remove(only).id.clone(), now.id.clone());
                false
            });
        }
        moved
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::{State, view};
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::*;

    #[test]
    fn a_renamed_run_is_the_same_run() {
        let mut fixtures = RunFixtures::new();
        let dirs = [("a", 3), ("b", 2)]
            .map(|(name, minutes)| fixtures.make(&run("fit", name, minutes).losses().at(State::Finished, 1)));
        let snapshot = |dirs: &[RunDir]| {
            let row = |dir: &RunDir| Arc::new(RunRow::of(view(dir).unwrap()));
            RunsSnapshot::new("runs".into(), dirs.iter().map(row).collect(), Vec::new())
        };
        let before = snapshot(&dirs);
        let five = gradtop_host::rename(&dirs[0], "five").unwrap();
        let after = snapshot(&[five.clone(), dirs[1].clone()]);
        assert_eq!(after.moved_since(&before), [(RunId::new(&dirs[0]), RunId::new(&five))].into());
        assert_eq!(snapshot(&dirs[1..]).moved_since(&before), HashMap::new(), "it was deleted");
    }
}
