//! Writes every measurement as a row.

use gradtop_sdk::prelude::*;

use super::descent::Descent;

/// Writes the table `edge`.
pub(super) fn write(ctx: &Ctx, descents: &[Descent], step: i64) -> Result<()> {
    let points = descents.iter().flat_map(|d| d.points.iter().map(move |point| (d, point)));
    let looks = points
        .flat_map(|(d, point)| point.networks.iter().enumerate().map(move |(i, look)| (d, point, i, look)));
    let rows = Rows::of(looks)
        .utf8("method", |(d, ..)| d.method.name())
        .utf8("setting", |(d, ..)| &d.setting)
        .f64("lr", |(d, ..)| d.rule.rate())
        .i64("trial", |(d, _, i, _)| d.first + i as i64)
        .i64("at_step", |(_, point, ..)| point.step)
        .f64("loss", |(.., look)| look.loss)
        .f64("lambda_max", |(.., look)| look.lambda_max)
        .f64("sharpness", |(.., look)| look.sharpness)
        .f64("limit", |(d, ..)| d.rule.stability_limit())
        .f64("share_of_limit", |(d, .., look)| look.sharpness / d.rule.stability_limit());
    ctx.table("edge", step, &rows.columns())
}
