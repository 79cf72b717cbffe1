//! Detects series that have become non-finite: which, from which step, and which came first.

use gradtop_chart::number;
use gradtop_store::SeriesKey;

use super::record::{At, Life};
use super::verdict::{Confidence, Diagnosis, Known, Rule, Verdict, name, time};

/// Maximum number of series named as evidence.
const NAMED: usize = 4;

/// What a series measures, judged by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Loss,
    Gradient,
    Other,
}

fn about(key: &SeriesKey, headline: &[&str]) -> About {
    let metric = key.metric.to_lowercase();
    if metric.contains("grad") {
        About::Gradient
    } else if metric.contains("loss") || headline.contains(&key.metric.as_str()) {
        About::Loss
    } else {
        About::Other
    }
}

struct Lost<'a> {
    key: &'a SeriesKey,
    life: &'a Life,
    since: At,
    about: About,
}

pub(super) fn judge(known: &Known<'_>, found: &mut Diagnosis) {
    let declared = &known.view.manifest.metrics;
    let headline: Vec<&str> = declared.iter().filter(|m| m.headline).map(|m| m.name.as_str()).collect();
    let mut lost = Vec::new();
    let (mut passed, mut never) = (Vec::new(), Vec::new());
    for (key, life) in &known.record.series {
        let about = about(key, &headline);
        match (life.odd, life.odd_since) {
            // A metric that was never finite may be undefined here; a loss may not.
            (Some(_), Some(_)) if life.odd_rows == life.rows && about != About::Loss => {
                never.push(name(key));
            }
            (Some(_), Some(since)) => lost.push(Lost { key, life, since, about }),
            (Some(_), None) => passed.push((key, life)),
            _ => {}
        }
    }
    let series = known.record.series.len();
    if lost.is_empty() {
        let mut text =
            format!("every last value of {}: finite", number_of(series as u64, "series", "series"));
        if let Some(first) = never.first() {
            text = format!("last values: finite, but for {first} and others that never were numbers");
            if never.len() == 1 {
                text = format!("last values: finite, but for {first}, which never was a number");
            }
        }
        if series > 0 {
            found.looked.push(text);
        }
    } else {
        found.verdicts.push(verdict(known, lost));
    }
    for (key, life) in passed.into_iter().take(NAMED) {
        let Some(odd) = life.odd else { continue };
        found.looked.push(format!(
            "{} was {} at step {}, and is finite again ({} of {})",
            name(key),
            number::value(odd.value),
            odd.step,
            number::count(life.odd_rows as f64),
            number_of(life.rows, "row", "rows")
        ));
    }
}

fn verdict(known: &Known<'_>, mut lost: Vec<Lost<'_>>) -> Verdict {
    lost.sort_by_key(|l| (l.since.time_us, l.since.step));
    let first = &lost[0];
    let step = first.since.step;
    let others = lost.len() - 1;
    let more = match others {
        0 => String::new(),
        1 => ", and 1 more series".to_owned(),
        more => format!(", and {more} more series"),
    };
    let text = format!("{} is {} since step {step}{more}", name(first.key), number::value(first.since.value));
    let mut proof: Vec<String> = lost
        .iter()
        .take(NAMED)
        .map(|l| {
            let at = known.moment(l.since.time_us);
            // Of those since then none is.
            let before = match l.life.rows - l.life.odd_rows {
                0 => "never finite before".to_owned(),
                n => format!("{} finite before", number_of(n, "row", "rows")),
            };
            format!(
                "{}: {} at step {}, {at}; {before}",
                name(l.key),
                number::value(l.since.value),
                l.since.step
            )
        })
        .collect();
    if lost.len() > NAMED {
        proof.push(format!("and {} more series", lost.len() - NAMED));
    }
    let earliest = |about| lost.iter().filter(|l| l.about == about).map(|l| l.since.step).min();
    match (earliest(About::Loss), earliest(About::Gradient)) {
        (Some(loss), Some(gradient)) if gradient < loss => {
            proof.push(format!("the gradient went first: step {gradient}, the loss at step {loss}"));
        }
        (Some(loss), Some(gradient)) if loss < gradient => {
            proof.push(format!("the loss went first: step {loss}, the gradient at step {gradient}"));
        }
        (Some(loss), Some(_)) => proof.push(format!("loss and gradient went at the same step, {loss}")),
        (Some(_), None) => {
            let gradient = known.record.series.keys().any(|key| about(key, &[]) == About::Gradient);
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
        since: time(first.since.time_us),
        step: Some(step),
        proof,
    }
}

/// Formats `1 row` or `2 rows`.
pub(super) fn number_of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number::count(n as f64), if n == 1 { one } else { many })
}
