//! Draws a figure as SVG: white background, subtle axes, data in front.

mod marks;

use crate::cells::fields::field_of;
use crate::cells::marks::unplottable_notes;
use crate::cells::text::{width_of, wrap};
use crate::cells::{labelled, named_ticks};
use crate::domain::Domain;
use crate::scale::Span;
use crate::ticks::{Powers, Tick};
use crate::{Axis, Chart, Field, Figure};

/// Size of a panel with its axes, if there are others.
const PANEL: (f64, f64) = (620.0, 400.0);
/// Size of a panel if two must be readable on a sheet of paper.
const NARROW: (f64, f64) = (486.0, 340.0);
/// Size of a single panel.
const ALONE: (f64, f64) = (720.0, 440.0);
const MARGIN: f64 = 20.0;
const GAP: f64 = 24.0;
/// Font size of tick labels and legend; a character is 0.602 of it wide.
const SMALL: f64 = 11.5;
const CHAR: f64 = 0.602;
/// Font size of the notes below a plot.
const NOTE: f64 = 10.5;
/// Number of columns per unit of width to which lines are downsampled: two, for a bitmap at double resolution.
const DENSITY: f64 = 2.0;

pub(super) const INK: &str = "#1f2328";
const SOFT: &str = "#57606a";
const GRID: &str = "#e6e9ed";
const AXIS: &str = "#8c959f";
pub(super) const ALERT: &str = "#cf222e";

/// Draws a figure.
pub fn figure(figure: &Figure) -> String {
    drawing(figure, Pen { density: DENSITY, ..Pen::default() }, PANEL)
}

/// Draws a figure to embed in a page: ids begin with `name`, because they share the page's namespace; large fields are
/// images, and lines are downsampled to the columns of the drawing.
pub fn embedded(figure: &Figure, name: &str) -> String {
    let pen = Pen { name: format!("{name}-"), compact: true, density: 1.0, ..Pen::default() };
    drawing(figure, pen, NARROW)
}

fn drawing(figure: &Figure, mut pen: Pen, several: (f64, f64)) -> String {
    let merged = figure.merged();
    let figure = merged.as_ref().unwrap_or(figure);
    let count = figure.charts.len().max(1);
    let columns = if count == 1 { 1 } else { 2 };
    let rows = count.div_ceil(columns);
    let panel = if count == 1 { ALONE } else { several };
    let width = MARGIN * 2.0 + panel.0 * columns as f64 + GAP * (columns - 1) as f64;
    let letters = ((width - 2.0 * MARGIN) / (12.0 * CHAR)) as usize;
    let captions = figure.caption.as_deref().map(|c| wrap(&printable(c), letters)).unwrap_or_default();
    let head = if figure.title.is_empty() { 0.0 } else { 34.0 };
    let foot = if captions.is_empty() { 0.0 } else { captions.len() as f64 * 17.0 + 12.0 };
    let height = MARGIN * 2.0 + head + panel.1 * rows as f64 + GAP * (rows - 1) as f64 + foot;

    pen.put(&format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" font-family="Hack, 'DejaVu Sans Mono', Menlo, Consolas, monospace">"#,
        w = n(width),
        h = n(height)
    ));
    pen.put(&format!(r##"<rect width="{}" height="{}" fill="#ffffff"/>"##, n(width), n(height)));
    if head > 0.0 {
        pen.text((MARGIN, MARGIN + 14.0), &figure.title, 17.0, INK, "start");
    }
    for (i, chart) in figure.charts.iter().enumerate() {
        let x = MARGIN + (i % columns) as f64 * (panel.0 + GAP);
        let y = MARGIN + head + (i / columns) as f64 * (panel.1 + GAP);
        draw(&mut pen, chart, (x, y), panel, i);
    }
    for (i, line) in captions.iter().enumerate() {
        pen.text((MARGIN, height - MARGIN - foot + 24.0 + i as f64 * 17.0), line, 12.0, SOFT, "start");
    }
    pen.put("</svg>");
    pen.text
}

/// Writes SVG.
#[derive(Default)]
pub(super) struct Pen {
    text: String,
    /// Prefix of ids in the drawing.
    name: String,
    /// Whether to optimize for size: regular fields and images are embedded instead of drawn as rectangles, and paths have one decimal.
    pub(super) compact: bool,
    /// Number of columns per unit of width to which lines are downsampled.
    density: f64,
}

impl Pen {
    /// Writes an element on its own line.
    pub(super) fn put(&mut self, element: &str) {
        self.text.push_str(element);
        self.text.push('\n');
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), words: &str, size: f64, fill: &str, anchor: &str) {
        let (x, y, words) = (n(x), n(y), escape(words));
        self.put(&format!(
            r#"<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{words}</text>"#
        ));
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let [x, y, width, height] = [x, y, width, height].map(n);
        self.put(&format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"/>"#));
    }

    pub(super) fn circle(&mut self, (x, y): (f64, f64), r: f64, fill: &str) {
        self.put(&format!(r#"<circle cx="{}" cy="{}" r="{r}" fill="{fill}"/>"#, n(x), n(y)));
    }

    /// Draws a path without filling it.
    pub(super) fn stroke(&mut self, path: &str, colour: &str, more: &str) {
        self.put(&format!(r#"<path d="{path}" fill="none" stroke="{colour}" {more}/>"#));
    }

    pub(super) fn path(&self, points: &[(f64, f64)]) -> String {
        if self.compact { compact_path(points) } else { path(points) }
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(n);
        self.put(&format!(r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{stroke}"/>"#));
    }
}

/// The rectangle of a plot with its ranges.
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) domain: Domain,
    /// Number of columns per unit of width to which lines are downsampled.
    pub(super) density: f64,
}

impl Plot {
    pub(super) fn x(&self, v: f64) -> f64 {
        self.left + self.domain.x.unit(v) * self.width
    }

    pub(super) fn y(&self, span: &Span, v: f64) -> f64 {
        self.top + (1.0 - span.unit(v)) * self.height
    }
}

/// Draws a panel; `index` makes its ids unique.
fn draw(pen: &mut Pen, chart: &Chart, (x, y): (f64, f64), (width, height): (f64, f64), index: usize) {
    let top = title(pen, chart, (x, y), width);
    let top = legend(pen, chart, x, top, width);
    if chart.is_images() {
        marks::images(pen, chart, (x, top + 4.0), (width, y + height - top - 8.0));
        return;
    }
    let Layout { plot, x_ticks, y_ticks, y2_ticks, notes } =
        layout(chart, (x, width), (top, y + height), pen.density);
    let bottom = plot.top + plot.height;
    // Do not clip markers at the edge.
    let around = [plot.left - 5.0, plot.top - 5.0, plot.width + 10.0, plot.height + 10.0];
    let ([x0, y0, wide, high], name) = (around.map(n), &pen.name);
    pen.put(&format!(
        r#"<clipPath id="{name}p{index}"><rect x="{x0}" y="{y0}" width="{wide}" height="{high}"/></clipPath>"#
    ));
    grid(pen, chart, &plot, &x_ticks, &y_ticks);
    pen.put(&format!(r#"<g clip-path="url(#{}p{index})">"#, pen.name));
    marks::marks(pen, chart, &plot);
    marks::words(pen, chart, &plot);
    pen.put("</g>");
    pen.line((plot.left, plot.top), (plot.left, bottom), AXIS);
    pen.line((plot.left, bottom), (plot.left + plot.width, bottom), AXIS);
    if let (Some(span), Some(axis)) = (&plot.domain.y2, &chart.y2) {
        let edge = plot.left + plot.width;
        pen.line((edge, plot.top), (edge, bottom), AXIS);
        for tick in &y2_ticks {
            pen.text((edge + 7.0, plot.y(span, tick.value) + 4.0), &tick.label, SMALL, SOFT, "start");
        }
        upright(pen, (x + width - 4.0, &plot), &axis.caption());
    }
    marks::odd(pen, chart, &plot);
    upright(pen, (x + 10.0, &plot), &chart.y.caption());
    let x_caption = chart.x.caption();
    if !x_caption.is_empty() {
        pen.text((plot.left + plot.width / 2.0, bottom + 36.0), &x_caption, 12.0, INK, "middle");
    }
    if let Some(field) = coloured_field(chart).filter(|_| chart.y2.is_none()) {
        marks::colour_bar(pen, field, &plot);
    }
    for (i, note) in notes.iter().rev().enumerate() {
        pen.text((plot.left, y + height - 2.0 - i as f64 * 15.0), note, NOTE, ALERT, "start");
    }
}

/// Draws the title; returns the y below it.
fn title(pen: &mut Pen, chart: &Chart, (x, y): (f64, f64), width: f64) -> f64 {
    let Some(title) = chart.title.as_deref().filter(|t| !t.is_empty()) else { return y };
    let letters = (width / (13.5 * CHAR)) as usize;
    let lines = wrap(&printable(title), letters.max(8));
    for (i, line) in lines.iter().enumerate() {
        pen.text((x, y + i as f64 * 16.0 + 12.0), line, 13.5, INK, "start");
    }
    y + lines.len() as f64 * 16.0 + 6.0
}

/// A plot with what is written around it.
struct Layout {
    plot: Plot,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    y2_ticks: Vec<Tick>,
    notes: Vec<String>,
}

/// Divides the room below the legend, from `top` to `end`.
fn layout(chart: &Chart, (x, width): (f64, f64), (top, end): (f64, f64), density: f64) -> Layout {
    let domain = Domain::of(chart);
    let known = Domain::known(chart);
    let ticks = |axis: &Axis, span: &Span| labelled(axis, span, 8, Powers::Raised);
    let y_ticks = if known.y { ticks(&chart.y, &domain.y) } else { Vec::new() };
    let y2_ticks = match (&chart.y2, &domain.y2) {
        (Some(axis), Some(span)) if known.y2 => ticks(axis, span),
        _ => Vec::new(),
    };
    let widest =
        |ticks: &[Tick]| ticks.iter().map(|t| width_of(&t.label)).max().unwrap_or(0) as f64 * SMALL * CHAR;
    let caption_room = |axis: &Axis| if axis.caption().is_empty() { 0.0 } else { 20.0 };
    let left = widest(&y_ticks) + 10.0 + caption_room(&chart.y);
    let letters = ((width - left) / (NOTE * CHAR)) as usize;
    let notes: Vec<String> = unplottable_notes(chart, &domain)
        .iter()
        .chain(&chart.notes)
        .flat_map(|note| wrap(&printable(note), letters.max(8)))
        .collect();
    let right = match (&chart.y2, coloured_field(chart)) {
        (Some(axis), _) => widest(&y2_ticks) + 10.0 + caption_room(axis),
        (None, Some(_)) => 84.0,
        (None, None) => 14.0,
    };
    let below = 22.0 + caption_room(&chart.x) + notes.len() as f64 * 15.0;
    let plot = Plot {
        left: x + left,
        top: top + 8.0,
        width: width - left - right,
        height: (end - below) - (top + 8.0),
        domain,
        density,
    };
    let x_ticks = if chart.x.categories.is_empty() {
        labelled(&chart.x, &plot.domain.x, 10, Powers::Raised)
    } else {
        named_ticks(&chart.x.categories, (plot.width / (SMALL * CHAR)) as usize, false)
    };
    let x_ticks = known.across(&chart.x, x_ticks);
    Layout { plot, x_ticks, y_ticks, y2_ticks, notes }
}

/// Draws the lines of the grid behind the marks, with the labels of the ticks.
fn grid(pen: &mut Pen, chart: &Chart, plot: &Plot, x_ticks: &[Tick], y_ticks: &[Tick]) {
    let bottom = plot.top + plot.height;
    for tick in y_ticks {
        let at = plot.y(&plot.domain.y, tick.value);
        pen.line((plot.left, at), (plot.left + plot.width, at), GRID);
        pen.text((plot.left - 7.0, at + 4.0), &tick.label, SMALL, SOFT, "end");
    }
    for tick in x_ticks {
        let at = plot.x(tick.value);
        if chart.x.categories.is_empty() {
            pen.line((at, plot.top), (at, bottom), GRID);
        }
        pen.text((at, bottom + 17.0), &tick.label, SMALL, SOFT, "middle");
    }
}

/// Returns the field whose colours a bar explains.
fn coloured_field(chart: &Chart) -> Option<&Field> {
    field_of(chart).filter(|field| field.range().is_some())
}

/// Draws an axis' caption vertically, smaller if it would be longer than the axis.
fn upright(pen: &mut Pen, (x, plot): (f64, &Plot), words: &str) {
    if !words.is_empty() {
        let size = (plot.height / (width_of(words) as f64 * CHAR)).clamp(7.5, 12.0);
        let ([x, y, size], words) = ([x, plot.top + plot.height / 2.0, size].map(n), escape(words));
        pen.put(&format!(
            r#"<text transform="translate({x} {y}) rotate(-90)" font-size="{size}" fill="{INK}" text-anchor="middle">{words}</text>"#
        ));
    }
}

/// Draws the legend; returns the y below it.
fn legend(pen: &mut Pen, chart: &Chart, left: f64, top: f64, width: f64) -> f64 {
    let entries = chart.named();
    if entries.is_empty() {
        return top;
    }
    let (mut x, mut y) = (left, top + 10.0);
    for mark in entries {
        let name = mark.name.as_deref().unwrap_or_default();
        let last = mark.last.map(|v| chart.axis(mark.side).words(v)).unwrap_or_default();
        let letters = width_of(name) + if last.is_empty() { 0 } else { width_of(&last) + 1 };
        let length = 30.0 + letters as f64 * SMALL * CHAR;
        if x > left && x + length > left + width {
            (x, y) = (left, y + 17.0);
        }
        marks::sample(pen, mark, (x, y - 4.0));
        pen.text((x + 28.0, y), name, SMALL, INK, "start");
        if !last.is_empty() {
            pen.text((x + 28.0 + (width_of(name) + 1) as f64 * SMALL * CHAR, y), &last, SMALL, SOFT, "start");
        }
        x += length + 20.0;
    }
    y + 6.0
}

/// Formats a colour for SVG.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Formats a coordinate with at most two decimals.
pub(super) fn n(v: f64) -> String {
    let text = format!("{v:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Removes characters that XML does not allow.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .collect()
}

/// Escapes text for use in an element.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Returns path data in tenths, each point relative to the previous one. Positions are rounded before differences are
/// taken, so that errors do not accumulate; repeated points are left out.
fn compact_path(points: &[(f64, f64)]) -> String {
    let tenths = |v: f64| (v * 10.0).round() as i64;
    let digits = |v: i64| n(v as f64 / 10.0);
    let mut d = String::with_capacity(points.len() * 7);
    let mut last: Option<(i64, i64)> = None;
    for (x, y) in points {
        let at = (tenths(*x), tenths(*y));
        match last {
            None => {
                let start = format!("M{} {}l", digits(at.0), digits(at.1));
                d.push_str(&start);
            }
            Some(before) if before == at => continue,
            Some(before) => {
                let (x, y) = (digits(at.0 - before.0), digits(at.1 - before.1));
                let gap = if d.ends_with('l') || x.starts_with('-') { "" } else { " " };
                let between = if y.starts_with('-') { "" } else { " " };
                d.extend([gap, x.as_str(), between, y.as_str()]);
            }
        }
        last = Some(at);
    }
    // A single point still needs a dot.
    if d.ends_with('l') {
        d.push_str("0 0");
    }
    d
}

fn path(points: &[(f64, f64)]) -> String {
    let mut d = String::with_capacity(points.len() * 12);
    for (i, (x, y)) in points.iter().enumerate() {
        d.push(if i == 0 { 'M' } else { 'L' });
        d.push_str(&n(*x));
        d.push(' ');
        d.push_str(&n(*y));
    }
    d
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cells::glyphs::Glyphs;
    use crate::cells::theme::Theme;
    use crate::colour::Colours;
    use crate::colour::Paint;
    use crate::scale::Scale;
    use crate::{Image, Mark, RulePosition, Shape};
    use proptest::prelude::*;

    fn mark(name: &str, shape: Shape) -> Mark {
        Mark { name: Some(name.into()), last: Some(1.5), ..Mark::new((Paint::Slot(1), 9), shape) }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value =
            prop_oneof![8 => -1e3f64..1e3, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => any::<f64>()];
        prop::collection::vec(value, 0..40)
    }

    #[test]
    fn a_note_is_no_wider_than_its_panel() {
        let long = "few images, width 3, 0 % noise: 1 of 2 trials is not finite (from step 480); the line shows the others";
        let line = mark("one", Shape::Line { x: vec![0.0, 1.0], y: vec![0.0, 1.0] });
        let chart = Chart { marks: vec![line], notes: vec![long.to_owned()], ..Chart::default() };
        let charts = vec![chart.clone(), chart];
        let svg = figure(&Figure { title: String::new(), charts, caption: None });
        let lines: Vec<&str> = svg.lines().filter(|l| l.contains(ALERT)).collect();
        assert_eq!(lines.len(), 4, "two notes of two lines each: {lines:?}");
        let text = |line: &str| line.split(['<', '>']).nth(2).unwrap().to_owned();
        assert_eq!(format!("{} {}", text(lines[1]), text(lines[0])), long);
    }

    #[test]
    fn points_without_a_place_are_told_mark_by_mark_or_of_many_at_once() {
        let notes = |marks: usize| {
            let line = |_| mark("one", Shape::Line { x: vec![0.0, 1.0], y: vec![f64::NAN, 1.0] });
            let chart = Chart { marks: (0..marks).map(line).collect(), ..Chart::default() };
            unplottable_notes(&chart, &Domain::of(&chart))
        };
        assert_eq!(notes(2), ["one  × not a number: 1 of 2 points"; 2]);
        assert_eq!(notes(4), ["4 series  × not a number: 4 of 8 points"]);
    }

    proptest! {
        /// Whatever the data and the words, the drawing is XML without a coordinate that is no number, and text is cells.
        #[test]
        fn any_chart_is_well_formed(x in values(), y in values(), words in any::<String>(), log in any::<bool>()) {
            let n = x.len().min(y.len());
            let (x, y) = (x[..n].to_vec(), y[..n].to_vec());
            let field = Field { x: vec![0.0, 1.0], y: vec![0.0, 1.0], z: [&y[..], &[0.0; 4]].concat()[..4].to_vec(), label: words.clone(), log };
            let shapes = vec![
                Shape::Line { x: x.clone(), y: y.clone() },
                Shape::Band { x: x.clone(), low: y.clone(), high: y.clone() },
                Shape::Scatter { x: x.clone(), y: y.clone(), joined: true },
                Shape::Bars { x: x.clone(), y, width: 0.5 },
                Shape::Heatmap(field.clone()),
                Shape::Contour(field),
                Shape::Rule { at: RulePosition::X(x.first().copied().unwrap_or(f64::NAN)) },
            ];
            let scale = if log { Scale::Log } else { Scale::Linear };
            for shape in shapes {
                let chart = Chart {
                    title: Some(words.clone()),
                    y: Axis { label: words.clone(), scale, ..Axis::default() },
                    marks: vec![mark(&words, shape)],
                    ..Chart::default()
                };
                let figure = crate::Figure { title: words.clone(), caption: Some(words.clone()), charts: vec![chart] };
                let svg = super::figure(&figure);
                prop_assert!(resvg::usvg::roxmltree::Document::parse(&svg).is_ok());
                prop_assert!(!svg.contains("\"NaN") && !svg.contains("inf\""), "{svg}");
                let look = Theme { colours: Colours::None, glyphs: Glyphs::Ascii, ..Theme::default() };
                let grid = crate::cells::figure(&figure, 60, 20, look);
                prop_assert_eq!(grid.area.width, 60);
            }
        }
    }

    /// The points of a compact path, as a reader adds them up.
    fn points_of(d: &str) -> Vec<(f64, f64)> {
        let (start, rest) = d.strip_prefix('M').unwrap().split_once('l').unwrap();
        let numbers = |text: &str| -> Vec<f64> {
            text.replace('-', " -").split_whitespace().map(|w| w.parse().unwrap()).collect()
        };
        let mut points = vec![(numbers(start)[0], numbers(start)[1])];
        for step in numbers(rest).chunks(2) {
            let (x, y) = *points.last().unwrap();
            points.push((x + step[0], y + step[1]));
        }
        points
    }

    proptest! {
        #[test]
        fn a_compact_path_goes_through_the_same_points(steps in prop::collection::vec((-50f64..50.0, -50f64..50.0), 1..60)) {
            let mut at = (400.0, 300.0);
            let points: Vec<(f64, f64)> = steps.iter().map(|(x, y)| { at = (at.0 + x, at.1 + y); at }).collect();
            let found = points_of(&compact_path(&points));
            let near = |a: &(f64, f64), b: &(f64, f64)| (a.0 - b.0).abs() < 0.0501 && (a.1 - b.1).abs() < 0.0501;
            prop_assert!(near(found.last().unwrap(), points.last().unwrap()));
            prop_assert!(points.iter().all(|p| found.iter().any(|f| near(f, p))));
        }
    }

    #[test]
    fn long_words_stay_in_their_panel() {
        let line = || mark("a", Shape::Line { x: vec![0.0, 1.0], y: vec![0.0, 1.0] });
        let label = "squared error, summed over outputs and averaged over images".to_owned();
        let chart = Chart {
            title: Some("1>3 ".repeat(30)),
            y: Axis { label: label.clone(), ..Axis::default() },
            marks: vec![line()],
            ..Chart::default()
        };
        let page = embedded(&Figure { charts: vec![chart.clone(), chart], ..Figure::default() }, "a");
        let drawing = resvg::usvg::roxmltree::Document::parse(&page).unwrap();
        for text in drawing.descendants().filter(|node| node.has_tag_name("text")) {
            let size: f64 = text.attribute("font-size").unwrap().parse().unwrap();
            let long = width_of(text.text().unwrap_or_default()) as f64 * size * CHAR;
            assert!(long <= NARROW.0, "{:?}", text.text());
        }
        let caption = drawing.descendants().find(|node| node.text() == Some(label.as_str())).unwrap();
        assert!(caption.attribute("font-size").unwrap().parse::<f64>().unwrap() < 12.0);
    }

    #[test]
    fn a_compact_path_is_short() {
        assert_eq!(compact_path(&[(1.0, 2.0), (1.04, 2.0), (2.0, 1.5), (2.5, 3.0)]), "M1 2l1-0.5 0.5 1.5");
        assert_eq!(compact_path(&[(1.0, 2.0)]), "M1 2l0 0");
    }

    #[test]
    fn as_a_part_of_a_page_it_has_names_of_its_own_and_fields_are_pictures() {
        let x: Vec<f64> = (0..30).map(f64::from).collect();
        let z: Vec<f64> = (0..900).map(f64::from).collect();
        let field = Field { x: x.clone(), y: x, z, label: "z".into(), log: false };
        let of = |field: Field| Figure {
            charts: vec![Chart { marks: vec![mark("f", Shape::Heatmap(field))], ..Chart::default() }],
            ..Figure::default()
        };
        let page = embedded(&of(field.clone()), "a-loss");
        assert!(page.contains("id=\"a-loss-p0\"") && page.contains("url(#a-loss-p0)"), "{page}");
        assert!(page.contains("data:image/png;base64,") && page.len() < 20_000, "{}", page.len());
        resvg::usvg::roxmltree::Document::parse(&page).unwrap();
        // Cells of different sizes are no image.
        let uneven = Field { x: (0..30).map(|i| f64::from(i * i)).collect(), ..field };
        assert!(!embedded(&of(uneven), "a").contains("data:image"));
    }

    #[test]
    fn the_last_point_is_drawn_and_pictures_are_merged_rows() {
        let line = Shape::Line { x: vec![0.0, 1.0, 2.0], y: vec![0.0, 1.0, 4.0] };
        let chart = Chart {
            y: Axis { label: "y".into(), ..Axis::default() },
            marks: vec![mark("a", line)],
            ..Chart::default()
        };
        let svg = figure(&Figure { charts: vec![chart], ..Figure::default() });
        let path = svg.lines().find(|l| l.contains("stroke-width=\"1.6\"")).unwrap();
        assert_eq!(path.matches(['M', 'L']).count(), 3, "{path}");
        let pixels = vec![Some([0, 0, 0]), Some([0, 0, 0]), None, Some([255, 0, 0])];
        let image = Shape::Image(Image { width: 2, height: 2, pixels });
        let svg = figure(&Figure {
            charts: vec![Chart { marks: vec![mark("i", image)], ..Chart::default() }],
            ..Figure::default()
        });
        assert_eq!(svg.matches("fill=\"#000000\"").count(), 1);
        assert_eq!(svg.matches("fill=\"#ff0000\"").count(), 1);
    }
}
