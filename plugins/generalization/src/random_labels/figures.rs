//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};

use super::RandomLabels;
use super::plan::{Labels, Network, Pixels};
use super::training::{Progress, Training};

/// Returns the names of the chosen groups of a network; `None` if there are none.
fn chosen(training: &Training, network: usize, which: impl Fn(&Progress) -> bool) -> Option<Vec<&str>> {
    let groups = training.groups().iter().filter(|g| g.group.network == network && which(g));
    let names: Vec<&str> = groups.map(|g| g.group.name.as_str()).collect();
    (!names.is_empty()).then_some(names)
}

fn curve(metric: &str, models: &[&str]) -> Mark {
    Mark::line(metric).models(models).over_epochs().by([By::Model]).mean().band()
}

fn chance() -> Mark {
    Mark::level(0.1).label("10 %: chance")
}

fn ignorance() -> Mark {
    Mark::level(10_f64.ln()).label("ln 10: knows nothing")
}

/// Declares the run's figures: for each kind of network its curves, then the common ones. Captions end with the claims
/// once there are any.
pub(super) fn declare(
    params: &RandomLabels,
    training: &Training,
    seed: u64,
    said: &[(String, Claim)],
) -> Vec<Figure> {
    let mut figures = Vec::new();
    for index in 0..training.networks().len() {
        figures.extend(curves(params, training, index, seed, said));
        figures.extend(inputs(params, training, index, seed, said));
    }
    figures.extend(fits(params, training, seed, said));
    figures
}

fn settings(params: &RandomLabels, training: &Training, network: usize, seed: u64) -> String {
    format!("{} of {}", network_in_words(params, &training.networks()[network]), params.in_words(seed))
}

fn network_in_words(params: &RandomLabels, network: &Network) -> String {
    format!(
        "{}: {}, {} parameters, {} images",
        network.name(),
        network.shape(),
        network.parameter_count(),
        params.samples_of(network)
    )
}

/// Declares true and random labels in one figure, and the control.
fn curves(
    params: &RandomLabels,
    training: &Training,
    index: usize,
    seed: u64,
    said: &[(String, Claim)],
) -> Option<Figure> {
    let network = &training.networks()[index];
    let samples = params.samples_of(network);
    let of = |labels: &'static [Labels]| {
        chosen(training, index, |progress| {
            let group = &progress.group;
            group.pixels == Pixels::Natural && group.samples == samples && labels.contains(&group.labels)
        })
    };
    let models = of(&[Labels::Fixed(0.0), Labels::Fixed(1.0)])?;
    let both = |metric: &str| curve(metric, &models).splits(["train", "test"]).by([By::Model, By::Split]);
    let id = format!("curves-{}", network.name());
    let figure = Figure::new(&id, format!("{}: true and random labels", network.name())).caption(format!(
        "Over the whole sets with fixed weights, until all trials have every training label right. Random \
         labels are drawn once, before training; the test set keeps its true ones. {}.{}",
        settings(params, training, index, seed),
        caption(said, &id)
    ))
    .panel(Panel::new("epoch", Axis::log("cross entropy")).title("Loss").mark(both("loss")).mark(ignorance()))
    .panel(Panel::new("epoch", "accuracy").title("Accuracy").mark(both("accuracy")).mark(chance()));
    let control = of(&[Labels::Fixed(1.0), Labels::Redrawn]).filter(|_| of(&[Labels::Redrawn]).is_some());
    Some(figure.panels(control.map(|control| {
        Panel::new("epoch", "training accuracy")
            .title("Control: random labels that stay, and that are drawn anew in each epoch")
            .mark(curve("accuracy", &control).split("train"))
            .mark(chance())
    })))
}

/// Declares meaningless images beside random labels.
fn inputs(
    params: &RandomLabels,
    training: &Training,
    index: usize,
    seed: u64,
    said: &[(String, Claim)],
) -> Option<Figure> {
    let network = &training.networks()[index];
    let samples = params.samples_of(network);
    let which = |progress: &Progress| {
        let group = &progress.group;
        let ends = group.labels == Labels::Fixed(0.0) || group.labels == Labels::Fixed(1.0);
        group.samples == samples && ends
    };
    let models = chosen(training, index, which)?;
    chosen(training, index, |progress| progress.group.pixels != Pixels::Natural)?;
    let panel = |title: &str, axis: Axis, metric: &str, split: &str| {
        Panel::new("epoch", axis).title(title).mark(curve(metric, &models).split(split))
    };
    let id = format!("inputs-{}", network.name());
    let title = format!("{}: labels or images without meaning", network.name());
    let figure = Figure::new(&id, title).caption(format!(
        "Shuffled pixels: one order for all images; random pixels: an order of each image's own; Gaussian: noise with the mean and \
         deviation of the images. The test images are treated alike. {}.{}",
        settings(params, training, index, seed),
        caption(said, &id)
    ))
    .panel(panel("Training loss", Axis::log("cross entropy"), "loss", "train"))
    .panel(panel("Training accuracy", Axis::linear("training accuracy"), "accuracy", "train"))
    .panel(panel("Test accuracy", Axis::linear("test accuracy"), "accuracy", "test").mark(chance()));
    Some(figure)
}

/// Declares how long fitting takes, and its effect on the test set.
fn fits(params: &RandomLabels, training: &Training, seed: u64, said: &[(String, Claim)]) -> Vec<Figure> {
    let random = training.groups().iter().any(|g| g.group.is_random());
    let partly = training.groups().iter().any(|g| g.group.is_partly());
    if !random && !partly {
        return Vec::new();
    }
    let networks = training.networks().iter().map(|network| network_in_words(params, network));
    let all = format!("{}; {}", networks.collect::<Vec<_>>().join("; "), params.in_words(seed));
    let line = |table: &str, x: &str, y: &str| Mark::line((table, x, y)).by(["network"]).mean().band();
    let by_share = |axis: Axis, y: &str| {
        Panel::new("share of random labels", axis).mark(line("fit-corruption", "corruption", y))
    };
    let mut epochs = Figure::new("epochs-to-fit", "Epochs until every training label is fitted").caption(format!(
        "Mean of the trials that had every training label right, band from lowest to highest; those marked × (not a number) never had. {all}.{}",
        caption(said, "epochs-to-fit")
    ));
    if random {
        let panel = Panel::new(Axis::log("training images"), "epochs to fit").title("Random labels");
        epochs = epochs.panel(panel.mark(line("fit-samples", "samples", "epochs_to_fit")));
    }
    if !partly {
        return vec![epochs];
    }
    let images = params.corruption_in_words(training.networks());
    let panel = by_share(Axis::linear("epochs to fit"), "epochs_to_fit");
    let corruption = Figure::new("corruption", "The test set at the end of training")
        .caption(format!(
            "When every training label was fitted, or else after the last epoch. Mean of the trials, band from lowest to highest. {all}.{}",
            caption(said, "corruption")
        ))
        .panel(by_share(Axis::linear("test accuracy"), "test_accuracy").title("Accuracy").mark(chance()))
        .panel(by_share(Axis::log("test cross entropy"), "test_loss").title("Loss").mark(ignorance()));
    vec![epochs.panel(panel.title(format!("Partly random labels, {images} images"))), corruption]
}
