//! Prints how fast this machine logs a million points: the best of five runs, then each.
#![allow(clippy::print_stdout, reason = "a bench reports on stdout")]

use gradtop_store::bench::logging;

fn main() {
    let dir = std::env::temp_dir();
    let mut reports: Vec<_> =
        (0..5).map(|_| logging(&dir).expect("the temporary folder can be written")).collect();
    reports.sort_by_key(|r| r.total);
    println!("{}", reports[0]);
    for report in &reports {
        println!(
            "    {:.3} s, {:.1} ns a point, p99 {} ns",
            report.total.as_secs_f64(),
            report.ns_per_point,
            report.call_p99.as_nanos()
        );
    }
}
