//! The bootstrap over whole units (settings, trials, runs), never over single numbers of one unit.

use super::{quantile, student};
use crate::rng::{Rng, Stream};

/// Number of samples drawn.
const DRAWN: usize = 2000;

/// Returns the 95 % interval of a statistic: its quantiles over samples of the units with replacement. `statistic`
/// receives the indices of the drawn units, as many as there are units. The quantiles are those of Hesterberg's
/// expanded interval ("What teachers should know about the bootstrap", 2015), which is as wide for the mean of few
/// units as Student's t; plain ones are too narrow by at least √((n − 1)/n). NaN for fewer than two units.
pub fn interval(units: usize, statistic: impl Fn(&[usize]) -> f64) -> (f64, f64) {
    if units < 2 {
        return (f64::NAN, f64::NAN);
    }
    let mut rng = Rng::new(0, Stream::named("bootstrap"), 0);
    let mut chosen = vec![0; units];
    let values: Vec<f64> = (0..DRAWN)
        .map(|_| {
            chosen.fill_with(|| rng.below(units as u32) as usize);
            statistic(&chosen)
        })
        .collect();
    let n = units as f64;
    let tail = upper_tail((n / (n - 1.0)).sqrt() * student::quantile(0.95, units - 1));
    (quantile(&values, tail), quantile(&values, 1.0 - tail))
}

/// Returns P(Z > z) of the normal distribution by the series of Marsaglia, "Evaluating the normal distribution" (2004).
fn upper_tail(z: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 - sum * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mean;

    #[test]
    fn tails_are_the_normal_distributions() {
        for (z, known) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (1.959_963_984_540_054, 0.025),
            (4.0, 3.167_124_183_311_99e-5),
        ] {
            assert!((upper_tail(z) - known).abs() < 1e-13, "{z}: {}", upper_tail(z));
        }
    }

    /// Of 2,000 samples of fifteen, one interval of the mean in twenty leaves out the truth.
    #[test]
    fn false_alarms_are_nominal() {
        let mut rng = Rng::new(2, Stream::named("sample"), 0);
        let alarms = (0..2000)
            .filter(|_| {
                let values: Vec<f64> = (0..15).map(|_| rng.normal()).collect();
                let (low, high) =
                    interval(15, |chosen| mean(&chosen.iter().map(|&i| values[i]).collect::<Vec<_>>()));
                low > 0.0 || high < 0.0
            })
            .count();
        assert!((80..=120).contains(&alarms), "{alarms} of 2000");
        assert!(interval(1, |_| 1.0).0.is_nan());
    }
}
