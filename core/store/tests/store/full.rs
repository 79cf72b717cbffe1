//! A disk that takes nothing for a while, or never again.

#![allow(clippy::print_stderr, reason = "a test that could not be done says so")]

use std::path::PathBuf;
use std::time::Duration;

use gradtop_store::{
    ColumnData, Event, EventLog, Recorder, RecorderOptions, RunDir, State, Status, StoreError, TableColumn,
    checkpoints, is_locked, read_events, read_series, read_status, read_table, recover, write_status,
};

use crate::common::{mounts_alone, new_run, parts, series, until};

/// A disk of this many kilobytes that only this thread and those it starts see. Says so and gives nothing where nobody may
/// mount.
fn disk(kilobytes: u32) -> Option<Disk> {
    let dir = tempfile::tempdir().unwrap();
    let size = format!("size={kilobytes}k");
    if !mounts_alone(&[&["-t", "tmpfs", "-o", &size, "tmpfs", dir.path().to_str().unwrap()]]) {
        eprintln!("NOT TESTED: no disk of a limited size can be mounted here (root is needed)");
        return None;
    }
    Some(Disk { runs: dir.path().to_owned(), _dir: dir })
}

struct Disk {
    runs: PathBuf,
    _dir: tempfile::TempDir,
}

impl Disk {
    fn fill(&self) {
        let fill = |block: usize| {
            let mut file =
                std::fs::File::options().append(true).create(true).open(self.runs.join("fill")).unwrap();
            while std::io::Write::write_all(&mut file, &vec![1; block]).is_ok() {}
        };
        fill(64 << 10);
        fill(1);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.runs.join("fill")).unwrap();
    }
}

fn log(recorder: &Recorder, steps: std::ops::Range<i64>) {
    let a = series(recorder, "a");
    for step in steps {
        recorder.log(step, None, [(a, step as f64)]);
    }
}

fn steps(run: &RunDir) -> Vec<i64> {
    read_series(run, |_| true).unwrap().first().map(|s| s.step.clone()).unwrap_or_default()
}

#[test]
fn rows_wait_for_room_and_none_is_lost() {
    let Some(disk) = disk(1024) else { return };
    let run = new_run(&disk.runs, "a");
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    log(&recorder, 0..1000);
    until("the journal", || recorder.stats().behind == 0);
    disk.fill();
    log(&recorder, 1000..5000);
    until("the error is told", || recorder.stats().trouble.is_some());
    let stats = recorder.stats();
    let trouble = stats.trouble.unwrap();
    assert_eq!((trouble.cause.as_str(), trouble.hopeless), ("the disk is full", false));
    // What fitted into the last block of the journal is safe already.
    assert!((1..=4000).contains(&stats.behind), "{}", stats.behind);
    // A checkpoint does not fit, is an error that passes, and leaves nothing.
    let failed = recorder
        .checkpoint(1, None, None, |dir| std::fs::write(dir.join("x"), "x").map_err(|e| e.to_string()));
    assert_eq!(failed.unwrap_err().patience(), Some(Duration::MAX));
    assert!(checkpoints(&run).is_empty() && std::fs::read_dir(run.checkpoints()).unwrap().next().is_none());
    disk.make_room();
    until("the rows are written", || recorder.stats().behind == 0 && recorder.stats().trouble.is_none());
    recorder
        .checkpoint(2, None, None, |dir| std::fs::write(dir.join("x"), "x").map_err(|e| e.to_string()))
        .unwrap();
    recorder.finish().unwrap();
    assert_eq!(steps(&run), (0..5000).collect::<Vec<_>>());
}

#[test]
fn the_end_waits_for_room() {
    let Some(disk) = disk(1024) else { return };
    let run = new_run(&disk.runs, "a");
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    disk.fill();
    log(&recorder, 0..5000);
    let column = TableColumn { name: "x".to_owned(), unit: None, data: ColumnData::I64(vec![1, 2]) };
    recorder.log_table("t", 0, vec![column]).unwrap();
    std::thread::scope(|scope| {
        let finish = scope.spawn(|| recorder.finish());
        until("the end waits", || recorder.stats().trouble.is_some());
        assert!(!finish.is_finished() && parts(&run).is_empty());
        disk.make_room();
        finish.join().unwrap().unwrap();
    });
    assert_eq!(parts(&run), ["part-00001.parquet"]);
    assert_eq!(steps(&run).len(), 5000);
    assert_eq!(read_table(&run, "t").unwrap().rows(), 2);
}

#[test]
fn an_end_that_waits_no_longer_says_what_is_lost() {
    let Some(disk) = disk(1024) else { return };
    let run = new_run(&disk.runs, "a");
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    log(&recorder, 0..100);
    until("the journal", || recorder.stats().behind == 0);
    disk.fill();
    log(&recorder, 100..5000);
    let column = TableColumn { name: "x".to_owned(), unit: None, data: ColumnData::I64(vec![1, 2]) };
    recorder.log_table("t", 0, vec![column]).unwrap();
    recorder.give_up();
    let Err(StoreError::Lost { rows, table_rows, why }) = recorder.finish() else {
        panic!("nothing is lost")
    };
    assert_eq!((table_rows, why.as_str()), (2, "the disk is full"));
    disk.make_room();
    let lock = gradtop_store::RunLock::acquire(&run).unwrap();
    recover(&run, &lock).unwrap();
    let kept = steps(&run);
    assert_eq!(kept, (0..5000 - rows as i64).collect::<Vec<_>>(), "{rows} were said to be lost");
}

#[test]
fn an_error_that_lasts_too_long_is_hopeless() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    std::fs::remove_dir(run.journal()).unwrap();
    log(&recorder, 0..10);
    until("the error is told", || recorder.stats().trouble.is_some());
    assert!(recorder.stats().trouble.unwrap().hopeless, "a folder that is gone does not come back");
    recorder.finish().unwrap();
    assert_eq!(steps(&run).len(), 10, "what can still be sealed is");
}

#[test]
fn logging_is_bounded_and_a_run_that_is_to_end_is_let_go_on() {
    let Some(disk) = disk(1024) else { return };
    let run = new_run(&disk.runs, "a");
    let options = RecorderOptions { max_behind: 1000, ..RecorderOptions::default() };
    let recorder = Recorder::open(&run, options).unwrap();
    disk.fill();
    std::thread::scope(|scope| {
        let logging = scope.spawn(|| log(&recorder, 0..3000));
        until("logging waits", || recorder.stats().behind == 1001);
        assert!(!logging.is_finished());
        recorder.hurry(true);
        logging.join().unwrap();
    });
    assert_eq!(recorder.stats().behind, 3000);
    assert!(recorder.stats().wait > Duration::ZERO);
    disk.make_room();
    recorder.finish().unwrap();
    assert_eq!(steps(&run).len(), 3000);
}

#[test]
fn events_wait_in_their_order_and_keep_their_time() {
    let Some(disk) = disk(256) else { return };
    let run = new_run(&disk.runs, "a");
    let events = EventLog::new(&run);
    let say = |n: usize| events.append(&Event::Warning { message: format!("{n:05} {}", "x".repeat(500)) });
    say(0).unwrap();
    disk.fill();
    let told = (1..100).filter(|n| say(*n).is_ok()).count();
    let before = jiff::Timestamp::now();
    assert!(told < 20, "they fit");
    disk.make_room();
    events.flush().unwrap();
    say(100).unwrap();
    let read = read_events(&run).unwrap();
    let numbers: Vec<usize> = read
        .iter()
        .map(|line| match &line.event {
            Event::Warning { message } => message[..5].parse().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, (0..=100).collect::<Vec<_>>());
    assert!(read[99].time <= before);
    assert!(!std::fs::read_to_string(run.events()).unwrap().contains("xx{"), "a line was torn");
}

#[test]
fn a_status_has_room_on_a_full_disk() {
    let Some(disk) = disk(512) else { return };
    let run = new_run(&disk.runs, "a");
    let mut status = Status { schema: gradtop_store::SCHEMA, state: State::Running, ..Status::default() };
    write_status(&run, &status).unwrap();
    gradtop_store::keep_reserve(&run);
    disk.fill();
    for step in 0..20 {
        status.step = Some(step);
        write_status(&run, &status).unwrap();
        assert_eq!(read_status(&run).unwrap(), status);
    }
    status.state = State::Finished;
    write_status(&run, &status).unwrap();
    let ended = read_status(&run).unwrap();
    assert!(ended.holds.is_some());
    assert_eq!(Status { holds: None, ..ended }, status);
    gradtop_store::give_up_reserve(&run);
    // What the reserve took is free for the last event.
    EventLog::new(&run).append(&Event::Paused).unwrap();
    let names: Vec<String> = std::fs::read_dir(run.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.iter().any(|n| n.starts_with('.')), "{names:?}");
    assert!(std::fs::metadata(run.status()).unwrap().len() < 4096);
    assert!(!is_locked(&run).unwrap());
}
