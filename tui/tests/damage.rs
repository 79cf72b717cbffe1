//! A file with a flipped bit is reported by every command that shows the run, and affects no other run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gradtop_tests::synthetic;

fn gradtop(runs: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradtop")).arg("--runs").arg(runs).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn damage_is_named_and_touches_no_other_run() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let bad = synthetic::finished(runs, "bad", 20_000).unwrap();
    synthetic::finished(runs, "good", 20_000).unwrap();
    let good = text(&gradtop(runs, &["show", "good"]).stdout);
    let whole = gradtop(runs, &["doctor", "good", "bad"]);
    assert!(whole.status.success(), "{}", text(&whole.stdout));
    // Flips one bit of a sealed part, and fills a journal with something else.
    let part = bad.metrics().join("part-00001.parquet");
    let mut bytes = fs::read(&part).unwrap();
    bytes[5000] ^= 1;
    fs::write(&part, bytes).unwrap();
    fs::write(bad.journal().join("journal-00002.arrows"), [0; 4096]).unwrap();

    let checked = gradtop(runs, &["doctor", "good", "bad"]);
    let said = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    let damaged: Vec<&str> = said.lines().filter(|l| l.contains("damaged")).collect();
    assert_eq!(damaged.len(), 2, "{said}");
    assert!(damaged[0].contains("bad/journal/journal-00002.arrows"), "{said}");
    assert!(damaged[1].contains("bad/metrics/part-00001.parquet: the checksum of row group 1"), "{said}");
    // Reading the run sets the journal aside: the run has ended, so its rows should be sealed.
    let list = gradtop(runs, &["list"]);
    assert!(text(&list.stderr).contains("bad has 2 damaged files"), "{}", text(&list.stderr));
    assert!(bad.damaged().join("journal-00002.arrows").exists());
    for args in [&["show", "bad"][..], &["show", "bad", "--json"], &["plot", "bad"]] {
        let shown = gradtop(runs, args);
        let said = text(&shown.stdout) + &text(&shown.stderr);
        assert!(said.contains("part-00001.parquet") && said.contains("checksum"), "{args:?}: {said}");
    }
    assert_eq!(text(&gradtop(runs, &["show", "good"]).stdout), good);
}

#[test]
fn of_several_runs_those_that_cannot_be_read_are_named_and_left_out() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    for name in ["one", "two", "torn"] {
        synthetic::finished(runs, name, 2_000).unwrap();
    }
    let torn = gradtop_store::find_run(runs, "torn").unwrap();
    fs::write(torn.manifest(), "garbage[").unwrap();
    for args in [&["compare", "*"][..], &["plot", "*"], &["best", "loss"]] {
        let said = gradtop(runs, args);
        let (out, err) = (text(&said.stdout), text(&said.stderr));
        assert!(err.contains("torn cannot be read"), "{args:?}: {err}");
        if args[0] != "best" {
            assert!(said.status.success() && out.contains("two"), "{args:?}: {out}{err}");
        }
    }
}
