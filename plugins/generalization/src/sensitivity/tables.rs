//! The measured networks as tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::stats::Estimate;

use super::measure::Network;
use super::plan::{Plan, Purpose};
use super::verdict::{Groups, Quantity, by_protocol, many, of, with_test_loss};

/// Protocols with their own table.
pub(super) const PROTOCOLS: [&str; 4] = ["loss", "epochs", "steps", "early"];

pub(super) fn write(ctx: &Ctx, plan: &Plan, networks: &[Network], step: i64) -> Result<()> {
    let compared = networks.iter().filter(|n| plan.legs[n.leg].purpose != Purpose::Rates);
    rows(ctx, plan, "networks", &compared.collect::<Vec<_>>(), step)?;
    rows(ctx, plan, "rates", &of(plan, networks, Purpose::Rates), step)?;
    for name in PROTOCOLS {
        rows(ctx, plan, &format!("protocol-{name}"), &by_protocol(plan, networks, name), step)?;
    }
    rows(ctx, plan, "many", &many(plan, networks), step)?;
    trends(ctx, plan, networks, step)?;
    with_loss(ctx, plan, networks, step)
}

/// Writes one row per network; no table if there are none.
fn rows(ctx: &Ctx, plan: &Plan, name: &str, networks: &[&Network], step: i64) -> Result<()> {
    if networks.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::of(networks.iter().map(|n| (*n, &n.measures, &plan.legs[n.leg])))
        .utf8("protocol", |(n, ..)| n.moment.name())
        .utf8("leg", |(.., leg)| &leg.name)
        .i64("batch", |(.., leg)| leg.batch)
        .unit("samples")
        .f64("lr", |(.., leg)| leg.lr)
        .i64("trial", |(n, ..)| n.trial)
        .i64("at_step", |(n, ..)| n.step)
        .f64("epochs", |(n, _, leg)| n.step as f64 / plan.steps_per_epoch(leg) as f64)
        .f64("train_loss", |(_, m, _)| m.train_loss)
        .unit("nats")
        .f64("train_accuracy", |(_, m, _)| m.train_accuracy)
        .f64("test_loss", |(_, m, _)| m.test_loss)
        .unit("nats")
        .f64("test_accuracy", |(_, m, _)| m.test_accuracy)
        .f64("logit_sensitivity", |(_, m, _)| m.logits)
        .f64("probability_sensitivity", |(_, m, _)| m.probabilities)
        .f64("lambda_max", |(_, m, _)| m.lambda_max)
        .f64("lambda_max_bound", |(_, m, _)| m.lambda_bound)
        .f64("lambda_min", |(_, m, _)| m.lambda_min)
        .f64("trace", |(_, m, _)| m.trace)
        .f64("trace_error", |(_, m, _)| m.trace_error)
        .f64("sharpness", |(_, m, _)| m.sharpness)
        .unit("%");
    if name == "rates" {
        rows = rows.f64("validation_loss", |(_, m, _)| m.validation_loss).unit("nats");
    }
    ctx.table(name, step, &rows.columns())
}

/// Writes Spearman's coefficients with their intervals, one per row.
fn estimates(
    ctx: &Ctx,
    name: &str,
    group: &str,
    all: &[(String, Quantity, Estimate)],
    step: i64,
) -> Result<()> {
    let rows = Rows::of(all)
        .utf8(group, |(group, ..)| group)
        .utf8("quantity", |(_, quantity, _)| quantity.column())
        .f64("spearman", |(.., found)| found.value)
        .f64("low", |(.., found)| found.low)
        .f64("high", |(.., found)| found.high)
        .i64("networks", |(.., found)| found.pairs as i64);
    ctx.table(name, step, &rows.columns())
}

/// Writes the coefficients of batch size and every quantity, under each protocol.
fn trends(ctx: &Ctx, plan: &Plan, networks: &[Network], step: i64) -> Result<()> {
    let mut all = Vec::new();
    for name in PROTOCOLS {
        let these = by_protocol(plan, networks, name);
        for &quantity in Quantity::ALL {
            all.push((name.to_owned(), quantity, Groups::of(plan, &these, quantity).trend()));
        }
    }
    estimates(ctx, "trends", "protocol", &all, step)
}

/// Writes the coefficients of the test loss and its possible correlates, over the many networks and under each protocol.
fn with_loss(ctx: &Ctx, plan: &Plan, networks: &[Network], step: i64) -> Result<()> {
    let mut all = Vec::new();
    let sets = [("many", many(plan, networks))].into_iter();
    let protocols = PROTOCOLS[..3].iter().map(|name| (*name, by_protocol(plan, networks, name)));
    for (name, these) in sets.chain(protocols) {
        for quantity in Quantity::PREDICTORS {
            all.push((name.to_owned(), quantity, with_test_loss(&these, quantity).estimate));
        }
    }
    estimates(ctx, "generalisation", "networks_of", &all, step)
}
