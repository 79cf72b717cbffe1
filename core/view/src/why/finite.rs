//! Detects series that have become non-finite: which, from which step, and which came first.

use gradtop_chart::number;
use gradtop_store::SeriesKey;

use super::run_summary::{Point, SeriesSummary};
use super::verdict::{Confidence, Diagnosis, Evidence, Rule, Verdict, name};

/// Maximum number of series named as evidence.
const NAMED: usize = 4;

/// What a series measures, judged by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Loss,
    Gradient,
    Other,
}

fn quantity(key: &SeriesKey, headline: &[&str]) -> Quantity {
    let metric = key.metric.to_lowercase();
    if metric.contains("grad") {
        Quantity::Gradient
    } else if metric.contains("loss") || headline.contains(&key.metric.as_str()) {
        Quantity::Loss
    } else {
        Quantity::Other
    }
}

struct NonFiniteSeries<'a> {
    key: &'a SeriesKey,
    summary: &'a SeriesSummary,
    since: Point,
    quantity: Quantity,
}

pub(super) fn judge(evidence: &Evidence<'_>, found: &mut Diagnosis) {
    let declared = &evidence.view.manifest.metrics;
    let headline: Vec<&str> = declared.iter().filter(|m| m.headline).map(|m| m.name.as_str()).collect();
    let mut lost = Vec::new();
    let (mut passed, mut never) = (Vec::new(), Vec::new());
    for (key, summary) in &evidence.summary.series {
        let quantity = quantity(key, &headline);
        match (summary.first_non_finite, summary.non_finite_since) {
            // A metric that was never finite may be undefined here; a loss may not.
            (Some(_), Some(_)) if summary.non_finite_rows == summary.rows && quantity != Quantity::Loss => {
                never.push(name(key));
            }
            (Some(_), Some(since)) => lost.push(NonFiniteSeries { key, summary, since, quantity }),
            (Some(_), None) => passed.push((key, summary)),
            _ => {}
        }
    }
    let series = evidence.summary.series.len();
    if lost.is_empty() {
        let mut text = format!("every last value of {} series: finite", number::count(series as f64));
        if let Some(first) = never.first() {
            text = format!("last values: finite, but for {first} and others that never were numbers");
            if never.len() == 1 {
                text = format!("last values: finite, but for {first}, which never was a number");
            }
        }
        if series > 0 {
            found.examined.push(text);
        }
    } else {
        found.verdicts.push(verdict(evidence, lost));
    }
    for (key, summary) in passed.into_iter().take(NAMED) {
        let Some(first) = summary.first_non_finite else { continue };
        found.examined.push(format!(
            "{} was {} at step {}, and is finite again; {} of {} are not",
            name(key),
            number::value(first.value),
            number::whole(first.step),
            number::count(summary.non_finite_rows as f64),
            number::counted(summary.rows as usize, "row")
        ));
    }
}

fn verdict(evidence: &Evidence<'_>, mut lost: Vec<NonFiniteSeries<'_>>) -> Verdict {
    lost.sort_by_key(|l| (l.since.time_us, l.since.step));
    let first = &lost[0];
    let step = first.since.step;
    let others = lost.len() - 1;
    let more = match others {
        0 => String::new(),
        1 => ", and 1 more series".to_owned(),
        more => format!(", and {more} more series"),
    };
    let text = format!(
        "{} is {} since step {}{more}",
        name(first.key),
        number::value(first.since.value),
        number::whole(step)
    );
    let mut proof: Vec<String> = lost
        .iter()
        .take(NAMED)
        .map(|l| {
            // Of those since then none is.
            let before = match l.summary.rows - l.summary.non_finite_rows {
                0 => "never finite before".to_owned(),
                n => format!("{} finite before", number::counted(n as usize, "row")),
            };
            let (value, place) = (number::value(l.since.value), evidence.place(l.since));
            format!("{}: {value} {place}; {before}", name(l.key))
        })
        .collect();
    if lost.len() > NAMED {
        proof.push(format!("and {} more series", lost.len() - NAMED));
    }
    let earliest = |quantity| lost.iter().filter(|l| l.quantity == quantity).map(|l| l.since.step).min();
    match (earliest(Quantity::Loss), earliest(Quantity::Gradient)) {
        (Some(loss), Some(gradient)) if gradient < loss => {
            proof.push(format!(
                "the gradient went first: step {}, the loss at step {}",
                number::whole(gradient),
                number::whole(loss)
            ));
        }
        (Some(loss), Some(gradient)) if loss < gradient => {
            proof.push(format!(
                "the loss went first: step {}, the gradient at step {}",
                number::whole(loss),
                number::whole(gradient)
            ));
        }
        (Some(loss), Some(_)) => {
            proof.push(format!("loss and gradient went at the same step, {}", number::whole(loss)));
        }
        (Some(_), None) => {
            let gradient = evidence.summary.series.keys().any(|key| quantity(key, &[]) == Quantity::Gradient);
            proof.push(if gradient {
                "the loss went first: the logged gradients are finite".to_owned()
            } else {
                "no gradient is logged: whether it went before the loss is not known".to_owned()
            });
        }
        _ => {}
    }
    Verdict {
        rule: Rule::NotFinite,
        confidence: Confidence::Certain,
        text,
        since: evidence.time(first.since.time_us),
        step: Some(step),
        proof,
    }
}
