//! The end of a run whose processes could not write their last status.

use gradtop_store::{
    Ending, Event, Goal, Recorder, SCHEMA, State, Status, agree, append_event, read_events, read_series,
    read_status, recorded_end, settle, summarize, view, write_end, write_status,
};

use crate::common::{new_run, series, small};

fn running() -> Status {
    Status { schema: SCHEMA, state: State::Running, updated: jiff::Timestamp::now(), ..Status::default() }
}

#[test]
fn an_end_that_the_events_know_wins_over_an_older_status() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    write_status(&run, &running()).unwrap();
    assert_eq!(view(&run).unwrap().state, State::Crashed);
    let cause = Some("No space left".to_owned());
    append_event(&run, &Event::State { state: State::Failed, cause: cause.clone() }).unwrap();
    append_event(&run, &Event::Warning { message: "the last status could not be written".to_owned() })
        .unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.status.cause), (State::Failed, cause));
    // Not that of a life before.
    let later = Status { updated: jiff::Timestamp::now(), ..running() };
    write_status(&run, &later).unwrap();
    assert_eq!(view(&run).unwrap().state, State::Crashed);
}

#[test]
fn a_trainer_that_left_word_of_its_end_has_not_crashed() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let outcome = Ending { state: State::Finished, cause: None };
    write_status(&run, &Status { outcome: Some(outcome.clone()), ..running() }).unwrap();
    append_event(&run, &Event::State { state: State::Running, cause: None }).unwrap();
    assert_eq!(view(&run).unwrap().state, State::Finished);
    assert_eq!(recorded_end(&run, &read_status(&run).unwrap()).unwrap().0, outcome);
}

#[test]
fn an_end_that_the_events_tell_of_is_not_told_twice() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let cause = Some("Permission denied".to_owned());
    let end = Event::State { state: State::Failed, cause: cause.clone() };
    let told = || read_events(&run).unwrap().iter().filter(|line| line.event == end).count();
    append_event(&run, &end).unwrap();
    append_event(&run, &Event::Warning { message: "the last status could not be written".to_owned() })
        .unwrap();
    let status = Status { state: State::Failed, cause, ..running() };
    write_end(&run, &status).unwrap();
    assert_eq!((told(), read_status(&run).unwrap().state), (1, State::Failed));
    // Another life may end as the last one did.
    append_event(&run, &Event::Resumed { step: 1, checkpoint: "checkpoints/step-1".to_owned() }).unwrap();
    write_end(&run, &status).unwrap();
    assert_eq!(told(), 2);
}

#[test]
fn without_a_status_the_recorded_row_tells_the_times() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let at = |second: i64| Some(jiff::Timestamp::from_second(1_700_000_000 + second).unwrap());
    let ended = Status {
        state: State::Finished,
        started: at(0),
        ended: at(90),
        elapsed_s: Some(80.0),
        trained_s: Some(60.0),
        done: Some(5),
        total: Some(5),
        ..running()
    };
    write_end(&run, &ended).unwrap();
    assert_eq!(view(&run).unwrap().status.done, Some(5));
    std::fs::remove_file(run.status()).unwrap();
    let seen = view(&run).unwrap();
    let times = |s: &Status| (s.started, s.ended, s.elapsed_s, s.trained_s);
    assert_eq!((seen.state, times(&seen.status)), (State::Finished, times(&ended)));
    assert_eq!((seen.status.done, seen.status.is_recorded()), (None, false));
    write_status(&run, &seen.status).unwrap();
    assert_eq!(view(&run).unwrap().status.done, None, "nor is it once that is written");
}

/// A trainer was killed after step 59, 20 steps after it had written its status.
#[test]
fn what_a_killed_run_says_is_all_of_its_last_row() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let recorder = Recorder::open(&run, small()).unwrap();
    let loss = series(&recorder, "loss");
    let log = |step: i64| {
        recorder.log(step, Some(step as f64 / 4.0), [(loss, 1.0 / (step + 1) as f64)]);
    };
    (0..40).for_each(log);
    let written = Status {
        step: Some(39),
        epoch: Some(9.75),
        done: Some(40),
        total: Some(100),
        rows: Some(40),
        ..running()
    };
    (40..60).for_each(log);
    recorder.finish().unwrap();
    let all = |s: &Status| (s.step, s.epoch, s.done, s.rows);
    let last = (Some(59), Some(14.75), Some(60), Some(60));
    let times = &read_series(&run, |_| true).unwrap()[0].time_us;
    let ended = jiff::Timestamp::from_microsecond(times[59]).unwrap();
    let more = ended.duration_since(written.updated).as_secs_f64();
    let mut status = Status {
        state: State::Crashed,
        ended: Some(written.updated),
        elapsed_s: Some(3.0),
        trained_s: Some(2.0),
        ..written.clone()
    };
    settle(&run, &mut status);
    assert_eq!((all(&status), status.ended), (last, Some(ended)));
    assert_eq!((status.elapsed_s, status.trained_s), (Some(3.0 + more), Some(2.0 + more)));
    assert_eq!(status.headline[0].value, 1.0 / 60.0, "it began after the last status");
    // Rows that waited in memory are lost with the trainer, and counted as long as it lives.
    let ahead = Status { step: Some(80), epoch: Some(20.0), done: Some(81), rows: Some(81), ..written };
    let (seen, _) = summarize(&run, |_| true, |_| Goal::None).unwrap();
    let (mut alive, mut dead) = (ahead.clone(), Status { state: State::Crashed, ..ahead.clone() });
    agree(&run, &mut alive, &seen);
    assert_eq!(all(&alive), all(&ahead));
    settle(&run, &mut dead);
    assert_eq!(all(&dead), last);
}

#[test]
fn a_client_whose_recording_was_killed_has_done_the_steps_of_its_rows() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let recorder = Recorder::open(&run, small()).unwrap();
    let loss = series(&recorder, "loss");
    for step in 0..61 {
        recorder.log(step, None, [(loss, 1.0)]);
    }
    recorder.finish().unwrap();
    let first = Status { step: Some(0), done: Some(1), total: Some(100), rows: Some(1), ..running() };
    let client = Status { sink: Some("socket".to_owned()), ..first.clone() };
    for (written, done, why) in [
        (client.clone(), 61, "as many as its rows"),
        (Status { total: Some(50), ..client.clone() }, 1, "more steps than there are"),
        (Status { done: Some(2), ..client }, 2, "it counts something else"),
        (first, 1, "units of a plugin may be networks"),
    ] {
        let mut status = Status { state: State::Crashed, ..written };
        settle(&run, &mut status);
        assert_eq!((status.step, status.done), (Some(60), Some(done)), "{why}");
    }
}
