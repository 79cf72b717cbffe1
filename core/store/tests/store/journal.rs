//! A journal cut anywhere gives the rows before the cut.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use gradtop_store::{Recorder, RecorderOptions, RunDir, RunLock, read_series_around_damage, recover};
use proptest::prelude::*;

use crate::common::{series, until};

const ROWS: i64 = 4000;

/// A journal of several batches and the series file that goes with it.
fn journal() -> &'static (Vec<u8>, Vec<u8>) {
    static MADE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        let options = RecorderOptions { flush_after: Duration::ZERO, ..RecorderOptions::default() };
        let recorder = Recorder::open(&run, options).unwrap();
        let a = series(&recorder, "a");
        for step in 0..ROWS {
            recorder.log(step, (step % 2 == 0).then_some(step as f64 / 10.0), [(a, value(step))]);
            if step % 500 == 0 {
                // So that there are as many batches.
                until("a batch", || recorder.stats().behind == 0);
            }
        }
        drop(recorder);
        (fs::read(run.journal().join("journal-00001.arrows")).unwrap(), fs::read(run.series()).unwrap())
    })
}

/// Not-a-number and infinity among them.
fn value(step: i64) -> f64 {
    match step % 7 {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        _ => step as f64 * 0.1,
    }
}

/// A run whose journal is `bytes`.
fn with_journal(bytes: &[u8]) -> (tempfile::TempDir, RunDir) {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    fs::create_dir_all(run.journal()).unwrap();
    fs::write(run.series(), &journal().1).unwrap();
    fs::write(run.journal().join("journal-00001.arrows"), bytes).unwrap();
    (temp, run)
}

/// Checks that the rows are the first ones logged, and says how many.
fn prefix(run: &RunDir) -> i64 {
    let (read, _) = read_series_around_damage(run, |_| true).unwrap();
    let Some(a) = read.first() else { return 0 };
    for (i, step) in a.step.iter().enumerate() {
        assert_eq!(*step, i as i64);
        assert_eq!(a.value[i].to_bits(), value(*step).to_bits());
        assert_eq!(a.epoch[i].is_nan(), step % 2 == 1);
    }
    assert!(a.time_us.is_sorted());
    a.step.len() as i64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_a_prefix(cut in 0.0..1.0f64) {
        let whole = &journal().0;
        let (_temp, run) = with_journal(&whole[..(whole.len() as f64 * cut) as usize]);
        let before = prefix(&run);
        recover(&run, &RunLock::acquire(&run).unwrap()).unwrap();
        prop_assert_eq!(prefix(&run), before);
    }

    #[test]
    fn what_follows_the_last_whole_batch_is_not_read(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        let whole = &journal().0;
        for tail in [&garbage[..], &[0; 300], &[0xff; 300], &whole[..whole.len() / 2]] {
            let (_temp, run) = with_journal(&[&whole[..], tail].concat());
            prop_assert_eq!(prefix(&run), ROWS);
        }
    }
}

#[test]
fn each_longer_cut_gives_as_many_rows_or_more() {
    let whole = &journal().0;
    let mut counts: Vec<i64> =
        (0..64).map(|i| prefix(&with_journal(&whole[..whole.len() * i / 63]).1)).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.last(), Some(&ROWS));
    counts.dedup();
    assert!(counts.len() > 5, "the journal has too few batches to test: {counts:?}");
}
