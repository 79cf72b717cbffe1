//! The results of every network as tables.

use gradtop_sdk::prelude::*;

use super::plan::{Group, Labels, Pixels};
use super::training::{Outcome, Training};

#[derive(Clone)]
struct Fit {
    group: Group,
    network: &'static str,
    parameters: i64,
    trial: usize,
    outcome: Outcome,
}

impl Fit {
    fn corruption(&self) -> f64 {
        match self.group.labels {
            Labels::Fixed(p) => p,
            Labels::Redrawn => 1.0,
        }
    }
}

/// Writes the table `fits` of all networks whose group has ended, and from it `fit-samples` and `fit-corruption` for the figures.
pub(super) fn write(ctx: &Ctx, training: &Training) -> Result<()> {
    let mut fits = Vec::new();
    for progress in training.groups().iter().filter(|group| group.finished) {
        let network = &training.networks()[progress.group.network];
        fits.extend(progress.outcomes.iter().enumerate().map(|(trial, outcome)| Fit {
            group: progress.group.clone(),
            network: network.name(),
            parameters: network.parameter_count(),
            trial,
            outcome: *outcome,
        }));
    }
    let step = training.rounds();
    rows(ctx, "fits", step, &fits)?;
    let natural = |fit: &&Fit| fit.group.pixels == Pixels::Natural;
    let mut by_size: Vec<Fit> = fits.iter().filter(|fit| fit.group.is_random()).cloned().collect();
    // Lines connect points in the table's order.
    by_size.sort_by_key(|fit| fit.group.samples);
    rows(ctx, "fit-samples", step, &by_size)?;
    // For the same number of images as partly random labels have.
    let swept = |fit: &&Fit| Some(fit.group.samples) == training.swept_samples(fit.group.network);
    let fixed = |fit: &&Fit| matches!(fit.group.labels, Labels::Fixed(_));
    let mut by_corruption: Vec<Fit> =
        fits.iter().filter(natural).filter(swept).filter(fixed).cloned().collect();
    by_corruption.sort_by(|a, b| a.corruption().total_cmp(&b.corruption()));
    rows(ctx, "fit-corruption", step, &by_corruption)
}

fn rows(ctx: &Ctx, table: &str, step: i64, fits: &[Fit]) -> Result<()> {
    if fits.is_empty() {
        return Ok(());
    }
    let rows = Rows::of(fits)
        .utf8("network", |f| f.network)
        .i64("parameters", |f| f.parameters)
        .utf8("condition", |f| &f.group.name)
        .f64("corruption", Fit::corruption)
        .i64("samples", |f| f.group.samples)
        .i64("trial", |f| f.trial as i64)
        .f64("epochs_to_fit", |f| f.outcome.fitted.map_or(f64::NAN, |e| e as f64))
        .i64("epoch", |f| f.outcome.epoch)
        .f64("train_loss", |f| f.outcome.train[0])
        .unit("nats")
        .f64("train_accuracy", |f| f.outcome.train[1])
        .f64("test_loss", |f| f.outcome.test[0])
        .unit("nats")
        .f64("test_accuracy", |f| f.outcome.test[1]);
    ctx.table(table, step, &rows.columns())
}
