//! Tests notes, tags, stars and names of runs, as set and found by a user.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "cli.rs uses the rest")]
mod fixture;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use fixture::{bare, finished, status};
use gradtop_store::{RunLock, State, read_manifest};
use serde_json::Value;

/// The output of a command, on both streams, and its exit code.
fn gradtop(runs: &Path, args: &[&str]) -> (String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradtop"));
    command.args(args).env_clear().env("GRADTOP_RUNS", runs).env("LANG", "C.UTF-8").env("TZ", "UTC");
    let said = command.current_dir(runs).stdin(Stdio::null()).output().unwrap();
    let text = [said.stdout, said.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (text, said.status.code().unwrap())
}

fn names(runs: &Path, filter: &str) -> Vec<String> {
    let (said, code) = gradtop(runs, &["list", filter, "--json"]);
    assert_eq!(code, 0, "{said}");
    let found: Vec<Value> = serde_json::from_str(&said).unwrap();
    found.iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_said_of_runs_is_shown_and_found() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    for (name, lr) in [("a", 0.1), ("b", 0.01)] {
        finished(runs, name, lr);
    }
    let ok = |args: &[&str]| {
        let (said, code) = gradtop(runs, args);
        assert_eq!(code, 0, "{args:?}: {said}");
        said
    };
    assert_eq!(ok(&["tag", "lr<1", "+lr/all", "+x"]), "a: lr/all x\nb: lr/all x\n");
    assert_eq!(ok(&["tag", "a", "+best", "-x", "-never"]), "a: best lr/all\nno tag never to remove from a\n");
    assert_eq!(ok(&["star", "b"]), "b: ★ lr/all x\n");
    assert_eq!(ok(&["note", "a", "Diverges after epoch 2\nsee b"]), "a: Diverges after epoch 2\n");
    assert_eq!(ok(&["note", "a", "-3 dB", "--append"]), "a: added -3 dB\n");
    for (filter, found) in [
        ("tag:best", "a"),
        ("tag:lr/*", "a b"),
        ("tag=x", "b"),
        ("NOT tag:x", "a"),
        ("is:starred", "b"),
        ("is:noted", "a"),
        ("note:EPOCH", "a"),
        ("note:\"3 dB\"", "a"),
    ] {
        assert_eq!(names(runs, filter).join(" "), found, "{filter}");
    }
    assert!(
        ok(&["show", "a"]).contains("notes\n  best lr/all\n  Diverges after epoch 2\n  see b\n  -3 dB\n")
    );
    let list = ok(&["list"]);
    assert!(list.contains("best lr/all · Diverges after epoch 2") && list.contains("★ lr/all x"), "{list}");
    let columns = ok(&["list", "--columns", "name,star,tags,note", "--sort", "star"]);
    let rows: Vec<&str> = columns.lines().skip(4).map(str::trim).collect();
    assert_eq!(
        rows,
        ["b     ★     lr/all x", "a           best lr/all  Diverges after epoch 2"],
        "{columns}"
    );
    let shown: Value = serde_json::from_str(&ok(&["show", "b", "--json"])).unwrap();
    assert_eq!((&shown["starred"], &shown["tags"][1]), (&true.into(), &"x".into()));
    // A run without any marks has no such file.
    ok(&["unstar", "b"]);
    ok(&["tag", "b", "-x", "-lr/all"]);
    assert_eq!(ok(&["unstar", "b"]), "b: no star\n");
    assert!(!runs.join("exp=curve-fit/run=b/notes.toml").exists());
    assert_eq!(ok(&["note", "a", ""]), "a: note removed\n");
}

#[test]
fn wrong_words_change_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let run = finished(runs, "a", 0.1);
    for (args, why) in [
        (&["tag", "a"][..], "no tag to add or remove"),
        (&["tag", "+x"], "no run to tag"),
        (&["tag", "a", "+x y"], "cannot be the name of a tag"),
        (&["tag", "a", "+x", "-x"], "both added and removed"),
        (&["tag", "a", "+x", "--json"], "options belong before the runs"),
        (&["tag", "nobody", "+x"], "nobody"),
        (&["star", "lr>5"], "no run matches"),
        (&["list", "is:good"], "starred"),
        (&["note", "a"], "no terminal to edit it in"),
    ] {
        let (said, code) = gradtop(runs, args);
        assert!(code != 0 && said.contains(why), "{args:?}: {said}");
    }
    assert!(!run.notes().exists());
    // An unreadable file does no harm: the run is shown and the file kept.
    fs::write(run.notes(), "tags = 3").unwrap();
    let (said, code) = gradtop(runs, &["star", "a"]);
    assert!(code != 0 && said.contains("notes.toml"), "{said}");
    let (said, code) = gradtop(runs, &["show", "a"]);
    assert!(code == 0 && said.contains("warning:") && said.contains("notes.toml"), "{said}");
    assert_eq!(names(runs, "a"), ["a"]);
    assert_eq!(fs::read_to_string(run.notes()).unwrap(), "tags = 3");
}

#[test]
fn a_run_that_has_ended_gets_another_name_and_keeps_everything() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let run = finished(runs, "a", 0.1);
    finished(runs, "b", 0.1);
    gradtop(runs, &["star", "a"]);
    let rows = gradtop_store::read_series(&run, |_| true).unwrap().len();
    for (args, why) in [
        (["rename", "a", "b"], "exists"),
        (["rename", "a", "a"], "already has that name"),
        (["rename", "a", "1e5"], "must begin with a letter"),
        (["rename", "a", "../c"], "must begin with a letter"),
        (["rename", "a", "last"], "newest"),
        (["rename", "nobody", "c"], "nobody"),
    ] {
        let (said, code) = gradtop(runs, &args);
        assert!(code != 0 && said.contains(why), "{args:?}: {said}");
    }
    assert_eq!(gradtop(runs, &["rename", "a", "final"]), ("a is now final\n".to_owned(), 0));
    assert_eq!(names(runs, "is:starred"), ["final"]);
    let renamed = gradtop_store::find_run(runs, "final").unwrap();
    assert_eq!(gradtop_store::read_series(&renamed, |_| true).unwrap().len(), rows);
    assert!(fs::read_to_string(renamed.manifest()).unwrap().contains("run = \"final\""));
    assert_eq!(read_manifest(&renamed).unwrap().experiment.in_plugin, None);
    let table = gradtop_store::read_table(&renamed, "run").unwrap();
    assert!(format!("{table:?}").contains("final"), "its row tells the name");
    // A run in progress cannot be renamed.
    let going = bare(runs, "going", 0, &status(State::Running, 5, 10));
    let lock = RunLock::acquire(&going).unwrap();
    let (said, code) = gradtop(runs, &["rename", "going", "c"]);
    assert!(code != 0 && said.contains("stop it first"), "{said}");
    drop(lock);
}
