//! Lines, bands, points, bars and rules in character cells.

use std::collections::{BTreeMap, BTreeSet};

use super::canvas::Canvas;
use super::raster::{Layer, Pen, Raster};
use super::text::{fit_ends, width_of};
use super::theme::{Ink, Theme};
use super::{OVER_FIELD, Scene};
use crate::colour::{Paint, marker};
use crate::contour;
use crate::decimate::{Thinned, Unplottable, thin};
use crate::domain::Domain;
use crate::scale::{Measure, Span};
use crate::ticks::Powers;
use crate::{Chart, Field, Mark, RulePosition, Shape, Side, ValueCount};

/// Draws all marks except heatmaps and images. Returns the columns of the horizontal axis that have a mark of a value
/// without a position.
pub(super) fn marks(canvas: &mut Canvas, scene: Scene<'_>) -> BTreeSet<usize> {
    let Scene { chart, area, look, .. } = scene;
    for mark in &chart.marks {
        if let Shape::Bars { x, y, width } = &mark.shape {
            bars(canvas, scene, mark, (x, y, *width));
        }
    }
    let mut layers = Layers::new(scene);
    for (i, mark) in chart.marks.iter().enumerate() {
        layers.draw(i, mark);
    }
    let Layers { raster, markers, unplottable, .. } = layers;
    raster.paint(canvas, area.left, area.top);
    let mut taken: Vec<(usize, usize, usize)> = Vec::new();
    for (column, row, glyph, paint) in markers {
        canvas.put(area.left + column, area.top + row, glyph, Ink::Series(paint));
        taken.push((row, column, column + 1));
    }
    words(canvas, scene, taken);
    for (column, reason) in &unplottable {
        let (x, y) = (area.left + column, area.top + area.height);
        canvas.put(x, y, unplottable_glyph(*reason, look.glyphs.ascii()), Ink::Alert);
    }
    for mark in &chart.marks {
        if let (Shape::Rule { at }, Some(name)) = (&mark.shape, &mark.name) {
            rule_label(canvas, scene, (*at, mark.side), name);
        }
    }
    unplottable.into_iter().map(|(column, _)| column).collect()
}

/// The least distance in columns of two marks of what lies beyond an axis.
const BEYOND: usize = 6;

/// A column, a row, and what is drawn there.
type Marker = (usize, usize, char, Paint);

/// Marks on their way to the canvas: what is drawn in dots, with what is put over them.
struct Layers<'a> {
    scene: Scene<'a>,
    raster: Raster,
    markers: Vec<Marker>,
    /// Columns with values that have no position, and why.
    unplottable: Vec<(usize, Unplottable)>,
}

impl<'a> Layers<'a> {
    /// Creates layers with nothing but the cursor.
    fn new(scene: Scene<'a>) -> Self {
        let raster = Raster::new(scene.look.glyphs, scene.area.width, scene.area.height);
        let mut layers = Self { scene, raster, markers: Vec::new(), unplottable: Vec::new() };
        if let Some(cursor) = &scene.chart.cursor {
            let dots = DotScale::of(&scene.domain.x, &scene.domain.y, &layers.raster);
            let pen = Pen { paint: OVER_FIELD, marker: 0, layer: Layer::Rule };
            rule(&mut layers.raster, RulePosition::X(cursor.x), &dots, pen);
        }
        layers
    }

    fn draw(&mut self, i: usize, mark: &Mark) {
        let Scene { chart, domain, area, look } = self.scene;
        let span = domain.vertical(mark.side);
        let dots = DotScale::of(&domain.x, span, &self.raster);
        let layer = if mark.faint { Layer::Fill } else { Layer::Line };
        let pen = Pen { paint: mark.paint, marker: mark.marker, layer };
        match &mark.shape {
            Shape::Line { x, y } => {
                let thinned = dots.thin(x, y);
                self.line(&thinned, &dots, pen);
                if !chart.is_plain_line(mark) {
                    let markers = line_markers(&thinned, &dots, chart.turn_of(i), self.scene);
                    let glyph = marker(mark.marker, look.glyphs.ascii());
                    self.markers.extend(markers.map(|(column, row)| (column, row, glyph, mark.paint)));
                }
                self.beyond(mark, &thinned);
                let (across, last) = (look.glyphs.dots().0, area.width - 1);
                let column = |at: i32| (at as usize / across).min(last);
                self.unplottable.extend(thinned.unplottable.iter().map(|(at, why)| (column(*at), *why)));
            }
            Shape::Band { x, low, high } => band(&mut self.raster, (x, low, high), &dots, pen),
            Shape::Scatter { x, y, joined } => {
                if *joined {
                    join(&mut self.raster, (x, y), &dots, pen);
                }
                self.points(mark, (x, y), &dots, pen);
                if chart.axis(mark.side).clipped {
                    self.beyond(mark, &dots.thin(x, y));
                }
                let column = |x: &f64| area.column_of(&domain.x, *x);
                let odd = |(x, y): (&f64, &f64)| column(x).zip(Unplottable::of(*y, |v| span.scale.takes(v)));
                self.unplottable.extend(x.iter().zip(y).filter_map(odd));
            }
            Shape::Rule { at } => rule(&mut self.raster, *at, &dots, Pen { layer: Layer::Rule, ..pen }),
            Shape::Contour(field) => {
                let is_map = |m: &Mark| matches!(m.shape, Shape::Heatmap(_));
                let over_map = chart.marks.iter().any(is_map).then_some(OVER_FIELD);
                contours(&mut self.raster, field, &dots, pen, over_map);
            }
            Shape::Bars { .. } | Shape::Heatmap(_) | Shape::Image(_) | Shape::Words { .. } => {}
        }
    }

    /// Draws a line, with `textplots` if it is printed and that is possible.
    fn line(&mut self, thinned: &Thinned, dots: &DotScale, pen: Pen) {
        let segments = thinned.segments.iter().flat_map(|segment| {
            let mut before: Option<(f64, f64)> = None;
            segment.iter().flat_map(move |c| {
                let x = f64::from(c.at);
                let enters =
                    before.replace((x, dots.row(c.last))).map(|before| (before, (x, dots.row(c.first))));
                enters.into_iter().chain([((x, dots.row(c.min)), (x, dots.row(c.max)))])
            })
        });
        if !self.scene.chart.compact && self.raster.can_use_textplots() {
            self.raster.draw_with_textplots(segments, pen);
        } else {
            segments.for_each(|(from, to)| self.raster.line(from, to, pen));
        }
    }

    /// Marks where a series goes beyond a clipped axis. Its sign is smaller than the triangles that are markers.
    fn beyond(&mut self, mark: &Mark, thinned: &Thinned) {
        let Scene { chart, domain, area, look } = self.scene;
        if mark.faint || !chart.axis(mark.side).clipped {
            return;
        }
        let (span, across) = (domain.vertical(mark.side), look.glyphs.dots().0);
        let signs = if look.glyphs.ascii() { ['v', '^'] } else { ['▾', '▴'] };
        let beyond = thinned.beyond((span.low, span.high), (BEYOND * across) as i32);
        self.markers.extend(beyond.map(|(at, above)| {
            let row = if above { 0 } else { area.height - 1 };
            let column = (at.max(0) as usize / across).min(area.width - 1);
            (column, row, signs[usize::from(above)], mark.paint)
        }));
    }

    /// Draws points: few as markers, many as dots.
    fn points(&mut self, mark: &Mark, (x, y): (&[f64], &[f64]), dots: &DotScale, pen: Pen) {
        let Scene { chart, domain, area, look } = self.scene;
        let few = x.len() <= 150 || (!look.coloured() && chart.has_markers());
        let glyph = marker(mark.marker, look.glyphs.ascii());
        for (x, y) in x.iter().zip(y) {
            if few {
                let place = area.column_of(&domain.x, *x).zip(area.row_of(domain.vertical(mark.side), *y));
                self.markers.extend(place.map(|(column, row)| (column, row, glyph, mark.paint)));
            } else if let Some((column, row)) = dots.place(*x, *y) {
                self.raster.dot(column.round() as i64, row.round() as i64, pen);
            }
        }
    }
}

/// Draws texts right or left of their points, above or below: where nothing is drawn if there is such a place. Texts that
/// would cover a marker or another text are left out. `taken` contains occupied cells: row, first column, column after
/// the last.
fn words(canvas: &mut Canvas, scene: Scene<'_>, mut taken: Vec<(usize, usize, usize)>) {
    let Scene { chart, domain, area, .. } = scene;
    for (mark, x, y, word) in chart.words() {
        let place = area.column_of(&domain.x, x).zip(area.row_of(domain.vertical(mark.side), y));
        let Some((column, row)) = place else { continue };
        let width = width_of(word);
        let middle = column.checked_sub(width / 2);
        let places = [
            (Some(column + 2), Some(row)),
            (column.checked_sub(width + 1), Some(row)),
            (middle, row.checked_sub(1)),
            (middle, Some(row + 1)),
        ];
        // At least a column apart.
        let beside = |(start, row): (usize, usize), (r, a, b): (usize, usize, usize)| {
            r == row && start <= b && a <= start + width
        };
        let is_free = |place: &(usize, usize)| {
            place.0 + width <= area.width
                && place.1 < area.height
                && !taken.iter().any(|other| beside(*place, *other))
        };
        let free: Vec<_> = places.into_iter().filter_map(|(x, y)| x.zip(y)).filter(is_free).collect();
        let is_blank = |(x, y): &&(usize, usize)| canvas.is_blank((area.left + x, area.top + y), width);
        if let Some((start, row)) = free.iter().find(is_blank).or(free.first()).copied() {
            canvas.text(area.left + start, area.top + row, word, Ink::Series(mark.paint));
            taken.push((row, start, start + width));
        }
    }
}

/// Maps data to dots.
struct DotScale {
    x: Measure,
    y: Measure,
    width: usize,
    height: usize,
}

impl DotScale {
    fn of(x: &Span, y: &Span, raster: &Raster) -> Self {
        Self { x: x.measure(), y: y.measure(), width: raster.width(), height: raster.height() }
    }

    fn column(&self, v: f64) -> f64 {
        self.x.unit(v) * (self.width - 1) as f64
    }

    fn row(&self, v: f64) -> f64 {
        (1.0 - self.y.unit(v)) * (self.height - 1) as f64
    }

    /// Returns the column and row of a point, if it has a position.
    fn place(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let at = (self.column(x), self.row(y));
        (at.0.is_finite() && at.1.is_finite()).then_some(at)
    }

    fn thin(&self, x: &[f64], y: &[f64]) -> Thinned {
        let column = |x: f64| {
            // Positive, so truncating after adding one half rounds.
            let c = self.column(x) + 0.5;
            (c > 0.0 && c < self.width as f64).then_some(c as i32)
        };
        thin(x.iter().copied().zip(y.iter().copied()), column, |v| self.y.scale.takes(v))
    }
}

fn unplottable_glyph(why: Unplottable, ascii: bool) -> char {
    match (why, ascii) {
        (Unplottable::Nan, false) => '×',
        (Unplottable::Nan, true) => 'x',
        (Unplottable::Above, false) => '↑',
        (Unplottable::Above, true) => '^',
        (Unplottable::Below | Unplottable::NotPositive, false) => '↓',
        (Unplottable::Below | Unplottable::NotPositive, true) => 'v',
    }
}

/// Maximum number of marks with their own note about points without a position; with more, a single note covers all.
const MAX_SEPARATE_NOTES: usize = 3;

/// Points of a mark without a position on the axis: why, and how many of how many. For marks whose points represent
/// several values each, the number of such values.
#[derive(Default)]
struct UnplottablePoints {
    points: BTreeMap<Unplottable, usize>,
    all: usize,
    /// Whether there are values of 0 or less on a log axis: points, or values that are part of an average.
    not_positive: bool,
    counted: Option<ValueCount>,
}

impl UnplottablePoints {
    /// Returns the points without a position of a mark, if any. A missing x only interrupts a line.
    fn of(mark: &Mark, domain: &Domain) -> Option<Self> {
        let span = domain.vertical(mark.side);
        let mut found = Self { counted: mark.counted, ..Self::default() };
        let (x, y): (&[f64], &[f64]) = match &mark.shape {
            Shape::Line { x, y } | Shape::Scatter { x, y, .. } => (x, y),
            Shape::Band { .. } => (&[], &[]),
            _ => return None,
        };
        for (_, y) in x.iter().zip(y).filter(|(x, _)| !x.is_nan()) {
            found.all += 1;
            if let Some(odd) = Unplottable::of(*y, |v| span.scale.takes(v)) {
                *found.points.entry(odd).or_default() += 1;
            }
        }
        let averaged = mark.counted.is_some_and(|counted| counted.not_positive != Some(0));
        found.not_positive =
            found.points.contains_key(&Unplottable::NotPositive) || averaged && !span.scale.takes(0.0);
        (!mark.faint && (found.not_positive || !found.points.is_empty())).then_some(found)
    }

    fn add(&mut self, other: &Self) {
        for (odd, n) in &other.points {
            *self.points.entry(*odd).or_default() += n;
        }
        self.all += other.all;
        self.not_positive |= other.not_positive;
        self.counted = match (self.counted, other.counted) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
    }

    fn in_words(&self) -> String {
        let what = |odd: Unplottable| match odd {
            Unplottable::Nan => "× not a number",
            Unplottable::Above => "↑ +∞",
            Unplottable::Below => "↓ -∞",
            Unplottable::NotPositive => "↓ ≤ 0 on a log axis",
        };
        let Some(ValueCount { all, non_finite, not_positive, about }) = self.counted else {
            let words =
                self.points.iter().map(|(odd, n)| format!("{}: {n} of {} points", what(*odd), self.all));
            return words.collect::<Vec<_>>().join(", ");
        };
        let finite = |odd: &Unplottable| *odd == Unplottable::NotPositive;
        let kinds: Vec<_> = self.points.keys().copied().filter(|odd| !finite(odd)).map(what).collect();
        let about = if about { "about " } else { "" };
        let of = |what: &str, n: u64| format!("{what}: {about}{n} of {all} values");
        let odd = (!kinds.is_empty()).then(|| of(&kinds.join(", "), non_finite));
        let low = self.not_positive.then(|| {
            // Only a point has a mark at the axis.
            let is_marked = self.points.contains_key(&Unplottable::NotPositive);
            let what = what(Unplottable::NotPositive);
            let what = if is_marked { what } else { what.trim_start_matches("↓ ") };
            not_positive.map_or(what.to_owned(), |n| of(what, n))
        });
        odd.into_iter().chain(low).collect::<Vec<_>>().join(", ")
    }
}

/// The points without a position of each mark that has any.
fn unplottable(chart: &Chart, domain: &Domain) -> Vec<(Option<String>, UnplottablePoints)> {
    let of = |mark: &Mark| Some((mark.name.clone(), UnplottablePoints::of(mark, domain)?));
    chart.marks.iter().filter_map(of).collect()
}

/// Returns a short note about values of 0 or less on a log axis, if there are no others without a position.
pub(super) fn not_positive_note(chart: &Chart, domain: &Domain) -> Option<String> {
    let found = unplottable(chart, domain);
    let own = |(name, points): &(Option<String>, UnplottablePoints)| {
        let is_other = points.points.keys().any(|odd| *odd != Unplottable::NotPositive);
        let of_points = || (points.points.values().sum::<usize>() as u64, points.all as u64, false);
        let (n, all, about) = match points.counted {
            Some(ValueCount { all, not_positive, about, .. }) => (not_positive?, all, about),
            None => of_points(),
        };
        let about = if about { "about " } else { "" };
        (!is_other).then(|| format!("{} {about}{n} of {all}", name.as_deref().unwrap_or_default()))
    };
    let words: Vec<String> = found.iter().map(own).collect::<Option<_>>()?;
    (!words.is_empty()).then(|| format!("≤ 0: {}", words.join(", ")))
}

/// Returns notes about points without a position, per mark or for all marks together, and about what lies beyond the axes.
pub(crate) fn unplottable_notes(chart: &Chart, domain: &Domain) -> Vec<String> {
    let found = unplottable(chart, domain);
    let name = |name: &Option<String>| name.as_deref().map(|n| format!("{n}  ")).unwrap_or_default();
    let mut notes: Vec<String> =
        found.iter().map(|(of, points)| format!("{}{}", name(of), points.in_words())).collect();
    if found.len() > MAX_SEPARATE_NOTES {
        let mut all = UnplottablePoints::default();
        for (_, points) in &found {
            all.add(points);
        }
        notes = vec![format!("{} series  {}", found.len(), all.in_words())];
    }
    // On a screen, what is shown says that it is clipped.
    if !chart.compact && chart.marks.iter().any(|mark| is_cut(chart, domain, mark)) {
        notes.push("triangles at an edge: values beyond the axis".to_owned());
    }
    notes
}

/// Returns whether a mark has values beyond a clipped axis.
fn is_cut(chart: &Chart, domain: &Domain, mark: &Mark) -> bool {
    let (Shape::Line { y, .. } | Shape::Scatter { y, .. }) = &mark.shape else { return false };
    let Span { low, high, .. } = domain.vertical(mark.side);
    !mark.faint && chart.axis(mark.side).clipped && y.iter().any(|v| v < low || v > high)
}

/// Returns the columns and rows of a few markers along a line, at other columns than those of other lines.
fn line_markers(
    thinned: &Thinned,
    dots: &DotScale,
    turn: f64,
    scene: Scene<'_>,
) -> impl Iterator<Item = (usize, usize)> {
    let (area, (dx, dy)) = (scene.area, scene.look.glyphs.dots());
    // Where a cell is one dot, every dot already is the marker.
    let count = if dx * dy == 1 { 0 } else { (area.width / 16).clamp(2, 6) };
    let spacing = dots.width as f64 / count as f64;
    (0..count).filter_map(move |i| {
        let wanted = (i as f64 + turn) * spacing;
        let away = |at: i32| (f64::from(at) - wanted).abs();
        let columns = thinned.segments.iter().flatten();
        let near = columns.min_by(|a, b| away(a.at).total_cmp(&away(b.at)))?;
        let row = dots.row(near.last).round().max(0.0) as usize / dy;
        (away(near.at) <= spacing).then(|| (near.at as usize / dx, row.min(area.height - 1)))
    })
}

/// Returns the lowest and highest edge in each column of dots, interpolating linearly between points.
pub(crate) fn edges(
    x: &[f64],
    low: &[f64],
    high: &[f64],
    columns: usize,
    column: impl Fn(f64) -> f64,
) -> Vec<Option<(f64, f64)>> {
    let mut out: Vec<Option<(f64, f64)>> = vec![None; columns];
    let mut widen = |at: f64, a: f64, b: f64| {
        if at >= 0.0 && at < columns as f64 {
            let e = out[at as usize].get_or_insert((a, b));
            *e = (e.0.min(a), e.1.max(b));
        }
    };
    let finite = |i: usize| x[i].is_finite() && low[i].is_finite() && high[i].is_finite();
    for i in 0..x.len().min(low.len()).min(high.len()) {
        if !finite(i) {
            continue;
        }
        let at = column(x[i]).round();
        widen(at, low[i], high[i]);
        if i > 0 && finite(i - 1) {
            let from = column(x[i - 1]).round();
            let span = at - from;
            for step in 1..(span.clamp(0.0, columns as f64) as usize) {
                let t = step as f64 / span;
                let mix = |a: f64, b: f64| a + (b - a) * t;
                widen(from + step as f64, mix(low[i - 1], low[i]), mix(high[i - 1], high[i]));
            }
        }
    }
    out
}

fn band(raster: &mut Raster, (x, low, high): (&[f64], &[f64], &[f64]), dots: &DotScale, pen: Pen) {
    // In positions, so that an edge below a log axis becomes its lower end.
    let place = |v: &f64| if v.is_finite() { dots.row(*v).clamp(-1.0, dots.height as f64) } else { f64::NAN };
    let bottom: Vec<f64> = low
        .iter()
        .map(|v| if v.is_finite() && !dots.y.scale.takes(*v) { dots.height as f64 } else { place(v) })
        .collect();
    let top: Vec<f64> = high.iter().map(place).collect();
    let pen = Pen { layer: Layer::Fill, ..pen };
    let sparse = raster.glyphs().dots() == (2, 4);
    for (column, edge) in edges(x, &top, &bottom, dots.width, |v| dots.column(v)).into_iter().enumerate() {
        let Some((top, bottom)) = edge else { continue };
        for row in top.round().max(0.0) as usize..=(bottom.round().max(0.0) as usize).min(dots.height - 1) {
            // A quarter of the dots: faint, but still a surface.
            if !sparse || (column % 2 == 0 && row % 4 == 0) || (column % 2 == 1 && row % 4 == 2) {
                raster.dot(column as i64, row as i64, pen);
            }
        }
    }
}

/// Connects points by lines, interrupted by those without a position.
fn join(raster: &mut Raster, (x, y): (&[f64], &[f64]), dots: &DotScale, pen: Pen) {
    let places: Vec<_> = x.iter().zip(y).map(|(x, y)| dots.place(*x, *y)).collect();
    for pair in places.windows(2) {
        if let [Some(from), Some(to)] = *pair {
            raster.line(from, to, pen);
        }
    }
}

fn rule(raster: &mut Raster, at: RulePosition, dots: &DotScale, pen: Pen) {
    let (width, height) = (dots.width as i64, dots.height as i64);
    let pen = Pen { marker: u8::from(matches!(at, RulePosition::X(_))), ..pen };
    // A cell of one dot is either filled or empty.
    let single = raster.glyphs().dots() == (1, 1);
    match at {
        RulePosition::X(v) if dots.x.scale.takes(v) => {
            (0..height)
                .filter(|y| single || y % 2 == 0)
                .for_each(|y| raster.dot(dots.column(v).round() as i64, y, pen));
        }
        RulePosition::Y(v) if dots.y.scale.takes(v) => {
            (0..width).filter(|x| x % 2 == 0 || width < 200 && dots.height == 1).for_each(|x| {
                raster.dot(x, dots.row(v).round() as i64, pen);
            });
        }
        RulePosition::X(_) | RulePosition::Y(_) => {}
    }
}

/// Writes the name of a rule of a vertical axis.
fn rule_label(canvas: &mut Canvas, scene: Scene<'_>, (at, side): (RulePosition, Side), name: &str) {
    let Scene { domain, area, look, .. } = scene;
    let label = fit_ends(name, area.width * 2 / 3, look.glyphs.ascii());
    let length = width_of(&label);
    // Where nothing is drawn, if there is such a place beside the rule.
    let place = match at {
        RulePosition::X(v) => area.column_of(&domain.x, v).and_then(|c| {
            let right = (c + 1 + length < area.width).then_some(area.left + c + 1);
            let x = right.unwrap_or((area.left + c).saturating_sub(length));
            let mut rows = area.top..area.top + area.height;
            rows.find(|y| canvas.is_blank((x, *y), length)).or(Some(area.top)).map(|y| (x, y))
        }),
        RulePosition::Y(v) => area.row_of(domain.vertical(side), v).and_then(|r| {
            let rows = [r.checked_sub(1), Some(r + 1).filter(|row| *row < area.height), Some(r)];
            let rows: Vec<usize> = rows.into_iter().flatten().map(|row| area.top + row).collect();
            let columns = area.left..=area.left + area.width - length;
            let places = columns.rev().flat_map(|x| rows.iter().map(move |y| (x, *y)));
            let end = rows.first().map(|y| (area.left + area.width - length, *y));
            places.clone().find(|place| canvas.is_blank(*place, length)).or(end)
        }),
    };
    if let Some((x, y)) = place {
        canvas.text(x, y, &label, Ink::Dim);
    }
}

/// Draws contour lines in this paint, or each in the colour of its level.
fn contours(raster: &mut Raster, field: &Field, dots: &DotScale, pen: Pen, paint: Option<Paint>) {
    let Some(range) = field.range() else { return };
    for level in contour::levels(field, 9, Powers::Plain) {
        let colour = crate::colour::viridis(field.level(level.value, range).unwrap_or(0.5) * 0.85 + 0.15);
        let paint = paint.unwrap_or(Paint::Rgb(colour));
        for [a, b] in contour::pieces(field, level.value) {
            let [from, to] = [a, b].map(|(x, y)| (dots.column(x), dots.row(y)));
            raster.line(from, to, Pen { paint, ..pen });
        }
    }
}

/// Returns the fill of bars: without colours, each series has its own shade.
pub(super) fn bar_fill(chart: &Chart, mark: &Mark, look: Theme) -> char {
    let bars = chart.marks.iter().filter(|m| matches!(m.shape, Shape::Bars { .. }));
    let number = bars.take_while(|m| !std::ptr::eq(*m, mark)).count();
    match (look.coloured(), look.glyphs.ascii()) {
        (_, true) => ['#', '=', '%', '+', 'o', '*'][number % 6],
        (true, false) => '█',
        (false, false) => ['█', '▒', '▓', '░'][number % 4],
    }
}

fn bars(canvas: &mut Canvas, scene: Scene<'_>, mark: &Mark, (x, y, width): (&[f64], &[f64], f64)) {
    let Scene { chart, domain, area, look } = scene;
    let (fill, ascii) = (bar_fill(chart, mark, look), look.glyphs.ascii());
    let span = domain.vertical(mark.side);
    let cells = area.height as f64;
    let ink = Ink::Series(mark.paint);
    // In eighths of a cell, from the bottom of the area.
    let height_of = |v: f64| span.unit(v).clamp(0.0, 1.0) * cells * 8.0;
    let zero = if span.scale.takes(0.0) { height_of(0.0) } else { 0.0 };
    for (x, y) in x.iter().zip(y) {
        if !span.scale.takes(*y) {
            continue;
        }
        let (a, b) = (domain.x.unit(x - width / 2.0), domain.x.unit(x + width / 2.0));
        let columns = area.width as f64;
        let first = (a * columns).round().max(0.0) as usize;
        let last = ((b * columns).round().max(0.0) as usize).max(first.saturating_add(1)).min(area.width);
        let (low, high) = (zero.min(height_of(*y)), zero.max(height_of(*y)));
        for row in 0..area.height {
            let (bottom, top) = ((area.height - 1 - row) as f64 * 8.0, (area.height - row) as f64 * 8.0);
            let inside = (high.min(top) - low.max(bottom)).round();
            // A nonzero bar is always visible.
            let sliver = *y != 0.0 && high - low < 1.0 && high >= bottom && high < top;
            let ch = match (inside as i64, ascii) {
                (n, true) if n >= 4 || sliver => fill,
                (n, false) if n >= 8 => fill,
                // Shades have no eighths, so a cell is filled or blank.
                (n, false) if fill != '█' && (n >= 4 || sliver) => fill,
                (_, false) if fill != '█' => continue,
                // A bar that hangs from above fills the upper part of its last cell.
                (4.., false) if low > bottom => '▀',
                (1.., false) if low > bottom => '▔',
                (n, false) if n >= 1 => ['▁', '▂', '▃', '▄', '▅', '▆', '▇'][(n - 1).min(6) as usize],
                (_, false) if sliver => '▁',
                _ => continue,
            };
            for column in first..last {
                canvas.put(area.left + column, area.top + row, ch, ink);
            }
        }
    }
}
