//! Dots within character cells: 2×4 for Braille, 1×2 for half blocks, else one.

use super::canvas::Canvas;
use super::glyphs::Glyphs;
use super::theme::Ink;
use textplots::{Chart, Plot as _, Shape};

use crate::colour::{Paint, marker};

/// How dots are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pen {
    /// The colour.
    pub paint: Paint,
    /// The marker, displayed by cells of one dot.
    pub marker: u8,
    /// The layer, which determines what covers what.
    pub layer: Layer,
}

/// Layers, from back to front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Nothing drawn.
    Empty,
    /// Bands.
    Fill,
    /// Reference lines.
    Rule,
    /// Data.
    Line,
}

#[derive(Clone, Copy)]
struct DotCell {
    mask: u8,
    pen: Pen,
}

/// A plot area made of dots.
pub struct Raster {
    glyphs: Glyphs,
    columns: usize,
    rows: usize,
    spots: Vec<DotCell>,
}

impl Raster {
    /// Creates an empty raster; the size is in cells.
    pub fn new(glyphs: Glyphs, columns: usize, rows: usize) -> Self {
        let pen = Pen { paint: Paint::Grey, marker: 0, layer: Layer::Empty };
        Self { glyphs, columns, rows, spots: vec![DotCell { mask: 0, pen }; columns * rows] }
    }

    /// Returns the number of dots across.
    pub fn width(&self) -> usize {
        self.columns * self.glyphs.dots().0
    }

    /// Returns the number of dots down.
    pub fn height(&self) -> usize {
        self.rows * self.glyphs.dots().1
    }

    /// Returns the kind of characters.
    pub fn glyphs(&self) -> Glyphs {
        self.glyphs
    }

    /// Sets a dot; ignored outside.
    pub fn dot(&mut self, x: i64, y: i64, pen: Pen) {
        if x < 0 || y < 0 || x >= self.width() as i64 || y >= self.height() as i64 {
            return;
        }
        self.upright(x as usize, (y as usize, y as usize), pen);
    }

    /// Sets a vertical range of dots, inclusive and within the raster.
    fn upright(&mut self, x: usize, (top, bottom): (usize, usize), pen: Pen) {
        let (dx, dy) = self.glyphs.dots();
        for row in top / dy..=bottom / dy {
            let dots = top.saturating_sub(row * dy)..=(bottom - row * dy).min(dy - 1);
            let mask = dots.fold(0, |mask, y| mask | self.bit(x % dx, y));
            self.cell(x / dx, row, mask, pen);
        }
    }

    /// Returns the bit of a dot within its cell.
    fn bit(&self, x: usize, y: usize) -> u8 {
        match self.glyphs {
            Glyphs::Braille => [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]][x][y],
            Glyphs::HalfBlock => 1 << y,
            Glyphs::Dot | Glyphs::Ascii => 1,
        }
    }

    /// Sets dots of a cell, given as the low byte of its Braille character.
    fn cell(&mut self, column: usize, row: usize, mask: u8, pen: Pen) {
        let spot = &mut self.spots[row * self.columns + column];
        if spot.pen.layer > pen.layer || mask == 0 {
            return;
        }
        if spot.pen.layer < pen.layer {
            spot.mask = 0;
        }
        spot.pen = pen;
        spot.mask |= mask;
    }

    /// Draws a straight line between two positions in dots, clipped at the edges.
    pub fn line(&mut self, from: Point, to: Point, pen: Pen) {
        let Some(((x0, y0), (x1, y1))) = self.clip(from, to) else { return };
        // Inside the raster, so truncating after adding one half rounds.
        let near = |v: f64| (v + 0.5) as usize;
        if near(x0) == near(x1) {
            return self.upright(near(x0), (near(y0.min(y1)), near(y0.max(y1))), pen);
        }
        let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0);
        // From dot to dot; consecutive dots of a column are set together.
        let mut run = (near(x0), near(y0), near(y0));
        for i in 1..=steps as u32 {
            let t = f64::from(i) / steps;
            let (x, y) = (near(x0 + (x1 - x0) * t), near(y0 + (y1 - y0) * t));
            run = if x == run.0 {
                (x, run.1.min(y), run.2.max(y))
            } else {
                self.upright(run.0, (run.1, run.2), pen);
                (x, y, y)
            };
        }
        self.upright(run.0, (run.1, run.2), pen);
    }

    /// Draws straight lines with `textplots` in Braille, clipped at the edges.
    pub(super) fn draw_with_textplots(&mut self, lines: impl Iterator<Item = (Point, Point)>, pen: Pen) {
        let (width, height) = (self.width() as u32, self.height() as u32);
        // It counts from the bottom, in whole dots.
        let place = |(x, y): Point| (x.round() as f32, height as f32 - y.round() as f32);
        let mut paths: Vec<Vec<(f32, f32)>> = Vec::new();
        for (from, to) in lines.filter_map(|(from, to)| self.clip(from, to)) {
            let (from, to) = (place(from), place(to));
            match paths.last_mut() {
                Some(path) if path.last() == Some(&from) => path.push(to),
                _ => paths.push(vec![from, to]),
            }
        }
        let shapes: Vec<Shape<'_>> = paths.iter().map(|path| Shape::Lines(path)).collect();
        let (right, top) = (width as f32, height as f32);
        let mut chart = Chart::new_with_y_range(width, height, 0.0, right, 0.0, top);
        let chart = shapes.iter().fold(&mut chart, |chart, shape| chart.lineplot(shape));
        chart.figures();
        for (row, text) in chart.frame().lines().enumerate().take(self.rows) {
            for (column, sign) in text.chars().enumerate().take(self.columns) {
                let dots = u32::from(sign).wrapping_sub(0x2800);
                self.cell(column, row, u8::try_from(dots).unwrap_or(0), pen);
            }
        }
    }

    /// Returns whether [`Self::draw_with_textplots`] is supported here.
    pub(super) fn can_use_textplots(&self) -> bool {
        self.glyphs == Glyphs::Braille && self.width() >= 32 && self.height() >= 12
    }

    /// Clips a line to the edges.
    fn clip(&self, from: Point, to: Point) -> Option<(Point, Point)> {
        // Just within half a dot of the outer ones.
        let (right, bottom) = (self.width() as f64 - 0.501, self.height() as f64 - 0.501);
        if self.spots.is_empty() { None } else { clip(from, to, [-0.499, -0.499, right, bottom]) }
    }

    /// Writes the dots to cells with the top left corner at (left, top).
    pub(crate) fn paint(&self, canvas: &mut Canvas, left: usize, top: usize) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                let spot = self.spots[row * self.columns + column];
                if spot.mask == 0 {
                    continue;
                }
                let fill = spot.pen.layer == Layer::Fill;
                let rule = spot.pen.layer == Layer::Rule;
                let ch = match self.glyphs {
                    Glyphs::Braille => char::from_u32(0x2800 + u32::from(spot.mask)).unwrap_or(' '),
                    Glyphs::HalfBlock if fill => '░',
                    Glyphs::HalfBlock => [' ', '▀', '▄', '█'][usize::from(spot.mask & 3)],
                    Glyphs::Dot if fill => '·',
                    // A rule's marker tells whether it is vertical.
                    Glyphs::Dot if rule => ['┄', '┆'][usize::from(spot.pen.marker & 1)],
                    Glyphs::Dot => marker(spot.pen.marker, false),
                    Glyphs::Ascii if fill => ':',
                    Glyphs::Ascii if rule => ['-', '|'][usize::from(spot.pen.marker & 1)],
                    Glyphs::Ascii => marker(spot.pen.marker, true),
                };
                let ink = if fill { Ink::Faint(spot.pen.paint) } else { Ink::Series(spot.pen.paint) };
                canvas.put(left + column, top + row, ch, ink);
            }
        }
    }
}

/// A position in dots from the top left.
pub type Point = (f64, f64);

/// Clips a line to a rectangle from its left and top to its right and bottom edge (Liang–Barsky algorithm); `None` if it does
/// not go through.
#[inline] // called for each column of each line of a frame
pub(crate) fn clip(from: Point, to: Point, [left, top, right, bottom]: [f64; 4]) -> Option<(Point, Point)> {
    if ![from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
        return None;
    }
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut t0, mut t1) = (0.0f64, 1.0f64);
    for (p, q) in [(-dx, from.0 - left), (dx, right - from.0), (-dy, from.1 - top), (dy, bottom - from.1)] {
        if p == 0.0 {
            if q < 0.0 {
                return None;
            }
        } else if p < 0.0 {
            t0 = t0.max(q / p);
        } else {
            t1 = t1.min(q / p);
        }
    }
    (t0 <= t1).then(|| {
        // For distant points, rounding errors may lead outside.
        let inside = |v: f64, low: f64, high: f64| v.min(high).max(low);
        let at = |t: f64| (inside(from.0 + dx * t, left, right), inside(from.1 + dy * t, top, bottom));
        (at(t0), at(t1))
    })
}

#[cfg(test)]
mod tests {
    use super::super::text::plain;
    use super::super::theme::Theme;
    use super::*;

    fn canvas(width: usize, height: usize) -> Canvas {
        Canvas::new(width, height, Theme::default(), Theme::default().bold())
    }

    const PEN: Pen = Pen { paint: Paint::Slot(0), marker: 0, layer: Layer::Line };

    fn drawn(glyphs: Glyphs, draw: impl Fn(&mut Raster)) -> String {
        let mut raster = Raster::new(glyphs, 4, 2);
        draw(&mut raster);
        let mut canvas = canvas(4, 2);
        raster.paint(&mut canvas, 0, 0);
        plain(&canvas.done())
    }

    #[test]
    fn a_diagonal_in_each_kind_of_glyph() {
        let line = |r: &mut Raster| {
            let (w, h) = (r.width() as f64, r.height() as f64);
            r.line((0.0, h - 1.0), (w - 1.0, 0.0), PEN);
        };
        assert_eq!(drawn(Glyphs::Braille, line), "  ⡠⠊\n⡠⠊\n");
        assert_eq!(drawn(Glyphs::HalfBlock, line), "  ▄▀\n▄▀\n");
        assert_eq!(drawn(Glyphs::Dot, line), "  ●●\n●●\n");
        assert_eq!(drawn(Glyphs::Ascii, line), "  oo\noo\n");
    }

    #[test]
    fn lines_are_cut_at_the_edges_and_never_wrap() {
        let far = |r: &mut Raster| r.line((-1e12, 3.0), (1e12, 3.0), PEN);
        assert_eq!(drawn(Glyphs::Braille, far), "⣀⣀⣀⣀\n\n");
        let outside = |r: &mut Raster| r.line((0.0, -50.0), (7.0, -40.0), PEN);
        assert_eq!(drawn(Glyphs::Braille, outside), "\n\n");
        let nan = |r: &mut Raster| r.line((0.0, f64::NAN), (7.0, 0.0), PEN);
        assert_eq!(drawn(Glyphs::Braille, nan), "\n\n");
    }

    #[test]
    fn what_textplots_draws_lies_where_our_lines_do() {
        let drawn = |lines: &[(Point, Point)], draw_with_textplots: bool| {
            let mut raster = Raster::new(Glyphs::Braille, 20, 5);
            assert!(raster.can_use_textplots());
            if draw_with_textplots {
                raster.draw_with_textplots(lines.iter().copied(), PEN);
            } else {
                for (from, to) in lines {
                    raster.line(*from, *to, PEN);
                }
            }
            let mut canvas = canvas(20, 5);
            raster.paint(&mut canvas, 0, 0);
            plain(&canvas.done())
        };
        // Along the edges, through a corner, and from far outside: the same dots.
        for line in [
            ((0.0, 0.0), (39.0, 0.0)),
            ((0.0, 19.0), (39.0, 19.0)),
            ((39.0, 0.0), (39.0, 19.0)),
            ((0.0, 19.0), (19.0, 0.0)),
            ((-1e12, 7.0), (1e12, 7.0)),
            ((5.0, 5.0), (5.0, 5.0)),
        ] {
            assert_eq!(drawn(&[line], true), drawn(&[line], false), "{line:?}");
        }
        let nowhere = [((f64::NAN, 0.0), (3.0, 3.0)), ((0.0, -50.0), (39.0, -40.0))];
        assert_eq!(drawn(&nowhere, true).trim(), "");
    }

    #[test]
    fn a_line_takes_over_the_cells_of_a_fill() {
        let fill = Pen { layer: Layer::Fill, ..PEN };
        let both = |r: &mut Raster| {
            r.dot(0, 3, PEN);
            for x in 0..8 {
                r.dot(x, 0, fill);
            }
        };
        assert_eq!(drawn(Glyphs::Braille, both), "⡀⠉⠉⠉\n\n");
    }
}
