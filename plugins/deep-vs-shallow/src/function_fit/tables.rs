//! What is no time series.

use gradtop_sdk::prelude::*;

use super::training::Training;

/// The table of a function's predictions. One a function: a panel draws one table.
pub(super) fn predictions_of(function: &str) -> String {
    format!("predictions-{function}")
}

/// The table of a function's losses by learning rate.
pub(super) fn rates_of(function: &str) -> String {
    format!("rates-{function}")
}

/// Widths in the usual notation: `1-190-1`.
pub(super) fn shape(widths: &[i64]) -> String {
    widths.iter().map(ToString::to_string).collect::<Vec<_>>().join("-")
}

/// The networks: `models(model, widths, hidden_layers, parameters)`, the parameters counted from the tensors.
pub(super) fn models(ctx: &Ctx, training: &Training) -> Result<()> {
    let first = &training.fits[..training.setup().models.len()];
    let names: Vec<&str> = first.iter().map(|fit| fit.model.as_str()).collect();
    let widths: Vec<String> = first.iter().map(|fit| shape(fit.mlp.widths())).collect();
    let hidden: Vec<i64> = first.iter().map(|fit| fit.mlp.widths().len() as i64 - 2).collect();
    let counts: Vec<i64> = first.iter().map(|fit| fit.mlp.parameter_count()).collect();
    ctx.table(
        "models",
        training.step(),
        &[
            Column::utf8("model", &names),
            Column::utf8("widths", &widths),
            Column::i64("hidden_layers", hidden),
            Column::i64("parameters", counts),
        ],
    )
}

/// Every function's predictions at no more than `limit` points of the grid, evenly chosen, both ends included. Rows are
/// ordered by x, so that a line through them never runs back.
pub(super) fn predictions(ctx: &Ctx, training: &Training, limit: usize) -> Result<()> {
    let setup = training.setup();
    let points = setup.x.len();
    let count = limit.min(points);
    let chosen: Vec<usize> = (0..count).map(|i| i * (points - 1) / (count - 1)).collect();
    for (t, target) in setup.targets.iter().enumerate() {
        let fits: Vec<_> = training.fits.iter().filter(|fit| fit.target == t && fit.rate.is_none()).collect();
        let all: Vec<Vec<f32>> = fits.iter().map(|fit| fit.predict(training)).collect::<Result<_>>()?;
        let (mut x, mut truth, mut prediction, mut residual) = (vec![], vec![], vec![], vec![]);
        let (mut model, mut trial) = (vec![], vec![]);
        for &i in &chosen {
            for (fit, values) in fits.iter().zip(&all) {
                for r in 0..setup.trials as usize {
                    let value = f64::from(values[r * points + i]);
                    x.push(setup.x[i]);
                    truth.push(target.values[i]);
                    prediction.push(value);
                    residual.push(value - target.values[i]);
                    model.push(fit.model.as_str());
                    trial.push(r as i64);
                }
            }
        }
        ctx.table(
            &predictions_of(&target.name),
            training.step(),
            &[
                Column::utf8("function", &vec![target.name.as_str(); x.len()]),
                Column::utf8("model", &model),
                Column::i64("trial", trial),
                Column::f64("x", x),
                Column::f64("truth", truth),
                Column::f64("prediction", prediction),
                Column::f64("residual", residual),
            ],
        )?;
    }
    Ok(())
}
