//! Resource shortage of the whole machine: time that tasks waited for a processor, memory or a disk, and data read from swap.

use std::fs;

type Count = fn() -> Option<f64>;

/// The metrics: name, unit, and what counts them, in hundredths of a second or in bytes; `None` if the kernel does not.
const KINDS: [(&str, &str, Count); 4] = [
    ("cpu_pressure", "%", || waited_for("cpu")),
    ("memory_pressure", "%", || waited_for("memory")),
    ("io_pressure", "%", || waited_for("io")),
    ("swapped_in", "B/s", || {
        let pages = swapped_in(&fs::read_to_string("/proc/vmstat").ok()?)?;
        Some(pages * rustix::param::page_size() as f64)
    }),
];

/// Returns how long at least one task has waited for `what`.
fn waited_for(what: &str) -> Option<f64> {
    some_total(&fs::read_to_string(format!("/proc/pressure/{what}")).ok()?)
}

/// Parses `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, in hundredths of a second.
fn some_total(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    Some(line.rsplit_once("total=")?.1.parse::<f64>().ok()? / 1e4)
}

fn swapped_in(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("pswpin "))?.parse().ok()
}

/// The last counts.
#[derive(Default)]
pub(crate) struct Pressure {
    last: [Option<f64>; KINDS.len()],
    /// Which metrics have ever been nonzero: others get no series.
    seen: [bool; KINDS.len()],
}

impl Pressure {
    /// Returns the metrics that have ever been nonzero since the last call, `seconds` ago, in percent of the time or
    /// bytes per second.
    pub(crate) fn since_last(&mut self, seconds: f64) -> Vec<(&'static str, &'static str, f64)> {
        let mut out = Vec::new();
        for (at, (name, unit, count)) in KINDS.into_iter().enumerate() {
            let now = count();
            if let (Some(now), Some(before)) = (now, self.last[at]) {
                let mut value = (now - before).max(0.0) / seconds;
                if unit == "%" {
                    value = value.min(100.0);
                }
                self.seen[at] |= value > 0.0;
                if self.seen[at] {
                    out.push((name, unit, value));
                }
            }
            self.last[at] = now;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_the_kernel_are_read() {
        let text = "some avg10=0.00 avg60=0.12 avg300=0.07 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(some_total(text), Some(250.0), "2.5 s are 250 % of a second");
        assert_eq!(some_total("nothing"), None);
        assert_eq!(swapped_in("pgpgin 5\npswpin 42\npswpout 1\n"), Some(42.0));
    }
}
