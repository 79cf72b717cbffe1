//! Tests that reading and deleting leave foreign files alone: folders of other users, moved ones, and folders that are no runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "cli.rs uses the rest")]
mod fixture;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use fixture::{bare, finished, status};
use gradtop_store::{RunDir, State, append_event};
use serde_json::Value;

#[derive(Debug)]
struct CommandOutput {
    out: String,
    err: String,
    code: Option<i32>,
}

fn gradtop(runs: &Path, args: &[&str]) -> CommandOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradtop"));
    command.args(args).env_clear().env("GRADTOP_RUNS", runs).env("LANG", "C.UTF-8").env("TZ", "UTC");
    command.env("XDG_DATA_HOME", runs.join(".data")).env("XDG_CACHE_HOME", runs.join(".cache"));
    command.env("GRADTOP_PLUGINS", runs.join(".plugins")).stdin(Stdio::null()).current_dir(runs);
    let said = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    CommandOutput { out: text(said.stdout), err: text(said.stderr), code: said.status.code() }
}

fn json(said: &CommandOutput) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"))
}

/// All files below a folder, with their bytes and modification times.
fn contents(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>, SystemTime)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_file() { fs::read(&path).ok() } else { None };
            if meta.is_dir() {
                open.push(path.clone());
            }
            found.push((path, bytes, meta.modified().unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_name_is_wrong_also_in_a_folder_without_runs() {
    let empty = tempfile::tempdir().unwrap();
    let named = gradtop(empty.path(), &["list", "nosuch"]);
    assert_eq!(named.code, Some(2), "{named:?}");
    assert!(named.err.contains("no run or experiment is called \"nosuch\""), "{named:?}");
    let filtered = gradtop(empty.path(), &["list", "tag:nosuch"]);
    assert!(filtered.code == Some(0) && filtered.out.starts_with("No runs in"), "{filtered:?}");
}

/// Creates a run whose processes died.
fn crashed(runs: &Path, name: &str) -> RunDir {
    let run = bare(runs, name, 0, &status(State::Running, 5, 10));
    append_event(&run, &gradtop_store::Event::State { state: State::Running, cause: None }).unwrap();
    run
}

/// Runs every command that only reads.
fn look(runs: &Path, run: &str) {
    for args in [
        &["list"][..],
        &["list", "--json"],
        &["show", run],
        &["show", run, "--json"],
        &["logs", run],
        &["plot", run],
        &["compare", run],
        &["wait", run, "--timeout", "0"],
        &["--once"],
    ] {
        let said = gradtop(runs, args);
        assert!(said.code.is_some_and(|c| c != 101), "{args:?}: {said:?}");
    }
}

#[test]
fn looking_changes_nothing_that_is_not_ones_own() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    // One's own run is recovered when it is read.
    let own = crashed(runs, "own");
    look(runs, "own");
    assert_eq!(gradtop_store::read_status(&own).unwrap().state, State::Crashed);
    // A run with a link in it is not, and the target of the link is unchanged.
    let target = runs.join("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("mine"), "mine, without an end").unwrap();
    for place in ["events.jsonl", "lock", "metrics", "control/stop", "series.jsonl", "tables/x"] {
        let run = crashed(runs, "linked");
        let path = run.path().join(place);
        if path.is_dir() {
            fs::remove_dir(&path).unwrap();
        } else {
            drop(fs::remove_file(&path));
        }
        let to = if matches!(place, "metrics" | "tables/x") { target.clone() } else { target.join("mine") };
        symlink(to, &path).unwrap();
        let before = (contents(run.path()), contents(&target));
        look(runs, "linked");
        assert_eq!((contents(run.path()), contents(&target)), before, "{place}");
        let shown = gradtop(runs, &["list"]);
        assert!(shown.out.contains("crashed") || shown.err.contains("linked"), "{place}: {shown:?}");
        fs::remove_dir_all(run.path()).unwrap();
    }
    // Nor is one of another user, even by root. Only root can create one.
    if rustix::process::geteuid().is_root() {
        let run = crashed(runs, "foreign");
        chown(run.path(), Some(12345), None).unwrap();
        let before = contents(run.path());
        look(runs, "foreign");
        assert_eq!(contents(run.path()), before);
        let shown = json(&gradtop(runs, &["show", "foreign", "--json"]));
        assert_eq!(shown["state"], "crashed", "{shown:#}");
    }
}

#[test]
fn rm_deletes_runs_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let runs = &temp.path().join("runs");
    fs::create_dir(runs).unwrap();
    let kept = temp.path().join("kept");
    fs::create_dir(&kept).unwrap();
    fs::write(kept.join("thesis.tex"), "years of work").unwrap();
    let refused = |args: &[&str], path: &Path, words: &[&str]| {
        let said = gradtop(runs, &[&["rm", "--yes"], args].concat());
        assert!(said.code.is_some_and(|c| c == 1 || c == 2), "{args:?}: {said:?}");
        for word in words {
            assert!(said.err.contains(word), "{args:?}: {said:?}");
        }
        assert!(path.exists(), "{args:?}: {said:?}");
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let whole = finished(runs, "whole", 0.1);
    let manifest = fs::read(whole.manifest()).unwrap();

    // A project with a file of that name, and one that even contains a real manifest.
    let project = temp.path().join("proj");
    fs::create_dir_all(project.join("src")).unwrap();
    for toml in [&b"name = \"proj\"\n"[..], &manifest] {
        fs::write(project.join("run.toml"), toml).unwrap();
        for force in [&[][..], &["--force"]] {
            refused(
                &[&[text(&project).as_str()], force].concat(),
                &project.join("src"),
                &["exp=<experiment>/run=<name>"],
            );
        }
    }
    // A folder that is only named like a run: without a readable manifest it is never deleted.
    let fake = temp.path().join("exp=a/run=b");
    fs::create_dir_all(&fake).unwrap();
    fs::write(fake.join("run.toml"), "name = \"x\"").unwrap();
    refused(&[&text(&fake), "--force"], &fake, &["outside", "run.toml"]);

    // An unreadable or missing manifest, or foreign files, need --force.
    let unreadable = finished(runs, "unreadable", 0.1);
    fs::write(unreadable.manifest(), "run = ").unwrap();
    let bare = runs.join("exp=curve-fit/run=bare");
    fs::create_dir(&bare).unwrap();
    let mixed = finished(runs, "mixed", 0.1);
    fs::write(mixed.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir(mixed.path().join("src")).unwrap();
    refused(&["unreadable"], unreadable.path(), &["run.toml", "--force"]);
    refused(&["bare"], &bare, &["run.toml", "--force"]);
    refused(&["mixed"], mixed.path(), &["notes.txt", "src", "--force"]);
    // What cannot be deleted does not keep the others.
    let other = finished(runs, "other", 0.1);
    refused(&["other", "mixed"], mixed.path(), &["notes.txt"]);
    assert!(!other.path().exists());
    for name in ["unreadable", "bare", "mixed"] {
        let said = gradtop(runs, &["rm", "--yes", "--force", name]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!runs.join("exp=curve-fit").join(format!("run={name}")).exists());
    }

    // Links: their targets stay, and a run that is a link is not touched.
    let linked = finished(runs, "linked", 0.1);
    symlink(&kept, linked.path().join("checkpoints/step-1")).unwrap();
    fs::remove_dir_all(linked.metrics()).unwrap();
    symlink(&kept, linked.metrics()).unwrap();
    assert_eq!(gradtop(runs, &["rm", "--yes", "linked"]).code, Some(0));
    assert!(!linked.path().exists());
    let alias = runs.join("exp=curve-fit/run=alias");
    symlink(whole.path(), &alias).unwrap();
    refused(&["alias"], &alias, &["link"]);
    assert!(whole.metrics().exists());
    assert_eq!(fs::read_to_string(kept.join("thesis.tex")).unwrap(), "years of work");

    // By path, through a linked folder, and with nothing but its own files left.
    let door = temp.path().join("door");
    symlink(runs, &door).unwrap();
    fs::remove_file(alias).unwrap();
    let path = door.join("exp=curve-fit/run=whole");
    assert_eq!(gradtop(runs, &["rm", "--yes", &text(&path)]).code, Some(0));
    assert!(!whole.path().exists() && !runs.join("exp=curve-fit").exists());
}

#[test]
fn a_run_is_called_what_its_folder_is_called() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let first = finished(runs, "first", 0.1);
    let copy = runs.join("exp=curve-fit/run=second");
    assert!(Command::new("cp").arg("-r").args([first.path(), &copy]).status().unwrap().success());
    let listed = json(&gradtop(runs, &["list", "--json"]));
    let mut names: Vec<_> =
        listed.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["first", "second"]);
    let table = gradtop(runs, &["list"]).out;
    assert!(table.contains("first") && table.contains("second"), "{table}");
    let shown = json(&gradtop(runs, &["show", "second", "--json"]));
    assert_eq!((&shown["run"], &shown["manifest"]["run"]), (&"second".into(), &"second".into()));
    for args in [&["show", "second"][..], &["wait", "second"], &["compare", "second"], &["--once"]] {
        let said = gradtop(runs, args).out;
        assert!(said.contains("second"), "{args:?}: {said}");
        assert!(args == ["--once"] || !said.contains("first"), "{args:?}: {said}");
    }
    fs::rename(first.path(), runs.join("exp=curve-fit/run=third")).unwrap();
    assert_eq!(gradtop(runs, &["show", "first"]).code, Some(2));
    assert!(gradtop(runs, &["show", "third"]).out.contains("third"));
}

#[test]
fn in_a_shared_folder_of_runs_every_experiments_folder_is_shared() {
    use std::os::unix::fs::PermissionsExt as _;
    for (mode, shared) in [(0o2775, 0o2775), (0o1777, 0o1777), (0o775, 0o775)] {
        let temp = tempfile::tempdir().unwrap();
        let runs = temp.path().join("runs");
        fs::create_dir(&runs).unwrap();
        fs::set_permissions(&runs, fs::Permissions::from_mode(mode)).unwrap();
        let run = bare(&runs, "a", 0, &status(State::Finished, 1, 1));
        let meta = run.path().parent().unwrap().metadata().unwrap();
        assert_eq!(meta.mode() & 0o7777, shared, "{mode:o}");
        assert_eq!(meta.gid(), runs.metadata().unwrap().gid());
    }
}

#[test]
fn what_is_no_folder_of_runs_is_so_to_every_command_and_to_the_monitor() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("file"), "").unwrap();
    for place in ["file", "file/runs"] {
        let runs = temp.path().join(place);
        let mut said = Vec::new();
        for words in [
            "--once",
            "",
            "list",
            "show a",
            "stop a",
            "rm a --yes",
            "exec -- true",
            "queue",
            "gc",
            "compare a",
            "wait a",
        ] {
            let mut args = vec!["--runs", runs.to_str().unwrap()];
            args.extend(words.split_whitespace());
            let CommandOutput { err, code, .. } = gradtop(temp.path(), &args);
            assert!(err.contains("is not a runs folder") && code == Some(2), "{words}: {err}");
            said.push(err);
        }
        assert!(said.iter().all(|err| *err == said[0]), "{said:#?}");
    }
}
