//! Tables, and the row about the run.

use gradtop_store::{
    ColumnData, Recorder, RecorderOptions, RunDir, SeriesKey, State, Status, StoreError, TableColumn,
    read_table, read_table_last, read_table_rows, table_names, write_params_table, write_run_table,
};

use crate::common::{new_run, small, until};

fn column(name: &str, data: ColumnData) -> TableColumn {
    TableColumn { name: name.to_owned(), unit: None, data }
}

fn mixed(step: i64) -> Vec<TableColumn> {
    vec![
        TableColumn {
            unit: Some("m".to_owned()),
            ..column("x.y", ColumnData::F64(vec![step as f64, f64::NAN]))
        },
        column("n", ColumnData::I64(vec![step, i64::MIN])),
        column("model", ColumnData::Utf8(vec!["deep".to_owned(), String::new()])),
        column("pixels", ColumnData::Bytes { width: 3, data: vec![0, 1, 2, 253, 254, 255] }),
    ]
}

#[test]
fn tables_come_back_as_they_were() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, small()).unwrap();
    for step in 0..40 {
        recorder.log_table("predictions", step, mixed(step)).unwrap();
        if step % 8 == 7 {
            let rows = || read_table(&run, "predictions").map_or(0, |t| t.rows());
            until("the table to be written without being asked", || rows() as i64 == 2 * (step + 1));
        }
    }
    assert!(
        std::fs::read_dir(run.tables().join("predictions")).unwrap().count() > 1,
        "one part shows nothing"
    );
    for (from, count) in [(0, 80), (0, 5), (3, 30), (17, 1), (75, 100), (80, 5), (1000, 1), (0, 0)] {
        let (page, all) = read_table_rows(&run, "predictions", from, count).unwrap();
        assert_eq!((all, page.columns.len()), (80, 5));
        let Some(ColumnData::I64(steps)) = page.column("step") else { panic!("{page:?}") };
        let expected: Vec<i64> = (from..(from + count).min(80)).map(|i| i as i64 / 2).collect();
        assert_eq!(*steps, expected, "rows {from} and {count} more");
    }
    recorder.finish().unwrap();
    assert_eq!(table_names(&run), ["predictions"]);
    let table = read_table(&run, "predictions").unwrap();
    let names: Vec<_> = table.columns.iter().map(|(n, u, _)| (n.as_str(), u.as_deref())).collect();
    assert_eq!(names, [("step", None), ("x.y", Some("m")), ("n", None), ("model", None), ("pixels", None)]);
    let Some(ColumnData::I64(steps)) = table.column("step") else { panic!("{table:?}") };
    assert!(steps.iter().enumerate().all(|(i, s)| *s == i as i64 / 2), "{steps:?}");
    let Some(ColumnData::Bytes { width: 3, data }) = table.column("pixels") else { panic!("{table:?}") };
    assert!(data.chunks(6).all(|c| c == [0, 1, 2, 253, 254, 255]));
    let Some(ColumnData::F64(x)) = table.column("x.y") else { panic!("{table:?}") };
    assert!(x.iter().skip(1).step_by(2).all(|v| v.is_nan()) && x[78] == 39.0);
    let parts = std::fs::read_dir(run.tables().join("predictions")).unwrap().count();
    assert_eq!(parts, 1, "not merged");
}

#[test]
fn the_last_step_of_a_table_is_read_alone() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    assert!(matches!(read_table_last(&run, "points"), Err(StoreError::NoSuchTable { .. })));
    let recorder = Recorder::open(&run, small()).unwrap();
    let mut parts = 0;
    for step in 0..30 {
        // A step may be logged in several calls, and in several parts.
        for half in 0..2i64 {
            recorder.log_table("points", step, vec![column("half", ColumnData::I64(vec![half; 3]))]).unwrap();
        }
        if step % 10 == 9 {
            let whole = ColumnData::I64(vec![step; 6]);
            let last = || read_table_last(&run, "points");
            until("the step", || last().is_ok_and(|t| t.column("step") == Some(&whole)));
            let last = last().unwrap();
            assert_eq!(
                last.column("half"),
                Some(&ColumnData::I64(vec![0, 0, 0, 1, 1, 1])),
                "in the order logged"
            );
            parts = parts.max(std::fs::read_dir(run.tables().join("points")).unwrap().count());
        }
    }
    assert!(parts > 1, "one part shows nothing");
    recorder.finish().unwrap();
    let last = read_table_last(&run, "points").unwrap();
    assert_eq!(last.column("step"), Some(&ColumnData::I64(vec![29; 6])), "merged, too");
    assert_eq!(read_table(&run, "points").unwrap().rows(), 180);
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let ints = column_of_ints;
    let refused = |name: &str, columns: Vec<TableColumn>, why: &str| {
        let error = recorder.log_table(name, 0, columns).unwrap_err();
        assert!(matches!(error, StoreError::BadTable { .. }));
        assert!(error.to_string().contains(why), "{error}");
    };
    refused("../x", vec![ints("a", &[1])], "a name has letters");
    refused("run", vec![ints("a", &[1])], "reserved");
    refused("t", vec![], "no column");
    refused("t", vec![ints("step", &[1])], "two columns");
    refused("t", vec![ints("a", &[1]), ints("b", &[1, 2])], "has 2 rows");
    refused("t", vec![column("a", ColumnData::Bytes { width: 2, data: vec![1] })], "not whole rows of 2");
    recorder.log_table("t", 0, vec![ints("a", &[1])]).unwrap();
    refused("t", vec![ints("b", &[1])], "now they are");
    recorder.finish().unwrap();
    // Opened again, the recorder knows what the table holds.
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    assert!(recorder.log_table("t", 1, vec![column("a", ColumnData::F64(vec![1.0]))]).is_err());
    recorder.log_table("t", 1, vec![ints("a", &[2])]).unwrap();
    recorder.finish().unwrap();
    assert_eq!(read_table(&run, "t").unwrap().column("a"), Some(&ColumnData::I64(vec![1, 2])));
    assert!(matches!(read_table(&run, "u"), Err(StoreError::NoSuchTable { .. })));
}

#[test]
fn the_run_is_a_row_of_its_own() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "row");
    let manifest = gradtop_store::read_manifest(&run).unwrap();
    let row = |name: &str| read_table(&run, "run").unwrap().column(name).cloned();
    let float = |name: &str| match row(name) {
        Some(ColumnData::F64(v)) if v.len() == 1 => v[0],
        other => panic!("{name}: {other:?}"),
    };
    let text = |name: &str| match row(name) {
        Some(ColumnData::Utf8(v)) if v.len() == 1 => v[0].clone(),
        other => panic!("{name}: {other:?}"),
    };
    // From its start on, before anything is logged.
    let status = Status { schema: 1, state: State::Running, ..Status::default() };
    write_run_table(&run, &manifest, &status).unwrap();
    assert_eq!((text("state").as_str(), row("param.alpha")), ("running", Some(ColumnData::I64(vec![3]))));
    assert!(float("best.loss").is_nan() && text("split.loss").is_empty());
    let absent = || {
        let table = read_table(&run, "run").unwrap();
        table.absent.iter().map(|(column, _)| table.columns[*column].0.clone()).collect::<Vec<_>>()
    };
    let of_end = ["step", "epoch", "best.loss", "last.loss"].map(str::to_owned);
    assert!(of_end.iter().all(|name| absent().contains(name)), "{:?}", absent());
    let of_several = |epochs_restart| {
        let (schema, state, epoch) = (1, State::Finished, Some(55.0));
        let status = Status { schema, state, epoch, epochs_restart, ..Status::default() };
        write_run_table(&run, &manifest, &status).unwrap();
        absent().contains(&"epoch".to_owned())
    };
    assert_eq!([false, true].map(of_several), [false, true], "the epoch of the last of several networks");

    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let of = |model: &str, split: &str| {
        let (model, split) = (Some(model.to_owned()), Some(split.to_owned()));
        recorder.series(&SeriesKey { model, split, ..SeriesKey::metric("loss") }, None).unwrap()
    };
    let (train, test, wide) = (of("deep", "train"), of("deep", "test"), of("wide", "test"));
    // The steps go back: the row logged last counts, not the one of the highest step. A row's time has microseconds.
    let next_microsecond = || {
        let now = std::time::SystemTime::now();
        while now.elapsed().is_ok_and(|passed| passed.as_micros() < 1) {}
    };
    for (step, v) in [(1, 3.0), (4, 1.0), (3, f64::NAN), (2, 2.0)] {
        recorder.log(step, None, [(wide, v + 20.0)]);
        next_microsecond();
        recorder.log(step, None, [(test, v + 10.0)]);
        recorder.log(step, None, [(train, v)]);
    }
    recorder.finish().unwrap();
    let status = Status { schema: 1, state: State::Finished, rows: Some(12), ..Status::default() };
    for _ in 0..2 {
        write_run_table(&run, &manifest, &status).unwrap();
        assert_eq!(read_table(&run, "run").unwrap().rows(), 1);
        assert_eq!((text("name").as_str(), text("state").as_str()), ("row", "finished"));
        assert_eq!(text("seed"), u64::MAX.to_string());
        assert_eq!(row("param.zeta"), Some(ColumnData::F64(vec![1.0])));
        assert!(!absent().contains(&"last.loss".to_owned()));
        assert_eq!((float("last.loss.train"), float("best.loss.train")), (2.0, 1.0));
        assert_eq!((float("last.loss.test"), float("best.loss.test")), (12.0, 11.0));
        assert_eq!(
            (text("split.loss").as_str(), float("last.loss"), float("best.loss")),
            ("test", 12.0, 11.0)
        );
        assert_eq!(row("best.speed"), None, "it has no goal");
        assert_eq!((row("exp"), row("run")), (None, None));
    }
}

#[test]
fn parameters_are_a_table_of_one_schema() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "params");
    let manifest = gradtop_store::read_manifest(&run).unwrap();
    write_params_table(&run, &manifest).unwrap();
    let column = |name: &str| read_table(&run, "params").unwrap().column(name).cloned().unwrap();
    let texts = |name: &str| match column(name) {
        ColumnData::Utf8(v) => v,
        other => panic!("{name}: {other:?}"),
    };
    let at = |key: &str| texts("key").iter().position(|k| k == key).unwrap();
    let ColumnData::F64(numbers) = column("number") else { panic!() };
    assert_eq!(texts("key").len(), manifest.params.len());
    assert_eq!((texts("value")[at("alpha")].as_str(), numbers[at("alpha")]), ("3", 3.0));
    assert_eq!((texts("kind")[at("zeta")].as_str(), numbers[at("zeta")]), ("float", 1.0));

    // An experiment that has a table of this name keeps it, and gradtop's own does not come back.
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    recorder.log_table("params", 0, vec![column_of_ints("a", &[7])]).unwrap();
    recorder.finish().unwrap();
    write_params_table(&run, &manifest).unwrap();
    assert_eq!(column("a"), ColumnData::I64(vec![7]));
}

fn column_of_ints(name: &str, v: &[i64]) -> TableColumn {
    column(name, ColumnData::I64(v.to_vec()))
}
