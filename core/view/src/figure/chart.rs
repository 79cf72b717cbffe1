//! Creates charts from runs, for a number of cells or for a page.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_chart::cells::{self, Area, theme::Theme};
use gradtop_chart::colour::{MARKERS, Paint, assign};
use gradtop_chart::domain::Domain;
use gradtop_chart::number;
use gradtop_chart::scale::{Scale, Span};
use gradtop_chart::{Chart, Mark, RulePosition, Shape, Side};
use gradtop_host::text::clean;
use gradtop_store::Declared;
use gradtop_store::figures::{Figure, Panel};

use super::lines::{self, ClippedShape, LineShapes};
use super::member::Placement;
use super::parts::{Line, Part, Plan, ShapePart};
use super::plan::{keys, plan};
use super::prepared::{Cursor, CursorValue, LineInfo, Nearness, Plot, PreparedChart};
use super::view::{ChartView, Source, Subject};
use super::{axes, metric_figure};
use crate::live::series::Values;
use crate::live::{RunData, XAxis};

/// Number of columns of a line on a page.
const PAGE: usize = 1600;

/// Creates the chart for `width` × `height` cells.
pub fn build(
    sources: &[Source<'_>],
    subject: Subject<'_>,
    view: &ChartView,
    (width, height): (usize, usize),
    look: Theme,
) -> PreparedChart {
    let ascii = look.glyphs.ascii();
    let mut title = clean(&title(sources, subject, ascii));
    if ascii {
        title = gradtop_chart::ascii::plain(&title);
    }
    // Room for the mark of the focus.
    title.insert_str(0, "  ");
    compose(
        sources,
        subject,
        view,
        |chart| {
            chart.title = Some(title);
            chart.compact = true;
        },
        |chart| {
            let (area, domain) = cells::plot(chart, width, height, look)?;
            Some(Plot { area, x: domain.x, y: domain.y, dots: area.width * look.glyphs.dots().0 })
        },
    )
}

/// Creates the charts of a run's figure for a page, with all texts sanitized.
pub fn evaluate(figure: &Figure, data: &RunData) -> gradtop_chart::Figure {
    evaluate_as(figure, &Source::of(data), &ChartView::default())
}

/// Like [`evaluate`], for several runs and a given view.
pub fn evaluate_as(figure: &Figure, sources: &[Source<'_>], view: &ChartView) -> gradtop_chart::Figure {
    let chart = |n| {
        let place = |chart: &Chart| {
            let domain = Domain::of(chart);
            Some(Plot { area: Area::default(), x: domain.x, y: domain.y, dots: PAGE })
        };
        let subject = Subject::Panel(figure, n);
        let mut chart = compose(sources, subject, view, |_| {}, place).chart;
        // Fit the range to what is drawn, or to what remains if outliers are clipped.
        chart.x.range = view.zoom_x;
        for axis in std::iter::once(&mut chart.y).chain(&mut chart.y2) {
            axis.range = axis.range.filter(|_| view.clip);
        }
        chart.y.range = view.zoom_y.or(chart.y.range);
        chart
    };
    let charts = (0..figure.panels.len()).map(chart).collect();
    let mut caption = figure.caption.clone().filter(|caption| !caption.is_empty());
    let averages = what_lines_are(sources, figure, view);
    let metrics = figure.panels.iter().flat_map(|panel| &panel.marks).any(|mark| mark.metric.is_some());
    let smoothed = (view.smoothing > 0.0 && metrics).then(|| {
        let weight = number::value(view.smoothing);
        format!("Lines and their values are moving averages of weight {weight}.")
    });
    for sentence in averages.into_iter().chain(smoothed) {
        caption = Some(match caption {
            Some(own) if own.ends_with(['.', '!', '?']) => format!("{own} {sentence}"),
            Some(own) => format!("{own}. {sentence}"),
            None => sentence,
        });
    }
    cleaned(gradtop_chart::Figure { title: figure.title.clone(), caption, charts })
}

/// Says what the lines of a figure are the mean of: in one sentence if it holds for all panels, else in one for each kind, with the
/// panels' names.
fn what_lines_are(sources: &[Source<'_>], figure: &Figure, view: &ChartView) -> Option<String> {
    let mut kinds: Vec<(String, Vec<String>)> = Vec::new();
    for n in 0..figure.panels.len() {
        let plan = plan(sources, &panel_of(sources, Subject::Panel(figure, n)), view);
        let Some(words) = plan.means() else { continue };
        let panel = plan.chart.title.unwrap_or(plan.chart.y.label);
        match kinds.iter_mut().find(|(kind, _)| *kind == words) {
            Some((_, panels)) if panels.contains(&panel) => {}
            Some((_, panels)) => panels.push(panel),
            None => kinds.push((words, vec![panel])),
        }
    }
    match kinds.as_slice() {
        [] => None,
        [(words, _)] => Some(format!("Lines: {words}.")),
        several => {
            let sentence = |(words, panels): &(String, Vec<String>)| {
                format!("Lines in \"{}\": {words}.", panels.join("\", \""))
            };
            Some(several.iter().map(sentence).collect::<Vec<_>>().join(" "))
        }
    }
}

/// Returns the range of the left axis that [`build`] would use, for axes shared by several charts.
pub fn y_range(sources: &[Source<'_>], subject: Subject<'_>, view: &ChartView) -> Option<(f64, f64)> {
    let plan = plan(sources, &panel_of(sources, subject), view);
    let lines: Vec<&Line<'_>> = plan.lines().collect();
    plan.x?;
    let x = if view.log_x { Scale::Log } else { plan.chart.x.scale };
    let up = match view.log_y {
        Some(true) => Scale::Log,
        Some(false) => Scale::Linear,
        None => plan.chart.y.scale,
    };
    let (low, high) = view.zoom_x.or_else(|| lines::extent(&lines, x))?;
    lines::value_range(&lines, Side::Left, &Span { scale: x, low, high }, up, view.clip)
}

/// Composes a panel: texts first, then the layout, then the lines.
fn compose(
    sources: &[Source<'_>],
    subject: Subject<'_>,
    view: &ChartView,
    dress: impl FnOnce(&mut Chart),
    place: impl FnOnce(&Chart) -> Option<Plot>,
) -> PreparedChart {
    let plan = plan(sources, &panel_of(sources, subject), view);
    let pen = Pen { looks: looks(sources, subject, view, &plan), view };
    let Plan { mut chart, parts, x } = plan;
    dress(&mut chart);
    let hidden: BTreeSet<String> = parts.iter().filter_map(|part| hidden_name(part, view)).cloned().collect();
    let mut data = parts.iter().filter(|part| !part.is_rule()).peekable();
    if data.peek().is_some() && data.all(|part| hidden_name(part, view).is_some()) {
        chart.notes.push("everything here is hidden".to_owned());
    }
    let (orders, mut declared) = pen.divide(parts, &mut chart);
    let lines: Vec<&Line<'_>> = declared.iter().map(|(_, line)| line).collect();
    fit_axes(&mut chart, &lines, sources, x, view);
    // What has no place on the axis has no place in the legend.
    let has_place = |line: &Line<'_>| x.is_none() || line.extent(chart.x.scale).is_some();
    declared.retain(|(_, line)| has_place(line));
    let lines: Vec<&Line<'_>> = declared.iter().map(|(_, line)| line).collect();
    let drawn = lines.iter().filter(|line| !line.hidden).count();
    if drawn > MARKERS {
        chart.notes.push(format!("{drawn} lines have {MARKERS} markers: some share one"));
    }
    let plot = pen.with_names(&mut chart, &lines, place);
    let cursor = view.cursor.zip(plot).and_then(|(x, plot)| lines::cursor(&lines, x, &plot));
    let mut marks: Vec<(Order, Mark)> = orders.into_iter().zip(std::mem::take(&mut chart.marks)).collect();
    let (infos, drawn) = pen.draw(&declared, &chart, plot, cursor);
    marks.extend(drawn);
    if let (Some(kind), [source]) = (x, sources) {
        marks.extend(resumes(source.data, kind, view).map(|mark| ((false, usize::MAX), mark)));
    }
    chart.cursor = cursor
        .zip(Cursor::words(&infos))
        .map(|(cursor, words)| gradtop_chart::Cursor { x: cursor.x, words: words.into() });
    let nothing = marks.is_empty() && view.zoom_x.is_some()
        || chart.y2.is_none() && plot.is_some_and(|plot| is_zoomed_past(&lines, &plot, view));
    if nothing && chart.notes.is_empty() {
        chart.notes.push("nothing lies in this part of the axis".to_owned());
    }
    marks.sort_by_key(|(order, _)| *order);
    chart.marks = marks.into_iter().map(|(_, mark)| mark).collect();
    let reading = sources.iter().any(|s| s.data.progress.reading);
    PreparedChart { chart, plot, lines: infos, hidden, x, cursor, reading }
}

/// Returns upright lines where a run was resumed; the first that is seen says so.
fn resumes(data: &RunData, kind: XAxis, view: &ChartView) -> impl Iterator<Item = Mark> {
    let seen = |at: &f64| view.zoom_x.is_none_or(|(low, high)| (low..=high).contains(at));
    let all = Placement::new(data, view.relative, kind).resumes().filter(seen).enumerate();
    all.map(|(n, at)| {
        let name = (n == 0).then(|| "resumed".to_owned());
        Mark { name, ..Mark::new((Paint::Grey, 0), Shape::Rule { at: RulePosition::X(at) }) }
    })
}

/// The drawing order of a mark: whether it is in front of the fills, and its place in the declaration.
type Order = (bool, usize);

/// Turns lines into marks.
struct Pen<'a> {
    looks: BTreeMap<String, (Paint, u8)>,
    view: &'a ChartView,
}

impl Pen<'_> {
    /// Returns the colour and marker of a key; its own colour comes first.
    fn look(&self, key: &str, own: Option<Paint>) -> (Paint, u8) {
        let (paint, marker) = self.looks.get(key).copied().unwrap_or((Paint::Grey, 0));
        (own.unwrap_or(paint), marker)
    }

    /// Returns which values are drawn.
    fn values(&self) -> Values {
        if self.view.smoothing > 0.0 { Values::Smoothed } else { Values::Logged }
    }

    /// Adds the marks of shapes to a chart, except hidden ones. Returns their order, and the lines with their place in the
    /// declaration.
    fn divide<'b>(&self, parts: Vec<Part<'b>>, chart: &mut Chart) -> (Vec<Order>, Vec<(usize, Line<'b>)>) {
        let (mut orders, mut lines) = (Vec::new(), Vec::new());
        for (at, part) in parts.into_iter().enumerate() {
            match part {
                Part::Line(line) => lines.push((at, line)),
                part if hidden_name(&part, self.view).is_some() => {}
                Part::Shape(ShapePart { name, key, colour, side, shape }) => {
                    orders.push((!matches!(shape, Shape::Band { .. }), at));
                    chart.marks.push(Mark { name, side, ..Mark::new(self.look(&key, colour), shape) });
                }
            }
        }
        (orders, lines)
    }

    /// Describes lines for a legend, and draws those that are not hidden.
    fn draw(
        &self,
        lines: &[(usize, Line<'_>)],
        chart: &Chart,
        plot: Option<Plot>,
        cursor: Option<Cursor>,
    ) -> (Vec<LineInfo>, Vec<(Order, Mark)>) {
        let (mut infos, mut marks) = (Vec::new(), Vec::new());
        for (at, line) in lines {
            let (values, (paint, marker)) = (self.values(), self.look(&line.key, line.colour));
            let at_cursor = cursor.zip(plot).and_then(|(c, plot)| lines::value_at(line, c.x, &plot, values));
            let last = lines::end_value(line, values);
            let (axis, hidden) = (chart.axis(line.side).clone(), line.hidden);
            if !hidden {
                let drawn = self.line(line, plot.map(|plot| (plot, axis.scale)), last, at_cursor);
                marks.extend(drawn.into_iter().map(|(front, mark)| ((front, *at), mark)));
            }
            let (name, unit) = (line.name.clone(), line.unit.clone());
            infos.push(LineInfo { name, paint, marker, last, at_cursor, hidden, axis, unit });
        }
        (infos, marks)
    }

    fn mark(&self, line: &Line<'_>, last: Option<f64>, (shape, origins): ClippedShape) -> Mark {
        Mark {
            name: Some(line.name.clone()),
            last,
            unit: line.unit.clone(),
            side: line.side,
            counted: Some(line.counts(self.view.part())),
            origins,
            ..Mark::new(self.look(&line.key, line.colour), shape)
        }
    }

    /// Returns the mark of a line that is only named.
    fn name(&self, line: &Line<'_>, last: Option<f64>) -> Mark {
        self.mark(line, last, (Shape::Line { x: Vec::new(), y: Vec::new() }, Vec::new()))
    }

    /// Places a chart in which the names of lines, which take room too, stand beside the shapes.
    fn with_names(
        &self,
        chart: &mut Chart,
        lines: &[&Line<'_>],
        place: impl FnOnce(&Chart) -> Option<Plot>,
    ) -> Option<Plot> {
        let shapes = chart.marks.len();
        let shown = lines.iter().filter(|line| !line.hidden);
        chart.marks.extend(shown.map(|line| self.name(line, lines::end_value(line, self.values()))));
        let plot = place(chart);
        chart.marks.truncate(shapes);
        plot
    }

    /// Returns the marks of a line, and whether each is in front of the fills. Without room for a plot, its values are still
    /// listed.
    fn line(
        &self,
        line: &Line<'_>,
        plot: Option<(Plot, Scale)>,
        latest: Option<f64>,
        at_cursor: Option<CursorValue>,
    ) -> Vec<(bool, Mark)> {
        let Some((plot, scale)) = plot else { return vec![(true, self.name(line, latest))] };
        let LineShapes { line: front, behind, band } = lines::line_shapes(line, &plot, scale, self.values());
        let last = match (self.view.cursor, self.view.zoom_x, &front) {
            // A title has no room to say that a value is the last one of a line that has ended.
            (Some(_), ..) => at_cursor.filter(|c| c.nearness != Nearness::Ended).map(|c| c.shown),
            // The latest value is not that of a part of the axis.
            (None, Some(_), Some(front)) => lines::rightmost(front),
            _ => latest,
        };
        // If the line itself is drawn, it alone is named.
        let faint = front.is_some();
        let fill = |fill| {
            let fill = self.mark(line, last, fill);
            (false, Mark { faint, name: fill.name.filter(|_| !faint), ..fill })
        };
        let fills = [band, behind].into_iter().flatten().map(fill);
        fills.chain(front.map(|front| (true, self.mark(line, last, front)))).collect()
    }
}

/// Returns the name of a part that the user has hidden.
fn hidden_name<'a>(part: &'a Part<'_>, view: &ChartView) -> Option<&'a String> {
    match part {
        Part::Line(line) => line.hidden.then_some(&line.name),
        Part::Shape(part) => part.name.as_ref().filter(|name| view.hidden.contains(*name)),
    }
}

/// Sets scales and ranges of the axes of a chart that contains everything except its lines.
fn fit_axes(
    chart: &mut Chart,
    lines: &[&Line<'_>],
    sources: &[Source<'_>],
    x: Option<XAxis>,
    view: &ChartView,
) {
    if view.log_x {
        chart.x.scale = Scale::Log;
    }
    if let Some(log) = view.log_y {
        chart.y.scale = if log { Scale::Log } else { Scale::Linear };
    }
    if let Some(kind) = x {
        axes::fit(chart, lines, sources, kind, view);
        chart.notes.extend(axes::placeless(lines, kind, chart.x.scale));
    } else {
        axes::fit_symlog(chart, &[]);
        (chart.x.range, chart.y.range) = (view.zoom_x, view.zoom_y);
    }
    chart.notes.extend(axes::off_log(chart));
}

/// Returns whether all lines of the left axis are outside of the range that the user has zoomed to.
fn is_zoomed_past(lines: &[&Line<'_>], plot: &Plot, view: &ChartView) -> bool {
    let values = lines::value_range(lines, Side::Left, &plot.x, plot.y.scale, false);
    view.zoom_y.and(values).is_some_and(|(low, high)| high < plot.y.low || low > plot.y.high)
}

fn panel_of(sources: &[Source<'_>], subject: Subject<'_>) -> Panel {
    match subject {
        Subject::Panel(figure, n) => figure.panels.get(n).cloned().unwrap_or_default(),
        Subject::Metric(name) => {
            let declared: Declared<'_> = sources.iter().map(|s| s.data.info(name)).collect();
            metric_figure(name, declared, "step").panels.swap_remove(0)
        }
    }
}

/// Separates a figure's title from a panel's.
pub const TITLE_SEPARATORS: [&str; 2] = [" · ", " - "];

fn title(sources: &[Source<'_>], subject: Subject<'_>, ascii: bool) -> String {
    match subject {
        Subject::Panel(figure, n) => {
            let panel = figure.panels.get(n);
            let own = panel.and_then(|panel| {
                panel.title.as_deref().filter(|t| !t.is_empty()).or(panel.y.label.as_deref())
            });
            // Panels of one figure are distinguished by their own titles, those of several figures by the figures' titles.
            match own.filter(|own| figure.panels.len() > 1 && !own.is_empty() && *own != figure.title) {
                Some(own) => format!("{}{}{own}", figure.title, TITLE_SEPARATORS[usize::from(ascii)]),
                None => figure.title.clone(),
            }
        }
        Subject::Metric(name) => {
            let mut units = sources.iter().flat_map(|s| s.data.of_metric(name)).map(|s| s.unit());
            let first = units.next().flatten();
            let unit = first.filter(|_| units.all(|unit| unit == first));
            // Bytes are displayed as kB, MB or GB with each number.
            let unit = unit.filter(|u| !u.is_empty() && *u != "B");
            unit.map_or_else(|| name.to_owned(), |unit| format!("{name} [{unit}]"))
        }
    }
}

/// Assigns a colour and a marker to each key, shared by the panels of a figure.
fn looks(
    sources: &[Source<'_>],
    subject: Subject<'_>,
    view: &ChartView,
    plan: &Plan<'_>,
) -> BTreeMap<String, (Paint, u8)> {
    let known: BTreeSet<&str> = sources
        .iter()
        .flat_map(|s| match s.label {
            Some(label) => vec![label],
            None => s.data.names.iter().map(String::as_str).collect(),
        })
        .collect();
    let others: Vec<String> = match subject {
        Subject::Panel(figure, n) => {
            let others = figure.panels.iter().enumerate().filter(|(i, _)| *i != n);
            others.flat_map(|(_, panel)| keys(sources, panel, view)).collect()
        }
        Subject::Metric(_) => Vec::new(),
    };
    let shown: BTreeSet<&str> =
        plan.parts.iter().map(Part::key).chain(others.iter().map(String::as_str)).collect();
    let mut looks = assign(known.into_iter(), shown.into_iter().filter(|key| !key.is_empty()));
    looks.extend(view.looks.clone());
    looks
}

/// Sanitizes all texts, as they come from plugins.
fn cleaned(mut figure: gradtop_chart::Figure) -> gradtop_chart::Figure {
    let safe = |text: &mut String| *text = clean(text);
    safe(&mut figure.title);
    if let Some(caption) = &mut figure.caption {
        // Line breaks in a caption only wrap the source text.
        *caption = clean(&caption.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    for chart in &mut figure.charts {
        chart.title.iter_mut().for_each(safe);
        chart.notes.iter_mut().for_each(safe);
        for axis in [&mut chart.x, &mut chart.y].into_iter().chain(chart.y2.as_mut()) {
            safe(&mut axis.label);
            axis.unit.iter_mut().for_each(safe);
            axis.categories.iter_mut().for_each(safe);
        }
        for mark in &mut chart.marks {
            mark.name.iter_mut().chain(&mut mark.unit).for_each(safe);
            mark.shape.words_mut().for_each(safe);
        }
    }
    figure
}
