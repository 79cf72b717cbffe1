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

/// Writes all of them.
pub(super) fn write(ctx: &Ctx, arm: &Analysis, step: i64) -> Result<()> {
    let name = |kind: &str| format!("{kind}-{}", arm.name);
    let all: Vec<&End> = arm.ends.iter().collect();
    points(ctx, &name("points"), arm, &all, step)?;
    for class in Class::ALL {
        let of: Vec<&End> = all.iter().copied().filter(|end| end.class == class).collect();
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
    let long = |lists: Vec<&[f64]>| -> (Vec<i64>, Vec<i64>, Vec<f64>) {
        let mut out = (Vec::new(), Vec::new(), Vec::new());
        for (run, values) in lists.into_iter().enumerate() {
            for (i, value) in values.iter().enumerate() {
                out.0.push(run as i64);
                out.1.push(i as i64);
                out.2.push(*value);
            }
        }
        out
    };
    let (run, index, value) = long(arm.ends.iter().map(|end| end.eigenvalues.as_slice()).collect());
    ctx.table(
        &name("eigenvalues"),
        step,
        &[Column::i64("trial", run), Column::i64("index", index), Column::f64("eigenvalue", value)],
    )?;
    let (run, index, value) = long(arm.weights.iter().map(Vec::as_slice).collect());
    ctx.table(
        &name("parameters"),
        step,
        &[Column::i64("trial", run), Column::i64("index", index), Column::f64("value", value)],
    )
}

/// How long a run was trained, in few words: its colour.
fn training(end: &End) -> String {
    match end.trained {
        n if end.whole => format!("all {n} steps"),
        n => format!("{} or more steps", 10_i64.pow(n.ilog10())),
    }
}

/// A class as part of a table's name.
pub(super) fn slug(class: Class) -> String {
    class.name().replace(' ', "-")
}

/// A row a run.
fn points(ctx: &Ctx, name: &str, arm: &Analysis, ends: &[&End], step: i64) -> Result<()> {
    let number = |of: &dyn Fn(&End) -> f64| ends.iter().map(|end| of(end)).collect::<Vec<f64>>();
    let whole = |of: &dyn Fn(&End) -> i64| ends.iter().map(|end| of(end)).collect::<Vec<i64>>();
    let class: Vec<&str> = ends.iter().map(|end| end.class.name()).collect();
    let training: Vec<String> = ends.iter().map(|end| training(end)).collect();
    let tolerance = arm.tolerance;
    let sampled: Vec<(String, Vec<f64>)> = BOXES
        .iter()
        .enumerate()
        .filter(|(i, _)| arm.ends.first().is_some_and(|end| *i < end.sampled.len()))
        .map(|(i, half)| (format!("sampled_{half:.0e}"), number(&|end| end.sampled[i])))
        .collect();
    let mut columns = vec![
        Column::i64("trial", whole(&|end| end.run as i64)),
        Column::i64("trained", whole(&|end| end.trained)).unit("steps"),
        Column::utf8("training", &training),
        Column::utf8("class", &class),
        Column::f64("loss", number(&|end| end.loss)).unit("MSE"),
        Column::f64("grad_norm", number(&|end| end.norm)),
        Column::f64("flatness", number(&|end| end.flatness)),
        Column::i64("n_positive", whole(&|end| end.split(tolerance).positive as i64)),
        Column::i64("n_zero", whole(&|end| end.split(tolerance).zero as i64)),
        Column::i64("n_negative", whole(&|end| end.split(tolerance).negative as i64)),
        Column::f64("signed_ratio", number(&|end| end.ratio(Ratio::Signed, tolerance))),
        Column::f64("positive_ratio", number(&|end| end.ratio(Ratio::Positive, tolerance))),
        Column::f64("not_negative_ratio", number(&|end| end.ratio(Ratio::NotNegative, tolerance))),
        Column::f64("positive_ratio_at_grad_norm", number(&|end| end.ratio(Ratio::Positive, COURSE))),
        Column::f64("positive_ratio_raw", number(&|end| end.ratio(Ratio::Positive, Tolerance::Raw))),
        Column::f64("lambda_max", number(&|end| end.eigenvalues.last().copied().unwrap_or(f64::NAN))),
        Column::f64("lambda_min", number(&|end| end.eigenvalues.first().copied().unwrap_or(f64::NAN))),
        Column::f64("trace", number(&|end| end.eigenvalues.iter().sum())),
    ];
    for (name, values) in &sampled {
        columns.push(Column::f64(name, values.as_slice()));
    }
    ctx.table(name, step, &columns)
}

/// Spearman's correlation of loss and ratio at each tolerance, with the ends of its interval as rows of their own.
fn correlations(ctx: &Ctx, name: &str, arm: &Analysis, of: Points, step: i64) -> Result<()> {
    let shares = SHARES.into_iter().map(Tolerance::Share);
    let tolerances: Vec<Tolerance> = std::iter::once(Tolerance::Raw).chain(shares).chain([COURSE]).collect();
    let (mut names, mut ratios, mut whats, mut values, mut pairs) = (vec![], vec![], vec![], vec![], vec![]);
    for ratio in Ratio::ALL {
        for &tolerance in &tolerances {
            let estimate = arm.correlation(of, ratio, tolerance);
            for (what, value) in
                [("estimate", estimate.value), ("low", estimate.low), ("high", estimate.high)]
            {
                names.push(tolerance.name());
                ratios.push(ratio.name());
                whats.push(what);
                values.push(value);
                pairs.push(estimate.pairs as i64);
            }
        }
    }
    ctx.table(
        name,
        step,
        &[
            Column::utf8("tolerance", &names),
            Column::utf8("ratio", &ratios),
            Column::utf8("what", &whats),
            Column::f64("spearman", values),
            Column::i64("pairs", pairs),
        ],
    )
}

/// The whole spectra of three critical points.
fn spectra(ctx: &Ctx, name: &str, arm: &Analysis, step: i64) -> Result<()> {
    let (mut points, mut index, mut values, mut shares) = (vec![], vec![], vec![], vec![]);
    for (what, end) in arm.three() {
        let scale = largest(&end.eigenvalues);
        for (i, value) in end.eigenvalues.iter().enumerate() {
            points.push(format!("{what} {:.2e}", end.loss));
            index.push(i as i64 + 1);
            values.push(*value);
            shares.push(value / scale);
        }
    }
    if points.is_empty() {
        return Ok(());
    }
    ctx.table(
        name,
        step,
        &[
            Column::utf8("point", &points),
            Column::i64("index", index),
            Column::f64("eigenvalue", values),
            Column::f64("share", shares),
        ],
    )
}

/// Exact and sampled ratios side by side.
fn sampled(ctx: &Ctx, name: &str, arm: &Analysis, step: i64) -> Result<()> {
    let (mut run, mut half, mut exact, mut share) = (vec![], vec![], vec![], vec![]);
    for end in arm.critical() {
        for (width, value) in BOXES.iter().zip(&end.sampled) {
            run.push(end.run as i64);
            half.push(format!("box ±{width:.0e}"));
            exact.push(end.ratio(Ratio::Signed, arm.tolerance));
            share.push(*value);
        }
    }
    if run.is_empty() {
        return Ok(());
    }
    ctx.table(
        name,
        step,
        &[
            Column::i64("trial", run),
            Column::utf8("box", &half),
            Column::f64("exact", exact),
            Column::f64("sampled", share),
        ],
    )
}

fn quantiles(ctx: &Ctx, name: &str, arm: &Analysis, step: i64) -> Result<()> {
    let columns: Vec<(&str, Vec<f64>)> = vec![
        ("loss", arm.ends.iter().map(|end| end.loss).collect()),
        ("grad_norm", arm.ends.iter().map(|end| end.norm).collect()),
        ("flatness", arm.ends.iter().map(|end| end.flatness).collect()),
        ("signed_ratio", arm.ends.iter().map(|end| end.ratio(Ratio::Signed, arm.tolerance)).collect()),
        ("positive_ratio", arm.ends.iter().map(|end| end.ratio(Ratio::Positive, arm.tolerance)).collect()),
        (
            "positive_ratio_raw",
            arm.ends.iter().map(|end| end.ratio(Ratio::Positive, Tolerance::Raw)).collect(),
        ),
    ];
    let names: Vec<&str> = QUANTILES.iter().map(|(name, _)| *name).collect();
    let mut table = vec![Column::utf8("quantile", &names)];
    for (name, values) in &columns {
        table.push(Column::f64(
            name,
            QUANTILES.iter().map(|(_, q)| quantile(values, *q)).collect::<Vec<f64>>(),
        ));
    }
    ctx.table(name, step, &table)
}
