//! A short run of `cargo xtask soak fuzz`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a failure can be had again from its seed")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use gradtop_tests::fuzz::fuzz;

#[test]
fn damaged_runs_harm_no_look_at_others() {
    let seed = RandomState::new().hash_one("fuzz");
    println!("seed {seed}");
    let failures = fuzz(40, seed, 1);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
