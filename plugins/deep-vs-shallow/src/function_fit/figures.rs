//! The figures: loss, fit and residuals, a panel for each function.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};
use gradtop_toolkit::settings::shape;

use super::FunctionFit;
use super::tables::{predictions_of, rates_of};
use super::target::{Target, variance};
use super::training::Training;

/// Declares the run's figures; captions end with the claims once there are any.
pub(super) fn declare(
    params: &FunctionFit,
    training: &Training,
    seed: u64,
    said: &[(&'static str, Claim)],
) -> Vec<Figure> {
    let setup = training.setup();
    let models: Vec<String> = training.fits[..setup.models.len()]
        .iter()
        .map(|fit| {
            format!("{} {} ({} parameters)", fit.model, shape(fit.mlp.widths()), fit.mlp.parameter_count())
        })
        .collect();
    let settings = format!("tanh networks {}; {}.", models.join(", "), params.in_words(seed));
    let panels = |panel: fn(&Target) -> Panel| {
        let titled = move |target| panel(target).title(format!("{}: {}", target.name, target.formula));
        setup.targets.iter().map(titled)
    };
    let loss = Figure::new("loss", "Loss on the whole grid").caption(format!(
        "Mean squared error over all points with fixed weights at the common rate. \
         The level line is the function's variance: the loss of predicting its mean. {settings}{}",
        caption(said, &"loss")
    ));
    let fit = Figure::new("fit", "Predictions over the function").caption(format!(
        "The latest table of predictions: mean of the trials, band from lowest to highest. {settings}"
    ));
    let residuals = Figure::new("residuals", "Residuals").caption(format!(
        "Prediction minus function: mean of the trials, band from lowest to highest. {settings}"
    ));
    let mut figures = vec![
        loss.panels(panels(|target| {
            let line = Mark::line("loss").split(&target.name).by([By::Model]).mean().band();
            let baseline = variance(&target.values);
            let level = (baseline > 0.0).then(|| Mark::level(baseline).label("variance of the function"));
            Panel::new("step", Axis::log("MSE")).mark(line).marks(level)
        })),
        fit.panels(panels(|target| {
            let truth = Mark::line((predictions_of(&target.name), "x", "truth")).together().mean();
            Panel::new("x", "f(x)").mark(truth.label("truth")).marks(curves(target, "prediction"))
        })),
        residuals.panels(panels(|target| {
            Panel::new("x", "prediction - f(x)").mark(Mark::level(0.0)).marks(curves(target, "residual"))
        })),
    ];
    if !setup.rates.is_empty() {
        let rates = Figure::new("rates", "Loss by learning rate").caption(format!(
            "Mean squared error over all points after the last step at each learning rate, geometric mean of the trials. The claims compare each \
             trial at the rate where the other trials do best on points halfway between those trained on. {settings}{}",
            caption(said, &"rates")
        ));
        figures.push(rates.panels(panels(|target| {
            let line =
                Mark::line((rates_of(&target.name), "lr", "loss_geometric_mean")).by([By::Model]).mean();
            Panel::new(Axis::log("learning rate"), Axis::log("MSE")).mark(line)
        })));
    }
    figures
}

/// Returns a line per model for a column of the predictions, and the positions where the function jumps.
fn curves(target: &Target, column: &str) -> impl Iterator<Item = Mark> {
    let line = Mark::line((predictions_of(&target.name), "x", column)).by([By::Model]).mean().band();
    std::iter::once(line).chain(target.jumps.iter().map(|at| Mark::upright(*at).label("jump")))
}
