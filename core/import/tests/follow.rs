//! Logs followed while they grow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::cell::{Cell, RefCell};
use std::fs;

use common::{golden, import, source_of, target};
use gradtop_import::{Follower, Import, ImportError, News};
use gradtop_store::{Event, EventLine, RunDir, RunLock, read_series, read_status};

#[test]
fn a_log_that_is_overwritten_while_it_is_followed_is_another_run() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = logs.path().join("metrics.csv");
    let write = |rows: u32, loss: f64| {
        let rows: Vec<String> = (0..rows).map(|step| format!("{step},{loss}\n")).collect();
        // As a new training does: a file in the place of the old one.
        let beside = logs.path().join("beside");
        fs::write(&beside, format!("step,loss\n{}", rows.concat())).unwrap();
        fs::rename(&beside, &path).unwrap();
    };
    write(100, 1.0);
    let begun: RefCell<Vec<RunDir>> = RefCell::default();
    let rows = |run: &RunDir| -> usize {
        read_series(run, |_| true).map_or(0, |series| series.iter().map(|s| s.value.len()).sum())
    };
    let mut overwritten = false;
    let stop = || {
        let begun = begun.borrow();
        if begun.len() == 1 && !overwritten && rows(&begun[0]) == 100 {
            overwritten = true;
            write(30, 2.0);
        }
        begun.len() == 2 && rows(&begun[1]) == 30
    };
    let news = |news| {
        if let News::Begun(run) = news {
            begun.borrow_mut().push(run);
        }
    };
    Follower::new(&path, target(runs.path()), news).unwrap().run(stop, news).unwrap();
    assert_eq!(begun.borrow().iter().map(rows).collect::<Vec<_>>(), [100, 30]);
}

#[test]
fn the_first_rows_of_a_followed_log_are_in_its_status_when_it_is_announced() {
    for times in [false, true] {
        let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = logs.path().join("metrics.csv");
        let text = if times {
            "time,step,loss\n1700000000,0,1\n1700000001,1,0.5\n"
        } else {
            "step,loss\n0,1\n1,0.5\n"
        };
        fs::write(&path, text).unwrap();
        let said = Cell::new(None);
        let news = |news| {
            if let News::Begun(run) = news {
                let status = read_status(&run).unwrap();
                said.set(Some((status.rows, status.step, status.headline.first().map(|of| of.value))));
            }
        };
        let mut follower = Follower::new(&path, target(runs.path()), news).unwrap();
        follower.run(|| said.get().is_some(), news).unwrap();
        assert_eq!(said.get().unwrap(), (Some(2), Some(1), Some(0.5)));
    }
}

#[test]
fn what_another_process_follows_is_not_followed_again() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = logs.path().join("metrics.csv");
    let is_refused = |refused: Result<(), ImportError>| {
        assert!(matches!(refused, Err(ImportError::Followed(_))), "{refused:?}");
    };
    let trouble = |news| assert!(!matches!(news, News::Trouble(..)), "{news:?}");
    // Two begin before there is a row: the second finds that the first has the run.
    for first in ["step,loss\n0,1\n", "step,time,loss\n0,1700000000,1\n"] {
        fs::write(&path, "").unwrap();
        let mut second = Follower::new(&path, target(runs.path()), trouble).unwrap();
        fs::write(&path, first).unwrap();
        let begun = import(runs.path(), &source_of(logs.path())).run.unwrap();
        let lock = RunLock::acquire_now(&begun).unwrap();
        is_refused(second.run(|| false, trouble));
        // One that begins later is refused at once.
        is_refused(Follower::new(&path, target(runs.path()), trouble).map(drop));
        is_refused(Follower::new(logs.path(), target(runs.path()), trouble).map(drop));
        assert_eq!(gradtop_store::list_runs(runs.path()).len(), 1);
        drop(lock);
        fs::remove_dir_all(begun.path()).unwrap();
    }
}

/// The warnings among a run's events.
fn warnings(run: &RunDir) -> Vec<String> {
    let warning = |line: EventLine| match line.event {
        Event::Warning { message } => Some(message),
        _ => None,
    };
    gradtop_store::read_events(run).unwrap().into_iter().filter_map(warning).collect()
}

#[test]
fn a_last_line_that_may_be_incomplete_is_told_by_a_run_that_is_no_longer_followed() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = logs.path().join("metrics.csv");
    fs::write(&path, "step,loss\n0,1\n1,0.").unwrap();
    let begun = RefCell::new(None);
    let news = |news| {
        if let News::Begun(run) = news {
            *begun.borrow_mut() = Some(run);
        }
    };
    let stop = || begun.borrow().is_some();
    Follower::new(&path, target(runs.path()), news).unwrap().run(stop, news).unwrap();
    let run = begun.take().unwrap();
    assert_eq!(gradtop_store::read_status(&run).unwrap().rows, Some(1));
    let told = "not imported: the last line is left out: without a line break, it may be incomplete";
    assert_eq!(warnings(&run), [told]);
}

#[test]
fn what_is_left_out_is_in_the_run_while_its_source_is_followed() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = logs.path().join("metrics.csv");
    fs::write(&path, "step,loss\n0,1\n1,n/a\n").unwrap();
    let begun = RefCell::new(None);
    let told = || Some(warnings(begun.borrow().as_ref()?));
    let first = "not imported: loss: 1 value is no number, such as \"n/a\"";
    let stop = || told().is_some_and(|told| told == [first]);
    let news = |news| {
        if let News::Begun(run) = news {
            *begun.borrow_mut() = Some(run);
        }
    };
    Follower::new(&path, target(runs.path()), news).unwrap().run(stop, news).unwrap();
    assert_eq!(told().unwrap(), [first], "and not again at its end");
}

#[test]
fn a_run_that_is_followed_is_left_alone() {
    let runs = tempfile::tempdir().unwrap();
    let source = source_of(&golden("jsonl"));
    let run = import(runs.path(), &source).run.unwrap();
    let _lock = RunLock::acquire_now(&run).unwrap();
    let refused = Import::whole(&target(runs.path()), &source, || false).unwrap_err();
    assert!(matches!(refused, ImportError::Followed { .. }), "{refused}");
}
