//! Charts of a comparison: a metric of all runs or groups on a shared axis.

use std::collections::BTreeMap;

use gradtop_store::figures::{Figure, Mark, OneOrMany};

use super::{Align, ComparedRun, Facet, RunGroup};
use crate::figure::metric_figure;
use crate::figure::view::{ChartView, Source};
use crate::live::XAxis;
use gradtop_chart::colour::Paint;
use gradtop_chart::number;

/// Maximum number of runs named below a drawing.
const NAMED: usize = 12;

/// Creates the figure of a facet on an axis: one line for each group, over all its runs and trials. Its scale and unit are those of
/// the runs that have a place there.
pub fn figure(runs: &[ComparedRun], facet: &Facet, x: XAxis) -> Figure {
    let is_off = |run: &&ComparedRun| {
        let mut read = facet.series(std::iter::once(*run)).peekable();
        read.peek().is_some() && read.all(|series| series.extent(x).is_none())
    };
    let placed = runs.iter().filter(|run| !is_off(run));
    let mut figure = metric_figure(&facet.metric, facet.declared(placed), "step");
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

/// Returns all runs labelled with the name of their group, so that runs of a group are averaged.
pub fn sources<'a>(runs: &'a [ComparedRun], groups: &'a [RunGroup]) -> Vec<Source<'a>> {
    let of =
        |group: &'a RunGroup| group.runs(runs).map(|s| Source { data: &s.data, label: Some(&group.name) });
    groups.iter().flat_map(of).collect()
}

/// Adds the names of the runs below a drawing.
pub fn add_run_names(figure: &mut gradtop_chart::Figure, runs: &[ComparedRun]) {
    let names: Vec<&str> = runs.iter().take(NAMED).map(|s| s.row.name()).collect();
    let more = match runs.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {}", number::counted(more, "more run")),
    };
    let names = gradtop_host::text::clean(&format!("{}{more}", names.join(", ")));
    figure.caption = Some(figure.caption.take().map_or(names.clone(), |said| format!("{said} {names}")));
}

/// Returns colour and marker of each group; with a focus, all others are grey.
pub fn looks(groups: &[RunGroup], focus: Option<usize>) -> BTreeMap<String, (Paint, u8)> {
    let look = |(i, group): (usize, &RunGroup)| {
        let paint = if focus.is_none_or(|f| f == i) { group.look.0 } else { Paint::Grey };
        (group.name.clone(), (paint, group.look.1))
    };
    groups.iter().enumerate().map(look).collect()
}

/// Returns the view for an alignment of the x axis.
pub fn view(align: Align, groups: &[RunGroup], focus: Option<usize>) -> ChartView {
    ChartView {
        x: Some(align.native()),
        relative: align == Align::Fraction,
        looks: looks(groups, focus),
        ..ChartView::default()
    }
}
