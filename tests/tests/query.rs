//! SQL over real runs, answered by DuckDB: running and damaged runs are included, and every output format is valid.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use gradtop_tests::sandbox::{CommandOutput, ended};
use gradtop_tests::{Sandbox, paths, until};
use serde_json::{Value, json};

/// `gradtop query`; `None` if DuckDB is not installed.
fn query(sandbox: &Sandbox, args: &[&str]) -> Option<CommandOutput> {
    let mut command = sandbox.command(&[&["query"], args].concat());
    command.env("GRADTOP_DUCKDB", paths::duckdb()?);
    Some(ended(command, args))
}

fn rows(sandbox: &Sandbox, sql: &str) -> Option<Value> {
    Some(query(sandbox, &[sql, "--json"])?.expect_code(0).json())
}

#[test]
fn rows_of_running_and_damaged_runs_are_in_it() {
    let sandbox = Sandbox::new();
    let count = "SELECT run, count(*) AS n, count(DISTINCT step) AS steps FROM metrics WHERE metric = 'loss' GROUP BY run ORDER BY run";
    let live = sandbox.held(&["counter", "--set", "steps=1000"], "live", 40);
    until("its rows in the journal", || {
        let series = gradtop_store::read_series(&live.dir, |key| key.metric == "loss").unwrap();
        (series.first().is_some_and(|s| s.step.len() >= 40)).then_some(())
    });
    let Some(said) = rows(&sandbox, count) else { return };
    let seen = gradtop_store::read_series(&live.dir, |key| key.metric == "loss").unwrap()[0].step.len();
    assert_eq!(said, json!([{"run": "live", "n": seen, "steps": seen}]));
    assert_eq!(rows(&sandbox, "SELECT state FROM runs").unwrap(), json!([{"state": "running"}]));

    sandbox.run(&["counter", "--name", "whole", "--set", "steps=50"]).expect_code(0);
    sandbox.run(&["counter", "--name", "hurt", "--set", "steps=50"]).expect_code(0);
    let hurt = sandbox.find("hurt");
    let parts = std::fs::read_dir(hurt.dir.metrics()).unwrap().map(|part| part.unwrap().path());
    for part in parts {
        std::fs::write(part, "no Parquet").unwrap();
    }
    let said = query(&sandbox, &[count, "--csv"]).unwrap();
    let text = said.expect_code(0);
    assert!(text.out.contains("whole,50,50") && text.out.contains("live,"), "{text:?}");
    assert!(text.err.contains("what can be read is shown"), "{text:?}");
    let whole = sandbox.find("whole").dir;
    let spectrum = whole.tables().join("spectrum");
    std::fs::create_dir(&spectrum).unwrap();
    std::fs::copy(whole.tables().join("run/part-00001.parquet"), spectrum.join("part-00001.parquet"))
        .unwrap();
    gradtop_store::write_status(&whole, &gradtop_store::read_status(&whole).unwrap()).unwrap();
    std::fs::remove_dir_all(spectrum).unwrap();
    let lacking = "spectrum is damaged: all of its rows are missing; what can be read is shown\n";
    for (sql, lacks) in [("SELECT 1 AS spectrum FROM runs", true), ("SELECT 1 FROM runs", false)] {
        let said = query(&sandbox, &[sql]).unwrap().expect_code(0);
        assert_eq!(said.err.contains(lacking), lacks, "{said:?}");
    }
    let of = ["SELECT DISTINCT run FROM metrics", "--runs-of", "name:whole", "--csv"];
    assert_eq!(query(&sandbox, &of).unwrap().expect_code(0).out, "run\nwhole\n");
}

#[test]
fn every_saved_query_and_every_form_works() {
    let sandbox = Sandbox::new();
    for (name, lr, code) in [("slow", "0.1", 0), ("fast", "0.5", 0), ("wild", "2", 1)] {
        sandbox.run(&["curves", "--name", name, "--set", &format!("lr={lr}")]).expect_code(code);
    }
    sandbox.gradtop(&["tag", "fast", "+best"]).expect_code(0);
    sandbox.gradtop(&["note", "fast", "it's \"it\""]).expect_code(0);
    let Some(said) = rows(&sandbox, "SELECT tags, note, starred FROM runs WHERE run = 'fast';") else {
        return;
    };
    assert_eq!(said, json!([{"tags": ["best"], "note": "it's \"it\"", "starred": false}]));
    let listed = sandbox.gradtop(&["query", "--list"]).expect_code(0).out;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names.len(), 10, "{listed}");
    for name in names {
        query(&sandbox, &[name]).unwrap().expect_code(0);
    }
    let best = query(&sandbox, &["@ranking", "--md"]).unwrap().expect_code(0);
    assert!(best.out.starts_with('|') && best.out.contains("fast"), "{best:?}");
    let loss = "SELECT step, value, run FROM metrics WHERE metric = 'loss'";
    let plot = query(&sandbox, &[loss, "--plot", "step,value,run"]).unwrap().expect_code(0);
    assert!(["slow", "fast", "wild", "step"].iter().all(|word| plot.out.contains(word)), "{plot:?}");
    query(&sandbox, &[loss, "--plot", "step,value,run", "--svg", "loss.svg"]).unwrap().expect_code(0);
    assert!(std::fs::read_to_string(sandbox.path().join("loss.svg")).unwrap().contains("</svg>"));
    query(&sandbox, &[loss, "--parquet", "loss.parquet"]).unwrap().expect_code(0);
    let again = rows(&sandbox, "-- all of them\nSELECT count(*) > 0 AS ok FROM 'loss.parquet'").unwrap();
    assert_eq!(again, json!([{"ok": true}]));
    for (args, why) in [
        (&["SELECT nothing FROM runs"][..], "nothing"),
        (&[loss, "--plot", "step,run"], "nothing to draw"),
        (&[loss, "--parquet", "loss.parquet"], "loss.parquet exists already"),
        (&[loss, "--parquet", "-"], "Parquet cannot go to standard output"),
        (&["@bets"], "best"),
        (&["  "], "empty"),
        (&["--jsn"], "there is no such option"),
        (&["SELECT 1", "--runs-of", "name:nobody"], "no run matches"),
    ] {
        let said = query(&sandbox, args).unwrap();
        assert!(said.code != 0 && said.err.contains(why), "{args:?}: {said:?}");
    }
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_answer_has_the_asked_form_and_one_table() {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--name", "few", "--set", "steps=5"]).expect_code(0);
    let Some(said) = query(&sandbox, &["DESCRIBE runs"]) else { return };
    let said = said.expect_code(0).out;
    assert!(said.contains("│ run ") && !said.contains("\\u{1b}"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() < 120), "{said}");
    // Of several statements only the last may have an answer where one is given.
    let twice = "CREATE TABLE t AS SELECT 1 AS a, 2 AS b; SELECT *, 'a;b' AS c FROM t; -- the end";
    assert_eq!(rows(&sandbox, twice).unwrap(), json!([{"a": 1, "b": 2, "c": "a;b"}]));
    query(&sandbox, &[twice, "--plot", "A,b,c"]).unwrap().expect_code(0);
    let broken = "SELECT 'x\ny|z' AS text, 2 AS n UNION ALL SELECT 'w', NULL";
    let said = query(&sandbox, &[broken, "--md"]).unwrap().expect_code(0).out;
    assert_eq!(said, "| text | n |\n| --- | ---: |\n| x y\\|z | 2 |\n| w |  |\n");
    let unknown = "the answer has no column \"x\" or \"y\"\nhelp: columns: a";
    for (args, why) in [
        (&["SELECT 1 AS a", "--plot", "x,y"][..], unknown),
        (&["SELECT 1; SELECT 2", "--json"], "several of these statements have an answer"),
        (&["SELECT 1; SELECT 2", "--plot", "a,b"], "several of these statements have an answer"),
    ] {
        let said = query(&sandbox, args).unwrap();
        assert!(said.code == 2 && said.err.contains(why), "{args:?}: {said:?}");
    }
    let file = sandbox.path().join("answer.parquet");
    let file = file.to_str().unwrap();
    query(&sandbox, &["SELECT 1 AS a", "--parquet", file]).unwrap().expect_code(0);
    let before = (std::fs::read(file).unwrap(), names(sandbox.path()));
    let fails = "SELECT CASE WHEN i > 400000 THEN error('no') ELSE i END AS a FROM range(500000) t(i)";
    let said = query(&sandbox, &[fails, "--parquet", file, "--force"]).unwrap();
    assert!(said.code == 1 && said.err.contains("the query failed"), "{said:?}");
    assert_eq!(before, (std::fs::read(file).unwrap(), names(sandbox.path())), "whole or as it was");
    let wrong = query(&sandbox, &["SELECT 1 AS a,\nnothing", "--plot", "a,a"]).unwrap();
    assert!(wrong.code == 1 && !wrong.err.contains("TRY_CAST"), "{wrong:?}");
}

#[test]
fn an_experiment_of_an_older_version_may_have_any_name() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join("lr=0.1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("metrics.csv"), "step,loss\n0,1\n").unwrap();
    let import = ["import", &folder.to_string_lossy(), "--name", "r"];
    sandbox.gradtop(&import).expect_code(0);
    let run = sandbox.find("r").dir;
    assert_eq!(run.experiment(), "lr-0.1");
    sandbox.gradtop(&[&import[..], &["--experiment", "x?y"]].concat()).expect_code(2);
    // As they were named once.
    let manifest = std::fs::read_to_string(run.manifest()).unwrap();
    for (number, name) in ["lr=0.1", "x?y", "**", "100%25x", "a[b]"].iter().enumerate() {
        let old = sandbox.runs().join(format!("exp={name}/run=r{number}"));
        std::fs::create_dir_all(old.join("metrics")).unwrap();
        let manifest =
            manifest.replace("\"lr-0.1\"", &format!("{name:?}")).replace("\"r\"", &format!("\"r{number}\""));
        std::fs::write(old.join("run.toml"), manifest).unwrap();
        for part in std::fs::read_dir(run.metrics()).unwrap() {
            let part = part.unwrap();
            std::fs::copy(part.path(), old.join("metrics").join(part.file_name())).unwrap();
        }
    }
    let sql = "SELECT exp, count(*) AS n FROM metrics JOIN runs USING (exp, run) GROUP BY exp ORDER BY exp";
    let Some(said) = rows(&sandbox, sql) else { return };
    let names = ["**", "100%25x", "a[b]", "lr-0.1", "lr=0.1", "x?y"];
    assert_eq!(said, Value::from_iter(names.map(|exp| json!({"exp": exp, "n": 1}))));
}

#[test]
fn saved_queries_compare_values_of_one_split_count_all_runs_and_know_what_has_no_time() {
    let sandbox = Sandbox::new();
    for (name, text) in [("val", "step,val_loss\n0,1\n9,0.5\n"), ("train", "step,train_loss\n0,1\n9,0.1\n")] {
        let folder = sandbox.path().join("logs").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("metrics.csv"), text).unwrap();
        let folder = folder.to_string_lossy().into_owned();
        sandbox.gradtop(&["import", &folder, "--experiment", "csv"]).expect_code(0);
    }
    let trials = sandbox.path().join("trials.csv");
    std::fs::write(&trials, "step,metric,trial,value\n0,loss,0,1\n0,loss,1,2\n").unwrap();
    sandbox.gradtop(&["import", &trials.to_string_lossy(), "--experiment", "trials"]).expect_code(0);
    for (name, lr, loss) in [("low", "1", "0.5"), ("high", "100", "nan"), ("higher", "100", "inf")] {
        let (param, script) = (format!("lr={lr}"), format!("echo '1 loss={loss}' >&3"));
        let exec =
            ["exec", "--experiment", "sh", "--name", name, "--param", &param, "--", "sh", "-c", &script];
        sandbox.gradtop(&exec).expect_code(0);
    }
    let saved = |name: &str, experiment: &str| {
        let said = query(&sandbox, &[name, "--json", "--runs-of", experiment])?;
        let rows = said.expect_code(0).json();
        rows.as_array().cloned()
    };
    let Some(best) = saved("@best", "experiment:csv") else { return };
    assert_eq!((best.len(), &best[0]["run"], &best[0]["split"]), (1, &json!("val"), &json!("val")));
    let places = saved("@ranking", "experiment:csv").unwrap();
    let places: Vec<_> = places.iter().map(|row| row["run"].as_str().unwrap()).collect();
    assert_eq!(places, ["val", "train"]);
    for row in saved("@speed", "experiment:csv").unwrap() {
        assert_eq!((&row["seconds"], &row["steps_per_s"]), (&Value::Null, &Value::Null), "{row}");
    }
    let series = saved("@series", "experiment:trials").unwrap();
    let of_trial: Vec<_> = series.iter().map(|row| (&row["trial"], &row["rows"], &row["last"])).collect();
    assert_eq!(of_trial, [(&json!(0), &json!(1), &json!(1.0)), (&json!(1), &json!(1), &json!(2.0))]);
    for row in saved("@curve", "experiment:trials").unwrap() {
        assert_eq!(row["value"], 1.5, "a mean of trials alone: {row}");
    }
    let settings = saved("@settings", "experiment:sh").unwrap();
    let of = |setting: &str| settings.iter().find(|row| row["setting"] == setting).unwrap();
    let counts = |row: &Value| [&row["runs"], &row["non_finite"]].map(|n| n.to_string().replace('"', ""));
    assert_eq!(
        (counts(of("1")), counts(of("100"))),
        (["1", "0"].map(Into::into), ["0", "2"].map(Into::into))
    );
}

/// 1 and 100 are one group of runs of a logarithmic metric: their mean is 10. Zero has no logarithm.
#[test]
fn saved_queries_have_the_mean_that_lists_and_charts_have() {
    let sandbox = Sandbox::new();
    for (name, lr, loss) in [("a", "1", "1"), ("b", "1", "100"), ("c", "2", "0"), ("d", "2", "8")] {
        let (param, script) = (
            format!("lr={lr}"),
            format!(
                r#"echo '{{"do":"metric","name":"loss","goal":"min","headline":true,"log":true}}' >&3; echo '1 loss={loss}' >&3"#
            ),
        );
        let exec =
            ["exec", "--experiment", "sh", "--name", name, "--param", &param, "--", "sh", "-c", &script];
        sandbox.gradtop(&exec).expect_code(0);
    }
    let Some(said) = query(&sandbox, &["@settings", "--json"]) else { return };
    let settings = said.expect_code(0).json();
    let of = |setting: &str| {
        let row = settings.as_array().unwrap().iter().find(|row| row["setting"] == setting).unwrap();
        (row["mean"].as_f64().unwrap(), row["geometric"].clone())
    };
    let (mean, geometric) = of("1");
    assert!((mean - 10.0).abs() < 1e-9 && geometric == json!(true), "{settings}");
    assert_eq!(of("2"), (4.0, json!(false)));
}

#[test]
fn a_curve_is_of_one_series_and_goes_from_its_first_to_its_last_step() {
    let sandbox = Sandbox::new();
    let write = |name: &str, rows: String| {
        let file = sandbox.path().join(name).with_extension("csv");
        std::fs::write(&file, format!("step,metric,model,split,value\n{rows}")).unwrap();
        sandbox.gradtop(&["import", &file.to_string_lossy(), "-e", "e", "--name", name]).expect_code(0);
    };
    let start = 9_007_199_254_740_993_i64;
    let late = |i: i64| format!("{0},loss,,train,{i}\n{0},loss,,val,1{i}\n", start + 3 * i);
    write("late", (0..20).map(late).collect());
    // The deep model has the lower loss, and the accuracy is another metric.
    let two = |i: i64| format!("{i},loss,deep,val,{i}\n{i},loss,wide,val,7000\n{i},accuracy,deep,val,1\n");
    write("two", (0..=1000).map(two).collect());
    let holes = |i: i64| match i {
        3 => format!("{i},loss,,val,nan\n"),
        20..40 => format!("{i},loss,,val,inf\n"),
        i => format!("{i},loss,,val,{i}\n"),
    };
    write("holes", (0..=1000).map(holes).collect());
    let Some(curve) = rows(&sandbox, "@curve") else { return };
    let of = |run: &str| -> Vec<Value> {
        curve.as_array().unwrap().iter().filter(|row| row["run"] == run).cloned().collect()
    };
    let expected: Vec<Value> = (0..20)
        .map(|i| {
            let value: f64 = format!("1{i}").parse().unwrap();
            json!({"run": "e/late", "metric": "loss", "split": "val", "model": null, "step": start + 3 * i, "value": value})
        })
        .collect();
    assert_eq!(of("e/late"), expected);
    let two = of("e/two");
    assert!(two.len() == 50 && two.iter().all(|row| row["model"] == "deep"), "{two:?}");
    assert_eq!((&two[0]["step"], &two[0]["value"]), (&json!(19), &json!(9.5)));
    assert_eq!((&two[49]["step"], &two[49]["value"]), (&json!(1000), &json!(990.0)));
    let holes: Vec<Value> = of("e/holes").iter().map(|row| row["value"].clone()).collect();
    assert_eq!(
        holes[..3],
        [json!(187.0 / 19.0), json!("inf"), json!(49.5)],
        "the mean of finite values, if any"
    );
}

#[test]
fn settings_are_compared_within_a_model() {
    let sandbox = Sandbox::new();
    for (name, lr, model, loss) in
        [("a", "lr=1", "deep", 1), ("b", "lr=1", "wide", 3), ("c", "lr=2", "wide", 4)]
    {
        let script = format!("printf 'step,metric,model,value\\n1,loss,{model},{loss}\\n' > {name}.csv");
        let log = format!("{name}.csv");
        let exec = ["exec", "--experiment", "sh", "--name", name, "--param", lr, "--csv", &log];
        sandbox.gradtop(&[&exec[..], &["--", "sh", "-c", &script]].concat()).expect_code(0);
    }
    let Some(said) = query(&sandbox, &["@settings", "--csv"]) else { return };
    let said = said.expect_code(0).out;
    let means: Vec<&str> = said.lines().skip(1).collect();
    let [deep, wide, other] =
        ["lr,1,loss,,deep,1,0,1.0", "lr,1,loss,,wide,1,0,3.0", "lr,2,loss,,wide,1,0,4.0"];
    assert!(means.len() == 3, "{said}");
    assert!([deep, wide, other].iter().zip(&means).all(|(of, row)| row.contains(of)), "{said}");
}

/// The second says only what it measures, as an import; the third is in another unit.
#[test]
fn saved_queries_never_mix_units_and_no_run_decides_the_order_alone() {
    let sandbox = Sandbox::new();
    let of_split = r#","headline_of":"test""#;
    for (name, loss, more) in [
        ("a", 3, format!(r#","unit":"s"{of_split}"#)),
        ("b", 1, r#","unit":"s""#.to_owned()),
        ("c", 2, format!(r#","unit":"ms"{of_split}"#)),
        ("d", 2, format!(r#","unit":"s"{of_split}"#)),
    ] {
        let declared = format!(r#"{{"do":"metric","name":"loss","goal":"min","headline":true{more}}}"#);
        let row = format!(r#"{{"do":"log","step":1,"values":{{"loss/test":{loss}}}}}"#);
        let lr = if name == "d" { "lr=2" } else { "lr=1" };
        let script = format!("echo '{declared}' >&3; echo '{row}' >&3");
        let exec = ["exec", "--experiment", "sh", "--name", name, "--param", lr, "--", "sh", "-c", &script];
        sandbox.gradtop(&exec).expect_code(0);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let said = |sql: &str, columns: [&str; 3]| -> Option<Vec<String>> {
        let rows = query(&sandbox, &[sql, "--json"])?.expect_code(0).json();
        let row = |row: &Value| columns.map(|column| text(&row[column])).join(" ");
        Some(rows.as_array().unwrap().iter().map(row).collect())
    };
    let Some(ranking) = said("@ranking", ["run", "place", "unit"]) else { return };
    assert_eq!(ranking, ["c 1 ms", "b 1 s", "d 2 s", "a 3 s"]);
    assert_eq!(said("@best", ["run", "unit", "value"]).unwrap(), ["c ms 2.0", "b s 1.0"]);
    let mut settings = said("@settings", ["setting", "unit", "mean"]).unwrap();
    settings.sort();
    assert_eq!(settings, ["1 ms 2.0", "1 s 2.0", "2 s 2.0"]);
    let best = sandbox.gradtop(&["best", "loss", "--by", "lr"]).expect_code(0).out;
    let at = |words: &str| best.find(words).unwrap_or_else(|| panic!("{words}: {best}"));
    assert!(at("2 ms") < at("1 s"), "{best}");
}
