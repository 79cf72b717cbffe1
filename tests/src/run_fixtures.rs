//! Creates run folders instantly with the real recorder, without training.

use std::collections::BTreeMap;
use std::path::Path;

use gradtop_store::{
    ExperimentInfo, Goal, HeadlineValue, Manifest, MetricInfo, ParamValue, PluginInfo, Recorder,
    RecorderOptions, RunDir, RunLock, SCHEMA, SeriesKey, State, Status, Versions, create_run, write_status,
};
use jiff::{SignedDuration, Timestamp};

/// The fixed current time.
pub fn now() -> Timestamp {
    "2026-11-20T14:32:07Z".parse().unwrap_or_default()
}

/// A run to be created.
pub struct Spec {
    /// The manifest.
    pub manifest: Manifest,
    status: Status,
    series: BTreeMap<SeriesKey, Vec<(i64, f64)>>,
    figures: Option<&'static str>,
    tag: Option<String>,
    locked: bool,
}

/// A run that finished after 20,000 steps, created `minutes` ago. Methods change it.
pub fn run(experiment: &str, name: &str, minutes: i64) -> Spec {
    let created = now() - SignedDuration::from_mins(minutes);
    let info = ExperimentInfo {
        id: experiment.into(),
        name: experiment.into(),
        version: "1.0".into(),
        summary: "For tests".into(),
        resumable: true,
        ..ExperimentInfo::default()
    };
    let manifest = Manifest {
        created,
        seed: Some(7),
        device: Some("cpu".into()),
        threads: Some(2),
        checkpoint_every_s: 60,
        preset: Some("default".into()),
        plugin: Some(PluginInfo {
            file: "plugin.so".into(),
            sha256: "0123456789abcdef".into(),
            original_path: "libtests.so".into(),
            ..PluginInfo::default()
        }),
        versions: Versions { gradtop: Some("0.1.0".into()), abi: Some("1.0".into()), ..Versions::default() },
        params: vec![
            ("function".into(), ParamValue::Text("sinc".into())),
            ("lr".into(), ParamValue::Float(1e-3)),
        ],
        metrics: vec![MetricInfo {
            name: "loss".into(),
            unit: Some("MSE".into()),
            goal: Goal::Min,
            headline: true,
            log: true,
            ..MetricInfo::default()
        }],
        ..Manifest::new(name, info)
    };
    let status = Status {
        schema: SCHEMA,
        state: State::Finished,
        step: Some(20_000),
        done: Some(20_000),
        total: Some(20_000),
        updated: created + SignedDuration::from_mins(1),
        started: Some(created),
        ended: Some(created + SignedDuration::from_mins(1)),
        rows: Some(60_000),
        ..Status::default()
    };
    Spec { manifest, status, series: BTreeMap::new(), figures: None, tag: None, locked: false }
}

impl Spec {
    /// Makes it unfinished, in a state and at a step of 20,000.
    #[must_use]
    pub fn at(mut self, state: State, step: i64) -> Self {
        self.locked = !state.is_final();
        self.status.state = state;
        self.status.step = Some(step);
        self.status.done = Some(step.unsigned_abs());
        if self.locked {
            self.status.ended = None;
            self.status.steps_per_s = Some(5_900.0);
            self.status.eta_s = Some((20_000 - step) as f64 / 5_900.0);
        }
        self
    }

    /// Sets the device.
    #[must_use]
    pub fn on(mut self, device: &str) -> Self {
        self.manifest.device = Some(device.into());
        self.status.gpu = device.starts_with("cuda").then(|| format!("GPU-of-{device}"));
        self
    }

    /// Sets the cause of its end.
    #[must_use]
    pub fn cause(mut self, cause: &str) -> Self {
        self.status.cause = Some(cause.into());
        self
    }

    /// Sets a parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: ParamValue) -> Self {
        self.manifest.params.retain(|(n, _)| n != name);
        self.manifest.params.push((name.into(), value));
        self
    }

    /// Gives it a tag.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Changes the manifest or status.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Manifest, &mut Status)) -> Self {
        change(&mut self.manifest, &mut self.status);
        self
    }

    /// Adds points of a metric; the last value of `loss` becomes the headline.
    #[must_use]
    pub fn series(self, metric: &str, model: Option<&str>, points: &[(i64, f64)]) -> Self {
        let key = SeriesKey { model: model.map(Into::into), ..SeriesKey::metric(metric) };
        self.logged(key, points)
    }

    /// Adds points of any series; `loss` is the headline metric.
    #[must_use]
    pub fn logged(mut self, key: SeriesKey, points: &[(i64, f64)]) -> Self {
        if let (Some((_, value)), "loss") = (points.last(), key.metric.as_str()) {
            self.status.headline.push(HeadlineValue { key: key.clone(), value: *value });
        }
        self.series.insert(key, points.to_vec());
        self
    }

    /// Adds losses of two models, 200 points each.
    #[must_use]
    pub fn losses(self) -> Self {
        let curve = |rate: f64| -> Vec<(i64, f64)> {
            (0..200).map(|i| (i * 100, 0.5 * (-rate * i as f64 / 200.0).exp())).collect()
        };
        self.series("loss", Some("deep"), &curve(9.0)).series("loss", Some("shallow"), &curve(4.0))
    }

    /// Declares figures, as in `figures.toml`.
    #[must_use]
    pub fn figures(mut self, text: &'static str) -> Self {
        self.figures = Some(text);
        self
    }
}

/// A temporary folder of runs, each made from a [`Spec`].
#[derive(Debug)]
pub struct RunFixtures {
    folder: tempfile::TempDir,
    locks: Vec<RunLock>,
}

impl Default for RunFixtures {
    fn default() -> Self {
        Self::new()
    }
}

impl RunFixtures {
    /// Creates an empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), locks: Vec::new() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates the folder of a run with everything that screens read.
    pub fn make(&mut self, spec: &Spec) -> RunDir {
        let run = create_run(self.folder.path(), &spec.manifest).expect("a new run");
        let lock = RunLock::acquire(&run).expect("a free lock");
        if let Some(figures) = spec.figures {
            gradtop_store::figures::declare(&run, figures).expect("valid figures");
        }
        let recorder = Recorder::open(&run, RecorderOptions::default()).expect("a recorder");
        for (key, points) in &spec.series {
            let declared = spec.manifest.metrics.iter().find(|metric| metric.name == key.metric);
            let unit = declared.and_then(|metric| metric.unit.as_deref());
            let series = recorder.series(key, unit).expect("few series");
            for (step, value) in points {
                recorder.log(*step, None, [(series, *value)]);
            }
        }
        recorder.finish().expect("sealed");
        if let Some(tag) = &spec.tag {
            let notes = format!("schema = 1\ntags = [{tag:?}]\n");
            std::fs::write(run.path().join("notes.toml"), notes).expect("notes that can be written");
        }
        let mut status = spec.status.clone();
        if status.state.is_final() {
            // None is missing.
            status.rows = Some(spec.series.values().map(|points| points.len() as u64).sum());
        }
        write_status(&run, &status).expect("a status");
        // The holder of the lock writes its machine to it, which may be another one.
        let [host, boot] =
            [&spec.manifest.host, &spec.manifest.boot_id].map(|id| id.clone().unwrap_or_default());
        let holder = format!("{host}\n{boot}\n");
        std::fs::write(run.lock(), holder).expect("a lock that can be written");
        if spec.locked {
            self.locks.push(lock);
        }
        run
    }
}
