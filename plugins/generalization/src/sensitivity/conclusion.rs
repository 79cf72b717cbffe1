//! What the networks say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::significant;
use gradtop_toolkit::stats::Estimate;

use super::edge::Edge;
use super::measure::Network;
use super::plan::{Moment, Plan};
use super::verdict::{Artefact, Groups, Order, Quantity, by_protocol, many, with_test_loss};

/// Steps after which the edge should be reached, as a share of all.
const SETTLED: f64 = 1.0 / 3.0;

/// Networks that a rank correlation needs.
const FEWEST: usize = 4;

/// Writes a paragraph a protocol and one each on peaks, on generalisation and on the edge to the log and the table `conclusion`.
pub(super) fn write(
    ctx: &Ctx,
    plan: &Plan,
    networks: &[Network],
    edge: Option<&Edge<'_>>,
    step: i64,
) -> Result<()> {
    let mut said: Vec<(String, String)> = Vec::new();
    for moment in plan.protocols() {
        let these = by_protocol(plan, networks, moment.name());
        said.push((moment.name().to_owned(), protocol(plan, moment, &these)));
    }
    for quantity in [Quantity::Probabilities, Quantity::Logits] {
        let text = artefact(plan, quantity, &Artefact::of(plan, networks, quantity));
        said.push((format!("peak of the {}", quantity.name()), text));
    }
    let these = many(plan, networks);
    if plan.legs.iter().any(|leg| leg.many) {
        said.push(("generalisation".to_owned(), generalisation(plan, &these)));
    }
    if let Some(edge) = edge {
        said.extend((0..plan.edge_runs() as usize).map(|run| {
            let (rate, trial) = plan.edge_run(run);
            let points =
                edge.points().iter().map(|p| (p.step, p.lambdas[run], p.losses[run])).collect::<Vec<_>>();
            (format!("edge, rate {rate}, network {trial}"), at_the_edge(rate, &points))
        }));
    }
    for (_, text) in &said {
        ctx.info(text)?;
    }
    let (what, statements): (Vec<&str>, Vec<&str>) =
        said.iter().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
    ctx.table("conclusion", step, &[Column::utf8("what", &what), Column::utf8("statement", &statements)])
}

/// What rises, what falls, and by how much, under one protocol.
fn protocol(plan: &Plan, moment: Moment, networks: &[&Network]) -> String {
    let title = moment.in_words();
    let losses = Groups::of(plan, networks, Quantity::TrainLoss);
    let (Some(first), Some(last)) = (losses.0.first(), losses.0.last()) else {
        return format!("Measured {title}: no network came that far.");
    };
    if losses.0.len() < 2 {
        return format!("Measured {title}: only the batch size {} came that far.", first.0);
    }
    let few = networks.len() < FEWEST;
    let parts: Vec<String> = Quantity::ALL
        .into_iter()
        .map(|quantity| {
            let groups = Groups::of(plan, networks, quantity);
            if few { from_to(quantity, &groups) } else { trend(quantity, &groups) }
        })
        .collect();
    let caution = if few { " Fewer than 4 networks: no order can be claimed." } else { "" };
    let wanted: i64 =
        plan.legs.iter().filter(|leg| leg.moments.contains(&moment)).map(|leg| leg.trials).sum();
    let missing = wanted - networks.len() as i64;
    let missing =
        if missing > 0 { format!(" {missing} networks did not come that far.") } else { String::new() };
    format!(
        "Measured {title} ({} networks, batch sizes {} to {}): {}.{caution}{missing}",
        networks.len(),
        first.0,
        last.0,
        parts.join("; ")
    )
}

/// `test loss 0.301 to 0.306`.
fn from_to(quantity: Quantity, groups: &Groups) -> String {
    let (start, end) = groups.ends().unwrap_or((f64::NAN, f64::NAN));
    format!("{} {} to {}", quantity.name(), short(start), short(end))
}

fn trend(quantity: Quantity, groups: &Groups) -> String {
    let estimate = groups.trend();
    let (start, end) = groups.ends().unwrap_or((f64::NAN, f64::NAN));
    if estimate.value.is_nan() {
        return format!(
            "{}: an order cannot be told, too few values are finite or all are equal",
            from_to(quantity, groups)
        );
    }
    let verb = match Order::of(estimate) {
        Order::Rises => "rises with batch size",
        Order::Falls => "falls with batch size",
        Order::Unclear => "has no order with batch size that can be told from chance",
    };
    format!("{} {verb} ({} to {}, {})", quantity.name(), short(start), short(end), coefficient(estimate))
}

fn short(value: f64) -> String {
    if value.abs() >= 10.0 { format!("{value:.1}") } else { format!("{value:.3}") }
}

fn coefficient(estimate: Estimate) -> String {
    format!("Spearman {:.2}, 95 % interval {:.2} to {:.2}", estimate.value, estimate.low, estimate.high)
}

/// Whether a peak under as many epochs is one of training progress.
fn artefact(plan: &Plan, quantity: Quantity, found: &Artefact) -> String {
    let epochs = plan.params.epochs;
    let sizes = plan.legs.iter().filter(|leg| !leg.many).count();
    if sizes < 3 {
        return format!(
            "Of {sizes} batch size{}, no peak of the {} can be told.",
            if sizes == 1 { "" } else { "s" },
            quantity.name()
        );
    }
    let (Some(peak), Some((for_it, against))) = (found.peak, found.evidence()) else {
        return format!("After {epochs} epochs the {} has no peak between the batch sizes.", quantity.name());
    };
    let verdict = if against.is_empty() {
        format!("It is an artefact of training progress: {}", for_it.join("; "))
    } else if for_it.is_empty() {
        format!("Nothing says that it is an artefact of training progress: {}", against.join("; "))
    } else {
        format!(
            "Whether it is an artefact of training progress is not decided. For it: {}. Against it: {}",
            for_it.join("; "),
            against.join("; ")
        )
    };
    format!("After {epochs} epochs the {} peaks at batch size {peak}. {verdict}.", quantity.name())
}

fn generalisation(plan: &Plan, networks: &[&Network]) -> String {
    let wanted: i64 = plan.legs.iter().filter(|leg| leg.many).map(|leg| leg.trials).sum();
    if networks.len() < FEWEST {
        return format!(
            "{} of {wanted} networks that learnt {} images came to a training loss of {}: too few to tell what goes with the test loss.",
            networks.len(),
            plan.few.count(),
            plan.params.many_target
        );
    }
    let parts: Vec<String> = Quantity::PREDICTORS
        .into_iter()
        .map(|quantity| {
            let estimate = with_test_loss(networks, quantity);
            if estimate.value.is_nan() {
                return format!("{} is the same in all, or not finite", quantity.name());
            }
            let verb = match Order::of(estimate) {
                Order::Rises => "is higher where the test loss is higher",
                Order::Falls => "is lower where the test loss is higher",
                Order::Unclear => "does not go with the test loss beyond chance",
            };
            format!("{} {verb} ({})", quantity.name(), coefficient(estimate))
        })
        .collect();
    format!(
        "Over {} of {wanted} networks that learnt {} images down to a training loss of {}: {}.",
        networks.len(),
        plan.few.count(),
        plan.params.many_target,
        parts.join("; ")
    )
}

/// Where the largest eigenvalue went: (step, λmax, loss).
fn at_the_edge(rate: f64, points: &[(i64, f64, f64)]) -> String {
    let Some(&(last, ..)) = points.last() else { return format!("Rate {rate}: nothing was seen.") };
    let limit = 2.0 / rate;
    let late: Vec<f64> = points
        .iter()
        .filter(|(step, ..)| *step as f64 >= SETTLED * last as f64)
        .map(|(_, lambda, _)| lambda / limit)
        .collect();
    let begin = (SETTLED * last as f64).ceil() as i64;
    if late.iter().any(|share| !share.is_finite()) {
        return format!("Gradient descent at rate {rate} diverged.");
    }
    let (low, high) =
        late.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let verdict = if low >= 0.97 && high <= 1.12 {
        "it sits at the edge of stability"
    } else if high < 0.97 {
        "it has not come to the edge"
    } else {
        "it does not stay at the edge"
    };
    let (.., loss) = points[points.len() - 1];
    format!(
        "Gradient descent at rate {rate}: from step {begin} on the largest eigenvalue is {low:.3} to {high:.3} of 2 / rate = \
         {limit}: {verdict}; the loss ends at {}.",
        significant(loss, 3)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_told_by_the_numbers() {
        let points = |late: f64| -> Vec<(i64, f64, f64)> {
            vec![(0, 5.0, 0.5), (1000, 20.0 * late, 0.1), (2000, 20.2, 0.05), (3000, 20.4, 0.01)]
        };
        let text = at_the_edge(0.1, &points(1.0));
        for part in
            ["from step 1000 on", "1.000 to 1.020 of 2 / rate = 20", "sits at the edge", "ends at 0.0100."]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(at_the_edge(0.1, &points(0.5)).contains("does not stay"));
        assert!(at_the_edge(0.01, &points(1.0)).contains("has not come"));
        assert!(at_the_edge(0.1, &points(f64::NAN)).contains("diverged"));
    }

    #[test]
    fn orders_are_told_by_their_intervals() {
        let groups = |of: [f64; 3]| {
            Groups([16, 256, 4096].iter().zip(of).map(|(b, v)| (*b, vec![v, v + 0.01, v + 0.02])).collect())
        };
        assert!(
            trend(Quantity::TestLoss, &groups([0.1, 0.2, 0.3]))
                .contains("test loss rises with batch size (0.110 to 0.310")
        );
        assert!(
            trend(Quantity::Logits, &groups([60.0, 40.0, 20.0]))
                .contains("falls with batch size (60.0 to 20.0")
        );
        assert!(trend(Quantity::Trace, &groups([0.1, 0.3, 0.1])).contains("no order"));
        let equal = Groups(vec![(16, vec![0.5; 2]), (64, vec![0.5; 2])]);
        let diverged = groups([f64::NAN; 3]);
        for text in [trend(Quantity::Trace, &equal), trend(Quantity::Trace, &diverged)] {
            assert!(text.contains("cannot be told") && !text.contains("Spearman"), "{text}");
        }
    }
}
