//! Values of parameters as text, and the parameters in which runs differ.

use std::collections::BTreeMap;

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{ParamValue, View};

/// Formats a parameter's value briefly.
pub fn brief(value: &ParamValue) -> String {
    match value {
        ParamValue::Float(v) if *v != 0.0 => number::value(*v),
        other => full(other),
    }
}

/// Formats a parameter's value with all its digits, in a form that can be typed; an empty text as `""`.
pub fn full(value: &ParamValue) -> String {
    if let ParamValue::Float(v) = value
        && let brief = number::value(*v)
        && brief.parse().is_ok_and(|same: f64| same.to_bits() == v.to_bits())
    {
        return brief;
    }
    let text = clean(&value.to_string());
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

/// Returns the parameters that differ between runs of one experiment, in declaration order: first those with several
/// values, then those that only some of the runs have.
pub fn differing<'a>(views: &[&'a View]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in views.iter().flat_map(|view| &view.manifest.params) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let value = |view: &View, key: &str| view.manifest.param(key).map(ToString::to_string);
    keys.retain(|key| views.windows(2).any(|pair| value(pair[0], key) != value(pair[1], key)));
    keys.sort_by_cached_key(|key| {
        let mut values = views.iter().filter_map(|view| value(view, key));
        let first = values.next();
        values.all(|other| Some(other) == first)
    });
    keys
}

/// Returns the share of pairs of runs that their values tell apart: 0 if all are the same, 1 if no two are.
pub fn told_apart<T: Ord>(values: impl IntoIterator<Item = T>) -> f64 {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let pairs = |n: usize| (n * n.saturating_sub(1)) as f64;
    let (all, alike) = (pairs(counts.values().sum()), counts.values().map(|n| pairs(*n)).sum::<f64>());
    if all > 0.0 { 1.0 - alike / all } else { 0.0 }
}
