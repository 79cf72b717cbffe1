//! What several tests need.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gradtop_store::{
    ExperimentInfo, Goal, Manifest, MetricInfo, ParamValue, PluginInfo, Recorder, RecorderOptions, Result,
    RunDir, SeriesKey, Tailer, Versions, create_run,
};

pub fn manifest(name: &str) -> Manifest {
    let experiment = ExperimentInfo {
        id: "demo".to_owned(),
        name: "Demo".to_owned(),
        version: "1".to_owned(),
        summary: "A demonstration".to_owned(),
        resumable: true,
        ..ExperimentInfo::default()
    };
    Manifest {
        seed: Some(u64::MAX),
        device: Some("cpu".to_owned()),
        device_reason: Some("no GPU".to_owned()),
        threads: Some(2),
        checkpoint_every_s: 60,
        plugin: Some(PluginInfo {
            file: "plugin.so".to_owned(),
            sha256: "00".repeat(32),
            built_with: None,
            original_path: "/plugins/libdemo.so".to_owned(),
        }),
        versions: Versions {
            gradtop: Some("0.1.0".to_owned()),
            abi: Some("1.0".to_owned()),
            ..Versions::default()
        },
        params: vec![
            ("zeta".to_owned(), ParamValue::Float(1.0)),
            ("alpha".to_owned(), ParamValue::Int(3)),
            ("noise".to_owned(), ParamValue::Bool(false)),
            ("function".to_owned(), ParamValue::Text("sinc".to_owned())),
        ],
        metrics: vec![
            MetricInfo { name: "loss".to_owned(), goal: Goal::Min, headline: true, ..MetricInfo::default() },
            MetricInfo { name: "speed".to_owned(), wall_clock: true, ..MetricInfo::default() },
        ],
        ..Manifest::new(name, experiment)
    }
}

pub fn new_run(runs: &Path, name: &str) -> RunDir {
    create_run(runs, &manifest(name)).unwrap()
}

/// Small limits, so that a few rows pass through every stage.
pub fn small() -> RecorderOptions {
    RecorderOptions {
        flush_after: Duration::from_millis(1),
        seal_rows: 50,
        seal_age: (Duration::from_millis(40), Duration::from_millis(80)),
        merge_parts: 4,
        merge_table_parts: 4,
        ..RecorderOptions::default()
    }
}

pub fn series(recorder: &Recorder, metric: &str) -> u32 {
    recorder.series(&SeriesKey::metric(metric), None).unwrap()
}

/// Returns the next rows of a tailer, those of one batch if there is no time for more: metric, step and value.
pub fn poll(tailer: &mut Tailer, budget: Duration) -> Result<Vec<(String, i64, f64)>> {
    let mut rows = Vec::new();
    tailer.poll_slices(budget, |slice| {
        let metric = &slice.key.metric;
        rows.extend(slice.step.iter().zip(slice.value).map(|(step, value)| (metric.clone(), *step, *value)));
    })?;
    Ok(rows)
}

/// Waits for what will come; only a broken run takes this long.
#[track_caller]
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let limit = Duration::from_mins(3);
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < limit, "after {limit:?} still waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Files ending in .parquet in the folder of metrics.
pub fn parts(run: &RunDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(run.metrics())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".parquet"))
        .collect();
    names.sort();
    names
}

/// Mounts what only this thread and those it starts see; false where nobody may.
pub fn mounts_alone(mounts: &[&[&str]]) -> bool {
    #[expect(deprecated, reason = "unsafe only where descriptors are unshared, which is not done here")]
    let alone = rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS);
    let mount = |args: &[&str]| Command::new("mount").args(args).status().is_ok_and(|s| s.success());
    alone.is_ok() && mount(&["--make-rprivate", "/"]) && mounts.iter().all(|args| mount(args))
}
