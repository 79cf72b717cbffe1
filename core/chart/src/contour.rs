//! Contour lines of a field, by marching squares.

use super::Field;
use super::scale::{Scale, Span};
use super::ticks::{Powers, Tick, ticks};

/// A segment of a contour line, in data units: from (x, y) to (x, y).
pub type Piece = [(f64, f64); 2];

/// Returns round levels within the field's range.
pub fn levels(field: &Field, most: usize, powers: Powers) -> Vec<Tick> {
    let Some((low, high)) = field.range() else { return Vec::new() };
    let scale = if field.log { Scale::Log } else { Scale::Linear };
    ticks(&Span { scale, low, high }, most, powers)
}

/// Returns the contour line of one value. Cells with a missing corner have none.
pub fn pieces(field: &Field, level: f64) -> Vec<Piece> {
    let (nx, ny) = (field.x.len(), field.y.len());
    let mut out = Vec::new();
    if nx < 2 || ny < 2 || field.z.len() != nx * ny {
        return out;
    }
    for j in 0..ny - 1 {
        for i in 0..nx - 1 {
            // The corners: lower left, lower right, upper right, upper left.
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let z = corners.map(|(i, j)| field.z[j * nx + i]);
            if z.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let mut cuts: Vec<(f64, f64)> = Vec::with_capacity(4);
            for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
                if (z[a] < level) != (z[b] < level) {
                    let t = (level / 2.0 - z[a] / 2.0) / (z[b] / 2.0 - z[a] / 2.0);
                    let (p, q) = (corners[a], corners[b]);
                    let mix = |u: f64, v: f64| u + (v - u) * t;
                    cuts.push((mix(field.x[p.0], field.x[q.0]), mix(field.y[p.1], field.y[q.1])));
                }
            }
            match cuts.as_slice() {
                [a, b] => out.push([*a, *b]),
                // A saddle: the mean of the corners decides how the two lines turn.
                [a, b, c, d] => {
                    let middle = z.iter().map(|z| z / 4.0).sum::<f64>();
                    if (middle < level) == (z[0] < level) {
                        out.push([*a, *b]);
                        out.push([*c, *d]);
                    } else {
                        out.push([*a, *d]);
                        out.push([*b, *c]);
                    }
                }
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bowl(n: usize) -> Field {
        let axis: Vec<f64> = (0..n).map(|i| -2.0 + 4.0 * i as f64 / (n - 1) as f64).collect();
        let z = axis.iter().flat_map(|y| axis.iter().map(move |x| x * x + y * y)).collect();
        Field { x: axis.clone(), y: axis, z, label: "z".into(), log: false }
    }

    #[test]
    fn a_level_of_a_bowl_is_a_circle() {
        let circle = pieces(&bowl(81), 1.0);
        let length: f64 = circle.iter().map(|[a, b]| (a.0 - b.0).hypot(a.1 - b.1)).sum();
        assert!((length - std::f64::consts::TAU).abs() < 0.02, "{length}");
        assert!(circle.iter().flatten().all(|(x, y)| (x.hypot(*y) - 1.0).abs() < 0.01));
    }

    #[test]
    fn missing_corners_and_small_fields_have_no_lines() {
        let mut field = bowl(3);
        field.z[4] = f64::NAN;
        assert!(pieces(&field, 1.0).is_empty());
        let one = Field { x: vec![0.0], y: vec![0.0], z: vec![1.0], label: String::new(), log: false };
        assert!(pieces(&one, 1.0).is_empty());
    }
}
