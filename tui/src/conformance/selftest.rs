//! `gradtop selftest`: compares an experiment on a device with the same on the CPU.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use gradtop_host::{DeviceChoice, device};

use super::life;
use super::rows::{Apart, Recorded, difference};
use super::tolerance::Tolerances;
use super::{Bench, Outcome, Violation, outcome};

/// How many more bytes of GPU memory may be in use after a run: other programs use it, too.
const MEMORY_KEPT: u64 = 64 << 20;
/// How long the driver may take to release memory.
const MEMORY_WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Compared {
    pub(crate) outcome: Outcome,
    /// Seconds that the runs on the CPU and on the device took, if they ended.
    pub(crate) seconds: [Option<f64>; 2],
    /// The difference of each metric, and its tolerance.
    pub(crate) metrics: Vec<(Apart, f64)>,
    /// The complete run on the device, to compare a killed one with.
    whole: Option<(Recorded, Duration)>,
}

impl Compared {
    fn failed(seconds: [Option<f64>; 2], error: anyhow::Error) -> Result<Self> {
        let outcome = Outcome::Failed(Violation::of(error)?);
        Ok(Self { outcome, seconds, metrics: Vec::new(), whole: None })
    }
}

impl Bench<'_> {
    /// Runs the experiment with one seed on the CPU and on the device and compares the last values of each metric within its
    /// tolerance. If the device is the CPU, all rows must be equal.
    ///
    /// # Errors
    /// Something other than the experiment failed, or it was interrupted.
    pub(crate) fn compare(&mut self, tolerances: &Tolerances) -> Result<Compared> {
        let device = std::mem::replace(&mut self.device, DeviceChoice::Cpu);
        let on_cpu = self.whole_run("cpu");
        self.device = device;
        let (cpu, took) = match on_cpu {
            Ok(whole) => whole,
            Err(error) => return Compared::failed([None; 2], error),
        };
        let mut seconds = [Some(took.as_secs_f64()), None];
        let (device, took) = match self.whole_run("device") {
            Ok(whole) => whole,
            Err(error) => return Compared::failed(seconds, error),
        };
        seconds[1] = Some(took.as_secs_f64());
        let (outcome, metrics) = if self.device == DeviceChoice::Cpu {
            let outcome = difference(&cpu, &device, "the first run", "the second")
                .map_or_else(|| Outcome::Passed(format!("the same {} rows", cpu.len())), Outcome::Failed);
            (outcome, Vec::new())
        } else {
            judge(cpu.apart(&device), &self.experiment.id, tolerances)
        };
        Ok(Compared { outcome, seconds, metrics, whole: Some((device, took)) })
    }

    /// Runs the experiment to its end. Returns its rows and duration.
    fn whole_run(&mut self, side: &str) -> Result<(Recorded, Duration)> {
        let (device, begun) = (self.device, Instant::now());
        let view = self.run_to_end(&format!("{}-{side}", self.experiment.id));
        let view = view.map_err(|error| Violation::after(&format!("on {device}: "), error))?;
        let took = begun.elapsed();
        let used = view.manifest.device.unwrap_or_default();
        if used != device.to_string() {
            bail!(Violation(format!("asked for {device}, it ran on {used}")));
        }
        Ok((Recorded::of(&view.dir, self.experiment)?, took))
    }

    /// Kills a run on the device and resumes it: it must end like the uninterrupted one.
    pub(crate) fn kill(&mut self, compared: &Compared, tolerances: &Tolerances) -> Result<Outcome> {
        let Some((whole, took)) = &compared.whole else {
            return Ok(Outcome::Skipped("there is no whole run".to_owned()));
        };
        let (device, experiment) = (self.device, self.experiment);
        let near = |whole: &Recorded, resumed: &Recorded| {
            if device == DeviceChoice::Cpu {
                return life::as_uninterrupted(whole, resumed);
            }
            match judge(whole.apart(resumed), &experiment.id, tolerances).0 {
                Outcome::Failed(why) => Some(why),
                _ => None,
            }
        };
        outcome(life::kill(self, *took, whole, &near))
    }
}

/// Compares the metrics of two runs with their tolerances.
fn judge(
    apart: Result<Vec<Apart>, String>,
    experiment: &str,
    tolerances: &Tolerances,
) -> (Outcome, Vec<(Apart, f64)>) {
    let apart = match apart {
        Ok(apart) => apart.into_iter(),
        Err(why) => return (Outcome::Failed(why), Vec::new()),
    };
    let allowed = apart.clone().map(|metric| tolerances.of(experiment, &metric.metric));
    let metrics: Vec<(Apart, f64)> = apart.zip(allowed).collect();
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let worst = metrics.iter().max_by(|a, b| (a.0.difference / a.1).total_cmp(&(b.0.difference / b.1)));
    let outcome = match worst {
        None => Outcome::Failed("it logs no metric that could be compared".to_owned()),
        Some((apart, allowed)) => {
            let [by, of] = [apart.difference, *allowed].map(percent);
            let said = format!("{} apart by {by} of {of} allowed", apart.metric);
            if apart.difference <= *allowed { Outcome::Passed(said) } else { Outcome::Failed(said) }
        }
    };
    (outcome, metrics)
}

/// The GPU memory in use before any run.
pub(crate) struct Memory {
    gpu: u32,
    before: Option<u64>,
}

impl Memory {
    /// Measures the memory of a device, or returns `None` for the CPU.
    pub(crate) fn before(device: DeviceChoice) -> Option<Self> {
        let DeviceChoice::Cuda(gpu) = device else { return None };
        Some(Self { gpu, before: device::memory_used(gpu) })
    }

    /// Checks whether the runs have released their memory.
    pub(crate) fn after(&self) -> Outcome {
        let Some(before) = self.before else {
            return Outcome::Skipped("the driver does not say how much memory is in use".to_owned());
        };
        let deadline = Instant::now() + MEMORY_WAIT;
        loop {
            let Some(now) = device::memory_used(self.gpu) else {
                return Outcome::Failed("the driver no longer says how much memory is in use".to_owned());
            };
            let kept = now.saturating_sub(before);
            let said = format!("{} MB more in use than before", kept >> 20);
            if kept <= MEMORY_KEPT {
                return Outcome::Passed(said);
            }
            if Instant::now() > deadline {
                return Outcome::Failed(format!(
                    "{said}, with no run left (another program may use the GPU)"
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn apart(metric: &str, difference: f64) -> Apart {
        Apart { metric: metric.to_owned(), series: 1, difference }
    }

    #[test]
    fn the_metric_nearest_to_its_tolerance_is_named() {
        let tolerances = Tolerances::parse("[it]\nloss = 0.01\nnorm = 0.5\n").unwrap();
        let (outcome, metrics) = judge(Ok(vec![apart("loss", 0.009), apart("norm", 0.1)]), "it", &tolerances);
        assert_eq!(outcome, Outcome::Passed("loss apart by 0.90 % of 1.00 % allowed".to_owned()));
        assert_eq!(metrics.len(), 2);
        let (outcome, _) = judge(Ok(vec![apart("loss", 0.009), apart("norm", 0.6)]), "it", &tolerances);
        assert_eq!(outcome, Outcome::Failed("norm apart by 60.00 % of 50.00 % allowed".to_owned()));
        let (outcome, _) = judge(Err("loss is NaN".to_owned()), "it", &tolerances);
        assert_eq!(outcome, Outcome::Failed("loss is NaN".to_owned()));
        assert!(matches!(judge(Ok(Vec::new()), "it", &tolerances).0, Outcome::Failed(_)));
    }
}
