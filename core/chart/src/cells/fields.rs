//! Heatmaps and pictures in character cells: two colours a cell, or shades where there is no colour.

use super::grid::{Cell, Grid, Ink};
use super::{Area, Look};
use crate::colour::viridis;
use crate::domain::Domain;
use crate::number;
use crate::{Chart, Field, Picture, Shape};

/// The chart's heatmap, else its contours.
pub(crate) fn field_of(chart: &Chart) -> Option<&Field> {
    let heat = chart.marks.iter().find_map(|m| if let Shape::Heatmap(f) = &m.shape { Some(f) } else { None });
    heat.or_else(|| {
        chart.marks.iter().find_map(|m| if let Shape::Contour(f) = &m.shape { Some(f) } else { None })
    })
}

/// Draws the heatmaps.
pub(super) fn fields(grid: &mut Grid, chart: &Chart, domain: &Domain, area: Area, look: Look) {
    for mark in &chart.marks {
        let Shape::Heatmap(field) = &mark.shape else { continue };
        let Some(range) = field.range() else { continue };
        let sample = |column: usize, half: usize| {
            let x = domain.x.value((column as f64 + 0.5) / area.width as f64);
            let y = domain.y.value(1.0 - (half as f64 + 0.5) / (area.height * 2) as f64);
            field.level(field.nearest(x, y)?, range)
        };
        halves(grid, area, look, |column, half| sample(column, half).map(viridis), sample);
    }
}

/// Fills an area, two samples a cell above each other.
fn halves(
    grid: &mut Grid,
    area: Area,
    look: Look,
    colour: impl Fn(usize, usize) -> Option<[u8; 3]>,
    level: impl Fn(usize, usize) -> Option<f64>,
) {
    for row in 0..area.height {
        for column in 0..area.width {
            let (x, y) = (area.left + column, area.top + row);
            if look.colour && !look.glyphs.ascii() {
                let cell = match (colour(column, row * 2), colour(column, row * 2 + 1)) {
                    (Some(up), Some(down)) => Cell { ch: Some('▀'), ink: Ink::Rgb(up), ground: Some(down) },
                    (Some(up), None) => Cell { ch: Some('▀'), ink: Ink::Rgb(up), ground: None },
                    (None, Some(down)) => Cell { ch: Some('▄'), ink: Ink::Rgb(down), ground: None },
                    (None, None) => continue,
                };
                grid.set(x, y, cell);
            } else if let Some(level) = level(column, row * 2 + 1).or_else(|| level(column, row * 2)) {
                grid.set(x, y, shade(level, look));
            }
        }
    }
}

fn shade(level: f64, look: Look) -> Cell {
    let ramp: &[char] = if look.glyphs.ascii() {
        &['.', ':', '-', '=', '+', '*', '#', '%', '@']
    } else {
        &[' ', '░', '▒', '▓', '█']
    };
    let ch = ramp[((level * ramp.len() as f64) as usize).min(ramp.len() - 1)];
    Cell { ch: Some(ch), ink: if look.colour { Ink::Rgb(viridis(level)) } else { Ink::Text }, ground: None }
}

/// The legend of a field: its least value, the colours between, its greatest value.
pub(super) fn strip(grid: &mut Grid, field: &Field, left: usize, y: usize, look: Look) {
    const LENGTH: usize = 24;
    let Some((low, high)) = field.range() else { return };
    let mut x = left;
    if !field.label.is_empty() {
        x = grid.text(x, y, &field.label, Ink::Dim) + 1;
    }
    x = grid.text(x, y, &number::value(low), Ink::Dim) + 1;
    for i in 0..LENGTH {
        let level = i as f64 / (LENGTH - 1) as f64;
        let cell = if look.colour && !look.glyphs.ascii() {
            Cell { ch: Some('█'), ink: Ink::Rgb(viridis(level)), ground: None }
        } else {
            shade(level, look)
        };
        grid.set(x + i, y, cell);
    }
    let end = grid.text(x + LENGTH + 1, y, &number::value(high), Ink::Dim);
    if field.log {
        grid.text(end + 1, y, "(log)", Ink::Dim);
    }
}

/// Draws the chart's pictures side by side, each as large as fits with square pixels.
pub(super) fn pictures(grid: &mut Grid, chart: &Chart, area: Area, look: Look) {
    let all: Vec<&Picture> = chart
        .marks
        .iter()
        .filter_map(|m| if let Shape::Image(p) = &m.shape { Some(p) } else { None })
        .collect();
    let share = area.width / all.len().max(1);
    for (i, picture) in all.iter().enumerate() {
        if picture.width == 0 || picture.height == 0 || area.height == 0 {
            continue;
        }
        // A cell is about twice as high as wide.
        let scale =
            (share as f64 / picture.width as f64).min(area.height as f64 * 2.0 / picture.height as f64);
        let width = ((picture.width as f64 * scale) as usize).max(1);
        let height = ((picture.height as f64 * scale / 2.0).ceil() as usize).clamp(1, area.height);
        let pixel = |column: usize, half: usize| {
            let x = (column * picture.width / width).min(picture.width - 1);
            let y = half * picture.height / (height * 2);
            picture.pixels.get(y.min(picture.height - 1) * picture.width + x).copied().flatten()
        };
        let grey = |column: usize, half: usize| {
            pixel(column, half)
                .map(|[r, g, b]| (f64::from(r) * 0.3 + f64::from(g) * 0.59 + f64::from(b) * 0.11) / 255.0)
        };
        halves(grid, Area { left: area.left + i * share, width, height, ..area }, look, pixel, grey);
    }
}
