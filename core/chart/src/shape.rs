//! The shapes of marks, and what the axes and the tables of a chart need to know of them. They are drawn in
//! `cells/marks.rs` and `svg/marks.rs`.

use crate::scale::{Scale, finite_range};

/// The shape of a mark. All vectors of a shape have the same length.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Points connected in order; a non-finite value interrupts the line and is marked at the axis.
    Line {
        /// X values.
        x: Vec<f64>,
        /// Y values.
        y: Vec<f64>,
    },
    /// The area between two curves.
    Band {
        /// X values, ascending.
        x: Vec<f64>,
        /// Lower edge.
        low: Vec<f64>,
        /// Upper edge.
        high: Vec<f64>,
    },
    /// Single points.
    Scatter {
        /// X values.
        x: Vec<f64>,
        /// Y values.
        y: Vec<f64>,
        /// Whether they are connected by thin lines in their order.
        joined: bool,
    },
    /// Texts at points. If they would overlap, later ones take precedence.
    Words {
        /// X values.
        x: Vec<f64>,
        /// Y values.
        y: Vec<f64>,
        /// The texts.
        words: Vec<String>,
    },
    /// Vertical bars from zero, each `width` wide in data units.
    Bars {
        /// Centres.
        x: Vec<f64>,
        /// Heights.
        y: Vec<f64>,
        /// Width in units of x.
        width: f64,
    },
    /// A value for each cell of a rectangular grid, as colours.
    Heatmap(Field),
    /// A value for each node of a rectangular grid, as contour lines.
    Contour(Field),
    /// A line across the whole plot.
    Rule {
        /// Its position.
        at: RulePosition,
    },
    /// An image.
    Image(Image),
}

impl Shape {
    /// Returns its points, if it consists of points.
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

    /// Returns its field, if it consists of values over a grid.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Heatmap(field) | Self::Contour(field) => Some(field),
            _ => None,
        }
    }

    /// Returns all texts in it.
    pub fn words_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let words: &mut [String] = match self {
            Self::Heatmap(field) | Self::Contour(field) => std::slice::from_mut(&mut field.label),
            Self::Words { words, .. } => words,
            _ => &mut [],
        };
        words.iter_mut()
    }

    /// Returns its range on a horizontal axis, as far as it has positions there.
    pub(crate) fn extent_x(&self, scale: Scale) -> Option<(f64, f64)> {
        if let Some(Points { x, around, .. }) = self.points() {
            return range_on(scale, x).map(|(low, high)| (low - around, high + around));
        }
        match self {
            Self::Heatmap(f) => cells_on(scale, &f.x),
            Self::Contour(f) => range_on(scale, &f.x),
            Self::Rule { at: RulePosition::X(v) } => scale.takes(*v).then_some((*v, *v)),
            Self::Image(p) => Some((0.0, p.width as f64)),
            _ => None,
        }
    }

    /// Returns its range on a vertical axis.
    pub(crate) fn extent_y(&self, scale: Scale) -> Option<(f64, f64)> {
        if let Some(Points { y, low, high, .. }) = self.points() {
            let range = range_on(scale, [y, low, high].into_iter().flatten())?;
            let from_zero = matches!(self, Self::Bars { .. }) && scale.takes(0.0);
            return Some(if from_zero { (range.0.min(0.0), range.1.max(0.0)) } else { range });
        }
        match self {
            Self::Heatmap(f) => cells_on(scale, &f.y),
            Self::Contour(f) => range_on(scale, &f.y),
            Self::Rule { at: RulePosition::Y(v) } => scale.takes(*v).then_some((*v, *v)),
            Self::Image(p) => Some((0.0, p.height as f64)),
            _ => None,
        }
    }
}

fn range_on<'a>(scale: Scale, values: impl IntoIterator<Item = &'a f64>) -> Option<(f64, f64)> {
    finite_range(values.into_iter().copied().filter(|v| scale.takes(*v)))
}

/// Returns the outer edges of cells with these centres.
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

/// Like [`cell_edges`], limited to a scale's domain.
fn cells_on(scale: Scale, middles: &[f64]) -> Option<(f64, f64)> {
    cell_edges(middles).filter(|(low, _)| scale.takes(*low)).or_else(|| range_on(scale, middles))
}

/// The points of a shape: values `y`, or ranges from `low` to `high`; the others are empty.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// X values.
    pub x: &'a [f64],
    /// Y values.
    pub y: &'a [f64],
    /// Lower edges.
    pub low: &'a [f64],
    /// Upper edges.
    pub high: &'a [f64],
    /// How far each extends to both sides of its x.
    pub around: f64,
}

/// The position of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RulePosition {
    /// A vertical line at this x.
    X(f64),
    /// A horizontal line at this y.
    Y(f64),
}

/// Values over a rectangular grid; NaN if missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Ascending centres of the columns.
    pub x: Vec<f64>,
    /// Ascending centres of the rows.
    pub y: Vec<f64>,
    /// `z[row * x.len() + column]`.
    pub z: Vec<f64>,
    /// The label of z in the legend.
    pub label: String,
    /// Whether colours follow the logarithm of z.
    pub log: bool,
}

impl Field {
    /// Returns the smallest and largest finite value; `None` if there is none.
    pub fn range(&self) -> Option<(f64, f64)> {
        finite_range(self.z.iter().copied().filter(|z| !self.log || *z > 0.0))
    }

    /// Maps a value to 0 for the smallest and 1 for the largest.
    pub fn level(&self, z: f64, (low, high): (f64, f64)) -> Option<f64> {
        if !z.is_finite() || (self.log && z <= 0.0) {
            return None;
        }
        let f = |v: f64| if self.log { v.log10() } else { v / 2.0 };
        let span = f(high) - f(low);
        Some(if span > 0.0 { ((f(z) - f(low)) / span).clamp(0.0, 1.0) } else { 0.5 })
    }

    /// Returns the value of the cell nearest to a position.
    pub fn nearest(&self, x: f64, y: f64) -> Option<f64> {
        let i = nearest(&self.x, x)?;
        let j = nearest(&self.y, y)?;
        self.z.get(j * self.x.len() + i).copied()
    }
}

/// Returns the index of the ascending value nearest to `v`.
fn nearest(sorted: &[f64], v: f64) -> Option<usize> {
    let after = sorted.partition_point(|s| *s < v);
    let candidates = [after.checked_sub(1), (after < sorted.len()).then_some(after)];
    candidates.into_iter().flatten().min_by(|a, b| (sorted[*a] - v).abs().total_cmp(&(sorted[*b] - v).abs()))
}

/// An image, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Number of pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// Red, green and blue of each pixel; `None` is transparent.
    pub pixels: Vec<Option<[u8; 3]>>,
}
