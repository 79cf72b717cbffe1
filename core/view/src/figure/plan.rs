//! Decides what a panel contains before layout: axis labels, lines with their series, and everything else.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_chart::scale::Scale;
use gradtop_chart::{Axis, Chart, Side};
use gradtop_store::figures::{self, Mark, MarkAxis, MarkKind, MarkX, OneOrMany, Panel};
use gradtop_store::{Average, Declared, SeriesKey};

use super::member::{Member, Placement};
use super::parts::{AxisHints, EvaluatedMark, Line, Part, Plan, Style, colour, side};
use super::view::{ChartView, Source};
use super::{average, marks, missing};
use crate::live::XAxis;
use crate::live::series::Values;
use crate::natural;

/// Returns whether a mark is drawn along an axis of metrics.
fn is_line(mark: &Mark) -> bool {
    mark.metric.is_some() && matches!(mark.kind, MarkKind::Line | MarkKind::Band | MarkKind::Scatter)
}

/// Plans a panel for a view. What cannot be drawn (yet) is explained in the chart's notes.
pub(super) fn plan<'a>(sources: &[Source<'a>], panel: &Panel, view: &ChartView) -> Plan<'a> {
    let mut chart = Chart {
        title: panel.title.clone(),
        x: axis(&panel.x),
        y: axis(&panel.y),
        y2: panel.y2.as_ref().map(axis),
        ..Chart::default()
    };
    let x = panel.marks.iter().find(|m| is_line(m)).map(|m| view.x.unwrap_or_else(|| declared_x(m)));
    let metrics = metrics(panel);
    let mut parts = Vec::new();
    for declared in &panel.marks {
        let made = if declared.metric.is_some() && declared.kind != MarkKind::Rule {
            of_metric(sources, declared, &metrics, view)
        } else {
            sources.first().map(|source| marks::evaluate(declared, source.data)).unwrap_or_default()
        };
        for note in made.notes {
            if !chart.notes.contains(&note) {
                chart.notes.push(note);
            }
        }
        let hints = made.hints;
        let open = |own: &mut String, hint: Option<String>| {
            if own.is_empty() {
                *own = hint.unwrap_or_default();
            }
        };
        open(&mut chart.x.label, hints.x_label);
        chart.x.unit = chart.x.unit.take().or(hints.x_unit);
        let right = if declared.axis == MarkAxis::Y2 { chart.y2.as_mut() } else { None };
        let vertical = right.unwrap_or(&mut chart.y);
        // An axis of several metrics cannot be named after one of them.
        if declared.metric.is_none() || metrics.len() <= 1 || declared.axis == MarkAxis::Y2 {
            open(&mut vertical.label, hints.y_label);
            vertical.unit = vertical.unit.take().or(hints.y_unit);
        }
        if chart.x.categories.is_empty() {
            chart.x.categories = hints.categories;
        }
        parts.extend(made.parts);
    }
    if parts.iter().all(Part::is_rule) && chart.notes.is_empty() {
        chart.notes.push("nothing recorded for this yet".to_owned());
    }
    for (side, axis) in [(Side::Left, Some(&chart.y)), (Side::Right, chart.y2.as_ref())] {
        let units: Vec<&mut Option<String>> = parts
            .iter_mut()
            .filter_map(Part::line_mut)
            .filter(|line| line.side == side)
            .map(|line| &mut line.unit)
            .collect();
        let alike = units.windows(2).all(|pair| pair[0] == pair[1]);
        if alike || axis.is_some_and(|axis| axis.unit.is_some()) {
            for unit in units {
                *unit = None;
            }
        }
    }
    marks::dodge(&mut parts);
    Plan { chart, parts, x }
}

fn metrics(panel: &Panel) -> BTreeSet<&str> {
    panel.marks.iter().filter_map(|m| m.metric.as_deref()).collect()
}

/// Returns the keys of a panel's lines, which determine the colours shared by all panels of a figure.
pub(super) fn keys(sources: &[Source<'_>], panel: &Panel, view: &ChartView) -> Vec<String> {
    let metrics = metrics(panel);
    let lines = panel.marks.iter().flat_map(|mark| lines(sources, mark, &metrics, view));
    lines.map(|line| line.key).collect()
}

fn axis(axis: &figures::Axis) -> Axis {
    Axis {
        label: axis.label.clone().unwrap_or_default(),
        unit: axis.unit.clone(),
        scale: match axis.scale {
            figures::Scale::Linear => Scale::Linear,
            figures::Scale::Log => Scale::Log,
            figures::Scale::Log2 => Scale::Log2,
            figures::Scale::Symlog => Scale::Symlog { threshold: 1.0 },
        },
        ..Axis::default()
    }
}

/// Returns the x axis that a mark of a metric declares.
pub fn declared_x(mark: &Mark) -> XAxis {
    let Some(MarkX::Source(word)) = &mark.x else { return XAxis::Step };
    XAxis::named(word).unwrap_or_default()
}

/// Plans a mark of a metric for all sources.
fn of_metric<'a>(
    sources: &[Source<'a>],
    mark: &Mark,
    metrics: &BTreeSet<&str>,
    view: &ChartView,
) -> EvaluatedMark<'a> {
    let metric = mark.metric.as_deref().unwrap_or_default();
    let mut lines = lines(sources, mark, metrics, view);
    let mut made = EvaluatedMark::default();
    if lines.is_empty() {
        made.notes.push(no_lines(sources, mark, metric));
    }
    let recorded =
        deciding(lines.iter().flat_map(|line| &line.members)).find_map(|member| member.series.unit());
    let differ = units_differ(&lines.iter().collect::<Vec<_>>());
    made.hints = AxisHints {
        y_label: Some(metric.to_owned()),
        y_unit: recorded.filter(|_| differ.is_none()).map(str::to_owned),
        ..AxisHints::default()
    };
    made.notes.extend(differ.map(|units| gradtop_host::text::clean(&units)));
    for line in &mut lines {
        line.unit =
            deciding(line.members.iter()).next().and_then(Member::unit).map(gradtop_host::text::clean);
    }
    for mixed in lines.extract_if(.., |line| units_differ(&[line]).is_some()) {
        made.notes.push(format!("{}: values in different units have no mean", mixed.name));
    }
    match mark.kind {
        MarkKind::Bar => marks::bars(mark, metric, &lines, &mut made),
        MarkKind::Histogram => marks::histogram_of(mark, metric, lines, &mut made),
        _ => {
            made.notes.extend(notes(&lines, view.part()));
            made.parts.extend(lines.into_iter().map(Part::Line));
        }
    }
    made
}

/// Explains why a mark of a metric has no lines.
fn no_lines(sources: &[Source<'_>], mark: &Mark, metric: &str) -> String {
    let keys = || sources.iter().flat_map(|s| s.data.keys.iter().map(|(key, _)| key));
    if keys().any(|key| wanted(mark, key)) {
        return missing::not_read(metric, sources.iter().map(|s| s.data));
    }
    if keys().any(|key| key.metric == metric) {
        return format!("no series of {metric} has {}", filter_words(mark));
    }
    if let [Source { data, .. }] = sources
        && let Some(early) = data.ended_before(&format!("logged {metric}"))
        && gradtop_store::near(metric, keys().map(|key| key.metric.as_str())).is_empty()
    {
        return early;
    }
    if keys().next().is_none() || sources.iter().any(|s| s.data.alive) {
        return format!("no points of {metric} yet");
    }
    let known: BTreeSet<&str> = keys().map(|key| key.metric.as_str()).collect();
    let suggestion = gradtop_store::suggest(metric, known.iter().copied(), "metrics");
    format!("there is no metric {metric:?}; {suggestion}")
}

/// Describes a mark's filter: `model "a" or "b", split "test"`.
fn filter_words(mark: &Mark) -> String {
    fn one<T: std::fmt::Debug>(name: &str, of: Option<&OneOrMany<T>>) -> Option<String> {
        let values = match of? {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        };
        let values: Vec<String> = values.iter().map(|v| format!("{v:?}")).collect();
        Some(format!("{name} {}", values.join(" or ")))
    }
    let all = [
        one("model", mark.model.as_ref()),
        one("split", mark.split.as_ref()),
        one("trial", mark.trial.as_ref()),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns notes about averaged lines that some of their series are missing from in a range of x, since they are not finite,
/// have not begun or have ended.
fn notes(lines: &[Line<'_>], (low, high): (f64, f64)) -> Vec<String> {
    let mut notes = Vec::new();
    let (mut partial, mut places) = (0, 0);
    let (mut incomplete, mut late, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines.iter().filter(|l| l.members.len() > 1) {
        let ((_, end), kind) = (line.ends((low, high)), line.kind_of_members());
        let (here, others) = line.begun((low, high));
        let step = others.iter().filter_map(|m| m.series.steps()).map(|steps| steps.0).max();
        late.extend(step.map(|step| (line, step, here.len())));
        let (here, others): (Vec<_>, Vec<_>) = line.members.iter().partition(|m| m.reaches(end));
        let step = others.iter().filter_map(|m| m.series.last()).map(|row| row.step).min();
        gone.extend(step.map(|step| (line, step, here.len())));
        if line.counts((low, high)).non_finite == 0 {
            continue;
        }
        let mut rows = line.rows((low, high), Values::Logged);
        for rows in &mut rows {
            rows.retain(|row| low <= row.x && row.x <= high);
        }
        notes.extend(average::diverged(&rows, kind).map(|why| format!("{}: {why}", line.name)));
        let averaged = average::averaged(&rows, line.average);
        if averaged.partial > 0 {
            (partial, places) = (partial + averaged.partial, places + averaged.places);
            incomplete.push(line);
        }
    }
    let who = |lines: &[&Line<'_>]| match lines {
        [line] => (line.name.clone(), line.kind_of_members()),
        several => {
            let kinds: BTreeSet<_> = several.iter().map(|line| line.kind_of_members()).collect();
            let kind = if kinds.len() == 1 { several[0].kind_of_members() } else { "series" };
            (format!("{} lines", several.len()), kind)
        }
    };
    if !incomplete.is_empty() {
        let (who, kind) = who(&incomplete);
        notes.push(format!(
            "{who}: at {partial} of {places} points some {kind} are not finite, and the line shows the others there"
        ));
    }
    let late = (late, ["before", "have not begun", "beginning"]);
    for (some, [when, what, where_]) in [late, (gone, ["after", "have ended", "end"])] {
        let (name, kind) = who(&some.iter().map(|(line, ..)| *line).collect::<Vec<_>>());
        match some[..] {
            [] => {}
            // On an axis of time, the steps of a run say nothing of another.
            [(line, _, here)] if line.runs().count() > 1 && line.members.iter().any(Member::is_by_time) => {
                let of = line.members.len();
                notes.push(format!(
                    "{name}: at its {where_} some {kind} {what}; the line shows {here} of {of}"
                ));
            }
            [(line, step, here)] => notes.push(format!(
                "{name}: {when} step {step} some {kind} {what}; at its {where_} the line shows {here} of {}",
                line.members.len()
            )),
            _ => notes.push(format!("{name}: where some of their {kind} {what}, the line shows the others")),
        }
    }
    notes
}

/// Returns whether a mark includes a series. `""` selects series without a model or split.
fn wanted(mark: &Mark, key: &SeriesKey) -> bool {
    static WITHOUT: String = String::new();
    let text = |filter: &Option<OneOrMany<String>>, value: &Option<String>| {
        filter.as_ref().is_none_or(|f| f.contains(value.as_ref().unwrap_or(&WITHOUT)))
    };
    mark.metric.as_deref() == Some(&key.metric)
        && text(&mark.model, &key.model)
        && text(&mark.split, &key.split)
        && mark.trial.as_ref().is_none_or(|f| key.trial.is_some_and(|t| f.contains(&t)))
}

/// Returns the present parts of model, split and trial: `deep · test`.
pub fn name_of(model: Option<&str>, split: Option<&str>, trial: Option<i32>) -> Option<String> {
    let trial = trial.map(|t| format!("#{t}"));
    let parts: Vec<&str> = [model, split, trial.as_deref()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// Returns the name of a series within its metric: `deep · test`.
pub fn series_name(key: &SeriesKey) -> Option<String> {
    name_of(key.model.as_deref(), key.split.as_deref(), key.trial)
}

/// The runs' label, then model, split and trial as far as they separate lines.
type Group<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<i32>);

/// Groups series by their runs' label and the mark's `by` (model and split by default). Runs of the same label are
/// averaged like trials.
fn grouped<'a>(sources: &[Source<'a>], mark: &Mark, view: &ChartView) -> Vec<(Group<'a>, Vec<Member<'a>>)> {
    let default = ["model".to_owned(), "split".to_owned()];
    let by = mark.by.as_deref().unwrap_or(&default);
    let by = |what: &str| by.iter().any(|b| b == what);
    let kind = view.x.unwrap_or_else(|| declared_x(mark));
    let mut groups: BTreeMap<Group<'_>, Vec<Member<'a>>> = BTreeMap::new();
    for source in sources {
        let place = Placement::new(source.data, view.relative, kind);
        for series in source.data.series.iter().filter(|s| wanted(mark, s.key())) {
            let key = series.key();
            let group = (
                source.label,
                key.model.as_deref().filter(|_| by("model")),
                key.split.as_deref().filter(|_| by("split")),
                key.trial.filter(|_| by("trial")),
            );
            groups.entry(group).or_default().push(Member { series, place });
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(a, _), (b, _)| {
        natural::order_optional(a.0, b.0)
            .then_with(|| natural::order_optional(a.1, b.1))
            .then_with(|| natural::order_optional(a.2, b.2))
            .then_with(|| a.3.cmp(&b.3))
    });
    groups
}

/// Returns the series that decide unit and mean: those that have a number, or all if none has.
fn deciding<'m, 'a: 'm>(
    members: impl Iterator<Item = &'m Member<'a>> + Clone,
) -> impl Iterator<Item = &'m Member<'a>> {
    let any = members.clone().any(Member::has_number);
    members.filter(move |member| member.has_number() || !any)
}

/// Returns the mean of these series, which each run declares for itself.
fn average(metric: &str, members: &[Member<'_>]) -> Average {
    deciding(members.iter()).map(|member| member.run().info(metric)).collect::<Declared<'_>>().average()
}

/// Says that values of lines are in different units, if they are.
fn units_differ(lines: &[&Line<'_>]) -> Option<String> {
    gradtop_store::units_differ(deciding(lines.iter().flat_map(|line| &line.members)).map(Member::unit))
}

/// Returns the lines of a mark of a metric.
fn lines<'a>(
    sources: &[Source<'a>],
    mark: &Mark,
    metrics: &BTreeSet<&str>,
    view: &ChartView,
) -> Vec<Line<'a>> {
    let groups = grouped(sources, mark, view);
    let metric = mark.metric.as_deref().unwrap_or_default();
    let own = mark.label.as_deref().or_else(|| (metrics.len() > 1).then_some(metric));
    // The label of an only line says enough.
    let is_named = groups.len() == 1 && mark.label.is_some();
    let line = |((label, model, split, trial), mut members): (Group<'_>, Vec<Member<'a>>)| {
        // What is not on the axis decides nothing about what is.
        let absent = members.extract_if(.., |m| is_line(mark) && m.extent(Scale::Linear).is_none()).count();
        let group = name_of(model, split, trial);
        let inner = match (own, &group) {
            (Some(own), Some(group)) if !is_named => Some(format!("{own} {group}")),
            (Some(own), _) => Some(own.to_owned()),
            (None, group) => group.clone(),
        };
        let parts: Vec<&str> = label.into_iter().chain(inner.as_deref()).collect();
        let name = if parts.is_empty() { metric.to_owned() } else { parts.join(" · ") };
        let name = gradtop_host::text::clean(&name);
        Line {
            key: match group {
                Some(group) if own.is_none() && label.is_none() => group,
                _ => name.clone(),
            },
            hidden: view.hidden.contains(&name),
            name,
            style: match mark.kind {
                MarkKind::Scatter => Style::Points { joined: mark.joined },
                MarkKind::Band => Style::Band,
                _ if mark.band.is_some() => Style::Banded,
                _ => Style::Line,
            },
            average: Average::declared(mark.aggregate, average(metric, &members)),
            members,
            absent,
            side: side(mark),
            colour: colour(mark),
            unit: None,
        }
    };
    groups.into_iter().map(line).collect()
}
