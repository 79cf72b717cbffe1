//! Zooming and panning of an axis.

use gradtop_chart::scale::{Scale, Span};

/// The factor of one zoom step.
const STEP: f64 = 1.5;
/// The share of the range that one step pans by.
const PAN: f64 = 0.2;

/// Zooms a range around a position (0 … 1 of the range); `None` if the whole axis is visible again.
pub(crate) fn zoom(full: &Span, now: (f64, f64), about: f64, inwards: bool) -> Option<(f64, f64)> {
    let scale = full.scale;
    let (a, b) = (scale.forward(now.0), scale.forward(now.1));
    let (low, high) = (scale.forward(full.low), scale.forward(full.high));
    let factor = if inwards { 1.0 / STEP } else { STEP };
    let center = a + (b - a) * about.clamp(0.0, 1.0);
    let (mut from, mut to) = (center + (a - center) * factor, center + (b - center) * factor);
    if inwards && to - from <= smallest(scale, from, to) {
        return Some(now);
    }
    if !inwards && to - from >= (high - low) * (1.0 - 1e-9) {
        return None;
    }
    // Zooming out never shows more empty space than data.
    if !inwards {
        if from < low && b <= high + (b - a) {
            (from, to) = (low, low + (to - from));
        } else if to > high && a >= low - (b - a) {
            (from, to) = (high - (to - from), high);
        }
    }
    values(scale, from, to)
}

/// Pans a range by a share of itself, within limits.
pub(crate) fn pan(full: &Span, now: (f64, f64), by: f64) -> Option<(f64, f64)> {
    let scale = full.scale;
    let (a, b) = (scale.forward(now.0), scale.forward(now.1));
    let (low, high) = (scale.forward(full.low), scale.forward(full.high));
    let shift = (b - a) * by;
    // At least half of the range contains data.
    let half = (b - a) / 2.0;
    let shift = shift.clamp((low - half - a).min(0.0), (high + half - b).max(0.0));
    values(scale, a + shift, b + shift)
}

/// Pans by one step, see [`pan`].
pub(crate) fn pan_step(full: &Span, now: (f64, f64), forward: bool) -> Option<(f64, f64)> {
    pan(full, now, if forward { PAN } else { -PAN })
}

fn values(scale: Scale, from: f64, to: f64) -> Option<(f64, f64)> {
    let (from, to) = (scale.inverse(from), scale.inverse(to));
    (from.is_finite() && to.is_finite() && from < to && scale.takes(from)).then_some((from, to))
}

/// Smaller ranges contain no two distinct floating-point numbers.
fn smallest(scale: Scale, from: f64, to: f64) -> f64 {
    let size = from.abs().max(to.abs());
    match scale {
        Scale::Linear => size * 1e-9,
        _ => size.max(1.0) * 1e-9,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn span(scale: Scale, low: f64, high: f64) -> Span {
        Span { scale, low, high }
    }

    fn near(a: (f64, f64), b: (f64, f64)) {
        assert!(
            (a.0 - b.0).abs() < 1e-6 * b.0.abs().max(1.0) && (a.1 - b.1).abs() < 1e-6 * b.1.abs().max(1.0),
            "{a:?} {b:?}"
        );
    }

    #[test]
    fn in_and_out_again_is_all_again() {
        let full = span(Scale::Linear, 0.0, 900.0);
        let once = zoom(&full, (0.0, 900.0), 0.5, true).unwrap();
        near(once, (150.0, 750.0));
        let twice = zoom(&full, once, 0.0, true).unwrap();
        near(twice, (150.0, 550.0));
        assert_eq!(zoom(&full, once, 0.5, false), None);
        near(zoom(&full, (600.0, 900.0), 0.5, false).unwrap(), (450.0, 900.0));
    }

    #[test]
    fn a_logarithmic_axis_is_zoomed_by_ratios() {
        let full = span(Scale::Log, 1e-6, 1.0);
        let (low, high) = zoom(&full, (1e-6, 1.0), 0.5, true).unwrap();
        near((low.log10(), high.log10()), (-5.0, -1.0));
    }

    #[test]
    fn panning_stops_where_there_is_nothing() {
        let full = span(Scale::Linear, 0.0, 100.0);
        let mut now = (50.0, 70.0);
        for _ in 0..50 {
            now = pan_step(&full, now, true).unwrap();
        }
        near(now, (90.0, 110.0));
        near(pan_step(&full, (50.0, 70.0), false).unwrap(), (46.0, 66.0));
    }

    proptest! {
        #[test]
        fn a_window_stays_a_window(
            steps in prop::collection::vec((0u8..4, 0.0f64..=1.0), 0..120),
            low in -1e6f64..1e6, length in 1e-3f64..1e9, log in any::<bool>(),
        ) {
            let full = if log { span(Scale::Log, 1e-9, length) } else { span(Scale::Linear, low, low + length) };
            let mut now = None;
            for (what, about) in steps {
                let window = now.unwrap_or((full.low, full.high));
                now = match what {
                    0 => zoom(&full, window, about, true),
                    1 => zoom(&full, window, about, false),
                    2 => pan_step(&full, window, true),
                    _ => pan_step(&full, window, false),
                };
                if let Some((a, b)) = now {
                    prop_assert!(a < b && a.is_finite() && b.is_finite(), "{a} {b}");
                    prop_assert!(full.scale.takes(a));
                }
            }
        }
    }
}
