//! Measures the machine: processors, memory and GPUs, as reported by the system and NVML.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::screens::shared::Machine;

/// Measures the load since the previous measurement.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<(Instant, f64)>,
    gpus: Option<Gpus>,
}

impl Meter {
    /// Measures, including the GPUs with these UUIDs. Returns `None` the first time and on systems without `/proc`.
    pub(super) fn look(&mut self, gpus: Vec<String>) -> Option<Machine> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
        let busy = busy_ticks(&stat)?;
        let (now, before) = (Instant::now(), self.last);
        self.last = Some((now, busy));
        let gpu_percent = self.gpus(gpus);
        let (then, busy_then) = before?;
        let seconds = now.duration_since(then).as_secs_f64();
        // USER_HZ is 100 on every Linux: it is part of its interface.
        let processors = processors(&stat);
        // Ticks are accounted a little late, so the result is clamped.
        let busy = ((busy - busy_then) / seconds / 100.0).clamp(0.0, processors as f64);
        let (memory_used, memory_total) = memory_bytes(&memory)?;
        (seconds > 0.1).then_some(Machine { busy, processors, memory_used, memory_total, gpu_percent })
    }

    /// The last measurement of these GPUs. NVML is opened when the first run uses a GPU.
    fn gpus(&mut self, wanted: Vec<String>) -> Vec<f64> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let gpus = self.gpus.get_or_insert_with(|| {
            Gpus::start(|| {
                let nvml = gradtop_host::Gpus::open()?;
                Some(move |gpu: &str| nvml.percent(gpu))
            })
        });
        gpus.look(wanted)
    }
}

/// Measures GPUs in a thread, because opening NVML takes a while.
#[derive(Debug)]
struct Gpus {
    wanted: Sender<Vec<String>>,
    measured: Arc<Mutex<Vec<f64>>>,
}

impl Gpus {
    /// `open` returns a function that measures one GPU, or `None`.
    fn start<R: Fn(&str) -> Option<f64>>(open: impl FnOnce() -> Option<R> + Send + 'static) -> Self {
        let (wanted, asked) = channel::<Vec<String>>();
        let measured: Arc<Mutex<Vec<f64>>> = Arc::default();
        let answer = Arc::clone(&measured);
        let serve = move || {
            let Some(measure) = open() else { return };
            while let Ok(gpus) = asked.recv() {
                // Only the newest request counts.
                let gpus = asked.try_iter().last().unwrap_or(gpus);
                let found = gpus.iter().filter_map(|gpu| measure(gpu)).collect();
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
        };
        // Without the thread, nothing is measured or shown.
        drop(std::thread::Builder::new().name("gpus".to_owned()).spawn(serve));
        Self { wanted, measured }
    }

    /// Returns the latest measurement and requests the next one.
    fn look(&self, gpus: Vec<String>) -> Vec<f64> {
        self.wanted.send(gpus).ok();
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The time that all processors were busy since boot, in hundredths of a second.
fn busy_ticks(stat: &str) -> Option<f64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<f64> = line.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is included in user.
    let idle: f64 = fields.get(3..5)?.iter().sum();
    Some(fields.iter().take(8).sum::<f64>() - idle)
}

/// The number of processors: each has a line.
fn processors(stat: &str) -> usize {
    let own = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(own).count().max(1)
}

/// Used and total memory, in bytes.
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn gpus_are_measured_in_the_background() {
        let look = |gpus: &Gpus, wanted: &[&str]| {
            let end = Instant::now() + Duration::from_mins(3);
            loop {
                let found = gpus.look(wanted.iter().map(|gpu| (*gpu).to_owned()).collect());
                if !found.is_empty() || Instant::now() > end {
                    return found;
                }
                std::thread::yield_now();
            }
        };
        let gpus = Gpus::start(|| Some(|gpu: &str| (gpu != "GPU-7").then_some(40.0)));
        assert_eq!(look(&gpus, &["GPU-0", "GPU-1", "GPU-7"]), [40.0, 40.0]);
        // Without a driver, there are never any values.
        let none = Gpus::start(|| None::<fn(&str) -> Option<f64>>);
        assert_eq!(none.look(vec!["GPU-0".to_owned()]), [0.0; 0]);
        assert_eq!(Meter::default().gpus(Vec::new()), [0.0; 0]);
    }

    #[test]
    fn the_system_is_read_right() {
        let stat = "cpu  100 10 50 1000 40 1 2 3 9 9\ncpu0 1 2 3\n";
        assert_eq!((busy_ticks(stat), processors(stat)), (Some(166.0), 1));
        let meminfo = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    600 kB\n";
        assert_eq!(memory_bytes(meminfo), Some((400.0 * 1024.0, 1000.0 * 1024.0)));
        assert_eq!(busy_ticks(""), None);
    }
}
