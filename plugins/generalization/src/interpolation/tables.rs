//! The lines and their barriers as tables.

use gradtop_sdk::prelude::*;

use super::plan::{Kind, Plan, Start};
use super::walk::{Line, Spawned};

/// Returns the name of the table for the lines of one kind and start.
pub(super) fn name(kind: Kind, start: Start) -> String {
    format!("line-{}-{}", kind.name(), start.name())
}

/// Writes a table for each kind of line, `barriers`, and `spawned` for the networks that parted.
pub(super) fn write(ctx: &Ctx, plan: &Plan, lines: &[Line], spawned: &[Spawned]) -> Result<()> {
    let step = plan.steps();
    for &kind in Kind::ALL {
        for &start in Start::ALL {
            let these = lines.iter().filter(|line| line.kind == kind && line.start == start);
            let points = these.flat_map(|line| (0..plan.alphas.len()).map(move |i| (line, i)));
            let rows = Rows::of(points)
                .i64("pair", |(line, _)| line.pair)
                .f64("alpha", |(_, i)| plan.alphas[i])
                .f64("train_loss", |(line, i)| line.sets[0].loss[i])
                .unit("nats")
                .f64("test_loss", |(line, i)| line.sets[1].loss[i])
                .unit("nats")
                .f64("train_accuracy", |(line, i)| line.sets[0].accuracy[i])
                .f64("test_accuracy", |(line, i)| line.sets[1].accuracy[i]);
            ctx.table(&name(kind, start), step, &rows.columns())?;
        }
    }
    let rows = Rows::of(lines)
        .utf8("line", |line| format!("{}, {}", line.kind.name(), line.start.name()))
        .utf8("kind", |line| line.kind.name())
        .utf8("start", |line| line.start.name())
        .i64("pair", |line| line.pair)
        .f64("train_barrier", |line| line.barrier(0, &plan.alphas).0)
        .unit("nats")
        .f64("train_barrier_at", |line| line.barrier(0, &plan.alphas).1)
        .f64("test_barrier", |line| line.barrier(1, &plan.alphas).0)
        .unit("nats")
        .f64("test_barrier_at", |line| line.barrier(1, &plan.alphas).1)
        .f64("distance", |line| line.distance)
        .f64("cosine", |line| line.cosine);
    ctx.table("barriers", step, &rows.columns())?;
    if spawned.is_empty() {
        return Ok(());
    }
    let rows = Rows::of(spawned)
        .i64("parted_at", |two| two.step)
        .i64("pair", |two| two.pair)
        .f64("train_error_barrier", |two| two.error_barrier(0, &plan.between))
        .f64("test_error_barrier", |two| two.error_barrier(1, &plan.between))
        .f64("train_barrier", |two| two.loss_barrier(0, &plan.between))
        .unit("nats")
        .f64("test_barrier", |two| two.loss_barrier(1, &plan.between))
        .unit("nats")
        .f64("distance", |two| two.distance);
    ctx.table("spawned", step, &rows.columns())
}
