//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};
use gradtop_toolkit::data::{self, CLASSES};
use gradtop_toolkit::settings::listed;

use super::ModelSize;
use super::results::Part;
use super::settings::{Unit, choosing, full_samples, rates, swept, units};

/// Returns a panel of a table's columns against the number of trained parameters, which equals `threshold` at the vertical line.
fn panel(title: &str, axis: impl Into<Axis>, threshold: i64, marks: impl IntoIterator<Item = Mark>) -> Panel {
    Panel::new(Axis::log("trained parameters"), axis)
        .title(title)
        .marks(marks)
        .mark(Mark::upright(threshold as f64))
}

fn line(table: &str, column: &str) -> Mark {
    Mark::line((table, "parameters", column)).mean().band()
}

/// Returns the training and test values.
fn both(table: &str, value: &str) -> [Mark; 2] {
    ["train", "test"].map(|split| line(table, &format!("{split}_{value}")).label(split).together())
}

/// Returns the training and test values for each fraction of noise.
fn both_by_noise(table: &str, value: &str) -> [Mark; 2] {
    both(table, value).map(|line| line.by(["noise"]))
}

/// Declares the run's figures; captions end with the claims about their part once there are any.
pub(super) fn declare(params: &ModelSize, seed: u64, said: &[(Part, Claim)]) -> Result<Vec<Figure>> {
    let said = |part: Part| caption(said, &part);
    let title = data::load(&params.dataset)?.title;
    let units = units(params)?;
    let has = |which: fn(&Unit) -> bool| units.iter().any(which);
    let trials = format!("mean of {} trials, band from lowest to highest; seed {seed}", params.trials);
    let training = format!("Adam, lr {}, batch {}", params.lr, params.batch);
    let noise = super::results::noise_in_words(params.noise);
    let error = || Axis::log("squared error, summed over outputs");
    let mut figures = Vec::new();
    if has(|unit| matches!(unit, Unit::Full { .. })) {
        let samples = full_samples(params);
        let threshold = samples * CLASSES;
        figures.push(
            Figure::new("full", "A: many images")
                .caption(format!(
                    "ReLU networks 784-h-2h-10, h = {}, on {samples} images of {title}: {training}, {} epochs; {trials}. Upright: as many \
                     parameters as labels times classes, {threshold}.{}",
                    listed(&params.full_widths), params.full_epochs, said(Part::Full),
                ))
                .panel(panel("Loss", Axis::log("cross entropy"), threshold, both("full", "loss")))
                .panel(panel("Accuracy", "accuracy", threshold, both("full", "accuracy"))),
        );
    }
    if has(|unit| matches!(unit, Unit::Rate { .. })) {
        let ([learnt, choosing], threshold) = (swept(params), full_samples(params) * CLASSES);
        let by_rate = |column: &str| [line("rates", column).by(["lr"])];
        let axis = || Axis::log("cross entropy");
        figures.push(
            Figure::new("rates", "A: every size at several learning rates")
                .caption(format!(
                    "One network of each size at rates of {} on {learnt} images of {title}: Adam, batch {}, {} epochs; seed {seed}. {choosing} \
                     other training images choose the rate of each size.{}",
                    listed(&rates(params, &params.full_rates)), params.batch, params.full_epochs, said(Part::Rates),
                ))
                .panel(panel("Where the rate is chosen", axis(), threshold, by_rate("validation_loss")))
                .panel(panel("Test loss", axis(), threshold, by_rate("test_loss")))
                .panel(panel("Test accuracy", "accuracy", threshold, by_rate("test_accuracy"))),
        );
    }
    if has(|unit| matches!(unit, Unit::Subset { .. })) {
        let samples = params.subset_samples;
        let threshold = samples * CLASSES;
        figures.push(
            Figure::new("subset", "B: few images, with and without label noise")
                .caption(format!(
                    "ReLU networks 784-h-10, h = {}, on {samples} images of {title}: squared error, {training}, the rate falling to 0 along a \
                     cosine, {} epochs; {trials}. {noise}: that share of the training labels is drawn at random, once; test labels are true. \
                     Upright: as many parameters as labels times classes, {threshold}.{}",
                    listed(&params.subset_widths), params.subset_epochs, said(Part::Subset),
                ))
                .panel(panel("Error", error(), threshold, both_by_noise("subset", "error")))
                .panel(panel("Accuracy", "accuracy", threshold, both_by_noise("subset", "accuracy"))),
        );
    }
    if has(|unit| matches!(unit, Unit::SubsetRate { .. })) {
        let samples = params.subset_samples;
        let by_rate = |column: &str| [line("subset-rates", column).by(["noise", "lr"])];
        let panel = |title: &str, axis, column: &str| panel(title, axis, samples * CLASSES, by_rate(column));
        figures.push(
            Figure::new("subset-rates", "B: every size at several learning rates")
                .caption(format!(
                    "Networks on the same {samples} images with rates that fall from {} to 0, one of each size and rate (at {} the first of \
                     the trials); seed {seed}. {} other training images with true labels choose the rate of each size.{}",
                    listed(&rates(params, &params.subset_rates)), params.lr, choosing(params), said(Part::SubsetRates),
                ))
                .panel(panel("Where the rate is chosen", error(), "validation_error"))
                .panel(panel("Test error", error(), "test_error"))
                .panel(panel("Test accuracy", "accuracy".into(), "test_accuracy")),
        );
    }
    if has(|unit| matches!(unit, Unit::Features { .. })) {
        let samples = params.feature_samples;
        let threshold = samples * CLASSES;
        let by_noise = |column: &str| [line("features", column).by(["noise"])];
        let norm = Axis::log("norm of the readout");
        figures.push(
            Figure::new("features", "C: random features, solved exactly")
                .caption(format!(
                    "N random ReLU features of {samples} images of {title}, tested with {}: least squares, of minimum norm from N = {samples} on, in \
                     double precision; N a tenth of the parameters; {trials}. {noise}: that share of the training labels is drawn at random. \
                     Upright: N = {samples}, where every label is fitted.{}",
                    params.feature_tests, said(Part::Features)
                ))
                .panel(panel("Test error", error(), threshold, by_noise("test_error")))
                .panel(panel("Training error", error(), threshold, by_noise("train_error")))
                .panel(panel("Accuracy", "accuracy", threshold, both_by_noise("features", "accuracy")))
                .panel(panel("Norm of the solution", norm, threshold, by_noise("norm"))),
        );
    }
    Ok(figures)
}
