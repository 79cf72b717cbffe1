//! The figures, as TOML: training, the lines of each kind, the barriers.

use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::plan::{Kind, Plan};
use super::tables::name;
use super::walk::Line;

/// What is known from the start: the test curves of all networks.
pub(super) fn training(plan: &Plan) -> String {
    let mut figures = Figures::default();
    figures.figure(
        "training",
        "The networks at the lines' ends, on the whole test set",
        &format!(
            "With fixed weights after every epoch: mean of the networks, band from lowest to highest. {}.",
            plan.in_words()
        ),
    );
    for (metric, label, scale) in
        [("loss", "cross entropy", "log"), ("accuracy", "share classified right", "linear")]
    {
        figures.panel("", "{ label = \"epoch\" }", &axis(label, scale));
        figures.mark(&format!(
            "type = \"line\"\nmetric = \"{metric}\"\nsplit = \"test\"\nx = \"epoch\"\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\""
        ));
    }
    figures.toml()
}

/// The lines and the barriers.
pub(super) fn lines(plan: &Plan, lines: &[Line]) -> String {
    let mut figures = Figures::default();
    for kind in Kind::ALL {
        let what = match kind {
            Kind::Batch => "Between two batch sizes",
            Kind::Rate => "Between two learning rates",
        };
        figures.figure(
            kind.name(),
            what,
            &format!(
                "Loss (left) and accuracy (right) at (1 − α) A + α B over the whole sets; upright lines: the networks themselves, \
                 A at 0 is {}, B at 1 is {}. First panel: B began with A's initial values; second: with others. Mean of the pairs, band \
                 from lowest to highest. {}.",
                plan.roles[0].name,
                plan.role_of(kind).name,
                plan.in_words()
            ),
        );
        for same in [true, false] {
            let barriers: Vec<f64> = lines
                .iter()
                .filter(|line| line.kind == kind && line.same_start == same)
                .map(|line| line.barrier(0, &plan.alphas).0)
                .collect();
            let mean = barriers.iter().sum::<f64>() / barriers.len() as f64;
            let title =
                format!("{} start: training barrier {mean:.3}", if same { "same" } else { "different" });
            let axes = format!("{}\ny2 = {}", axis("cross entropy", "log"), axis("accuracy", "linear"));
            figures.panel(&title, &axis("α", "linear"), &axes);
            // Four lines that cross each other: of the palette, the four hues furthest apart.
            for (column, label, side, colour) in [
                ("train_loss", "train loss", "y", "blue"),
                ("test_loss", "test loss", "y", "vermillion"),
                ("train_accuracy", "train accuracy", "y2", "green"),
                ("test_accuracy", "test accuracy", "y2", "purple"),
            ] {
                figures.mark(&format!(
                    "type = \"line\"\ntable = {}\nxcol = \"alpha\"\nycol = \"{column}\"\naggregate = \"mean\"\nband = \"minmax\"\n\
                     label = \"{label}\"\naxis = \"{side}\"\ncolor = \"{colour}\"",
                    quoted(&name(kind, same))
                ));
            }
            figures.upright(0.0).upright(1.0);
        }
    }
    figures.figure(
        "barriers",
        "How far the loss rises above the chord between two networks",
        &format!(
            "max over α in [0, 1] of L(α) − (1 − α) L(0) − α L(1), a point a pair. batch: {} and {}; rate: {} and {}. {}.",
            plan.roles[0].name,
            plan.role_of(Kind::Batch).name,
            plan.roles[0].name,
            plan.role_of(Kind::Rate).name,
            plan.in_words()
        ),
    );
    for (title, column, colour) in
        [("training set", "train_barrier", "blue"), ("test set", "test_barrier", "vermillion")]
    {
        figures.panel(title, "{ label = \"what differs, initial values\" }", &axis("barrier", "linear"));
        figures.mark(&format!(
            "type = \"scatter\"\ntable = \"barriers\"\nxcol = \"line\"\nycol = \"{column}\"\nlabel = \"a pair\"\ncolor = \"{colour}\""
        ));
        figures.level(0.0, "");
    }
    figures.toml()
}
