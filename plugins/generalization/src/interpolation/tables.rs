//! The lines and their barriers as tables.

use gradtop_sdk::prelude::*;

use super::plan::{Kind, Plan, Start};
use super::walk::{Line, Spawned};

/// The table of the lines of one kind and start.
pub(super) fn name(kind: Kind, start: Start) -> String {
    format!("line-{}-{}", kind.name(), start.name())
}

/// Writes a table for each kind of line, `barriers`, and `spawned` of the networks that parted.
pub(super) fn write(ctx: &Ctx, plan: &Plan, lines: &[Line], spawned: &[Spawned]) -> Result<()> {
    let step = plan.steps();
    for kind in Kind::ALL {
        for start in Start::ALL {
            let these: Vec<&Line> =
                lines.iter().filter(|line| line.kind == kind && line.start == start).collect();
            let rows = || these.iter().flat_map(|line| (0..plan.alphas.len()).map(move |i| (*line, i)));
            let number =
                |of: &dyn Fn(&Line, usize) -> f64| rows().map(|(line, i)| of(line, i)).collect::<Vec<_>>();
            ctx.table(
                &name(kind, start),
                step,
                &[
                    Column::i64("pair", rows().map(|(line, _)| line.pair).collect::<Vec<_>>()),
                    Column::f64("alpha", number(&|_, i| plan.alphas[i])),
                    Column::f64("train_loss", number(&|line, i| line.sets[0].loss[i])).unit("nats"),
                    Column::f64("test_loss", number(&|line, i| line.sets[1].loss[i])).unit("nats"),
                    Column::f64("train_accuracy", number(&|line, i| line.sets[0].accuracy[i])),
                    Column::f64("test_accuracy", number(&|line, i| line.sets[1].accuracy[i])),
                ],
            )?;
        }
    }
    let number = |of: &dyn Fn(&Line) -> f64| lines.iter().map(of).collect::<Vec<_>>();
    let text = |of: &dyn Fn(&Line) -> &'static str| lines.iter().map(of).collect::<Vec<_>>();
    let (kinds, starts) = (text(&|line| line.kind.name()), text(&|line| line.start.name()));
    let names: Vec<String> =
        kinds.iter().zip(&starts).map(|(kind, start)| format!("{kind}, {start}")).collect();
    ctx.table(
        "barriers",
        step,
        &[
            Column::utf8("line", &names),
            Column::utf8("kind", &kinds),
            Column::utf8("start", &starts),
            Column::i64("pair", lines.iter().map(|line| line.pair).collect::<Vec<_>>()),
            Column::f64("train_barrier", number(&|line| line.barrier(0, &plan.alphas).0)).unit("nats"),
            Column::f64("train_barrier_at", number(&|line| line.barrier(0, &plan.alphas).1)),
            Column::f64("test_barrier", number(&|line| line.barrier(1, &plan.alphas).0)).unit("nats"),
            Column::f64("test_barrier_at", number(&|line| line.barrier(1, &plan.alphas).1)),
            Column::f64("distance", number(&|line| line.distance)),
            Column::f64("cosine", number(&|line| line.cosine)),
        ],
    )?;
    if spawned.is_empty() {
        return Ok(());
    }
    let number = |of: &dyn Fn(&Spawned) -> f64| spawned.iter().map(of).collect::<Vec<_>>();
    let whole = |of: &dyn Fn(&Spawned) -> i64| spawned.iter().map(of).collect::<Vec<_>>();
    ctx.table(
        "spawned",
        step,
        &[
            Column::i64("parted_at", whole(&|two| two.step)),
            Column::i64("pair", whole(&|two| two.pair)),
            Column::f64("train_error_barrier", number(&|two| two.error_barrier(0, &plan.between))),
            Column::f64("test_error_barrier", number(&|two| two.error_barrier(1, &plan.between))),
            Column::f64("train_barrier", number(&|two| two.loss_barrier(0, &plan.between))).unit("nats"),
            Column::f64("test_barrier", number(&|two| two.loss_barrier(1, &plan.between))).unit("nats"),
            Column::f64("distance", number(&|two| two.distance)),
        ],
    )
}
