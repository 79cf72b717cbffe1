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
        let text = match &never[..] {
            [] => format!("every last value of {} series: finite", number::count(series as f64)),
            [one] => format!("last values: finite, but for {one}, which never was a number"),
            [first, ..] => format!("last values: finite, but for {first} and others that never were numbers"),
        };
        found.examined.extend((series > 0).then_some(text));
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
    let more = match lost.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more series"),
    };
    let text = format!(
        "{} is {} since step {}{more}",
        name(first.key),
        number::value(first.since.value),
        number::whole(first.since.step)
    );
    let mut proof: Vec<String> = lost.iter().take(NAMED).map(|lost| since_when(evidence, lost)).collect();
    if lost.len() > NAMED {
        proof.push(format!("and {} more series", lost.len() - NAMED));
    }
    proof.extend(which_went_first(evidence, &lost));
    Verdict {
        rule: Rule::NotFinite,
        confidence: Confidence::Certain,
        text,
        since: evidence.time(first.since.time_us),
        step: Some(first.since.step),
        proof,
    }
}

/// Says since when a series is not finite, and how long it was.
fn since_when(evidence: &Evidence<'_>, lost: &NonFiniteSeries<'_>) -> String {
    // Of those since then none is.
    let before = match lost.summary.rows - lost.summary.non_finite_rows {
        0 => "never finite before".to_owned(),
        n => format!("{} finite before", number::counted(n as usize, "row")),
    };
    let (value, place) = (number::value(lost.since.value), evidence.place(lost.since));
    format!("{}: {value} {place}; {before}", name(lost.key))
}

/// Says whether the loss or the gradient was non-finite first, if the loss is.
fn which_went_first(evidence: &Evidence<'_>, lost: &[NonFiniteSeries<'_>]) -> Option<String> {
    let earliest = |quantity| lost.iter().filter(|l| l.quantity == quantity).map(|l| l.since.step).min();
    let loss = earliest(Quantity::Loss)?;
    let is_gradient = |key| quantity(key, &[]) == Quantity::Gradient;
    let step = number::whole;
    Some(match earliest(Quantity::Gradient) {
        Some(gradient) if gradient < loss => {
            format!("the gradient went first: step {}, the loss at step {}", step(gradient), step(loss))
        }
        Some(gradient) if loss < gradient => {
            format!("the loss went first: step {}, the gradient at step {}", step(loss), step(gradient))
        }
        Some(_) => format!("loss and gradient went at the same step, {}", step(loss)),
        None if evidence.summary.series.keys().any(is_gradient) => {
            "the loss went first: the logged gradients are finite".to_owned()
        }
        None => "no gradient is logged: whether it went before the loss is not known".to_owned(),
    })
}
