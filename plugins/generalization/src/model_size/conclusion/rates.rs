//! Whether the comparison of sizes changes once each has its own learning rate.

use gradtop_toolkit::conclusion::{Claim, significant};
use gradtop_toolkit::rates::{is_end, own};

use super::super::results::{AtRate, noise_in_words};
use super::curve::{RISE, SHAPED, Shape, Size, errors, in_words, shape};
use super::percent;

impl AtRate {
    /// Returns a network as the only trial of its size.
    fn as_size(&self) -> Size {
        let Self { width, parameters, test, .. } = *self;
        Size { width, parameters, train: [f64::NAN; 2], test, trials: 1 }
    }
}

/// Each size at the common rate and at its own best one, by number of parameters, with the rates tried.
struct Swept {
    pairs: Vec<(AtRate, AtRate)>,
    tried: Vec<f64>,
}

impl Swept {
    /// Groups networks by size, in each the one at the common rate first.
    fn of(rates: &[AtRate]) -> Self {
        let widths: Vec<&[AtRate]> = rates.chunk_by(|a, b| a.width == b.width).collect();
        Self {
            pairs: widths
                .iter()
                .map(|same| (same[0], *own(same, |at| at.validation[0]).unwrap_or(&same[0])))
                .collect(),
            tried: widths.first().map(|same| same.iter().map(|rate| rate.lr).collect()).unwrap_or_default(),
        }
    }

    /// Describes the best rates.
    fn chosen(&self) -> String {
        let each: Vec<String> =
            self.pairs.iter().map(|(_, own)| format!("{} at {}", own.lr, own.parameters)).collect();
        format!("of {} rates tried, the best by size: {} parameters", self.tried.len(), each.join(", "))
    }

    /// Describes how many best rates are at an end of those tried; empty for none.
    fn at_ends(&self) -> String {
        match self.pairs.iter().filter(|(_, own)| is_end(own.lr, self.tried.iter().copied())).count() {
            0 => String::new(),
            n => format!("{n} of {} sizes are best at an end of the rates tried", self.pairs.len()),
        }
    }
}

/// Returns the claim about part A: whether the comparison of sizes changes once each has its own rate.
pub(super) fn of_rates(rates: &[AtRate], [learnt, choosing]: [i64; 2]) -> Option<Claim> {
    let swept = Swept::of(rates);
    let pairs = &swept.pairs;
    let [first, .., last] = &pairs[..] else { return None };
    let falls = |of: fn(&(AtRate, AtRate)) -> AtRate| {
        pairs.windows(2).filter(|pair| of(&pair[1]).test[1] < of(&pair[0]).test[1] - 0.005).count()
    };
    let trend = match (falls(|pair| pair.0), falls(|pair| pair.1)) {
        (0, 0) => {
            "at the common rate as at each size's own best one, no larger size has a lower test accuracy"
        }
        (_, 0) => {
            "at each size's own best rate no larger size has a lower test accuracy, at the common one some have"
        }
        (0, _) => {
            "at the common rate no larger size has a lower test accuracy, at each size's own best one some have"
        }
        _ => {
            "at the common rate as at each size's own best one, some larger sizes have a lower test accuracy"
        }
    };
    let excess = |of: fn(&(AtRate, AtRate)) -> AtRate| {
        let lowest = pairs.iter().map(|pair| of(pair).test[0]).fold(f64::INFINITY, f64::min);
        significant(of(last).test[0] / lowest, 3)
    };
    let gain = |pair: &(AtRate, AtRate)| pair.1.test[1] - pair.0.test[1];
    let most = pairs.iter().max_by(|a, b| gain(a).total_cmp(&gain(b)))?;
    let claim = Claim::seen("A, learning rates", trend)
        .evidence(swept.chosen())
        .evidence(format!(
            "test accuracy {} to {} at the common rate, {} to {} at own rates; the largest gain is {:.1} points, at {} parameters",
            percent(first.0.test[1]),
            percent(last.0.test[1]),
            percent(first.1.test[1]),
            percent(last.1.test[1]),
            100.0 * gain(most),
            most.0.parameters
        ))
        .evidence(format!(
            "the test loss at the largest size is {} times the lowest of all sizes at the common rate, {} times at own rates",
            excess(|pair| pair.0),
            excess(|pair| pair.1)
        ))
        .caution("a size is compared with the next smaller one, and up to half a point lower does not count")
        .caution(format!(
            "one network of each size and rate on {learnt} images; {choosing} others chose the rate, the test set chose nothing"
        ));
    Some(claim.caution(swept.at_ends()))
}

/// Returns the claim about part B with one kind of labels: whether the curve has another shape once each size has its own rate.
pub(super) fn of_subset_rates(rates: &[AtRate], [learnt, choosing]: [i64; 2]) -> Option<Claim> {
    let swept = Swept::of(rates);
    let noise = rates.first().filter(|_| swept.pairs.len() >= SHAPED)?.noise;
    let curve = |of: fn(&(AtRate, AtRate)) -> AtRate| -> Vec<Size> {
        swept.pairs.iter().map(|pair| of(pair).as_size()).collect()
    };
    let (common, own) = (curve(|pair| pair.0), curve(|pair| pair.1));
    let does = |sizes: &[Size]| match shape(&errors(sizes)) {
        Shape::Falls => "has no peak",
        Shape::Rises { .. } => "rises to the largest size",
        Shape::Peak { .. } => "has a peak",
    };
    let words = if does(&common) == does(&own) {
        format!("at the common rate as at each size's own best one, the squared test error {}", does(&own))
    } else {
        format!(
            "the squared test error {} at the common rate and {} at each size's own best one",
            does(&common),
            does(&own)
        )
    };
    let about = format!("B, {learnt} images, {}, learning rates", noise_in_words(noise));
    Some(
        Claim::seen(about, words)
            .evidence(swept.chosen())
            .evidence(format!("common rate: {}", in_words(&common, "h")))
            .evidence(format!("own rates: {}", in_words(&own, "h")))
            .caution(format!(
                "one network of each size and rate; {choosing} other images with true labels chose the rate, the test set chose nothing"
            ))
            .caution(swept.at_ends())
            .caution(RISE)
            .caution("one budget for all sizes and rates"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::results::Part;
    use super::*;

    #[test]
    fn each_size_has_its_own_rate() {
        let at = |width: i64, lr: f64, loss: f64, accuracy: f64| AtRate {
            part: Part::Rates,
            noise: 0.0,
            width,
            parameters: 10 * width,
            lr,
            validation: [loss, 0.9],
            test: [9.0, accuracy],
        };
        let rates = [
            at(4, 1e-3, 0.5, 0.80),
            at(4, 3e-4, f64::NAN, 0.99),
            at(4, 3e-3, 0.4, 0.85),
            at(8, 1e-3, 0.3, 0.79),
            at(8, 3e-4, 0.31, 0.99),
            at(8, 3e-3, 0.6, 0.5),
        ];
        let text = of_rates(&rates, [20_000, 5000]).map(|claim| claim.whole()).unwrap_or_default();
        for part in [
            "at the common rate as at each size's own best one, some larger sizes",
            "of 3 rates tried, the best by size: 0.003 at 40, 0.001 at 80 parameters",
            "80.0 % to 79.0 % at the common rate, 85.0 % to 79.0 % at own rates; the largest gain is 5.0 points, at 40",
            "is 1.00 times the lowest of all sizes at the common rate, 1.00 times at own rates",
            "1 of 2 sizes are best at an end",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(of_rates(&rates[..3], [1, 1]).is_none(), "one size is compared with none");
    }

    #[test]
    fn a_peak_may_be_the_rates() {
        let at = |width: i64, lr: f64, validation: f64, test: f64| AtRate {
            part: Part::SubsetRates,
            noise: 0.2,
            width,
            parameters: 10 * width,
            lr,
            validation: [validation, 0.9],
            test: [test, 0.9],
        };
        let rates = [
            at(3, 1e-3, 0.7, 0.7),
            at(3, 3e-4, 0.8, 0.1),
            at(38, 1e-3, 0.6, 0.5),
            at(38, 3e-4, 0.3, 0.3),
            at(800, 1e-3, 0.2, 0.2),
            at(800, 3e-4, 0.3, 0.1),
        ];
        let said = |rates: &[AtRate]| of_subset_rates(rates, [4000, 5000]).map(|claim| claim.whole());
        let text = said(&rates).unwrap_or_default();
        for part in [
            "at the common rate as at each size's own best one, the squared test error has no peak (seen in this run)",
            "of 2 rates tried, the best by size: 0.001 at 30, 0.0003 at 380, 0.001 at 8000 parameters",
            "common rate: squared test error has no peak: 0.700 at h = 3, lowest 0.200 at h = 800",
            "own rates: squared test error has no peak: 0.700 at h = 3, lowest 0.200 at h = 800",
            "5000 other images with true labels chose the rate",
            "3 of 3 sizes are best at an end",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let mut peaked = rates;
        peaked[0].test[0] = 0.4;
        let text = said(&peaked).unwrap_or_default();
        assert!(
            text.starts_with(
                "the squared test error has a peak at the common rate and has no peak at each size's own"
            ),
            "{text}"
        );
        assert!(said(&rates[..4]).is_none(), "two sizes have no shape");
    }
}
