//! Files that hold something else than was written: either the same numbers are read, or the file is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow_array::{Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use gradtop_store::{
    ColumnData, Content, Event, Recorder, RecorderOptions, RunDir, RunLock, SeriesData, SeriesKey,
    StoreError, TableColumn, Tailer, known_damage, outline, read_events, read_series,
    read_series_around_damage, read_table, recover,
};

use crate::common::{parts, poll, series};

/// A run folder's files, by path.
type Files = Vec<(PathBuf, Vec<u8>)>;

fn files(run: &RunDir) -> Files {
    let mut found = Vec::new();
    let mut open = vec![run.path().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(run.path()).unwrap().to_owned(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn put(files: &Files, temp: &Path) -> RunDir {
    let run = RunDir::new(temp.join("exp=demo/run=demo-1"));
    for (path, bytes) in files {
        let path = run.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    run
}

/// 1,200 rows of two series, in the journal: batch after batch.
fn journaled() -> &'static Files {
    static MADE: OnceLock<Files> = OnceLock::new();
    MADE.get_or_init(|| {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        let options = RecorderOptions { flush_after: Duration::ZERO, ..RecorderOptions::default() };
        let recorder = Recorder::open(&run, options).unwrap();
        let (a, b) = (series(&recorder, "a"), series(&recorder, "b"));
        let journal = run.journal().join("journal-00001.arrows");
        let len = || fs::metadata(&journal).map_or(0, |m| m.len());
        for batch in 0..6 {
            let before = len();
            for step in batch * 100..batch * 100 + 100 {
                recorder.log(step, Some(step as f64 / 8.0), [(a, step as f64), (b, 1.0 / (step + 1) as f64)]);
            }
            while len() == before || recorder.stats().behind > 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        drop(recorder);
        files(&run)
    })
}

/// The same rows, sealed, and a table beside them.
fn sealed() -> &'static Files {
    static MADE: OnceLock<Files> = OnceLock::new();
    MADE.get_or_init(|| {
        let temp = tempfile::tempdir().unwrap();
        let run = put(journaled(), temp.path());
        recover(&run, &RunLock::acquire(&run).unwrap()).unwrap();
        let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
        let image = ColumnData::Bytes { width: 16, data: (0..160).collect() };
        let text = ColumnData::Utf8((0..10).map(|i| format!("row {i}")).collect());
        let column = |name: &str, data| TableColumn { name: name.into(), unit: None, data };
        recorder.log_table("points", 1, vec![column("image", image), column("text", text)]).unwrap();
        recorder.finish().unwrap();
        files(&run)
    })
}

fn all(files: &Files) -> Vec<SeriesData> {
    let temp = tempfile::tempdir().unwrap();
    read_series(&put(files, temp.path()), |_| true).unwrap()
}

/// Whether what is read is what was written, from the first row to some row.
fn assert_true(read: &[SeriesData], written: &[SeriesData], what: &str) -> bool {
    for s in read {
        let whole =
            written.iter().find(|w| w.key == s.key).unwrap_or_else(|| panic!("{what}: {}", s.key.metric));
        let n = s.step.len();
        let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(s.step[..], whole.step[..n], "{what}: steps");
        assert_eq!(s.time_us[..], whole.time_us[..n], "{what}: times");
        assert_eq!(bits(&s.value), bits(&whole.value[..n]), "{what}: values");
        assert_eq!(bits(&s.epoch), bits(&whole.epoch[..n]), "{what}: epochs");
    }
    let count = |all: &[SeriesData]| all.iter().map(|s| s.step.len()).sum::<usize>();
    count(read) == count(written)
}

/// Bits of a file, every so many, from all places.
fn bits(len: usize, count: usize) -> impl Iterator<Item = usize> {
    let all = len * 8;
    (0..count).map(move |i| (i * all / count + i * 7) % all)
}

fn with(files: &Files, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = files.clone();
    change(&mut files.iter_mut().find(|(p, _)| p == path).unwrap().1);
    files
}

/// A changed run gives the same rows, or fewer of them and the name of the file. Also once it is recovered.
fn check(files: &Files, written: &[SeriesData], what: &str) {
    let temp = tempfile::tempdir().unwrap();
    let run = put(files, temp.path());
    let (read, damaged) = read_series_around_damage(&run, |_| true).unwrap();
    let whole = assert_true(&read, written, what);
    assert!(whole || !damaged.is_empty(), "{what}: rows are missing without a word");
    let mut tailer = Tailer::new(&run);
    let mut rows = 0;
    while !tailer.at_end() {
        rows += poll(&mut tailer, Duration::from_secs(5)).unwrap().len();
    }
    assert_eq!(rows, read.iter().map(|s| s.step.len()).sum::<usize>(), "{what}: followed");
    assert_eq!(tailer.damage().is_empty(), damaged.is_empty(), "{what}: {:?}", tailer.damage());
    outline(&run, |_| true).unwrap();
    let names =
        gradtop_store::check(&run).unwrap().into_iter().filter(|c| matches!(c.content, Content::Damaged(_)));
    let names: Vec<_> = names.collect();
    assert_eq!(!names.is_empty(), !damaged.is_empty(), "{what}: checked {names:?} {damaged:?}");
    recover(&run, &RunLock::acquire(&run).unwrap()).unwrap();
    let (again, _) = read_series_around_damage(&run, |_| true).unwrap();
    assert_true(&again, &read, &format!("{what}: recovered"));
    assert_eq!(known_damage(&run).unwrap().is_empty(), damaged.is_empty(), "{what}: what is known of it");
    let told = read_events(&run).unwrap();
    assert_eq!(told.iter().any(|e| matches!(e.event, Event::Warning { .. })), !damaged.is_empty(), "{what}");
}

#[test]
fn a_flipped_bit_of_a_journal_changes_no_number_unseen() {
    let written = all(journaled());
    let path = Path::new("journal/journal-00001.arrows");
    let len = journaled().iter().find(|(p, _)| p == path).unwrap().1.len();
    for bit in bits(len, 400) {
        let files = with(journaled(), path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        check(&files, &written, &format!("bit {bit}"));
    }
}

#[test]
fn no_page_of_zeros_in_a_journal_becomes_rows() {
    let written = all(journaled());
    let path = Path::new("journal/journal-00001.arrows");
    let len = journaled().iter().find(|(p, _)| p == path).unwrap().1.len();
    for page in (0..len).step_by(4096) {
        let files = with(journaled(), path, |bytes| bytes[page..len.min(page + 4096)].fill(0));
        check(&files, &written, &format!("page at {page}"));
    }
    let files = with(journaled(), path, |bytes| bytes.resize(len + 8192, 0));
    check(&files, &written, "zeros at the end");
}

#[test]
fn a_flipped_bit_of_sealed_rows_changes_no_number_unseen() {
    let written = all(sealed());
    let path = Path::new("metrics/part-00001.parquet");
    let len = sealed().iter().find(|(p, _)| p == path).unwrap().1.len();
    for bit in bits(len, 600) {
        let files = with(sealed(), path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        check(&files, &written, &format!("bit {bit}"));
    }
}

#[test]
fn a_flipped_bit_of_a_table_changes_no_value_unseen() {
    let temp = tempfile::tempdir().unwrap();
    let written = read_table(&put(sealed(), temp.path()), "points").unwrap();
    let path = Path::new("tables/points/part-00001.parquet");
    let len = sealed().iter().find(|(p, _)| p == path).unwrap().1.len();
    for bit in bits(len, 300) {
        let files = with(sealed(), path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let temp = tempfile::tempdir().unwrap();
        match read_table(&put(&files, temp.path()), "points") {
            Ok(read) => assert_eq!(read, written, "bit {bit}"),
            Err(e) => assert!(e.is_damage() && e.to_string().contains("part-00001"), "bit {bit}: {e}"),
        }
    }
}

#[test]
fn a_flipped_bit_of_the_names_of_series_changes_none_unseen() {
    let path = Path::new("series.jsonl");
    let len = journaled().iter().find(|(p, _)| p == path).unwrap().1.len();
    let written = all(journaled());
    for bit in bits(len, 300) {
        let files = with(journaled(), path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let temp = tempfile::tempdir().unwrap();
        let run = put(&files, temp.path());
        // Of a newer version, by its look.
        let Ok((read, damaged)) = read_series_around_damage(&run, |_| true) else { continue };
        let whole = assert_true(&read, &written, &format!("bit {bit}"));
        assert!(whole || !damaged.is_empty(), "bit {bit}");
    }
}

#[test]
fn a_damaged_part_is_named_and_left_out_of_merges() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path().join("exp=demo/run=demo-1"));
    fs::create_dir_all(run.metrics()).unwrap();
    for n in 0..5i64 {
        let one = RunDir::new(temp.path().join(format!("one-{n}")));
        fs::create_dir_all(one.path()).unwrap();
        let recorder = Recorder::open(&one, RecorderOptions::default()).unwrap();
        let a = series(&recorder, "a");
        for step in n * 100..n * 100 + 100 {
            recorder.log(step, None, [(a, step as f64)]);
        }
        recorder.finish().unwrap();
        let part = one.metrics().join("part-00001.parquet");
        fs::copy(part, run.metrics().join(format!("part-0000{}.parquet", n + 1))).unwrap();
    }
    let second = &run.metrics().join("part-00002.parquet");
    let mut bytes = fs::read(second).unwrap();
    bytes[40] ^= 1;
    fs::write(second, &bytes).unwrap();
    let lock = RunLock::acquire(&run).unwrap();
    recover(&run, &lock).unwrap();
    assert_eq!(fs::read(second).unwrap(), bytes, "it was touched");
    let known = known_damage(&run).unwrap();
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(known[0].file, Path::new("metrics/part-00002.parquet"));
    recover(&run, &lock).unwrap();
    assert_eq!(known_damage(&run).unwrap(), known, "told twice");
    let (read, damaged) = read_series_around_damage(&run, |_| true).unwrap();
    assert_eq!(damaged.len(), 1);
    assert_eq!(parts(&run), ["part-00001.parquet", "part-00002.parquet", "part-00003-00005.parquet"]);
    let steps: Vec<i64> = (0..500).filter(|s| !(100..200).contains(s)).collect();
    assert_eq!(read[0].step, steps);
    assert!(matches!(read_series(&run, |_| true), Err(StoreError::Damaged { .. })));
}

/// A journal as versions without sums wrote it.
fn old_journal(series: &[u32], time: &[i64]) -> Vec<u8> {
    let fields = vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("step", DataType::Int64, false),
        Field::new("epoch", DataType::Float64, false),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("value", DataType::Float64, false),
    ];
    let metadata = std::collections::HashMap::from([("gradtop.schema".to_owned(), "1".to_owned())]);
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let n = series.len();
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(UInt32Array::from(series.to_vec())),
            Arc::new(Int64Array::from_iter_values(0..n as i64)),
            Arc::new(Float64Array::from(vec![f64::NAN; n])),
            Arc::new(TimestampMicrosecondArray::from(time.to_vec()).with_timezone("UTC")),
            Arc::new(Float64Array::from(vec![0.5; n])),
        ],
    );
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&batch.unwrap()).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_series_number_read_from_a_file_sizes_nothing() {
    let lines = journaled().iter().find(|(p, _)| p == Path::new("series.jsonl")).unwrap();
    for wrong in [2, 99_999, 100_000, 1 << 30, u32::MAX] {
        let journal = old_journal(&[0, 1, 0, wrong, 1], &[1, 2, 3, 4, 5]);
        let files = vec![lines.clone(), ("journal/journal-00001.arrows".into(), journal)];
        let temp = tempfile::tempdir().unwrap();
        let run = put(&files, temp.path());
        let (read, damaged) = read_series_around_damage(&run, |_| true).unwrap();
        assert_eq!(read.iter().map(|s| s.step.clone()).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
        assert!(damaged[0].to_string().contains(&format!("series {wrong}")), "{damaged:?}");
        recover(&run, &RunLock::acquire(&run).unwrap()).unwrap();
        let again = read_series(&run, |_| true).unwrap();
        assert!(assert_true(&again, &read, "what was whole is sealed"));
        assert!(run.damaged().join("journal-00001.arrows").exists(), "it is kept");
        assert!(!run.journal().join("journal-00001.arrows").exists());
    }
}

#[test]
fn journals_without_sums_are_read_and_those_with_sums_by_older_versions() {
    let lines = journaled().iter().find(|(p, _)| p == Path::new("series.jsonl")).unwrap();
    let files = vec![
        lines.clone(),
        ("journal/journal-00001.arrows".into(), old_journal(&[0, 1, 1], &[1, 1, 2])),
        // Zeros in the column of times, as a power cut leaves them.
        ("journal/journal-00002.arrows".into(), old_journal(&[0, 1, 1], &[3, 0, 0])),
    ];
    let temp = tempfile::tempdir().unwrap();
    let (read, damaged) = read_series_around_damage(&put(&files, temp.path()), |_| true).unwrap();
    assert_eq!(read.iter().map(|s| s.step.clone()).collect::<Vec<_>>(), [vec![0, 0], vec![1, 2]]);
    assert_eq!(damaged.len(), 1, "{damaged:?}");

    // Older versions read a journal by the decoder alone.
    let new = &journaled().iter().find(|(p, _)| p.starts_with("journal")).unwrap().1;
    let mut buffer = Buffer::from(new.clone());
    let mut decoder = StreamDecoder::new();
    let mut rows = 0;
    while let Some(batch) = decoder.decode(&mut buffer).unwrap() {
        assert_eq!(batch.num_columns(), 5);
        rows += batch.num_rows();
    }
    assert_eq!(rows, 1200);
}

#[test]
fn a_series_with_many_rows_is_known_by_its_name_only() {
    // More lines than a run may have are not read.
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let line = |n: u32| format!("{{\"schema\":1,\"series\":{n},\"metric\":\"m{n}\"}}\n");
    fs::write(run.series(), (0..100_002).map(line).collect::<String>()).unwrap();
    let keys = gradtop_store::series_keys(&run).unwrap();
    assert_eq!(keys.len(), 100_000);
    assert_eq!(keys[7].0, SeriesKey::metric("m7"));
}
