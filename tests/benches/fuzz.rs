//! Fuzzes run folders; started by `cargo xtask soak fuzz [--mutations N] [--seed S]`.

#![allow(clippy::print_stdout, reason = "it prints what it found")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Instant;

use gradtop_tests::fuzz::fuzz;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        Some(args.get(at + 1).and_then(|v| v.parse::<u64>().ok()).unwrap_or_else(|| panic!("{name} NUMBER")))
    };
    let mutations = given("--mutations").unwrap_or(20_000) as usize;
    let seed = given("--seed").unwrap_or_else(|| RandomState::new().hash_one("fuzz"));
    println!("{mutations} damaged runs, seed {seed}");
    let start = Instant::now();
    let failures = fuzz(mutations, seed, std::thread::available_parallelism().map_or(1, usize::from));
    for failure in &failures {
        println!("\n{failure}");
    }
    println!("\n{} failures in {:.0} s", failures.len(), start.elapsed().as_secs_f64());
    assert!(failures.is_empty(), "seed {seed}");
}
