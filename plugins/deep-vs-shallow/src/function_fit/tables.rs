//! The tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::settings::shape;

use super::training::Training;

/// Returns the name of the table of a function's predictions. One per function, because a panel draws one table.
pub(super) fn predictions_of(function: &str) -> String {
    format!("predictions-{function}")
}

/// Returns the name of the table of a function's losses by learning rate.
pub(super) fn rates_of(function: &str) -> String {
    format!("rates-{function}")
}

/// Writes the networks: `models(model, widths, hidden_layers, parameters)`, with parameters counted from the tensors.
pub(super) fn models(ctx: &Ctx, training: &Training) -> Result<()> {
    let rows = Rows::of(&training.fits[..training.setup().models.len()])
        .utf8("model", |fit| &fit.model)
        .utf8("widths", |fit| shape(fit.mlp.widths()))
        .i64("hidden_layers", |fit| fit.mlp.widths().len() as i64 - 2)
        .i64("parameters", |fit| fit.mlp.parameter_count());
    ctx.table("models", training.step(), &rows.columns())
}

/// Writes every function's predictions at no more than `limit` evenly spaced points of the grid, including both ends.
/// Rows are ordered by x, so that a line through them never runs back.
pub(super) fn predictions(ctx: &Ctx, training: &Training, limit: usize) -> Result<()> {
    let setup = training.setup();
    let points = setup.x.len();
    let count = limit.min(points);
    let chosen: Vec<usize> = (0..count).map(|i| i * (points - 1) / (count - 1)).collect();
    for (t, target) in setup.targets.iter().enumerate() {
        let fits: Vec<_> = training.fits.iter().filter(|fit| fit.target == t && fit.rate.is_none()).collect();
        let all: Vec<Vec<f32>> = fits.iter().map(|fit| fit.predict(training)).collect::<Result<_>>()?;
        let each = chosen.iter().flat_map(|i| fits.iter().zip(&all).map(move |fit| (*i, fit)));
        let predicted = each.flat_map(|(i, (fit, values))| {
            (0..setup.trials as usize).map(move |r| (i, fit, r, f64::from(values[r * points + i])))
        });
        let rows = Rows::of(predicted)
            .utf8("function", |_| &target.name)
            .utf8("model", |(_, fit, ..)| &fit.model)
            .i64("trial", |(_, _, r, _)| r as i64)
            .f64("x", |(i, ..)| setup.x[i])
            .f64("truth", |(i, ..)| target.values[i])
            .f64("prediction", |(.., value)| value)
            .f64("residual", |(i, .., value)| value - target.values[i]);
        ctx.table(&predictions_of(&target.name), training.step(), &rows.columns())?;
    }
    Ok(())
}
