//! Three other programs, `duckdb`, `polars` and `pyarrow`, read `runs/*/*/metrics/*.parquet` while a run is in progress,
//! paused, resumed and ended. They count the same rows as gradtop and never see one twice. Together with pandas, they agree on
//! the questions of docs/analysis.md.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Child, Command, Stdio};

use gradtop_store::State;
use gradtop_tests::sandbox::{Run, ended};
use gradtop_tests::{Sandbox, check, paths, until};
use serde_json::Value;

fn python(sandbox: &Sandbox, script: &str, args: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(paths::checkout().join("tests/fixtures").join(script))
        .args(args)
        .current_dir(sandbox.path())
        .env("PYTHONPATH", paths::readers())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null());
    command
}

/// The results of all three, as `{"duckdb": {…}, …}`.
fn read(sandbox: &Sandbox) -> Value {
    ended(python(sandbox, "readers.py", &["once"]), &["readers.py", "once"]).expect_code(0).json()
}

/// The rows of `loss` that gradtop itself reads, including the journal.
fn own_rows(run: &Run<'_>) -> usize {
    let series = gradtop_store::read_series(&run.dir, |key| key.metric == "loss").unwrap();
    check::no_step_twice(&series);
    series.iter().map(|s| s.step.len()).sum()
}

const READERS: [&str; 3] = ["duckdb", "polars", "pyarrow"];

/// Checks that all three count these rows of `loss`, none twice, and derive experiment and run from the folders' names.
fn all_agree(sandbox: &Sandbox, rows: usize) {
    let said = read(sandbox);
    for reader in READERS {
        let one = &said[reader];
        assert_eq!(one["rows"], rows, "{reader}: {said:#}");
        assert_eq!(one["distinct"], rows, "{reader}: {said:#}");
        assert_eq!(one["exp"], serde_json::json!(["counter"]), "{reader}: {said:#}");
        assert_eq!(one["run"], serde_json::json!(["read"]), "{reader}: {said:#}");
        let columns = one["columns"].as_array().unwrap();
        for column in ["step", "epoch", "time", "metric", "model", "split", "trial", "value", "exp", "run"] {
            assert!(columns.contains(&column.into()), "{reader} has no column {column}: {said:#}");
        }
    }
}

/// Waits until everything logged is sealed: a waiting run seals by age.
fn all_sealed(run: &Run<'_>) -> usize {
    until("the waiting run to seal what it has", || {
        let sealed = check::sealed_rows(&run.dir).iter().filter(|r| r.series.0 == "loss").count();
        (sealed == own_rows(run)).then_some(sealed)
    })
}

/// A Python process for each reader, which reads repeatedly until it is told to end.
struct Watching<'a> {
    sandbox: &'a Sandbox,
    children: Vec<Child>,
}

impl<'a> Watching<'a> {
    fn start(sandbox: &'a Sandbox) -> Self {
        let children = READERS.map(|reader| {
            python(sandbox, "readers.py", &["watch", reader])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        });
        Self { sandbox, children: children.into() }
    }

    /// Checks that each has read at least `least` times and never seen a row twice.
    fn end(self, least: u64) {
        std::fs::write(self.sandbox.path().join("enough"), "").unwrap();
        for (reader, child) in READERS.iter().zip(self.children) {
            let done = child.wait_with_output().unwrap();
            let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            assert!(done.status.success(), "{reader}: {out}{err}");
            let said: Value = serde_json::from_str(&out).unwrap();
            assert!(said["reads"].as_u64().unwrap() >= least, "{reader} read too seldom: {said}");
            assert!(said["most"].as_u64().unwrap() > 0, "{reader} never saw a row: {said}");
        }
    }
}

#[test]
fn duckdb_polars_and_pyarrow_read_a_run_at_every_stage() {
    let sandbox = Sandbox::new();
    let run = sandbox.start(&["counter", "--set", "steps=1000000", "--set", "rate=2000"], "read");
    until("the first sealed rows", || (!check::sealed_rows(&run.dir).is_empty()).then_some(()));
    let watching = Watching::start(&sandbox);
    // Each checkpoint ends a segment; after enough of them, parts are merged while others read.
    let step = || run.view().status.step.unwrap_or(0);
    for _ in 0..40 {
        let before = step();
        sandbox.gradtop(&["checkpoint", "read"]).expect_code(0);
        until("the run to go on", || (step() > before).then_some(()));
    }
    let parts = check::files(&run.dir.metrics());
    assert!(
        parts.iter().any(|p| p.file_stem().unwrap().len() > "part-00001".len()),
        "nothing was merged: {parts:?}"
    );
    assert_eq!(run.view().state, State::Running);

    sandbox.gradtop(&["pause", "read"]).expect_code(0);
    run.until_state(State::Paused);
    all_agree(&sandbox, all_sealed(&run));
    assert_eq!(run.view().state, State::Paused);

    let paused_at = step();
    sandbox.gradtop(&["resume", "read"]).expect_code(0);
    until("the run to go on", || (step() > paused_at + 100).then_some(()));

    // Killed and resumed from an earlier checkpoint: rows that were set aside are not visible.
    assert!(run.signal_trainer(rustix::process::Signal::KILL));
    run.wait().expect_code(4);
    all_agree(&sandbox, own_rows(&run));
    sandbox.gradtop(&["resume", "read", "--detach"]).expect_code(0);
    run.until_state(State::Running);
    sandbox.gradtop(&["stop", "read"]);
    run.wait().expect_code(3);
    watching.end(5);

    let rows = check::sealed(&run.dir);
    check::no_row_twice(&rows);
    all_agree(&sandbox, rows.iter().filter(|r| r.series.0 == "loss").count());
}

#[test]
fn the_questions_of_analysts_have_the_same_answer_in_every_reader() {
    let sandbox = Sandbox::new();
    for (name, lr, code) in [("slow", "0.1", 0), ("fast", "0.5", 0), ("wild", "2", 1)] {
        sandbox.run(&["curves", "--name", name, "--set", &format!("lr={lr}")]).expect_code(code);
    }
    // A crashed and resumed run, a crashed one, and one in progress.
    let crashed = |name| {
        let run = sandbox.held(&["counter", "--set", "steps=100"], name, 40);
        sandbox.gradtop(&["checkpoint", name]).expect_code(0);
        assert!(run.signal_trainer(rustix::process::Signal::KILL));
        run.wait().expect_code(4);
        run
    };
    let resumed = crashed("resumed");
    resumed.go_on();
    sandbox.gradtop(&["resume", "resumed"]).expect_code(0);
    crashed("crashed");
    let alive = sandbox.held(&["counter", "--set", "steps=100"], "alive", 10);
    until("its time of training", || {
        let times = gradtop_store::read_series(&alive.dir, |key| key.metric == "system/trained_s").unwrap();
        (!times.is_empty()).then_some(())
    });
    alive.go_to(20);
    all_sealed(&alive);

    let page = paths::checkout().join("docs/analysis.md");
    let mut python = python(&sandbox, "analysis.py", &[page.to_str().unwrap()]);
    if let Some(duckdb) = paths::duckdb() {
        python
            .env("GRADTOP", sandbox.program())
            .env("GRADTOP_DUCKDB", duckdb)
            .env("GRADTOP_RUNS", sandbox.runs());
    }
    let said = ended(python, &["analysis.py"]);
    let said = said.expect_code(0).json();
    let questions = said.as_object().unwrap();
    assert_eq!(questions.len(), 11, "{said:#}");
    for (question, answers) in questions {
        let first = &answers["DuckDB"];
        assert!(!first.as_array().unwrap().is_empty(), "{question}: nothing found: {said:#}");
        for (reader, rows) in answers.as_object().unwrap() {
            assert_eq!(rows, first, "{question}, {reader}");
        }
    }
    let answer = |number: &str| {
        let (_, answers) = questions.iter().find(|(q, _)| q.starts_with(&format!("{number}. "))).unwrap();
        answers["DuckDB"].clone()
    };
    assert_eq!(answer("7"), serde_json::json!([["counter", "resumed", 1.0]]));
    let causes = answer("8");
    let of = |n: usize| (&causes[n][1], &causes[n][2]);
    assert_eq!(of(0), (&"crashed".into(), &"crashed".into()), "{causes}");
    assert_eq!(of(1), (&"wild".into(), &"failed".into()), "{causes}");
}
