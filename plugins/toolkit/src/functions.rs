//! Functions of one variable for small networks to fit, and the grid on which they are sampled.

use std::f64::consts::PI;

use crate::stats::mean;

/// Half a period of sin(5πx).
pub const INTERVAL: f64 = 0.2;

/// Returns sin(5πx)/(5πx), which is 1 at 0.
pub fn sinc(x: f64) -> f64 {
    let u = 5.0 * PI * x;
    if u == 0.0 { 1.0 } else { u.sin() / u }
}

/// Returns the sign of sin(5πx). At the zeros x = k/5 it has the value of the interval to their left, ((k−1)/5, k/5],
/// so that no point is 0 and the value does not depend on rounding.
pub fn sign(x: f64) -> f64 {
    let position = x / INTERVAL;
    let nearest = position.round();
    // A grid point at k/5 may be off by a few roundings.
    let interval = if (position - nearest).abs() < 1e-9 { nearest } else { position.ceil() };
    if interval.rem_euclid(2.0) == 1.0 { 1.0 } else { -1.0 }
}

/// sin(5πx).
pub fn sine(x: f64) -> f64 {
    (5.0 * PI * x).sin()
}

/// Returns `points` ≥ 2 equally spaced numbers from `low` to `high`, inclusive.
pub fn grid(low: f64, high: f64, points: usize) -> Vec<f64> {
    let last = (points - 1) as f64;
    (0..points).map(|i| low + (high - low) * (i as f64 / last)).collect()
}

/// Returns the mean squared error of always predicting the mean: at this loss, nothing but the mean has been learnt.
pub fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions() {
        assert_eq!(sinc(0.0), 1.0);
        assert!((sinc(1e-9) - 1.0).abs() < 1e-15);
        assert!((sinc(0.1) - 2.0 / PI).abs() < 1e-15);
        assert!(sinc(0.4).abs() < 1e-15);
        assert!((sine(0.3) + 1.0).abs() < 1e-15);
    }

    /// Each interval's inner points by the definition, each zero by the tie rule, rounding notwithstanding.
    #[test]
    fn sign_has_no_zeros_and_ties_go_left() {
        for k in -10..=10_i32 {
            let left = if k.rem_euclid(2) == 1 { 1.0 } else { -1.0 };
            let zero = f64::from(k) * 0.2;
            for x in [zero, zero - 1e-13, zero + 1e-13, zero - 1e-4] {
                assert_eq!(sign(x), left, "{x}");
            }
            assert_eq!(sign(zero + 1e-4), -left, "{zero}");
            let middle = zero + 0.1;
            assert_eq!(sign(middle), sine(middle).signum());
        }
    }

    /// V13: the losses of predicting the mean that the acceptance bands rest on, by numpy.
    #[test]
    fn variances_of_sinc() {
        for (points, expected) in
            [(10_000, 0.087_117_575_557_620_3), (64, 0.092_048_785_492_464_6), (128, 0.089_575_509_532_571_5)]
        {
            let values: Vec<f64> = grid(1e-4, 1.0, points).into_iter().map(sinc).collect();
            assert!((variance(&values) - expected).abs() < 1e-12, "{points} points");
        }
    }
}
