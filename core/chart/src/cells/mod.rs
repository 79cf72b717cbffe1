//! Draws a chart in character cells: title, legend, axes, plot, notes.

pub mod align;
mod canvas;
mod captions;
pub(crate) mod fields;
pub mod glyphs;
mod head;
pub(crate) mod marks;
pub mod raster;
pub mod room;
pub mod text;
pub mod theme;

use std::ops::Range;

use crate::axis_ticks::{across, vertical};
use crate::colour::{Paint, marker};
use crate::domain::{Domain, KnownAxes};
use crate::scale::Span;
use crate::ticks::{Powers, Tick};
use crate::{Chart, Figure, Mark, Shape, Side};
use canvas::Canvas;
pub use canvas::paste;
use head::Head;
use ratatui_core::buffer::Buffer;
use ratatui_core::style::Style;
use text::{fit, fit_ends, width_of, wrap};
use theme::{Ink, Theme};

/// Minimum width of two panels side by side.
const NARROWEST: usize = 58;
/// Minimum height of a useful panel in rows.
const LOWEST: usize = 14;
/// Minimum height of its plot.
const LEAST: usize = 5;

/// Draws a figure, with panels side by side if they fit, else below each other. It is `width` wide and about `height`
/// high, or higher if its panels need it.
pub fn figure(figure: &Figure, width: usize, height: usize, look: Theme) -> Buffer {
    let merged = figure.merged();
    let figure = merged.as_ref().unwrap_or(figure);
    let count = figure.charts.len().max(1);
    let columns = (width / NARROWEST).clamp(1, count.min(3));
    let rows = count.div_ceil(columns);
    let captions = figure.caption.as_deref().map(|c| wrap(c, width)).unwrap_or_default();
    let titled = usize::from(!figure.title.is_empty());
    let room = height.saturating_sub(titled + captions.len());
    let gap = 2;
    let panel_width = (width - gap * (columns - 1)) / columns;
    let panel_height = (room / rows).max(LOWEST);
    // Many notes make it higher, instead of covering the plot.
    let needed = |panel| least_height(panel, (panel_width, panel_height), look);
    let panel_height = figure.charts.iter().map(needed).max().unwrap_or(0).max(panel_height);
    let mut canvas = Canvas::new(width, titled + captions.len() + rows * panel_height, look, look.bold());
    canvas.text(0, 0, &head::cut(&figure.title, width, look.glyphs.ascii()), Ink::Bold);
    for (i, panel) in figure.charts.iter().enumerate() {
        let cells = chart(panel, (panel_width, panel_height), look, look.bold());
        canvas.paste(i % columns * (panel_width + gap), titled + i / columns * panel_height, &cells);
    }
    for (i, line) in captions.iter().enumerate() {
        canvas.text(0, titled + rows * panel_height + i, line, Ink::Dim);
    }
    canvas.done()
}

/// The position of the plot within the cells of a chart.
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its first column.
    pub left: usize,
    /// Its first row.
    pub top: usize,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of positions within a cell, across and down: the dots of a character, or more where a field fills cells.
    pub dots: (usize, usize),
}

impl Area {
    /// Returns the column of a value, from the left: the one with the dot that stands for it.
    pub(crate) fn column_of(&self, span: &Span, v: f64) -> Option<usize> {
        cell_of(span.unit(v), self.width, self.dots.0)
    }

    /// Returns the row of a value, from the top.
    pub(crate) fn row_of(&self, span: &Span, v: f64) -> Option<usize> {
        cell_of(1.0 - span.unit(v), self.height, self.dots.1)
    }
}

fn cell_of(unit: f64, cells: usize, dots: usize) -> Option<usize> {
    let dot = |unit: f64| (unit.clamp(0.0, 1.0) * (cells * dots).saturating_sub(1) as f64).round() as usize;
    (-1e-9..=1.0 + 1e-9).contains(&unit).then(|| dot(unit) / dots.max(1))
}

/// Positions within a cell that a field fills: its values have edges anywhere.
const FILLED: (usize, usize) = (64, 64);

/// A chart with the place of its plot, and how it looks.
#[derive(Clone, Copy)]
struct Scene<'a> {
    chart: &'a Chart,
    domain: &'a Domain,
    area: Area,
    look: Theme,
}

/// Minimum number of columns and rows for a chart.
pub(crate) const SMALLEST: (usize, usize) = (16, 5);

/// Minimum height of a small chart that explains the marks at its axis.
const EXPLAINED: usize = 8;

/// Draws a chart of exactly this many columns and rows; `title` is the style of its title.
pub fn chart(chart: &Chart, (width, height): (usize, usize), look: Theme, title: Style) -> Buffer {
    let mut canvas = Canvas::new(width, height, look, title);
    let ascii = look.glyphs.ascii();
    if width < SMALLEST.0 || height < SMALLEST.1 {
        latest(&mut canvas, chart, ascii);
        return canvas.done();
    }
    let head = head::draw(&mut canvas, chart, look);
    let top = head.rows;
    if chart.is_images() {
        let notes = foot_notes(chart, &[], width, ascii);
        let height = height.saturating_sub(top + notes.len());
        let area = Area { left: 0, top, width, height, dots: FILLED };
        fields::images(&mut canvas, chart, area, look);
        write_notes(&mut canvas, &notes, height);
        return canvas.done();
    }
    let known = Domain::known(chart);
    if !known.x {
        blank(&mut canvas, chart, top, look);
        return canvas.done();
    }
    let Layout { domain, area, notes, y_ticks, y2_ticks, captioned, strip, .. } =
        layout(chart, known, (width, height), head, look);
    if captioned {
        captions::above(&mut canvas, top, &captions::vertical(chart), ascii);
    }
    let scene = Scene { chart, domain: &domain, area, look };
    vertical_axis(&mut canvas, scene, Side::Left, &y_ticks);
    if domain.y2.is_some() {
        vertical_axis(&mut canvas, scene, Side::Right, &y2_ticks);
    }
    let margins = (area.left, width - area.left - area.width);
    let x_ticks = known.across(&chart.x, across(&chart.x, &domain.x, (area.width, margins), ascii));
    horizontal_axis(&mut canvas, scene, &x_ticks);
    let x_caption = chart.x.caption();
    fields::fields(&mut canvas, scene);
    let marked = marks::marks(&mut canvas, scene);
    if chart.compact && !x_caption.is_empty() {
        captions::across(&mut canvas, &x_caption, area, &marked, ascii);
    }
    let mut y = area.top + area.height + 2;
    if !chart.compact && !x_caption.is_empty() {
        let caption = head::cut(&x_caption, width, ascii);
        let middle = area.left + area.width / 2;
        let start = middle.saturating_sub(width_of(&caption) / 2).min(width - width_of(&caption));
        canvas.text(start, y, &caption, Ink::Dim);
        y += 1;
    }
    if strip && let Some(field) = fields::field_of(chart) {
        fields::strip(&mut canvas, field, area.left, y, look);
    }
    write_notes(&mut canvas, &notes, height);
    canvas.done()
}

/// If there is no room for a chart, lists the last value of each series instead.
fn latest(canvas: &mut Canvas, chart: &Chart, ascii: bool) {
    let (width, height) = (canvas.width(), canvas.height());
    let value = |m: &'_ Mark| Some((m.name.clone()?, m.measured(chart.axis(m.side).words(m.last?))));
    let values: Vec<(String, String)> = chart.marks.iter().filter_map(value).collect();
    let titled = usize::from(height > 1 || values.is_empty());
    if titled > 0 {
        canvas.text(0, 0, &head::cut(chart.title.as_deref().unwrap_or_default(), width, ascii), Ink::Bold);
    }
    for (y, (name, value)) in (titled..height).zip(values) {
        let name = fit_ends(&name, width.saturating_sub(width_of(&value) + 1), ascii);
        let x = canvas.text(0, y, &name, Ink::Dim);
        canvas.text(x + 1, y, &value, Ink::Text);
    }
}

/// Explains in the middle of an empty chart why it is empty.
fn blank(canvas: &mut Canvas, chart: &Chart, top: usize, look: Theme) {
    let (width, height) = (canvas.width(), canvas.height());
    let notes = foot_notes(chart, &[], width.saturating_sub(2), look.glyphs.ascii());
    let first = top + (height - top).saturating_sub(notes.len()) / 2;
    for (note, y) in notes.iter().zip(first..height) {
        canvas.text(width.saturating_sub(width_of(note)) / 2, y, note, Ink::Alert);
    }
}

struct Layout {
    domain: Domain,
    area: Area,
    notes: Vec<String>,
    y_ticks: Vec<Tick>,
    y2_ticks: Vec<Tick>,
    /// Whether there is a row above the plot for the names of the vertical axes.
    captioned: bool,
    /// Whether there is a row below for the colours of a field.
    strip: bool,
    /// The number of rows below the plot.
    below: usize,
}

fn layout(
    chart: &Chart,
    known: KnownAxes,
    (width, height): (usize, usize),
    head: Head,
    look: Theme,
) -> Layout {
    let domain = Domain::of(chart);
    // Very low charts with data omit the explanation of marks at the axis, but not what a log axis leaves out.
    let low = chart.compact && known.y && height < EXPLAINED;
    let brief = if chart.compact { marks::not_positive_note(chart, &domain) } else { None };
    let odd = match (low, &brief) {
        (false, _) => marks::unplottable_notes(chart, &domain),
        (true, Some(brief)) if height + 1 == EXPLAINED => vec![brief.clone()],
        (true, _) => Vec::new(),
    };
    let mut notes = foot_notes(chart, &odd, width, look.glyphs.ascii());
    let strip = fields::field_of(chart).is_some_and(|f| f.range().is_some());
    if chart.compact {
        // All available room if nothing is drawn.
        let nothing = chart.marks.is_empty();
        let room = (height / if nothing { 5 } else { 10 }).max(usize::from(nothing || !odd.is_empty()));
        if notes.len() > room {
            // They share lines.
            let all: Vec<&str> = odd.iter().chain(&chart.notes).map(String::as_str).collect();
            notes = wrapped(std::iter::once(&all.join("; ")), width, look.glyphs.ascii());
        }
        if let Some(brief) = brief.filter(|_| notes.len() > room) {
            let all: Vec<&str> = std::iter::once(&brief).chain(&chart.notes).map(String::as_str).collect();
            notes = wrapped(std::iter::once(&all.join("; ")), width, look.glyphs.ascii());
        }
        let cut = notes.len() > room;
        notes.truncate(room);
        if let Some(last) = notes.last_mut().filter(|_| cut) {
            while width_of(last) + 2 > width && last.pop().is_some() {}
            last.push_str(if look.glyphs.ascii() { " ~" } else { " …" });
        }
    }
    let captioned = head.captioned && captions::vertical(chart).iter().any(|caption| !caption.is_empty());
    let x_captioned = !chart.compact && !chart.x.caption().is_empty();
    let below = 2 + usize::from(x_captioned) + usize::from(strip) + notes.len();
    let plot_height = height.saturating_sub(head.rows + usize::from(captioned) + below).max(2);
    let most = (plot_height / 2).clamp(2, 7);
    let [y_ticks, y2_ticks] = vertical(chart, &domain, known, (most, Powers::Plain));
    let widest = |ticks: &[Tick]| ticks.iter().map(|t| width_of(&t.label)).max().unwrap_or(0).min(width / 3);
    let (gutter, right) = (widest(&y_ticks) + 2, if chart.y2.is_some() { widest(&y2_ticks) + 2 } else { 1 });
    let filled = chart.marks.iter().any(|m| matches!(m.shape, Shape::Heatmap(_)));
    let area = Area {
        left: gutter,
        top: head.rows + usize::from(captioned),
        width: width.saturating_sub(gutter + right).max(4),
        height: plot_height,
        dots: if filled { FILLED } else { look.glyphs.dots() },
    };
    Layout { domain, area, notes, y_ticks, y2_ticks, captioned, strip, below }
}

/// Returns where the plot of a chart will be and its ranges; `None` if there is no room or nothing to plot. Marks
/// affect the result through their names and notes, and through their data only if an axis has no range.
pub fn plot(chart: &Chart, width: usize, height: usize, look: Theme) -> Option<(Area, Domain)> {
    let known = Domain::known(chart);
    if width < SMALLEST.0 || height < SMALLEST.1 || !known.x {
        return None;
    }
    let head = head::draw(&mut Canvas::unseen(width, height, look), chart, look);
    let laid = layout(chart, known, (width, height), head, look);
    Some((laid.area, laid.domain))
}

pub(super) fn glyph_of(chart: &Chart, mark: &Mark, look: Theme) -> char {
    let ascii = look.glyphs.ascii();
    match (&mark.shape, ascii) {
        (Shape::Rule { .. }, true) => '-',
        (Shape::Rule { .. }, false) => '┄',
        (Shape::Band { .. }, true) => ':',
        (Shape::Band { .. }, false) => '░',
        (Shape::Bars { .. }, _) => marks::bar_fill(chart, mark, look),
        // Where each dot is a character, lines consist of markers.
        (Shape::Line { .. }, false) if look.glyphs.dots() != (1, 1) && chart.is_plain_line(mark) => '─',
        _ => marker(mark.marker, ascii),
    }
}

/// Returns the height that leaves a plot of [`LEAST`] rows beside everything written around it.
fn least_height(chart: &Chart, (width, mut height): (usize, usize), look: Theme) -> usize {
    let known = Domain::known(chart);
    // With the height, the head grows, too.
    for _ in 0..3 {
        let head = head::draw(&mut Canvas::unseen(width, height, look), chart, look);
        let around = if known.x && !chart.is_images() {
            let laid = layout(chart, known, (width, height), head, look);
            laid.area.top + laid.below
        } else {
            head.rows + foot_notes(chart, &[], width, look.glyphs.ascii()).len()
        };
        height = height.max(around + LEAST);
    }
    height
}

fn foot_notes(chart: &Chart, odd: &[String], width: usize, ascii: bool) -> Vec<String> {
    wrapped(odd.iter().chain(&chart.notes), width, ascii)
}

fn wrapped<'a>(notes: impl Iterator<Item = &'a String>, width: usize, ascii: bool) -> Vec<String> {
    notes.flat_map(|n| wrap(n, width)).map(|n| if ascii { crate::ascii::plain(&n) } else { n }).collect()
}

fn write_notes(canvas: &mut Canvas, notes: &[String], height: usize) {
    for (i, note) in notes.iter().enumerate() {
        canvas.text(0, (height + i).saturating_sub(notes.len()), note, Ink::Alert);
    }
}

fn vertical_axis(canvas: &mut Canvas, scene: Scene<'_>, side: Side, ticks: &[Tick]) {
    let Scene { domain, area, look, .. } = scene;
    let (ascii, right) = (look.glyphs.ascii(), side == Side::Right);
    let x = if right { area.left + area.width } else { area.left - 1 };
    for row in 0..area.height {
        canvas.put(x, area.top + row, if ascii { '|' } else { '│' }, Ink::Dim);
    }
    let mut taken = None;
    for tick in ticks {
        let Some(row) = area.row_of(domain.vertical(side), tick.value) else { continue };
        // Two labels in one row would overwrite each other.
        if taken.replace(row) == Some(row) {
            continue;
        }
        let y = area.top + row;
        let notch = match (ascii, right) {
            (true, _) => '+',
            (false, false) => '┤',
            (false, true) => '├',
        };
        canvas.put(x, y, notch, Ink::Dim);
        if right {
            canvas.text(x + 2, y, &tick.label, Ink::Dim);
        } else {
            let label = fit(&tick.label, area.left - 1, ascii);
            canvas.text((area.left - 1).saturating_sub(width_of(&label) + 1), y, &label, Ink::Dim);
        }
    }
}

fn horizontal_axis(canvas: &mut Canvas, scene: Scene<'_>, ticks: &[Tick]) {
    let Scene { chart, domain, area, look } = scene;
    let (span, ascii) = (&domain.x, look.glyphs.ascii());
    let y = area.top + area.height;
    canvas.put(area.left - 1, y, if ascii { '+' } else { '└' }, Ink::Dim);
    for i in 0..area.width {
        canvas.put(area.left + i, y, if ascii { '-' } else { '─' }, Ink::Dim);
    }
    let around = |canvas: &Canvas, column: usize, length: usize| {
        let start =
            (area.left + column).saturating_sub(length / 2).min(canvas.width().saturating_sub(length));
        start..start + length
    };
    let mut taken: Vec<Range<usize>> = Vec::new();
    if let Some(cursor) = &chart.cursor
        && let Some(column) = area.column_of(span, cursor.x)
    {
        let fits = |words: &&String| width_of(words) <= area.width;
        let words = cursor.words.iter().find(fits).or(cursor.words.last()).map_or("", String::as_str);
        let words = if ascii { crate::ascii::plain(words) } else { words.to_owned() };
        let label = fit(&words, area.width, ascii);
        let place = around(canvas, column, width_of(&label));
        canvas.text(place.start, y + 1, &label, Ink::Text);
        taken.push(place);
    }
    for tick in ticks {
        let Some(column) = area.column_of(span, tick.value) else { continue };
        let label = fit(&tick.label, area.width, ascii);
        let place = around(canvas, column, width_of(&label));
        canvas.put(area.left + column, y, if ascii { '+' } else { '┬' }, Ink::Dim);
        if taken.iter().all(|other| place.end < other.start || other.end < place.start) {
            canvas.text(place.start, y + 1, &label, Ink::Dim);
            taken.push(place);
        }
    }
}

/// The colour of marks over a heatmap, where series colours would be invisible.
pub(super) const OVER_FIELD: Paint = Paint::Rgb([255, 255, 255]);

#[cfg(test)]
mod tests {
    use super::glyphs::Glyphs;
    use super::*;
    use crate::colour::Colours;
    use crate::{Field, RulePosition};

    /// The lines of a chart that have a label, with the label.
    fn labelled(chart: &Chart, height: usize, glyphs: Glyphs) -> Vec<(f64, String)> {
        let look = Theme { glyphs, colours: Colours::None, ..Theme::default() };
        let drawn = text::plain(&super::chart(chart, (40, height), look, look.bold()));
        let label = |line: &str| {
            let (label, plot) = line.split_once(['┤', '+'])?;
            Some((label.trim().parse().ok()?, plot.to_owned()))
        };
        drawn.lines().filter_map(label).collect()
    }

    #[test]
    fn a_label_is_beside_what_has_its_value() {
        let ten: Vec<f64> = (0..10).map(f64::from).collect();
        let z = (0..100).map(|i| if i / 10 == i % 10 { 5.0 } else { f64::NAN }).collect();
        let field = Field { x: ten.clone(), y: ten.clone(), z, label: String::new(), log: false };
        let diagonal = Mark::new((Paint::Slot(0), 0), Shape::Heatmap(field));
        let diagonal = Chart { marks: vec![diagonal], ..Chart::default() };
        let points = Shape::Scatter { x: ten.clone(), y: ten.clone(), joined: false };
        let points = Chart { marks: vec![Mark::new((Paint::Slot(0), 0), points)], ..Chart::default() };
        for height in 14..60 {
            for glyphs in [Glyphs::Braille, Glyphs::HalfBlock, Glyphs::Dot, Glyphs::Ascii] {
                for (chart, width) in [(&diagonal, 34.0), (&points, 36.0)] {
                    let lines = labelled(chart, height, glyphs);
                    assert!(lines.len() > 2, "{height} {glyphs:?}");
                    for (value, plot) in lines {
                        let at = plot.chars().position(|c| c != ' ');
                        let expected = value / 10.0 * width;
                        let near = at.is_some_and(|at| (at as f64 - expected).abs() < width / 6.0);
                        assert!(near, "{height} {glyphs:?}: {value} has {plot:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn many_notes_make_a_figure_higher_and_cover_no_axis() {
        let look = Theme { colours: Colours::None, ..Theme::default() };
        let notes: Vec<String> = (0..8).map(|i| format!("note {i}")).collect();
        let line = Shape::Line { x: vec![0.0, 10.0], y: vec![0.0, 10.0] };
        let (ten, z) = (|| (0..10).map(f64::from).collect(), (0..100).map(f64::from).collect());
        let field = Field { x: ten(), y: ten(), z, label: "count".to_owned(), log: false };
        for shape in [line, Shape::Heatmap(field)] {
            let mark = |n| Mark {
                name: Some(format!("series {n}")),
                ..Mark::new((Paint::Slot(0), 0), shape.clone())
            };
            let x = crate::Axis { label: "step".to_owned(), ..crate::Axis::default() };
            let marks = (0..8).map(mark).collect();
            let chart = Chart { marks, x: x.clone(), y: x, notes: notes.clone(), ..Chart::default() };
            for height in 8..24 {
                let all = Figure { charts: vec![chart.clone()], ..Figure::default() };
                let drawn = text::plain(&figure(&all, 60, height, look));
                let axis = drawn.lines().position(|line| line.contains('└')).unwrap_or(usize::MAX - 4);
                let first = drawn.lines().position(|line| line == notes[0]);
                assert!(first.is_some_and(|first| axis + 2 < first), "{height}: {drawn}");
                assert_eq!(drawn.lines().nth(axis + 2).map(str::trim), Some("step"), "{height}: {drawn}");
                assert!(notes.iter().all(|note| drawn.lines().any(|line| line == note)), "{drawn}");
                assert!(drawn.lines().filter(|line| line.contains(['│', '┤'])).count() >= LEAST, "{drawn}");
            }
        }
    }

    #[test]
    fn notes_for_which_a_small_chart_has_too_few_lines_share_them() {
        let mark = |name: &str| Mark {
            name: Some(name.to_owned()),
            ..Mark::new((Paint::Slot(0), 0), Shape::Line { x: vec![0.0, 1.0, 2.0], y: vec![-1.0, 1.0, 2.0] })
        };
        let y = crate::Axis { scale: crate::scale::Scale::Log, ..crate::Axis::default() };
        let marks = vec![mark("one"), mark("two")];
        let both = Chart { marks, y, compact: true, ..Chart::default() };
        let drawn = |width| text::plain(&chart(&both, (width, 12), Theme::default(), Style::default()));
        let said = "one  ↓ ≤ 0 on a log axis: 1 of 3 points; two  ↓ ≤ 0 on a log axis: 1 of 3 points";
        let last = |drawn: String| drawn.lines().last().unwrap_or_default().to_owned();
        assert_eq!(last(drawn(90)), said.replace("  ", " "));
        // With still less room, in fewer words.
        assert_eq!(last(drawn(60)), "≤ 0: one 1 of 3, two 1 of 3");
        let low = text::plain(&chart(&both, (40, 7), Theme::default(), Style::default()));
        assert_eq!(last(low), "≤ 0: one 1 of 3, two 1 of 3");
    }

    #[test]
    fn every_value_of_a_field_is_seen_without_colours() {
        let ten: Vec<f64> = (0..10).map(f64::from).collect();
        let z = (0..100).map(|i| if i / 10 == i % 10 { 184.0 } else { 1.0 }).collect();
        let field = Field { x: ten.clone(), y: ten, z, label: String::new(), log: true };
        let chart =
            Chart { marks: vec![Mark::new((Paint::Slot(0), 0), Shape::Heatmap(field))], ..Chart::default() };
        let look = Theme { colours: Colours::None, ..Theme::default() };
        let drawn = text::plain(&super::chart(&chart, (60, 11), look, look.bold()));
        let plot: Vec<&str> = drawn.lines().filter_map(|line| line.split(['┤', '│']).nth(1)).collect();
        assert!(plot.len() < 10, "{drawn}");
        assert!(plot.iter().all(|line| line.contains('·')), "{drawn}");
        let full = |column: usize| plot.iter().any(|line| line.chars().nth(column) == Some('█'));
        assert!((0..10).all(|class| full(class * 5 + 2)), "{drawn}");
    }

    #[test]
    fn the_label_of_a_rule_covers_nothing_and_texts_keep_apart() {
        let look = Theme { colours: Colours::None, ..Theme::default() };
        let drawn = |name: &str, at| {
            let x: Vec<f64> = (0..60).map(f64::from).collect();
            let y = x.iter().map(|x| if *x < 30.0 { 0.0 } else { x * 1.1 }).collect();
            let line = Mark::new((Paint::Slot(0), 0), Shape::Line { x, y });
            let rule =
                Mark { name: Some(name.to_owned()), ..Mark::new((Paint::Grey, 0), Shape::Rule { at }) };
            let chart = Chart { marks: vec![line, rule], ..Chart::default() };
            text::plain(&super::chart(&chart, (60, 16), look, look.bold()))
        };
        for at in [RulePosition::Y(60.0), RulePosition::Y(1.0), RulePosition::X(50.0), RulePosition::X(59.0)]
        {
            let without = |name: &str| {
                let drawn = drawn(name, at);
                assert!(drawn.matches(name).count() == 1, "only at the rule: {drawn}");
                let blank = drawn.replace(name, &" ".repeat(name.len()));
                blank.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(without("10 %: chance"), without("c"));
        }
        let words =
            Shape::Words { x: vec![0.0, 40.0], y: vec![1.0, 1.0], words: vec!["68.3".into(), "6.8".into()] };
        let apart = |x: f64| {
            let points = Shape::Line { x: vec![0.0, 100.0], y: vec![0.0, 2.0] };
            let mut words = words.clone();
            if let Shape::Words { x: at, .. } = &mut words {
                at[1] = x;
            }
            let marks = [points, words].map(|shape| Mark::new((Paint::Slot(0), 0), shape)).to_vec();
            text::plain(&super::chart(&Chart { marks, ..Chart::default() }, (60, 16), look, look.bold()))
        };
        for x in 0..100 {
            assert!(!apart(f64::from(x)).contains("68.36"), "{x}: {}", apart(f64::from(x)));
        }
    }
}
