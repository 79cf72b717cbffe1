//! The figures, as TOML: loss, fit and residuals, a panel for each function.

use super::FunctionFit;
use super::tables::{predictions_of, shape};
use super::target::{Target, variance};
use super::training::Training;
use crate::figure_text::{self as text, figure, mark, quoted};

/// The run's figures.
pub(super) fn declare(params: &FunctionFit, training: &Training, seed: u64) -> String {
    let setup = training.setup();
    let models: Vec<String> = training.fits[..setup.models.len()]
        .iter()
        .map(|fit| {
            format!("{} {} ({} parameters)", fit.model, shape(fit.mlp.widths()), fit.mlp.parameter_count())
        })
        .collect();
    let settings = format!("tanh networks {}; {}.", models.join(", "), params.in_words(seed));
    let mut toml = String::new();

    figure(
        &mut toml,
        "loss",
        "Loss on the whole grid",
        &format!(
            "Mean squared error over all points with fixed weights: mean of the trials, band from lowest to highest. \
         The level line is the function's variance: the loss of predicting its mean. {settings}"
        ),
    );
    for target in &setup.targets {
        panel(&mut toml, target, "{ label = \"step\" }", "{ label = \"MSE\", scale = \"log\" }");
        mark(
            &mut toml,
            &format!(
                "type = \"line\"\nmetric = \"loss\"\nsplit = {}\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\"",
                quoted(&target.name)
            ),
        );
        let baseline = variance(&target.values);
        if baseline > 0.0 {
            mark(
                &mut toml,
                &format!("type = \"rule\"\ny = {baseline:e}\nlabel = \"variance of the function\""),
            );
        }
    }

    figure(
        &mut toml,
        "fit",
        "Predictions over the function",
        &format!(
            "The latest table of predictions: mean of the trials, band from lowest to highest. {settings}"
        ),
    );
    for target in &setup.targets {
        panel(&mut toml, target, "{ label = \"x\" }", "{ label = \"f(x)\" }");
        mark(
            &mut toml,
            &format!(
                "type = \"line\"\ntable = {}\nxcol = \"x\"\nycol = \"truth\"\nby = []\naggregate = \"mean\"\nlabel = \"truth\"",
                quoted(&predictions_of(&target.name))
            ),
        );
        curves(&mut toml, target, "prediction");
    }

    figure(
        &mut toml,
        "residuals",
        "Residuals",
        &format!("Prediction minus function: mean of the trials, band from lowest to highest. {settings}"),
    );
    for target in &setup.targets {
        panel(&mut toml, target, "{ label = \"x\" }", "{ label = \"prediction - f(x)\" }");
        mark(&mut toml, "type = \"rule\"\ny = 0.0");
        curves(&mut toml, target, "residual");
    }
    toml
}

/// One line a model from a column of the predictions, and the places where the function jumps.
fn curves(toml: &mut String, target: &Target, column: &str) {
    mark(
        toml,
        &format!(
            "type = \"line\"\ntable = {}\nxcol = \"x\"\nycol = \"{column}\"\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\"",
            quoted(&predictions_of(&target.name))
        ),
    );
    for jump in &target.jumps {
        mark(toml, &format!("type = \"rule\"\nx = {jump:?}"));
    }
}

fn panel(toml: &mut String, target: &Target, x: &str, y: &str) {
    text::panel(toml, &format!("{}: {}", target.name, target.formula), x, y);
}
