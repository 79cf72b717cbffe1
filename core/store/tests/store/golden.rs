//! Run folders written in each way so far are read for ever. `examples/golden.rs` wrote them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray,
};
use gradtop_store::{
    ColumnData, Content, Event, ParamValue, RunDir, RunLock, SeriesData, State, check, checkpoints,
    export_run_table, figures, find_run, prepare_resume, read_events, read_manifest, read_series,
    read_series_around_damage, read_table, recover, table_names, view,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn check_series(series: &[SeriesData], steps: i64) {
    let [loss, speed] = series else { panic!("{series:?}") };
    assert_eq!((loss.key.metric.as_str(), loss.unit.as_deref()), ("loss", Some("MSE")));
    assert_eq!((loss.key.model.as_deref(), loss.key.split.as_deref()), (Some("deep"), Some("train")));
    assert_eq!((loss.key.trial, speed.key.trial), (Some(0), None));
    assert_eq!(loss.step, (0..steps).collect::<Vec<_>>());
    assert!(loss.step.iter().zip(&loss.epoch).all(|(s, e)| *e == *s as f64 / 10.0));
    assert!(
        loss.step
            .iter()
            .zip(&loss.value)
            .all(|(s, v)| v.is_nan() == (*s == 7) && (*s == 7 || *v == 1.0 / (s + 1) as f64))
    );
    assert_eq!(speed.value[8], f64::INFINITY);
    assert!(speed.epoch.iter().all(|e| e.is_nan()));
    assert!(loss.time_us.is_sorted() && loss.time_us[0] > 1_700_000_000_000_000);
}

#[test]
fn schema_1() {
    is_whole("v1", &["points", "run"]);
}

#[test]
fn schema_1_with_sums_and_parameters_as_a_table() {
    is_whole("v1-sums", &["points", "params", "run"]);
    // Nothing of it passes for what it is not.
    let temp = tempfile::tempdir().unwrap();
    copy(&golden("v1-sums"), temp.path());
    let run = find_run(temp.path(), "golden").unwrap();
    let part = run.metrics().join("part-00001.parquet");
    let mut bytes = fs::read(&part).unwrap();
    bytes[100] ^= 1;
    fs::write(&part, bytes).unwrap();
    let (series, damaged) = read_series_around_damage(&run, |_| true).unwrap();
    assert_eq!((series[0].step[0], damaged.len()), (10, 1), "the damaged part is left out");
}

fn is_whole(name: &str, tables: &[&str]) {
    let temp = tempfile::tempdir().unwrap();
    copy(&golden(name), temp.path());
    let run = find_run(temp.path(), "golden").unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.status.step), (State::Stopped, Some(24)));
    assert_eq!(seen.manifest.params[0], ("lr".to_owned(), ParamValue::Float(0.1)));
    assert_eq!(seen.manifest.created.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(read_events(&run).unwrap()[1].event, Event::Warning { message: "a warning".to_owned() });
    assert_eq!(figures::read(&run).unwrap()[0].id, "loss");
    assert_eq!(checkpoints(&run).iter().map(|c| c.step).collect::<Vec<_>>(), [9, 19]);
    check_series(&read_series(&run, |_| true).unwrap(), 25);
    assert_eq!(table_names(&run), tables);
    let points = read_table(&run, "points").unwrap();
    assert_eq!(points.column("n"), Some(&ColumnData::I64(vec![0, 0, 10, -10, 20, -20])));
    assert_eq!(points.columns[1].1.as_deref(), Some("m"));
    assert_eq!(read_table(&run, "run").unwrap().column("param.steps"), Some(&ColumnData::I64(vec![25])));

    // It can still be recovered and resumed.
    let lock = RunLock::acquire(&run).unwrap();
    assert_eq!(recover(&run, &lock).unwrap().rows_recovered, 10);
    check_series(&read_series(&run, |_| true).unwrap(), 25);
    let checkpoint = prepare_resume(&run, &lock, None).unwrap();
    assert_eq!(fs::read_to_string(checkpoint.dir.join("model.txt")).unwrap(), "weights");
    check_series(&read_series(&run, |_| true).unwrap(), 20);
    assert_eq!(read_table(&run, "points").unwrap().rows(), 4);
}

/// Written by hand and by pyarrow, with nothing but what docs/log-format.md requires.
#[test]
fn the_least_that_is_a_run_is_read() {
    let runs = golden("minimal");
    let run = find_run(&runs, "least").unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.certain), (State::Finished, true));
    assert_eq!((seen.manifest.run.as_str(), seen.manifest.experiment.id.as_str()), ("least", "hand"));
    let series = read_series(&run, |_| true).unwrap();
    assert_eq!(series.len(), 1);
    assert_eq!((series[0].key.metric.as_str(), series[0].key.split.as_deref()), ("loss", Some("train")));
    assert_eq!((&series[0].step[..], &series[0].value[..]), (&[0, 1, 2][..], &[1.0, 0.5, 0.25][..]));
    assert_eq!(seen.status.rows, Some(3), "counted, as no status tells it");
    let checked: Vec<Content> = check(&run).unwrap().into_iter().map(|file| file.content).collect();
    assert_eq!(checked, [Content::Unsigned], "nothing else is needed");
}

#[test]
fn a_run_without_a_status_is_as_far_as_its_rows() {
    let temp = tempfile::tempdir().unwrap();
    copy(&golden("minimal"), temp.path());
    let run = find_run(temp.path(), "least").unwrap();
    let declared = "\n[[metrics]]\nname = \"loss\"\ngoal = \"min\"\nheadline = true\n";
    let manifest = fs::read_to_string(run.manifest()).unwrap() + declared;
    fs::write(run.manifest(), manifest).unwrap();
    let (status, manifest) = (view(&run).unwrap().status, read_manifest(&run).unwrap());
    assert_eq!((status.step, status.rows), (Some(2), Some(3)));
    assert_eq!(status.headline.iter().map(|h| h.value).collect::<Vec<_>>(), [0.25]);
    let mut row = Vec::new();
    export_run_table(&run, &manifest, &status, &mut row).unwrap();
    fs::create_dir_all(run.tables().join("run")).unwrap();
    let part = run.tables().join("run/part-00001.parquet");
    fs::write(&part, row).unwrap();
    let mut rows = ParquetRecordBatchReader::try_new(fs::File::open(&part).unwrap(), 1).unwrap();
    let nulls = rows.next().unwrap().unwrap();
    for unknown in ["device", "gradtop", "host", "seed", "threads"] {
        assert!(nulls.column_by_name(unknown).unwrap().is_null(0), "{unknown}");
    }
    let row = read_table(&run, "run").unwrap();
    let best = row.columns.iter().find(|(name, ..)| name == "best.loss").unwrap();
    assert_eq!(best.2, ColumnData::F64(vec![0.25]));
}

/// Writes the columns of another program as the only part of a copy of the minimal run.
fn with_columns(temp: &Path, columns: Vec<(&str, ArrayRef)>) -> RunDir {
    copy(&golden("minimal"), temp);
    let run = find_run(temp, "least").unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let file = fs::File::create(run.metrics().join("part-00001.parquet")).unwrap();
    // As DuckDB writes: without Arrow's own schema and without statistics of pages.
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true).with_properties(
        WriterProperties::builder().set_statistics_enabled(EnabledStatistics::Chunk).build(),
    );
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    run
}

fn columns(text: impl Fn(Vec<Option<&str>>) -> ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let times: TimestampMicrosecondArray = (0..3).map(|second| Some(second * 1_000_000)).collect();
    vec![
        ("step", Arc::new(Int64Array::from(vec![0, 1, 2]))),
        ("epoch", Arc::new(Float64Array::from(vec![None, Some(0.5), None]))),
        ("time", Arc::new(times.with_timezone("UTC"))),
        ("metric", text(vec![Some("loss"); 3])),
        ("model", text(vec![None; 3])),
        ("split", text(vec![Some("train"), Some("train"), Some("test")])),
        ("trial", Arc::new(Int32Array::from(vec![None, None, Some(1)]))),
        ("value", Arc::new(Float64Array::from(vec![1.0, f64::NAN, 0.25]))),
    ]
}

/// Stores text in one of Arrow's ways.
type Stored = fn(Vec<Option<&str>>) -> ArrayRef;

#[test]
fn text_of_other_programs_is_read_however_it_is_stored() {
    let stored: [Stored; 3] = [
        |text| Arc::new(StringArray::from(text)),
        |text| Arc::new(LargeStringArray::from(text)),
        |text| Arc::new(StringViewArray::from(text)),
    ];
    for text in stored {
        let temp = tempfile::tempdir().unwrap();
        let run = with_columns(temp.path(), columns(text));
        let series = read_series(&run, |_| true).unwrap();
        let names: Vec<_> =
            series.iter().map(|s| (s.key.split.as_deref(), s.key.trial, s.step.len())).collect();
        assert_eq!(names, [(Some("test"), Some(1), 1), (Some("train"), None, 2)]);
        assert!(check(&run).unwrap().iter().all(|file| file.content == Content::Unsigned));
    }
}

#[test]
fn a_column_of_another_program_that_is_wrong_is_named() {
    let text = |text: Vec<Option<&str>>| Arc::new(StringArray::from(text)) as ArrayRef;
    let wrong: [(&str, Option<ArrayRef>, &str); 4] = [
        (
            "trial",
            Some(Arc::new(Int64Array::from(vec![1; 3]))),
            "its column \"trial\" is int64 instead of int32",
        ),
        ("metric", Some(Arc::new(Int64Array::from(vec![1; 3]))), "\"metric\" is int64 instead of string"),
        ("split", None, "it has no column \"split\""),
        (
            "step",
            Some(Arc::new(Int64Array::from(vec![Some(1), None, None]))),
            "its column \"step\" has nulls",
        ),
    ];
    for (name, column, said) in wrong {
        let temp = tempfile::tempdir().unwrap();
        let mut columns = columns(text);
        let at = columns.iter().position(|(own, _)| *own == name).unwrap();
        match column {
            Some(column) => columns[at].1 = column,
            None => drop(columns.remove(at)),
        }
        let run = with_columns(temp.path(), columns);
        let (_, damaged) = read_series_around_damage(&run, |_| true).unwrap();
        assert!(damaged[0].to_string().contains(said), "{damaged:?}");
        let found = check(&run).unwrap();
        // Whether there are nulls is only seen when rows are read.
        let nulls = said.ends_with("nulls");
        assert!(
            nulls || matches!(&found[0].content, Content::Damaged(why) if why.contains(said)),
            "{found:?}"
        );
    }
}
