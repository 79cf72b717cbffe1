//! The figures: training, the lines of each kind, the barriers.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};
use gradtop_toolkit::stats::mean;

use super::conclusion::CONNECTED;
use super::plan::{Kind, Plan, Start};
use super::tables::name;
use super::walk::Line;

/// Declares the figure known from the start: the test curves of all networks.
pub(super) fn training(plan: &Plan) -> Figure {
    let panel = |metric: &str, axis: Axis| {
        let line = Mark::line(metric).split("test").over_epochs().by([By::Model]).mean().band();
        Panel::new("epoch", axis).mark(line)
    };
    Figure::new("training", "The networks at the lines' ends, on the whole test set")
        .caption(format!("With fixed weights after every epoch. {}.", plan.in_words()))
        .panel(panel("loss", Axis::log("cross entropy")))
        .panel(panel("accuracy", Axis::linear("share classified right")))
}

/// Declares the lines and barriers, with the claims about each kind of pair and about all.
pub(super) fn lines(plan: &Plan, lines: &[Line], said: &[(&'static str, Claim)]) -> Vec<Figure> {
    let kinds = Kind::ALL.iter().map(|kind| between(plan, *kind, lines, &caption(said, &kind.name())));
    let panel = |title: &str, column: &str, color: &str| {
        Panel::new("what differs, initial values", "barrier")
            .title(title)
            .mark(Mark::scatter(("barriers", "line", column)).label("pairs").color(color))
            .mark(Mark::level(0.0))
    };
    let barriers = Figure::new("barriers", "How far the loss rises above the chord between two networks")
        .caption(format!(
            "The maximum over α in [0, 1] of L(α) − (1 − α) L(0) − α L(1), a point for each pair. Batch: {} and {}; rate: {} and {}. \
             Same, other, matched: the initial values are the same; they are others; they are others, and the units are matched. {}.{}",
            plan.roles[0].name,
            plan.role_of(Kind::Batch).name,
            plan.roles[0].name,
            plan.role_of(Kind::Rate).name,
            plan.in_words(),
            caption(said, &"barriers")
        ))
        .panel(panel("training set", "train_barrier", "blue"))
        .panel(panel("test set", "test_barrier", "vermillion"));
    kinds.chain([barriers]).chain(spawned(plan, &caption(said, &"spawned"))).collect()
}

/// Declares the barriers between networks that parted, by step.
fn spawned(plan: &Plan, said: &str) -> Option<Figure> {
    let (role, _) = plan.parting().next()?;
    let settings = &plan.roles[role];
    let panel = |axis: &str, quantity: &str| {
        let line = |split: &str| {
            let column = format!("{split}_{quantity}");
            Mark::line(("spawned", "parted_at", column)).mean().band().label(split).together()
        };
        Panel::new(Axis::symlog("step at which they part"), axis).marks(["train", "test"].map(line))
    };
    let figure = Figure::new("spawned", "How far error and loss rise between networks of one trunk")
        .caption(format!(
            "Two networks share all steps up to one, and from then on have their own orders of the data: the highest share classified \
             wrong and the highest loss on the line between them less the mean of its two ends. Level line: {} points, below which Frankle et al. \
             (2020) call two networks linearly connected. Batch {}, lr {}, {} steps an epoch. Mean of the pairs, band from lowest to highest. {}.{said}",
            100.0 * CONNECTED,
            settings.batch,
            settings.lr,
            plan.steps_per_epoch(role),
            plan.role_in_words(role)
        ))
        .panel(panel("error above the mean of the ends", "error_barrier").mark(Mark::level(CONNECTED).label("linearly connected below")))
        .panel(panel("loss above the mean of the ends", "barrier"));
    Some(figure)
}

/// Declares loss and accuracy on the lines of one kind.
fn between(plan: &Plan, kind: Kind, lines: &[Line], said: &str) -> Figure {
    let title = match kind {
        Kind::Batch => "Between two batch sizes",
        Kind::Rate => "Between two learning rates",
    };
    let panels = Start::ALL.iter().map(|&start| {
        let barriers: Vec<f64> = lines
            .iter()
            .filter(|line| line.kind == kind && line.start == start)
            .map(|line| line.barrier(0, &plan.alphas).0)
            .collect();
        let line = |column: &str, label: &str, color: &str| {
            Mark::line((name(kind, start), "alpha", column)).mean().band().label(label).color(color)
        };
        // Four lines that cross each other: use the four most different hues of the palette.
        Panel::new("α", Axis::log("cross entropy"))
            .right("accuracy")
            .title(format!("{}: training barrier {:.3}", start.in_words(), mean(&barriers)))
            .mark(line("train_loss", "train loss", "blue"))
            .mark(line("test_loss", "test loss", "vermillion"))
            .mark(line("train_accuracy", "train accuracy", "green").right())
            .mark(line("test_accuracy", "test accuracy", "purple").right())
            .marks([(0.0, "A"), (1.0, "B")].map(|(at, name)| Mark::upright(at).label(name)))
    });
    Figure::new(kind.name(), title).panels(panels).caption(format!(
        "Loss (left) and accuracy (right) at (1 − α) A + α B over the whole sets; upright lines: the networks themselves, \
         A at 0 is {}, B at 1 is {}. First panel: B began with the same initial values as A; second: with other ones; third: as the second, its hidden units in the order that brings its \
         weights closest to A's. Mean of the pairs, band \
         from lowest to highest. {}.{said}",
        plan.roles[0].name,
        plan.role_of(kind).name,
        plan.in_words()
    ))
}
