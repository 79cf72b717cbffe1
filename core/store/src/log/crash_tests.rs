//! A kill at every stage of sealing, merging, recovering and resuming: a copy of the folder is taken at each, read as a
//! viewer reads it, globbed as SQL engines glob it, and recovered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tempfile::TempDir;

use crate::log::merge::{Policy, merge};
use crate::log::part::segment_name;
use crate::log::rows::Rows;
use crate::log::series::KeyTable;
use crate::sealed::file::Sealed;
use crate::sealed::merged::Metrics;
use crate::sealed::reader::PartReader;
use crate::sealed::table::{TableParts, check, to_batch, write_part};
use crate::stages::hook;
use crate::{
    ColumnData, Recorder, RecorderOptions, RunDir, RunLock, SeriesKey, TableColumn, prepare_resume,
    read_series, read_table, recover,
};

/// What a run holds: every row by metric and step, in the order read.
type Contents = BTreeMap<String, Vec<(i64, f64)>>;

fn contents(run: &RunDir) -> Contents {
    let series = read_series(run, |_| true).unwrap();
    series.into_iter().map(|s| (s.key.metric, s.step.into_iter().zip(s.value).collect())).collect()
}

/// The folder of a run that holds nothing yet.
fn empty(temp: &tempfile::TempDir) -> RunDir {
    let run = RunDir::new(temp.path().join("exp=e/run=r"));
    fs::create_dir_all(run.path()).unwrap();
    run
}

/// What the documented glob sees.
fn glob(run: &RunDir) -> Contents {
    let mut table = KeyTable::default();
    let mut found = Contents::new();
    let mut paths: Vec<PathBuf> = fs::read_dir(run.metrics())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "parquet"))
        .collect();
    paths.sort();
    for path in paths {
        let mut reader = PartReader::new(&Sealed::open(run, &path).unwrap()).unwrap();
        while let Some(rows) = reader.next(&mut table).unwrap() {
            for i in 0..rows.len() {
                let metric = table.key(rows.series[i]).unwrap().metric.clone();
                found.entry(metric).or_default().push((rows.step[i], rows.value[i]));
            }
        }
    }
    for rows in found.values_mut() {
        rows.sort_by_key(|(step, _)| *step);
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Runs `work` and returns a copy of the folder at each stage it passes.
fn at_each_stage(temp: &TempDir, run: &RunDir, work: impl FnOnce()) -> Vec<(&'static str, RunDir)> {
    let copies = Rc::new(RefCell::new(Vec::new()));
    let (kept, from, base) = (Rc::clone(&copies), run.path().to_owned(), temp.path().to_owned());
    hook::set(Some(Box::new(move |stage| {
        let n = kept.borrow().len();
        let to = base.join(format!("copy-{n}"));
        fs::remove_dir_all(&to).ok();
        copy(&from, &to);
        kept.borrow_mut().push((stage, RunDir::new(to)));
    })));
    work();
    hook::set(None);
    copies.take()
}

/// No row twice, and none that is not expected.
fn assert_within(seen: &Contents, expected: &Contents, stage: &str) {
    for (metric, rows) in seen {
        let all = &expected[metric];
        let mut steps: Vec<i64> = rows.iter().map(|(s, _)| *s).collect();
        steps.dedup();
        assert_eq!(steps.len(), rows.len(), "{stage}: a row of {metric} twice");
        assert!(rows.iter().all(|r| all.contains(r)), "{stage}: rows nobody logged");
    }
}

/// Recovers the copies, each twice, and compares them with what was logged.
fn check_copies(copies: &[(&'static str, RunDir)], expected: &Contents, always_visible: bool) {
    for (stage, run) in copies {
        assert_within(&glob(run), expected, stage);
        if always_visible {
            assert_eq!(contents(run), *expected, "{stage}: as a viewer sees it");
        }
        let lock = RunLock::acquire(run).unwrap();
        // Recovery killed halfway is recovered too.
        let temp = tempfile::tempdir().unwrap();
        for (inner, again) in at_each_stage(&temp, run, || _ = recover(run, &lock).unwrap()) {
            let lock = RunLock::acquire(&again).unwrap();
            recover(&again, &lock).unwrap();
            assert_eq!(glob(&again), *expected, "{stage}, then {inner}: recovered");
        }
        assert_eq!(glob(run), *expected, "{stage}: recovered");
        assert_eq!(contents(run), *expected, "{stage}: recovered, as a viewer sees it");
        let clean = recover(run, &lock).unwrap();
        assert_eq!(clean, crate::Recovery::default(), "{stage}: a whole folder was changed");
        assert!(fs::read_dir(run.journal()).unwrap().next().is_none(), "{stage}: a journal is left");
    }
}

/// A run whose rows are all in the journal, in one segment.
fn journaled(temp: &TempDir, rows: i64) -> RunDir {
    let run = empty(temp);
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let (a, b) = two(&recorder);
    for step in 0..rows {
        recorder.log(step, None, [(a, step as f64), (b, -(step as f64))]);
    }
    drop(recorder);
    run
}

fn two(recorder: &Recorder) -> (u32, u32) {
    let series = |m: &str| recorder.series(&SeriesKey::metric(m), None).unwrap();
    (series("a"), series("b"))
}

/// A run of `parts` sealed parts.
fn parted(temp: &TempDir, parts: u32) -> RunDir {
    let run = empty(temp);
    fs::create_dir_all(run.journal()).unwrap();
    let mut table = KeyTable::default();
    table.intern(&SeriesKey::metric("a"), None);
    for n in 1..=parts {
        let steps: Vec<i64> = (i64::from(n) * 10..i64::from(n) * 10 + 10).collect();
        let rows = Rows {
            series: vec![0; 10],
            epoch: vec![f64::NAN; 10],
            time: steps.clone(),
            value: steps.iter().map(|s| *s as f64).collect(),
            step: steps,
        };
        crate::log::seal::seal(&run, n, &rows, &table).unwrap();
    }
    run
}

#[test]
fn killed_while_sealing() {
    let temp = tempfile::tempdir().unwrap();
    let run = journaled(&temp, 500);
    let expected = contents(&run);
    assert_eq!(expected["a"].len(), 500);
    let lock = RunLock::acquire(&run).unwrap();
    let copies = at_each_stage(&temp, &run, || _ = recover(&run, &lock).unwrap());
    assert!(copies.iter().any(|(s, _)| *s == "seal: renamed") && copies.len() >= 4, "{copies:?}");
    check_copies(&copies, &expected, true);
    assert_eq!(glob(&run), expected);
}

#[test]
fn killed_while_merging() {
    let temp = tempfile::tempdir().unwrap();
    let run = parted(&temp, 7);
    let expected = contents(&run);
    let borders = [3].into();
    let copies = at_each_stage(&temp, &run, || {
        let less = merge(&run, &run.metrics(), &Metrics, &borders, &Policy::new(2, true)).unwrap();
        assert_eq!(less, 5);
    });
    assert!(copies.iter().any(|(s, _)| *s == "merge: exchanged"));
    let names: Vec<_> = crate::log::part::list_parts(&run, &run.metrics())
        .unwrap()
        .iter()
        .map(|p| (p.first, p.last))
        .collect();
    assert_eq!(names, [(1, 3), (4, 7)], "a merge crossed a checkpoint");
    check_copies(&copies, &expected, true);
}

#[test]
fn killed_while_merging_without_exchange() {
    let temp = tempfile::tempdir().unwrap();
    let run = parted(&temp, 5);
    let expected = contents(&run);
    hook::set_no_exchange(true);
    let kept = merge(&run, &run.metrics(), &Metrics, &[].into(), &Policy::new(2, false)).unwrap();
    assert_eq!(kept, 0, "only the last merge may go without an exchange");
    let copies = at_each_stage(&temp, &run, || {
        merge(&run, &run.metrics(), &Metrics, &[].into(), &Policy::new(2, true)).unwrap();
    });
    assert!(copies.iter().filter(|(s, _)| *s == "merge: one removed").count() == 5, "{copies:?}");
    assert_eq!(glob(&run), expected);
    check_copies(&copies, &expected, false);
    hook::set_no_exchange(false);
}

#[test]
fn untouched_parts_are_linked_not_copied() {
    use std::os::unix::fs::MetadataExt as _;
    let temp = tempfile::tempdir().unwrap();
    let run = parted(&temp, 3);
    let inode = |n: &str| fs::metadata(run.metrics().join(n)).unwrap().ino();
    let before = inode("part-00003.parquet");
    merge(&run, &run.metrics(), &Metrics, &[2].into(), &Policy::new(2, true)).unwrap();
    assert_eq!(inode("part-00003.parquet"), before);
    assert!(run.metrics().join("part-00001-00002.parquet").exists());
    assert!(!run.metrics().join("part-00001.parquet").exists());
}

#[test]
fn killed_while_a_table_is_written_and_merged() {
    let temp = tempfile::tempdir().unwrap();
    let run = empty(&temp);
    fs::create_dir_all(run.journal()).unwrap();
    let dir = run.tables().join("points");
    let batch = |step: i64| {
        let columns = vec![TableColumn {
            name: "x".into(),
            unit: None,
            data: ColumnData::F64(vec![step as f64, f64::NAN]),
        }];
        to_batch("points", check("points", &columns).unwrap(), step, columns).unwrap()
    };
    let steps = |run: &RunDir| match read_table(run, "points").unwrap().column("step").unwrap() {
        ColumnData::I64(v) => v.clone(),
        other => panic!("{other:?}"),
    };
    write_part(&run, &dir, 1, &[batch(1)]).unwrap();
    for (stage, copied) in at_each_stage(&temp, &run, || write_part(&run, &dir, 2, &[batch(2)]).unwrap()) {
        let seen = steps(&copied);
        assert!(seen == [1, 1] || seen == [1, 1, 2, 2], "{stage}: {seen:?}");
    }
    let copies = at_each_stage(&temp, &run, || {
        merge(&run, &dir, &TableParts, &[].into(), &Policy::new(2, true)).unwrap();
    });
    for (stage, copied) in &copies {
        assert_eq!(steps(copied), [1, 1, 2, 2], "{stage}");
        recover(copied, &RunLock::acquire(copied).unwrap()).unwrap();
        assert_eq!(steps(copied), [1, 1, 2, 2], "{stage}: recovered");
    }
    assert!(dir.join("part-00001-00002.parquet").exists());
}

#[test]
fn killed_while_resuming() {
    let temp = tempfile::tempdir().unwrap();
    let run = empty(&temp);
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let (a, b) = two(&recorder);
    let table = |step: i64| {
        let data = ColumnData::Utf8(vec![format!("row {step}")]);
        recorder
            .log_table("notes", step, vec![TableColumn { name: "text".into(), unit: None, data }])
            .unwrap();
    };
    for step in 0..100 {
        recorder.log(step, None, [(a, 1.0), (b, 2.0)]);
        if step == 49 {
            table(step);
            recorder
                .checkpoint(step, None, None, |dir| {
                    fs::write(dir.join("model"), "x").map_err(|e| e.to_string())
                })
                .unwrap();
            table(step + 1);
        }
    }
    drop(recorder);
    let lock = RunLock::acquire(&run).unwrap();
    let copies = at_each_stage(&temp, &run, || drop(prepare_resume(&run, &lock, None).unwrap()));
    assert!(copies.iter().any(|(s, _)| *s == "resume: moved"), "{copies:?}");
    for (stage, copied) in copies.iter().map(|(s, c)| (*s, c)).chain([("done", &run)]) {
        let held = (stage != "done").then(|| RunLock::acquire(copied).unwrap());
        let checkpoint = prepare_resume(copied, held.as_ref().unwrap_or(&lock), None).unwrap();
        assert_eq!(checkpoint.step, 49);
        assert_eq!(fs::read_to_string(checkpoint.dir.join("model")).unwrap(), "x");
        let found = glob(copied);
        assert_eq!(found["a"].len(), 50, "{stage}");
        assert_eq!(found["b"].last().unwrap().0, 49, "{stage}");
        assert_eq!(read_table(copied, "notes").unwrap().rows(), 1, "{stage}");
        assert!(copied.superseded().exists(), "{stage}: nothing was set aside");
    }
}

#[test]
fn a_sealed_segment_beats_its_journal() {
    let temp = tempfile::tempdir().unwrap();
    let run = journaled(&temp, 10);
    let expected = contents(&run);
    let journal = run.journal().join(segment_name(1));
    let kept = fs::read(&journal).unwrap();
    let lock = RunLock::acquire(&run).unwrap();
    recover(&run, &lock).unwrap();
    fs::write(&journal, kept).unwrap();
    assert_eq!(contents(&run), expected);
    recover(&run, &lock).unwrap();
    assert!(!journal.exists());
    assert_eq!(glob(&run), expected);
}
