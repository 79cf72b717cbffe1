//! Derives declarations of metrics from their names.

use gradtop_store::{Goal, MetricInfo, ParamValue};

const LOWER: [&str; 12] =
    ["loss", "error", "err", "perplexity", "ppl", "mse", "mae", "rmse", "nll", "wer", "cer", "fid"];
const HIGHER: [&str; 16] = [
    "acc",
    "accuracy",
    "f1",
    "auc",
    "auroc",
    "precision",
    "recall",
    "bleu",
    "rouge",
    "reward",
    "rew",
    "return",
    "score",
    "iou",
    "psnr",
    "r2",
];

/// Returns whether lower or higher is better, judged by the words in the last part of a metric's name.
pub fn goal(metric: &str) -> Goal {
    let last = metric.rsplit('/').next().unwrap_or(metric).to_lowercase();
    let words = || last.split(|c: char| !c.is_alphanumeric());
    if words().any(|word| LOWER.contains(&word)) {
        Goal::Min
    } else if words().any(|word| HIGHER.contains(&word)) {
        Goal::Max
    } else {
        Goal::None
    }
}

/// Maximum number of declared metrics, to bound the size of the manifest.
const DECLARED: usize = 200;

/// Declares a metric unless it is declared. The first one of each goal becomes a headline metric, but a
/// plain word such as `loss` takes its place. Beyond 200, one with a goal takes the place of the last without one, and
/// a headline metric that of the last other one. Returns whether it was added.
pub fn declare(metrics: &mut Vec<MetricInfo>, name: &str) -> bool {
    if metrics.iter().any(|m| m.name == name) {
        return false;
    }
    let goal = goal(name);
    // `loss` itself comes before `batch_loss`.
    let gives_way = |m: &MetricInfo| is_plain(name) && !is_plain(&m.name) && is_derived(m);
    let headline = goal != Goal::None && metrics.iter().all(|m| m.goal != goal || gives_way(m));
    for other in metrics.iter_mut().filter(|m| headline && m.goal == goal) {
        other.headline = false;
    }
    if metrics.len() >= DECLARED {
        let without = metrics.iter().rposition(|m| is_derived(m) && m.goal == Goal::None);
        let other = || metrics.iter().rposition(|m| headline && is_derived(m) && !m.headline);
        let last = without.filter(|_| goal != Goal::None).or_else(other);
        let Some(last) = last else { return false };
        metrics.remove(last);
    }
    metrics.push(MetricInfo { name: name.to_owned(), goal, headline, ..MetricInfo::default() });
    true
}

/// Returns whether a name is nothing but a word that tells its goal.
fn is_plain(name: &str) -> bool {
    LOWER.iter().chain(&HIGHER).any(|word| name.eq_ignore_ascii_case(word))
}

/// Returns whether a metric is as [`declare`] makes it: what somebody else has declared stays as it is.
fn is_derived(m: &MetricInfo) -> bool {
    let own = MetricInfo {
        name: m.name.clone(),
        goal: goal(&m.name),
        headline: m.headline,
        ..MetricInfo::default()
    };
    *m == own
}

/// Converts a number to an integer if it is one.
pub(crate) fn float_or_int(n: f64) -> ParamValue {
    if n.fract() == 0.0 && n.abs() < 9e15 { ParamValue::Int(n as i64) } else { ParamValue::Float(n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_goal_is_declared_whatever_comes_before() {
        let mut metrics = Vec::new();
        for n in 0..DECLARED + 10 {
            declare(&mut metrics, &format!("w{n}"));
        }
        assert!(declare(&mut metrics, "loss") && declare(&mut metrics, "accuracy"));
        for word in ["reward", "f1", "my_error", "val/mse"] {
            assert!(declare(&mut metrics, word), "{word}");
        }
        assert!(!declare(&mut metrics, "loss") && !declare(&mut metrics, "w205"));
        let named = |from: usize| metrics[from..].iter().map(|m| m.name.as_str()).collect::<Vec<_>>();
        assert_eq!(named(193), ["w193", "loss", "accuracy", "reward", "f1", "my_error", "val/mse"]);
        for n in 0..DECLARED + 10 {
            declare(&mut metrics, &format!("loss/{n}"));
        }
        let shown: Vec<&str> = metrics.iter().filter(|m| m.headline).map(|m| m.name.as_str()).collect();
        assert_eq!((metrics.len(), shown), (DECLARED, vec!["loss", "accuracy"]));
        // The plain word comes first wherever it stands, but not before what somebody chose.
        for (unit, first) in [(None, "loss"), (Some("nats".to_owned()), "batch_loss")] {
            let mut metrics = Vec::new();
            declare(&mut metrics, "batch_loss");
            metrics[0].unit = unit;
            declare(&mut metrics, "loss");
            let shown: Vec<&str> = metrics.iter().filter(|m| m.headline).map(|m| m.name.as_str()).collect();
            assert_eq!(shown, [first]);
        }
        let mut losses: Vec<_> = (0..DECLARED).map(|n| format!("loss/{n}")).collect();
        losses.push("accuracy".to_owned());
        let mut metrics = Vec::new();
        for name in &losses {
            declare(&mut metrics, name);
        }
        assert!(metrics.len() == DECLARED && metrics.iter().any(|m| m.name == "accuracy" && m.headline));
    }
}
