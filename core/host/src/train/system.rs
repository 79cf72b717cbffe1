//! Resource usage of a run, logged along with its metrics as `system/*`.

use std::time::{Duration, Instant};

use gradtop_store::{Recorder, SYSTEM, SeriesKey};

use crate::train::pressure::Pressure;

const EVERY: Duration = Duration::from_secs(1);

/// Measures this process, or those of a command: `system/cpu` in percent of one core, `system/memory` in bytes and, on a GPU,
/// `system/gpu` in percent and `system/gpu_memory` in bytes, both of the whole device. Also logs `system/trained_s`, the run's
/// seconds of training, and shortages of the whole machine, see [`crate::train::pressure`].
pub(crate) struct System {
    gpu: Option<String>,
    nvml: Option<nvml_wrapper::Nvml>,
    last: Option<(Instant, f64)>,
    pressure: Pressure,
    /// Returns the processor time so far in seconds, and the memory in use in bytes.
    measure: Box<dyn FnMut() -> (f64, Option<f64>) + Send>,
}

impl System {
    /// Measures this process. `gpu` is the UUID of the run's GPU, if it uses one.
    pub(crate) fn new(gpu: Option<String>) -> Self {
        Self::of(gpu, || (cpu_seconds(), memory()))
    }

    /// Like [`Self::new`], for other processes.
    pub(crate) fn of(
        gpu: Option<String>,
        measure: impl FnMut() -> (f64, Option<f64>) + Send + 'static,
    ) -> Self {
        Self { gpu, nvml: None, last: None, pressure: Pressure::default(), measure: Box::new(measure) }
    }

    /// Logs at `step` if it is time to.
    pub(crate) fn tick(&mut self, recorder: &Recorder, step: i64, trained_s: Option<f64>) {
        let now = Instant::now();
        let Some((then, cpu_before)) = self.last else {
            self.pressure.since_last(1.0);
            self.last = Some((now, (self.measure)().0));
            if self.gpu.is_some() {
                self.nvml = crate::machine::device::nvml().ok();
            }
            return;
        };
        let elapsed = now.saturating_duration_since(then);
        if elapsed < EVERY {
            return;
        }
        let (cpu, memory) = (self.measure)();
        self.last = Some((now, cpu));
        // The time of processes that end is partly lost.
        let cpu = (cpu - cpu_before).max(0.0);
        let mut values = vec![("cpu", "%", 100.0 * cpu / elapsed.as_secs_f64())];
        values.extend(memory.map(|bytes| ("memory", "B", bytes)));
        values.extend(trained_s.map(|seconds| ("trained_s", "s", seconds)));
        values.extend(self.pressure.since_last(elapsed.as_secs_f64()));
        let device =
            self.nvml.as_ref().zip(self.gpu.as_deref()).and_then(|(n, gpu)| n.device_by_uuid(gpu).ok());
        if let Some(device) = device {
            values.extend(device.utilization_rates().ok().map(|u| ("gpu", "%", f64::from(u.gpu))));
            values.extend(device.memory_info().ok().map(|m| ("gpu_memory", "B", m.used as f64)));
        }
        // A run with the maximum number of series has no room for these.
        let points: Vec<(u32, f64)> = values
            .into_iter()
            .filter_map(|(name, unit, value)| {
                let key = SeriesKey::metric(format!("{SYSTEM}{name}"));
                Some((recorder.series(&key, Some(unit)).ok()?, value))
            })
            .collect();
        recorder.log(step, None, points);
    }
}

/// Returns the processor time of this process.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Returns the resident memory of this process.
fn memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn this_process_takes_time_and_memory() {
        let before = cpu_seconds();
        let start = Instant::now();
        while cpu_seconds() <= before {
            assert!(start.elapsed() < Duration::from_mins(3));
        }
        assert!(memory().unwrap() > 1e5);
    }
}
