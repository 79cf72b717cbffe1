//! What a shell logs line by line, and what a command writes to logs of other tools.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use gradtop_store::{Goal, read_manifest, read_series, read_table};
use gradtop_tests::{paths, until};
use rustix::process::Signal;

use crate::{console, sandbox, start, values, warnings};

#[test]
fn a_shell_logs_to_descriptor_3() {
    let sandbox = sandbox();
    let script = paths::checkout().join("python/examples/loop.sh");
    let options = ["--metric", "loss:min", "--total", "20"];
    let run = start(&sandbox, &options, "a", &["sh", script.to_str().unwrap()]);
    run.wait().expect_code(0);
    let loss = values(&run, "loss", Some("train"));
    assert_eq!(loss.iter().map(|(step, _)| *step).collect::<Vec<_>>(), (0..=20).collect::<Vec<_>>());
    assert!(loss[20].1 < 0.02);
    let status = run.view().status;
    assert_eq!((status.done, status.total), (Some(20), Some(20)));
    // A run that has logged steps 0 to 3 has done 4.
    let steps = "for i in 0 1 2 3; do echo \"$i loss=1\" >&3; done";
    let whole = start(&sandbox, &["--total", "4"], "whole", &["sh", "-c", steps]);
    whole.wait().expect_code(0);
    assert_eq!(whole.view().status.done, Some(4));
    assert_eq!(status.headline.len(), 1);
    assert_eq!(run.dir.experiment(), "loop");
    assert!(console(&run).starts_with("step 0: loss 1\n"));

    let odd = "echo 'nonsense' >&3; printf 'loss=3' >&3";
    let odd = format!(r#"echo '{{"step": 5, "loss": 2, "lr": 1, "acc": 0.5, "who": "x"}}' >&3; {odd}"#);
    let run = start(&sandbox, &[], "b", &["sh", "-c", &odd]);
    run.wait().expect_code(0);
    assert_eq!(values(&run, "loss", None), [(5, 2.0), (6, 3.0)]);
    assert!(run.events().contains("not name=value"), "{}", run.events());
    // Nothing is declared: goals and headline metrics follow from names.
    let status = run.view().status;
    let shown: Vec<&str> = status.headline.iter().map(|value| value.key.metric.as_str()).collect();
    assert_eq!(shown, ["loss", "acc"]);
    let goals: Vec<Goal> = read_manifest(&run.dir).unwrap().metrics.iter().map(|m| m.goal).collect();
    assert!(goals.contains(&Goal::Min) && goals.contains(&Goal::Max), "{goals:?}");
}

#[test]
fn a_line_without_an_end_neither_stops_the_command_nor_hides_later_lines() {
    let sandbox = sandbox();
    let script = "echo '1 a=1' >&3; head -c 100000000 /dev/zero | tr '\\0' x >&3; echo >&3; echo '2 a=2' >&3";
    let run = start(&sandbox, &[], "a", &["sh", "-c", script]);
    run.wait().expect_code(0);
    assert_eq!(values(&run, "a", None), [(1, 1.0), (2, 2.0)]);
    assert_eq!(warnings(&run), ["not logged: a line is longer than 64 MiB"]);
}

/// Appends lines to a file.
fn add(path: &Path, lines: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

/// A command that ends once a file exists.
const UNTIL_GO: [&str; 3] = ["sh", "-c", "while ! [ -e \"$0\" ]; do sleep 0.05; done"];

#[test]
fn a_csv_that_a_command_writes_is_recorded_live_and_only_what_is_new() {
    let sandbox = sandbox();
    let (log, go) = (sandbox.path().join("log.csv"), sandbox.path().join("go"));
    add(&log, "step,train_loss\n0,9\n1,9\n");
    let options = ["--csv", log.to_str().unwrap(), "--jsonl", "nothing.jsonl"];
    let run = start(&sandbox, &options, "a", &[&UNTIL_GO[..], &[go.to_str().unwrap()]].concat());
    let loss = |steps: &[i64]| {
        let found = values(&run, "loss", Some("train"));
        (found.iter().map(|(step, _)| *step).collect::<Vec<_>>() == steps).then_some(())
    };
    add(&log, "2,1\n3,0.5\n");
    until("new rows to be recorded", || loss(&[2, 3]));
    // A logger with an additional column rewrites the whole file.
    fs::write(&log, "step,train_loss,val_acc\n0,9,\n1,9,\n2,1,\n3,0.5,\n4,0.25,0.9\n").unwrap();
    until("the new column to be recorded", || loss(&[2, 3, 4]));
    assert_eq!(values(&run, "acc", Some("val")), [(4, 0.9)]);
    // Another sink continues recording from here.
    let sink = run.status().trainer_pid;
    assert!(run.signal_trainer(Signal::KILL));
    until("another sink", || (run.status().trainer_pid != sink).then_some(()));
    until("a row for it", || {
        let step = 5 + fs::read_to_string(&log).unwrap().matches("\n5").count();
        add(&log, &format!("5{step},0.1,\n"));
        values(&run, "loss", Some("train")).last().is_some_and(|(step, _)| *step > 50).then_some(())
    });
    add(&log, "99,0.05,");
    add(&log, "0.95\n");
    fs::write(&go, "").unwrap();
    run.wait().expect_code(0);
    assert_eq!(values(&run, "loss", Some("train")).last(), Some(&(99, 0.05)));
    assert_eq!(values(&run, "acc", Some("val")), [(4, 0.9), (99, 0.95)]);
    let manifest = read_manifest(&run.dir).unwrap();
    let headlines: Vec<_> = manifest.metrics.iter().filter(|m| m.headline).map(|m| m.name.as_str()).collect();
    assert_eq!(headlines, ["loss", "acc"]);
    let said = warnings(&run);
    assert!(said.iter().any(|m| m.starts_with("not logged: no file was found at /")), "{said:?}");
    assert!(sandbox.gradtop(&["show", "a"]).out.contains("csv: /"));
}

#[test]
fn a_log_that_a_command_begins_anew_is_all_new() {
    let sandbox = sandbox();
    add(&sandbox.path().join("log.jsonl"), "{\"step\": 0, \"loss\": 7}\n{\"step\": 1, \"loss\": 8}\n");
    let script = r#"for step in 0 1 2; do echo "{\"step\": $step, \"loss\": $step}"; done > log.jsonl; printf '{"loss": 3}' >> log.jsonl"#;
    let run = start(&sandbox, &["--jsonl", "log.jsonl"], "a", &["sh", "-c", script]);
    run.wait().expect_code(0);
    assert_eq!(values(&run, "loss", None), [(0, 0.0), (1, 1.0), (2, 2.0), (2, 3.0)]);
}

#[test]
fn what_a_command_writes_for_tensorboard_is_recorded_without_what_was_there() {
    let sandbox = sandbox();
    let golden = paths::checkout().join("core/import/tests/golden/tensorboardx");
    let (old, new) = (sandbox.path().join("tb/old"), sandbox.path().join("tb/new"));
    let copy = |to: &Path| format!("mkdir -p {0} && cp -r {1}/. {0}", to.display(), golden.display());
    assert!(std::process::Command::new("sh").args(["-c", &copy(&old)]).status().unwrap().success());
    let both = format!("{} && {}", copy(&new), copy(&sandbox.path().join("tb/validation")));
    let run = start(&sandbox, &["--tensorboard", "tb"], "a", &["sh", "-c", &both]);
    run.wait().expect_code(0);
    let series = read_series(&run.dir, |key| !key.metric.starts_with("system/")).unwrap();
    let models: Vec<_> = series.iter().filter_map(|s| s.key.model.as_deref()).collect();
    // The old folder is ignored. The splits in the other folder are derived from the first.
    assert_eq!(models, ["validation", "validation"]);
    assert!(series.iter().any(|s| s.key.split.as_deref() == Some("val")), "{series:?}");
    assert_eq!(read_table(&run.dir, "texts").unwrap().rows(), 2);
    assert!(read_manifest(&run.dir).unwrap().params.iter().any(|(key, _)| key == "optimizer"));
}
