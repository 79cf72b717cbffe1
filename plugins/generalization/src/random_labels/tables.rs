//! The results of every network as tables.

use gradtop_sdk::prelude::*;

use super::plan::{Group, Labels, Network, Pixels};
use super::training::{Outcome, Training};

/// A network of a group that has ended.
#[derive(Clone, Copy)]
struct Fit<'a> {
    group: &'a Group,
    network: &'a Network,
    trial: usize,
    outcome: &'a Outcome,
}

impl Fit<'_> {
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
        let (group, network) = (&progress.group, &training.networks()[progress.group.network]);
        let outcomes = progress.outcomes.iter().enumerate();
        fits.extend(outcomes.map(|(trial, outcome)| Fit { group, network, trial, outcome }));
    }
    let step = training.rounds();
    rows(ctx, "fits", step, &fits)?;
    let mut by_size: Vec<Fit<'_>> = fits.iter().filter(|fit| fit.group.is_random()).copied().collect();
    // Lines connect points in the table's order.
    by_size.sort_by_key(|fit| fit.group.samples);
    rows(ctx, "fit-samples", step, &by_size)?;
    // For the same number of images as partly random labels have.
    let swept = |fit: &Fit<'_>| {
        let Group { network, labels, pixels, samples, .. } = fit.group;
        *pixels == Pixels::Natural
            && matches!(labels, Labels::Fixed(_))
            && Some(*samples) == training.swept_samples(*network)
    };
    fits.retain(swept);
    fits.sort_by(|a, b| a.corruption().total_cmp(&b.corruption()));
    rows(ctx, "fit-corruption", step, &fits)
}

fn rows(ctx: &Ctx, table: &str, step: i64, fits: &[Fit<'_>]) -> Result<()> {
    if fits.is_empty() {
        return Ok(());
    }
    let rows = Rows::of(fits)
        .utf8("network", |f| f.network.name())
        .i64("parameters", |f| f.network.parameter_count())
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
