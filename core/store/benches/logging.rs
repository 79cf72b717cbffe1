//! How fast this machine logs: a million points, the best of five runs and then each; and a hundred million, which are then
//! summed up as `gradtop show` does.
#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be made ends")]

use std::process::Command;
use std::time::Instant;

use gradtop_store::bench::logging;
use gradtop_store::{Goal, find_run, summarize};
use gradtop_tests::figures::measured;
use gradtop_tests::synthetic;

const POINTS: u64 = 100_000_000;
/// Writes the large run into a folder.
const WRITE: &str = "write";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, write, folder] = &args[..]
        && write == WRITE
    {
        let start = Instant::now();
        synthetic::finished(folder.as_ref(), "large", POINTS).unwrap();
        measured("log.hundred-million", start.elapsed().as_secs_f64(), None);
        return;
    }
    let dir = std::env::temp_dir();
    let mut reports: Vec<_> =
        (0..5).map(|_| logging(&dir).expect("the temporary folder can be written")).collect();
    reports.sort_by_key(|r| r.total);
    for report in &reports {
        println!(
            "    {:.3} s, {:.1} ns a point, p99 {} ns",
            report.total.as_secs_f64(),
            report.ns_per_point,
            report.call_p99.as_nanos()
        );
    }
    let (best, clock) = (&reports[0], clock());
    measured("log.point", best.ns_per_point, Some(2.0 * clock / 10.0));
    measured("log.p99", best.call_p99.as_nanos() as f64, Some(clock));
    measured("log.longest", best.call_max.as_secs_f64() * 1e6, None);
    measured("log.sealed", best.total.as_nanos() as f64 / best.points as f64, None);
    measured("log.bytes", best.bytes_per_point, None);
    hundred_million();
}

/// What reading the clock takes, ns.
fn clock() -> f64 {
    const TIMES: u32 = 1_000_000;
    let start = Instant::now();
    let last = (0..TIMES).map(|_| Instant::now()).max();
    last.unwrap_or(start).duration_since(start).as_nanos() as f64 / f64::from(TIMES)
}

/// Written by a process of its own, so that the memory of this one is that of reading.
fn hundred_million() {
    let runs = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let written =
        Command::new(std::env::current_exe().unwrap()).arg(WRITE).arg(runs.path()).status().unwrap();
    assert!(written.success());
    let run = find_run(runs.path(), "large").unwrap();
    let summed = |_| {
        let start = Instant::now();
        let (series, damaged) = summarize(&run, |_| true, |_| Goal::Min).unwrap();
        assert_eq!((series.iter().map(|s| s.rows).sum::<u64>(), damaged.len()), (POINTS, 0));
        start.elapsed().as_secs_f64()
    };
    measured("log.summary", (0..3).map(summed).fold(f64::INFINITY, f64::min), None);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = most.trim().trim_end_matches("kB").trim().parse().unwrap();
    measured("log.summary-memory", kib / 1024.0, None);
}
