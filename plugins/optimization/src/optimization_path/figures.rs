//! The figures, as TOML.

use gradtop_toolkit::figures::{Figures, axis};

use super::OptimizationPath;
use super::path::Path;
use super::training::Training;
use gradtop_toolkit::settings::{rule_in_words, shape};

/// Networks, data and training in a sentence for captions.
pub(super) fn settings(params: &OptimizationPath, training: &Training, seed: u64) -> String {
    let mlp = &training.ensemble.mlp;
    format!(
        "{} ReLU networks {} ({} parameters) on {} images of {}; {}, batch {}, {} epochs, seed {seed}.",
        params.runs,
        shape(mlp.widths()),
        mlp.parameter_count(),
        training.samples,
        training.data,
        rule_in_words(training.rule),
        params.batch,
        params.epochs,
    )
}

/// The run's figures. Once there are principal components, the axes say what each explains.
pub(super) fn declare(params: &OptimizationPath, training: &Training, path: &Path, seed: u64) -> String {
    let mlp = &training.ensemble.mlp;
    let settings = settings(params, training, seed);
    let counts = mlp.layer_parameter_counts();
    let titles = [
        format!("Whole network, {} parameters", mlp.parameter_count()),
        format!("Layer {}, {} parameters", path.layer + 1, counts[path.layer]),
    ];
    let component = |space: usize, own: bool, i: usize| {
        let analysis = path.analysis.as_ref().map(|analysis| &analysis.spaces[space]);
        let pca = analysis.map(|space| if own { &space.alone[0] } else { &space.together });
        let share = pca.and_then(|pca| pca.explained.get(i));
        axis(&share.map_or(format!("PC{}", i + 1), |s| format!("PC{} ({:.0} %)", i + 1, 100.0 * s)), "linear")
    };

    let mut figures = Figures::default();
    figures.figure(
        "path",
        "Weights of all runs in their common principal components",
        &format!(
            "Every {} epochs, from before the first; a line a run, each point labelled by its test accuracy in per cent. \
             {settings}",
            params.every
        ),
    );
    for (space, table) in ["path-whole", "path-layer"].into_iter().enumerate() {
        figures
            .panel(&titles[space], &component(space, false, 0), &component(space, false, 1))
            .mark(&format!(
                "type = \"scatter\"\ntable = \"{table}\"\nxcol = \"pc1\"\nycol = \"pc2\"\nby = [\"trial\"]\njoined = true\ntextcol = \"percent\""
            ));
    }
    figures.figure(
        "single",
        "Run 0 in its own principal components",
        &format!(
            "The same weights of one run alone, each point labelled by its test accuracy in per cent. {settings}"
        ),
    );
    for (space, table) in ["single-whole", "single-layer"].into_iter().enumerate() {
        figures
            .panel(&titles[space], &component(space, true, 0), &component(space, true, 1))
            .mark(&format!(
                "type = \"scatter\"\ntable = \"{table}\"\nxcol = \"pc1\"\nycol = \"pc2\"\nby = [\"trial\"]\njoined = true\ntextcol = \"percent\""
            ));
    }
    figures.figure(
        "scree",
        "Variance explained by each component",
        &format!("All runs together; shares of the whole variance of the recorded weights. {settings}"),
    );
    figures.panel("", &axis("component", "linear"), &axis("share of variance", "linear")).mark(
        "type = \"bar\"\ntable = \"scree\"\nxcol = \"component\"\nycol = \"explained\"\nby = [\"space\"]",
    );
    figures.figure(
        "accuracy",
        "Accuracy and distance from the start",
        &format!(
            "Over the whole sets with fixed weights; mean of the runs, band from lowest to highest. {settings}"
        ),
    );
    let epoch = axis("epoch", "linear");
    figures
        .panel("", &epoch, &axis("accuracy", "linear"))
        .mark("type = \"line\"\nmetric = \"accuracy\"\nx = \"epoch\"\nby = [\"split\"]\naggregate = \"mean\"\nband = \"minmax\"")
        .panel("", &epoch, &axis("distance of the weights", "linear"))
        .mark("type = \"line\"\nmetric = \"distance\"\nx = \"epoch\"\nby = []\naggregate = \"mean\"\nband = \"minmax\"");
    figures.toml()
}
