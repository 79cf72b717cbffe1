//! From snapshots and view options to a [`Chart`] for a number of cells.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_store::SeriesData;
use gradtop_store::figures::{Aggregate, Figure, Mark as Declared, MarkKind, MarkX, Panel};

use super::built::{Built, LineInfo, Plot};
use super::lines::{self, Drawn, Member};
use crate::clock;
use crate::figure::{self, name_of, wanted};
use crate::live::{RunData, SeriesSnapshot, XKind};
use crate::natural;
use gradtop_chart::cells::{self, Look};
use gradtop_chart::colour::{Paint, assign};
use gradtop_chart::domain::Domain;
use gradtop_chart::scale::Scale;
use gradtop_chart::{Axis, Chart, Mark, Shape, Side, Where};

/// A run in a chart.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its data.
    pub data: &'a RunData,
    /// What its lines are called where there are several runs. Runs of the same label are averaged: their mean is drawn, with
    /// a band from the lowest to the highest.
    pub label: Option<&'a str>,
}

/// What a chart shows.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A panel of a declared figure.
    Panel(&'a Figure, usize),
    /// A metric.
    Metric(&'a str),
}

/// How it is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartView {
    /// What runs along x; `None`: what the figure says, else the step.
    pub x: Option<XKind>,
    /// Each run's x as a share of its last one, 0 to 1: runs of different lengths lie over each other.
    pub relative: bool,
    /// Whether x is logarithmic.
    pub log_x: bool,
    /// Whether y is; `None`: as declared.
    pub log_y: Option<bool>,
    /// The part of x that is seen; `None`: all.
    pub zoom_x: Option<(f64, f64)>,
    /// The part of y that is seen; `None`: what the data takes.
    pub zoom_y: Option<(f64, f64)>,
    /// Weight of the moving average, 0 for none. The data is smoothed by what was watched; this says to show it.
    pub smoothing: f64,
    /// Lets the highest and lowest of a hundred columns stick out.
    pub clip: bool,
    /// Lines that are not drawn, by name.
    pub hidden: BTreeSet<String>,
    /// Colour and marker of lines by the label of their runs, where that is not left to their names.
    pub looks: BTreeMap<String, (Paint, u8)>,
    /// Where the cursor stands.
    pub cursor: Option<f64>,
}

/// Makes the chart for `width` × `height` cells.
pub fn build(
    sources: &[Source<'_>],
    subject: Subject<'_>,
    view: &ChartView,
    (width, height): (usize, usize),
    look: Look,
) -> Built {
    let panel = panel_of(sources, subject);
    let live = |m: &Declared| m.metric.is_some() && matches!(m.kind, MarkKind::Line | MarkKind::Band);
    let x_kind = panel.marks.iter().find(|m| live(m)).map(|m| view.x.unwrap_or_else(|| declared_x(m)));
    let mut chart = rest(sources, &panel, &live);
    // Room for the mark of the focus.
    chart.title = Some(format!("  {}", title(sources, subject, &panel, look.glyphs.ascii())));
    chart.terse = true;
    if let Subject::Metric(name) = subject {
        chart.y.unit = chart.y.unit.or_else(|| unit_of(sources, name));
    }
    let reading = sources.iter().any(|s| s.data.progress.reading);
    let Some(kind) = x_kind else {
        // Of a table: where its numbers have a place on the axis that is asked for.
        chart.x.range = view.zoom_x.or(chart.x.range);
        chart.y.range = view.zoom_y.or(chart.y.range);
        if view.log_x {
            chart.x.scale = Scale::Log;
        }
        if let Some(log) = view.log_y {
            chart.y.scale = if log { Scale::Log } else { Scale::Linear };
        }
        let plot = plot_of(&chart, width, height, look);
        return Built { chart, plot, lines: Vec::new(), x: None, reading };
    };
    let lines = lines_of(sources, &panel, &live, view);
    let plot = axes(&mut chart, &lines, sources, kind, view, (width, height), look);
    let infos = draw(&mut chart, &lines, sources, kind, view, plot.as_ref());
    Built { chart, plot, lines: infos, x: Some(kind), reading }
}

/// The values a chart takes on its left axis, as [`build`] would have it: for axes that several charts share.
pub fn y_range(sources: &[Source<'_>], subject: Subject<'_>, view: &ChartView) -> Option<(f64, f64)> {
    let panel = panel_of(sources, subject);
    let live = |m: &Declared| m.metric.is_some() && matches!(m.kind, MarkKind::Line | MarkKind::Band);
    let kind = panel.marks.iter().find(|m| live(m)).map(|m| view.x.unwrap_or_else(|| declared_x(m)))?;
    let lines = lines_of(sources, &panel, &live, view);
    let log = view.log_y.unwrap_or(matches!(panel.y.scale, gradtop_store::figures::Scale::Log));
    let x = view.zoom_x.or_else(|| lines::extent(&lines, kind, view.log_x))?;
    lines::value_range(&lines, Side::Left, kind, x, log, view.clip)
}

fn panel_of(sources: &[Source<'_>], subject: Subject<'_>) -> Panel {
    match subject {
        Subject::Panel(figure, n) => figure.panels.get(n).cloned().unwrap_or_default(),
        Subject::Metric(name) => {
            let info = sources.iter().find_map(|s| s.data.info(name));
            figure::of_metric(name, info, "step").panels.swap_remove(0)
        }
    }
}

/// What separates a figure's title from a panel's.
pub const PART: [&str; 2] = [" · ", " - "];

fn title(sources: &[Source<'_>], subject: Subject<'_>, panel: &Panel, ascii: bool) -> String {
    let title = match subject {
        Subject::Panel(figure, _) => {
            let own = panel.title.as_deref().filter(|t| !t.is_empty()).or(panel.y.label.as_deref());
            // Panels of one figure are told apart by their own titles, those of several by the figures'.
            match own.filter(|own| figure.panels.len() > 1 && !own.is_empty() && *own != figure.title) {
                Some(own) => format!("{}{}{own}", figure.title, PART[usize::from(ascii)]),
                None => figure.title.clone(),
            }
        }
        Subject::Metric(name) => {
            // Bytes are told as kB, MB and GB, beside each number.
            let unit = unit_of(sources, name).filter(|u| !u.is_empty() && u != "B");
            unit.map_or_else(|| name.to_owned(), |unit| format!("{name} [{unit}]"))
        }
    };
    gradtop_host::text::clean(&title)
}

/// The unit of a metric's values.
fn unit_of(sources: &[Source<'_>], metric: &str) -> Option<String> {
    sources.iter().find_map(|s| s.data.of_metric(metric).find_map(|s| s.unit().map(str::to_owned)))
}

fn declared_x(mark: &Declared) -> XKind {
    match &mark.x {
        Some(MarkX::Source(s)) if s == "epoch" => XKind::Epoch,
        Some(MarkX::Source(s)) if s == "time" => XKind::Relative,
        _ => XKind::Step,
    }
}

/// Everything of a panel that is no line of a metric: rules, tables, bars. From the first source.
fn rest(sources: &[Source<'_>], panel: &Panel, live: &dyn Fn(&Declared) -> bool) -> Chart {
    let marks: Vec<Declared> = panel.marks.iter().filter(|m| !live(m)).cloned().collect();
    let only = Panel { marks, ..panel.clone() };
    let all_live = panel.marks.iter().any(live);
    let Some(source) = sources.first() else { return Chart::default() };
    let metrics: BTreeSet<&str> = only.marks.iter().filter_map(|m| m.metric.as_deref()).collect();
    let data = figure::Data {
        series: source
            .data
            .series
            .iter()
            .filter(|s| metrics.contains(s.key().metric.as_str()))
            .map(|s| whole(s))
            .collect(),
        tables: source.data.tables.clone(),
        names: (*source.data.names).clone(),
        started_us: source.data.started_us,
    };
    let figure = Figure {
        id: String::new(),
        title: String::new(),
        caption: None,
        panels: vec![only],
        extra: toml::Table::new(),
    };
    let mut chart = figure::evaluate(&figure, &data).charts.swap_remove(0);
    chart.title = None;
    if all_live {
        // Whether anything is there is said by the lines themselves.
        chart.notes.clear();
    }
    chart
}

/// A series as rows: exact as long as it is small, else the mean of each bucket.
fn whole(s: &SeriesSnapshot) -> SeriesData {
    let buckets: Vec<_> = s.buckets().collect();
    SeriesData {
        key: s.key().clone(),
        unit: s.unit().map(str::to_owned),
        step: buckets.iter().map(|b| b.step.0).collect(),
        epoch: buckets.iter().map(|b| b.epoch.0).collect(),
        time_us: buckets.iter().map(|b| b.time.0).collect(),
        value: buckets.iter().map(|b| b.mean()).collect(),
    }
}

/// A line before it is drawn.
pub(super) struct Line<'a> {
    pub(super) name: String,
    /// What its colour is chosen by.
    key: String,
    pub(super) members: Vec<Member<'a>>,
    pub(super) aggregate: Aggregate,
    pub(super) band: bool,
    side: Side,
    colour: Option<Paint>,
    pub(super) hidden: bool,
}

impl Line<'_> {
    pub(super) fn side(&self) -> Side {
        self.side
    }
}

fn lines_of<'a>(
    sources: &[Source<'a>],
    panel: &Panel,
    live: &dyn Fn(&Declared) -> bool,
    view: &ChartView,
) -> Vec<Line<'a>> {
    let metrics: BTreeSet<&str> = panel.marks.iter().filter_map(|m| m.metric.as_deref()).collect();
    let mut out = Vec::new();
    for mark in panel.marks.iter().filter(|m| live(m)) {
        let default = ["model".to_owned(), "split".to_owned()];
        let by: &[String] = mark.by.as_deref().unwrap_or(&default);
        let by = |what: &str| by.iter().any(|b| b == what);
        let mut groups: BTreeMap<(Option<&str>, Option<String>), Vec<Member<'a>>> = BTreeMap::new();
        for source in sources {
            for series in source.data.series.iter().filter(|s| wanted(mark, s.key())) {
                let key = series.key();
                let own = name_of(
                    key.model.as_deref().filter(|_| by("model")),
                    key.split.as_deref().filter(|_| by("split")),
                    key.trial.filter(|_| by("trial")),
                );
                let member = Member::new(
                    series,
                    source.data,
                    view.relative,
                    view.x.unwrap_or_else(|| declared_x(mark)),
                );
                groups.entry((source.label, own)).or_default().push(member);
            }
        }
        let alone = groups.len() == 1;
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|(a, _), (b, _)| {
            natural::maybe(a.0, b.0).then_with(|| natural::maybe(a.1.as_deref(), b.1.as_deref()))
        });
        let metric = mark.metric.as_deref().unwrap_or_default();
        let own_label = mark.label.clone().or_else(|| (metrics.len() > 1).then(|| metric.to_owned()));
        for ((label, own), members) in groups {
            let inner = match (&own_label, &own) {
                (Some(l), Some(name)) if !alone || mark.label.is_none() => Some(format!("{l} {name}")),
                (Some(l), _) => Some(l.clone()),
                (None, name) => name.clone(),
            };
            let key = match (&own, label) {
                (Some(own), None) if metrics.len() <= 1 && mark.label.is_none() => own.clone(),
                _ => [label.map(str::to_owned), inner.clone()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" · "),
            };
            let parts: Vec<String> = [label.map(str::to_owned), inner].into_iter().flatten().collect();
            let name = if parts.is_empty() { metric.to_owned() } else { parts.join(" · ") };
            let name = gradtop_host::text::clean(&name);
            out.push(Line {
                hidden: view.hidden.contains(&name),
                key: if key.is_empty() { name.clone() } else { key },
                name,
                band: members.len() > 1 || mark.kind == MarkKind::Band || mark.band.is_some(),
                members,
                aggregate: mark.aggregate.unwrap_or(Aggregate::Mean),
                side: if mark.axis == gradtop_store::figures::MarkAxis::Y2 {
                    Side::Right
                } else {
                    Side::Left
                },
                colour: mark.color.as_deref().and_then(Paint::parse),
            });
        }
    }
    out
}

/// Sets ranges and words of the axes, and gives the place of the plot.
fn axes(
    chart: &mut Chart,
    lines: &[Line<'_>],
    sources: &[Source<'_>],
    kind: XKind,
    view: &ChartView,
    (width, height): (usize, usize),
    look: Look,
) -> Option<Plot> {
    let alive = sources.iter().any(|s| s.data.alive);
    chart.x.label =
        if view.relative { format!("{} (relative)", kind.word()) } else { kind.word().to_owned() };
    chart.x.categories.clear();
    chart.x.seconds = kind == XKind::Relative && !view.relative;
    chart.x.clock = (kind == XKind::Wall && !view.relative).then(|| clock::zone().clone());
    chart.x.unit = chart.x.clock.as_ref().and_then(|_| clock::unit()).map(str::to_owned);
    chart.x.scale = if view.log_x { Scale::Log } else { Scale::Linear };
    let whole = lines::extent(lines, kind, view.log_x);
    chart.x.range = view.zoom_x.or_else(|| {
        let (low, high) = whole?;
        Some((low, if alive && !view.log_x { grown(low, high) } else { high }))
    });
    match view.log_y {
        Some(true) => chart.y.scale = Scale::Log,
        Some(false) => chart.y.scale = Scale::Linear,
        None => {}
    }
    let seen = chart.x.range.unwrap_or((0.0, 1.0));
    let fit = |axis: &mut Axis, side: Side| {
        let log = matches!(axis.scale, Scale::Log | Scale::Log2);
        let range = lines::value_range(lines, side, kind, seen, log, view.clip);
        if let (Scale::Symlog { .. }, Some((low, high))) = (axis.scale, range) {
            axis.scale = Scale::symlog_for([low, high].into_iter());
        }
        axis.range = range.map(|(low, high)| rounded(axis.scale, low, high));
    };
    fit(&mut chart.y, Side::Left);
    if let Some(y2) = &mut chart.y2 {
        fit(y2, Side::Right);
    }
    if view.zoom_y.is_some() {
        chart.y.range = view.zoom_y;
    }
    if chart
        .marks
        .iter()
        .any(|m| matches!(m.shape, Shape::Scatter { .. } | Shape::Line { .. } | Shape::Bars { .. }))
    {
        // Other marks have a say: the data of all of them decides.
        let free = Domain::of(&Chart { x: Axis { range: None, ..chart.x.clone() }, ..chart.clone() });
        if view.zoom_y.is_none() {
            let joint = chart.y.range.map(|(low, high)| (low.min(free.y.low), high.max(free.y.high)));
            chart.y.range = joint.or(Some((free.y.low, free.y.high)));
        }
    }
    // The legend takes its place before there is data.
    let looks = looks(lines, sources, view);
    let before = chart.marks.len();
    for line in lines.iter().filter(|l| !l.hidden) {
        let (paint, marker) = looks.get(&line.key).copied().unwrap_or((Paint::Grey, 0));
        let last = lines::last(line, view.smoothing > 0.0);
        let shape = Shape::Line { x: Vec::new(), y: Vec::new() };
        let paint = line.colour.unwrap_or(paint);
        chart.marks.push(Mark {
            name: Some(line.name.clone()),
            last,
            paint,
            marker,
            side: line.side,
            faint: false,
            shape,
        });
    }
    if chart.marks[before..].is_empty() && chart.notes.is_empty() {
        chart.notes.push(
            if lines.is_empty() { "nothing recorded for this yet" } else { "every line is hidden" }
                .to_owned(),
        );
    }
    let plot = plot_of(chart, width, height, look);
    chart.marks.truncate(before);
    plot
}

/// A colour and a marker for each key.
fn looks(lines: &[Line<'_>], sources: &[Source<'_>], view: &ChartView) -> BTreeMap<String, (Paint, u8)> {
    let known: BTreeSet<&str> = sources
        .iter()
        .flat_map(|s| {
            s.label.into_iter().chain(
                if s.label.is_none() { Some(&s.data.names) } else { None }
                    .into_iter()
                    .flat_map(|n| n.iter().map(String::as_str)),
            )
        })
        .collect();
    let mut looks = assign(known.into_iter(), lines.iter().map(|l| l.key.as_str()));
    looks.extend(view.looks.clone());
    looks
}

fn plot_of(chart: &Chart, width: usize, height: usize, look: Look) -> Option<Plot> {
    let (area, domain) = cells::plot(chart, width, height, look)?;
    Some(Plot { area, x: domain.x, y: domain.y, dots: area.width * look.glyphs.dots().0 })
}

/// Adds the lines' marks; gives what a legend says of them.
fn draw(
    chart: &mut Chart,
    lines: &[Line<'_>],
    sources: &[Source<'_>],
    kind: XKind,
    view: &ChartView,
    plot: Option<&Plot>,
) -> Vec<LineInfo> {
    let looks = looks(lines, sources, view);
    let mut fills = Vec::new();
    let mut fronts = Vec::new();
    let mut infos = Vec::new();
    let half = plot.map_or(0.0, |p| (p.x.value(1.0) - p.x.value(0.0)) / (2.0 * p.dots.max(1) as f64));
    for line in lines {
        let (paint, marker) = looks.get(&line.key).copied().unwrap_or((Paint::Grey, 0));
        let paint = line.colour.unwrap_or(paint);
        let at_cursor = view.cursor.and_then(|x| lines::at(line, kind, x, half, view.smoothing > 0.0));
        let latest = lines::last(line, view.smoothing > 0.0);
        let last = if view.cursor.is_some() { at_cursor.map(|c| c.shown) } else { latest };
        infos.push(LineInfo {
            name: line.name.clone(),
            paint,
            marker,
            last: latest,
            at_cursor,
            hidden: line.hidden,
            odd: line.members.iter().map(|m| m.series.odd_count()).sum(),
            bytes: chart.axis(line.side).bytes(),
        });
        let Some(plot) = plot.filter(|_| !line.hidden) else { continue };
        let scale = if line.side == Side::Right {
            chart.y2.as_ref().map_or(chart.y.scale, |a| a.scale)
        } else {
            chart.y.scale
        };
        let Drawn { line: shape, behind, band } = lines::drawn(line, kind, plot, scale, view.smoothing > 0.0);
        let mark = |name, shape, faint| Mark { name, last, paint, marker, side: line.side, faint, shape };
        fills.extend(band.map(|b| mark(None, b, true)));
        fills.extend(behind.map(|b| mark(None, b, true)));
        fronts.push(mark(Some(line.name.clone()), shape, false));
    }
    for source in sources {
        for (step, time) in source.data.resumes.iter() {
            let at = match kind {
                XKind::Step => *step as f64,
                XKind::Epoch => continue,
                XKind::Relative => (time - source.data.started_us) as f64 / 1e6,
                XKind::Wall => *time as f64 / 1e6,
            };
            if sources.len() == 1 {
                fills.push(rule(at, Paint::Grey));
            }
        }
    }
    if let Some(x) = view.cursor {
        fills.push(rule(x, Paint::Rgb([255, 255, 255])));
    }
    // Fills first; what was there (rules, points) between them and the lines.
    let own = std::mem::take(&mut chart.marks);
    chart.marks = fills.into_iter().chain(own).chain(fronts).collect();
    infos
}

fn rule(at: f64, paint: Paint) -> Mark {
    let shape = Shape::Rule { at: Where::X(at) };
    Mark { name: None, last: None, paint, marker: 0, side: Side::Left, faint: false, shape }
}

/// The end of an axis that grows in jumps: the first of 1.25, 1.25², … units beyond `low` that is not below `high`.
fn grown(low: f64, high: f64) -> f64 {
    let length = high - low;
    if length <= 0.0 || !length.is_finite() {
        return high;
    }
    let jumps = (length.ln() / 1.25f64.ln() - 1e-9).ceil();
    low + 1.25f64.powf(jumps).max(length)
}

/// A range with ends at round values, so that it does not move with every sample.
fn rounded(scale: Scale, low: f64, high: f64) -> (f64, f64) {
    match scale {
        Scale::Log | Scale::Log2 => {
            let part = |v: f64, up: bool| {
                let t = v.log10() * 4.0;
                10f64.powf((if up { (t - 1e-9).ceil() } else { (t + 1e-9).floor() }) / 4.0)
            };
            (part(low, false).max(f64::MIN_POSITIVE), part(high, true))
        }
        Scale::Symlog { .. } => (low, high),
        Scale::Linear => {
            let length = high / 2.0 - low / 2.0;
            if length <= 0.0 || !length.is_finite() {
                return (low, high);
            }
            let rough = length / 5.0;
            let power = 10f64.powf(rough.log10().floor());
            let step =
                [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|s| *s >= rough).unwrap_or(rough);
            let (a, b) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
            if a.is_finite() && b.is_finite() && step > 0.0 { (a, b) } else { (low, high) }
        }
    }
}
