//! The figures: each task's norms over its loss, and all norms against losses.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption, counted};
use gradtop_toolkit::mlp::{Activation, Loss};

use super::GradientNorm;
use super::task::Task;
use gradtop_toolkit::settings::{rule_in_words, shape};

/// Describes a task's data, network, optimizer and batch.
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

/// Declares the run's figures; captions end with the claims about their task once there are any.
pub(super) fn declare(
    params: &GradientNorm,
    tasks: &[Task],
    seed: u64,
    said: &[(String, Claim)],
) -> Vec<Figure> {
    let trials = counted(params.trials, "trial");
    let over = |task: &Task| {
        let line = |metric: &str| Mark::line(metric).split(&task.name).together().mean().band();
        let loss = match task.ensemble.mlp.loss() {
            Loss::MeanSquared => "mean squared error",
            Loss::CrossEntropy => "cross entropy",
        };
        let batch =
            task.mini_batches().then(|| line("batch_grad_norm").label("of the mini-batch").color("grey"));
        Figure::new(&task.name, format!("Gradient norm and loss: {}", task.name))
            .caption(format!(
                "Over {}, with fixed weights, every {} steps. {}; seed {seed}, {trials}.{}",
                task.measured_on,
                params.every,
                settings(task),
                caption(said, &task.name)
            ))
            .panel(
                Panel::new("step", Axis::log("gradient norm"))
                    .title("Norm of the gradient over all parameters")
                    .marks(batch)
                    .mark(line("grad_norm").label("of all data")),
            )
            .panel(
                Panel::new("step", Axis::log(loss))
                    .title(loss)
                    .mark(line("loss"))
                    .marks(task.baseline.map(|baseline| Mark::level(baseline).label("predicting the mean"))),
            )
    };
    let layers = |task: &Task| {
        let line = |metric: &str| Mark::line(metric).split(&task.name).mean();
        Figure::new(format!("{}-layers", task.name), format!("Gradient norm of each layer: {}", task.name))
            .caption(format!(
                "Over {}. In each trial the squares of the layers add up to the square of the whole norm. {}; seed {seed}, {trials}.",
                task.measured_on,
                settings(task)
            ))
            .panel(
                Panel::new("step", Axis::log("gradient norm of the layer"))
                    .mark(line("layer_grad_norm").by([By::Model])),
            )
            .panel(
                Panel::new("step", Axis::log("update size"))
                    .title("Length of an update")
                    .mark(line("update_size").together().band()),
            )
    };
    let all = Figure::new("norm-loss", "Gradient norm against loss")
        .caption(format!("Every measurement of every trial, over all data. Seed {seed}, {trials}."))
        .panel(
            Panel::new(Axis::log("loss"), Axis::log("gradient norm"))
                .mark(Mark::scatter(("norms", "loss", "grad_norm")).by(["task"])),
        );
    tasks.iter().map(over).chain(tasks.iter().map(layers)).chain([all]).collect()
}

/// Describes networks, data and training of all tasks for captions.
pub(super) fn settings_of_all(tasks: &[Task]) -> String {
    let words: Vec<String> = tasks.iter().map(|task| format!("{}: {}", task.name, settings(task))).collect();
    format!("{}.", words.join(". "))
}
