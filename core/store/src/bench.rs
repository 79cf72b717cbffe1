//! Measures how fast this machine logs. Used by `gradtop doctor --bench-logging` and `cargo xtask bench logging`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::disk::temporary;
use crate::error::{IoContext as _, Result};
use crate::folder::run_dir::RunDir;
use crate::log::part::list_parts;
use crate::log::recorder::{Recorder, RecorderOptions};
use crate::log::series::SeriesKey;

/// Metrics logged at each step.
const METRICS: u32 = 10;
/// Steps logged.
const STEPS: u32 = 100_000;

/// The result of [`logging`].
#[derive(Debug, Clone, PartialEq)]
pub struct LoggingReport {
    /// Points logged.
    pub points: u64,
    /// Time from the first call until everything was sealed.
    pub total: Duration,
    /// Mean time per point on the calling thread in nanoseconds, including two clock reads per call.
    pub ns_per_point: f64,
    /// The 99th percentile of the calls, each of which logs ten points. Includes a clock read.
    pub call_p99: Duration,
    /// Duration of the longest call.
    pub call_max: Duration,
    /// Parquet bytes per point.
    pub bytes_per_point: f64,
    /// How long the calling thread waited for the disk.
    pub wait: Duration,
}

/// Logs 10 metrics for 100,000 steps to a temporary run folder in `dir`. The values are noisy decaying curves with the
/// precision of `f32`, as losses are.
///
/// # Errors
/// The rows cannot be written to the disk.
pub fn logging(dir: &Path) -> Result<LoggingReport> {
    let run = RunDir::new(dir.join(format!("{}bench-{}", temporary::TMP, std::process::id())));
    std::fs::create_dir_all(run.path()).at("create", run.path())?;
    let report = measure(&run);
    let removed = std::fs::remove_dir_all(run.path()).at("remove", run.path());
    report.and_then(|report| removed.map(|()| report))
}

fn measure(run: &RunDir) -> Result<LoggingReport> {
    let points = u64::from(METRICS) * u64::from(STEPS);
    let values = curves();
    let recorder = Recorder::open(run, RecorderOptions::default())?;
    let mut series = Vec::new();
    for n in 0..METRICS {
        series.push(recorder.series(&SeriesKey::metric(format!("metric-{n}")), None)?);
    }
    let mut calls: Vec<u64> = vec![1; STEPS as usize];
    calls.clear();
    let start = Instant::now();
    for (step, row) in values.chunks_exact(METRICS as usize).enumerate() {
        let call = Instant::now();
        recorder.log(step as i64, None, series.iter().copied().zip(row.iter().map(|v| f64::from(*v))));
        calls.push(call.elapsed().as_nanos() as u64);
    }
    let logged = start.elapsed();
    let wait = recorder.stats().wait;
    recorder.finish()?;
    let total = start.elapsed();
    calls.sort_unstable();
    let mut bytes = 0;
    for part in list_parts(run, &run.metrics())? {
        bytes += crate::disk::inside::entry(run, &part.path).at("read", &part.path)?.len;
    }
    Ok(LoggingReport {
        points,
        total,
        ns_per_point: logged.as_nanos() as f64 / points as f64,
        call_p99: Duration::from_nanos(calls[calls.len() * 99 / 100]),
        call_max: Duration::from_nanos(calls[calls.len() - 1]),
        bytes_per_point: bytes as f64 / points as f64,
        wait,
    })
}

/// Returns the values, step by step, from a small generator with a fixed seed.
fn curves() -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let mut values = Vec::with_capacity((METRICS * STEPS) as usize);
    for step in 0..STEPS {
        for metric in 0..METRICS {
            let level = (1.0 + metric as f32) / (1.0 + step as f32 / 500.0) + 0.01;
            values.push(level * (1.0 + 0.1 * (random() - 0.5)));
        }
    }
    values
}
