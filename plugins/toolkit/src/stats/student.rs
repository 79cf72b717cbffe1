//! Student's t: the difference of two means with its interval.

use super::{Estimate, mean};

/// With more degrees of freedom, the distribution is indistinguishable from the normal one.
const MOST: usize = 500;

/// Returns P(|T| ≤ t) for integer degrees of freedom: Abramowitz and Stegun, "Handbook of Mathematical Functions"
/// (1964), 26.7.3 and 26.7.4.
fn within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, square) = (angle.sin(), angle.cos().powi(2));
    let odd = freedom % 2 == 1;
    // The terms of the series: cos, cos³, … for odd, 1, cos², … for even degrees.
    let (mut term, mut sum) = (if odd { angle.cos() } else { 1.0 }, 0.0);
    let first = usize::from(odd);
    for power in (first..freedom.saturating_sub(1)).step_by(2) {
        sum += term;
        term *= square * (power + 1) as f64 / (power + 2) as f64;
    }
    if odd { 2.0 / std::f64::consts::PI * (angle + sine * sum) } else { sine * sum }
}

/// Returns the t that |T| does not exceed with this probability.
pub fn quantile(probability: f64, freedom: usize) -> f64 {
    let freedom = freedom.clamp(1, MOST);
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if within(middle, freedom) < probability { low = middle } else { high = middle }
    }
    high
}

/// Returns the mean of `a` minus the mean of `b` with its 95 % interval by Welch, "The generalization of Student's
/// problem when several different population variances are involved", Biometrika 34 (1947), with degrees of freedom
/// rounded down. All values are NaN for fewer than two of either.
pub fn difference(a: &[f64], b: &[f64]) -> Estimate {
    let value = mean(a) - mean(b);
    let part = |values: &[f64]| {
        let (n, m) = (values.len() as f64, mean(values));
        values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0) / n
    };
    let pairs = a.len() + b.len();
    if a.len() < 2 || b.len() < 2 {
        return Estimate { value, low: f64::NAN, high: f64::NAN, pairs };
    }
    let (va, vb) = (part(a), part(b));
    let freedom = (va + vb).powi(2) / (va.powi(2) / (a.len() - 1) as f64 + vb.powi(2) / (b.len() - 1) as f64);
    let freedom = if freedom.is_finite() { freedom as usize } else { pairs - 2 };
    let half = quantile(0.95, freedom) * (va + vb).sqrt();
    Estimate { value, low: value - half, high: value + half, pairs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Stream};

    /// scipy's `t.ppf(0.975, n)`.
    #[test]
    fn quantiles_are_scipys() {
        for (freedom, known) in [
            (1, 12.706_204_736_174_7),
            (2, 4.302_652_729_749_46),
            (5, 2.570_581_835_636_31),
            (10, 2.228_138_851_986_27),
            (60, 2.000_297_821_058_26),
        ] {
            assert!((quantile(0.95, freedom) / known - 1.0).abs() < 1e-9, "{freedom}");
        }
        assert!((quantile(0.95, 10_000_000) - 1.96).abs() < 6e-3);
    }

    #[test]
    fn the_difference_of_two_means() {
        // scipy's ttest_ind(equal_var=False): 4.0 degrees of freedom here, so nothing is rounded.
        let found = difference(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]);
        let half = 2.776_445_105_197_8 * (2.0_f64 / 3.0).sqrt();
        assert!((found.value + 1.0).abs() < 1e-15 && (found.high + 1.0 - half).abs() < 1e-9, "{found:?}");
        assert!(difference(&[1.0], &[2.0, 3.0]).low.is_nan());
        assert_eq!(difference(&[1.0; 3], &[2.0; 3]).high, -1.0);
    }

    /// Of 4,000 pairs of samples of five with one mean and standard deviations 1 and 3, one interval in twenty leaves out 0.
    #[test]
    fn false_alarms_are_nominal() {
        let mut rng = Rng::new(3, Stream::named("welch"), 0);
        let alarms = (0..4000)
            .filter(|_| {
                let a: Vec<f64> = (0..5).map(|_| rng.normal()).collect();
                let b: Vec<f64> = (0..5).map(|_| 3.0 * rng.normal()).collect();
                let found = difference(&a, &b);
                found.low > 0.0 || found.high < 0.0
            })
            .count();
        assert!((160..=240).contains(&alarms), "{alarms} of 4000");
    }
}
