//! The figures, as TOML.

use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::RandomLabels;
use super::plan::{Labels, Network, Pixels};
use super::training::{Progress, Training};

/// Names of the groups of a network that are chosen, as a TOML list; `None` without any.
fn chosen(training: &Training, network: usize, which: impl Fn(&Progress) -> bool) -> Option<String> {
    let groups = training.groups().iter().filter(|g| g.group.network == network && which(g));
    let names: Vec<String> = groups.map(|g| quoted(&g.group.name)).collect();
    (!names.is_empty()).then(|| format!("[{}]", names.join(", ")))
}

fn curve(metric: &str, models: &str, splits: &str, by: &str) -> String {
    format!(
        "type = \"line\"\nmetric = \"{metric}\"\nmodel = {models}\nsplit = {splits}\nx = \"epoch\"\nby = {by}\naggregate = \"mean\"\nband = \"minmax\""
    )
}

/// The run's figures: for each kind of network its curves, then what all kinds share.
pub(super) fn declare(params: &RandomLabels, training: &Training, seed: u64) -> String {
    let mut figures = Figures::default();
    for index in 0..training.networks().len() {
        curves(&mut figures, params, training, index, seed);
        inputs(&mut figures, params, training, index, seed);
    }
    fits(&mut figures, params, training, seed);
    figures.toml()
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

/// True and random labels over each other, and the control.
fn curves(figures: &mut Figures, params: &RandomLabels, training: &Training, index: usize, seed: u64) {
    let network = &training.networks()[index];
    let samples = params.samples_of(network);
    let of = |labels: &'static [Labels]| {
        chosen(training, index, |progress| {
            let group = &progress.group;
            group.pixels == Pixels::Natural && group.samples == samples && labels.contains(&group.labels)
        })
    };
    let Some(models) = of(&[Labels::Fixed(0.0), Labels::Fixed(1.0)]) else { return };
    let epoch = axis("epoch", "linear");
    figures.figure(
        &format!("curves-{}", network.name()),
        &format!("{}: true and random labels", network.name()),
        &format!(
            "Over the whole sets with fixed weights, until all trials have every training label right: mean of the trials, band from lowest \
             to highest. Random labels are drawn once, before training; the test set keeps its true ones. {}.",
            settings(params, training, index, seed)
        ),
    );
    let (both, by) = ("[\"train\", \"test\"]", "[\"model\", \"split\"]");
    figures.panel("Loss", &epoch, &axis("cross entropy", "log")).mark(&curve("loss", &models, both, by));
    figures.level(10_f64.ln(), "ln 10: knows nothing");
    figures
        .panel("Accuracy", &epoch, &axis("accuracy", "linear"))
        .mark(&curve("accuracy", &models, both, by));
    figures.level(0.1, "10 %: chance");
    if let (Some(control), Some(_)) = (of(&[Labels::Fixed(1.0), Labels::Redrawn]), of(&[Labels::Redrawn])) {
        figures
            .panel(
                "Control: random labels that stay, and that are drawn anew in each epoch",
                &epoch,
                &axis("training accuracy", "linear"),
            )
            .mark(&curve("accuracy", &control, "\"train\"", "[\"model\"]"));
        figures.level(0.1, "10 %: chance");
    }
}

/// Images without meaning beside random labels.
fn inputs(figures: &mut Figures, params: &RandomLabels, training: &Training, index: usize, seed: u64) {
    let network = &training.networks()[index];
    let samples = params.samples_of(network);
    let which = |progress: &Progress| {
        let group = &progress.group;
        let ends = group.labels == Labels::Fixed(0.0) || group.labels == Labels::Fixed(1.0);
        group.samples == samples && ends
    };
    let odd = |progress: &Progress| progress.group.pixels != Pixels::Natural;
    let (Some(models), Some(_)) = (chosen(training, index, which), chosen(training, index, odd)) else {
        return;
    };
    let epoch = axis("epoch", "linear");
    figures
        .figure(
            &format!("inputs-{}", network.name()),
            &format!("{}: labels or images without meaning", network.name()),
            &format!(
                "Shuffled pixels: one order for all images; random pixels: an order of each image's own; Gaussian: noise with the mean and \
                 deviation of the images. The test images are treated alike. Mean of the trials, band from lowest to highest. {}.",
                settings(params, training, index, seed)
            ),
        )
        .panel("Training loss", &epoch, &axis("cross entropy", "log"))
        .mark(&curve("loss", &models, "\"train\"", "[\"model\"]"))
        .panel("Training accuracy", &epoch, &axis("training accuracy", "linear"))
        .mark(&curve("accuracy", &models, "\"train\"", "[\"model\"]"))
        .panel("Test accuracy", &epoch, &axis("test accuracy", "linear"))
        .mark(&curve("accuracy", &models, "\"test\"", "[\"model\"]"));
    figures.level(0.1, "10 %: chance");
}

/// How long fitting takes, and what it does to the test set.
fn fits(figures: &mut Figures, params: &RandomLabels, training: &Training, seed: u64) {
    let networks = training.networks().iter().map(|network| network_in_words(params, network));
    let all = format!("{}; {}", networks.collect::<Vec<_>>().join("; "), params.in_words(seed));
    let caption = format!(
        "Mean of the trials that had every training label right, band from lowest to highest; others are left out. {all}."
    );
    let line = |table: &str, x: &str, y: &str| {
        format!(
            "type = \"line\"\ntable = \"{table}\"\nxcol = \"{x}\"\nycol = \"{y}\"\nby = [\"network\"]\naggregate = \"mean\"\nband = \"minmax\""
        )
    };
    let share = axis("share of random labels", "linear");
    let random = training.groups().iter().any(|g| g.group.is_random());
    let partly = training.groups().iter().any(|g| g.group.is_partly());
    if random || partly {
        figures.figure("epochs-to-fit", "Epochs until every training label is fitted", &caption);
    }
    if random {
        figures
            .panel("Random labels", &axis("training images", "log"), &axis("epochs to fit", "linear"))
            .mark(&line("fit-samples", "samples", "epochs_to_fit"));
    }
    if partly {
        let images = params.corruption_in_words(training.networks());
        figures
            .panel(&format!("Partly random labels, {images} images"), &share, &axis("epochs to fit", "linear"))
            .mark(&line("fit-corruption", "corruption", "epochs_to_fit"))
            .figure(
                "corruption",
                "The test set when every training label is fitted",
                &format!("Where a label was not fitted, at the last epoch. Mean of the trials, band from lowest to highest. {all}."),
            )
            .panel("Accuracy", &share, &axis("test accuracy", "linear"))
            .mark(&line("fit-corruption", "corruption", "test_accuracy"))
            .level(0.1, "10 %: chance")
            .panel("Loss", &share, &axis("test cross entropy", "log"))
            .mark(&line("fit-corruption", "corruption", "test_loss"))
            .level(10_f64.ln(), "ln 10: knows nothing");
    }
}
