//! The tables of the stage that has just ended.

use gradtop_sdk::prelude::*;

use super::survey::{StageKind, Survey};

/// `random-mnist`: the table of a surface.
pub(super) fn name(kind: StageKind, task: &str) -> String {
    format!("{}-{task}", kind.name())
}

/// `slices-x-random-mnist`: the table of a surface's slice along one axis.
pub(super) fn slices(kind: StageKind, task: &str, axis: &str) -> String {
    format!("slices-{axis}-{}", name(kind, task))
}

/// Writes them.
pub(super) fn write(ctx: &Ctx, survey: &Survey<'_>) -> Result<()> {
    let (kind, task) = (survey.kind(), survey.task().name);
    let (values, tested) = survey.values();
    let Some(axes) = survey.axes() else {
        if kind != StageKind::Line {
            return Ok(());
        }
        let (mut alpha, mut loss, mut split) = (Vec::new(), Vec::new(), Vec::new());
        for (what, losses) in [("train", values), ("test", tested)] {
            for (at, value) in survey.line().iter().zip(losses) {
                alpha.push(*at);
                loss.push(*value);
                split.push(what);
            }
        }
        return ctx.table(
            &name(kind, task),
            survey.step(),
            &[Column::f64("alpha", alpha), Column::f64("loss", loss), Column::utf8("split", &split)],
        );
    };
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for &b in &axes.y {
        for &a in &axes.x {
            x.push(a);
            y.push(b);
        }
    }
    ctx.table(
        &name(kind, task),
        survey.step(),
        &[Column::f64("x", x), Column::f64("y", y), Column::f64("loss", values)],
    )?;
    let both = |of: &dyn Fn(usize) -> f64| vec![of(0), of(1)];
    ctx.table(
        &format!("axes-{}", name(kind, task)),
        survey.step(),
        &[
            Column::utf8("axis", &["x", "y"]),
            Column::f64("curvature_product", both(&|i| axes.curvature[i].product)),
            Column::f64("curvature_difference", both(&|i| axes.curvature[i].difference)),
            Column::f64("explained", both(&|i| axes.explained[i])),
            Column::f64("eigenvalue", both(&|i| axes.eigenvalues[i].0)),
            Column::f64("eigenvalue_bound", both(&|i| axes.eigenvalues[i].1)),
        ],
    )?;
    // The middle column and the middle row: slices through the network itself.
    let zero = |axis: &[f64]| axis.iter().position(|v| *v == 0.0).unwrap_or_default();
    let (column, row, across) = (zero(&axes.x), zero(&axes.y), axes.x.len());
    let centre = values[row * across + column];
    for (i, (axis, places)) in [("x", &axes.x), ("y", &axes.y)].into_iter().enumerate() {
        let length = axes.length(i)?;
        let loss: Vec<f64> = (0..places.len())
            .map(|k| if i == 0 { values[row * across + k] } else { values[k * across + column] })
            .collect();
        let quadratic =
            places.iter().map(|at| centre + 0.5 * axes.curvature[i].product * (at * length).powi(2));
        let curves = [vec!["loss"; places.len()], vec!["Hessian alone"; places.len()]].concat();
        ctx.table(
            &slices(kind, task, axis),
            survey.step(),
            &[
                Column::utf8("curve", &curves),
                Column::f64("position", [places.as_slice(), places].concat()),
                Column::f64("value", loss.into_iter().chain(quadratic).collect::<Vec<f64>>()),
            ],
        )?;
    }
    if axes.path.is_empty() {
        return Ok(());
    }
    let place = |i: usize| axes.path.iter().map(|p| p[i]).collect::<Vec<f64>>();
    ctx.table(
        &format!("snapshots-{task}"),
        survey.step(),
        &[
            Column::i64("snapshot", (0..axes.path.len() as i64).collect::<Vec<_>>()),
            Column::f64("x", place(0)),
            Column::f64("y", place(1)),
        ],
    )
}
