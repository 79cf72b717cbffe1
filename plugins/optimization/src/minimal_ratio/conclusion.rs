//! Draws conclusions from the points.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, rank, significant};
use gradtop_toolkit::stats::{Estimate, median, quantile};

use super::MinimalRatio;
use super::analysis::{Analysis, BOXES, COURSE, Class, EXACT, End, Points, Ratio, SHARES, Tolerance};
use super::figures::id;

/// Maximum number of points listed in a sentence; the table has all.
const NAMED: usize = 6;

/// A claim, the figure it is based on, and its coefficient, if any.
struct Said {
    figure: &'static str,
    claim: Claim,
    coefficient: Option<Estimate>,
}

/// Writes the claims about each arm to the log and the table `conclusion`, and returns each with its figure.
pub(super) fn write(
    ctx: &Ctx,
    params: &MinimalRatio,
    arms: &[Analysis],
    step: i64,
) -> Result<Vec<(String, Claim)>> {
    let said: Vec<(&Analysis, Said)> =
        arms.iter().flat_map(|arm| claims(params, arm).into_iter().map(move |said| (arm, said))).collect();
    let number = |said: &Said, of: fn(&Estimate) -> f64| said.coefficient.as_ref().map_or(f64::NAN, of);
    let keys = Rows::of(&said)
        .utf8("network", |(arm, _)| &arm.network)
        .utf8("finder", |(arm, _)| arm.finder.name())
        .i64("parameters", |(arm, _)| arm.parameters)
        .i64("runs", |(arm, _)| arm.ends.len() as i64)
        .i64("critical", |(arm, _)| arm.critical().count() as i64)
        .i64("mean_predictor", |(arm, _)| arm.count(Class::Mean) as i64)
        .i64("gradient_flat", |(arm, _)| arm.count(Class::Flat) as i64)
        .i64("neither", |(arm, _)| arm.count(Class::Neither) as i64)
        .f64("spearman", |(_, said)| number(said, |e| e.value))
        .f64("spearman_low", |(_, said)| number(said, |e| e.low))
        .f64("spearman_high", |(_, said)| number(said, |e| e.high))
        .columns();
    let claims = said.iter().map(|(arm, said)| (id(said.figure, arm), said.claim.clone())).collect();
    conclusion::write(ctx, step, claims, 0, keys)
}

fn claims(params: &MinimalRatio, arm: &Analysis) -> Vec<Said> {
    let about = |what: &str| {
        format!("{} ({} parameters), {}, {what}", arm.network, arm.parameters, arm.finder.name())
    };
    let plain = |figure| move |claim| Said { figure, claim, coefficient: None };
    let mut said = vec![plain("convergence")(found(params, arm, about("what was found")))];
    let headline = (Ratio::Signed, arm.tolerance);
    for (ratio, tolerance) in [headline, (Ratio::Positive, COURSE)] {
        let name = format!("{} with {} as zero", ratio.name(), tolerance_in_words(tolerance));
        let estimate = arm.correlation(Points::Trained, ratio, tolerance);
        let mut claim = order(
            about(&format!("loss and {name}, trained to the end")),
            estimate,
            arm.chance(Points::Trained, ratio, tolerance),
        );
        if arm.trains_to_mean() {
            let without = arm.correlation(Points::WithoutMean, ratio, tolerance);
            claim = claim
                .evidence(format!("without the mean predictor {}", coefficient(without)))
                .caution("the mean predictor counts once, however many runs end there");
        }
        if estimate.value.is_finite() {
            claim = turning(claim, arm, ratio, tolerance);
        }
        claim = claim
            .caution("points with a small gradient are near-critical valleys, not proven critical points");
        if tolerance == COURSE {
            claim = claim.caution(
                "where the gradient is smaller, fewer eigenvalues count as zero: part of this order is that of gradient norms",
            );
        }
        said.push(Said { figure: "ratio", claim, coefficient: Some(estimate) });
    }
    let (ratio, tolerance) = headline;
    let [all, given] = [arm.correlation(Points::All, ratio, tolerance), arm.given_steps(ratio, tolerance)];
    let stopped = arm.critical().filter(|end| !end.whole).count();
    let claim = Claim::seen(
        about("stopped early or not"),
        format!("over all critical points loss and {} have {}", ratio.name(), coefficient(all)),
    )
    .evidence(format!("given the steps of training, {}", coefficient(given)))
    .caution(format!(
        "{stopped} of {} critical points are of runs stopped early on purpose, so this {} an order of training time",
        arm.critical().count(),
        by_training(all.value, given.value)
    ))
    .caution("points of one kind, such as the mean predictor, are counted as often as they occur");
    said.push(Said { figure: "ratio", claim, coefficient: Some(all) });
    said.extend(sweep(arm, about("tolerances, trained to the end")).map(plain("tolerance")));
    let raw: Vec<f64> = arm.ends.iter().map(|end| end.ratio(Ratio::Positive, Tolerance::Raw)).collect();
    let words = format!(
        "without any tolerance the share of positive eigenvalues is between {:.2} and {:.2}",
        quantile(&raw, 0.0),
        quantile(&raw, 1.0)
    );
    said.push(plain("tolerance")(
        Claim::seen(about("no tolerance"), words)
            .evidence(format!("{} runs", raw.len()))
            .caution("most of these signs come from rounding errors and differ between libraries"),
    ));
    said.extend(sampled(arm, about("random displacements")).map(plain("sampled")));
    said
}

/// Says how far a coefficient is one of training time, by what is left of it given the steps of training.
fn by_training(all: f64, given: f64) -> &'static str {
    if given.abs() < 0.5 * all.abs() { "is mostly" } else { "may partly be" }
}

/// Returns the claim how the searches ended, with the points that are critical up to rounding.
fn found(params: &MinimalRatio, arm: &Analysis, about: String) -> Claim {
    let words = format!(
        "{} of {} runs end with a gradient norm below {:e}, {} of them as the mean predictor; {} are gradient-flat, {} neither",
        arm.critical().count(),
        arm.ends.len(),
        params.critical,
        arm.count(Class::Mean),
        arm.count(Class::Flat),
        arm.count(Class::Neither)
    );
    let plateaus: Vec<String> =
        arm.plateaus().iter().map(|(loss, runs)| format!("{loss:.4e} ({runs} runs)")).collect();
    let shared = if plateaus.is_empty() {
        String::new()
    } else {
        format!("losses that several critical points share: {}", plateaus.join(", "))
    };
    Claim::shown(about, words).evidence(exact(arm)).evidence(shared)
}

/// Describes the points that are critical up to rounding, except the mean predictor.
fn exact(arm: &Analysis) -> String {
    let below = arm.ends.iter().filter(|end| end.norm < EXACT).count();
    let others: Vec<&End> =
        arm.ends.iter().filter(|end| end.norm < EXACT && end.class == Class::Critical).collect();
    let named: Vec<String> = others
        .iter()
        .take(NAMED)
        .map(|end| format!("run {} (loss {:.3e}, gradient norm {:.0e})", end.run, end.loss, end.norm))
        .collect();
    let listed = match others.len() {
        0 if below == 0 => String::new(),
        0 => ", all of them the mean predictor".to_owned(),
        n if n > NAMED => {
            format!(
                ", {n} of them not the mean predictor: {} and more in the table exact-points",
                named.join(", ")
            )
        }
        n => format!(", {n} of them not the mean predictor: {}", named.join(", ")),
    };
    format!("gradient norms below {EXACT:e}: {below}{listed}")
}

fn tolerance_in_words(tolerance: Tolerance) -> String {
    match tolerance {
        Tolerance::Raw => "nothing".to_owned(),
        Tolerance::Share(share) => format!("up to {} of the largest eigenvalue", significant(share, 1)),
        COURSE => "up to the gradient norm".to_owned(),
        Tolerance::GradientNorm(norms) => format!("up to {} times the gradient norm", significant(norms, 1)),
    }
}

fn coefficient(estimate: Estimate) -> String {
    if estimate.value.is_nan() {
        return format!("no coefficient of {} points", estimate.pairs);
    }
    let [value, low, high] = [estimate.value, estimate.low, estimate.high].map(rank);
    format!("Spearman {value} (95 % interval {low} to {high}, {} points)", estimate.pairs)
}

/// Returns the claim that a coefficient supports.
fn order(about: String, estimate: Estimate, p: Option<f64>) -> Claim {
    let Some(p) = p else {
        let words = format!("no correlation can be computed of {} points", estimate.pairs);
        return Claim::untestable(about, words);
    };
    let way = if estimate.value < 0.0 { "larger" } else { "smaller" };
    Claim::tested(
        about,
        Some(p),
        format!("the lower the loss, the {way} the ratio"),
        "no order of loss and ratio can be told from chance",
    )
    .evidence(coefficient(estimate))
}

/// Adds how far the tolerance may change before the claimed sign reverses, with and without the mean predictor if that is
/// among the points.
fn turning(claim: Claim, arm: &Analysis, ratio: Ratio, tolerance: Tolerance) -> Claim {
    let [with, without] = [Points::Trained, Points::WithoutMean].map(|of| {
        let turns = arm.turns(of, ratio, tolerance).into_iter().flatten();
        let other: Vec<String> = turns.map(tolerance_in_words).collect();
        match &other[..] {
            [] => "no other tolerance turns the sign".to_owned(),
            other => format!("the sign turns with {} as zero", other.join(", and with ")),
        }
    });
    if !arm.trains_to_mean() {
        claim.caution(with)
    } else if with == without {
        claim.caution(format!("{with}, with the mean predictor or without"))
    } else {
        claim.caution(format!("{with}; without the mean predictor {without}"))
    }
}

/// Returns the claim which ratios keep the sign of their correlation at every tolerance, with and without the mean predictor if
/// that is among the points.
fn sweep(arm: &Analysis, about: String) -> Option<Claim> {
    let tolerances = || SHARES.iter().map(|share| Tolerance::Share(*share)).chain([COURSE]);
    let words: Vec<String> = Ratio::ALL
        .iter()
        .filter_map(|&ratio| {
            let values: Vec<f64> = [Points::Trained, Points::WithoutMean]
                .into_iter()
                .flat_map(|of| tolerances().map(move |t| arm.correlation(of, ratio, t).value))
                .filter(|value| value.is_finite())
                .collect();
            let (low, high) = (quantile(&values, 0.0), quantile(&values, 1.0));
            let verdict = if low < 0.0 && high > 0.0 { "changes its sign" } else { "keeps its sign" };
            (!values.is_empty()).then(|| {
                format!("the coefficient of {} {verdict} ({} to {})", ratio.name(), rank(low), rank(high))
            })
        })
        .collect();
    (!words.is_empty()).then(|| {
        Claim::seen(
            about,
            format!(
                "over the tolerances{}, {}",
                if arm.trains_to_mean() { ", with and without the mean predictor" } else { "" },
                words.join("; ")
            ),
        )
        .evidence(format!("{} points trained to the end", arm.points(Points::Trained).count()))
        .caution("a coefficient that keeps its sign may still be indistinguishable from zero: the figure shows the intervals")
    })
}

fn sampled(arm: &Analysis, about: String) -> Option<Claim> {
    let medians: Vec<String> = BOXES
        .iter()
        .enumerate()
        .filter_map(|(i, half)| {
            let values: Vec<f64> = arm.critical().filter_map(|end| end.sampled.get(i).copied()).collect();
            (!values.is_empty()).then(|| format!("{:.2} in a box of ±{half:e}", median(&values)))
        })
        .collect();
    (!medians.is_empty()).then(|| {
        let words =
            format!("random displacements raise the loss with a median share of {}", medians.join(", "));
        Claim::seen(about, words)
            .evidence(format!("{} critical points", arm.critical().count()))
            .caution("this weighs the box against gradient and trace, and is no estimate of the exact ratio")
    })
}

#[cfg(test)]
mod tests {
    use super::super::search::Finder;
    use super::*;

    /// Large eigenvalues order six points one way, small ones the other.
    #[test]
    fn a_claim_carries_the_tolerance_that_turns_it() {
        let end = |i: usize| {
            let small = std::iter::repeat_n(9e-5, 4 * i * i);
            let eigenvalues: Vec<f64> = std::iter::repeat_n(-0.1, i).chain(small).chain([1.0]).collect();
            End {
                run: i,
                trained: 10,
                whole: true,
                loss: i as f64,
                norm: 1e-5,
                flatness: 0.0,
                class: Class::Critical,
                eigenvalues,
                sampled: Vec::new(),
            }
        };
        let mut arm = Analysis {
            name: "x".into(),
            network: "x".into(),
            finder: Finder::LevenbergMarquardt,
            parameters: 0,
            points: 0,
            variance: 1.0,
            tolerance: Tolerance::Share(1e-6),
            ends: (1..=6).map(end).collect(),
            weights: Vec::new(),
        };
        let said =
            |arm: &Analysis, ratio, tolerance| turning(Claim::seen("x", "x"), arm, ratio, tolerance).whole();
        let text = said(&arm, Ratio::Signed, Tolerance::Share(1e-6));
        assert!(
            text.ends_with("Caution: the sign turns with up to 1e-4 of the largest eigenvalue as zero."),
            "none of the points is the mean predictor: {text}"
        );
        let text = said(&arm, Ratio::Signed, COURSE);
        assert!(text.contains("the sign turns with up to 10 times the gradient norm as zero"), "{text}");
        let text = said(&arm, Ratio::NotNegative, COURSE);
        assert!(text.ends_with("Caution: no other tolerance turns the sign."), "{text}");
        arm.ends.push(End { class: Class::Mean, ..end(7) });
        let text = said(&arm, Ratio::Signed, Tolerance::Share(1e-6));
        assert!(text.contains("the mean predictor"), "{text}");
    }

    #[test]
    fn an_order_is_of_training_time_only_if_the_steps_explain_it() {
        let said =
            [(-0.87, -0.36), (-0.94, -0.77), (-0.9, f64::NAN)].map(|(all, given)| by_training(all, given));
        assert_eq!(said, ["is mostly", "may partly be", "may partly be"]);
    }

    #[test]
    fn the_test_decides_what_is_said() {
        let said = |value: f64, p| {
            let estimate = Estimate { value, low: value - 0.3, high: value + 0.3, pairs: 40 };
            let mut claims = [order("x".into(), estimate, p)];
            conclusion::settle(&mut claims, 0);
            claims[0].whole()
        };
        let text = said(-0.5, Some(0.001));
        assert!(
            text.starts_with(
                "the lower the loss, the larger the ratio (shown). Evidence: Spearman -0.50 (95 %"
            ),
            "{text}"
        );
        assert!(said(0.5, Some(0.001)).contains("the lower the loss, the smaller"));
        assert!(said(-0.2, Some(0.2)).contains("no order of loss and ratio can be told from chance"));
        let none = Estimate { value: f64::NAN, low: f64::NAN, high: f64::NAN, pairs: 2 };
        assert!(
            order("x".into(), none, None)
                .whole()
                .contains("no correlation can be computed of 2 points (not testable)")
        );
    }
}
