//! A plugin in C99, compiled against the header alone, through a whole life with the real program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{ColumnData, State};
use gradtop_tests::{Sandbox, build, check, paths};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(&[]);
    build::fixture("line.c", &sandbox.plugins());
    sandbox
}

#[test]
fn it_is_described() {
    let sandbox = sandbox();
    let checked = sandbox.gradtop(&["plugin", "check", "plugins/libline.so"]).expect_code(0);
    assert!(checked.out.contains("line"), "{checked:#?}");
    let all = sandbox.gradtop(&["experiments", "line", "--json"]).expect_code(0).json();
    let text = all.to_string();
    for word in
        ["\"line\"", "1.2.3", "Fits a line", "Learning rate.", "\"quick\"", "Mean squared error.", "MSE"]
    {
        assert!(text.contains(word), "{word} is missing in {all:#}");
    }
    // Its range is (0, 10].
    for rate in ["0", "10.5", "nan", "fast"] {
        let said = sandbox.run(&["line", "--set", &format!("rate={rate}")]).expect_code(2);
        assert!(said.err.contains("rate"), "{said:#?}");
    }
    let said = sandbox.run(&["line", "--set", "rat=1"]).expect_code(2);
    assert!(said.err.contains("did you mean rate"), "{said:#?}");
    assert!(gradtop_store::list_runs(&sandbox.runs()).is_empty());
}

#[test]
fn it_trains_to_the_end() {
    let sandbox = sandbox();
    sandbox.run(&["line", "--preset", "quick", "--name", "a"]).expect_code(0);
    let run = sandbox.find("a");
    assert_eq!(run.view().status.phase.as_deref(), Some("fitting"));
    assert_eq!((run.view().status.done, run.view().status.total), (Some(20), Some(20)));
    let rows = check::sealed(&run.dir);
    check::no_row_twice(&rows);
    let value = |metric: &str, step| {
        let row = rows.iter().find(|r| r.series.0 == metric && r.step == step).unwrap();
        (f64::from_bits(row.bits), row.epoch.map(f64::from_bits))
    };
    // Seed 7: the slope begins at 0.007, so the first loss is (3 - 0.007)²·0.5 + 1.
    let first = (3.0f64 - 0.007).powi(2) * 0.5 + 1.0;
    assert!((value("loss", 0).0 - first).abs() < 1e-12, "{:?}", value("loss", 0));
    assert_eq!(value("loss", 3).1, Some(0.3));
    assert!(value("loss", 19).0 < 0.5 * first);
    assert!(value("odd", 1).0.is_nan());
    assert_eq!(value("odd", 2).0, f64::INFINITY);
    assert_eq!(rows.iter().filter(|r| r.series.0 == "loss").count(), 20);

    let logged = run.logged();
    let why = logged.iter().find_map(|l| l.strip_prefix("refused -3: ")).unwrap();
    assert!(!why.is_empty());
    assert!(logged.contains(&format!("cut {} 1", why.len())), "{logged:?}");

    let table = gradtop_store::read_table(&run.dir, "predictions").unwrap();
    assert_eq!(table.column("step"), Some(&ColumnData::I64(vec![19; 5])));
    assert_eq!(table.column("x"), Some(&ColumnData::F64(vec![-1.0, -0.5, 0.0, 0.5, 1.0])));
    assert_eq!(table.column("index"), Some(&ColumnData::I64(vec![0, 1, 2, 3, 4])));
    let names = ["a", "bb", "ccc", "dddd", ""].map(str::to_owned).to_vec();
    assert_eq!(table.column("name"), Some(&ColumnData::Utf8(names)));
    let pixels = (0..5).flat_map(|i| [i, 0, 255]).collect();
    assert_eq!(table.column("rgb"), Some(&ColumnData::Bytes { width: 3, data: pixels }));
    assert_eq!(table.columns.iter().find(|(n, _, _)| n == "x").unwrap().1.as_deref(), Some("m"));

    let plot = sandbox.gradtop(&["plot", "a", "loss"]).expect_code(0);
    assert!(plot.out.contains("MSE") && plot.out.contains("step"), "{plot:#?}");
    check::harmless(&plot.all());
}

#[test]
fn it_fails_with_its_message() {
    let sandbox = sandbox();
    let said = sandbox.run(&["line", "--name", "a", "--set", "fail_at=5"]).expect_code(1);
    assert!(said.all().contains("it fails as it was told to"), "{said:#?}");
    assert_eq!(check::sealed(&sandbox.find("a").dir).iter().filter(|r| r.series.0 == "loss").count(), 5);
}

#[test]
fn it_stops_and_goes_on_to_the_same_rows() {
    rows_of_a_run_in_parts(&sandbox());
}

/// Old plugins must load for ever: this one was compiled for ABI 1.0.
#[test]
fn a_binary_of_abi_1_0_lives_as_one_built_today() {
    let frozen = paths::checkout().join("tests/fixtures/abi-1.0/libline.so");
    assert_eq!(rows_of_a_run_in_parts(&Sandbox::with(&[frozen])), rows_of_a_run_in_parts(&sandbox()));
}

/// Pauses, saves, stops and resumes a run. Returns its rows.
fn rows_of_a_run_in_parts(sandbox: &Sandbox) -> Vec<check::Row> {
    sandbox.run(&["line", "--name", "whole"]).expect_code(0);
    let run = sandbox.held(&["line"], "parts", 20);
    sandbox.gradtop(&["pause", "parts"]).expect_code(0);
    run.until_state(State::Paused);
    sandbox.gradtop(&["resume", "parts"]).expect_code(0);
    run.go_to(40);
    sandbox.gradtop(&["checkpoint", "parts"]).expect_code(0);
    run.go_to(60);
    sandbox.gradtop(&["stop", "parts"]);
    assert_eq!(run.wait().code, 3);
    assert_eq!(check::sealed(&run.dir).iter().filter(|r| r.series.0 == "loss").count(), 61);
    run.go_on();
    sandbox.gradtop(&["resume", "parts"]).expect_code(0);
    let rows = check::comparable(check::sealed(&run.dir), &[]);
    check::no_row_twice(&rows);
    assert_eq!(rows, check::comparable(check::sealed(&sandbox.find("whole").dir), &[]));
    let table = |name: &str| gradtop_store::read_table(&sandbox.find(name).dir, "predictions").unwrap();
    assert_eq!(table("parts"), table("whole"));
    rows
}
