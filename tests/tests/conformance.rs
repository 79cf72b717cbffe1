//! `gradtop plugin check --conformance`: correct plugins pass, and violations are described.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_tests::{CommandOutput, Sandbox, paths};
use serde_json::Value;

fn check(sandbox: &Sandbox, library: &str, more: &[&str]) -> CommandOutput {
    let file = sandbox.plugins().join(library);
    let args = ["plugin", "check", file.to_str().unwrap(), "--conformance", "--json"];
    sandbox.gradtop(&[&args[..], more].concat())
}

/// The name, outcome and explanation of each part.
fn parts(said: &Value) -> Vec<[String; 3]> {
    let text = |part: &Value, key: &str| part[key].as_str().unwrap().to_owned();
    let parts = said["parts"].as_array().unwrap().iter();
    parts.map(|part| ["part", "outcome", "said"].map(|key| text(part, key))).collect()
}

#[test]
fn what_breaks_the_contract_is_told_how() {
    for (breaks, part, sentence) in [
        ("", "", ""),
        ("its judgement", "wrong parameters", "asked to judge to=, it panicked"),
        ("its run", "wrong parameters", "run with to=?,;(, it crashed: SIGABRT"),
        ("its headline", "quick run", "it never logs height, which it declares as its headline"),
        ("its seed", "same seed", "height, step 0: "),
        ("its promise", "pause and stop", "it stopped without a checkpoint, although it is resumable"),
        ("its checkpoint", "resume", "height, step "),
        ("its checkpoint", "kill and resume", "height, step "),
    ] {
        let sandbox = Sandbox::with(&[paths::fixture("careless")]).and_env("GRADTOP_FIXTURE", breaks);
        let said = check(&sandbox, "libcareless.so", &[]).expect_code(i32::from(!breaks.is_empty())).json();
        let parts = parts(&said);
        assert_eq!(parts.len(), 7, "{said:#}");
        for [name, outcome, words] in &parts {
            if name == part {
                assert_eq!(outcome, "failed", "{breaks}: {said:#}");
                assert!(words.starts_with(sentence), "{breaks}: {said:#}");
            } else if breaks.is_empty() {
                assert_eq!(outcome, "passed", "{said:#}");
            }
        }
        assert_eq!(said["ok"], breaks.is_empty(), "{said:#}");
        // Runs that failed are kept.
        let kept = said["runs"].as_str().map(std::path::Path::new);
        assert_eq!(kept.is_some(), !breaks.is_empty(), "{said:#}");
        if let Some(kept) = kept {
            std::fs::remove_dir_all(kept).unwrap();
        }
    }
}

#[test]
fn our_own_plugins_keep_it() {
    for (library, experiment) in [("deep_vs_shallow", "function-fit"), ("optimization", "gradient-norm")] {
        let sandbox = Sandbox::with(&[paths::plugin(library)]);
        let file = format!("lib{library}.so");
        let said = check(&sandbox, &file, &["--experiment", experiment]).expect_code(0).json();
        let outcomes = parts(&said);
        assert_eq!(outcomes.len(), 7, "{said:#}");
        assert!(outcomes.iter().all(|[_, outcome, _]| outcome == "passed"), "{said:#}");
    }
}

#[test]
fn the_examples_of_the_sdk_keep_it() {
    for example in ["descent", "figures", "parameters", "resuming"] {
        let sandbox = Sandbox::with(&[paths::fixture(example)]);
        let said = check(&sandbox, &format!("lib{example}.so"), &[]).expect_code(0).json();
        assert_eq!(parts(&said).len(), 7, "{said:#}");
    }
}

#[test]
fn only_the_experiments_named_are_looked_at() {
    let sandbox = Sandbox::new();
    let said = check(&sandbox, "libmisbehave.so", &["--experiment", "segfault"]).expect_code(1).json();
    let parts = parts(&said);
    assert_eq!(parts.len(), 3, "nothing is tried after a run that fails: {said:#}");
    assert_eq!(parts[2][0], "quick run");
    assert!(parts[2][2].starts_with("the run crashed: SIGSEGV"), "{said:#}");
    std::fs::remove_dir_all(said["runs"].as_str().unwrap()).unwrap();

    let said = check(&sandbox, "libmisbehave.so", &["--experiment", "segfalt"]).expect_code(2);
    assert!(said.err.contains("did you mean segfault"), "{said:#?}");
}
