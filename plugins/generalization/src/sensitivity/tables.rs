//! The measured networks as tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::stats::Estimate;

use super::measure::{Measures, Network};
use super::plan::{Plan, Purpose};
use super::verdict::{Groups, Quantity, by_protocol, many, of, with_test_loss};

/// Protocols that have a table of their own.
pub(super) const PROTOCOLS: [&str; 4] = ["loss", "epochs", "steps", "early"];

/// Writes all of them.
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

/// A row a network; no table of none.
fn rows(ctx: &Ctx, plan: &Plan, name: &str, networks: &[&Network], step: i64) -> Result<()> {
    if networks.is_empty() {
        return Ok(());
    }
    let number = |of: &dyn Fn(&Network) -> f64| networks.iter().map(|n| of(n)).collect::<Vec<f64>>();
    let whole = |of: &dyn Fn(&Network) -> i64| networks.iter().map(|n| of(n)).collect::<Vec<i64>>();
    let measure = |of: fn(&Measures) -> f64| number(&|n| of(&n.measures));
    let protocols: Vec<&str> = networks.iter().map(|n| n.moment.name()).collect();
    let chosen_by = (name == "rates")
        .then(|| Column::f64("validation_loss", measure(|m| m.validation_loss)).unit("nats"));
    let legs: Vec<&str> = networks.iter().map(|n| plan.legs[n.leg].name.as_str()).collect();
    let mut columns = vec![
        Column::utf8("protocol", &protocols),
        Column::utf8("leg", &legs),
        Column::i64("batch", whole(&|n| plan.legs[n.leg].batch)).unit("samples"),
        Column::f64("lr", number(&|n| plan.legs[n.leg].lr)),
        Column::i64("trial", whole(&|n| n.trial)),
        Column::i64("at_step", whole(&|n| n.step)),
        Column::f64("epochs", number(&|n| n.step as f64 / plan.steps_per_epoch(&plan.legs[n.leg]) as f64)),
        Column::f64("train_loss", measure(|m| m.train_loss)).unit("nats"),
        Column::f64("train_accuracy", measure(|m| m.train_accuracy)),
        Column::f64("test_loss", measure(|m| m.test_loss)).unit("nats"),
        Column::f64("test_accuracy", measure(|m| m.test_accuracy)),
        Column::f64("logit_sensitivity", measure(|m| m.logits)),
        Column::f64("probability_sensitivity", measure(|m| m.probabilities)),
        Column::f64("lambda_max", measure(|m| m.lambda_max)),
        Column::f64("lambda_max_bound", measure(|m| m.lambda_bound)),
        Column::f64("lambda_min", measure(|m| m.lambda_min)),
        Column::f64("trace", measure(|m| m.trace)),
        Column::f64("trace_error", measure(|m| m.trace_error)),
        Column::f64("sharpness", measure(|m| m.sharpness)).unit("%"),
    ];
    columns.extend(chosen_by);
    ctx.table(name, step, &columns)
}

/// Spearman's coefficients with their intervals, a row each.
fn estimates(
    ctx: &Ctx,
    name: &str,
    group: &str,
    all: &[(String, Quantity, Estimate)],
    step: i64,
) -> Result<()> {
    let number = |of: fn(&Estimate) -> f64| all.iter().map(|(.., e)| of(e)).collect::<Vec<f64>>();
    let groups: Vec<&str> = all.iter().map(|(group, ..)| group.as_str()).collect();
    let quantities: Vec<&str> = all.iter().map(|(_, quantity, _)| quantity.column()).collect();
    ctx.table(
        name,
        step,
        &[
            Column::utf8(group, &groups),
            Column::utf8("quantity", &quantities),
            Column::f64("spearman", number(|e| e.value)),
            Column::f64("low", number(|e| e.low)),
            Column::f64("high", number(|e| e.high)),
            Column::i64("networks", all.iter().map(|(.., e)| e.pairs as i64).collect::<Vec<_>>()),
        ],
    )
}

/// Of batch size and every quantity, under each protocol.
fn trends(ctx: &Ctx, plan: &Plan, networks: &[Network], step: i64) -> Result<()> {
    let mut all = Vec::new();
    for name in PROTOCOLS {
        let these = by_protocol(plan, networks, name);
        for quantity in Quantity::ALL {
            all.push((name.to_owned(), quantity, Groups::of(plan, &these, quantity).trend()));
        }
    }
    estimates(ctx, "trends", "protocol", &all, step)
}

/// Of the test loss and what may go with it, over the many networks and under each protocol.
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
