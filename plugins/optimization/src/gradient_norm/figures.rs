//! The figures, as TOML: each task's norms over its loss, and all norms against losses.

use gradtop_toolkit::figures::{Figures, axis};
use gradtop_toolkit::mlp::{Activation, Loss};

use super::GradientNorm;
use super::task::Task;
use gradtop_toolkit::settings::{rule_in_words, shape};

/// A task's data, network, optimizer and batch in words.
pub(super) fn settings(task: &Task) -> String {
    let mlp = &task.ensemble.mlp;
    let activation = match mlp.activation() {
        Activation::Tanh => "tanh",
        Activation::Relu => "ReLU",
    };
    let batch = if task.mini_batches() { format!("batch {}", task.batch) } else { "full batch".to_owned() };
    format!(
        "{activation} network {} ({} parameters); {}, {batch}, {} steps",
        shape(mlp.widths()),
        mlp.parameter_count(),
        rule_in_words(task.rule),
        task.steps()
    )
}

pub(super) fn declare(params: &GradientNorm, tasks: &[Task], seed: u64) -> String {
    let trials = if params.trials == 1 { "1 trial".to_owned() } else { format!("{} trials", params.trials) };
    let steps = axis("step", "linear");
    let mut figures = Figures::default();
    for task in tasks {
        let name = &task.name;
        let line = |metric: &str, by: &str, label: &str| {
            format!(
                "type = \"line\"\nmetric = \"{metric}\"\nsplit = \"{name}\"\nby = [{by}]\naggregate = \"mean\"\nband = \"minmax\"{label}"
            )
        };
        let loss = match task.ensemble.mlp.loss() {
            Loss::MeanSquared => "mean squared error",
            Loss::CrossEntropy => "cross entropy",
        };
        figures
            .figure(
                name,
                &format!("Gradient norm and loss: {name}"),
                &format!(
                    "Over {}, with fixed weights, every {} steps: mean of the trials, band from lowest to highest. \
                     {}; seed {seed}, {trials}.",
                    task.measured_on,
                    params.every,
                    settings(task)
                ),
            )
            .panel("Norm of the gradient over all parameters", &steps, &axis("gradient norm", "log"));
        if task.mini_batches() {
            figures.mark(&line("batch_grad_norm", "", "\nlabel = \"of the mini-batch\"\ncolor = \"grey\""));
        }
        figures
            .mark(&line("grad_norm", "", "\nlabel = \"of all data\""))
            .panel(loss, &steps, &axis(loss, "log"))
            .mark(&line("loss", "", ""));
        if let Some(baseline) = task.baseline {
            figures.level(baseline, "predicting the mean");
        }
    }
    for task in tasks {
        figures
            .figure(
                &format!("{}-layers", task.name),
                &format!("Gradient norm of each layer: {}", task.name),
                &format!(
                    "Over {}: mean of the trials. Squares add up to the square of the whole norm. {}; seed {seed}, {trials}.",
                    task.measured_on,
                    settings(task)
                ),
            )
            .panel("", &steps, &axis("gradient norm of the layer", "log"))
            .mark(&format!(
                "type = \"line\"\nmetric = \"layer_grad_norm\"\nsplit = \"{}\"\nby = [\"model\"]\naggregate = \"mean\"",
                task.name
            ))
            .panel("Length of an update", &steps, &axis("update size", "log"))
            .mark(&format!(
                "type = \"line\"\nmetric = \"update_size\"\nsplit = \"{}\"\nby = []\naggregate = \"mean\"\nband = \"minmax\"",
                task.name
            ));
    }
    figures
        .figure(
            "norm-loss",
            "Gradient norm against loss",
            &format!(
                "Every measurement of every trial, over all data. A small norm says little about the loss. Seed {seed}, {trials}."
            ),
        )
        .panel("", &axis("loss", "log"), &axis("gradient norm", "log"))
        .mark("type = \"scatter\"\ntable = \"norms\"\nxcol = \"loss\"\nycol = \"grad_norm\"\nby = [\"task\"]");
    figures.toml()
}

/// Networks, data and training of all tasks in words, for captions.
pub(super) fn settings_of_all(tasks: &[Task]) -> String {
    let words: Vec<String> = tasks.iter().map(|task| format!("{}: {}", task.name, settings(task))).collect();
    format!("{}.", words.join(". "))
}
