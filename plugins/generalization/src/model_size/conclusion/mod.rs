//! Draws conclusions about the sizes.

mod curve;
mod rates;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, FEWEST, counted, significant};
use gradtop_toolkit::data::CLASSES;
use gradtop_toolkit::rates::shared;

use super::ModelSize;
use super::results::{Part, Results, noise_in_words};
use super::settings::{choosing, full_samples};
use curve::{RISE, SHAPED, Size, in_words, sizes};
use rates::{of_rates, of_subset_rates};

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The caution that all sizes share a learning rate.
const ONE_RATE: &str = "one learning rate and budget for all sizes: part of a difference may come from them";

fn trials(sizes: &[Size]) -> usize {
    sizes.iter().map(|s| s.trials).min().unwrap_or(0)
}

/// Creates a claim about these sizes, with the caution of few trials if necessary.
fn seen(about: String, words: String, sizes: &[Size]) -> Claim {
    let claim = Claim::seen(about, words).evidence(match trials(sizes) {
        1 => format!("{}, 1 trial each", counted(sizes.len() as i64, "size")),
        n => format!("{}, means of {n} trials", counted(sizes.len() as i64, "size")),
    });
    if trials(sizes) < FEWEST { claim.few() } else { claim }
}

/// Creates the claim for too few sizes.
fn unshaped(about: String, sizes: &[Size], loss: &str) -> Claim {
    let points: Vec<String> = sizes
        .iter()
        .map(|s| format!("{} at {} parameters", significant(s.test[0], 3), s.parameters))
        .collect();
    Claim::untestable(about, "whether the squared test error has a peak")
        .evidence(format!("{loss} {}", points.join(", ")))
        .caution(format!("a peak needs {SHAPED} sizes"))
}

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
    // A drop between sizes within the noise of the trials does not count.
    let falls = sizes.windows(2).filter(|pair| pair[1].test[1] < pair[0].test[1] - 0.005).count();
    let trend = match falls {
        0 => "never falls by more than half a point from one size to the next".to_owned(),
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
                "training minus test accuracy: {:.1} points at the smallest size, {:.1} at the largest",
                100.0 * (first.train[1] - first.test[1]),
                100.0 * (last.train[1] - last.test[1])
            ))
            .caution(format!(
                "of {} sizes, {beyond} {} at least as many parameters as labels times classes ({threshold}); nothing is known of larger ones",
                sizes.len(),
                if beyond == 1 { "has" } else { "have" }
            ))
            .caution(ONE_RATE),
    ]
}

/// Returns the claims of part B with one kind of labels.
fn of_subset(sizes: &[Size], samples: i64, noise: f64) -> Vec<Claim> {
    let (Some(first), Some(last)) = (sizes.first(), sizes.last()) else { return Vec::new() };
    let about = format!("B, {samples} images, {}", noise_in_words(noise));
    if sizes.len() < SHAPED {
        return vec![unshaped(about, sizes, "squared test error")];
    }
    // From this size on, including all larger ones.
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
            .caution(RISE)
            .caution("between and beyond these sizes a peak would not be seen"),
    ]
}

/// Returns the claims of part C with one kind of labels.
fn of_features(sizes: &[Size], samples: i64, noise: f64) -> Vec<Claim> {
    let Some(last) = sizes.last() else { return Vec::new() };
    let about = format!("C, {samples} images, {}, random features", noise_in_words(noise));
    if sizes.len() < SHAPED {
        return vec![unshaped(about, sizes, "squared test error")];
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
        seen(about, format!("the highest squared test error lies at N = {}, {place}", peak.width), sizes)
            .evidence(in_words(sizes, "N"))
            .evidence(format!(
                "test accuracy {} there, {} at N = {}",
                percent(peak.test[1]),
                percent(last.test[1]),
                last.width
            ))
            .evidence(fits)
            .caution(RISE)
            .caution(
                "how high the peak is at N equal to the images is a matter of chance: a condition number",
            ),
    ]
}

/// Writes the claims to the log and the table `conclusion`, and returns each with its part.
pub(super) fn write(
    ctx: &Ctx,
    params: &ModelSize,
    results: &Results,
    step: i64,
) -> Result<Vec<(Part, Claim)>> {
    let mut said: Vec<(Part, Claim)> = Vec::new();
    let mut say = |part: Part, claims: Vec<Claim>| said.extend(claims.into_iter().map(|claim| (part, claim)));
    say(Part::Full, of_full(&sizes(&results.of(Part::Full), 0.0), full_samples(params)));
    say(
        Part::Rates,
        of_rates(&results.at_rates(Part::Rates), shared(full_samples(params))).into_iter().collect(),
    );
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
    let keys = Rows::of(&said).utf8("part", |(part, _)| part.letter()).columns();
    conclusion::write(ctx, step, said, 0, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: i64, train: f64, error: f64, accuracy: f64) -> Size {
        Size { width, parameters: 10 * width, train: [0.0, train], test: [error, accuracy], trials: 3 }
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
            "squared test error falls to 0.300 at h = 38, rises to 0.460 at h = 250 (1.5 times as high)",
            "falls again to 0.380 at h = 800, not as low as the first minimum (seen in this run)",
            "right from h = 250 on (2500 parameters)",
            "4 sizes, means of 3 trials",
            "fewer than 5 trials: others may differ",
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
            assert!(text.contains("whether the squared test error has a peak (not testable)"), "{text}");
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
    fn many_images_are_judged_by_trend_and_gap() {
        let grown =
            [size(81, 0.23, 1.9, 0.23), size(6000, 0.99, 0.08, 0.975), size(93_700, 1.0, 0.081, 0.98)];
        let text = said(&of_full(&grown, 60_000));
        for part in [
            "never falls by more than half a point from one size to the next",
            "from 23.0 % to 98.0 %",
            "within a tenth of the lowest",
            "lowest, 0.080, at 60000 parameters, 0.081 at the largest",
            "1 has at least as many parameters",
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
