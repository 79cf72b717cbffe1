//! What follows from the runs and their data, worked out once for every change and not for every frame.

use std::sync::Arc;

use crate::screens::shared::Shared;
use gradtop_view::compare::table::{Sheet, sheet};
use gradtop_view::compare::{Facet, GroupBy, Subject, Team, facets, teams};
use gradtop_view::runs::RunId;

/// Everything that is shown, before it has a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    /// The runs that are there.
    pub(super) subjects: Vec<Subject>,
    /// The lines.
    pub(super) teams: Vec<Team>,
    /// The charts.
    pub(super) facets: Vec<Facet>,
    /// The table.
    pub(super) sheet: Sheet,
    /// The order of its rows.
    pub(super) order: Vec<usize>,
    /// How many runs are gone.
    pub(super) gone: usize,
}

impl Compared {
    /// In no order yet.
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
