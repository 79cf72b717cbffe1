//! Logs of other tools with the real program: imported, followed while they grow, stopped, killed, and exported.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gradtop_store::State;
use gradtop_tests::sandbox::ended;
use gradtop_tests::{Sandbox, paths, until};

fn golden(name: &str) -> PathBuf {
    paths::checkout().join("core/import/tests/golden").join(name)
}

/// A log that a test writes to.
struct Log(PathBuf);

impl Log {
    fn new(sandbox: &Sandbox, name: &str) -> Self {
        let folder = sandbox.path().join("logs").join(name);
        fs::create_dir_all(&folder).unwrap();
        let log = Self(folder.join("metrics.csv"));
        fs::write(&log.0, "step,train_loss\n").unwrap();
        log
    }

    fn add(&self, steps: std::ops::Range<i64>) {
        let mut file = fs::File::options().append(true).open(&self.0).unwrap();
        for step in steps {
            writeln!(file, "{step},{}", step as f64 / 8.0).unwrap();
        }
    }

    fn folder(&self) -> &str {
        self.0.parent().unwrap().parent().unwrap().to_str().unwrap()
    }
}

/// The steps of the run's only series.
fn steps(sandbox: &Sandbox, name: &str) -> Vec<i64> {
    let Ok(run) = gradtop_store::find_run(&sandbox.runs(), name) else { return Vec::new() };
    let series = gradtop_store::read_series(&run, |_| true).unwrap_or_default();
    series.first().map(|s| s.step.clone()).unwrap_or_default()
}

fn until_steps(sandbox: &Sandbox, name: &str, count: i64) {
    let wanted: Vec<i64> = (0..count).collect();
    until("the rows to be followed", || (steps(sandbox, name) == wanted).then_some(()));
}

fn follow(sandbox: &Sandbox, log: &Log) -> Child {
    let mut command = sandbox.command(&["import", log.folder(), "--follow"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn real_logs_are_imported_and_shown() {
    let sandbox = Sandbox::with(&[]);
    let path = golden("");
    let said = sandbox.gradtop(&["import", path.to_str().unwrap(), "--experiment", "golden"]).expect_code(0);
    assert_eq!(said.out.lines().count(), 6, "{said:#?}");
    assert!(said.out.lines().all(|line| line.starts_with("golden/")), "{said:#?}");
    let list = sandbox.gradtop(&["list", "--json"]).json();
    let runs = list.as_array().unwrap();
    assert_eq!(runs.len(), 6, "{list:#}");
    assert!(runs.iter().all(|run| run["state"] == "finished" && run["experiment"] == "golden"), "{list:#}");
    for command in ["show", "plot", "logs"] {
        sandbox.gradtop(&[command, "wandb"]).expect_code(0);
    }
    sandbox.gradtop(&["compare", "wandb", "tensorboardx"]).expect_code(0);
    let refused = sandbox.gradtop(&["resume", "wandb"]).expect_code(1);
    assert!(refused.err.contains("has finished"), "{refused:#?}");
    let opened = sandbox.gradtop(&["open", path.to_str().unwrap(), "--once"]).expect_code(0);
    assert!(opened.out.contains("tensorboardx"), "{opened:#?}");
}

#[test]
fn what_cannot_be_imported_is_said() {
    let sandbox = Sandbox::with(&[]);
    let empty = sandbox.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let said = sandbox.gradtop(&["import", empty.to_str().unwrap()]).expect_code(1);
    assert!(said.err.contains("nothing to import in"), "{said:#?}");
    sandbox.gradtop(&["import", "/nonexistent"]).expect_code(1);
    let many = golden("");
    sandbox.gradtop(&["import", many.to_str().unwrap(), "--name", "one"]).expect_code(2);
    let text = empty.join("notes.txt");
    fs::write(&text, "hello").unwrap();
    let said = sandbox.gradtop(&["import", text.to_str().unwrap()]).expect_code(1);
    assert!(said.err.contains("it is not an event file"), "{said:#?}");
    assert_eq!(fs::read_dir(sandbox.runs()).unwrap().count(), 0);
}

#[test]
fn a_growing_log_is_followed_stopped_killed_and_gone_on_with() {
    let sandbox = Sandbox::with(&[]);
    let log = Log::new(&sandbox, "mine");
    log.add(0..10);
    let mut first = follow(&sandbox, &log);
    until_steps(&sandbox, "mine", 10);
    log.add(10..25);
    until_steps(&sandbox, "mine", 25);
    let refused = sandbox.gradtop(&["import", log.folder()]).expect_code(1);
    assert!(refused.err.contains("is being followed already"), "{refused:#?}");
    // A new folder is found.
    let other = Log::new(&sandbox, "other");
    other.add(0..5);
    until_steps(&sandbox, "other", 5);
    first.kill().unwrap();
    first.wait().unwrap();
    log.add(25..40);
    assert_eq!(sandbox.find("mine").view().state, State::Crashed);
    let cause = sandbox.gradtop(&["show", "mine", "--json"]).expect_code(0).json()["cause"].clone();
    assert_eq!(cause, "its process died without reporting a reason");
    let mut second = follow(&sandbox, &log);
    until_steps(&sandbox, "mine", 40);
    assert_eq!(sandbox.find("mine").view().state, State::Running);
    for name in ["mine", "other"] {
        sandbox.gradtop(&["stop", name]).expect_code(0);
        assert_eq!(sandbox.find(name).view().state, State::Stopped);
    }
    // Following ends with its last run.
    assert!(second.wait().unwrap().success());
    log.add(40..50);
    sandbox.gradtop(&["import", log.folder()]).expect_code(0);
    until_steps(&sandbox, "mine", 50);
}

#[test]
fn following_goes_on_in_the_background() {
    let sandbox = Sandbox::with(&[]);
    let log = Log::new(&sandbox, "mine");
    log.add(0..3);
    sandbox.gradtop(&["import", log.folder(), "--follow", "--detach"]).expect_code(0);
    let list = sandbox.gradtop(&["list", "mine", "--json"]).json();
    assert_eq!((&list[0]["step"], &list[0]["headline"][0]["value"]), (&2.into(), &0.25.into()), "{list}");
    log.add(3..9);
    until_steps(&sandbox, "mine", 9);
    // Nobody else follows it: these end.
    for again in [&["--follow"][..], &["--follow", "--detach"]] {
        let said = sandbox.gradtop(&[&["import", log.folder()], again].concat()).expect_code(1);
        assert!(said.err.contains("mine is being followed already") && said.out.is_empty(), "{said:?}");
    }
    sandbox.gradtop(&["stop", "mine"]).expect_code(0);
    assert_eq!(sandbox.find("mine").view().state, State::Stopped);
}

#[test]
fn following_in_the_background_begins_before_there_are_rows() {
    let sandbox = Sandbox::with(&[]);
    let folder = sandbox.path().join("null");
    fs::create_dir(&folder).unwrap();
    let said = sandbox
        .gradtop(&["import", folder.to_str().unwrap(), "--follow", "--detach", "--json"])
        .expect_code(0)
        .json();
    assert!(said["run"].is_null() && said["pid"].is_u64(), "{said}");
    fs::write(folder.join("metrics.csv"), "step,loss\n0,0.5\n1,0.25\n").unwrap();
    // Readers would take the folder's name for no value.
    until_steps(&sandbox, "run-null", 2);
    sandbox.gradtop(&["stop", "run-null"]).expect_code(0);
}

/// The number of rows that pandas and pyarrow read from an exported file, and the sum of the values.
fn pyarrow(sandbox: &Sandbox, file: &str) -> serde_json::Value {
    let script = "import sys, json, pyarrow.parquet as pq, pyarrow.csv as csv\n\
                  f = sys.argv[1]\n\
                  t = pq.read_table(f) if f.endswith('parquet') else csv.read_csv(f)\n\
                  print(json.dumps([t.num_rows, t.column_names]))";
    let mut command = Command::new("python3");
    command.args(["-c", script, file]).current_dir(sandbox.path()).env("PYTHONPATH", paths::readers());
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    ended(command, &["pyarrow"]).expect_code(0).json()
}

#[test]
fn what_a_kill_leaves_of_an_export_is_nothing() {
    let sandbox = Sandbox::with(&[]);
    let log = Log::new(&sandbox, "large");
    log.add(0..400_000);
    sandbox.gradtop(&["import", log.folder()]).expect_code(0);
    let out = sandbox.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut command = sandbox.command(&["export", "large", "--csv", out.join("large.csv").to_str().unwrap()]);
    let mut export =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let process = rustix::process::Pid::from_child(&export);
    // Its file has no name yet.
    let files = PathBuf::from(format!("/proc/{}/fd", export.id()));
    let writes = |entry: fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|file| file.starts_with(&out));
    until("the export to write", || {
        fs::read_dir(&files).into_iter().flatten().flatten().any(writes).then_some(())
    });
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    assert_eq!(export.wait().unwrap().code(), None);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn a_command_s_last_line_needs_no_line_break() {
    let sandbox = Sandbox::with(&[]);
    let file = sandbox.path().join("log.csv").to_str().unwrap().to_owned();
    let script = "printf 'step,loss\n0,1\n1,2' > \"$0\"";
    sandbox
        .gradtop(&["exec", "--csv", &file, "--name", "ended", "--", "sh", "-c", script, &file])
        .expect_code(0);
    assert_eq!(steps(&sandbox, "ended"), [0, 1]);
}

#[test]
fn a_run_is_exported_for_others() {
    let sandbox = Sandbox::with(&[]);
    let log = golden("wandb");
    sandbox.gradtop(&["import", log.to_str().unwrap()]).expect_code(0);
    let at = |name: &str| sandbox.path().join(name).to_str().unwrap().to_owned();
    let long = ["step", "epoch", "time", "metric", "model", "split", "trial", "value"];
    let wide = ["step", "epoch", "time", "train/loss", "val/loss", "small"];
    for kind in ["csv", "parquet"] {
        let option = format!("--{kind}");
        let file = at(&format!("long.{kind}"));
        sandbox.gradtop(&["export", "wandb", &option, &file]).expect_code(0);
        assert_eq!(pyarrow(&sandbox, &file), serde_json::json!([360, long]), "{kind}");
        let file = at(&format!("wide.{kind}"));
        sandbox.gradtop(&["export", "wandb", &option, &file, "--wide"]).expect_code(0);
        assert_eq!(pyarrow(&sandbox, &file), serde_json::json!([120, wide]), "{kind}");
        let again = sandbox.gradtop(&["export", "wandb", &option, &file]).expect_code(2);
        assert!(again.err.contains("exists already"), "{again:#?}");
    }
    let printed = sandbox.gradtop(&["export", "wandb", "--csv", "-"]).expect_code(0);
    assert_eq!(printed.out, fs::read_to_string(at("long.csv")).unwrap());
    // Importing the export gives the same run, also its times.
    sandbox.gradtop(&["import", &at("long.csv"), "--name", "long"]).expect_code(0);
    sandbox.gradtop(&["export", "long", "--csv", &at("long-again.csv")]).expect_code(0);
    assert_eq!(fs::read_to_string(at("long-again.csv")).unwrap(), printed.out);
    sandbox.gradtop(&["export", "wandb", "--tensorboard", &at("tb")]).expect_code(0);
    sandbox.gradtop(&["import", &at("tb/wandb"), "--name", "again"]).expect_code(0);
    sandbox.gradtop(&["export", "again", "--csv", &at("again.csv"), "--wide"]).expect_code(0);
    let values = |file: &str| {
        let text = fs::read_to_string(Path::new(&at(file))).unwrap();
        text.lines().map(|line| line.splitn(4, ',').nth(3).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values("again.csv"), values("wide.csv"));
    sandbox.gradtop(&["export", "wandb"]).expect_code(2);
    // Readers that know no case would take one column for another.
    let case = sandbox.path().join("case.csv");
    fs::write(&case, "step,Loss,loss,norm\n0,1,2,3\n").unwrap();
    sandbox.gradtop(&["import", case.to_str().unwrap()]).expect_code(0);
    let alike =
        sandbox.gradtop(&["export", "case", "--parquet", &at("case.parquet"), "--wide"]).expect_code(0);
    assert!(alike.err.contains("Loss, loss") && !alike.err.contains("norm"), "{alike:?}");
}
