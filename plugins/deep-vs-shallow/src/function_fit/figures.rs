//! The figures, as TOML: loss, fit and residuals, a panel for each function.

use gradtop_toolkit::figures::{Figures, quoted};

use super::FunctionFit;
use super::tables::{predictions_of, shape};
use super::target::{Target, variance};
use super::training::Training;

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
    let mut figures = Figures::default();

    figures.figure("loss",
        "Loss on the whole grid",
        &format!(
            "Mean squared error over all points with fixed weights: mean of the trials, band from lowest to highest. \
         The level line is the function's variance: the loss of predicting its mean. {settings}"
        ),
    );
    for target in &setup.targets {
        panel(&mut figures, target, "{ label = \"step\" }", "{ label = \"MSE\", scale = \"log\" }");
        figures.mark(&format!(
                "type = \"line\"\nmetric = \"loss\"\nsplit = {}\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\"",
                quoted(&target.name)
            ),
        );
        let baseline = variance(&target.values);
        if baseline > 0.0 {
            figures.mark(&format!("type = \"rule\"\ny = {baseline:e}\nlabel = \"variance of the function\""));
        }
    }

    figures.figure(
        "fit",
        "Predictions over the function",
        &format!(
            "The latest table of predictions: mean of the trials, band from lowest to highest. {settings}"
        ),
    );
    for target in &setup.targets {
        panel(&mut figures, target, "{ label = \"x\" }", "{ label = \"f(x)\" }");
        figures.mark(&format!(
                "type = \"line\"\ntable = {}\nxcol = \"x\"\nycol = \"truth\"\nby = []\naggregate = \"mean\"\nlabel = \"truth\"",
                quoted(&predictions_of(&target.name))
            ),
        );
        curves(&mut figures, target, "prediction");
    }

    figures.figure(
        "residuals",
        "Residuals",
        &format!("Prediction minus function: mean of the trials, band from lowest to highest. {settings}"),
    );
    for target in &setup.targets {
        panel(&mut figures, target, "{ label = \"x\" }", "{ label = \"prediction - f(x)\" }");
        figures.mark("type = \"rule\"\ny = 0.0");
        curves(&mut figures, target, "residual");
    }
    figures.toml()
}

/// One line a model from a column of the predictions, and the places where the function jumps.
fn curves(figures: &mut Figures, target: &Target, column: &str) {
    figures.mark(&format!(
            "type = \"line\"\ntable = {}\nxcol = \"x\"\nycol = \"{column}\"\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\"",
            quoted(&predictions_of(&target.name))
        ),
    );
    for jump in &target.jumps {
        figures.mark(&format!("type = \"rule\"\nx = {jump:?}"));
    }
}

fn panel(figures: &mut Figures, target: &Target, x: &str, y: &str) {
    figures.panel(&format!("{}: {}", target.name, target.formula), x, y);
}
