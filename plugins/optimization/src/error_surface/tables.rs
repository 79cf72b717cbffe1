//! The tables of the stage that has just ended.

use gradtop_sdk::prelude::*;

use super::survey::{StageKind, Survey};

/// Returns `random-mnist`, the name of a surface's table.
pub(super) fn name(kind: StageKind, task: &str) -> String {
    format!("{}-{task}", kind.name())
}

/// Returns `slices-x-random-mnist`, the name of the table of a surface's slice along one axis.
pub(super) fn slices(kind: StageKind, task: &str, axis: &str) -> String {
    format!("slices-{axis}-{}", name(kind, task))
}

pub(super) fn write(ctx: &Ctx, survey: &Survey<'_>) -> Result<()> {
    let (kind, task) = (survey.kind(), survey.task().name);
    let (values, tested) = survey.values();
    let Some(axes) = survey.axes() else {
        if kind != StageKind::Line {
            return Ok(());
        }
        let losses = [("train", values), ("test", tested)].into_iter();
        let line = survey.line();
        let points = losses.flat_map(|(split, losses)| line.iter().zip(losses).map(move |at| (split, at)));
        let rows = Rows::of(points)
            .f64("alpha", |(_, (alpha, _))| *alpha)
            .f64("loss", |(_, (_, loss))| *loss)
            .utf8("split", |(split, _)| split);
        return ctx.table(&name(kind, task), survey.step(), &rows.columns());
    };
    let places = axes.y.iter().flat_map(|y| axes.x.iter().map(move |x| (*x, *y)));
    let rows = Rows::of(places).f64("x", |(x, _)| x).f64("y", |(_, y)| y);
    ctx.table(&name(kind, task), survey.step(), &rows.column(Column::f64("loss", values)).columns())?;
    let rows = Rows::of([0, 1])
        .utf8("axis", |i| ["x", "y"][i])
        .f64("curvature_product", |i| axes.curvature[i].product)
        .f64("curvature_difference", |i| axes.curvature[i].difference)
        .f64("explained", |i| axes.explained[i])
        .f64("eigenvalue", |i| axes.eigenvalues[i][0])
        .f64("eigenvalue_bound", |i| axes.eigenvalues[i][1]);
    ctx.table(&format!("axes-{}", name(kind, task)), survey.step(), &rows.columns())?;
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
    let rows = Rows::of(axes.path.iter().enumerate())
        .i64("snapshot", |(i, _)| i as i64)
        .f64("x", |(_, place)| place[0])
        .f64("y", |(_, place)| place[1]);
    ctx.table(&format!("snapshots-{task}"), survey.step(), &rows.columns())
}
