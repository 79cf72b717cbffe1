//! Prints how long the numbers of a run of a hundred million points take, and how much memory: what `gradtop show` reads.
//! The run is written once, into the target folder.
#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]

use std::path::Path;
use std::time::Instant;

use gradtop_store::{Goal, find_run, summarize};
use gradtop_tests::synthetic;

const POINTS: u64 = 100_000_000;

fn main() {
    let runs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("numbers");
    let Ok(run) = find_run(&runs, "large") else {
        std::fs::remove_dir_all(&runs).ok();
        println!("writing {POINTS} points to {} …", runs.display());
        synthetic::finished(&runs, "large", POINTS).expect("the target folder can be written");
        println!("written; start the bench again: memory is measured in a process of its own");
        return;
    };
    for _ in 0..3 {
        let start = Instant::now();
        let (series, damaged) = summarize(&run, |_| true, |_| Goal::Min).expect("the run can be read");
        let rows: u64 = series.iter().map(|s| s.rows).sum();
        println!(
            "{rows} rows of {} series in {:.3} s, {} damaged",
            series.len(),
            start.elapsed().as_secs_f64(),
            damaged.len()
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default());
}
