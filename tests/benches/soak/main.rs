//! Causes faults in live runs of the real program, many times, and prints a row of a table for each. Started by `cargo xtask
//! soak`: `campaign [--minutes N]`, `kills [TIMES]`, `disk [TIMES]`, `clocks [TIMES]`, `client [TIMES]`, `nodes [TIMES]`,
//! `mixed [OLD PROGRAM]`, `python PYTHON`, `slurm [PART]`, `ssh [PART]`, each with `--seed N`.

#![allow(clippy::unwrap_used, reason = "a fault that cannot be made ends it")]
#![allow(clippy::print_stdout, reason = "it prints what it found")]

mod campaign;
mod client;
mod faults;
mod kills;
mod mixed;
mod nodes;
mod python;
mod slurm;
mod ssh;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

/// The results of all repetitions of a fault.
pub(crate) struct Row {
    /// The fault, and how it was caused.
    pub(crate) fault: String,
    pub(crate) how: String,
    pub(crate) times: usize,
    /// The number of lost rows and their duration, in each repetition.
    pub(crate) lost: Vec<(usize, Duration)>,
    pub(crate) outcome: String,
}

impl Row {
    fn print(&self) {
        let Self { fault, how, times, lost, outcome } = self;
        let rows: usize = lost.iter().map(|(rows, _)| rows).sum();
        let worst = lost.iter().max_by_key(|(rows, time)| (*time, *rows));
        let lost = match worst {
            Some((most, time)) if rows > 0 => format!("{rows}; at worst {most}, of {} ms", time.as_millis()),
            _ => "none".to_owned(),
        };
        println!("| {fault} | {how} | {times} | {lost} | {outcome} |");
    }
}

/// Repeats something that returns the number of lost rows and their duration. A panic becomes the outcome.
pub(crate) fn repeat(
    fault: &str,
    how: &str,
    times: usize,
    outcome: &str,
    once: impl Fn(u64) -> (usize, Duration),
) -> Row {
    let mut row = Row {
        fault: fault.to_owned(),
        how: how.to_owned(),
        times,
        lost: Vec::new(),
        outcome: outcome.to_owned(),
    };
    for time in 0..times as u64 {
        match catch_unwind(AssertUnwindSafe(|| once(time))) {
            Ok(lost) => row.lost.push(lost),
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
                row.outcome = format!("FAILED: {}", why.lines().next().unwrap_or_default());
                break;
            }
        }
    }
    row
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let at = args.iter().position(|arg| arg == "--seed");
    let seed = at.map_or_else(
        || RandomState::new().hash_one("soak") >> 32,
        |at| args.get(at + 1).and_then(|n| n.parse().ok()).expect("--seed NUMBER"),
    );
    let words: Vec<&str> = args.iter().take(at.unwrap_or(args.len())).map(String::as_str).collect();
    if words.first() == Some(&"python") {
        return if python::python(words.get(1).copied()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if words.first() == Some(&"ssh") {
        ssh::ssh(words.get(1).copied());
        return ExitCode::SUCCESS;
    }
    if words.first() == Some(&"campaign") {
        let at = words.iter().position(|word| *word == "--minutes");
        let minutes = at.map_or(Some(10.0), |at| words.get(at + 1)?.parse().ok()).expect("--minutes N");
        println!("seed {seed}\n");
        return if campaign::campaign(minutes, seed) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let times = words.get(1).and_then(|n| n.parse::<usize>().ok());
    println!("seed {seed}\n\n| fault | how | times | rows lost | outcome |\n|---|---|---|---|---|");
    let mut failed = false;
    let mut print = |row: Row| {
        failed |= row.outcome.starts_with("FAILED");
        row.print();
    };
    match words[..] {
        ["kills", ..] => kills::kills(times.unwrap_or(180), seed).into_iter().for_each(&mut print),
        ["disk", ..] => faults::all(faults::DISK, times.unwrap_or(3), seed, &mut print),
        ["clocks", ..] => faults::all(faults::CLOCKS, times.unwrap_or(3), seed, &mut print),
        ["client", ..] => client::client(times.unwrap_or(100), seed).into_iter().for_each(&mut print),
        ["nodes", ..] => nodes::nodes(times.unwrap_or(1_000)).into_iter().for_each(&mut print),
        ["slurm", ..] => slurm::slurm(words.get(1).copied(), &mut print),
        ["mixed", ..] => mixed::mixed(words.get(1).copied(), &mut print),
        _ => panic!("campaign, kills, disk, clocks, client, nodes, slurm, mixed, python or ssh"),
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
