//! A tailer gives every row once while the run is written, sealed, merged and resumed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use gradtop_store::{
    Content, Goal, Recorder, RecorderOptions, RunDir, RunLock, SeriesData, Tailer, check, prepare_resume,
    read_series, summarize,
};

use crate::common::{parts, poll, series, small, until};

const LONG: Duration = Duration::from_secs(5);

/// Collects rows and fails on any that comes twice.
#[derive(Default)]
struct Seen(BTreeMap<(String, i64), f64>);

impl Seen {
    fn poll(&mut self, tailer: &mut Tailer, budget: Duration) {
        for (metric, step, value) in poll(tailer, budget).unwrap() {
            let old = self.0.insert((metric, step), value);
            assert_eq!(old, None, "step {step} twice");
        }
    }

    fn drain(&mut self, tailer: &mut Tailer) {
        loop {
            self.poll(tailer, Duration::ZERO);
            if tailer.at_end() {
                return;
            }
        }
    }
}

/// Logs while a tailer polls every `pause`, and compares.
fn follow(pause: Duration, budget: Duration) {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let mut tailer = Tailer::new(&run);
    assert_eq!(poll(&mut tailer, budget).unwrap(), []);
    let recorder = Recorder::open(&run, small()).unwrap();
    let logger = std::thread::spawn(move || {
        let (a, b) = (series(&recorder, "a"), series(&recorder, "b"));
        for step in 0..3000 {
            recorder.log(step, None, [(a, step as f64), (b, 0.5)]);
            if step % 10 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        recorder.finish().unwrap();
    });
    let mut seen = Seen::default();
    while !logger.is_finished() {
        seen.poll(&mut tailer, budget);
        std::thread::sleep(pause);
    }
    logger.join().unwrap();
    seen.drain(&mut tailer);
    assert_eq!(seen.0.len(), 6000);
    assert!((0..3000).all(|s| seen.0[&("a".to_owned(), s)] == s as f64));
    assert_eq!(tailer.look_back().unwrap(), 0);
    assert_eq!(parts(&run).len(), 1, "it was not merged");
}

#[test]
fn follows_closely() {
    follow(Duration::from_millis(1), LONG);
}

#[test]
fn follows_from_time_to_time() {
    follow(Duration::from_millis(170), LONG);
}

#[test]
fn follows_in_small_bites() {
    follow(Duration::from_millis(3), Duration::ZERO);
}

#[test]
fn is_told_of_a_resume() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, small()).unwrap();
    let a = series(&recorder, "a");
    for step in 0..100 {
        recorder.log(step, None, [(a, 1.0)]);
        if step == 39 {
            recorder.checkpoint(step, None, None, |_| Ok(())).unwrap();
        }
    }
    drop(recorder);
    let mut tailer = Tailer::new(&run);
    let mut seen = Seen::default();
    seen.drain(&mut tailer);
    assert_eq!(seen.0.len(), 100);
    prepare_resume(&run, &RunLock::acquire(&run).unwrap(), None).unwrap();
    let recorder = Recorder::open(&run, small()).unwrap();
    for step in 40..60 {
        recorder.log(step, None, [(series(&recorder, "a"), 2.0)]);
    }
    recorder.finish().unwrap();
    let mut seen = Seen::default();
    seen.drain(&mut tailer);
    assert_eq!(tailer.look_back().unwrap(), 1);
    assert_eq!(seen.0.values().filter(|v| **v == 1.0).count(), 40);
    assert_eq!(seen.0.values().filter(|v| **v == 2.0).count(), 20);
}

/// A reader that has read the names of the series meets rows of one that is named only now.
#[test]
fn a_series_that_begins_while_a_live_run_is_read_is_no_damage() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let options = RecorderOptions { flush_after: Duration::from_millis(1), ..RecorderOptions::default() };
    let recorder = Recorder::open(&run, options).unwrap();
    let written = || until("the journal", || recorder.stats().behind == 0);
    let begin = |metric: &str| {
        recorder.log(0, None, [(series(&recorder, metric), 1.0)]);
        written();
    };
    begin("a");
    let read = read_series(&run, |key| {
        if key.metric == "a" {
            begin("b");
        }
        true
    });
    let metrics = |all: Vec<SeriesData>| all.into_iter().map(|s| s.key.metric).collect::<Vec<_>>();
    assert_eq!(metrics(read.unwrap()), ["a", "b"]);
    let begun = Cell::new(false);
    let (summaries, damage) = summarize(
        &run,
        |_| {
            if !begun.replace(true) {
                begin("c");
            }
            true
        },
        |_| Goal::None,
    )
    .unwrap();
    assert!(damage.is_empty(), "{damage:?}");
    assert_eq!(summaries.len(), 3);
}

#[test]
fn every_file_of_a_live_run_is_checked_while_it_seals_and_merges() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, small()).unwrap();
    let logger = std::thread::spawn(move || {
        for step in 0..3000 {
            let metric = format!("m{}", step / 30);
            recorder.log(step, None, [(series(&recorder, &metric), 0.5)]);
            if step % 10 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        recorder.finish().unwrap();
    });
    while !logger.is_finished() {
        let mut checked = check(&run).unwrap();
        checked.retain(|c| c.content != Content::Whole);
        assert_eq!(checked, []);
    }
    logger.join().unwrap();
}
