//! Run folders that hold something else than a run's files: links, pipes, devices, folders, endless files, mounts.

#![allow(clippy::print_stderr, reason = "a test that could not be done says so")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use gradtop_store::{
    ColumnData, Event, Recorder, RecorderOptions, RunDir, RunLock, SeriesKey, State, Status, TableColumn,
    Tailer, append_event, checkpoints, figures, inside, is_locked, list_runs_checked, outline, read_events,
    read_series, read_status, read_table, recover, request, series_keys, table_names, take_requests, view,
    write_status,
};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::common::{mounts_alone, new_run, series, small};

/// A run with a file of each kind in it, whose processes are dead: part of its rows are in a journal.
fn dead_run(runs: &Path) -> RunDir {
    let live = new_run(&runs.join("live"), "a");
    let hour = Duration::from_hours(1);
    let recorder = Recorder::open(&live, RecorderOptions { seal_age: (hour, hour), ..small() }).unwrap();
    let loss = series(&recorder, "loss");
    for step in 0..200 {
        recorder.log(step, None, [(loss, step as f64)]);
    }
    let data = ColumnData::F64(vec![1.0, 2.0]);
    let column = TableColumn { name: "x".into(), unit: None, data };
    recorder.log_table("points", 1, vec![column]).unwrap();
    recorder
        .checkpoint(200, None, None, |dir| fs::write(dir.join("model"), "x").map_err(|e| e.to_string()))
        .unwrap();
    let mark = "[[figure]]\nid = \"loss\"\ntitle = \"Loss\"\n[[figure.panel]]\n[[figure.panel.mark]]\ntype = \"line\"\nmetric = \"loss\"\n";
    figures::declare(&live, mark).unwrap();
    append_event(&live, &Event::State { state: State::Running, cause: None }).unwrap();
    write_status(&live, &Status { schema: 1, state: State::Running, ..Status::default() }).unwrap();
    fs::write(live.console(), "hello\n").unwrap();
    fs::write(live.lock(), format!("{}\n{}\n", gradtop_store::host_name(), gradtop_store::boot_id()))
        .unwrap();
    recorder.log(201, None, [(loss, 1.0)]);
    while list(&live.journal()).is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let dead = runs.join("exp=demo/run=a");
    copy(live.path(), &dead);
    recorder.finish().unwrap();
    RunDir::new(dead)
}

fn list(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

/// Sealing may take a file away while it is copied.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in list(from) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { drop(fs::copy(path, to)) }
    }
}

/// Everything below a folder, relative to it.
fn all(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for path in list(&folder) {
            found.push(path.strip_prefix(dir).unwrap().to_owned());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Each way of reading a run. That it gives an error is fine; that it waits or dies is not.
fn look(run: &RunDir) -> Vec<String> {
    let mut errors = Vec::new();
    let mut heed = |what: &str, error: Option<String>| errors.extend(error.map(|e| format!("{what}: {e}")));
    let (_, bad) = list_runs_checked(run.path().ancestors().nth(2).unwrap());
    heed("list", bad.into_iter().next().map(|(_, e)| e.to_string()));
    heed("view", view(run).err().map(|e| e.to_string()));
    heed("status", read_status(run).err().map(|e| e.to_string()));
    heed("events", read_events(run).err().map(|e| e.to_string()));
    heed("series", series_keys(run).err().map(|e| e.to_string()));
    heed("rows", read_series(run, |_| true).err().map(|e| e.to_string()));
    heed("outline", outline(run, |_: &SeriesKey| true).err().map(|e| e.to_string()));
    heed("tail", Tailer::new(run).poll_slices(Duration::from_secs(1), |_| ()).err().map(|e| e.to_string()));
    heed("figures", figures::read(run).err().map(|e| e.to_string()));
    heed("lock", is_locked(run).err().map(|e| e.to_string()));
    heed("control", take_requests(run).err().map(|e| e.to_string()));
    for table in table_names(run) {
        heed("table", read_table(run, &table).err().map(|e| e.to_string()));
    }
    checkpoints(run);
    errors
}

/// Does it on a thread, so that what hangs fails the test.
fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tx, rx) = channel();
    std::thread::spawn(move || tx.send(work()));
    match rx.recv_timeout(Duration::from_mins(1)) {
        Ok(done) => done,
        Err(RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        Err(RecvTimeoutError::Disconnected) => panic!("{what} panics"),
    }
}

/// What can lie in the place of a file.
#[derive(Debug, Clone, Copy)]
enum Odd {
    Pipe,
    Folder,
    Endless,
    Link,
    LinkToFolder,
    LinkToDevice,
    Dangling,
}

const ODD: [Odd; 7] =
    [Odd::Pipe, Odd::Folder, Odd::Endless, Odd::Link, Odd::LinkToFolder, Odd::LinkToDevice, Odd::Dangling];

impl Odd {
    fn put(self, path: &Path, elsewhere: &Path) {
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        match self {
            Self::Pipe => mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap(),
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Endless => fs::File::create(path).unwrap().set_len(5 << 30).unwrap(),
            Self::Link => symlink(elsewhere.join("file"), path).unwrap(),
            Self::LinkToFolder => symlink(elsewhere.join("folder"), path).unwrap(),
            Self::LinkToDevice => symlink("/dev/zero", path).unwrap(),
            Self::Dangling => symlink(elsewhere.join("nothing"), path).unwrap(),
        }
    }
}

#[test]
fn whatever_lies_in_a_files_place_is_an_error_at_once_and_nothing_outside_is_touched() {
    let temp = tempfile::tempdir().unwrap();
    let whole = dead_run(&temp.path().join("whole"));
    assert_eq!(look(&whole), Vec::<String>::new(), "a whole run");
    let elsewhere = temp.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("folder")).unwrap();
    let mine = "{\"schema\":1}\nmine, without an end";
    fs::write(elsewhere.join("file"), mine).unwrap();
    fs::write(elsewhere.join("folder/part-00001.parquet"), mine).unwrap();
    fs::write(elsewhere.join("folder/.tmp-x"), mine).unwrap();
    let outside = || -> Vec<_> {
        all(&elsewhere).into_iter().map(|p| (fs::read(elsewhere.join(&p)).ok(), p)).collect()
    };
    let before = outside();
    let mut places = all(whole.path());
    assert!(places.len() > 15, "{places:?}");
    places.extend(["control/stop", "metrics/.tmp-merge-list.json", "superseded"].map(PathBuf::from));
    for place in places {
        for odd in ODD {
            let what = format!("{odd:?} as {}", place.display());
            let run = RunDir::new(temp.path().join("runs/exp=demo/run=a"));
            copy(whole.path(), run.path());
            let path = run.path().join(&place);
            if !path.exists() {
                fs::write(&path, "").unwrap();
            }
            odd.put(&path, &elsewhere);
            let looked = run.clone();
            let errors = in_time(&what, move || look(&looked));
            // What can be told from the place at all is told with its name.
            for error in &errors {
                assert!(error.contains("run=a"), "{what}: {error}");
            }
            if place == Path::new("run.toml") || place == Path::new("metrics") && !matches!(odd, Odd::Folder)
            {
                assert!(!errors.is_empty(), "{what}: not a word");
            }
            let linked = matches!(odd, Odd::Link | Odd::LinkToFolder | Odd::LinkToDevice | Odd::Dangling);
            if linked || matches!(odd, Odd::Pipe) {
                let in_checkpoint =
                    place.starts_with("checkpoints/step-200") && place.components().count() > 2;
                assert_eq!(inside::is_own(&run), in_checkpoint, "{what}");
            }
            // Who is asked to go on with the run writes to it; nothing outside is written all the same.
            in_time(&what, move || {
                if let Ok(lock) = RunLock::acquire(&run) {
                    drop(recover(&run, &lock));
                }
                drop(append_event(&run, &Event::Paused));
                drop(write_status(&run, &Status::default()));
                drop(request(&run, gradtop_store::Request::Stop { grace_s: None }));
                drop(figures::declare(&run, ""));
                drop(Recorder::open(&run, small()).map(|r| drop(r.finish())));
                inside::remove_dir(&RunDir::new(run.path().parent().unwrap()), run.path()).unwrap();
            });
            assert_eq!(outside(), before, "{what}");
        }
    }
}

#[test]
fn a_run_folder_itself_may_be_reached_through_a_link() {
    let temp = tempfile::tempdir().unwrap();
    let whole = dead_run(temp.path());
    symlink(temp.path(), temp.path().join("link")).unwrap();
    let run = RunDir::new(temp.path().join("link/exp=demo/run=a"));
    assert_eq!(look(&run), Vec::<String>::new());
    assert_eq!(view(&run).unwrap().manifest, view(&whole).unwrap().manifest);
    let lock = RunLock::acquire(&run).unwrap();
    recover(&run, &lock).unwrap();
    assert!(list(&whole.journal()).is_empty());
}

#[test]
fn series_whose_lines_are_damaged_are_named_by_their_sealed_rows() {
    let temp = tempfile::tempdir().unwrap();
    let run = dead_run(temp.path());
    fs::write(run.series(), "no line\n").unwrap();
    let names: Vec<_> = series_keys(&run).unwrap().into_iter().map(|(key, _)| key.metric).collect();
    assert_eq!(names, ["loss"]);
}

#[test]
fn nothing_is_opened_outside_of_the_run() {
    let temp = tempfile::tempdir().unwrap();
    let run = dead_run(temp.path());
    fs::write(temp.path().join("outside"), "x").unwrap();
    for path in ["../../outside", "metrics/../../../outside", "/etc/passwd"] {
        assert!(inside::open(&run, &run.path().join(path)).is_err(), "{path}");
    }
    assert!(inside::open(&run, &run.status()).is_ok());
}

#[test]
fn a_run_with_something_mounted_in_it_is_not_deleted_and_what_is_mounted_is_not_emptied() {
    let temp = tempfile::tempdir().unwrap();
    let run = dead_run(temp.path());
    let (outside, place) = (temp.path().join("outside"), run.checkpoints().join("step-200/data"));
    let (file, file_place) = (temp.path().join("weights"), run.path().join("weights"));
    for dir in [&outside, &place] {
        fs::create_dir(dir).unwrap();
    }
    fs::write(outside.join("mine"), "mine").unwrap();
    fs::write(&file, "mine").unwrap();
    fs::write(&file_place, "").unwrap();
    let bind = |what: &Path, at: &Path| {
        // Of the same file system, so that its number tells nothing.
        mounts_alone(&[&["--bind", what.to_str().unwrap(), at.to_str().unwrap()]])
    };
    if !bind(&file, &file_place) {
        eprintln!("NOT TESTED: nothing can be mounted here (root is needed)");
        return;
    }
    let refused = |path: &Path, word: &str| {
        let (above, before) = (RunDir::new(path.parent().unwrap()), list(run.path()));
        let error = inside::remove_dir(&above, path).unwrap_err().to_string();
        assert!(error.contains("mounted") && error.contains(word), "{error}");
        assert_eq!(list(run.path()), before, "nothing is removed before all of it may be");
    };
    refused(run.path(), "weights");
    assert!(bind(&outside, &place));
    refused(&run.checkpoints().join("step-200"), "data");
    refused(run.path(), "");
    assert_eq!(fs::read_to_string(outside.join("mine")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert!(run.checkpoints().join("step-200/model").exists());
}
