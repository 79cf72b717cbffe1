//! What the machine does: processors and memory, as the system counts them.

use std::time::Instant;

use crate::app::Machine;

/// Measures from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<(Instant, f64)>,
}

impl Meter {
    /// Since the last look; nothing at the first one, and where the system has no `/proc`.
    pub(super) fn look(&mut self) -> Option<Machine> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
        let busy = busy_ticks(&stat)?;
        let (now, before) = (Instant::now(), self.last);
        self.last = Some((now, busy));
        let (then, busy_then) = before?;
        let seconds = now.duration_since(then).as_secs_f64();
        // A hundred ticks a second, on every Linux there is: USER_HZ is part of its interface.
        let cpu_percent = ((busy - busy_then) / seconds).max(0.0);
        let (memory_used, memory_total) = memory_bytes(&memory)?;
        (seconds > 0.1).then_some(Machine { cpu_percent, memory_used, memory_total, gpu_percent: None })
    }
}

/// Hundredths of seconds that all processors together were busy since the start.
fn busy_ticks(stat: &str) -> Option<f64> {
    let fields: Vec<f64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .filter_map(|f| f.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; what guests take is in user already.
    let idle: f64 = fields.get(3..5)?.iter().sum();
    Some(fields.iter().take(8).sum::<f64>() - idle)
}

/// Memory in use, and in all, in bytes.
fn memory_bytes(meminfo: &str) -> Option<(f64, f64)> {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|l| l.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0)
    };
    let total = of("MemTotal:")?;
    Some((total - of("MemAvailable:")?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_read_right() {
        let stat = "cpu  100 10 50 1000 40 1 2 3 9 9\ncpu0 1 2 3\n";
        assert_eq!(busy_ticks(stat), Some(166.0));
        let meminfo = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    600 kB\n";
        assert_eq!(memory_bytes(meminfo), Some((400.0 * 1024.0, 1000.0 * 1024.0)));
        assert_eq!(busy_ticks(""), None);
    }
}
