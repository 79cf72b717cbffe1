//! Results of benches: printed in the words of `benches/figures.txt`, and recorded for `cargo xtask bench --report`.

use std::fs::OpenOptions;
use std::io::Write as _;

const FIGURES: &str = include_str!("../../benches/figures.txt");

/// Prints a figure and appends it to the file that `GRADTOP_BENCH_RECORD` names. `limit` is the measured physical limit in the
/// same unit.
///
/// # Panics
/// If the figure is not listed in `benches/figures.txt`, or the file cannot be written: the report would be wrong without it.
#[allow(clippy::print_stdout, reason = "benches report on stdout")]
pub fn measured(name: &str, value: f64, limit: Option<f64>) {
    let rows = FIGURES.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let row = rows.into_iter().find(|row| row.get(1) == Some(&name));
    let row = row.unwrap_or_else(|| panic!("{name} is not in benches/figures.txt"));
    println!("  {:<76} {value:>10.2} {:<5} wanted {}", row[2], row[3], row[5]);
    if let Some(file) = std::env::var_os("GRADTOP_BENCH_RECORD") {
        let mut file = OpenOptions::new().append(true).create(true).open(file).expect("the record opens");
        writeln!(file, "measured\t{name}\t{value}").expect("the record is written");
        if let Some(limit) = limit {
            writeln!(file, "limit\t{name}\t{limit}").expect("the record is written");
        }
    }
}
