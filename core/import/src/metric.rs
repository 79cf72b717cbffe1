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

/// Declares a metric unless it is declared. The first one of each goal becomes a headline metric. Returns whether it was added.
pub fn declare(metrics: &mut Vec<MetricInfo>, name: &str) -> bool {
    if metrics.len() >= DECLARED || metrics.iter().any(|m| m.name == name) {
        return false;
    }
    let goal = goal(name);
    let headline = goal != Goal::None && metrics.iter().all(|m| m.goal != goal);
    metrics.push(MetricInfo { name: name.to_owned(), goal, headline, ..MetricInfo::default() });
    true
}

/// Converts a number to an integer if it is one.
pub(crate) fn float_or_int(n: f64) -> ParamValue {
    if n.fract() == 0.0 && n.abs() < 9e15 { ParamValue::Int(n as i64) } else { ParamValue::Float(n) }
}
