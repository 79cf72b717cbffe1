//! Every measurement as a row.

use gradtop_sdk::prelude::*;

use super::descent::{Descent, Look, Point};

/// Writes the table `edge`.
pub(super) fn write(ctx: &Ctx, descents: &[Descent], step: i64) -> Result<()> {
    let rows: Vec<(&Descent, &Point, usize, &Look)> = descents
        .iter()
        .flat_map(|descent| descent.points.iter().map(move |point| (descent, point)))
        .flat_map(|(descent, point)| {
            point.networks.iter().enumerate().map(move |(i, look)| (descent, point, i, look))
        })
        .collect();
    let words = |of: fn(&Descent) -> &str| rows.iter().map(|(d, ..)| of(d)).collect::<Vec<_>>();
    let number = |of: &dyn Fn(&Descent, &Look) -> f64| {
        rows.iter().map(|(descent, .., look)| of(descent, look)).collect::<Vec<f64>>()
    };
    ctx.table(
        "edge",
        step,
        &[
            Column::utf8("method", &words(|d| d.method.name())),
            Column::utf8("setting", &words(|d| &d.setting)),
            Column::f64("lr", number(&|d, _| d.rule.rate())),
            Column::i64("trial", rows.iter().map(|(d, _, i, _)| d.first + *i as i64).collect::<Vec<_>>()),
            Column::i64("at_step", rows.iter().map(|(_, point, ..)| point.step).collect::<Vec<_>>()),
            Column::f64("loss", number(&|_, look| look.loss)),
            Column::f64("lambda_max", number(&|_, look| look.lambda_max)),
            Column::f64("sharpness", number(&|_, look| look.sharpness)),
            Column::f64("limit", number(&|d, _| d.rule.stability_limit())),
            Column::f64("share_of_limit", number(&|d, look| look.sharpness / d.rule.stability_limit())),
        ],
    )
}
