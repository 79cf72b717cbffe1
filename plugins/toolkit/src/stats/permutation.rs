//! Permutation tests: how likely a difference is by chance. Exact if all permutations can be enumerated, else by a
//! seeded sample of them, which includes the observed one (Phipson and Smyth, "Permutation p-values should never be
//! zero", 2010), so that false alarms stay nominal.

use super::{pearson, ranks};
use crate::rng::{Rng, Stream};

/// Maximum number of permutations to enumerate.
const EXACT: u64 = 200_000;
/// Number of permutations drawn if there are more.
const DRAWN: usize = 9999;

/// Returns whether a statistic is at least as extreme as the observed one, up to rounding.
fn as_far(other: f64, seen: f64) -> bool {
    other >= seen - 1e-9 * seen.abs().max(f64::MIN_POSITIVE)
}

fn share(far: usize, drawn: usize) -> f64 {
    (far + 1) as f64 / (drawn + 1) as f64
}

fn rng() -> Rng {
    Rng::new(0, Stream::named("permutations"), 0)
}

/// Returns n over k, or [`EXACT`] + 1 if it is larger.
fn choices(n: usize, k: usize) -> u64 {
    let mut count = 1_u64;
    for i in 0..k.min(n - k) as u64 {
        count = count * (n as u64 - i) / (i + 1);
        if count > EXACT {
            return EXACT + 1;
        }
    }
    count
}

/// Returns two-sided p of the difference of the means of two samples. 1 if one is empty.
pub(crate) fn two_samples(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    let (n, k, total) = (all.len(), a.len(), all.iter().sum::<f64>());
    let apart = |sum: f64| (sum / k as f64 - (total - sum) / (n - k) as f64).abs();
    let seen = apart(a.iter().sum());
    let count = choices(n, k);
    if n < 64 && count <= EXACT {
        // Each way to choose k of n as a bit set, ascending.
        let (mut chosen, mut far) = ((1_u64 << k) - 1, 0);
        for _ in 0..count {
            let sum: f64 = (0..n).filter(|i| chosen >> i & 1 == 1).map(|i| all[i]).sum();
            far += u64::from(as_far(apart(sum), seen));
            let lowest = chosen & chosen.wrapping_neg();
            let ripple = chosen + lowest;
            chosen = (((ripple ^ chosen) >> 2) / lowest) | ripple;
        }
        return far as f64 / count as f64;
    }
    let mut rng = rng();
    let far = (0..DRAWN).filter(|_| {
        rng.shuffle(&mut all);
        as_far(apart(all[..k].iter().sum()), seen)
    });
    share(far.count(), DRAWN)
}

/// Returns two-sided p of the mean of paired differences, by exchanging the two of each pair. 1 if empty.
pub fn pairs(differences: &[f64]) -> f64 {
    let n = differences.len();
    let seen = differences.iter().sum::<f64>().abs();
    let flipped = |sign: &dyn Fn(usize) -> bool| {
        differences.iter().enumerate().map(|(i, d)| if sign(i) { -d } else { *d }).sum::<f64>().abs()
    };
    if n == 0 {
        return 1.0;
    }
    if n < 18 {
        let count = 1_u64 << n;
        let far = (0..count).filter(|bits| as_far(flipped(&|i| bits >> i & 1 == 1), seen)).count();
        return far as f64 / count as f64;
    }
    let mut rng = rng();
    let far = (0..DRAWN).filter(|_| {
        let signs: Vec<bool> = (0..n).map(|_| rng.below(2) == 1).collect();
        as_far(flipped(&|i| signs[i]), seen)
    });
    share(far.count(), DRAWN)
}

/// Pairs that belong together: all left values and all right values.
pub type Group = (Vec<f64>, Vec<f64>);

/// Returns two-sided p of Spearman's correlation of grouped pairs, such as networks of one setting. The left values of one group
/// are exchanged with those of another as a whole, so that networks that share a setting do not count as independent. Groups of
/// different sizes cannot be exchanged, so only as many members as the smallest has are used of each.
pub fn grouped(groups: &[Group]) -> f64 {
    let size = groups.iter().map(|(x, y)| x.len().min(y.len())).min().unwrap_or(0);
    let ranked = |side: fn(&Group) -> &Vec<f64>| {
        ranks(&groups.iter().flat_map(|group| side(group)[..size].iter().copied()).collect::<Vec<_>>())
    };
    let (x, y) = (ranked(|g| &g.0), ranked(|g| &g.1));
    let seen = pearson(&x, &y).abs();
    if seen.is_nan() {
        return 1.0;
    }
    let mut rng = rng();
    let mut order: Vec<i64> = vec![0; groups.len()];
    let far = (0..DRAWN).filter(|_| {
        rng.permute(&mut order);
        let moved: Vec<f64> =
            order.iter().flat_map(|&at| x[at as usize * size..][..size].iter().copied()).collect();
        as_far(pearson(&moved, &y).abs(), seen)
    });
    share(far.count(), DRAWN)
}

/// Returns two-sided p of Spearman's correlation of independent pairs. Pairs with a non-finite number are ignored.
pub fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let finite = x.iter().zip(y).filter(|(a, b)| a.is_finite() && b.is_finite());
    grouped(&finite.map(|(a, b)| (vec![*a], vec![*b])).collect::<Vec<_>>())
}

/// Returns the inner group whose mean exceeds those of both ends by the most, and by how much. `None` if there is none.
pub fn peak(groups: &[Vec<f64>]) -> Option<(usize, f64)> {
    let means: Vec<f64> = groups.iter().map(|group| super::mean(group)).collect();
    let [first, middle @ .., last] = &means[..] else { return None };
    let above =
        middle.iter().map(|mean| mean - first.max(*last)).enumerate().map(|(i, above)| (i + 1, above));
    above.filter(|(_, above)| *above > 0.0).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Returns p of a [`peak`] at least as high as the observed one, at any position, if values were exchanged between
/// groups. 1 without a peak.
pub fn of_peak(groups: &[Vec<f64>]) -> f64 {
    let Some((_, seen)) = peak(groups) else { return 1.0 };
    let mut all: Vec<f64> = groups.concat();
    let mut rng = rng();
    let far = (0..DRAWN).filter(|_| {
        rng.shuffle(&mut all);
        let mut rest = &all[..];
        let moved: Vec<Vec<f64>> = groups
            .iter()
            .map(|group| {
                let (own, others) = rest.split_at(group.len());
                rest = others;
                own.to_vec()
            })
            .collect();
        peak(&moved).is_some_and(|(_, above)| as_far(above, seen))
    });
    share(far.count(), DRAWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_where_all_can_be_counted() {
        // Of 20 ways to choose 3 of 6, two are as far out: no order of three and three can be told at 5 %.
        assert_eq!(two_samples(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 0.1);
        assert_eq!(two_samples(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]), 2.0 / 252.0);
        assert_eq!(two_samples(&[1.0; 3], &[1.0; 3]), 1.0);
        assert_eq!(two_samples(&[], &[1.0]), 1.0);
        assert_eq!(pairs(&[1.0, 2.0, 0.5, 1.0, 3.0, 1.0]), 2.0 / 64.0);
        assert_eq!(pairs(&[]), 1.0);
        let line: Vec<f64> = (0..12).map(f64::from).collect();
        assert!(correlation(&line, &line) < 1e-3 && correlation(&line, &[1.0; 12]) == 1.0);
    }

    /// How many of 4,000 samples of nothing are told from chance at 5 %.
    fn alarms(mut p: impl FnMut(&mut Rng) -> f64, trials: usize) -> f64 {
        let mut rng = Rng::new(7, Stream::named("nothing"), 0);
        let found = (0..trials).filter(|_| p(&mut rng) <= 0.05).count();
        found as f64 / trials as f64
    }

    fn draws(rng: &mut Rng, n: usize) -> Vec<f64> {
        // Skewed, as losses are.
        (0..n).map(|_| rng.normal().exp()).collect()
    }

    #[test]
    fn false_alarms_are_nominal() {
        let few = alarms(|rng| two_samples(&draws(rng, 5), &draws(rng, 5)), 4000);
        let paired =
            alarms(|rng| pairs(&(0..9).map(|_| rng.normal() - rng.normal()).collect::<Vec<_>>()), 4000);
        for rate in [few, paired] {
            assert!((0.04..=0.06).contains(&rate), "{few} {paired}");
        }
    }

    /// Seven groups of five that are alike, and seven that rise, have no more false peaks than nominal.
    #[test]
    fn false_peaks_are_nominal() {
        let groups = |rng: &mut Rng, slope: f64| {
            let group = |i: i32, rng: &mut Rng| {
                (0..5).map(|_| slope * f64::from(i) + rng.normal()).collect::<Vec<_>>()
            };
            (0..7).map(|i| group(i, rng)).collect::<Vec<_>>()
        };
        let flat = alarms(|rng| of_peak(&groups(rng, 0.0)), 600);
        let rising = alarms(|rng| of_peak(&groups(rng, 1.0)), 200);
        assert!((0.03..=0.07).contains(&flat) && rising <= 0.05, "{flat} {rising}");
        let tall =
            [vec![1.0, 1.1, 1.2, 1.0, 1.1], vec![3.0, 3.1, 3.2, 3.1, 3.0], vec![2.0, 2.1, 2.0, 2.1, 2.2]];
        assert!(peak(&tall).is_some_and(|(at, _)| at == 1) && of_peak(&tall) < 0.01);
        assert_eq!((peak(&tall[..2]), of_peak(&tall[1..])), (None, 1.0));
    }

    /// Nine settings of four networks, in which the networks of a setting are nearly equal: nine values, not thirty-six.
    #[test]
    fn groups_are_one_value_each() {
        let setting = |rng: &mut Rng| {
            let (a, b) = (rng.normal(), rng.normal());
            let near = |at: f64, rng: &mut Rng| (0..4).map(|_| at + 0.2 * rng.normal()).collect::<Vec<_>>();
            (near(a, rng), near(b, rng))
        };
        let settings = |rng: &mut Rng| (0..9).map(|_| setting(rng)).collect::<Vec<_>>();
        let grouped_rate = alarms(|rng| grouped(&settings(rng)), 600);
        let pooled_rate = alarms(
            |rng| {
                let (x, y): (Vec<_>, Vec<_>) = settings(rng).into_iter().unzip();
                correlation(&x.concat(), &y.concat())
            },
            200,
        );
        assert!((0.03..=0.07).contains(&grouped_rate), "{grouped_rate}");
        assert!(pooled_rate > 0.25, "the simulation could not tell: {pooled_rate}");
    }
}
