//! Statistics for experiments: medians and windows, correlation with its interval, differences of means ([`student`]),
//! permutation tests for few trials ([`permutation`]), the bootstrap over whole units ([`bootstrap`]), and Holm's
//! correction for the many claims of one run (`holm`). A test of each simulates its false alarms.

pub mod bootstrap;
pub mod permutation;
pub mod student;

/// An estimate with a confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate itself.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Number of pairs it is based on.
    pub pairs: usize,
}

/// Returns ranks from 1; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // The chunk's position is that of its first member in the order.
        let before = order.partition_point(|&i| values[i].total_cmp(&values[same[0]]).is_lt());
        let mean = before as f64 + f64::midpoint(same.len() as f64, 1.0);
        for &i in same {
            ranks[i] = mean;
        }
    }
    ranks
}

/// Returns Pearson's correlation; NaN if either side is constant.
pub(crate) fn pearson(x: &[f64], y: &[f64]) -> f64 {
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

/// Returns Spearman's rank correlation (Pearson's of the ranks, with ties sharing their mean rank) and its 95 % interval.
///
/// The interval is Fisher's z with the standard error √((1 + ρ²/2)/(n − 3)) of Bonett and Wright, "Sample size requirements for
/// estimating Pearson, Kendall and Spearman correlations", Psychometrika 65 (2000). A perfect order has an infinite z, and would
/// be certain with any number of pairs: its interval reaches as far as that of the closest imperfect order, with two neighbours
/// exchanged. Pairs with a non-finite number are ignored. All values are NaN for fewer than 4 pairs or a constant side.
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

/// Returns Spearman's partial correlation of two variables given a third. Its interval is that of [`spearman`] with one
/// pair fewer. All values are NaN for fewer than 5 pairs or a constant side.
pub fn partial_spearman(x: &[f64], y: &[f64], given: &[f64]) -> Estimate {
    let all: Vec<[f64; 3]> = x
        .iter()
        .zip(y)
        .zip(given)
        .map(|((x, y), z)| [*x, *y, *z])
        .filter(|row| row.iter().all(|v| v.is_finite()))
        .collect();
    let [x, y, z] = [0, 1, 2].map(|i| ranks(&all.iter().map(|row| row[i]).collect::<Vec<_>>()));
    let (xy, xz, yz) = (pearson(&x, &y), pearson(&x, &z), pearson(&y, &z));
    let value = (xy - xz * yz) / ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt();
    let pairs = all.len();
    if pairs < 5 || !value.is_finite() {
        return Estimate { value: f64::NAN, low: f64::NAN, high: f64::NAN, pairs };
    }
    let half = 1.959_963_984_540_054 * ((1.0 + value * value / 2.0) / (pairs as f64 - 4.0)).sqrt();
    let at = value.clamp(-1.0 + 1e-12, 1.0 - 1e-12).atanh();
    Estimate { value, low: (at - half).tanh(), high: (at + half).tanh(), pairs }
}

/// Returns the arithmetic mean; NaN if empty.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the quantile q in [0, 1], ignoring NaN, with linear interpolation (Hyndman and Fan's type 7, numpy's
/// default). NaN if empty.
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

/// Returns the median, ignoring NaN; the mean of the middle two for an even number. NaN if empty.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The median of a part of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its first and last step.
    pub steps: [i64; 2],
    /// The median of its values.
    pub median: f64,
    /// Number of values.
    pub count: usize,
}

/// Returns three parts of a series, each with this fraction of its values: the first, the one before the last, and the last. One
/// noisy value says nothing about a trend, but two medians do. `None` if they would overlap or have fewer than three values each.
pub fn windows(series: &[(i64, f64)], share: f64) -> Option<[Window; 3]> {
    let count = (share * series.len() as f64) as usize;
    if count < 3 || 3 * count > series.len() {
        return None;
    }
    let window = |start: usize| {
        let part = &series[start..start + count];
        Window {
            steps: [part[0].0, part[count - 1].0],
            median: median(&part.iter().map(|(_, value)| *value).collect::<Vec<_>>()),
            count,
        }
    };
    Some([window(0), window(series.len() - 2 * count), window(series.len() - count)])
}

/// Holm's correction ("A simple sequentially rejective multiple test procedure", 1979): returns for each p of one run the level
/// at which it would be significant if none of the run's `family` of tests, which include these, may give a false alarm.
pub(crate) fn holm(p: &[f64], family: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (done, i) in order.into_iter().enumerate() {
        least = least.max((family.max(p.len()) - done) as f64 * p[i]).min(1.0);
        corrected[i] = least;
    }
    corrected
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

    /// Both follow a third and nothing else: of the two, 60 pairs each, the partial coefficient's interval leaves out 0 in one of
    /// twenty, the plain one's nearly always.
    #[test]
    fn a_common_cause_is_taken_out() {
        use crate::rng::{Rng, Stream};
        let mut rng = Rng::new(6, Stream::named("cause"), 0);
        let apart = |found: Estimate| usize::from(found.low > 0.0 || found.high < 0.0);
        let (mut plain, mut partial) = (0, 0);
        for _ in 0..2000 {
            let z: Vec<f64> = (0..60).map(|_| rng.normal()).collect();
            let mut follow = || z.iter().map(|z| z + rng.normal()).collect::<Vec<_>>();
            let (x, y) = (follow(), follow());
            plain += apart(spearman(&x, &y));
            partial += apart(partial_spearman(&x, &y, &z));
        }
        assert!(plain > 1800 && (80..=135).contains(&partial), "{plain} {partial}");
        assert!(partial_spearman(&[1.0; 9], &[2.0; 9], &[3.0; 9]).value.is_nan());
    }

    #[test]
    fn quantiles_are_numpys() {
        let values = [4.0, 1.0, f64::NAN, 3.0, 2.0];
        assert_eq!([0.0, 0.25, 0.5, 0.9, 1.0].map(|q| quantile(&values, q)), [1.0, 1.75, 2.5, 3.7, 4.0]);
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[f64::INFINITY, f64::INFINITY], 0.5), f64::INFINITY);
    }

    #[test]
    fn medians_of_even_counts_lie_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[1.0, 3.0]), 2.0);
        assert_eq!(median(&[5.0, f64::NAN, 1.0, 3.0]), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn windows_are_medians_of_stretches() {
        let series: Vec<(i64, f64)> = (0..40).map(|i| (10 * i, f64::from(i as i32 % 4))).collect();
        let [first, before, last] = windows(&series, 0.1).expect("four values each");
        assert_eq!(before, Window { steps: [320, 350], median: 1.5, count: 4 });
        assert_eq!((first.steps, last.steps, last.median), ([0, 30], [360, 390], 1.5));
        assert_eq!(windows(&series[..20], 0.1), None);
        assert_eq!((windows(&[], 0.5), windows(&series, 0.5)), (None, None));
    }

    /// R's `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")`.
    #[test]
    fn holm_is_rs() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005], 4);
        for (found, known) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - known).abs() < 1e-15, "{corrected:?}");
        }
        assert_eq!(holm(&[0.5, 0.02], 5), [1.0, 0.1]);
    }

    /// Twenty-four tests of nothing: uncorrected, most runs have a false alarm; corrected, one in twenty.
    #[test]
    fn a_run_of_many_claims_has_no_more_false_alarms_than_one() {
        use crate::rng::{Rng, Stream};
        let mut rng = Rng::new(4, Stream::named("holm"), 0);
        let (mut plain, mut corrected) = (0, 0);
        for _ in 0..4000 {
            let p: Vec<f64> = (0..24).map(|_| rng.uniform()).collect();
            plain += usize::from(p.iter().any(|p| *p <= 0.05));
            corrected += usize::from(holm(&p, 24).iter().any(|p| *p <= 0.05));
        }
        assert!(plain > 2400 && (160..=240).contains(&corrected), "{plain} {corrected}");
    }
}
