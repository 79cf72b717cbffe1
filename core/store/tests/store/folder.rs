//! Run folders: names, manifest, status, requests, events.

use std::fs;
use std::io::Write as _;

use gradtop_store::{
    Event, HeadlineValue, Request, RunDir, SeriesKey, State, Status, StoreError, append_event, clear_control,
    create_run, find_run, list_runs, list_runs_checked, new_run_name, read_events, read_manifest,
    read_status, readable_name, request, runs_dir, take_requests, validate_experiment, validate_name,
    write_status,
};

use crate::common::{manifest, new_run};

#[test]
fn a_manifest_comes_back_as_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let mut written = manifest("demo-1");
    written.params.push(("odd \"key\".x".to_owned(), gradtop_store::ParamValue::Float(f64::INFINITY)));
    let run = create_run(temp.path(), &written).unwrap();
    assert_eq!(read_manifest(&run).unwrap(), written);
    assert_eq!((run.name(), run.experiment()), ("demo-1".to_owned(), "demo".to_owned()));
    assert!(matches!(create_run(temp.path(), &written), Err(StoreError::RunExists { .. })));
    // Written by a newer gradtop: refused by its schema, not by what is missing.
    fs::write(run.manifest(), "schema = 2\nnothing = 'else'\n").unwrap();
    assert!(matches!(read_manifest(&run), Err(StoreError::NewerSchema { found: 2, .. })));
    let (good, bad) = list_runs_checked(temp.path());
    assert_eq!((good.len(), bad.len()), (1, 0), "it is a run all the same");
    fs::write(run.manifest(), "schema = 1\nkind = 'odd'\n").unwrap();
    let why = read_manifest(&run).unwrap_err().to_string();
    assert!(why.ends_with("run.toml: line 2: \"odd\" is not one of plugin, command, import"), "{why}");
}

#[test]
fn names_of_runs() {
    for good in ["a", "function-fit-7", "A.b_c-1", &"x".repeat(100)] {
        validate_name(good).unwrap();
    }
    for bad in ["", "last", "1a", "-a", "a b", "a/b", "ä", "..", &"x".repeat(101)] {
        assert!(validate_name(bad).is_err(), "{bad}");
    }
    for bad in
        ["lr=0.1", "x?y", "**", "100%25x", "a[b", "c]", "d\\e", "two\nlines", ".hidden", "a/b", "", "12"]
    {
        assert!(validate_experiment(bad).is_err(), "{bad}");
        assert!(
            bad.is_empty() || validate_experiment(&readable_name(&bad.replace('/', "-"))).is_ok(),
            "{bad}"
        );
    }
    for good in ["lr-0.1", "größe 3", "a+b, c"] {
        validate_experiment(good).unwrap();
        assert_eq!(readable_name(good), good);
    }
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    assert_eq!(new_run_name(runs, "demo"), "demo-1");
    for name in ["demo-1", "demo-12", "other", "other-2"] {
        new_run(runs, name);
    }
    assert_eq!(new_run_name(runs, "demo"), "demo-13");
    let beginning = runs.join("exp=demo/run=demo-20");
    std::fs::create_dir_all(&beginning).unwrap();
    assert_eq!(new_run_name(runs, "demo"), "demo-21", "another start may not have written its manifest yet");
    std::fs::remove_dir(&beginning).unwrap();
    validate_name(&new_run_name(runs, "7 wonders/é")).unwrap();
    let find = |name: &str| find_run(runs, name).map(|r| r.name());
    assert_eq!(find("demo-1").unwrap(), "demo-1", "an exact name beats a prefix");
    assert_eq!(find("demo-12").unwrap(), "demo-12");
    assert_eq!(find("other").unwrap(), "other");
    assert_eq!(find("other-").unwrap(), "other-2");
    assert_eq!(find("demo/other").unwrap(), "other");
    assert_eq!(find("last").unwrap(), "other-2");
    assert!(matches!(find("demo"), Err(StoreError::Ambiguous { candidates, .. }) if candidates.len() == 2));
    let many = |count| StoreError::Ambiguous { name: "a".into(), candidates: vec!["e/a".into(); count] };
    assert!(many(8).to_string().contains("e/a, e/a: give more") && !many(8).to_string().contains(" more:"));
    let named = many(45).to_string();
    assert!(named.matches("e/a").count() == 8 && named.contains("e/a and 37 more: give"), "{named}");
    assert!(find("othr-2").unwrap_err().to_string().contains("did you mean other-2"), "{:?}", find("othr-2"));
    assert_eq!(list_runs(runs).len(), 4);
    assert_eq!(list_runs(&runs.join("nowhere")), []);
    assert_eq!(runs_dir(Some(runs)).unwrap(), runs);
}

#[test]
fn a_status_without_a_state_is_none() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "r");
    for text in ["{}", r#"{"schema":1}"#, r#"{"state":"running"}"#] {
        std::fs::write(run.status(), text).unwrap();
        assert!(read_status(&run).is_err(), "{text}");
    }
    // All else may be missing.
    std::fs::write(run.status(), r#"{"schema":1,"state":"running"}"#).unwrap();
    assert_eq!(read_status(&run).unwrap().state, State::Running);
}

#[test]
fn of_a_status_with_too_many_values_the_first_are_read() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "a");
    let key = |trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
    let value = |trial| HeadlineValue { key: key(trial), value: 0.5 };
    write_status(&run, &Status { schema: 1, headline: (0..5_000).map(value).collect(), ..Status::default() })
        .unwrap();
    let read = read_status(&run).unwrap();
    assert_eq!((read.headline.len(), read.headline_is_part), (1_000, true));
    assert_eq!(read.headline[999], value(999));
}

#[test]
fn a_status_comes_back_as_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "demo");
    let key = SeriesKey { trial: Some(1), ..SeriesKey::metric("loss") };
    let value = |value| HeadlineValue { key: key.clone(), value };
    let status = Status {
        schema: 1,
        state: State::Running,
        step: Some(-5),
        epoch: Some(0.5),
        headline: vec![value(f64::INFINITY), value(0.1), value(f64::NEG_INFINITY)],
        ..Status::default()
    };
    write_status(&run, &status).unwrap();
    assert_eq!(read_status(&run).unwrap(), status);
    write_status(&run, &Status { headline: vec![value(f64::NAN)], ..status }).unwrap();
    assert!(read_status(&run).unwrap().headline[0].value.is_nan());
    assert!(
        fs::read_dir(run.path()).unwrap().all(|e| !e
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".tmp"))
    );
}

#[test]
fn requests_are_answered_once_but_stop_stays() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "demo");
    assert_eq!(take_requests(&run).unwrap(), []);
    request(&run, Request::Pause).unwrap();
    request(&run, Request::Checkpoint).unwrap();
    assert_eq!(take_requests(&run).unwrap(), [Request::Pause, Request::Checkpoint]);
    assert_eq!(take_requests(&run).unwrap(), []);
    request(&run, Request::Pause).unwrap();
    request(&run, Request::Resume).unwrap();
    assert_eq!(take_requests(&run).unwrap(), [Request::Resume]);
    request(&run, Request::Stop { grace_s: Some(2.5) }).unwrap();
    for _ in 0..2 {
        assert_eq!(take_requests(&run).unwrap(), [Request::Stop { grace_s: Some(2.5) }]);
    }
    fs::write(run.control().join("stop"), "").unwrap();
    assert_eq!(take_requests(&run).unwrap(), [Request::Stop { grace_s: None }]);
    clear_control(&run).unwrap();
    assert_eq!(take_requests(&run).unwrap(), []);
}

#[test]
fn whatever_is_called_stop_asks_for_one_and_hides_no_other_request() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "demo");
    let stop = run.control().join("stop");
    let kinds: [&dyn Fn(); 4] = [
        &|| std::os::unix::fs::symlink("nowhere", &stop).unwrap(),
        &|| rustix::fs::mkfifoat(rustix::fs::CWD, &stop, rustix::fs::Mode::RWXU).unwrap(),
        &|| fs::create_dir_all(stop.join("full")).unwrap(),
        &|| fs::write(&stop, vec![b' '; 1 << 20]).unwrap(),
    ];
    for make in kinds {
        make();
        request(&run, Request::Pause).unwrap();
        assert_eq!(take_requests(&run).unwrap(), [Request::Stop { grace_s: None }, Request::Pause]);
        request(&run, Request::Stop { grace_s: Some(1.0) }).unwrap();
        assert_eq!(take_requests(&run).unwrap(), [Request::Stop { grace_s: Some(1.0) }]);
        clear_control(&run).unwrap();
        make();
        clear_control(&run).unwrap();
        assert_eq!(take_requests(&run).unwrap(), []);
    }
}

#[test]
fn events_are_kept_and_a_torn_one_is_not_yet() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "demo");
    assert_eq!(read_events(&run).unwrap(), []);
    let events = [
        Event::State { state: State::Running, cause: None },
        Event::Log { level: "info".into(), message: "two\nlines \u{1b}[31m".into() },
        Event::Paused,
        Event::Checkpoint { step: 5, path: "checkpoints/step-5".into() },
    ];
    for event in &events {
        append_event(&run, event).unwrap();
    }
    let mut file = fs::OpenOptions::new().append(true).open(run.events()).unwrap();
    file.write_all(
        b"{\"schema\":1,\"time\":\"2026-01-01T00:00:00Z\",\"event\":\"of_the_future\",\"x\":1}\n{\"schema\":1,\"time\":\"20",
    )
    .unwrap();
    let read: Vec<Event> = read_events(&run).unwrap().into_iter().map(|e| e.event).collect();
    assert_eq!(read[..4], events);
    assert_eq!(read[4..], [Event::Unknown]);
    // A dead process's torn line costs only itself.
    append_event(&run, &Event::Unpaused).unwrap();
    append_event(&run, &Event::Paused).unwrap();
    let read: Vec<Event> = read_events(&run).unwrap().into_iter().map(|e| e.event).collect();
    let lost = Event::Warning { message: "line 6 of events.jsonl cannot be understood".into() };
    assert_eq!(read[5..], [lost, Event::Unpaused, Event::Paused]);
}

#[test]
fn paths_of_a_run() {
    let run = RunDir::new("/r/exp=a/run=b");
    assert_eq!(run.metrics(), std::path::Path::new("/r/exp=a/run=b/metrics"));
    assert_eq!((run.experiment(), run.name()), ("a".to_owned(), "b".to_owned()));
}
