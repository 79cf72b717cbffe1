//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption, counted};

use super::OptimizationPath;
use super::path::Path;
use super::training::Training;
use gradtop_toolkit::settings::{rule_in_words, shape};

/// Describes networks, data and training for captions.
pub(super) fn settings(params: &OptimizationPath, training: &Training, seed: u64) -> String {
    let mlp = &training.ensemble.mlp;
    format!(
        "{} ReLU networks {} ({} parameters) on {} images of {}; {}, batch {}, {}, seed {seed}.",
        params.runs,
        shape(mlp.widths()),
        mlp.parameter_count(),
        training.samples,
        training.data,
        rule_in_words(training.rule),
        params.batch,
        counted(params.epochs, "epoch"),
    )
}

/// Declares the run's figures. Once there are principal components, the axes state what each explains; captions end
/// with the claims once there are any.
pub(super) fn declare(
    params: &OptimizationPath,
    training: &Training,
    path: &Path,
    seed: u64,
    said: &[(&'static str, Claim)],
) -> [Figure; 4] {
    let mlp = &training.ensemble.mlp;
    let settings = settings(params, training, seed);
    let counts = mlp.layer_parameter_counts();
    let titles = [
        format!("Whole network, {} parameters", mlp.parameter_count()),
        format!("Layer {}, {} parameters", path.layer + 1, counts[path.layer]),
    ];
    let plane = |space: usize, own: bool, table: &str| {
        let pca = path.spaces.get(space).map(|space| if own { &space.alone[0] } else { &space.together });
        let label = |i: usize| match pca.and_then(|pca| pca.explained.get(i)) {
            Some(share) => format!("PC{} ({:.0} %)", i + 1, 100.0 * share),
            None => format!("PC{}", i + 1),
        };
        let points = Mark::scatter((table, "pc1", "pc2")).by([By::Trial]).joined().words("percent");
        Panel::new(label(0), label(1)).title(&titles[space]).mark(points)
    };
    let accuracy = Mark::line("accuracy").over_epochs().by([By::Split]).mean().band();
    let distance = Mark::line("distance").over_epochs().together().mean().band();
    [
        Figure::new("path", "Weights of all runs in their common principal components")
            .caption(format!(
                "Every {}, from before the first; a line for each run, each point labelled by its test accuracy in per cent. \
                 {settings}{}",
                if params.every == 1 { "epoch".to_owned() } else { counted(params.every, "epoch") },
                caption(said, &"path")
            ))
            .panel(plane(0, false, "path-whole"))
            .panel(plane(1, false, "path-layer")),
        Figure::new("single", "One run, trial 0, in its own principal components")
            .caption(format!(
                "The same weights of one run alone, each point labelled by its test accuracy in per cent. {settings}"
            ))
            .panel(plane(0, true, "single-whole"))
            .panel(plane(1, true, "single-layer")),
        Figure::new("scree", "Variance explained by each component")
            .caption(format!(
                "All runs together; shares of the whole variance of the recorded weights. {settings}"
            ))
            .panel(
                Panel::new("component", "share of variance")
                    .mark(Mark::bar(("scree", "component", "explained")).by(["space"])),
            ),
        Figure::new("accuracy", "Accuracy and distance from the start")
            .caption(format!(
                "Over the whole sets with fixed weights. {settings}{}",
                caption(said, &"accuracy")
            ))
            .panel(Panel::new("epoch", "accuracy").mark(accuracy))
            .panel(Panel::new("epoch", "distance of the weights").mark(distance)),
    ]
}
