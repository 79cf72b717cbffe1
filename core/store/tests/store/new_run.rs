//! New runs: complete when they are first seen, whatever becomes of who makes them.

use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use gradtop_store::{
    NewRun, RunDir, State, Status, StoreError, is_locked, list_runs, read_status, view, write_status,
};
use rustix::fs::inotify;

use crate::common::manifest;

fn begin(runs: &Path) -> NewRun {
    let birth = NewRun::begin(runs, manifest(""), true).unwrap();
    let status = Status { schema: 1, ..Status::default() };
    write_status(birth.run(), &status).unwrap();
    birth
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_looker_sees_whole_runs_that_live_and_nothing_else() {
    const EACH: usize = 10;
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let exp = runs.join("exp=demo");
    fs::create_dir(&exp).unwrap();
    let told = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    let what = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&told, &exp, what).unwrap();
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..EACH).map(|_| begin(runs).finish().unwrap()).collect::<Vec<_>>()))
            .collect();
        // Each is looked at the moment it has a name.
        let mut seen = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&told, &mut buffer);
        while seen.len() < 4 * EACH {
            let event = events.next().unwrap();
            let name = event.file_name().unwrap().to_str().unwrap();
            if name.starts_with("run=") {
                let run = RunDir::new(exp.join(name));
                assert!(is_locked(&run).unwrap());
                assert_eq!(view(&run).unwrap().state, State::Queued);
                assert_eq!(view(&run).unwrap().manifest.run, run.name());
                read_status(&run).unwrap();
                seen.insert(name.to_owned());
            }
        }
        let made: Vec<_> = makers.into_iter().flat_map(|m| m.join().unwrap()).collect();
        assert_eq!(list_runs(runs).len(), made.len(), "each has a name of its own");
    });
    assert!(names(&exp).iter().all(|name| name.starts_with("run=")), "{:?}", names(&exp));
}

#[test]
fn a_name_that_is_taken_is_refused_at_once_and_at_last() {
    let temp = tempfile::tempdir().unwrap();
    let named = || NewRun::begin(temp.path(), manifest("a"), false);
    let (first, second) = (named().unwrap(), named().unwrap());
    drop(first.finish().unwrap());
    assert!(matches!(second.finish(), Err(StoreError::RunExists { .. })));
    assert!(matches!(named(), Err(StoreError::RunExists { .. })));
    assert_eq!(names(&temp.path().join("exp=demo")), ["run=a"]);
}

#[test]
fn a_birth_given_up_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    drop(begin(temp.path()));
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn what_a_dead_launch_left_is_removed_by_the_next_and_a_living_one_is_not() {
    let temp = tempfile::tempdir().unwrap();
    let living = begin(temp.path());
    let exp = living.run().path().parent().unwrap().to_owned();
    // Killed in the middle: its lock is free. Of another, the lock had not even been made.
    let dead: Vec<PathBuf> = ["one", "two"].iter().map(|n| exp.join(format!(".tmp-1-2-{n}"))).collect();
    fs::create_dir_all(dead[0].join("journal")).unwrap();
    fs::copy(living.run().lock(), dead[0].join("lock")).unwrap();
    fs::create_dir(&dead[1]).unwrap();
    fs::write(exp.join(".tmp-file"), "").unwrap();
    assert!(list_runs(temp.path()).is_empty());
    drop(begin(temp.path()).finish().unwrap());
    let (run, lock) = living.finish().unwrap();
    assert_eq!(names(&exp), [".tmp-file", "run=demo-1", "run=demo-2"]);
    assert_eq!(view(&run).unwrap().state, State::Queued);
    drop(lock);
    assert_eq!(view(&run).unwrap().state, State::Crashed);
}
