//! Ranks, correlation with its interval, quantiles.

/// An estimate with a confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate itself.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Pairs it rests on.
    pub pairs: usize,
}

/// Ranks from 1; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // The chunk's place is told by its first member's position in the order.
        let before = order.partition_point(|&i| values[i].total_cmp(&values[same[0]]).is_lt());
        let mean = before as f64 + f64::midpoint(same.len() as f64, 1.0);
        for &i in same {
            ranks[i] = mean;
        }
    }
    ranks
}

/// Pearson's correlation; NaN if either side is constant.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len()) as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        xx += (a - mx).powi(2) / n;
        yy += (b - my).powi(2) / n;
        xy += (a - mx) * (b - my) / n;
    }
    (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)
}

/// Spearman's rank correlation (Pearson's of the ranks, ties sharing their mean rank) with its 95 % interval.
///
/// The interval is Fisher's z with the standard error √((1 + ρ²/2)/(n − 3)) of Bonett and Wright, "Sample size requirements
/// for estimating Pearson, Kendall and Spearman correlations", Psychometrika 65 (2000). A perfect order has an infinite z, and
/// would be certain however few the pairs: its interval reaches as far as that of the order next to it, with two neighbours
/// exchanged. Pairs with a number that is not finite are left out. All is NaN for fewer than 4 pairs or a constant side.
pub fn spearman(x: &[f64], y: &[f64]) -> Estimate {
    let (x, y): (Vec<f64>, Vec<f64>) =
        x.iter().zip(y).filter(|(a, b)| a.is_finite() && b.is_finite()).unzip();
    let pairs = x.len();
    let value = if pairs < 4 { f64::NAN } else { pearson(&ranks(&x), &ranks(&y)) };
    if value.is_nan() {
        return Estimate { value, low: value, high: value, pairs };
    }
    let n = pairs as f64;
    let next = 1.0 - 12.0 / (n * (n * n - 1.0));
    // Up to rounding.
    let perfect = value.abs() > 1.0 - 1e-9;
    let used = if perfect { next.copysign(value) } else { value };
    let half = 1.959_963_984_540_054 * ((1.0 + used * used / 2.0) / (n - 3.0)).sqrt();
    let (low, high) = ((used.atanh() - half).tanh(), (used.atanh() + half).tanh());
    match perfect {
        true if value > 0.0 => Estimate { value: 1.0, low, high: 1.0, pairs },
        true => Estimate { value: -1.0, low: -1.0, high, pairs },
        false => Estimate { value, low, high, pairs },
    }
}

/// The arithmetic mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The quantile q in [0, 1] of the values that are not NaN, linear between the two nearest (Hyndman and Fan's type 7, numpy's
/// default). NaN of nothing.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if sorted.is_empty() {
        return f64::NAN;
    }
    sorted.sort_by(f64::total_cmp);
    let place = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    if below == above { below } else { below + (above - below) * place.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(ranks(&[10.0, 20.0, 10.0, 5.0, 20.0, 20.0]), [2.5, 5.0, 2.5, 1.0, 5.0, 5.0]);
        assert!(ranks(&[]).is_empty());
    }

    /// Numbers by numpy: corrcoef of the mean ranks, tanh(arctanh(ρ) ± 1.96 √((1 + ρ²/2)/5)).
    #[test]
    fn spearman_of_known_data() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 7.0, 1.0];
        let y = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let estimate = spearman(&x, &y);
        assert!((estimate.value - 0.036_364_304_217_413_17).abs() < 1e-15, "{estimate:?}");
        assert_eq!(estimate.pairs, 8);
        assert!((estimate.low + 0.686_037_766_177_022_6).abs() < 1e-12, "{estimate:?}");
        assert!((estimate.high - 0.722_661_079_975_206).abs() < 1e-12, "{estimate:?}");
        let falling: Vec<f64> = x.iter().map(|v| (-v).exp()).collect();
        assert_eq!(spearman(&x, &falling).value, -1.0);
        // A perfect order of four or five is none that is certain; of six it is.
        for (n, sure) in [(4_u8, false), (5, false), (6, true), (12, true)] {
            let rising: Vec<f64> = (0..n).map(f64::from).collect();
            let up = spearman(&rising, &rising);
            assert_eq!((up.value, up.high, up.low > 0.0), (1.0, 1.0, sure), "{up:?}");
            let down = spearman(&rising, &rising.iter().map(|v| -v).collect::<Vec<_>>());
            assert_eq!((down.value, down.low), (-1.0, -1.0));
            assert!((down.high + up.low).abs() < 1e-12, "{down:?} {up:?}");
        }
        let odd = spearman(&[1.0, f64::NAN, 2.0, 3.0, 4.0, 5.0], &[1.0, 9.0, 2.0, 3.0, f64::INFINITY, 4.0]);
        assert_eq!((odd.value, odd.pairs), (1.0, 4));
        assert!(spearman(&[1.0; 9], &[2.0; 9]).value.is_nan());
        assert!(spearman(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]).value.is_nan());
    }

    /// Of 2,000 samples of 60 normal pairs with correlation 0.6, whose Spearman coefficient is 6/π asin(0.3), nineteen in
    /// twenty intervals hold it.
    #[test]
    fn the_interval_covers() {
        use crate::rng::{Rng, Stream};
        let truth = 6.0 / std::f64::consts::PI * 0.3_f64.asin();
        let mut rng = Rng::new(1, Stream::named("cover"), 0);
        let held = (0..2000)
            .filter(|_| {
                let (x, y): (Vec<f64>, Vec<f64>) = (0..60)
                    .map(|_| {
                        let (a, b) = (rng.normal(), rng.normal());
                        (a, 0.6 * a + 0.8 * b)
                    })
                    .unzip();
                let estimate = spearman(&x, &y);
                estimate.low <= truth && truth <= estimate.high
            })
            .count();
        assert!((1870..=1940).contains(&held), "{held} of 2000 intervals hold the truth");
    }

    #[test]
    fn quantiles_are_numpys() {
        let values = [4.0, 1.0, f64::NAN, 3.0, 2.0];
        assert_eq!([0.0, 0.25, 0.5, 0.9, 1.0].map(|q| quantile(&values, q)), [1.0, 1.75, 2.5, 3.7, 4.0]);
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[f64::INFINITY, f64::INFINITY], 0.5), f64::INFINITY);
    }
}
