//! What is derived from the runs and their data, computed on every change instead of every frame.

use std::sync::Arc;

use crate::screens::shared::Shared;
use gradtop_view::compare::table::{Sheet, sheet};
use gradtop_view::compare::{Facet, GroupBy, Subject, Team, facets, teams};
use gradtop_view::runs::RunId;

/// Everything to be shown, without its position.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    /// The existing runs.
    pub(super) subjects: Vec<Subject>,
    /// The lines of the charts.
    pub(super) teams: Vec<Team>,
    pub(super) facets: Vec<Facet>,
    pub(super) sheet: Sheet,
    /// The order of the table's rows.
    pub(super) order: Vec<usize>,
    /// The number of deleted runs.
    pub(super) gone: usize,
}

impl Compared {
    /// The comparison, with rows in no particular order.
    pub(super) fn new(shared: &Shared, runs: &[RunId], by: &GroupBy) -> Self {
        let subject = |id: &RunId| {
            let row = Arc::clone(shared.runs.get(id)?);
            Some(Subject { row, data: shared.live.run(id).cloned().unwrap_or_default() })
        };
        let subjects: Vec<Subject> = runs.iter().filter_map(subject).collect();
        let teams = teams(&subjects, by);
        let sheet = sheet(&subjects, &teams);
        let gone = runs.len() - subjects.len();
        Self { facets: facets(&subjects), gone, subjects, teams, sheet, order: Vec::new() }
    }
}
