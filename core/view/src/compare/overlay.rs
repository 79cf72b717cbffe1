//! Charts of a comparison: a metric of all runs or groups on a shared axis.

use std::collections::BTreeMap;

use gradtop_store::Average;
use gradtop_store::figures::{Figure, Mark, OneOrMany};

use super::{Align, ComparedRun, Facet, RunGroup, info};
use crate::figure::metric_figure;
use crate::figure::view::{ChartView, Source};
use gradtop_chart::colour::Paint;
use gradtop_chart::number;

/// Maximum number of runs named below a drawing.
const NAMED: usize = 12;

/// Creates the figure of a facet: one line for each group, over all its runs and trials, which the caption says.
pub fn figure(runs: &[ComparedRun], groups: &[RunGroup], facet: &Facet) -> Figure {
    let own = runs.iter().filter(|run| run.data.keys.iter().any(|(key, _)| facet.takes(key)));
    let declared: Vec<_> = own.map(|run| run.row.view.manifest.metric(&facet.metric)).collect();
    let known = declared.iter().flatten().next().copied();
    let mut figure = metric_figure(&facet.metric, known.or_else(|| info(runs, &facet.metric)), "step");
    // Runs of several experiments may measure what has one name in different units, or in none.
    let mut units = declared.iter().map(|info| info.and_then(|info| info.unit.as_deref()));
    let first = units.next();
    if units.any(|unit| Some(unit) != first) {
        figure.panels.iter_mut().for_each(|panel| panel.y.unit = None);
    }
    figure.title = facet.title();
    figure.id.clone_from(&figure.title);
    figure.caption = averaged(runs, groups, facet);
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
    let of = |group: &'a RunGroup| {
        let members = group.members.iter().filter_map(|i| runs.get(*i));
        members.map(|s| Source { data: &s.data, label: Some(&group.name) })
    };
    groups.iter().flat_map(of).collect()
}

/// Says what the lines are the mean of, and what the bands are, if any line is one of several series.
fn averaged(runs: &[ComparedRun], groups: &[RunGroup], facet: &Facet) -> Option<String> {
    let trials = |run: &ComparedRun| run.data.keys.iter().filter(|(key, _)| facet.takes(key)).count();
    let members =
        |group: &RunGroup| group.members.iter().filter_map(|at| runs.get(*at)).map(trials).collect();
    let each: Vec<Vec<usize>> = groups.iter().map(members).collect();
    let several = each.iter().flatten().any(|trials| *trials > 1);
    let ends = |counts: &dyn Fn(&Vec<usize>) -> usize| {
        let counts = each.iter().map(counts).filter(|n| *n > 0);
        let (few, many) = (counts.clone().min()?, counts.max()?);
        let words = if few == many { many.to_string() } else { format!("{few} to {many}") };
        (many > 1).then_some(words)
    };
    let of = match (ends(&|trials| trials.iter().filter(|n| **n > 0).count()), several) {
        (Some(runs), false) => format!("{runs} runs"),
        (Some(runs), true) => format!("all trials of {runs} runs"),
        (None, _) => format!("{} trials", ends(&|trials| trials.iter().sum())?),
    };
    let series = runs.iter().flat_map(|run| &run.data.series).filter(|series| facet.takes(series.key()));
    let mean = Average::of(info(runs, &facet.metric)).word_of_all(series.filter_map(|series| series.min()));
    Some(format!("Lines: {mean} of {of}; bands: from the lowest to the highest."))
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
