//! What is derived from the runs and their data, computed on every change instead of every frame.

use std::sync::Arc;

use crate::screens::charts::Shown;
use crate::screens::shared::Shared;
use gradtop_view::compare::table::ComparisonTable;
use gradtop_view::compare::{ComparedRun, Facet, GroupBy, RunGroup, facets, groups};
use gradtop_view::runs::RunId;

/// Everything to be shown, without its position.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    /// The existing runs.
    pub(super) runs: Vec<ComparedRun>,
    /// The lines of the charts.
    pub(super) groups: Vec<RunGroup>,
    pub(super) facets: Vec<Facet>,
    pub(super) table: ComparisonTable,
    /// The order of the table's rows.
    pub(super) order: Vec<usize>,
    /// The number of deleted runs.
    pub(super) gone: usize,
    /// Whether all has been read.
    pub(super) read: bool,
}

impl Compared {
    /// The comparison, with rows in no particular order.
    pub(super) fn new(shared: &Shared, ids: &[RunId], by: &GroupBy) -> Self {
        let run = |id: &RunId| {
            let row = Arc::clone(shared.runs.get(id)?);
            Some(ComparedRun { row, data: shared.live.run(id).cloned().unwrap_or_default() })
        };
        let runs: Vec<ComparedRun> = ids.iter().filter_map(run).collect();
        let groups = groups(&runs, by);
        let table = ComparisonTable::new(&runs, &groups, &[]);
        let gone = ids.len() - runs.len();
        // Until something has been read, the data has generation 0.
        let read = runs.iter().all(|s| !s.data.progress.reading && s.data.generation > 0);
        Self { facets: facets(&runs, &[]), gone, read, runs, groups, table, order: Vec::new() }
    }

    /// What the charts show; only the group with the `focus`, if there is one, is not dimmed.
    pub(super) fn shown<'a>(&'a self, by: &'a GroupBy, focus: Option<usize>) -> Shown<'a> {
        let Self { runs, groups, facets, .. } = self;
        Shown::Compared { runs, groups, by, facets, focus }
    }
}
