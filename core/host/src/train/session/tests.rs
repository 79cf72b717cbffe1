//! How stops, checkpoints and diverged metrics meet between two steps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_abi::{self as abi, Point};
use gradtop_store::{
    ExperimentInfo, Goal, HeadlineValue, Manifest, MetricInfo, Recorder, RecorderOptions, RunDir, SeriesKey,
    Status, create_run,
};

use super::Session;

fn manifest(resumable: bool) -> Manifest {
    let experiment = ExperimentInfo { id: "demo".to_owned(), resumable, ..ExperimentInfo::default() };
    Manifest {
        metrics: vec![MetricInfo {
            name: "loss".to_owned(),
            goal: Goal::Min,
            guard: true,
            headline: true,
            ..MetricInfo::default()
        }],
        ..Manifest::new("a", experiment)
    }
}

fn session(resumable: bool) -> (tempfile::TempDir, Session) {
    let dir = tempfile::tempdir().unwrap();
    let manifest = manifest(resumable);
    let run: RunDir = create_run(dir.path(), &manifest).unwrap();
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    (dir, Session::new(run, &manifest, recorder))
}

fn save(session: &Session, step: i64) {
    session.checkpoint(step, |dir| std::fs::write(dir.join("x"), "x").map_or(abi::IO, |()| abi::OK)).unwrap();
}

#[test]
fn a_stop_before_the_question_saves_and_stops_in_one_step() {
    let (_dir, s) = session(true);
    assert!(!s.should_checkpoint());
    assert_eq!(s.step_end(), Ok(false));
    assert!(s.request_stop());
    assert!(!s.request_stop());
    assert!(s.should_stop() && s.should_checkpoint());
    save(&s, 1);
    assert!(!s.should_checkpoint());
    assert_eq!(s.step_end(), Ok(true));
    s.recorder.finish().unwrap();
}

#[test]
fn a_stop_after_the_question_lets_one_more_step_pass() {
    let (_dir, s) = session(true);
    assert!(!s.should_checkpoint());
    s.request_stop();
    assert_eq!(s.step_end(), Ok(false));
    assert!(s.should_checkpoint());
    save(&s, 2);
    assert_eq!(s.step_end(), Ok(true));
    s.recorder.finish().unwrap();
}

#[test]
fn who_does_not_save_is_stopped_all_the_same() {
    // Never asks.
    let (_dir, s) = session(true);
    s.request_stop();
    assert_eq!(s.step_end(), Ok(false));
    assert_eq!(s.step_end(), Ok(true));
    // Asks and does nothing.
    let (_dir, s) = session(true);
    s.request_stop();
    assert!(s.should_checkpoint());
    assert_eq!(s.step_end(), Ok(true));
    // In a hurry.
    let (_dir, s) = session(true);
    s.request_stop();
    s.hurry();
    assert_eq!(s.step_end(), Ok(true));
    // Cannot.
    let (_dir, s) = session(false);
    s.request_stop();
    assert!(!s.should_checkpoint());
    assert_eq!(s.step_end(), Ok(true));
    assert_eq!(s.checkpoint(0, |_| abi::OK).unwrap_err().status, abi::UNSUPPORTED);
}

#[test]
fn a_stop_is_taken_back_until_the_plugin_is_told() {
    let (_dir, s) = session(true);
    assert!(!s.withdraw_stop());
    s.request_stop();
    // Half way through: it has been told to save, and has saved.
    assert!(s.should_checkpoint());
    save(&s, 1);
    assert!(s.withdraw_stop());
    assert_eq!(s.state(), gradtop_store::State::Starting);
    assert!(!s.should_stop());
    assert_eq!(s.step_end(), Ok(false));
    // The next stop is a new one: it is saved for anew, a step later.
    assert!(s.request_stop());
    assert_eq!(s.step_end(), Ok(false));
    assert!(s.should_checkpoint());
    assert_eq!(s.step_end(), Ok(true));
    assert!(!s.withdraw_stop());
    // Told in the middle of a step.
    let (_dir, s) = session(true);
    s.request_stop();
    assert!(s.should_stop());
    assert!(!s.withdraw_stop());
    assert!(s.stop_was_asked());
    // One that nobody asked for.
    let (_dir, s) = session(true);
    s.fail("the disk is full".to_owned());
    assert!(!s.withdraw_stop());
}

#[test]
fn a_failed_save_is_no_checkpoint_and_ends_nothing() {
    let (_dir, s) = session(true);
    s.ask_for_checkpoint();
    assert!(s.should_checkpoint());
    let refused = s.checkpoint(3, |_| abi::FAILED).unwrap_err();
    assert_eq!(refused.status, abi::IO);
    assert!(refused.why.contains("save returned"), "{}", refused.why);
    let gone = s.checkpoint_or(3, |_| Err((abi::FAILED, "its process is gone".to_owned()))).unwrap_err();
    assert_eq!(gone.why, "the checkpoint of step 3 was not saved: its process is gone");
    assert!(!s.should_checkpoint());
    // What the disk does not take is no mistake of the experiment's, and no checkpoint either.
    s.checkpoint(3, |_| abi::IO).unwrap();
    assert_eq!(s.step_end(), Ok(false));
    assert!(gradtop_store::checkpoints(&s.run).is_empty());
    // One inside the other.
    s.checkpoint(4, |_| {
        assert_eq!(s.checkpoint(5, |_| abi::OK).unwrap_err().status, abi::INVALID);
        abi::OK
    })
    .unwrap();
}

#[test]
fn a_row_of_another_log_file_does_not_set_the_step_back() {
    let (_dir, s) = session(true);
    let series = s.intern(&SeriesKey::metric("loss")).unwrap();
    let point = [Point { series, reserved: 0, value: 1.0 }];
    let reached = |step, of_file| {
        if of_file { s.log_of_file(step, f64::NAN, &point) } else { s.log(step, f64::NAN, &point) }.unwrap();
        s.progress.step()
    };
    assert_eq!([29, 0, 30].map(|step| reached(step, true)), [Some(29), Some(29), Some(30)]);
    assert_eq!(reached(3, false), Some(3), "the next network of the same training");
    s.recorder.finish().unwrap();
}

#[test]
fn another_thread_may_not_save_but_may_log() {
    let (_dir, s) = session(true);
    let series = s.intern(&SeriesKey::metric("loss")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(s.checkpoint(0, |_| abi::OK).unwrap_err().status, abi::INVALID);
            s.log(1, 0.5, &[Point { series, reserved: 0, value: 2.0 }]).unwrap();
        });
    });
    assert_eq!(
        (s.progress.step(), s.progress.epoch(), s.progress.epochs_restart()),
        (Some(1), Some(0.5), false)
    );
    s.log(2, 0.5, &[]).unwrap();
    assert!(!s.progress.epochs_restart());
    s.log(3, 0.25, &[]).unwrap();
    assert!(s.progress.epochs_restart(), "another network has begun");
    assert_eq!(s.headline().0[0].value, 2.0);
}

#[test]
fn overviews_get_the_best_of_more_networks_than_they_show() {
    let (_dir, s) = session(true);
    for width in 0..100_u32 {
        let key = SeriesKey { model: Some(format!("width {width}")), ..SeriesKey::metric("loss") };
        let series = s.intern(&key).unwrap();
        let value = 1.0 / f64::from(width + 1);
        s.log(i64::from(width), f64::NAN, &[Point { series, reserved: 0, value }]).unwrap();
    }
    let (shown, is_part) = s.headline();
    assert!(is_part);
    assert_eq!(shown.len(), 24);
    assert_eq!(shown.iter().map(|h| h.value).reduce(f64::min), Some(0.01));
    s.recorder.finish().unwrap();
}

#[test]
fn a_wrong_point_refuses_the_whole_call() {
    let (_dir, s) = session(true);
    let series = s.intern(&SeriesKey::metric("loss")).unwrap();
    let points = [series, series + 1, u32::MAX].map(|series| Point { series, reserved: 0, value: 1.0 });
    for wrong in [&points[..2], &points[2..]] {
        assert_eq!(s.log(0, f64::NAN, wrong).unwrap_err().status, abi::INVALID);
    }
    assert_eq!(s.recorder.stats().rows, 0);
    assert_eq!(s.progress.step(), None);
}

#[test]
fn a_run_fails_between_steps_and_not_while_others_may_still_log() {
    let (_dir, s) = session(true);
    let keys = [0, 1].map(|trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") });
    let bad = |series| [Point { series, reserved: 0, value: f64::NAN }];
    let first = s.intern(&keys[0]).unwrap();
    s.log(0, f64::NAN, &bad(first)).unwrap();
    // The second trial appears within the same step, and is well.
    let second = s.intern(&keys[1]).unwrap();
    assert_eq!(s.step_end(), Ok(false));
    s.log(1, f64::NAN, &bad(second)).unwrap();
    assert_eq!(s.step_end(), Ok(true));
    assert_eq!(s.failure().as_deref(), Some("loss is not finite in every model and trial since step 1"));
    assert!(!s.stop_was_asked());
}

#[test]
fn a_paused_run_wakes_for_a_stop() {
    let (_dir, s) = session(false);
    s.set_paused(true);
    std::thread::scope(|scope| {
        let other = &s;
        scope.spawn(move || {
            while !other.is_waiting() {
                std::thread::yield_now();
            }
            other.request_stop();
        });
        assert_eq!(s.step_end(), Ok(true));
    });
    assert!(!s.is_waiting());
}

#[test]
fn lines_of_a_plugin_become_a_bounded_number_of_events() {
    let (_dir, s) = session(false);
    assert!(s.log_text(9, b"x").is_err());
    s.log_text(abi::log_level::DEBUG, b"only in the console").unwrap();
    for _ in 0..2_500 {
        s.log_text(abi::log_level::INFO, b"first \x1b[1mline\nsecond").unwrap();
    }
    let text = std::fs::read_to_string(s.run.events()).unwrap();
    assert_eq!(text.lines().count(), 2_001);
    assert!(text.contains("first \\\\u{1b}[1mline (more in console.log)"), "{}", &text[..300]);
    assert!(!text.contains("only in the console"));
}

#[test]
fn a_resumed_run_has_its_headline_until_it_logs_again() {
    let (_dir, s) = session(true);
    let key = |split: &str| SeriesKey { split: Some(split.to_owned()), ..SeriesKey::metric("loss") };
    let value = |split, value| HeadlineValue { key: key(split), value };
    let before = vec![value("train", 3.0), value("test", 4.0)];
    s.inherit(&Status { headline: before.clone(), ..Status::default() });
    assert_eq!(s.headline(), (before, false));
    let series = s.intern(&key("test")).unwrap();
    assert_eq!(s.headline().0.len(), 2, "known, and not logged yet");
    s.log(5, f64::NAN, &[Point { series, reserved: 0, value: 2.0 }]).unwrap();
    assert_eq!(s.headline().0, [value("train", 3.0), value("test", 2.0)]);
    s.recorder.finish().unwrap();
}

#[test]
fn a_run_that_has_logged_step_9_counted_from_0_has_done_10_steps() {
    let log = |s: &Session, steps: &[i64]| {
        let series = s.intern(&SeriesKey::metric("loss")).unwrap();
        for step in steps {
            s.log(*step, f64::NAN, &[Point { series, reserved: 0, value: 1.0 }]).unwrap();
        }
    };
    let (_dir, zero) = session(true);
    assert_eq!(zero.progress.done_by_steps(10), 0);
    log(&zero, &[0, 9]);
    assert_eq!(
        [10, 0].map(|total| zero.progress.done_by_steps(total)),
        [10, 10],
        "whether or not the total is known"
    );
    log(&zero, &[10]);
    assert_eq!(zero.progress.done_by_steps(10), 10, "the values at its end");
    assert_eq!(zero.progress.done_by_steps(0), 11, "nobody said how many there are");
    let (_dir, one) = session(true);
    log(&one, &[1, 9]);
    assert_eq!(one.progress.done_by_steps(10), 9);
    let (_dir, resumed) = session(true);
    resumed.inherit(&Status { step: Some(4), done: Some(5), ..Status::default() });
    log(&resumed, &[7]);
    assert_eq!(resumed.progress.done_by_steps(10), 8);
    let (_dir, sparse) = session(true);
    sparse.inherit(&Status { step: Some(10), done: Some(15), ..Status::default() });
    log(&sparse, &[20]);
    assert_eq!(sparse.progress.done_by_steps(100), 21);
}
