//! Charts of a comparison: a metric of all runs or groups on a shared axis.

use std::collections::BTreeMap;

use gradtop_store::figures::{Figure, Mark, OneOrMany};

use super::{Align, Facet, Subject, Team, info};
use crate::figure::of_metric;
use crate::figure::view::{ChartView, Source};
use gradtop_chart::colour::Paint;

/// Maximum number of runs named below a drawing.
const NAMED: usize = 12;

/// Creates the figure of a facet: one line for each label, over all its trials.
pub fn figure(subjects: &[Subject], facet: &Facet) -> Figure {
    let mut figure = of_metric(&facet.metric, info(subjects, &facet.metric), "step");
    figure.title = facet.title();
    figure.id.clone_from(&figure.title);
    figure.caption = None;
    let only = |of: Option<&String>| Some(OneOrMany::One(of.cloned().unwrap_or_default()));
    for mark in figure.panels.iter_mut().flat_map(|p| &mut p.marks) {
        *mark = Mark {
            model: only(facet.model.as_ref()),
            split: only(facet.split.as_ref()),
            by: Some(Vec::new()),
            ..mark.clone()
        };
    }
    figure
}

/// Returns all runs labelled with the name of their team, so that runs of a team are averaged.
pub fn sources<'a>(subjects: &'a [Subject], teams: &'a [Team]) -> Vec<Source<'a>> {
    let of = |team: &'a Team| {
        let members = team.members.iter().filter_map(|i| subjects.get(*i));
        members.map(|s| Source { data: &s.data, label: Some(&team.name) })
    };
    teams.iter().flat_map(of).collect()
}

/// Adds the names of the runs below a drawing.
pub fn sign(figure: &mut gradtop_chart::Figure, subjects: &[Subject]) {
    let names: Vec<&str> = subjects.iter().take(NAMED).map(|s| s.row.name()).collect();
    let more = subjects.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more runs") } else { String::new() };
    figure.caption = Some(gradtop_host::text::clean(&format!("{}{more}", names.join(", "))));
}

/// Returns colour and marker of each team; with a focus, all others are grey.
pub fn looks(teams: &[Team], focus: Option<usize>) -> BTreeMap<String, (Paint, u8)> {
    let look = |(i, team): (usize, &Team)| {
        let paint = if focus.is_none_or(|f| f == i) { team.look.0 } else { Paint::Grey };
        (team.name.clone(), (paint, team.look.1))
    };
    teams.iter().enumerate().map(look).collect()
}

/// Returns the view for an alignment of the x axis.
pub fn view(align: Align, teams: &[Team], focus: Option<usize>) -> ChartView {
    ChartView {
        x: Some(align.native()),
        relative: align == Align::Fraction,
        looks: looks(teams, focus),
        ..ChartView::default()
    }
}
