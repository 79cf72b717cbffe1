//! A tailer gives every row once while the run is written, sealed, merged and resumed.

use std::collections::BTreeMap;
use std::time::Duration;

use gradtop_store::{Recorder, RunDir, RunLock, Tailer, prepare_resume};

use crate::common::{parts, series, small};

const LONG: Duration = Duration::from_secs(5);

/// Collects rows and fails on any that comes twice.
#[derive(Default)]
struct Seen(BTreeMap<(String, i64), f64>);

impl Seen {
    fn poll(&mut self, tailer: &mut Tailer, max: usize) {
        let rows = tailer.poll(max, LONG).unwrap();
        assert!(rows.len() <= max);
        for row in rows {
            let metric = tailer.series()[row.series as usize].0.metric.clone();
            let old = self.0.insert((metric, row.step), row.value);
            assert_eq!(old, None, "step {} twice", row.step);
        }
    }

    fn drain(&mut self, tailer: &mut Tailer) {
        loop {
            self.poll(tailer, 700);
            if tailer.at_end() {
                return;
            }
        }
    }
}

/// Logs while a tailer polls every `pause`, and compares.
fn follow(pause: Duration, max: usize) {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let mut tailer = Tailer::new(&run);
    assert_eq!(tailer.poll(10, LONG).unwrap(), []);
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
        seen.poll(&mut tailer, max);
        std::thread::sleep(pause);
    }
    logger.join().unwrap();
    seen.drain(&mut tailer);
    assert_eq!(seen.0.len(), 6000);
    assert!((0..3000).all(|s| seen.0[&("a".to_owned(), s)] == s as f64));
    assert_eq!(tailer.restarts(), 0);
    assert_eq!(parts(&run).len(), 1, "it was not merged");
}

#[test]
fn follows_closely() {
    follow(Duration::from_millis(1), usize::MAX);
}

#[test]
fn follows_from_time_to_time() {
    follow(Duration::from_millis(170), usize::MAX);
}

#[test]
fn follows_in_small_bites() {
    follow(Duration::from_millis(3), 13);
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
            recorder.checkpoint(step, None, |_| Ok(())).unwrap();
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
    assert_eq!(tailer.restarts(), 1);
    assert_eq!(seen.0.values().filter(|v| **v == 1.0).count(), 40);
    assert_eq!(seen.0.values().filter(|v| **v == 2.0).count(), 20);
}
