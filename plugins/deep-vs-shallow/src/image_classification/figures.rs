//! The figures: curves of loss, accuracy and error, then confusions and mistakes.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};

use super::ImageClassification;
use super::findings::Findings;
use super::tables::{confusion_of, mistakes_of};
use super::training::{Task, Training};

/// Describes networks, data and training for captions.
pub(super) fn settings(params: &ImageClassification, training: &Training, seed: u64) -> String {
    let models: Vec<String> = training
        .fits()
        .iter()
        .filter(|fit| fit.task == 0 && fit.trial == 0)
        .map(|fit| format!("{} ({} parameters: {})", fit.name(), fit.cnn.parameter_count(), fit.cnn.spec()))
        .collect();
    format!("Networks: {}. {}.", models.join("; "), params.in_words(seed))
}

/// Declares the curves of all models, a panel for the training and the test set of each data set; captions end with the
/// claims once there are any.
pub(super) fn curves(
    params: &ImageClassification,
    training: &Training,
    seed: u64,
    said: &[(&'static str, Claim)],
) -> [Figure; 3] {
    let settings = settings(params, training, seed);
    let figure = |metric: &'static str, title: &str, axis: &Axis| {
        let panels = training.tasks().iter().flat_map(|task| {
            [("train", "training set"), ("test", "test set")].map(|(part, set)| {
                let split = format!("{}-{part}", task.name);
                let line = Mark::line(metric).split(&split).over_epochs().by([By::Model]).mean().band();
                let chance =
                    (metric == "loss").then(|| Mark::level(10_f64.ln()).label("ln 10: knows nothing"));
                Panel::new("epoch", axis.clone())
                    .title(format!("{}, {set}", task.title))
                    .mark(line)
                    .marks(chance)
            })
        });
        Figure::new(metric, title).panels(panels).caption(format!(
            "With fixed weights, over all images of the set. {settings}{}",
            caption(said, &metric)
        ))
    };
    [
        figure("loss", "Loss on the whole sets", &Axis::log("cross entropy, nats")),
        figure("accuracy", "Accuracy on the whole sets", &Axis::linear("share classified right")),
        figure("error", "Error on the whole sets", &Axis::log("share classified wrong")),
    ]
}

/// Declares the figures of the end: a panel for each network and data set.
pub(super) fn findings(
    params: &ImageClassification,
    training: &Training,
    all: &[Findings],
    seed: u64,
) -> Vec<Figure> {
    let settings = format!("{}{}", names(training), settings(params, training, seed));
    let task = |found: &Findings| &training.tasks()[found.task];
    let mut figures = Vec::new();
    if all.is_empty() {
        return figures;
    }
    let panels = all.iter().map(|found| {
        let table = confusion_of(task(found).name, found.model);
        Panel::new("taken for", "truth")
            .title(format!("{}, {}", task(found).title, found.model))
            .mark(Mark::heatmap(&table, "prediction", "truth", "count").log().label("images"))
    });
    figures.push(Figure::new("confusion", "Confusion on the test set").panels(panels).caption(format!(
        "Test images of each true class taken for each class, all trials together; the colour shows how many, on a logarithmic scale; \
         blank: none. {settings}"
    )));
    let wrong: Vec<&Findings> = all.iter().filter(|found| !found.mistakes.is_empty()).collect();
    if wrong.is_empty() {
        return figures;
    }
    let panels = wrong.into_iter().map(|found| {
        let list: Vec<String> =
            found.mistakes.iter().map(|m| format!("{}>{}", m.truth, m.prediction)).collect();
        Panel::new("", "")
            .title(format!("{}, {}: {}", task(found).title, found.model, list.join(" ")))
            .mark(Mark::image(&mistakes_of(task(found).name, found.model), "image"))
    });
    figures.push(Figure::new("mistakes", "The worst mistakes on the test set").panels(panels).caption(format!(
        "Test images that more than half of the trials get wrong, those of the highest mean cross entropy first, in reading order. \
         Above each panel: truth > what it is most often taken for. {settings}"
    )));
    figures
}

/// Explains the class numbers if they are not digits.
fn names(training: &Training) -> String {
    let of = |task: &Task| {
        let words: Vec<String> =
            task.classes.iter().enumerate().map(|(i, name)| format!("{i} {name}")).collect();
        format!("{}: {}. ", task.title, words.join(", "))
    };
    let named = |task: &&Task| task.classes.iter().enumerate().any(|(i, name)| *name != i.to_string());
    training.tasks().iter().filter(named).map(of).collect()
}
