//! The figures, as TOML.

use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::RandomLabels;
use super::plan::{Labels, Pixels};
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

/// The run's figures.
pub(super) fn declare(params: &RandomLabels, training: &Training, seed: u64) -> String {
    let mut figures = Figures::default();
    let epoch = axis("epoch", "linear");
    let (loss, accuracy) = (axis("cross entropy, nats", "log"), axis("share as labelled", "linear"));
    let chance = 10_f64.ln();
    for (index, network) in training.networks().iter().enumerate() {
        let name = network.name();
        let samples = params.samples_of(network);
        let settings = format!(
            "{} with {} parameters on {samples} images of {}",
            network.shape(),
            network.parameter_count(),
            params.in_words(seed)
        );
        let headline = |progress: &Progress| {
            let group = &progress.group;
            let plain = group.pixels == Pixels::Natural && group.samples == samples;
            plain && matches!(group.labels, Labels::Fixed(p) if p == 0.0 || p == 1.0)
        };
        if let Some(models) = chosen(training, index, headline) {
            figures.figure(
                &format!("curves-{name}"),
                &format!("{name}: true and random labels"),
                &format!(
                    "Over the whole sets with fixed weights, until all training labels are fitted: mean of the trials, band from lowest to highest. \
                     Random labels are drawn once, before training; test labels are true. {settings}."
                ),
            );
            let (both, by) = ("[\"train\", \"test\"]", "[\"model\", \"split\"]");
            figures.panel("Loss", &epoch, &loss).mark(&curve("loss", &models, both, by));
            figures.level(chance, "ln 10: knows nothing");
            figures.panel("Accuracy", &epoch, &accuracy).mark(&curve("accuracy", &models, both, by));
            figures.level(0.1, "10 %: chance");
        }
    }
    figures.toml()
}
