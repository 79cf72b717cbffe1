//! The figures, as TOML: curves of loss, accuracy and error, then confusions and mistakes.

use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::ImageClassification;
use super::findings::Findings;
use super::tables::{confusion_of, mistakes_of};
use super::training::{Task, Training};

/// Networks, data and training in words, for captions.
pub(super) fn settings(params: &ImageClassification, training: &Training, seed: u64) -> String {
    let models: Vec<String> = training
        .fits()
        .iter()
        .filter(|fit| fit.task == 0 && fit.trial == 0)
        .map(|fit| format!("{} ({} parameters: {})", fit.name(), fit.cnn.parameter_count(), fit.cnn.spec()))
        .collect();
    format!("Networks: {}. {}.", models.join("; "), params.in_words(seed))
}

/// What is known from the start: the curves of all models, a panel for the training and the test set of each data set.
pub(super) fn curves(params: &ImageClassification, training: &Training, seed: u64) -> String {
    let settings = settings(params, training, seed);
    let mut figures = Figures::default();
    for (metric, title, label, scale) in [
        ("loss", "Loss on the whole sets", "cross entropy, nats", "log"),
        ("accuracy", "Accuracy on the whole sets", "share classified right", "linear"),
        ("error", "Error on the whole sets", "share classified wrong", "log"),
    ] {
        let caption = format!(
            "With fixed weights, over all images of the set: mean of the trials, band from lowest to highest. {settings}"
        );
        figures.figure(metric, title, &caption);
        for task in training.tasks() {
            for part in ["train", "test"] {
                let set = if part == "train" { "training set" } else { "test set" };
                figures.panel(
                    &format!("{}, {set}", task.title),
                    "{ label = \"epoch\" }",
                    &axis(label, scale),
                );
                let split = quoted(&format!("{}-{part}", task.name));
                figures.mark(&format!(
                        "type = \"line\"\nmetric = \"{metric}\"\nsplit = {split}\nx = \"epoch\"\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\""
                    ),
                );
                if metric == "loss" {
                    let chance = 10_f64.ln();
                    figures.mark(&format!("type = \"rule\"\ny = {chance}\nlabel = \"ln 10: knows nothing\""));
                }
            }
        }
    }
    figures.toml()
}

/// What is known at the end: a panel for each network and data set.
pub(super) fn findings(
    params: &ImageClassification,
    training: &Training,
    all: &[Findings],
    seed: u64,
) -> String {
    let settings = settings(params, training, seed);
    let mut figures = Figures::default();
    if all.is_empty() {
        return figures.toml();
    }
    let caption = format!(
        "Test images of each true class taken for each class, all trials together, by the colour of the logarithm of their number; \
         blank: none. {}{settings}",
        names(training)
    );
    figures.figure("confusion", "Confusion on the test set", &caption);
    for found in all {
        let task = &training.tasks()[found.task];
        figures.panel(
            &format!("{}, {}", task.title, found.model),
            "{ label = \"taken for\" }",
            "{ label = \"truth\" }",
        );
        figures.mark(&format!(
                "type = \"heatmap\"\ntable = {}\nxcol = \"prediction\"\nycol = \"truth\"\nzcol = \"count\"\nscale = \"log\"\nlabel = \"images\"",
                quoted(&confusion_of(task.name, found.model))
            ),
        );
    }
    if all.iter().all(|found| found.mistakes.is_empty()) {
        return figures.toml();
    }
    let caption = format!(
        "Test images that more than half of the trials get wrong, those of the highest mean cross entropy first, in reading order. \
         Above each panel: truth > what it is most often taken for. {}{settings}",
        names(training)
    );
    figures.figure("mistakes", "The worst mistakes on the test set", &caption);
    for found in all.iter().filter(|found| !found.mistakes.is_empty()) {
        let task = &training.tasks()[found.task];
        let list: Vec<String> =
            found.mistakes.iter().map(|m| format!("{}>{}", m.truth, m.prediction)).collect();
        figures.panel(&format!("{}, {}: {}", task.title, found.model, list.join(" ")), "{}", "{}");
        figures.mark(&format!(
            "type = \"image\"\ntable = {}\nzcol = \"image\"",
            quoted(&mistakes_of(task.name, found.model))
        ));
    }
    figures.toml()
}

/// What the numbers of classes mean, where they are no digits.
fn names(training: &Training) -> String {
    let of = |task: &Task| {
        let words: Vec<String> =
            task.classes.iter().enumerate().map(|(i, name)| format!("{i} {name}")).collect();
        format!("{}: {}. ", task.title, words.join(", "))
    };
    let named = |task: &&Task| task.classes.iter().enumerate().any(|(i, name)| *name != i.to_string());
    training.tasks().iter().filter(named).map(of).collect()
}
