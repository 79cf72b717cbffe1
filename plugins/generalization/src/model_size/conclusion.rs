//! What the sizes show, in words computed from their numbers.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, FEW, FEWEST, Strength, significant};
use gradtop_toolkit::data::CLASSES;

use super::ModelSize;
use super::results::{AtRate, Model, Part, Results, noise_in_words};
use super::settings::{choosing, full_samples, swept};

/// How much lower than a peak the values on both sides must be for it to be one.
const PEAK: f64 = 1.1;

/// The trials of one size together.
#[derive(Clone, Debug, PartialEq)]
struct Size {
    width: i64,
    parameters: i64,
    train: [f64; 2],
    test: [f64; 2],
    trials: usize,
}

/// Sizes by their parameters, each the mean of its trials.
fn sizes(models: &[Model], noise: f64) -> Vec<Size> {
    let chosen: Vec<Model> = models.iter().filter(|m| m.noise == noise).copied().collect();
    let mean = |same: &[Model], of: fn(&Model) -> f64| same.iter().map(of).sum::<f64>() / same.len() as f64;
    chosen
        .chunk_by(|a, b| a.parameters == b.parameters)
        .map(|same| Size {
            width: same[0].width,
            parameters: same[0].parameters,
            train: [mean(same, |m| m.train[0]), mean(same, |m| m.train[1])],
            test: [mean(same, |m| m.test[0]), mean(same, |m| m.test[1])],
            trials: same.len(),
        })
        .collect()
}

impl AtRate {
    /// The network alone as its size.
    fn as_size(&self) -> Size {
        let Self { width, parameters, test, .. } = *self;
        Size { width, parameters, train: [f64::NAN; 2], test, trials: 1 }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The shape of a curve: where it falls to before it rises, where it rises to, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// It never rises by a tenth above what it had fallen to.
    Falls,
    /// It rises to its end.
    Rises { low: usize, high: usize },
    /// It rises, and falls again by at least a tenth.
    Peak { low: usize, high: usize },
}

/// The largest rise of a curve relative to the lowest value before it, and what follows.
fn shape(values: &[f64]) -> Shape {
    let mut best: Option<(usize, usize, f64)> = None;
    let mut low = 0;
    for (i, value) in values.iter().enumerate() {
        if *value < values[low] {
            low = i;
        }
        let rise = value / values[low];
        if rise >= PEAK && best.is_none_or(|(.., most)| rise > most) {
            best = Some((low, i, rise));
        }
    }
    match best {
        None => Shape::Falls,
        Some((low, high, _)) => {
            let after = values[high..].iter().copied().fold(f64::INFINITY, f64::min);
            if values[high] >= PEAK * after { Shape::Peak { low, high } } else { Shape::Rises { low, high } }
        }
    }
}

fn errors(sizes: &[Size]) -> Vec<f64> {
    sizes.iter().map(|size| size.test[0]).collect()
}

/// What a curve of test errors does, in words; `name` is what is counted, such as `h`.
fn in_words(sizes: &[Size], name: &str) -> String {
    let errors = errors(sizes);
    let at = |i: usize| format!("{} at {name} = {}", significant(errors[i], 3), sizes[i].width);
    let last = errors.len() - 1;
    match shape(&errors) {
        Shape::Falls => match lowest(&errors) {
            best if best == last => format!("test error has no peak: {}, lowest {}", at(0), at(last)),
            best => format!("test error has no peak: {}, lowest {}, {}", at(0), at(best), at(last)),
        },
        Shape::Rises { low: 0, high } => {
            format!("test error rises from {} to {} and does not fall again", at(0), at(high))
        }
        Shape::Rises { low, high } => {
            format!("test error falls to {}, then rises to {} and does not fall again", at(low), at(high))
        }
        Shape::Peak { low, high } => {
            let again = high + lowest(&errors[high..]);
            let deeper = if errors[again] < errors[low] {
                "below the first minimum"
            } else {
                "not as low as the first minimum"
            };
            let begins = if low == 0 { "begins at" } else { "falls to" };
            format!(
                "test error {begins} {}, rises to {} ({} times as high), and falls again to {}, {deeper}",
                at(low),
                at(high),
                significant(errors[high] / errors[low], 2),
                at(again)
            )
        }
    }
}

fn lowest(values: &[f64]) -> usize {
    (0..values.len()).min_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

/// Sizes that a shape of a curve needs.
const SHAPED: usize = 3;

/// One learning rate of all sizes.
const ONE_RATE: &str = "one learning rate and budget for all sizes: part of a difference may be theirs";

fn trials(sizes: &[Size]) -> usize {
    sizes.iter().map(|s| s.trials).min().unwrap_or(0)
}

/// A claim on these sizes: what few trials cannot say belongs to it.
fn seen(about: String, words: String, sizes: &[Size]) -> Claim {
    let claim = Claim::new(about, Strength::Seen, words).evidence(match trials(sizes) {
        1 => format!("{} sizes, 1 trial each", sizes.len()),
        n => format!("{} sizes, means of {n} trials", sizes.len()),
    });
    if trials(sizes) < FEWEST { claim.caution(FEW) } else { claim }
}

/// What too few sizes cannot show.
fn unshaped(about: String, sizes: &[Size], loss: &str) -> Claim {
    let points: Vec<String> = sizes
        .iter()
        .map(|s| format!("{} at {} parameters", significant(s.test[0], 3), s.parameters))
        .collect();
    Claim::new(about, Strength::Untestable, "whether the test error has a peak")
        .evidence(format!("{loss} {}", points.join(", ")))
        .caution(format!("a peak needs {SHAPED} sizes"))
}

/// Part A.
fn of_full(sizes: &[Size], samples: i64) -> Vec<Claim> {
    let (Some(first), Some(last)) = (sizes.first(), sizes.last()) else { return Vec::new() };
    let about = |what: &str| format!("A, {samples} images, {what}");
    let highest = |of: fn(&Size) -> f64| sizes.iter().max_by(|a, b| of(a).total_cmp(&of(b))).unwrap_or(last);
    let best = highest(|s| s.test[1]);
    if sizes.len() == 1 {
        let words = format!(
            "one size of {} parameters has a test accuracy of {}",
            last.parameters,
            percent(last.test[1])
        );
        let found = seen(about("one size"), words, sizes);
        return vec![found.evidence(format!(
            "test loss {:.3}, training accuracy {}",
            last.test[0],
            percent(last.train[1])
        ))];
    }
    // Between sizes, a drop within the noise of the trials is none.
    let falls = sizes.windows(2).filter(|pair| pair[1].test[1] < pair[0].test[1] - 0.005).count();
    let trend = match falls {
        0 => "grows with the size or stays, at every step".to_owned(),
        n => format!("falls by more than half a point at {n} of {} steps", sizes.len() - 1),
    };
    let threshold = samples * CLASSES;
    let beyond = sizes.iter().filter(|s| s.parameters >= threshold).count();
    let lowest_loss = sizes.iter().min_by(|a, b| a.test[0].total_cmp(&b.test[0])).unwrap_or(last);
    let over = if last.test[0] > 1.1 * lowest_loss.test[0] {
        "at this rate the test loss is higher at the largest size than at a smaller one"
    } else if lowest_loss == last {
        "the test loss is lowest at the largest size"
    } else {
        "the test loss at the largest size is within a tenth of the lowest"
    };
    vec![
        seen(about("accuracy"), format!("test accuracy {trend}"), sizes)
            .evidence(format!(
                "{} to {} parameters, from {} to {}, highest {} at {}",
                first.parameters,
                last.parameters,
                percent(first.test[1]),
                percent(last.test[1]),
                percent(best.test[1]),
                best.parameters
            ))
            .caution(ONE_RATE),
        seen(about("over-fitting"), over.to_owned(), sizes)
            .evidence(format!(
                "test loss lowest, {:.3}, at {} parameters, {:.3} at the largest",
                lowest_loss.test[0], lowest_loss.parameters, last.test[0]
            ))
            .evidence(format!(
                "training accuracy above test by {:.1} points at the smallest and {:.1} at the largest",
                100.0 * (first.train[1] - first.test[1]),
                100.0 * (last.train[1] - last.test[1])
            ))
            .caution(format!(
                "of {} sizes, {beyond} {} as many parameters as labels times classes ({threshold}); what larger ones do is not seen",
                sizes.len(),
                if beyond == 1 { "has" } else { "have" }
            ))
            .caution(ONE_RATE),
    ]
}

/// Each size at the common rate and at its own best one, by its parameters, and the rates tried.
struct Swept {
    pairs: Vec<(AtRate, AtRate)>,
    tried: Vec<f64>,
}

impl Swept {
    /// Of networks by size, in each the one at the common rate first.
    fn of(rates: &[AtRate]) -> Self {
        let widths: Vec<&[AtRate]> = rates.chunk_by(|a, b| a.width == b.width).collect();
        Self {
            pairs: widths.iter().map(|same| (same[0], own(same))).collect(),
            tried: widths.first().map(|same| same.iter().map(|rate| rate.lr).collect()).unwrap_or_default(),
        }
    }

    /// The rates that were best.
    fn chosen(&self) -> String {
        let each: Vec<String> =
            self.pairs.iter().map(|(_, own)| format!("{} at {}", own.lr, own.parameters)).collect();
        format!("of {} rates tried, the best by size: {} parameters", self.tried.len(), each.join(", "))
    }

    /// How many are at an end of the rates tried; empty: none.
    fn at_ends(&self) -> String {
        let tried = || self.tried.iter().copied();
        let ends = [tried().fold(f64::INFINITY, f64::min), tried().fold(0.0, f64::max)];
        match self.pairs.iter().filter(|(_, own)| ends.contains(&own.lr)).count() {
            0 => String::new(),
            n => format!("{n} of {} sizes are best at an end of the rates tried", self.pairs.len()),
        }
    }
}

/// The networks of part A at several rates: whether sizes differ in another way once each has its own.
fn of_rates(rates: &[AtRate], [learnt, choosing]: [i64; 2]) -> Option<Claim> {
    let swept = Swept::of(rates);
    let pairs = &swept.pairs;
    let (first, last) = (pairs.first()?, pairs.last()?);
    let falls = |of: fn(&(AtRate, AtRate)) -> AtRate| {
        pairs.windows(2).filter(|pair| of(&pair[1]).test[1] < of(&pair[0]).test[1] - 0.005).count()
    };
    let trend = match (falls(|pair| pair.0), falls(|pair| pair.1)) {
        (0, 0) => "at the common rate as at its own best, the test accuracy grows with the size or stays",
        (_, 0) => {
            "at each size's own best rate the test accuracy grows with the size or stays, at the common one not"
        }
        (0, _) => {
            "at the common rate the test accuracy grows with the size or stays, at each size's own best one not"
        }
        _ => "at neither the common rate nor each size's own best does the test accuracy grow at every step",
    };
    let excess = |of: fn(&(AtRate, AtRate)) -> AtRate| {
        let lowest = pairs.iter().map(|pair| of(pair).test[0]).fold(f64::INFINITY, f64::min);
        significant(of(last).test[0] / lowest, 3)
    };
    let gain = |pair: &(AtRate, AtRate)| pair.1.test[1] - pair.0.test[1];
    let most = pairs.iter().max_by(|a, b| gain(a).total_cmp(&gain(b)))?;
    let claim = Claim::new("A, learning rates", Strength::Seen, trend)
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
        .caution(format!(
            "one network of each size and rate on {learnt} images; {choosing} others chose the rate, the test set chose nothing"
        ));
    Some(claim.caution(swept.at_ends()))
}

/// The networks of part B with one kind of labels at several rates: whether the curve has another shape once each size has its own.
fn of_subset_rates(rates: &[AtRate], [learnt, choosing]: [i64; 2]) -> Option<Claim> {
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
        format!("at the common rate as at each size's own best one, the test error {}", does(&own))
    } else {
        format!(
            "the test error {} at the common rate and {} at each size's own best one",
            does(&common),
            does(&own)
        )
    };
    let about = format!("B, {learnt} images, {}, learning rates", noise_in_words(noise));
    Some(
        Claim::new(about, Strength::Seen, words)
            .evidence(swept.chosen())
            .evidence(format!("common rate: {}", in_words(&common, "h")))
            .evidence(format!("own rates: {}", in_words(&own, "h")))
            .caution(format!(
                "one network of each size and rate; {choosing} other images with true labels chose the rate, the test set chose nothing"
            ))
            .caution(swept.at_ends())
            .caution("one budget for all sizes and rates"),
    )
}

/// Of one width, the rate with the lowest loss on the images that choose; the common one if no loss is finite.
fn own(same: &[AtRate]) -> AtRate {
    let usable = same.iter().filter(|rate| rate.validation[0].is_finite());
    *usable.min_by(|a, b| a.validation[0].total_cmp(&b.validation[0])).unwrap_or(&same[0])
}

/// Part B with one kind of labels.
fn of_subset(sizes: &[Size], samples: i64, noise: f64) -> Vec<Claim> {
    let (Some(first), Some(last)) = (sizes.first(), sizes.last()) else { return Vec::new() };
    let about = format!("B, {samples} images, {}", noise_in_words(noise));
    if sizes.len() < SHAPED {
        return vec![unshaped(about, sizes, "test error")];
    }
    // From a size on: all larger ones too.
    let short = sizes.iter().rposition(|s| s.train[1] < 0.99).map_or(0, |i| i + 1);
    let fitted = sizes.get(short).map_or("no size has 99 % of the training labels right".to_owned(), |s| {
        format!("99 % of the training labels are right from h = {} on ({} parameters)", s.width, s.parameters)
    });
    let at = |size: &Size| format!("{} at h = {}", percent(size.test[1]), size.width);
    vec![
        seen(about, in_words(sizes, "h"), sizes)
            .evidence(format!("test accuracy {}, {}", at(first), at(last)))
            .evidence(fitted)
            .caution(ONE_RATE)
            .caution("between and beyond these sizes a peak would not be seen"),
    ]
}

/// Part C with one kind of labels.
fn of_features(sizes: &[Size], samples: i64, noise: f64) -> Vec<Claim> {
    let Some(last) = sizes.last() else { return Vec::new() };
    let about = format!("C, {samples} images, {}, random features", noise_in_words(noise));
    if sizes.len() < SHAPED {
        return vec![unshaped(about, sizes, "test error")];
    }
    let peak = sizes.iter().max_by(|a, b| a.test[0].total_cmp(&b.test[0])).unwrap_or(last);
    let near = (peak.width - samples).abs() as f64 <= 0.05 * samples as f64;
    let place = if near {
        "where features and images are equally many"
    } else {
        "elsewhere than at as many features as images"
    };
    let interpolating = sizes.iter().filter(|s| s.width >= samples);
    let worst = interpolating.map(|s| s.train[0]).fold(f64::NEG_INFINITY, f64::max);
    let fits = if worst.is_finite() {
        format!("from N = {samples} on the training error is at most {}", significant(worst, 2))
    } else {
        String::new()
    };
    vec![
        seen(about, format!("the highest test error lies at N = {}, {place}", peak.width), sizes)
            .evidence(in_words(sizes, "N"))
            .evidence(format!(
                "test accuracy {} there, {} at N = {}",
                percent(peak.test[1]),
                percent(last.test[1]),
                last.width
            ))
            .evidence(fits)
            .caution(
                "how high the peak is at N equal to the images is a matter of chance: a condition number",
            ),
    ]
}

/// Writes what the run found to the log and the table `conclusion`, and gives each claim with its part.
pub(super) fn write(
    ctx: &Ctx,
    params: &ModelSize,
    results: &Results,
    step: i64,
) -> Result<Vec<(Part, Claim)>> {
    let mut said: Vec<(Part, Claim)> = Vec::new();
    let mut say = |part: Part, claims: Vec<Claim>| said.extend(claims.into_iter().map(|claim| (part, claim)));
    say(Part::Full, of_full(&sizes(&results.of(Part::Full), 0.0), full_samples(params)));
    say(Part::Rates, of_rates(&results.at_rates(Part::Rates), swept(params)).into_iter().collect());
    for noise in [0.0, params.noise] {
        let found = sizes(&results.of(Part::Subset), noise);
        say(Part::Subset, of_subset(&found, params.subset_samples, noise));
    }
    for same in results.at_rates(Part::SubsetRates).chunk_by(|a, b| a.noise == b.noise) {
        let claim = of_subset_rates(same, [params.subset_samples, choosing(params)]);
        say(Part::SubsetRates, claim.into_iter().collect());
    }
    for noise in [0.0, params.noise] {
        let found = sizes(&results.of(Part::Features), noise);
        say(Part::Features, of_features(&found, params.feature_samples, noise));
    }
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let letters: Vec<&str> = said.iter().map(|(part, _)| part.letter()).collect();
    let keys = vec![Column::utf8("part", &letters)];
    conclusion::write(ctx, step, said, 0, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: i64, train: f64, error: f64, accuracy: f64) -> Size {
        Size { width, parameters: 10 * width, train: [0.0, train], test: [error, accuracy], trials: 3 }
    }

    #[test]
    fn shapes_of_curves() {
        assert_eq!(shape(&[5.0, 3.0, 2.0, 2.1]), Shape::Falls);
        assert_eq!(shape(&[5.0, 2.0, 3.0, 4.0]), Shape::Rises { low: 1, high: 3 });
        assert_eq!(shape(&[5.0, 2.0, 40.0, 4.0, 1.0]), Shape::Peak { low: 1, high: 2 });
        assert_eq!(shape(&[1.0]), Shape::Falls);
    }

    fn said(claims: &[Claim]) -> String {
        claims.iter().map(Claim::whole).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn statements_follow_the_numbers() {
        let hump = [
            size(3, 0.8, 0.76, 0.7),
            size(38, 0.95, 0.30, 0.85),
            size(250, 1.0, 0.46, 0.84),
            size(800, 1.0, 0.38, 0.86),
        ];
        let text = said(&of_subset(&hump, 4000, 0.2));
        for part in [
            "test error falls to 0.300 at h = 38, rises to 0.460 at h = 250 (1.5 times as high)",
            "falls again to 0.380 at h = 800, not as low as the first minimum (seen in this run)",
            "right from h = 250 on (2500 parameters)",
            "4 sizes, means of 3 trials",
            "fewer than 5 trials: no order can be claimed",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let smooth = [size(3, 0.6, 0.68, 0.57), size(38, 0.9, 0.3, 0.9), size(800, 0.98, 0.13, 0.96)];
        let text = said(&of_subset(&smooth, 4000, 0.0));
        assert!(
            text.contains("no peak: 0.680 at h = 3, lowest 0.130 at h = 800 (")
                && text.contains("no size has 99 %"),
            "{text}"
        );

        let rising = [size(3, 0.995, 0.3, 0.7), size(38, 0.9, 0.4, 0.6), size(250, 1.0, 0.5, 0.5)];
        let text = said(&of_subset(&rising, 4000, 0.0));
        assert!(text.contains("rises from 0.300 at h = 3 to 0.500 at h = 250 and does not"), "{text}");
        assert!(text.contains("right from h = 250 on"), "{text}");
        // One or two sizes have no shape.
        for text in [said(&of_subset(&rising[..2], 4000, 0.0)), said(&of_features(&rising[..1], 4000, 0.0))] {
            assert!(text.contains("whether the test error has a peak (not testable)"), "{text}");
            assert!(text.contains("0.300 at 30 parameters") && !text.contains("no peak"), "{text}");
        }

        let exact = [size(200, 0.9, 0.5, 0.77), size(1000, 1.0, 227.0, 0.15), size(5000, 1.0, 0.33, 0.88)];
        let text = said(&of_features(&exact, 1000, 0.0));
        for part in [
            "at N = 1000, where features and images are equally many",
            "15.0 % there, 88.0 % at N = 5000",
            "below the first minimum",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let early = [size(200, 0.9, 5.0, 0.77), size(500, 1.0, 2.5, 0.3), size(1000, 1.0, 2.0, 0.15)];
        assert!(said(&of_features(&early, 1000, 0.0)).contains("elsewhere than at as many"));
    }

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
            "at neither the common rate nor each size's own best",
            "of 3 rates tried, the best by size: 0.003 at 40, 0.001 at 80 parameters",
            "80.0 % to 79.0 % at the common rate, 85.0 % to 79.0 % at own rates; the largest gain is 5.0 points, at 40",
            "is 1.00 times the lowest of all sizes at the common rate, 1.00 times at own rates",
            "1 of 2 sizes are best at an end",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(of_rates(&[], [1, 1]).is_none());
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
            "at the common rate as at each size's own best one, the test error has no peak (seen in this run)",
            "of 2 rates tried, the best by size: 0.001 at 30, 0.0003 at 380, 0.001 at 8000 parameters",
            "common rate: test error has no peak: 0.700 at h = 3, lowest 0.200 at h = 800",
            "own rates: test error has no peak: 0.700 at h = 3, lowest 0.200 at h = 800",
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
                "the test error has a peak at the common rate and has no peak at each size's own"
            ),
            "{text}"
        );
        assert!(said(&rates[..4]).is_none(), "two sizes have no shape");
    }

    #[test]
    fn many_images_are_judged_by_trend_and_gap() {
        let grown =
            [size(81, 0.23, 1.9, 0.23), size(6000, 0.99, 0.08, 0.975), size(93_700, 1.0, 0.081, 0.98)];
        let text = said(&of_full(&grown, 60_000));
        for part in [
            "grows with the size or stays, at every step",
            "from 23.0 % to 98.0 %",
            "within a tenth of the lowest",
            "lowest, 0.080, at 60000 parameters, 0.081 at the largest",
            "1 has as many parameters",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(said(&of_full(&grown[..2], 60_000)).contains("the test loss is lowest at the largest size"));
        let one = said(&of_full(&grown[..1], 60_000));
        assert!(one.contains("one size of 810 parameters") && !one.contains("over-fit"), "{one}");
        let over = [size(81, 0.5, 0.5, 0.9), size(6000, 1.0, 0.9, 0.8)];
        let text = said(&of_full(&over, 60_000));
        assert!(
            text.contains("falls by more than half a point at 1 of 1")
                && text.contains("higher at the largest size than at a smaller one"),
            "{text}"
        );
    }
}
