//! The tables of one arm.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::spectrum::largest;
use gradtop_toolkit::stats::quantile;

use super::analysis::{Analysis, BOXES, COURSE, Class, EXACT, End, Points, Ratio, SHARES, Tolerance};

const QUANTILES: [(&str, f64); 7] = [
    ("lowest", 0.0),
    ("5 %", 0.05),
    ("25 %", 0.25),
    ("50 %", 0.5),
    ("75 %", 0.75),
    ("95 %", 0.95),
    ("highest", 1.0),
];

pub(super) fn write(ctx: &Ctx, arm: &Analysis, step: i64) -> Result<()> {
    let name = |kind: &str| format!("{kind}-{}", arm.name);
    let all: Vec<&End> = arm.ends.iter().collect();
    points(ctx, &name("points"), arm, &all, step)?;
    for &class in Class::ALL {
        let mut of: Vec<&End> = all.iter().copied().filter(|end| end.class == class).collect();
        // A legend names times of training in the table's order.
        of.sort_by_key(|end| end.trained);
        if !of.is_empty() {
            points(ctx, &format!("{}-{}", name("points"), slug(class)), arm, &of, step)?;
        }
    }
    let exact: Vec<&End> =
        all.iter().copied().filter(|end| end.norm < EXACT && end.class == Class::Critical).collect();
    if !exact.is_empty() {
        points(ctx, &name("exact-points"), arm, &exact, step)?;
    }
    correlations(ctx, &name("correlations"), arm, Points::All, step)?;
    correlations(ctx, &name("correlations-trained"), arm, Points::Trained, step)?;
    spectra(ctx, &name("spectra"), arm, step)?;
    sampled(ctx, &name("sampled"), arm, step)?;
    quantiles(ctx, &name("quantiles"), arm, step)?;
    let eigenvalues: Vec<&[f64]> = arm.ends.iter().map(|end| end.eigenvalues.as_slice()).collect();
    let weights: Vec<&[f64]> = arm.weights.iter().map(Vec::as_slice).collect();
    for (table, what, lists) in [("eigenvalues", "eigenvalue", eigenvalues), ("parameters", "value", weights)]
    {
        let values = lists.into_iter().enumerate();
        let values = values.flat_map(|(run, list)| list.iter().enumerate().map(move |value| (run, value)));
        let rows = Rows::of(values)
            .i64("trial", |(run, _)| run as i64)
            .i64("index", |(_, (i, _))| i as i64)
            .f64(what, |(_, (_, value))| *value);
        ctx.table(&name(table), step, &rows.columns())?;
    }
    Ok(())
}

/// Describes briefly how many of all training steps a run made, which determines its colour.
fn training(steps: i64, most: i64) -> String {
    if steps >= most {
        return format!("all {most} steps");
    }
    let decade = 10_i64.pow(steps.max(1).ilog10());
    format!("{decade} to {} steps", (10 * decade - 1).min(most - 1))
}

/// Returns a class as part of a table's name.
pub(super) fn slug(class: Class) -> String {
    class.name().replace(' ', "-")
}

/// Writes one row per run.
fn points(ctx: &Ctx, name: &str, arm: &Analysis, ends: &[&End], step: i64) -> Result<()> {
    let tolerance = arm.tolerance;
    let most = arm.ends.iter().map(|end| end.trained).max().unwrap_or(0);
    let sampled = BOXES.map(|half| format!("sampled_{half:.0e}"));
    let mut rows = Rows::of(ends.iter().copied())
        .i64("trial", |end| end.run as i64)
        .i64("trained", |end| end.trained)
        .unit("steps")
        .utf8("training", |end| training(end.trained, most))
        .utf8("class", |end| end.class.name())
        .f64("loss", |end| end.loss)
        .unit("MSE")
        .f64("grad_norm", |end| end.norm)
        .f64("flatness", |end| end.flatness)
        .i64("n_positive", |end| end.split(tolerance).positive as i64)
        .i64("n_zero", |end| end.split(tolerance).zero as i64)
        .i64("n_negative", |end| end.split(tolerance).negative as i64)
        .f64("signed_ratio", |end| end.ratio(Ratio::Signed, tolerance))
        .f64("positive_ratio", |end| end.ratio(Ratio::Positive, tolerance))
        .f64("not_negative_ratio", |end| end.ratio(Ratio::NotNegative, tolerance))
        .f64("positive_ratio_at_grad_norm", |end| end.ratio(Ratio::Positive, COURSE))
        .f64("positive_ratio_raw", |end| end.ratio(Ratio::Positive, Tolerance::Raw))
        .f64("lambda_max", |end| end.eigenvalues.last().copied().unwrap_or(f64::NAN))
        .f64("lambda_min", |end| end.eigenvalues.first().copied().unwrap_or(f64::NAN))
        .f64("trace", |end| end.eigenvalues.iter().sum());
    let boxes = arm.ends.first().map_or(0, |end| end.sampled.len());
    for (i, name) in sampled.iter().enumerate().take(boxes) {
        rows = rows.f64(name, |end| end.sampled[i]);
    }
    ctx.table(name, step, &rows.columns())
}

/// Writes Spearman's correlation of loss and ratio at each tolerance, with the ends of its interval as separate rows.
fn correlations(ctx: &Ctx, name: &str, arm: &Analysis, of: Points, step: i64) -> Result<()> {
    let shares = SHARES.into_iter().map(Tolerance::Share);
    let tolerances: Vec<Tolerance> = std::iter::once(Tolerance::Raw).chain(shares).chain([COURSE]).collect();
    let each = Ratio::ALL.iter().flat_map(|ratio| tolerances.iter().map(move |at| (*ratio, *at)));
    let ends = each.flat_map(|(ratio, tolerance)| {
        let found = arm.correlation(of, ratio, tolerance);
        let ends = [("estimate", found.value), ("low", found.low), ("high", found.high)];
        ends.map(|(what, value)| (tolerance, ratio, what, value, found.pairs))
    });
    let rows = Rows::of(ends)
        .utf8("tolerance", |(tolerance, ..)| tolerance.name())
        .utf8("ratio", |(_, ratio, ..)| ratio.name())
        .utf8("what", |(_, _, what, ..)| what)
        .f64("spearman", |(.., value, _)| value)
        .i64("pairs", |(.., pairs)| pairs as i64);
    ctx.table(name, step, &rows.columns())
}

/// Writes the complete spectra of three critical points.
fn spectra(ctx: &Ctx, name: &str, arm: &Analysis, step: i64) -> Result<()> {
    let three = arm.three();
    let values = three.iter().flat_map(|(what, end)| {
        let scale = largest(&end.eigenvalues);
        (1..).zip(&end.eigenvalues).map(move |(i, value)| (what, end.loss, i, *value, scale))
    });
    let rows = Rows::of(values)
        .utf8("point", |(what, loss, ..)| format!("{what} {loss:.2e}"))
        .i64("index", |(_, _, i, ..)| i)
        .f64("eigenvalue", |(.., value, _)| value)
        .f64("share", |(.., value, scale)| value / scale);
    if rows.is_empty() { Ok(()) } else { ctx.table(name, step, &rows.columns()) }
}

/// Writes exact and sampled ratios side by side.
fn sampled(ctx: &Ctx, name: &str, arm: &Analysis, step: i64) -> Result<()> {
    let shares = arm.critical().flat_map(|end| BOXES.iter().zip(&end.sampled).map(move |at| (end, at)));
    let rows = Rows::of(shares)
        .i64("trial", |(end, _)| end.run as i64)
        .utf8("box", |(_, (width, _))| format!("box ±{width:.0e}"))
        .f64("exact", |(end, _)| end.ratio(Ratio::Signed, arm.tolerance))
        .f64("sampled", |(_, (_, share))| *share);
    if rows.is_empty() { Ok(()) } else { ctx.table(name, step, &rows.columns()) }
}

fn quantiles(ctx: &Ctx, name: &str, arm: &Analysis, step: i64) -> Result<()> {
    let of = |number: &dyn Fn(&End) -> f64| {
        let values: Vec<f64> = arm.ends.iter().map(number).collect();
        move |(_, q): (&str, f64)| quantile(&values, q)
    };
    let rows = Rows::of(QUANTILES)
        .utf8("quantile", |(name, _)| name)
        .f64("loss", of(&|end| end.loss))
        .f64("grad_norm", of(&|end| end.norm))
        .f64("flatness", of(&|end| end.flatness))
        .f64("signed_ratio", of(&|end| end.ratio(Ratio::Signed, arm.tolerance)))
        .f64("positive_ratio", of(&|end| end.ratio(Ratio::Positive, arm.tolerance)))
        .f64("positive_ratio_raw", of(&|end| end.ratio(Ratio::Positive, Tolerance::Raw)));
    ctx.table(name, step, &rows.columns())
}

#[cfg(test)]
mod tests {
    use super::training;

    #[test]
    fn times_of_training_do_not_overlap() {
        let words = [7, 100, 999, 1000, 1999, 2000].map(|steps| training(steps, 2000));
        assert_eq!(
            words,
            ["1 to 9", "100 to 999", "100 to 999", "1000 to 1999", "1000 to 1999", "all 2000"]
                .map(|of| format!("{of} steps"))
        );
    }
}
