//! Checks the licences of all dependencies where cargo-deny is not installed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use gradtop_tests::paths;

/// Returns whether the allowed licences satisfy an SPDX expression; old crates write `/` instead of `OR`.
fn fulfilled(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    /// Terms joined by `OR` or, if `all`, by `AND`, which binds more tightly.
    fn joined<'a>(
        tokens: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
        allowed: &BTreeSet<&str>,
        all: bool,
    ) -> bool {
        let word = if all { "AND" } else { "OR" };
        let mut result = all;
        loop {
            let term = if !all {
                joined(tokens, allowed, true)
            } else if tokens.next_if_eq(&"(").is_some() {
                let inner = joined(tokens, allowed, false);
                assert_eq!(tokens.next(), Some(")"));
                inner
            } else {
                let licence = tokens.next().expect("a licence");
                // An exception permits more, never less.
                if tokens.next_if_eq(&"WITH").is_some() {
                    tokens.next();
                }
                allowed.contains(licence)
            };
            result = if all { result && term } else { result || term };
            if tokens.next_if_eq(&word).is_none() {
                return result;
            }
        }
    }
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = spaced.split_whitespace().peekable();
    let result = joined(&mut tokens, allowed, false);
    assert_eq!(tokens.next(), None, "not understood: {expression}");
    result
}

/// Checks the same list as cargo-deny.
#[test]
fn every_dependency_has_an_allowed_licence() {
    let allow: BTreeSet<&str> = BTreeSet::from(["MIT", "Apache-2.0", "ISC"]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("GPL-3.0 AND MIT OR Apache-2.0 WITH LLVM-exception", true),
    ] {
        assert_eq!(fulfilled(expression, &allow), expected, "{expression}");
    }

    let deny: toml::Table =
        std::fs::read_to_string(paths::checkout().join("deny.toml")).unwrap().parse().unwrap();
    let allowed: BTreeSet<&str> =
        deny["licenses"]["allow"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = deny["graph"]["targets"][0].as_str().unwrap();
    let metadata = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", target])
        .current_dir(paths::checkout())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let built: BTreeSet<&str> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    let mut seen = String::new();
    for package in metadata["packages"].as_array().unwrap() {
        if built.contains(package["id"].as_str().unwrap()) {
            let name = package["name"].as_str().unwrap();
            let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} states no licence"));
            assert!(
                fulfilled(licence, &allowed),
                "{name} is under {licence}, which deny.toml does not allow"
            );
            seen.push_str(licence);
        }
    }
    assert!(built.len() > 100, "only {} packages", built.len());
    for licence in allowed {
        assert!(seen.contains(licence), "deny.toml allows {licence}, which nothing is under");
    }
}
