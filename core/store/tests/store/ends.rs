//! The end of a run whose processes could not write their last status.

use gradtop_store::{
    Ending, Event, SCHEMA, State, Status, append_event, read_events, read_status, recorded_end, view,
    write_end, write_status,
};

use crate::common::new_run;

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
