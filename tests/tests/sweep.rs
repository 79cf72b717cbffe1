//! Sweeps: of commands, at random, stopped early, and their results.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::State;
use gradtop_tests::{Sandbox, paths};

/// Logs its argument as loss at eight steps. If the argument is 9, it then continues until it is stopped.
const TRAINING: &str =
    "for i in 1 2 3 4 5 6 7 8; do echo \"$i loss=$1\" >&3; done; [ $1 = 9 ] && exec sleep 1000; exit 0";

#[test]
fn a_run_that_is_worse_than_the_median_of_others_is_stopped_early() {
    let sandbox = Sandbox::new();
    let sweep = |values: &str| {
        let vary = format!("lr={values}");
        let options = ["sweep", "training", "--name", "rates", "--vary", &vary];
        let early = ["--stop-early", "loss", "--stop-after", "5", "--", "sh", "-c", TRAINING, "sh", "{lr}"];
        sandbox.gradtop(&[&options[..], &early].concat()).expect_code(0)
    };
    assert!(sweep("1,2,3").err.contains("3 queued"));
    for name in ["training-1", "training-2", "training-3"] {
        sandbox.gradtop(&["wait", name]).expect_code(0);
    }
    let grown = sweep("1,2,3,9");
    assert!(grown.err.contains("1 queued, 3 are there already"), "{grown:?}");
    let stopped = sandbox.find("training-4").until_state(State::Stopped);
    assert_eq!(
        stopped.status.cause.as_deref(),
        Some(
            "stopped early by the median rule: its best loss until step 8 is 9, the median of the averages of 3 others is 2"
        )
    );
    assert_eq!(stopped.alert, None, "no alert was set");
    let best = sandbox.gradtop(&["best", "loss", "tag:rates", "--json"]).expect_code(0).json();
    let settings: Vec<_> = best["groups"].as_array().unwrap().iter().map(|g| &g["setting"]["lr"]).collect();
    assert_eq!(settings, [1, 2, 3, 9]);
    assert_eq!(best["groups"][0]["run"], "training-1");
    let table = sandbox.gradtop(&["best", "loss", "--by", "lr"]).expect_code(0).out;
    assert!(table.contains("last loss, lowest first"), "{table}");
    assert!(sandbox.gradtop(&["best", "los"]).expect_code(2).err.contains("loss"));
    // Runs of another experiment affect neither the differing parameters nor the split.
    let script = "echo '1 loss/test=5' >&3";
    let exec =
        ["exec", "--param", "width=8", "--metric", "loss:min", "--", "sh", "-c", script, "sh", "{width}"];
    sandbox.gradtop(&exec).expect_code(0);
    let all = sandbox.gradtop(&["best", "loss", "--json"]).expect_code(0).json();
    let keys: Vec<_> = all["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|g| g["setting"].as_object().unwrap().keys())
        .collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| *key == "lr"), "{all}");
    let runs = |experiment: &str| {
        let of = |group: &&serde_json::Value| group["experiment"] == experiment;
        all["groups"].as_array().unwrap().iter().filter(of).count()
    };
    assert_eq!((runs("training"), runs("sh"), all["without"].as_u64()), (4, 1, Some(0)), "{all}");
    let tables = sandbox.gradtop(&["best", "loss"]).expect_code(0).out;
    assert!(tables.contains("sh: last test loss") && tables.contains("training: last loss"), "{tables}");
    let none = sandbox.gradtop(&["best", "loss", "tag:none"]).expect_code(1);
    assert!(none.err.contains("no run matches the filter `tag:none`"), "{none:?}");
}

#[test]
fn settings_drawn_at_random_are_kept_when_more_are_drawn() {
    let sandbox = Sandbox::new();
    let drawn = |count: &str| {
        let args = ["sweep", "--name", "x", "--dry-run", "--random", count, "--vary", "lr=1e-4..1e-1:log"];
        sandbox.gradtop(&[&args[..], &["--", "true", "{lr}"]].concat()).expect_code(0).out
    };
    let (few, more) = (drawn("3"), drawn("6"));
    assert_eq!((few.lines().count(), more.lines().count()), (3, 6));
    assert!(more.starts_with(&few), "{few}\n{more}");
}

#[test]
fn settings_are_judged_in_one_process_before_any_is_queued() {
    let judged = tempfile::NamedTempFile::new().unwrap();
    let sandbox = Sandbox::with(&[paths::fixture("mistaken")])
        .and_env("GRADTOP_JUDGED", &judged.path().to_string_lossy());
    let sweep = |steps: &str, mistakes: &str| {
        let before = judged.as_file().metadata().unwrap().len() as usize;
        let args = ["sweep", "mistaken", "--name", "x", "--vary", steps, "--vary", mistakes];
        let refused = sandbox.gradtop(&args).expect_code(2).err;
        let log = std::fs::read_to_string(judged.path()).unwrap();
        let mut processes: Vec<&str> = log[before..].lines().collect();
        let sets = processes.len();
        processes.dedup();
        (refused, sets, processes.len())
    };
    let (refused, sets, processes) = sweep("steps=1..100:+1", "mistake=nothing,params");
    assert!(refused.contains("steps=1 mistake=params: rate does not fit steps"), "{refused}");
    assert_eq!((sets, processes), (199, 1), "all but the defaults, in one process");
    // The setting at which the process dies is the first of the next process, and costs no other its answer.
    let (refused, sets, processes) = sweep("steps=1", "mistake=nothing,judging,params");
    assert!(refused.contains("mistake=params: rate does not fit steps"), "{refused}");
    assert_eq!((sets, processes), (4, 3));
    let runs = sandbox.gradtop(&["list", "--json"]).expect_code(0).json();
    assert!(runs.as_array().unwrap().is_empty(), "{runs}");
}

#[test]
fn what_cannot_be_swept_is_said() {
    let sandbox = Sandbox::new();
    let wrong = |args: &[&str]| {
        sandbox.gradtop(&[&["sweep", "--name", "x"], args].concat()).expect_code(2).err.replace('\n', " ")
    };
    let unused = wrong(&["--vary", "lr=1,2", "--", "python3", "train.py"]);
    assert!(unused.contains("{lr} is not in the command"), "{unused}");
    let goal = wrong(&["--stop-early", "speed", "--", "true"]);
    assert!(goal.contains("write speed:min or speed:max"), "{goal}");
    assert!(wrong(&["counter", "--stop-early", "los"]).contains("counter has no metric \"los\""));
    for of in [&["counter", "--stop-early", "loss:mix"][..], &["--stop-early", "loss:mix", "--", "true"]] {
        assert!(wrong(of).contains("\"mix\" is no goal: it is min or max"));
    }
    assert!(wrong(&["--vary", "lr=1..2", "--", "true", "{lr}"]).contains("a range needs a step"));
    assert!(wrong(&[]).contains("no experiment given"));
    assert!(wrong(&["--vary", "lr=1", "--vary", "lr=2", "--", "true", "{lr}"]).contains("lr is set twice"));
    for seed in [["--vary", "seed=1,2"], ["--set", "seed=5"]] {
        let said = wrong(&[&seed[..], &["--", "true", "{seed}"]].concat());
        assert!(said.contains("the seed of a command is not a parameter"), "{said}");
    }
    let exec = |args: &[&str]| sandbox.gradtop(&[&["exec"], args].concat()).expect_code(2).err;
    assert!(exec(&["--param", "lr=1", "--param", "lr=2", "--", "true"]).contains("lr is set twice"));
    assert!(exec(&["--param", "seed=5", "--seed", "9", "--", "true"]).contains("the seed is given twice"));
    // Braces may be meant for the command.
    let typed =
        ["sweep", "--name", "x", "--dry-run", "--vary", "lr=1", "--", "echo", "{lr}", "{lrr}", "{seed}"];
    let said = sandbox.gradtop(&typed).expect_code(0).err;
    assert!(said.contains("{lrr} in the command has no value") && !said.contains("{seed}"), "{said}");
}
