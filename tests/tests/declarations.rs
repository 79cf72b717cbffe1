//! Runs that declare one metric differently, side by side: each command names and computes the same means.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{Goal, replace_manifest};
use gradtop_tests::Sandbox;
use serde_json::{Value, json};

/// Imports a run with a loss of these trials, and declares it.
fn import(sandbox: &Sandbox, name: &str, trials: [f64; 3], log: bool, goal: Goal, unit: Option<&str>) {
    let rows = |step: i32| {
        let row =
            |(trial, value): (usize, &f64)| format!("{step},loss,{trial},{}\n", value * f64::from(3 - step));
        trials.iter().enumerate().map(row).collect::<String>()
    };
    let file = sandbox.path().join(name).with_extension("csv");
    std::fs::write(&file, format!("step,metric,trial,value\n{}", (0..3).map(rows).collect::<String>()))
        .unwrap();
    sandbox.gradtop(&["import", file.to_str().unwrap(), "-e", name, "--name", name]).expect_code(0);
    let mut manifest = sandbox.find(name).view().manifest;
    let own = &mut manifest.metrics[0];
    (own.log, own.goal, own.unit) = (log, goal, unit.map(str::to_owned));
    replace_manifest(&sandbox.find(name).dir, &manifest).unwrap();
}

/// The row of a run in the JSON of `compare`, and the column of last values.
fn compared(sandbox: &Sandbox, runs: &[&str]) -> Vec<(String, Value, Value)> {
    let args = [&["compare"], runs, &["--metric", "loss", "--json"]].concat();
    let said = sandbox.gradtop(&args).expect_code(0).json();
    let row = |row: &Value| {
        (row["name"].as_str().unwrap().to_owned(), row["values"][0].clone(), row["averages"][0].clone())
    };
    said["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn each_run_has_its_own_mean_in_every_command_whatever_is_beside_it() {
    let sandbox = Sandbox::new();
    let (factors, plain) = ([1e-4, 1e-4, 1e-1], [0.1, 0.2, 0.9]);
    import(&sandbox, "geo", factors, true, Goal::Min, Some("s"));
    import(&sandbox, "lin", plain, false, Goal::Max, Some("ms"));
    let wanted = [("geo", 1e-3, "geometric mean"), ("lin", 0.4, "mean")];
    let near = |value: &Value, wanted: f64| (value.as_f64().unwrap() / wanted - 1.0).abs() < 1e-9;
    for order in [["geo", "lin"], ["lin", "geo"]] {
        let rows = compared(&sandbox, &order);
        for (name, value, mean) in wanted {
            let (_, own, average) = rows.iter().find(|(run, ..)| run == name).unwrap();
            assert!(near(own, value) && average == mean, "{rows:?}");
            assert_eq!(compared(&sandbox, &[name])[0].1, *own, "alone, too");
        }
    }
    let list = sandbox.gradtop(&["list", "--json"]).expect_code(0).json();
    let best = sandbox.gradtop(&["best", "loss", "--json"]).expect_code(0).json();
    for (name, value, mean) in wanted {
        let run = list.as_array().unwrap().iter().find(|run| run["run"] == name).unwrap();
        let statistic = run["headlines"][0]["statistic"].as_str().unwrap();
        assert!(
            near(&run["headlines"][0]["value"], value) && statistic.starts_with(&format!("{mean} of")),
            "{run}"
        );
        let group = best["groups"].as_array().unwrap().iter().find(|group| group["run"] == name).unwrap();
        assert!(near(&group["best"], value) && group["average"] == mean, "{group}");
    }
    // What is drawn, and at its end the same values.
    let csv = sandbox.gradtop(&["plot", "geo", "lin", "loss", "--csv", "-"]).expect_code(0).out;
    for (name, value, _) in wanted {
        let end = csv.lines().filter(|line| line.contains(name) && line.contains(",2,")).find_map(|line| {
            line.split(',')
                .filter_map(|cell| cell.parse::<f64>().ok())
                .find(|v| (v / value - 1.0).abs() < 1e-9)
        });
        assert!(end.is_some(), "{value} of {name}: {csv}");
    }
    let text = sandbox.gradtop(&["compare", "geo", "lin", "--metric", "loss"]).expect_code(0).out;
    for words in ["units differ: ms, s", "goals differ: min, max"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains('◂'), "neither is the best: {text}");
    let row = |name: &str| text.lines().rev().find(|line| line.contains(name)).unwrap();
    assert!(row("geo").contains(" s") && row("lin").contains("ms mean"), "{text}");
    let file = sandbox.path().join("page.md");
    sandbox.gradtop(&["report", "geo", "lin", "-o", file.to_str().unwrap()]).expect_code(0);
    let page = std::fs::read_to_string(file).unwrap();
    assert!(page.contains("geometric mean of 3") && page.contains("mean of 3"), "{page}");
}

/// Runs of one experiment that contradict each other have no best one until it is said which values are better.
#[test]
fn where_runs_declare_both_goals_none_decides_for_the_others() {
    let sandbox = Sandbox::new();
    for (name, goal, value) in [("down", "min", "1"), ("up", "max", "2")] {
        let declared = format!("loss:{goal}");
        let script = format!("echo '1 loss={value}' >&3");
        let exec =
            ["exec", "--experiment", "sh", "--name", name, "--metric", &declared, "--", "sh", "-c", &script];
        sandbox.gradtop(&exec).expect_code(0);
    }
    let said = sandbox.gradtop(&["best", "loss"]).expect_code(0).all();
    assert!(said.contains("goals differ: min, max") && said.contains("lowest first"), "{said}");
    let best = |metric: &str| {
        let said = sandbox.gradtop(&["best", metric, "--json"]).expect_code(0).json();
        (said["goal"].clone(), said["groups"][0]["run"].clone())
    };
    assert_eq!(best("loss"), (json!("none"), json!("down")));
    assert_eq!(best("loss:max"), (json!("max"), json!("up")));
}
