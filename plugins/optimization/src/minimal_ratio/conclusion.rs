//! What the points say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::stats::{Estimate, quantile};

use super::MinimalRatio;
use super::analysis::{Analysis, BOXES, Class, EXACT, End, Ratio, SHARES, Tolerance};

/// Points named one by one in a sentence; the table has all.
const NAMED: usize = 6;

/// Writes one paragraph an arm to the log, and the numbers behind it to the table `conclusion`.
pub(super) fn write(ctx: &Ctx, params: &MinimalRatio, arms: &[Analysis], step: i64) -> Result<()> {
    let statements: Vec<String> = arms.iter().map(|arm| statement(params, arm)).collect();
    for statement in &statements {
        ctx.info(statement)?;
    }
    let text = |of: &dyn Fn(&Analysis) -> String| arms.iter().map(of).collect::<Vec<_>>();
    let whole = |of: &dyn Fn(&Analysis) -> i64| arms.iter().map(of).collect::<Vec<_>>();
    let headline: Vec<Estimate> =
        arms.iter().map(|arm| arm.correlation(Ratio::Signed, arm.tolerance)).collect();
    let course: Vec<Estimate> =
        arms.iter().map(|arm| arm.correlation(Ratio::Positive, Tolerance::GradientNorm)).collect();
    let part = |list: &[Estimate], of: fn(&Estimate) -> f64| list.iter().map(of).collect::<Vec<f64>>();
    ctx.table(
        "conclusion",
        step,
        &[
            Column::utf8("network", &text(&|arm| arm.network.clone())),
            Column::utf8("finder", &text(&|arm| arm.finder.name().to_owned())),
            Column::i64("parameters", whole(&|arm| arm.parameters)),
            Column::i64("runs", whole(&|arm| arm.ends.len() as i64)),
            Column::i64("critical", whole(&|arm| arm.critical().count() as i64)),
            Column::i64("mean_predictor", whole(&|arm| arm.count(Class::Mean) as i64)),
            Column::i64("gradient_flat", whole(&|arm| arm.count(Class::Flat) as i64)),
            Column::i64("neither", whole(&|arm| arm.count(Class::Neither) as i64)),
            Column::f64("spearman_signed", part(&headline, |e| e.value)),
            Column::f64("spearman_signed_low", part(&headline, |e| e.low)),
            Column::f64("spearman_signed_high", part(&headline, |e| e.high)),
            Column::f64("spearman_positive_at_grad_norm", part(&course, |e| e.value)),
            Column::f64("spearman_positive_at_grad_norm_low", part(&course, |e| e.low)),
            Column::f64("spearman_positive_at_grad_norm_high", part(&course, |e| e.high)),
            Column::utf8("statement", &statements),
        ],
    )
}

fn statement(params: &MinimalRatio, arm: &Analysis) -> String {
    let critical = arm.critical().count();
    let mut parts = vec![format!(
        "{} ({} parameters), {}: {critical} of {} runs end with a gradient norm below {:e}, {} of them as the mean predictor; \
         {} are gradient-flat, {} neither",
        arm.network,
        arm.parameters,
        arm.finder.name(),
        arm.ends.len(),
        params.critical,
        arm.count(Class::Mean),
        arm.count(Class::Flat),
        arm.count(Class::Neither)
    )];
    parts.push(exact(arm));
    let plateaus: Vec<String> =
        arm.plateaus().iter().map(|(loss, runs)| format!("{loss:.4e} ({runs} runs)")).collect();
    if !plateaus.is_empty() {
        parts.push(format!("Losses that several critical points share: {}", plateaus.join(", ")));
    }
    let headline = arm.correlation(Ratio::Signed, arm.tolerance);
    parts.push(format!(
        "Loss and n+/(n+ + n-) at a tolerance of {:e}: {}",
        params.tolerance,
        in_words(headline)
    ));
    let course = arm.correlation(Ratio::Positive, Tolerance::GradientNorm);
    parts.push(format!("Loss and n+/P with the gradient norm as tolerance: {}", in_words(course)));
    if critical >= 4 {
        parts.push(sweep(arm));
    }
    let raw: Vec<f64> =
        arm.ends.iter().map(|end| end.ratio(Ratio::Positive, Tolerance::Share(0.0))).collect();
    parts.push(format!(
        "Without any tolerance the share of positive eigenvalues lies in [{:.2}, {:.2}] over all runs",
        quantile(&raw, 0.0),
        quantile(&raw, 1.0)
    ));
    if let Some(text) = sampled(arm) {
        parts.push(text);
    }
    parts.join(". ") + "."
}

/// The points that are critical as exactly as can be told, apart from the mean predictor.
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
    format!("{below} have one below {EXACT:e}{listed}")
}

/// A coefficient, its interval, and what the interval allows to say.
fn in_words(estimate: Estimate) -> String {
    if estimate.value.is_nan() {
        return format!("no correlation can be computed of {} points", estimate.pairs);
    }
    let verdict = if estimate.high < 0.0 {
        "the lower the loss, the larger the ratio"
    } else if estimate.low > 0.0 {
        "the lower the loss, the smaller the ratio"
    } else {
        "no order can be told from zero"
    };
    format!(
        "Spearman {:.2} (95 % interval {:.2} to {:.2}, {} points): {verdict}",
        estimate.value, estimate.low, estimate.high, estimate.pairs
    )
}

/// Which ratios keep the sign of their correlation at every tolerance.
fn sweep(arm: &Analysis) -> String {
    let tolerances =
        || SHARES[1..].iter().map(|share| Tolerance::Share(*share)).chain([Tolerance::GradientNorm]);
    let words: Vec<String> = Ratio::ALL
        .into_iter()
        .map(|ratio| {
            let values: Vec<f64> = tolerances().map(|t| arm.correlation(ratio, t).value).collect();
            let (low, high) = (quantile(&values, 0.0), quantile(&values, 1.0));
            let verdict = if low < 0.0 && high > 0.0 {
                "changes its sign with the tolerance"
            } else {
                "keeps its sign at every tolerance"
            };
            format!("that of {} {verdict} ({low:.2} to {high:.2})", ratio.name())
        })
        .collect();
    format!("The correlation depends on the ratio and on what counts as zero: {}", words.join("; "))
}

fn sampled(arm: &Analysis) -> Option<String> {
    let medians: Vec<String> = BOXES
        .iter()
        .enumerate()
        .filter_map(|(i, half)| {
            let values: Vec<f64> = arm.critical().filter_map(|end| end.sampled.get(i).copied()).collect();
            (!values.is_empty()).then(|| format!("{:.2} in a box of ±{half:e}", quantile(&values, 0.5)))
        })
        .collect();
    (!medians.is_empty())
        .then(|| format!("Random displacements raise the loss with a median share of {}", medians.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_decides_what_is_said() {
        let estimate = |low, high| Estimate { value: f64::midpoint(low, high), low, high, pairs: 40 };
        let said = in_words(estimate(-0.9, -0.1));
        assert!(said.contains("Spearman -0.50") && said.contains("the lower the loss, the larger"), "{said}");
        assert!(in_words(estimate(0.1, 0.9)).contains("the lower the loss, the smaller"));
        assert!(in_words(estimate(-0.4, 0.1)).contains("no order"));
        let none = Estimate { value: f64::NAN, low: f64::NAN, high: f64::NAN, pairs: 2 };
        assert!(in_words(none).contains("no correlation can be computed of 2 points"));
    }
}
