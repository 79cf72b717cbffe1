//! Charts of a comparison: a metric of all runs or groups on a shared axis.

use std::collections::BTreeMap;

use gradtop_store::Average;
use gradtop_store::figures::{Figure, Mark, OneOrMany};

use super::{Align, ComparedRun, Facet, RunGroup};
use crate::figure::metric_figure;
use crate::figure::view::{ChartView, Source};
use crate::live::SeriesSnapshot;
use gradtop_chart::colour::Paint;
use gradtop_chart::number;

/// Maximum number of runs named below a drawing.
const NAMED: usize = 12;

/// Creates the figure of a facet: one line for each group, over all its runs and trials, which the caption says.
pub fn figure(runs: &[ComparedRun], groups: &[RunGroup], facet: &Facet) -> Figure {
    let mut figure = metric_figure(&facet.metric, facet.declared(runs), "step");
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
    let of =
        |group: &'a RunGroup| group.runs(runs).map(|s| Source { data: &s.data, label: Some(&group.name) });
    groups.iter().flat_map(of).collect()
}

/// Says what the lines are the mean of, and what the bands are, if any line is one of several series.
fn averaged(runs: &[ComparedRun], groups: &[RunGroup], facet: &Facet) -> Option<String> {
    let trials = |run: &ComparedRun| run.data.keys.iter().filter(|(key, _)| facet.takes(key)).count();
    let members = |group: &RunGroup| group.runs(runs).map(trials).collect();
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
    Some(format!("Lines: {}; bands: from the lowest to the highest.", means(runs, groups, facet, &of)))
}

/// Says which mean the lines are: `geometric mean of 3 trials`, and the names of those which are another: `(b: mean)`.
fn means(runs: &[ComparedRun], groups: &[RunGroup], facet: &Facet, of: &str) -> String {
    let series = |group: &RunGroup| -> Vec<_> { facet.series(group.runs(runs)).collect() };
    let several = groups.iter().filter(|group| series(group).len() > 1);
    let each: Vec<(Average, &RunGroup)> =
        several.map(|group| (facet.declared(group.runs(runs)).average(), group)).collect();
    let word = |average: Average| {
        let own = each.iter().filter(|(other, _)| *other == average);
        average.word_of_all(own.flat_map(|(_, group)| series(group)).filter_map(SeriesSnapshot::min))
    };
    let most = Average::most_common(each.iter().map(|(average, _)| *average)).unwrap_or_default();
    let others: Vec<(Average, &str)> =
        each.iter().filter(|(own, _)| *own != most).map(|(own, group)| (*own, group.name.as_str())).collect();
    let text = format!("{} of {of}", word(most));
    let Some((other, _)) = others.first() else { return text };
    let names = others.iter().take(NAMED).map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    let more = match others.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{text} ({}: {names}{more})", word(*other))
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
