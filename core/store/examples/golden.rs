//! Writes a golden run folder as the present program would, for `tests/golden/`:
//! `cargo run -p gradtop-store --example golden -- core/store/tests/golden/NAME`
//!
//! A folder once committed is never written again; whatever is written in a new way gets a new one.
#![allow(clippy::unwrap_used, reason = "a tool for developers, which may fail by panicking")]

use std::path::Path;
use std::time::Duration;

use gradtop_store::{
    ColumnData, Event, ExperimentInfo, Goal, Manifest, MetricInfo, ParamValue, PluginInfo, Recorder,
    RecorderOptions, SCHEMA, SeriesKey, State, Status, TableColumn, Versions, append_event, create_run,
    figures, write_params_table, write_run_table, write_status,
};

fn main() {
    let target = std::env::args_os().nth(1).expect("the folder to write to");
    let run = create_run(Path::new(&target), &manifest()).unwrap();
    let write = |from: i64, to: i64, save: bool| {
        let options = RecorderOptions { flush_after: Duration::ZERO, ..RecorderOptions::default() };
        let recorder = Recorder::open(&run, options).unwrap();
        let deep = SeriesKey {
            metric: "loss".into(),
            model: Some("deep".into()),
            split: Some("train".into()),
            trial: Some(0),
        };
        let deep = recorder.series(&deep, Some("MSE")).unwrap();
        let plain = recorder.series(&SeriesKey::metric("speed"), Some("steps/s")).unwrap();
        for step in from..to {
            let value = if step == 7 { f64::NAN } else { 1.0 / (step + 1) as f64 };
            recorder.log(step, Some(step as f64 / 10.0), [(deep, value)]);
            recorder.log(step, None, [(plain, if step == 8 { f64::INFINITY } else { 100.0 })]);
            if step % 10 == 0 {
                let columns = vec![
                    TableColumn {
                        name: "x".into(),
                        unit: Some("m".into()),
                        data: ColumnData::F64(vec![0.5, 1.5]),
                    },
                    TableColumn {
                        name: "name".into(),
                        unit: None,
                        data: ColumnData::Utf8(vec!["a".into(), "b".into()]),
                    },
                    TableColumn { name: "n".into(), unit: None, data: ColumnData::I64(vec![step, -step]) },
                    TableColumn {
                        name: "px".into(),
                        unit: None,
                        data: ColumnData::Bytes { width: 2, data: vec![0, 1, 2, 3] },
                    },
                ];
                recorder.log_table("points", step, columns).unwrap();
            }
        }
        if save {
            let save =
                |dir: &Path| std::fs::write(dir.join("model.txt"), "weights").map_err(|e| e.to_string());
            recorder.checkpoint(to - 1, Some(1.9), None, save).unwrap();
            recorder.finish().unwrap();
        }
        // Without `finish` the rest stays in the journal.
    };
    write(0, 10, true);
    write(10, 20, true);
    write(20, 25, false);
    figures::declare(
        &run,
        "[[figure]]\nid = 'loss'\ntitle = 'Loss'\n[[figure.panel]]\n[[figure.panel.mark]]\ntype = 'line'\nmetric = 'loss'\n",
    )
    .unwrap();
    append_event(&run, &Event::State { state: State::Running, cause: None }).unwrap();
    append_event(&run, &Event::Warning { message: "a warning".into() }).unwrap();
    let status = Status {
        schema: SCHEMA,
        state: State::Stopped,
        cause: Some("asked to".into()),
        step: Some(24),
        rows: Some(50),
        ..Status::default()
    };
    write_status(&run, &status).unwrap();
    write_run_table(&run, &manifest(), &status).unwrap();
    write_params_table(&run, &manifest()).unwrap();
}

fn manifest() -> Manifest {
    let experiment = ExperimentInfo {
        id: "golden".into(),
        name: "Golden".into(),
        version: "1.0".into(),
        summary: "A run to be read for ever".into(),
        resumable: true,
        ..ExperimentInfo::default()
    };
    Manifest {
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
        seed: Some(42),
        device: Some("cpu".into()),
        threads: Some(1),
        checkpoint_every_s: 60,
        preset: Some("quick".into()),
        host: Some("somewhere".into()),
        boot_id: Some("some-boot".into()),
        plugin: Some(PluginInfo {
            file: "plugin.so".into(),
            sha256: "00".repeat(32),
            built_with: Some("rustc".into()),
            original_path: "/plugins/libgolden.so".into(),
        }),
        versions: Versions { gradtop: Some("0.1.0".into()), abi: Some("1.0".into()), ..Versions::default() },
        params: vec![("lr".into(), ParamValue::Float(0.1)), ("steps".into(), ParamValue::Int(25))],
        metrics: vec![MetricInfo { name: "loss".into(), goal: Goal::Min, ..MetricInfo::default() }],
        ..Manifest::new("golden", experiment)
    }
}
