//! What gradtop says of runs of random metrics is what DuckDB computes from their Parquet files. The rules are in
//! `fixtures/truth.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_tests::sandbox::ended;
use gradtop_tests::{Sandbox, paths};

#[test]
fn every_number_is_that_of_the_rows() {
    let sandbox = Sandbox::with(&[]);
    let seeds = std::env::var("GRADTOP_TRUTH_SEEDS").unwrap_or_else(|_| "1 10".to_owned());
    let modules = format!("{}:{}", paths::readers().display(), paths::checkout().join("python").display());
    let mut python = sandbox.around("python3");
    python
        .arg(paths::checkout().join("tests/fixtures/truth.py"))
        .args(seeds.split_whitespace())
        .env("PYTHONPATH", modules)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GRADTOP_PROGRAM", sandbox.program());
    let said = ended(python, &["truth.py"]).expect_code(0).json();
    assert!(said["checked"].as_u64().unwrap() > 1000, "{said:#}");
    assert_eq!(said["faults"], serde_json::json!([]), "of {} numbers", said["checked"]);
}
