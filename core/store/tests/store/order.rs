//! Rows stay in the order logged, whatever their steps do, in the journal, sealed and merged; and numbers of series follow it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    types::Int32Type,
};
use gradtop_store::{
    Goal, Recorder, RecorderOptions, RunDir, RunLock, SeriesKey, Tailer, outline, read_series, recover,
    summarize,
};
use gradtop_tests::synthetic;
use parquet::arrow::ArrowWriter;

use crate::common::{parts, poll, series, small};

const LONG: Duration = Duration::from_secs(30);

/// Steps that go back twice.
fn steps() -> Vec<i64> {
    (0..60).chain(30..80).chain(40..42).collect()
}

/// What each way of reading gives of the first series: steps and values.
fn read(run: &RunDir) -> Vec<(i64, f64)> {
    let rows = read_series(run, |k| k.metric == "a").unwrap().remove(0);
    let rows: Vec<(i64, f64)> = rows.step.into_iter().zip(rows.value).collect();
    let mut tailer = Tailer::filtered(run, |k| k.metric == "a");
    let mut followed = Vec::new();
    while !tailer.at_end() {
        followed.extend(poll(&mut tailer, LONG).unwrap().into_iter().map(|(_, step, value)| (step, value)));
    }
    assert_eq!(followed, rows, "followed");
    let (numbers, damaged) = summarize(run, |k| k.metric == "a", |_| Goal::Max).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    let [a] = &numbers[..] else { panic!("{numbers:?}") };
    let last = rows.last().unwrap();
    assert_eq!((a.rows as usize, a.last.step, a.last.value), (rows.len(), last.0, last.1), "in numbers");
    rows
}

#[test]
fn steps_that_go_back_keep_their_place_sealed_and_merged() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let (b, a) = (series(&recorder, "b"), series(&recorder, "a"));
    let logged: Vec<(i64, f64)> = steps().into_iter().zip((0..).map(f64::from)).collect();
    for (step, value) in &logged {
        recorder.log(*step, None, [(a, *value), (b, -value)]);
    }
    drop(recorder);
    assert!(parts(&run).is_empty());
    assert_eq!(read(&run), logged, "in the journal");
    recover(&run, &RunLock::acquire(&run).unwrap()).unwrap();
    assert_eq!(parts(&run).len(), 1);
    assert_eq!(read(&run), logged, "sealed");
    // And on, through several parts, which are merged at the end.
    let recorder = Recorder::open(&run, small()).unwrap();
    let a = series(&recorder, "a");
    let mut all = logged;
    for n in 0..200 {
        all.push((50 - n % 7, n as f64));
        recorder.log(50 - n % 7, None, [(a, n as f64)]);
        if n % 20 == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    recorder.finish().unwrap();
    assert_eq!(read(&run), all, "merged");
    // Readers that know of no order of rows have the time: no two rows of a series share one.
    let times = read_series(&run, |k| k.metric == "a").unwrap().remove(0).time_us;
    assert!(times.windows(2).all(|w| w[0] < w[1]), "{times:?}");
}

/// A part as versions before wrote it: no checksums, and rows of a series in the order of their steps.
fn old_part(path: &std::path::Path, rows: &[(i64, i64, f64)]) {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|(_, step, _)| *step);
    let n = rows.len();
    let text = |t: Option<&str>| -> ArrayRef {
        Arc::new(std::iter::repeat_n(t, n).collect::<DictionaryArray<Int32Type>>())
    };
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("step", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1))), false),
        ("epoch", Arc::new(Float64Array::new_null(n)), true),
        (
            "time",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.0)).with_timezone("UTC"),
            ),
            false,
        ),
        ("metric", text(Some("a")), false),
        ("model", text(None), true),
        ("split", text(None), true),
        ("trial", Arc::new(Int32Array::new_null(n)), true),
        ("value", Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.2))), false),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn parts_of_older_versions_are_put_in_order_by_time() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    fs::create_dir_all(run.metrics()).unwrap();
    let logged: Vec<(i64, i64, f64)> =
        steps().into_iter().zip(1_000_000_i64..).map(|(step, time)| (time, step, time as f64)).collect();
    let (first, second) = logged.split_at(70);
    old_part(&run.metrics().join("part-00001.parquet"), first);
    old_part(&run.metrics().join("part-00002.parquet"), second);
    let expected: Vec<(i64, f64)> = logged.iter().map(|(_, step, value)| (*step, *value)).collect();
    assert_eq!(read(&run), expected);
    let times: Vec<i64> = outline(&run, |_| true).unwrap()[0].pages.iter().map(|p| p.time_us.0).collect();
    assert!(times.is_sorted(), "{times:?}");
    recover(&run, &RunLock::acquire(&run).unwrap()).unwrap();
    assert_eq!(parts(&run), ["part-00001-00002.parquet"]);
    assert_eq!(read(&run), expected, "merged");
}

#[test]
fn a_series_in_numbers_is_what_its_rows_are() {
    let temp = tempfile::tempdir().unwrap();
    let run = synthetic::finished(temp.path(), "done", 1_000_000).unwrap();
    {
        // Odd values, and rows that are not sealed.
        let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
        let n = |m: u32| recorder.series(&SeriesKey::metric(synthetic::metric(m)), None).unwrap();
        let (two, three, nan) = (n(2), n(3), series(&recorder, "nan"));
        let odd = [f64::NAN, f64::NEG_INFINITY, 1e-9, f64::INFINITY, 1e9, 1e9, f64::NAN];
        for (step, value) in odd.iter().enumerate() {
            recorder.log(step as i64, None, [(two, *value), (nan, f64::NAN)]);
        }
        recorder.finish().unwrap();
        let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
        recorder.log(7, None, [(three, 0.25), (nan, f64::NAN)]);
        drop(recorder);
    }
    for goal in [Goal::Min, Goal::Max, Goal::None] {
        let (numbers, damaged) = summarize(&run, |k| k.metric != "metric-05", |_| goal).unwrap();
        assert!(damaged.is_empty(), "{damaged:?}");
        let rows: BTreeMap<SeriesKey, _> = read_series(&run, |k| k.metric != "metric-05")
            .unwrap()
            .into_iter()
            .map(|s| (s.key.clone(), s))
            .collect();
        assert_eq!(numbers.len(), rows.len());
        for s in numbers {
            let own = &rows[&s.key];
            let name = &s.key.metric;
            assert_eq!(s.rows as usize, own.step.len(), "{name}");
            assert_eq!(
                (s.last.step, s.last.time_us),
                (*own.step.last().unwrap(), *own.time_us.last().unwrap())
            );
            assert_eq!(s.last.value.to_bits(), own.value.last().unwrap().to_bits(), "{name}");
            let finite = || (0..own.step.len()).filter(|i| own.value[*i].is_finite());
            let best = match goal {
                Goal::None => None,
                Goal::Min => finite().min_by(|a, b| own.value[*a].total_cmp(&own.value[*b])),
                // Of equal ones the first.
                Goal::Max => finite().rev().max_by(|a, b| own.value[*a].total_cmp(&own.value[*b])),
            };
            assert_eq!(
                s.best.map(|b| (b.step, b.value)),
                best.map(|i| (own.step[i], own.value[i])),
                "{name}"
            );
        }
    }
}
