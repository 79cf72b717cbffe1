//! Draws a figure as SVG: white background, subtle axes, data in front.

mod marks;
mod path;

use crate::axis_ticks::{Row, axis_ticks, vertical, wrapped_ticks};
use crate::cells::fields::field_of;
use crate::cells::marks::unplottable_notes;
use crate::cells::text::{width_of, wrap};
use crate::domain::Domain;
use crate::number::trimmed;
use crate::scale::Span;
use crate::ticks::{Powers, Tick};
use crate::{Axis, Chart, Field, Figure, Mark, Shape};

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
/// Distance of the lines of a label below a plot.
const LABEL_LINE: f64 = 13.0;
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
        let (x, y, words) = (n(x), n(y), lettered(words, size));
        self.put(&format!(
            r#"<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">{words}</text>"#
        ));
    }

    /// Writes text with a white edge, to be read over lines.
    pub(super) fn edged_text(&mut self, (x, y): (f64, f64), words: &str, size: f64, fill: &str) {
        let (x, y, words) = (n(x), n(y), lettered(words, size));
        let edge = r##"stroke="#ffffff" stroke-width="2.5" stroke-linejoin="round" paint-order="stroke""##;
        self.put(&format!(r#"<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" {edge}>{words}</text>"#));
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
        if self.compact { path::compact(points) } else { path::plain(points) }
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
        self.left + near(self.domain.x.unit(v)) * self.width
    }

    pub(super) fn y(&self, span: &Span, v: f64) -> f64 {
        self.top + (1.0 - near(span.unit(v))) * self.height
    }
}

/// The farthest that anything is drawn from a plot, in its widths or heights: readers of drawings compute with 32 bits.
const FAR: f64 = 1e3;

/// A place on an axis, moved closer if it is much too far away to be seen.
fn near(unit: f64) -> f64 {
    if unit.is_finite() { unit.clamp(-FAR, FAR) } else { unit }
}

/// Draws a panel; `index` makes its ids unique.
fn draw(pen: &mut Pen, chart: &Chart, (x, y): (f64, f64), (width, height): (f64, f64), index: usize) {
    let top = title(pen, chart, (x, y), width);
    let top = legend(pen, chart, x, top, width);
    if chart.is_images() {
        marks::images(pen, chart, (x, top + 4.0), (width, y + height - top - 8.0));
        return;
    }
    let layout = layout(chart, (x, width), (top, y + height), pen.density);
    let Layout { plot, y2_ticks, notes, .. } = &layout;
    let bottom = plot.top + plot.height;
    // Do not clip markers at the edge.
    let around = [plot.left - 5.0, plot.top - 5.0, plot.width + 10.0, plot.height + 10.0];
    let ([x0, y0, wide, high], name) = (around.map(n), &pen.name);
    pen.put(&format!(
        r#"<clipPath id="{name}p{index}"><rect x="{x0}" y="{y0}" width="{wide}" height="{high}"/></clipPath>"#
    ));
    grid(pen, chart, &layout);
    pen.put(&format!(r#"<g clip-path="url(#{}p{index})">"#, pen.name));
    marks::marks(pen, chart, plot);
    marks::texts(pen, chart, plot);
    pen.put("</g>");
    pen.line((plot.left, plot.top), (plot.left, bottom), AXIS);
    pen.line((plot.left, bottom), (plot.left + plot.width, bottom), AXIS);
    if let (Some(span), Some(axis)) = (&plot.domain.y2, &chart.y2) {
        let edge = plot.left + plot.width;
        pen.line((edge, plot.top), (edge, bottom), AXIS);
        for tick in y2_ticks {
            pen.text((edge + 7.0, plot.y(span, tick.value) + 4.0), &tick.label, SMALL, SOFT, "start");
        }
        upright(pen, (x + width - 4.0, plot), &axis.caption());
    }
    marks::odd(pen, chart, plot);
    upright(pen, (x + 10.0, plot), &chart.y.caption());
    let x_caption = chart.x.caption();
    if !x_caption.is_empty() {
        pen.text(
            (plot.left + plot.width / 2.0, bottom + layout.labels + 14.0),
            &x_caption,
            12.0,
            INK,
            "middle",
        );
    }
    if let Some(field) = coloured_field(chart).filter(|_| chart.y2.is_none()) {
        marks::colour_bar(pen, chart, field, plot);
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
    /// The room on its left and right.
    margins: (f64, f64),
    /// Height of the labels below it.
    labels: f64,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    y2_ticks: Vec<Tick>,
    notes: Vec<String>,
}

/// Divides the room below the legend, from `top` to `end`.
fn layout(chart: &Chart, (x, width): (f64, f64), (top, end): (f64, f64), density: f64) -> Layout {
    let domain = Domain::of(chart);
    let known = Domain::known(chart);
    let [y_ticks, y2_ticks] = vertical(chart, &domain, known, (8, Powers::Raised));
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
    let x_ticks = if chart.x.categories.is_empty() {
        axis_ticks(&chart.x, &domain.x, 10, Powers::Raised)
    } else {
        let columns = |length: f64| length / (SMALL * CHAR);
        let margins = [left, right].map(|margin| columns(margin) as usize);
        let row = Row::new(&domain.x, columns(width - left - right), margins.into());
        wrapped_ticks(&chart.x.categories, &row)
    };
    let x_ticks = known.across(&chart.x, x_ticks);
    let lines = x_ticks.iter().map(|tick| tick.label.split('\n').count()).max().unwrap_or(1);
    let labels = 22.0 + (lines - 1) as f64 * LABEL_LINE;
    let below = labels + caption_room(&chart.x) + notes.len() as f64 * 15.0;
    let plot = Plot {
        left: x + left,
        top: top + 8.0,
        width: width - left - right,
        height: (end - below) - (top + 8.0),
        domain,
        density,
    };
    Layout { plot, margins: (left, right), labels, x_ticks, y_ticks, y2_ticks, notes }
}

/// Draws the lines of the grid behind the marks, with the labels of the ticks.
fn grid(pen: &mut Pen, chart: &Chart, layout: &Layout) {
    let Layout { plot, margins: (left, right), x_ticks, y_ticks, .. } = layout;
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
        for (line, label) in tick.label.split('\n').enumerate() {
            let half = width_of(label) as f64 * SMALL * CHAR / 2.0;
            let middle = at.min(plot.left + plot.width + right - half).max(plot.left - left + half);
            pen.text((middle, bottom + 17.0 + line as f64 * LABEL_LINE), label, SMALL, SOFT, "middle");
        }
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
        let words = lettered(words, size);
        let [x, y, size] = [x, plot.top + plot.height / 2.0, size].map(n);
        pen.put(&format!(
            r#"<text transform="translate({x} {y}) rotate(-90)" font-size="{size}" fill="{INK}" text-anchor="middle">{words}</text>"#
        ));
    }
}

/// Draws the legend; returns the y below it.
fn legend(pen: &mut Pen, chart: &Chart, left: f64, top: f64, width: f64) -> f64 {
    let mut entries: Vec<(&Mark, &str)> =
        chart.named().into_iter().map(|mark| (mark, mark.name.as_deref().unwrap_or_default())).collect();
    let is_contour = |mark: &&Mark| mark.name.is_none() && matches!(mark.shape, Shape::Contour(_));
    entries.extend(
        chart
            .marks
            .iter()
            .find(is_contour)
            .filter(|_| chart.is_lined_map())
            .map(|mark| (mark, "equal values")),
    );
    if entries.is_empty() {
        return top;
    }
    let (mut x, mut y) = (left, top + 10.0);
    let wide = |words: &str| width_of(words) as f64 * SMALL * CHAR;
    let mut place = |length: f64| {
        if x > left && x + length > left + width {
            (x, y) = (left, y + 17.0);
        }
        let at = (x, y);
        x += length + 20.0;
        at
    };
    let domain = Domain::of(chart);
    let mut bottom = top;
    for (mark, name) in entries {
        let last = chart.value_words(mark, &domain).map(|last| format!(" {last}")).unwrap_or_default();
        let (x, y) = place(30.0 + wide(name) + wide(&last));
        marks::sample(pen, chart, mark, (x, y - 4.0));
        pen.text((x + 28.0, y), name, SMALL, INK, "start");
        if !last.is_empty() {
            pen.text((x + 28.0 + wide(name) + wide(" "), y), &last[1..], SMALL, SOFT, "start");
        }
        bottom = y;
    }
    if let Some(kind) = chart.value_kind() {
        let (x, y) = place(wide(kind));
        pen.text((x, y), kind, SMALL, SOFT, "start");
        bottom = y;
    }
    bottom + 6.0
}

/// Formats a colour for SVG.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Formats a coordinate with at most two decimals.
pub(super) fn n(v: f64) -> String {
    let text = trimmed(&format!("{v:.2}"));
    if text == "-0" { "0".to_owned() } else { text }
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

/// Escapes text of this size. Subscripts become small digits: the font has none, and for one missing letter the whole
/// text would be drawn in another font.
fn lettered(words: &str, size: f64) -> String {
    let (low, small) = (n(size * 0.2), n(size * 0.75));
    let mut out = String::with_capacity(words.len());
    let (mut is_low, mut is_open) = (false, false);
    for c in escape(words).chars() {
        let digit = u32::from(c).checked_sub(0x2080).and_then(|digit| char::from_digit(digit, 10));
        if let Some(digit) = digit {
            let dy = if is_low { "0" } else { &low };
            out.push_str(if std::mem::take(&mut is_open) { "</tspan>" } else { "" });
            out.extend([r#"<tspan dy=""#, dy, r#"" font-size=""#, &small, r#"">"#]);
            out.push(digit);
            out.push_str("</tspan>");
        } else {
            if is_low {
                out.extend([r#"<tspan dy="-"#, &low, r#"">"#]);
                is_open = true;
            }
            out.push(c);
        }
        is_low = digit.is_some();
    }
    out + if is_open { "</tspan>" } else { "" }
}

#[cfg(test)]
mod tests;
