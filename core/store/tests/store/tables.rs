//! Tables, and the row about the run.

use std::time::{Duration, Instant};

use gradtop_store::{
    ColumnData, Recorder, RecorderOptions, RunDir, SeriesKey, State, Status, StoreError, TableColumn,
    read_table, read_table_last, read_table_rows, table_names, view, write_run_table, write_status,
};

use crate::common::{new_run, series, small};

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
        if step % 8 == 0 {
            std::thread::sleep(Duration::from_millis(60));
        }
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while read_table(&run, "predictions").map_or(0, |t| t.rows()) < 80 {
        assert!(Instant::now() < deadline, "the table was not written without being asked");
        std::thread::sleep(Duration::from_millis(10));
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
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = read_table_last(&run, "points");
        let whole = ColumnData::I64(vec![step; 6]);
        while step % 10 == 9 && !last.as_ref().is_ok_and(|t| t.column("step") == Some(&whole)) {
            assert!(Instant::now() < deadline, "step {step} was not written: {last:?}");
            std::thread::sleep(Duration::from_millis(5));
            last = read_table_last(&run, "points");
        }
        if step % 10 == 9 {
            let last = last.unwrap();
            assert_eq!(last.column("step"), Some(&whole));
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
    let ints = |n: &str, v: &[i64]| column(n, ColumnData::I64(v.to_vec()));
    let refused = |name: &str, columns: Vec<TableColumn>, why: &str| {
        let error = recorder.log_table(name, 0, columns).unwrap_err();
        assert!(matches!(error, StoreError::BadTable { .. }));
        assert!(error.to_string().contains(why), "{error}");
    };
    refused("../x", vec![ints("a", &[1])], "a name is made of");
    refused("run", vec![ints("a", &[1])], "gradtop's own");
    refused("t", vec![], "no column");
    refused("t", vec![ints("step", &[1])], "two columns");
    refused("t", vec![ints("a", &[1]), ints("b", &[1, 2])], "has 2 rows");
    refused("t", vec![column("a", ColumnData::Bytes { width: 2, data: vec![1] })], "no rows of 2");
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
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let deep = SeriesKey { model: Some("deep".to_owned()), ..SeriesKey::metric("loss") };
    let (loss, deep) = (series(&recorder, "loss"), recorder.series(&deep, None).unwrap());
    for (step, v) in [(1, 3.0), (2, 1.0), (3, f64::NAN), (4, 2.0)] {
        recorder.log(step, None, [(loss, v), (deep, v + 10.0)]);
    }
    recorder.finish().unwrap();
    write_status(&run, &Status { schema: 1, state: State::Finished, rows: 8, ..Status::default() }).unwrap();
    let row = |name: &str| read_table(&run, "run").unwrap().column(name).cloned();
    for _ in 0..2 {
        write_run_table(&run, &view(&run).unwrap()).unwrap();
        assert_eq!(read_table(&run, "run").unwrap().rows(), 1);
        assert_eq!(row("name"), Some(ColumnData::Utf8(vec!["row".to_owned()])));
        assert_eq!(row("state"), Some(ColumnData::Utf8(vec!["finished".to_owned()])));
        assert_eq!(row("seed"), Some(ColumnData::Utf8(vec![u64::MAX.to_string()])));
        assert_eq!(row("param.zeta"), Some(ColumnData::F64(vec![1.0])));
        assert_eq!(row("param.alpha"), Some(ColumnData::I64(vec![3])));
        assert_eq!(row("best.loss"), Some(ColumnData::F64(vec![1.0])));
        assert_eq!(row("best.speed"), None);
        let Some(ColumnData::F64(last)) = row("last.loss") else { panic!("no last.loss") };
        assert!(last == [2.0] || last == [12.0], "{last:?}");
    }
}
