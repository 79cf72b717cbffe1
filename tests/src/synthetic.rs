//! Creates runs of any size without training, with the real recorder, for benches of viewers.

use std::path::Path;

use gradtop_store::{
    Event, ExperimentInfo, Goal, Manifest, MetricInfo, NewRun, PluginInfo, Recorder, RecorderOptions, Result,
    RunDir, RunLock, SCHEMA, SeriesKey, State, Status, append_event, read_manifest, write_run_table,
    write_status,
};
use jiff::Timestamp;

/// The number of metrics of a synthetic run.
pub const METRICS: u32 = 20;

/// A run in progress; it ends when this is dropped.
#[derive(Debug)]
pub struct LiveRun {
    run: RunDir,
    recorder: Recorder,
    series: Vec<u32>,
    status: Status,
    values: Values,
    lock: RunLock,
}

impl LiveRun {
    /// Starts a run of the experiment `synthetic` with `total` steps.
    pub fn start(runs: &Path, name: &str, total: u64) -> Result<Self> {
        let (run, lock) = NewRun::begin(runs, manifest(name), false)?.finish()?;
        let recorder = Recorder::open(&run, RecorderOptions::default())?;
        let mut series = Vec::new();
        for n in 0..METRICS {
            series.push(recorder.series(&SeriesKey::metric(metric(n)), None)?);
        }
        let now = Timestamp::now();
        let status = Status {
            schema: SCHEMA,
            state: State::Running,
            total: Some(total),
            started: Some(now),
            updated: now,
            ..Status::default()
        };
        write_status(&run, &status)?;
        Ok(Self { run, recorder, series, status, values: Values::default(), lock })
    }

    /// Its folder.
    pub fn dir(&self) -> &RunDir {
        &self.run
    }

    /// Logs one step of all metrics: decaying, noisy curves.
    pub fn step(&mut self, step: i64) {
        let values = &mut self.values;
        let points = self.series.iter().map(|n| (*n, values.next(*n, step)));
        self.recorder.log(step, Some(step as f64 / 1000.0), points.collect::<Vec<_>>());
        self.status.step = Some(step);
        self.status.done = Some(u64::try_from(step).unwrap_or(0) + 1);
    }

    /// Logs one value of the first metric.
    pub fn mark(&self, step: i64, value: f64) {
        self.recorder.log(step, Some(step as f64 / 1000.0), [(self.series[0], value)]);
    }

    /// Writes its status, as a trainer does regularly.
    pub fn report(&mut self) -> Result<()> {
        self.status.updated = Timestamp::now();
        write_status(&self.run, &self.status)
    }

    /// Seals its log and ends it as finished.
    pub fn finish(mut self) -> Result<RunDir> {
        self.status.rows = Some(self.recorder.stats().rows);
        self.recorder.finish()?;
        let now = Timestamp::now();
        (self.status.state, self.status.ended, self.status.updated) = (State::Finished, Some(now), now);
        write_status(&self.run, &self.status)?;
        append_event(&self.run, &Event::State { state: State::Finished, cause: None })?;
        write_run_table(&self.run, &read_manifest(&self.run)?, &self.status)?;
        drop(self.lock);
        Ok(self.run)
    }
}

/// Creates a finished run with this number of points in total.
pub fn finished(runs: &Path, name: &str, points: u64) -> Result<RunDir> {
    let steps = points / u64::from(METRICS);
    let mut live = LiveRun::start(runs, name, steps)?;
    for step in 0..steps {
        live.step(step as i64);
    }
    live.finish()
}

/// The name of a metric: `metric-07`.
pub fn metric(n: u32) -> String {
    format!("metric-{n:02}")
}

/// Decaying curves with reproducible noise.
#[derive(Debug)]
pub struct Values(u64);

impl Default for Values {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Values {
    /// The next value of a metric.
    pub fn next(&mut self, metric: u32, step: i64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let noise = (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5;
        let level = (1.0 + metric as f32) / (1.0 + step as f32 / 5000.0) + 0.01;
        f64::from(level * (1.0 + 0.2 * noise))
    }
}

fn manifest(name: &str) -> Manifest {
    let info = |n: u32| MetricInfo {
        name: metric(n),
        goal: Goal::Min,
        headline: n == 0,
        log: n.is_multiple_of(2),
        ..MetricInfo::default()
    };
    let experiment = ExperimentInfo {
        id: "synthetic".into(),
        name: "Synthetic".into(),
        version: "1.0".into(),
        summary: "Curves without training".into(),
        ..ExperimentInfo::default()
    };
    Manifest {
        seed: Some(1),
        device: Some("cpu".into()),
        threads: Some(1),
        checkpoint_every_s: 60,
        plugin: Some(PluginInfo {
            file: "none".into(),
            original_path: "none".into(),
            ..PluginInfo::default()
        }),
        metrics: (0..METRICS).map(info).collect(),
        ..Manifest::new(name, experiment)
    }
}
