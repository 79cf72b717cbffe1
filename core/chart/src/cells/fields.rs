//! Heatmaps and images in character cells: two colours per cell, or shades if there are too few colours.

use super::canvas::Canvas;
use super::theme::{Ink, Theme};
use super::{Area, Scene};
use crate::colour::viridis;
use crate::number;
use crate::{Chart, Field, Shape};

/// Returns the chart's heatmap, else its contours.
pub(crate) fn field_of(chart: &Chart) -> Option<&Field> {
    let fields =
        chart.marks.iter().filter_map(|m| Some((matches!(m.shape, Shape::Contour(_)), m.shape.field()?)));
    fields.min_by_key(|(contours, _)| *contours).map(|(_, field)| field)
}

/// Draws the heatmaps.
pub(super) fn fields(canvas: &mut Canvas, scene: Scene<'_>) {
    let Scene { chart, domain, area, look } = scene;
    for mark in &chart.marks {
        let Shape::Heatmap(field) = &mark.shape else { continue };
        let Some(range) = field.range() else { continue };
        let sample = |column: usize, half: usize| {
            let x = domain.x.value((column as f64 + 0.5) / area.width as f64);
            let y = domain.y.value(1.0 - (half as f64 + 0.5) / (area.height * 2) as f64);
            field.level(field.nearest(x, y)?, range)
        };
        halves(canvas, area, look, |column, half| sample(column, half).map(viridis), sample);
    }
}

/// Fills an area with two samples per cell, one above the other.
fn halves(
    canvas: &mut Canvas,
    area: Area,
    look: Theme,
    colour: impl Fn(usize, usize) -> Option<[u8; 3]>,
    level: impl Fn(usize, usize) -> Option<f64>,
) {
    for row in 0..area.height {
        for column in 0..area.width {
            let (x, y) = (area.left + column, area.top + row);
            if look.graded() && !look.glyphs.ascii() {
                match (colour(column, row * 2), colour(column, row * 2 + 1)) {
                    (Some(up), Some(down)) => canvas.put_on(x, y, '▀', Ink::Rgb(up), down),
                    (Some(up), None) => canvas.put(x, y, '▀', Ink::Rgb(up)),
                    (None, Some(down)) => canvas.put(x, y, '▄', Ink::Rgb(down)),
                    (None, None) => {}
                }
            } else {
                // Of two values in one cell, the larger is seen.
                let both = [level(column, row * 2), level(column, row * 2 + 1)].into_iter().flatten();
                if let Some(level) = both.reduce(f64::max) {
                    shade(canvas, (x, y), level, look);
                }
            }
        }
    }
}

fn shade(canvas: &mut Canvas, (x, y): (usize, usize), level: f64, look: Theme) {
    let ramp: &[char] = if look.glyphs.ascii() {
        &['.', ':', '-', '=', '+', '*', '#', '%', '@']
    } else {
        &['·', '░', '▒', '▓', '█']
    };
    let ch = ramp[((level * ramp.len() as f64) as usize).min(ramp.len() - 1)];
    canvas.put(x, y, ch, if look.graded() { Ink::Rgb(viridis(level)) } else { Ink::Text });
}

/// Draws the legend of a field: its smallest value, a colour gradient, its largest value.
pub(super) fn strip(canvas: &mut Canvas, field: &Field, left: usize, y: usize, look: Theme) {
    const LENGTH: usize = 24;
    let Some((low, high)) = field.range() else { return };
    let mut x = left;
    if !field.label.is_empty() {
        x = canvas.text(x, y, &field.label, Ink::Dim) + 1;
    }
    x = canvas.text(x, y, &number::value(low), Ink::Dim) + 1;
    for i in 0..LENGTH {
        let level = i as f64 / (LENGTH - 1) as f64;
        if look.graded() && !look.ascii() {
            canvas.put(x + i, y, '█', Ink::Rgb(viridis(level)));
        } else {
            shade(canvas, (x + i, y), level, look);
        }
    }
    let end = canvas.text(x + LENGTH + 1, y, &number::value(high), Ink::Dim);
    if field.log {
        canvas.text(end + 1, y, "(log)", Ink::Dim);
    }
}

/// Draws the chart's images side by side, each as large as fits with square pixels.
pub(super) fn images(canvas: &mut Canvas, chart: &Chart, area: Area, look: Theme) {
    let all = chart.images();
    let share = area.width / all.len().max(1);
    for (i, image) in all.iter().enumerate() {
        if image.width == 0 || image.height == 0 || area.height == 0 {
            continue;
        }
        // A cell is about twice as high as wide.
        let scale = (share as f64 / image.width as f64).min(area.height as f64 * 2.0 / image.height as f64);
        let width = ((image.width as f64 * scale) as usize).max(1);
        let height = ((image.height as f64 * scale / 2.0).ceil() as usize).clamp(1, area.height);
        let pixel = |column: usize, half: usize| {
            let x = (column * image.width / width).min(image.width - 1);
            let y = half * image.height / (height * 2);
            image.pixels.get(y.min(image.height - 1) * image.width + x).copied().flatten()
        };
        let grey = |column: usize, half: usize| {
            pixel(column, half)
                .map(|[r, g, b]| (f64::from(r) * 0.3 + f64::from(g) * 0.59 + f64::from(b) * 0.11) / 255.0)
        };
        halves(canvas, Area { left: area.left + i * share, width, height, ..area }, look, pixel, grey);
    }
}
