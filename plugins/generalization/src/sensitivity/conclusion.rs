//! Draws conclusions from the networks.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, FEWEST, coefficient, counted};

use super::figures::table_of;
use super::measure::Network;
use super::plan::{Moment, Plan, Purpose};
use super::verdict::{Artefact, Groups, PEAKS, Quantity, by_protocol, many, of, own_rates, with_test_loss};

/// Minimum number of networks for a rank correlation.
const FEWEST_PAIRS: usize = 4;

/// The caution that all batch sizes share a learning rate.
const ONE_RATE: &str = "one learning rate for all batch sizes: part of a trend may come from the rate";

/// Writes the claims about each protocol, about peaks and about generalisation to the log and the table `conclusion`,
/// and returns each with its figure.
pub(super) fn write(ctx: &Ctx, plan: &Plan, networks: &[Network], step: i64) -> Result<Vec<(String, Claim)>> {
    let (mut about, mut said): (Vec<String>, Vec<(String, Claim)>) = (Vec::new(), Vec::new());
    let mut say = |what: &str, figure: &str, claims: Vec<Claim>| {
        about.extend(claims.iter().map(|_| what.to_owned()));
        said.extend(claims.into_iter().map(|claim| (figure.to_owned(), claim)));
    };
    for moment in plan.protocols() {
        let these = by_protocol(plan, networks, moment.name());
        say(moment.name(), &table_of(moment), protocol(plan, moment, &these));
    }
    let matched = table_of(Moment::Loss(plan.params.target));
    say("rates", &matched, rates(plan, networks).into_iter().collect());
    for quantity in PEAKS {
        let what = format!("peak of the {}", quantity.name());
        say(&what, "peak", vec![artefact(plan, quantity, &Artefact::of(plan, networks, quantity))]);
    }
    if plan.legs.iter().any(|leg| leg.purpose == Purpose::Many) {
        say("generalisation", "many", generalisation(plan, &many(plan, networks)));
    }
    conclusion::write(ctx, step, said, 0, vec![Column::utf8("what", &about)])
}

/// Returns the claims about what rises and falls, and by how much, under one protocol.
fn protocol(plan: &Plan, moment: Moment, networks: &[&Network]) -> Vec<Claim> {
    let title = format!("measured {}", moment.in_words());
    let losses = Groups::of(plan, networks, Quantity::TrainLoss);
    let untestable =
        |words: String| vec![Claim::untestable(&title, "what changes with the batch size").caution(words)];
    let (Some(first), Some(last)) = (losses.0.first(), losses.0.last()) else {
        return untestable("no network came that far".to_owned());
    };
    if losses.0.len() < 2 {
        return untestable(format!("only the batch size {} came that far", first.0));
    }
    let compared = plan.legs.iter().filter(|leg| leg.purpose == Purpose::Batches);
    let wanted: i64 = compared.filter(|leg| leg.moments.contains(&moment)).map(|leg| leg.trials).sum();
    let missing = wanted - networks.len() as i64;
    let missing =
        if missing > 0 { format!("{missing} networks did not come that far") } else { String::new() };
    let seen = format!("{} networks, batch sizes {} to {}", networks.len(), first.0, last.0);
    Quantity::ALL
        .iter()
        .map(|&quantity| {
            let about = format!("{title}, {}", quantity.name());
            let claim = trend(about, quantity, &Groups::of(plan, networks, quantity)).evidence(&seen);
            claim.caution(ONE_RATE).caution(&missing)
        })
        .collect()
}

/// Returns the claim how the differences between batch sizes change if each has its own rate: from the smallest to the
/// largest that reached the training loss.
fn rates(plan: &Plan, networks: &[Network]) -> Option<Claim> {
    let wanted = plan.legs.iter().filter(|leg| leg.purpose == Purpose::Rates).count();
    if wanted == 0 {
        return None;
    }
    let (found, pairs) = (of(plan, networks, Purpose::Rates), own_rates(plan, networks));
    let about = format!("measured {}, own learning rates", Moment::Loss(plan.params.target).in_words());
    let (Some(first), Some(last)) = (pairs.first(), pairs.last().filter(|_| pairs.len() > 1)) else {
        return Some(
            Claim::untestable(about, "what own learning rates change")
                .evidence(format!("{} of {wanted} networks came to the training loss", found.len())),
        );
    };
    let lr = |network: &Network| plan.legs[network.leg].lr;
    let batch = |network: &Network| plan.legs[network.leg].batch;
    let ends =
        |quantity: Quantity, which: usize| [first, last].map(|pair| quantity.of(&pair[which].measures));
    let grows = |[small, large]: [f64; 2]| large > small;
    let compared = Quantity::ALL.iter().copied().filter(|quantity| *quantity != Quantity::TrainLoss);
    let turned: Vec<&str> = compared
        .clone()
        .filter(|quantity| grows(ends(*quantity, 0)) != grows(ends(*quantity, 1)))
        .map(|quantity| quantity.name())
        .collect();
    let words = if turned.is_empty() {
        "with each batch size at its own rate every difference between the smallest and the largest keeps its sign".to_owned()
    } else {
        format!("with each batch size at its own rate the difference changes its sign: {}", turned.join(", "))
    };
    let numbers: Vec<String> = compared
        .clone()
        .map(|quantity| {
            let ([a, b], [c, d]) = (ends(quantity, 0), ends(quantity, 1));
            format!("{} {} to {} and {} to {}", quantity.name(), short(a), short(b), short(c), short(d))
        })
        .collect();
    let apart = |[small, large]: [f64; 2]| (large / small).ln().abs();
    let smaller = compared.clone().filter(|q| apart(ends(*q, 1)) < apart(ends(*q, 0))).count();
    let shrunk = format!("{smaller} of {} differences are smaller at own rates", compared.count());
    let chosen: Vec<String> = pairs.iter().map(|[_, own]| format!("{} at {}", lr(own), batch(own))).collect();
    let missing = wanted - found.len();
    let claim = Claim::seen(about, words)
        .evidence(format!("own rates by batch size: {}", chosen.join(", ")))
        .evidence(format!(
            "from batch size {} to {} at the common rate, and at own rates: {}",
            batch(first[0]),
            batch(last[0]),
            numbers.join("; ")
        ))
        .evidence(shrunk)
        .caution(format!(
            "one network of each size and rate, on {} images; {} others chose the rate, by chance where their losses are close; the test set chose nothing",
            plan.swept[0].count(),
            plan.swept[1].count()
        ));
    Some(if missing > 0 {
        claim.caution(format!("{missing} of {wanted} networks did not come to the training loss in time"))
    } else {
        claim
    })
}

fn trend(about: String, quantity: Quantity, groups: &Groups) -> Claim {
    let estimate = groups.trend();
    let (start, end) = groups.ends().unwrap_or((f64::NAN, f64::NAN));
    let ends = format!("means {} at the smallest and {} at the largest batch size", short(start), short(end));
    let name = quantity.with_article();
    let asked = format!("how {name} changes with batch size");
    if estimate.value.is_nan() {
        return Claim::untestable(about, asked)
            .evidence(ends)
            .caution("fewer than 4 values are finite, or all are equal");
    }
    let verb = if estimate.value > 0.0 { "rises" } else { "falls" };
    let statement = format!("{name} {verb} with batch size");
    let otherwise = format!("no trend of {name} with batch size can be told from chance");
    Claim::ordered(about, &estimate, groups.chance(), statement, otherwise, asked)
        .evidence(coefficient(&estimate))
        .evidence(ends)
}

fn short(value: f64) -> String {
    if value.abs() >= 10.0 { format!("{value:.1}") } else { format!("{value:.3}") }
}

/// Returns the claim whether a peak at an equal number of epochs is one of training progress.
fn artefact(plan: &Plan, quantity: Quantity, found: &Artefact) -> Claim {
    let about = format!("{}, peak of the {}", Moment::Epochs(plan.params.epochs).in_words(), quantity.name());
    let legs = || plan.legs.iter().filter(|leg| leg.purpose == Purpose::Batches);
    let sizes = legs().count();
    let few = legs().any(|leg| (leg.trials as usize) < FEWEST);
    if sizes < 3 || (few && found.peak.is_none()) {
        let claim = Claim::untestable(about, format!("whether the {} has a peak", quantity.name()))
            .evidence(counted(sizes as i64, "batch size"));
        return if sizes < 3 { claim.caution("a peak needs three") } else { claim.few() };
    }
    let (Some((peak, p)), Some([for_it, against, untestable])) = (found.peak, found.evidence()) else {
        let words = format!("no batch size has a {} above both ends", quantity.name());
        return Claim::seen(about, words).evidence(format!("{sizes} batch sizes"));
    };
    let verdict = match (against.is_empty(), untestable.is_empty(), for_it.is_empty()) {
        (true, true, _) => "and is one of training progress",
        (false, _, true) => "and nothing says that it is one of training progress",
        _ => "and whether it is one of training progress is not decided",
    };
    let claim = Claim::tested(
        about,
        p,
        format!("the {} peaks at batch size {peak}, {verdict}", quantity.name()),
        format!("the {} has no peak between the batch sizes that can be told from chance", quantity.name()),
    )
    .evidence(format!("{sizes} batch sizes; the highest mean lies at {peak}"));
    let claim = for_it.iter().fold(claim, |claim, reason| claim.evidence(format!("for it: {reason}")));
    let claim = against.iter().fold(claim, |claim, reason| claim.evidence(format!("against it: {reason}")));
    untestable.iter().fold(claim.caution(ONE_RATE), Claim::caution)
}

fn generalisation(plan: &Plan, networks: &[&Network]) -> Vec<Claim> {
    let wanted: i64 = plan.legs.iter().filter(|leg| leg.purpose == Purpose::Many).map(|leg| leg.trials).sum();
    let learnt = format!(
        "{} of {wanted} networks that learnt {} images down to a training loss of {}",
        networks.len(),
        plan.few.count(),
        plan.params.many_target
    );
    if networks.len() < FEWEST_PAIRS {
        return vec![
            Claim::untestable("generalisation", "what goes with the test loss")
                .evidence(learnt)
                .caution("too few came that far"),
        ];
    }
    Quantity::PREDICTORS
        .into_iter()
        .map(|quantity| {
            let about = format!("generalisation, {}", quantity.name());
            let found = with_test_loss(networks, quantity);
            let Some(p) = found.p.filter(|_| !found.estimate.value.is_nan()) else {
                return Claim::untestable(
                    about,
                    format!("whether {} goes with the test loss", quantity.with_article()),
                )
                .evidence(&learnt)
                .caution(if found.estimate.value.is_nan() {
                    "it is the same in all, or not finite".to_owned()
                } else {
                    format!(
                        "{} settings: fewer than {FEWEST}, and networks of one setting are alike",
                        found.settings
                    )
                });
            };
            let way = if found.estimate.value > 0.0 { "higher" } else { "lower" };
            Claim::tested(
                about,
                Some(p),
                format!("{} is {way} where the test loss is higher", quantity.with_article()),
                format!("no order of {} and the test loss can be told from chance", quantity.with_article()),
            )
            .evidence(coefficient(&found.estimate))
            .evidence(format!("interval and p by resampling {} settings, not networks", found.settings))
            .evidence(&learnt)
            .caution("the order of the quantities changes with seed and settings, so no ranking is claimed")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_told_by_their_tests() {
        let groups = |of: [f64; 3]| {
            let near = |v: f64| (0..5).map(|i| v + 0.01 * f64::from(i)).collect::<Vec<_>>();
            Groups([16, 256, 4096].iter().zip(of).map(|(b, v)| (*b, near(v))).collect())
        };
        let said = |quantity, groups: &Groups| {
            let mut claims = [trend("x".into(), quantity, groups)];
            conclusion::settle(&mut claims, 24);
            claims[0].whole()
        };
        let text = said(Quantity::TestLoss, &groups([0.1, 0.2, 0.3]));
        assert!(
            text.contains("the test loss rises with batch size (shown)") && text.contains("means 0.120 at"),
            "{text}"
        );
        assert!(
            said(Quantity::Logits, &groups([60.0, 40.0, 20.0])).contains("falls with batch size (shown)")
        );
        assert!(said(Quantity::Trace, &groups([0.1, 0.3, 0.1])).contains("no trend of the trace"));
        let equal = Groups(vec![(16, vec![0.5; 2]), (64, vec![0.5; 2])]);
        for text in [said(Quantity::Trace, &equal), said(Quantity::Trace, &groups([f64::NAN; 3]))] {
            assert!(text.contains("(not testable)") && !text.contains("Spearman"), "{text}");
        }
        // Without a test only the interval speaks: of four networks it has no direction, of eight it has one.
        let two = Groups(vec![(16, vec![0.5, 0.6]), (64, vec![0.7, 0.8])]);
        let text = said(Quantity::Trace, &two);
        assert!(text.contains("(not testable)") && text.contains("fewer than 5 trials"), "{text}");
        let four = Groups(vec![(16, vec![0.5, 0.51, 0.52, 0.53]), (64, vec![0.7, 0.71, 0.72, 0.73])]);
        let text = said(Quantity::Trace, &four);
        assert!(
            text.contains("rises with batch size (seen") && text.contains("fewer than 5 trials"),
            "{text}"
        );
    }
}
