//! The kinds of marks, and what the axes and the tables of a chart need to know of them. What they look like is in
//! `cells/marks.rs` and `svg/marks.rs`.

use crate::scale::{Scale, finite_range};

/// The kinds of marks. Vectors of one shape have equal lengths.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Points joined in order; a non-finite value interrupts the line and is marked at the axis.
    Line {
        /// Horizontal positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
    },
    /// The area between two curves.
    Band {
        /// Horizontal positions, ascending.
        x: Vec<f64>,
        /// Lower edge.
        low: Vec<f64>,
        /// Upper edge.
        high: Vec<f64>,
    },
    /// Single points.
    Scatter {
        /// Horizontal positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
        /// Joined by thin lines in their order.
        joined: bool,
    },
    /// Words beside points. Where they would cover each other, later ones stay and earlier ones go.
    Words {
        /// Horizontal positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
        /// What is written.
        words: Vec<String>,
    },
    /// Upright bars from zero, each `width` wide in data units.
    Bars {
        /// Middles.
        x: Vec<f64>,
        /// Heights.
        y: Vec<f64>,
        /// Width of each, in units of x.
        width: f64,
    },
    /// A value for each cell of a rectangular grid, as colours.
    Heatmap(Field),
    /// A value for each node of a rectangular grid, as level lines.
    Contour(Field),
    /// A line across the whole plot.
    Rule {
        /// Where it stands.
        at: Where,
    },
    /// A picture.
    Image(Picture),
}

impl Shape {
    /// What it is made of, where that is points.
    pub fn points(&self) -> Option<Points<'_>> {
        let none: &[f64] = &[];
        let (x, [y, low, high], around) = match self {
            Self::Line { x, y } | Self::Scatter { x, y, .. } | Self::Words { x, y, .. } => {
                (x, [y, none, none], 0.0)
            }
            Self::Bars { x, y, width } => (x, [y, none, none], width / 2.0),
            Self::Band { x, low, high } => (x, [none, low, high], 0.0),
            Self::Heatmap(_) | Self::Contour(_) | Self::Rule { .. } | Self::Image(_) => return None,
        };
        Some(Points { x, y, low, high, around })
    }

    /// What it is made of, where that is values over a grid.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Heatmap(field) | Self::Contour(field) => Some(field),
            _ => None,
        }
    }

    /// Every text in it.
    pub fn words_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let words: &mut [String] = match self {
            Self::Heatmap(field) | Self::Contour(field) => std::slice::from_mut(&mut field.label),
            Self::Words { words, .. } => words,
            _ => &mut [],
        };
        words.iter_mut()
    }

    /// Between which values it lies on a horizontal axis, as far as they have a place there.
    pub(crate) fn extent_x(&self, scale: Scale) -> Option<(f64, f64)> {
        if let Some(Points { x, around, .. }) = self.points() {
            return range_on(scale, x).map(|(low, high)| (low - around, high + around));
        }
        match self {
            Self::Heatmap(f) => cells_on(scale, &f.x),
            Self::Contour(f) => range_on(scale, &f.x),
            Self::Rule { at: Where::X(v) } => scale.takes(*v).then_some((*v, *v)),
            Self::Image(p) => Some((0.0, p.width as f64)),
            _ => None,
        }
    }

    /// Between which values it lies on a vertical axis.
    pub(crate) fn extent_y(&self, scale: Scale) -> Option<(f64, f64)> {
        if let Some(Points { y, low, high, .. }) = self.points() {
            let range = range_on(scale, [y, low, high].into_iter().flatten())?;
            let from_zero = matches!(self, Self::Bars { .. }) && scale.takes(0.0);
            return Some(if from_zero { (range.0.min(0.0), range.1.max(0.0)) } else { range });
        }
        match self {
            Self::Heatmap(f) => cells_on(scale, &f.y),
            Self::Contour(f) => range_on(scale, &f.y),
            Self::Rule { at: Where::Y(v) } => scale.takes(*v).then_some((*v, *v)),
            Self::Image(p) => Some((0.0, p.height as f64)),
            _ => None,
        }
    }
}

fn range_on<'a>(scale: Scale, values: impl IntoIterator<Item = &'a f64>) -> Option<(f64, f64)> {
    finite_range(values.into_iter().copied().filter(|v| scale.takes(*v)))
}

/// Middles of cells widened by half a cell on each side.
pub(crate) fn cell_edges(middles: &[f64]) -> Option<(f64, f64)> {
    let (first, last) = (middles.first()?, middles.last()?);
    let half = |a: f64, b: f64| (b - a).abs() / 2.0;
    let (left, right) = match middles {
        [_] => (0.5, 0.5),
        [a, b, ..] => (half(*a, *b), half(middles[middles.len() - 2], *last)),
        [] => return None,
    };
    Some((first - left, last + right))
}

/// To the outer edges of the cells, as far as they have a place.
fn cells_on(scale: Scale, middles: &[f64]) -> Option<(f64, f64)> {
    cell_edges(middles).filter(|(low, _)| scale.takes(*low)).or_else(|| range_on(scale, middles))
}

/// The points of a shape: values at `y`, or reaching from `low` to `high`; what it does not have is empty.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// Horizontal positions.
    pub x: &'a [f64],
    /// Values.
    pub y: &'a [f64],
    /// Lower edges.
    pub low: &'a [f64],
    /// Upper edges.
    pub high: &'a [f64],
    /// How far each reaches on both sides of its x.
    pub around: f64,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Where {
    /// Upright at this x.
    X(f64),
    /// Level at this y.
    Y(f64),
}

/// Values over a rectangular grid; NaN where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Ascending middles of the columns.
    pub x: Vec<f64>,
    /// Ascending middles of the rows.
    pub y: Vec<f64>,
    /// `z[row * x.len() + column]`.
    pub z: Vec<f64>,
    /// What z is, for the legend.
    pub label: String,
    /// Colours by the logarithm of z.
    pub log: bool,
}

impl Field {
    /// Smallest and largest finite value, `None` if there is none.
    pub fn range(&self) -> Option<(f64, f64)> {
        finite_range(self.z.iter().copied().filter(|z| !self.log || *z > 0.0))
    }

    /// Where a value lies between the smallest (0) and the largest (1).
    pub fn level(&self, z: f64, (low, high): (f64, f64)) -> Option<f64> {
        if !z.is_finite() || (self.log && z <= 0.0) {
            return None;
        }
        let f = |v: f64| if self.log { v.log10() } else { v / 2.0 };
        let span = f(high) - f(low);
        Some(if span > 0.0 { ((f(z) - f(low)) / span).clamp(0.0, 1.0) } else { 0.5 })
    }

    /// The value at a fractional position between grid nodes' cells, by nearest cell.
    pub fn nearest(&self, x: f64, y: f64) -> Option<f64> {
        let i = nearest(&self.x, x)?;
        let j = nearest(&self.y, y)?;
        self.z.get(j * self.x.len() + i).copied()
    }
}

/// Index of the ascending value nearest to `v`.
fn nearest(sorted: &[f64], v: f64) -> Option<usize> {
    let after = sorted.partition_point(|s| *s < v);
    let candidates = [after.checked_sub(1), (after < sorted.len()).then_some(after)];
    candidates.into_iter().flatten().min_by(|a, b| (sorted[*a] - v).abs().total_cmp(&(sorted[*b] - v).abs()))
}

/// A picture, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green and blue of each pixel; transparent where none.
    pub pixels: Vec<Option<[u8; 3]>>,
}
