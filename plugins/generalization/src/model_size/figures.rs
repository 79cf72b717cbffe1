//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption, counted};
use gradtop_toolkit::data::{self, CLASSES};
use gradtop_toolkit::rates::{compared, shared};
use gradtop_toolkit::settings::listed;

use super::ModelSize;
use super::results::{Part, noise_in_words};
use super::settings::{choosing, full_samples, units};

/// Declares a figure for each part that is trained; captions end with the claims about it once there are any.
pub(super) fn declare(params: &ModelSize, seed: u64, said: &[(Part, Claim)]) -> Result<Vec<Figure>> {
    let units = units(params)?;
    let data = data::load(&params.dataset)?.title;
    let figure = |part: Part| {
        let (title, text) = title_and_text(params, seed, part, data);
        Figure::new(part.name(), title).caption(text + &caption(said, &part)).panels(panels(params, part))
    };
    let trained = |part: &Part| units.iter().any(|unit| unit.part == *part);
    let all = [Part::Full, Part::Rates, Part::Subset, Part::SubsetRates, Part::Features];
    Ok(all.into_iter().filter(trained).map(figure).collect())
}

/// Returns the title of a part's figure, and what was trained and how.
fn title_and_text(params: &ModelSize, seed: u64, part: Part, data: &str) -> (&'static str, String) {
    let ModelSize { lr, batch, .. } = params;
    let trials = format!("mean of {} trials, band from lowest to highest; seed {seed}", params.trials);
    let full_epochs = counted(params.full_epochs, "epoch");
    let noise = noise_in_words(params.noise);
    match part {
        Part::Full => (
            "A: many images",
            format!(
                "ReLU networks 784-h-2h-10, h = {}, on {} images of {data}: Adam, lr {lr}, batch {batch}, {full_epochs}; {trials}. \
                 Upright: as many parameters as labels times classes, {}.",
                listed(&params.full_widths),
                full_samples(params),
                threshold(params, part),
            ),
        ),
        Part::Rates => (
            "A: every size at several learning rates",
            format!(
                "One network of each size at rates of {} on {} images of {data}: Adam, batch {batch}, {full_epochs}; seed {seed}. {} \
                 other training images choose the rate of each size.",
                listed(&compared(&params.full_rates, *lr)),
                shared(full_samples(params))[0],
                shared(full_samples(params))[1],
            ),
        ),
        Part::Subset => (
            "B: few images, with and without label noise",
            format!(
                "ReLU networks 784-h-10, h = {}, on {} images of {data}: squared error, Adam, lr {lr}, batch {batch}, the rate \
                 falling to 0 along a cosine, {}; {trials}. {noise}: that share of the training labels is drawn at random, once; \
                 test labels are true. Upright: as many parameters as labels times classes, {}.",
                listed(&params.subset_widths),
                params.subset_samples,
                counted(params.subset_epochs, "epoch"),
                threshold(params, part),
            ),
        ),
        Part::SubsetRates => (
            "B: every size at several learning rates",
            format!(
                "Networks on the same {} images with rates that fall from {} to 0, one of each size and rate (at {lr} the first of \
                 the trials); seed {seed}. {} other training images with true labels choose the rate of each size.",
                params.subset_samples,
                listed(&compared(&params.subset_rates, *lr)),
                choosing(params),
            ),
        ),
        Part::Features => (
            "C: random features, solved exactly",
            format!(
                "N random ReLU features of {0} images of {data}, tested with {1}: least squares, of minimum norm from N = {0} on, in \
                 double precision; N a tenth of the parameters; {trials}. {noise}: that share of the training labels is drawn at random. \
                 Upright: N = {0}, where every label is fitted.",
                params.feature_samples, params.feature_tests,
            ),
        ),
    }
}

/// Returns the number of parameters that equals labels times classes.
fn threshold(params: &ModelSize, part: Part) -> i64 {
    CLASSES
        * match part {
            Part::Full | Part::Rates => full_samples(params),
            Part::Subset | Part::SubsetRates => params.subset_samples,
            Part::Features => params.feature_samples,
        }
}

/// Returns the panels of a part's table against the number of trained parameters, with a vertical line at the threshold.
fn panels(params: &ModelSize, part: Part) -> Vec<Panel> {
    let table = part.name();
    let line = |column: &str, by: &[&str]| {
        let line = Mark::line((table, "parameters", column)).mean().band();
        if by.is_empty() { line } else { line.by(by) }
    };
    let one = |column: &str, by: &[&str]| vec![line(column, by)];
    let both = |value: &str, by: &[&str]| {
        let of = |split: &str| line(&format!("{split}_{value}"), &[]).label(split).together();
        let lines = ["train", "test"].map(of);
        if by.is_empty() { lines.to_vec() } else { lines.map(|line| line.by(by)).to_vec() }
    };
    let entropy = || Axis::log("cross entropy");
    let error = || Axis::log("squared error, summed over outputs");
    let accuracy = || Axis::linear("accuracy");
    let all = match part {
        Part::Full => {
            vec![("Loss", entropy(), both("loss", &[])), ("Accuracy", accuracy(), both("accuracy", &[]))]
        }
        Part::Rates => vec![
            ("Where the rate is chosen", entropy(), one("validation_loss", &["lr"])),
            ("Test loss", entropy(), one("test_loss", &["lr"])),
            ("Test accuracy", accuracy(), one("test_accuracy", &["lr"])),
        ],
        Part::Subset => vec![
            ("Error", error(), both("error", &["noise"])),
            ("Accuracy", accuracy(), both("accuracy", &["noise"])),
        ],
        Part::SubsetRates => vec![
            ("Where the rate is chosen", error(), one("validation_error", &["noise", "lr"])),
            ("Test error", error(), one("test_error", &["noise", "lr"])),
            ("Test accuracy", accuracy(), one("test_accuracy", &["noise", "lr"])),
        ],
        Part::Features => vec![
            ("Test error", error(), one("test_error", &["noise"])),
            ("Training error", error(), one("train_error", &["noise"])),
            ("Accuracy", accuracy(), both("accuracy", &["noise"])),
            ("Norm of the solution", Axis::log("norm of the readout"), one("norm", &["noise"])),
        ],
    };
    let upright = threshold(params, part) as f64;
    let panel = |(title, axis, marks): (&str, Axis, Vec<Mark>)| {
        Panel::new(Axis::log("trained parameters"), axis)
            .title(title)
            .marks(marks)
            .mark(Mark::upright(upright).label("labels × classes"))
    };
    all.into_iter().map(panel).collect()
}
