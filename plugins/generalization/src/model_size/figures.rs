//! The figures, as TOML.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::{self, CLASSES};
use gradtop_toolkit::figures::{Figures, axis};

use super::ModelSize;
use super::settings::{Unit, full_samples, units};

/// Training and test values of a table's columns against the trained parameters.
fn both(figures: &mut Figures, table: &str, value: &str, by: &str) {
    for split in ["train", "test"] {
        figures.mark(&format!(
            "type = \"line\"\ntable = \"{table}\"\nxcol = \"parameters\"\nycol = \"{split}_{value}\"\nby = [{by}]\nlabel = \"{split}\"\n\
             aggregate = \"mean\"\nband = \"minmax\""
        ));
    }
}

/// The run's figures.
pub(super) fn declare(params: &ModelSize, seed: u64) -> Result<String> {
    let title = data::load(&params.dataset)?.title;
    let units = units(params)?;
    let has = |which: fn(&Unit) -> bool| units.iter().any(which);
    let trials = format!("mean of {} trials, band from lowest to highest; seed {seed}", params.trials);
    let parameters = axis("trained parameters", "log");
    let (accuracy, error) = (axis("accuracy", "linear"), axis("squared error, summed over outputs", "log"));
    let threshold = |samples: i64| (samples * CLASSES) as f64;
    let training = format!("Adam, lr {}, batch {}", params.lr, params.batch);
    let mut figures = Figures::default();
    if has(|unit| matches!(unit, Unit::Full { .. })) {
        let samples = full_samples(params);
        figures.figure(
            "full",
            "A: many images",
            &format!(
                "ReLU networks 784-h-2h-10, h = {}, on {samples} images of {title}: {training}, {} epochs; {trials}. Upright: as many \
                 parameters as labels times classes, {}.",
                params.full_widths,
                params.full_epochs,
                samples * CLASSES
            ),
        );
        figures.panel("Loss", &parameters, &axis("cross entropy", "log"));
        both(&mut figures, "full", "loss", "");
        figures.upright(threshold(samples)).panel("Accuracy", &parameters, &accuracy);
        both(&mut figures, "full", "accuracy", "");
        figures.upright(threshold(samples));
    }
    let noise = super::results::noise_in_words(params.noise);
    if has(|unit| matches!(unit, Unit::Subset { .. })) {
        let samples = params.subset_samples;
        figures.figure(
            "subset",
            "B: few images, with and without label noise",
            &format!(
                "ReLU networks 784-h-10, h = {}, on {samples} images of {title}: squared error, {training}, the rate falling to 0 along a \
                 cosine, {} epochs; {trials}. {noise}: that share of the training labels is drawn at random, once; test labels are true. \
                 Upright: as many parameters as labels times classes, {}.",
                params.subset_widths,
                params.subset_epochs,
                samples * CLASSES
            ),
        );
        figures.panel("Error", &parameters, &error);
        both(&mut figures, "subset", "error", "\"noise\"");
        figures.upright(threshold(samples)).panel("Accuracy", &parameters, &accuracy);
        both(&mut figures, "subset", "accuracy", "\"noise\"");
        figures.upright(threshold(samples));
    }
    if has(|unit| matches!(unit, Unit::Features { .. })) {
        let samples = params.feature_samples;
        figures.figure(
            "features",
            "C: random features, solved exactly",
            &format!(
                "N random ReLU features of {samples} images of {title}, tested with {}: least squares, of minimum norm from N = {samples} on, in \
                 double precision; N a tenth of the parameters; {trials}. {noise}: that share of the training labels is drawn at random. \
                 Upright: N = {samples}, where every label is fitted.",
                params.feature_tests
            ),
        );
        figures
            .panel("Test error", &parameters, &error)
            .mark(&line("test_error"))
            .upright(threshold(samples))
            .panel("Training error", &parameters, &error)
            .mark(&line("train_error"))
            .upright(threshold(samples))
            .panel("Accuracy", &parameters, &accuracy);
        both(&mut figures, "features", "accuracy", "\"noise\"");
        figures
            .upright(threshold(samples))
            .panel("Norm of the solution", &parameters, &axis("norm of the readout", "log"))
            .mark(&line("norm"))
            .upright(threshold(samples));
    }
    Ok(figures.toml())
}

/// A column of part C by noise.
fn line(column: &str) -> String {
    format!(
        "type = \"line\"\ntable = \"features\"\nxcol = \"parameters\"\nycol = \"{column}\"\nby = [\"noise\"]\naggregate = \"mean\"\n\
         band = \"minmax\""
    )
}
