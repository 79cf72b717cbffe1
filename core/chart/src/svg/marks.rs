//! Draws marks as SVG elements.

use super::{ALERT, CHAR, INK, Pen, Plot, hex, n};
use crate::cells::marks::edges;
use crate::cells::raster::clip;
use crate::cells::text::width_of;
use crate::colour::{SHAPES, viridis};
use crate::contour;
use crate::decimate::{Column, Thinned, Unplottable, thin};
use crate::scale::{Scale, Span};
use crate::shape::cell_edges;
use crate::ticks::Powers;
use crate::{Chart, Field, Mark, RulePosition, Shape};

/// Draws all marks: fields, then surfaces, then lines and points.
pub(super) fn marks(pen: &mut Pen, chart: &Chart, plot: &Plot) {
    for mark in &chart.marks {
        match &mark.shape {
            Shape::Heatmap(field) => heatmap(pen, field, plot),
            Shape::Bars { x, y, width } => bars(pen, mark, (x, y, *width), plot),
            Shape::Band { x, low, high } => band(pen, mark, (x, low, high), plot),
            Shape::Line { .. }
            | Shape::Scatter { .. }
            | Shape::Contour(_)
            | Shape::Rule { .. }
            | Shape::Image(_)
            | Shape::Words { .. } => {}
        }
    }
    for (i, mark) in chart.marks.iter().enumerate() {
        match &mark.shape {
            Shape::Rule { at } => rule(pen, mark, *at, plot),
            Shape::Contour(field) => contours(pen, chart, field, plot),
            Shape::Line { x, y } => {
                let marked = (!chart.is_plain_line(mark)).then(|| chart.turn_of(i));
                line(pen, mark, (x, y), plot, marked);
                beyond(pen, chart, mark, (x, y), plot);
            }
            Shape::Scatter { x, y, joined } => {
                scatter(pen, mark, (x, y, *joined), plot);
                beyond(pen, chart, mark, (x, y), plot);
            }
            Shape::Heatmap(_)
            | Shape::Bars { .. }
            | Shape::Band { .. }
            | Shape::Image(_)
            | Shape::Words { .. } => {}
        }
    }
}

/// A rectangle: left, top, right, bottom.
type Place = [f64; 4];

/// What texts should not cover.
struct Drawn {
    /// Lines, as pairs of their ends.
    pieces: Vec<[(f64, f64); 2]>,
    /// Markers that are labelled, and texts.
    taken: Vec<Place>,
}

impl Drawn {
    fn new(chart: &Chart, plot: &Plot) -> Self {
        let mut pieces = Vec::new();
        for mark in &chart.marks {
            let (Shape::Line { x, y } | Shape::Scatter { x, y, .. }) = &mark.shape else { continue };
            let span = plot.domain.vertical(mark.side);
            for segment in thinned(x, y, span, plot).segments {
                let at = |c: &Column, v| (plot.left + f64::from(c.at) / plot.density, plot.y(span, v));
                let is_line = !matches!(mark.shape, Shape::Scatter { joined: false, .. });
                let between = segment.windows(2).filter(|_| is_line);
                pieces.extend(between.map(|w| [at(&w[0], w[0].last), at(&w[1], w[1].first)]));
                pieces.extend(segment.iter().map(|c| [at(c, c.min), at(c, c.max)]));
            }
        }
        Self { pieces, taken: Vec::new() }
    }

    /// Returns the first of the places inside the plot that covers as little as possible, and no text or labelled marker.
    fn free(&self, places: impl Iterator<Item = Place>, plot: &Plot) -> Option<Place> {
        let inside = |p: &Place| {
            p[0] >= plot.left
                && p[2] <= plot.left + plot.width
                && p[1] >= plot.top
                && p[3] <= plot.top + plot.height
        };
        let clash = |p: &Place, o: &Place| p[0] < o[2] && o[0] < p[2] && p[1] < o[3] && o[1] < p[3];
        let free = places.filter(|p| inside(p) && !self.taken.iter().any(|o| clash(p, o)));
        free.min_by_key(|place| {
            self.pieces.iter().filter(|[from, to]| clip(*from, *to, *place).is_some()).count()
        })
    }
}

/// Draws the names of rules beside them, and the texts of all marks, the last ones first: above, right, left of or below
/// their point. They are where they cover as little as possible, on a white edge; left out if they would cover a labelled
/// marker or another text.
pub(super) fn texts(pen: &mut Pen, chart: &Chart, plot: &Plot) {
    let mut drawn = Drawn::new(chart, plot);
    let place = |mark: &Mark, x: f64, y: f64| {
        let at = (plot.x(x), plot.y(plot.domain.vertical(mark.side), y));
        (at.0.is_finite() && at.1.is_finite()).then_some(at)
    };
    for (mark, x, y, _) in chart.words() {
        drawn.taken.extend(place(mark, x, y).map(|(x, y)| [x - 3.5, y - 3.5, x + 3.5, y + 3.5]));
    }
    let mut put = |mark: &Mark, words: &str, size: f64, corners: Vec<(f64, f64)>| {
        let (width, height) = (width_of(words) as f64 * size * CHAR, size * 0.8);
        let places = corners.into_iter().map(|(left, top)| [left, top, left + width, top + height]);
        if let Some(place) = drawn.free(places, plot) {
            drawn.taken.push(place);
            pen.edged_text((place[0], place[3]), words, size, &colour(mark));
        }
    };
    for mark in &chart.marks {
        let (Shape::Rule { at }, Some(name)) = (&mark.shape, &mark.name) else { continue };
        let (width, height) = (width_of(name) as f64 * RULE_SIZE * CHAR, RULE_SIZE * 0.8);
        // From the end of the rule to its begin.
        let shares = (0..=24).map(|i| f64::from(i) / 24.0);
        let corners: Vec<(f64, f64)> = match *at {
            RulePosition::X(v) => {
                let x = plot.x(v);
                let ys = shares.map(|share| plot.top + 3.0 + share * (plot.height - height - 6.0));
                ys.flat_map(|y| [(x + 4.0, y), (x - 4.0 - width, y)]).collect()
            }
            RulePosition::Y(v) => {
                let y = plot.y(plot.domain.vertical(mark.side), v);
                let xs = shares.map(|share| plot.left + 4.0 + (1.0 - share) * (plot.width - width - 8.0));
                xs.flat_map(|x| [(x, y - 4.0 - height), (x, y + 4.0)]).collect()
            }
        };
        put(mark, name, RULE_SIZE, corners);
    }
    for (mark, x, y, word) in chart.words() {
        let Some((x, y)) = place(mark, x, y) else { continue };
        let (width, height) = (width_of(word) as f64 * WORD_SIZE * CHAR, WORD_SIZE * 0.8);
        let corners = vec![
            (x - width / 2.0, y - height - 4.5),
            (x + 5.5, y - height / 2.0),
            (x - width - 5.5, y - height / 2.0),
            (x - width / 2.0, y + 4.5),
        ];
        put(mark, word, WORD_SIZE, corners);
    }
}

/// Maximum number of pieces of a line whose isolated points have its marker.
const FEW: usize = 40;
const WORD_SIZE: f64 = 8.5;
const RULE_SIZE: f64 = 10.5;

fn colour(mark: &Mark) -> String {
    hex(mark.paint.on_paper())
}

fn thinned(x: &[f64], y: &[f64], span: &Span, plot: &Plot) -> Thinned {
    let columns = plot.width * plot.density;
    let column = |v: f64| {
        let c = (plot.domain.x.unit(v) * columns).round();
        (c >= 0.0 && c <= columns.round()).then_some(c as i32)
    };
    thin(x.iter().copied().zip(y.iter().copied()), column, |v| span.scale.takes(v))
}

fn line(pen: &mut Pen, mark: &Mark, (x, y): (&[f64], &[f64]), plot: &Plot, marked: Option<f64>) {
    let span = plot.domain.vertical(mark.side);
    let thinned = thinned(x, y, span, plot);
    let at = |column: i32, v: f64| (plot.left + f64::from(column) / plot.density, plot.y(span, v));
    let colour = colour(mark);
    let (width, opacity) = if mark.faint { ("1", r#" stroke-opacity="0.35""#) } else { ("1.6", "") };
    let round = r#"stroke-linejoin="round" stroke-linecap="round""#;
    let style = format!(r#"stroke-width="{width}"{opacity} {round}"#);
    for segment in &thinned.segments {
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(segment.len() * 4);
        for c in segment {
            for v in [c.first, c.min, c.max, c.last] {
                let point = at(c.at, v);
                if points.last() != Some(&point) {
                    points.push(point);
                }
            }
        }
        match points.as_slice() {
            [point] if marked.is_some() && thinned.segments.len() <= FEW => {
                marker(pen, mark.marker, *point, 4.2, &colour);
            }
            [point] => pen.circle(*point, 1.6, &colour),
            points => pen.stroke(&pen.path(points), &colour, &style),
        }
    }
    let Some(shift) = marked else { return };
    let count = 5;
    for i in 0..count {
        let wanted = (f64::from(i) + shift) / f64::from(count) * plot.width * plot.density;
        let away = |at: i32| (f64::from(at) - wanted).abs();
        let near = thinned.segments.iter().flatten().min_by(|a, b| away(a.at).total_cmp(&away(b.at)));
        if let Some(c) = near.filter(|c| away(c.at) < plot.width * plot.density / f64::from(count)) {
            marker(pen, mark.marker, at(c.at, c.last), 4.2, &colour);
        }
    }
}

/// The least distance of two marks of what lies beyond an axis.
const BEYOND: f64 = 24.0;

/// Marks where a series goes beyond a clipped axis, with a small triangle at its end.
fn beyond(pen: &mut Pen, chart: &Chart, mark: &Mark, (x, y): (&[f64], &[f64]), plot: &Plot) {
    let span = plot.domain.vertical(mark.side);
    if mark.faint || !chart.axis(mark.side).clipped {
        return;
    }
    for (at, above) in thinned(x, y, span, plot).beyond((span.low, span.high), (BEYOND * plot.density) as i32)
    {
        let x = plot.left + f64::from(at) / plot.density;
        let (tip, rise) = if above { (plot.top - 4.0, 5) } else { (plot.top + plot.height + 4.0, -5) };
        let (x, tip, colour) = (n(x), n(tip), colour(mark));
        pen.put(&format!(r#"<path d="M{x} {tip}l3.5 {rise}h-7z" fill="{colour}"/>"#));
    }
}

/// Draws a marker, distinguishable by its form.
fn marker(pen: &mut Pen, number: u8, (x, y): (f64, f64), r: f64, colour: &str) {
    if usize::from(number) >= SHAPES.len() {
        let letter = crate::colour::marker(number, false);
        let (x, y, size) = (n(x), n(y + r * 0.85), n(r * 2.8));
        let style = format!(r##"fill="{colour}" stroke="#ffffff" stroke-width="4" paint-order="stroke""##);
        return pen.put(&format!(
            r#"<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" {style}>{letter}</text>"#
        ));
    }
    let hollow = matches!(number, 4..=7);
    let fill = if hollow { "#ffffff" } else { colour };
    let edge = if hollow { colour } else { "#ffffff" };
    let style = format!(r#"fill="{fill}" stroke="{edge}" stroke-width="{}""#, if hollow { 1.4 } else { 0.8 });
    let polygon = |points: &[(f64, f64)]| {
        let corner = |(dx, dy): &(f64, f64)| format!("{},{}", n(x + dx * r), n(y + dy * r));
        let list: Vec<String> = points.iter().map(corner).collect();
        format!(r#"<polygon points="{}" {style}/>"#, list.join(" "))
    };
    let element = match number {
        0 | 4 => format!(r#"<circle cx="{}" cy="{}" r="{}" {style}/>"#, n(x), n(y), n(r * 0.9)),
        1 | 5 => polygon(&[(0.0, -1.1), (1.0, 0.8), (-1.0, 0.8)]),
        2 | 6 => polygon(&[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]),
        3 | 7 => polygon(&[(0.0, -1.15), (1.15, 0.0), (0.0, 1.15), (-1.15, 0.0)]),
        8 => polygon(&[(0.0, 1.1), (1.0, -0.8), (-1.0, -0.8)]),
        _ => {
            let star: [(f64, f64); 10] = std::array::from_fn(|i| {
                let (angle, size) = (i as f64 * std::f64::consts::PI / 5.0, [1.3, 0.55][i % 2]);
                (angle.sin() * size, -angle.cos() * size)
            });
            polygon(&star)
        }
    };
    pen.put(&element);
}

/// Draws a sample of a mark for the legend.
pub(super) fn sample(pen: &mut Pen, chart: &Chart, mark: &Mark, (x, y): (f64, f64)) {
    let colour = colour(mark);
    match mark.shape {
        Shape::Line { .. } => {
            let [from, to, y1] = [x, x + 22.0, y].map(n);
            pen.put(&format!(
                r#"<line x1="{from}" y1="{y1}" x2="{to}" y2="{y1}" stroke="{colour}" stroke-width="1.8"/>"#
            ));
            if !chart.is_plain_line(mark) {
                marker(pen, mark.marker, (x + 11.0, y), 4.2, &colour);
            }
        }
        Shape::Band { .. } => {
            let place = format!(r#"x="{}" y="{}" width="22" height="9""#, n(x), n(y - 4.5));
            pen.put(&format!(r#"<rect {place} fill="{colour}" fill-opacity="0.25"/>"#));
        }
        Shape::Bars { .. } => pen.rect((x + 8.0, y - 4.5), (12.0, 9.0), &colour),
        Shape::Contour(_) => {
            pen.rect((x, y - 4.5), (22.0, 9.0), &hex(viridis(0.3)));
            pen.line((x, y), (x + 22.0, y), "#ffffff");
        }
        _ => marker(pen, mark.marker, (x + 14.0, y), 4.2, &colour),
    }
}

fn band(pen: &mut Pen, mark: &Mark, (x, low, high): (&[f64], &[f64], &[f64]), plot: &Plot) {
    let span = plot.domain.vertical(mark.side);
    let floor = plot.top + plot.height;
    let place = |v: f64| match v {
        v if !v.is_finite() => f64::NAN,
        v if !span.scale.takes(v) => floor,
        v => plot.y(span, v),
    };
    let (top, bottom): (Vec<f64>, Vec<f64>) =
        high.iter().zip(low).map(|(h, l)| (place(*h), place(*l))).unzip();
    let columns = (plot.width * plot.density) as usize + 1;
    let found = edges(x, &top, &bottom, columns, |v| plot.domain.x.unit(v) * plot.width * plot.density);
    let mut run: Vec<(f64, f64, f64)> = Vec::new();
    let mut flush = |run: &mut Vec<(f64, f64, f64)>| {
        if run.len() > 1 {
            let mut points: Vec<(f64, f64)> = run.iter().map(|(x, a, _)| (*x, *a)).collect();
            points.extend(run.iter().rev().map(|(x, _, b)| (*x, *b)));
            let (path, fill) = (pen.path(&points), colour(mark));
            pen.put(&format!(r#"<path d="{path}Z" fill="{fill}" fill-opacity="0.18"/>"#));
        }
        run.clear();
    };
    for (i, edge) in found.into_iter().enumerate() {
        match edge {
            Some((a, b)) => run.push((plot.left + i as f64 / plot.density, a, b)),
            None => flush(&mut run),
        }
    }
    flush(&mut run);
}

fn scatter(pen: &mut Pen, mark: &Mark, (x, y, joined): (&[f64], &[f64], bool), plot: &Plot) {
    let span = plot.domain.vertical(mark.side);
    let colour = colour(mark);
    let place = |(x, y): (&f64, &f64)| {
        let (x, y) = (plot.x(*x), plot.y(span, *y));
        (x.is_finite() && y.is_finite()).then_some((x, y))
    };
    let points: Vec<Option<(f64, f64)>> = x.iter().zip(y).map(place).collect();
    if joined {
        for segment in points.split(Option::is_none) {
            let segment: Vec<(f64, f64)> = segment.iter().flatten().copied().collect();
            if segment.len() > 1 {
                pen.stroke(&pen.path(&segment), &colour, r#"stroke-width="1" stroke-opacity="0.6""#);
            }
        }
    }
    let size = if points.len() > 400 { 1.6 } else { 3.8 };
    for point in points.into_iter().flatten() {
        if size < 2.0 {
            pen.circle(point, size, &colour);
        } else {
            marker(pen, mark.marker, point, size, &colour);
        }
    }
}

fn bars(pen: &mut Pen, mark: &Mark, (x, y, width): (&[f64], &[f64], f64), plot: &Plot) {
    let span = plot.domain.vertical(mark.side);
    let floor = plot.top + plot.height;
    let zero = if span.scale.takes(0.0) { plot.y(span, 0.0).clamp(plot.top, floor) } else { floor };
    for (x, y) in x.iter().zip(y) {
        if !span.scale.takes(*y) {
            continue;
        }
        let (a, b) = (plot.x(x - width / 2.0), plot.x(x + width / 2.0));
        let top = plot.y(span, *y);
        if !(a.is_finite() && b.is_finite() && top.is_finite()) {
            continue;
        }
        let size = ((b - a - 1.0).max(0.5), (top - zero).abs().max(0.5));
        pen.rect((a + 0.5, top.min(zero)), size, &colour(mark));
    }
}

fn rule(pen: &mut Pen, mark: &Mark, at: RulePosition, plot: &Plot) {
    let ends = match at {
        RulePosition::X(v) => [plot.x(v), plot.top, plot.x(v), plot.top + plot.height],
        RulePosition::Y(v) => {
            let y = plot.y(plot.domain.vertical(mark.side), v);
            [plot.left, y, plot.left + plot.width, y]
        }
    };
    if ends.iter().all(|v| v.is_finite()) {
        let ([x1, y1, x2, y2], colour) = (ends.map(n), colour(mark));
        let place = format!(r#"x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}""#);
        pen.put(&format!(r#"<line {place} stroke="{colour}" stroke-dasharray="4 3"/>"#));
    }
}

fn heatmap(pen: &mut Pen, field: &Field, plot: &Plot) {
    let Some(range) = field.range() else { return };
    let borders = |middles: &[f64]| -> Vec<f64> {
        let Some((first, last)) = cell_edges(middles) else { return Vec::new() };
        let inner = middles.windows(2).map(|w| f64::midpoint(w[0], w[1]));
        std::iter::once(first).chain(inner).chain([last]).collect()
    };
    let (xs, ys) = (borders(&field.x), borders(&field.y));
    if pen.compact && picture_of(pen, field, range, (&xs, &ys), plot) {
        return;
    }
    // Width and height are differences of rounded positions: otherwise a cell may end a hundredth before the next one
    // begins, and leave a white line.
    let printed = |v: f64| (v * 100.0).round() / 100.0;
    pen.put(r#"<g shape-rendering="crispEdges">"#);
    for j in 0..field.y.len() {
        // An outer edge without a position on a log axis becomes the plot's edge.
        let floor = plot.top + plot.height;
        let place = |y: f64| printed(if y.is_finite() { y.clamp(plot.top, floor) } else { floor });
        let (low, high) = (place(plot.y(&plot.domain.y, ys[j])), place(plot.y(&plot.domain.y, ys[j + 1])));
        for i in 0..field.x.len() {
            let Some(level) = field.z.get(j * field.x.len() + i).and_then(|z| field.level(*z, range)) else {
                continue;
            };
            let place = |x: f64| printed(if x.is_finite() { x } else { plot.left });
            let (a, b) = (place(plot.x(xs[i])), place(plot.x(xs[i + 1])));
            pen.rect((a, high), (b - a, low - high), &hex(viridis(level)));
        }
    }
    pen.put("</g>");
}

/// Embeds a field whose cells are equally large as an image of one pixel per cell; returns `false` if they are not.
fn picture_of(
    pen: &mut Pen,
    field: &Field,
    range: (f64, f64),
    (xs, ys): (&[f64], &[f64]),
    plot: &Plot,
) -> bool {
    let regular = |places: &[f64]| {
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return None };
        let step = (last - first) / (places.len().max(2) - 1) as f64;
        let even = |(i, at): (usize, &f64)| (at - first - i as f64 * step).abs() < 0.05 * step.abs();
        (step.is_finite() && places.iter().enumerate().all(even)).then_some((*first, *last))
    };
    let across: Vec<f64> = xs.iter().map(|x| plot.x(*x)).collect();
    let up: Vec<f64> = ys.iter().map(|y| plot.y(&plot.domain.y, *y)).collect();
    let (Some((left, right)), Some((bottom, top))) = (regular(&across), regular(&up)) else { return false };
    let rows = field.z.chunks(field.x.len().max(1)).rev();
    let pixels: Vec<Option<[u8; 3]>> = rows.flatten().map(|z| field.level(*z, range).map(viridis)).collect();
    embed(pen, (field.x.len(), &pixels), (left, top), (right - left, bottom - top))
}

/// Embeds an image, stretched over a rectangle without smoothing; returns `false` if it cannot be encoded.
fn embed(
    pen: &mut Pen,
    (width, pixels): (usize, &[Option<[u8; 3]>]),
    (left, top): (f64, f64),
    (across, down): (f64, f64),
) -> bool {
    let Some(png) = crate::png::of_pixels(width, pixels) else { return false };
    let ([x, y, width, height], data) = ([left, top, across, down].map(n), crate::png::base64(&png));
    pen.put(&format!(
        r#"<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>"#
    ));
    true
}

/// Maximum number of contour lines.
const CONTOURS: usize = 9;

fn contours(pen: &mut Pen, chart: &Chart, field: &Field, plot: &Plot) {
    let Some(range) = field.range() else { return };
    for level in contour::levels(field, CONTOURS, Powers::Raised) {
        let mut d = String::new();
        for [a, b] in contour::pieces(field, level.value) {
            let place = |(x, y): (f64, f64)| (plot.x(x), plot.y(&plot.domain.y, y));
            d.push_str(&pen.path(&[place(a), place(b)]));
        }
        if d.is_empty() {
            continue;
        }
        let (stroke, opacity) = if chart.is_lined_map() {
            ("#ffffff".to_owned(), 0.7)
        } else {
            (hex(viridis(field.level(level.value, range).unwrap_or(0.5) * 0.9)), 1.0)
        };
        let style = format!(r#"stroke-width="1.2" stroke-opacity="{opacity}" stroke-linecap="round""#);
        pen.stroke(&d, &stroke, &style);
    }
}

/// Draws the legend of a field: a colour bar with round values, those of the contour lines over it if there are any.
pub(super) fn colour_bar(pen: &mut Pen, chart: &Chart, field: &Field, plot: &Plot) {
    let lined = chart.is_lined_map();
    let Some((low, high)) = field.range() else { return };
    let (x, width) = (plot.left + plot.width + 14.0, 12.0);
    let steps = 64;
    pen.put(r#"<g shape-rendering="crispEdges">"#);
    for i in 0..steps {
        let share = plot.height / f64::from(steps);
        let y = plot.top + plot.height - f64::from(i + 1) * share;
        let level = (f64::from(i) + 0.5) / f64::from(steps);
        pen.rect((x, y), (width, share + 0.5), &hex(viridis(level)));
    }
    pen.put("</g>");
    let scale = if field.log { Scale::Log } else { Scale::Linear };
    let span = Span { scale, low, high };
    for tick in contour::levels(field, if lined { CONTOURS } else { 6 }, Powers::Raised) {
        let y = plot.y(&span, tick.value);
        if lined {
            pen.line((x, y), (x + width, y), "#ffffff");
        }
        pen.line((x + width, y), (x + width + 3.0, y), INK);
        pen.text((x + width + 6.0, y + 4.0), &tick.label, 10.5, INK, "start");
    }
    let label = if field.log { format!("{} (log)", field.label) } else { field.label.clone() };
    if !label.is_empty() {
        pen.text((x + width + 3.0, plot.top - 6.0), label.trim_start(), 10.5, INK, "end");
    }
}

/// Marks values without a position at the x axis.
pub(super) fn odd(pen: &mut Pen, chart: &Chart, plot: &Plot) {
    let bottom = plot.top + plot.height;
    for mark in &chart.marks {
        let (Shape::Line { x, y } | Shape::Scatter { x, y, .. }) = &mark.shape else { continue };
        let span = plot.domain.vertical(mark.side);
        for (column, odd) in thinned(x, y, span, plot).unplottable {
            let x = plot.left + f64::from(column) / plot.density;
            let d = match odd {
                Unplottable::Nan => format!("M{} {}l6 6m0 -6l-6 6", n(x - 3.0), n(bottom - 3.0)),
                Unplottable::Above => format!("M{} {}l3 -6l3 6", n(x - 3.0), n(bottom + 3.0)),
                Unplottable::Below | Unplottable::NotPositive => {
                    format!("M{} {}l3 6l3 -6", n(x - 3.0), n(bottom - 3.0))
                }
            };
            pen.stroke(&d, ALERT, r#"stroke-width="1.3""#);
        }
    }
}

/// Draws the chart's images side by side.
pub(super) fn images(pen: &mut Pen, chart: &Chart, (left, top): (f64, f64), (width, height): (f64, f64)) {
    let all = chart.images();
    let share = width / all.len().max(1) as f64;
    pen.put(r#"<g shape-rendering="crispEdges">"#);
    for (i, image) in all.iter().enumerate() {
        let pixel = (share / image.width.max(1) as f64).min(height / image.height.max(1) as f64);
        let place = (left + i as f64 * share, top);
        let size = (image.width as f64 * pixel, image.height as f64 * pixel);
        if pen.compact && embed(pen, (image.width, &image.pixels), place, size) {
            continue;
        }
        for row in 0..image.height {
            let pixels = &image.pixels[row * image.width..(row + 1) * image.width];
            let mut column = 0;
            // Equal neighbours become one rectangle.
            for run in pixels.chunk_by(|a, b| a == b) {
                if let Some(c) = run[0] {
                    let at = (place.0 + column as f64 * pixel, top + row as f64 * pixel);
                    pen.rect(at, (run.len() as f64 * pixel, pixel), &hex(c));
                }
                column += run.len();
            }
        }
    }
    pen.put("</g>");
}
