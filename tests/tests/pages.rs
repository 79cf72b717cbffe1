//! Compares the pages of docs/experiments with what the plugins declare.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;

use gradtop_tests::{Sandbox, paths};

/// The keys and defaults in the table under `## Parameters`. A row with several keys has as many defaults, or a single one that
/// is not a number.
fn documented(page: &str) -> Vec<(String, String)> {
    let section = page.split("\n## ").find(|section| section.starts_with("Parameters\n")).unwrap_or_default();
    let mut out = Vec::new();
    for row in section.lines().filter(|line| line.starts_with('|')).skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let keys: Vec<&str> = cells[0].split(',').map(str::trim).collect();
        let by = if cells[1].contains(';') { "; " } else { ", " };
        let defaults: Vec<&str> = cells[1].split(by).map(str::trim).collect();
        for (i, key) in keys.iter().enumerate() {
            let default = if defaults.len() == keys.len() { defaults[i] } else { "" };
            out.push(((*key).to_owned(), default.to_owned()));
        }
    }
    out
}

#[test]
fn every_parameter_is_documented_with_its_default() {
    let plugins = ["deep_vs_shallow", "optimization", "generalization"].map(paths::plugin);
    let sandbox = Sandbox::with(&plugins);
    let all = sandbox.gradtop(&["experiments", "--json"]).expect_code(0).json();
    let experiments = all.as_array().unwrap();
    assert_eq!(experiments.len(), 11);
    let mut numbers = 0;
    for experiment in experiments {
        let id = experiment["id"].as_str().unwrap();
        let params = experiment["params"].as_array().unwrap();
        let real: BTreeMap<&str, &str> =
            params.iter().map(|p| (p["key"].as_str().unwrap(), p["default"].as_str().unwrap())).collect();
        let file = paths::checkout().join("docs/experiments").join(format!("{id}.md"));
        let rows = documented(&fs::read_to_string(&file).unwrap());
        let mut keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, real.keys().copied().collect::<Vec<_>>(), "{}", file.display());
        for (key, default) in &rows {
            if let (Ok(said), Ok(is)) = (default.parse::<f64>(), real[key.as_str()].parse::<f64>()) {
                assert_eq!(said, is, "{}: {key}", file.display());
                numbers += 1;
            }
        }
    }
    assert!(numbers > 80, "only {numbers} defaults were compared");
}
