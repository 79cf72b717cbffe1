//! A file with a flipped bit is reported by every command that shows the run, and affects no other run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gradtop_store::{HeadlineValue, RunDir, SeriesKey, Status, read_status, series_keys, write_status};
use gradtop_tests::synthetic;

fn gradtop(runs: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradtop")).arg("--runs").arg(runs).args(args).output().unwrap()
}

/// Damages a run.
type Harm = fn(&RunDir);

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
fn what_a_reader_finds_damaged_or_missing_is_known_to_lists() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let [cut, gone, bare] =
        ["cut", "gone", "bare"].map(|name| synthetic::finished(runs, name, 2_000).unwrap());
    synthetic::finished(runs, "good", 2_000).unwrap();
    let part = cut.metrics().join("part-00001.parquet");
    let bytes = fs::read(&part).unwrap();
    fs::write(&part, &bytes[..bytes.len() - 100]).unwrap();
    fs::remove_file(gone.metrics().join("part-00001.parquet")).unwrap();
    fs::remove_file(bare.manifest()).unwrap();
    let json =
        |args: &[&str]| -> serde_json::Value { serde_json::from_slice(&gradtop(runs, args).stdout).unwrap() };

    // All rows of a run are missed without reading any, and a run without its manifest is named.
    let listed = text(&gradtop(runs, &["list"]).stderr);
    assert!(listed.contains("gone has 1 damaged file"), "{listed}");
    assert!(listed.contains("run=bare cannot be read"), "{listed}");
    assert!(!listed.contains("good"), "{listed}");
    // No row is read of what the status tells.
    let mut status = read_status(&gone).unwrap();
    status.headline.push(HeadlineValue { key: SeriesKey::metric("metric-00"), value: 0.5 });
    write_status(&gone, &status).unwrap();
    let best = text(&gradtop(runs, &["best", "metric-00"]).stderr);
    assert!(best.contains("gone has 1 damaged file") && !best.contains("good"), "{best}");
    let shown = json(&["show", "cut", "--json"]);
    assert_eq!(shown["damage"][0]["file"], "metrics/part-00001.parquet", "{shown}");
    // One that cannot be checked does not keep the others from it.
    let checked = gradtop(runs, &["doctor", "bare", "gone", "good"]);
    let (said, failed) = (text(&checked.stdout), text(&checked.stderr));
    assert_ne!(checked.status.code(), Some(0));
    assert!(failed.contains("the run has no manifest"), "{failed}");
    assert!(said.contains("gone/metrics: 2000 of 2000 rows that were logged are missing"), "{said}");
    assert!(said.contains("good/metrics/part-00001.parquet"), "{said}");
    assert_eq!(json(&["show", "gone", "--json"])["damage"].as_array().unwrap().len(), 1);
    let list = json(&["list", "--json"]);
    let damaged = |run: &serde_json::Value| {
        (run["run"].as_str().unwrap().to_owned(), run["damaged_files"].as_u64().unwrap())
    };
    let mut damaged: Vec<_> = list.as_array().unwrap().iter().map(damaged).collect();
    damaged.sort();
    assert_eq!(damaged, [("cut".to_owned(), 1), ("gone".to_owned(), 1), ("good".to_owned(), 0)]);
}

#[test]
fn all_that_read_rows_say_that_some_are_missing() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let gone = synthetic::finished(runs, "gone", 2_000).unwrap();
    let whole = synthetic::finished(runs, "whole", 2_000).unwrap();
    assert!(gradtop_store::metric_files(&gone).unwrap().is_some());
    fs::remove_file(gone.metrics().join("part-00001.parquet")).unwrap();
    assert!(gradtop_store::metric_files(&gone).unwrap().is_none(), "DuckDB is not given what lacks rows");
    let spectrum = whole.tables().join("spectrum/part-00001.parquet");
    fs::create_dir(whole.tables().join("spectrum")).unwrap();
    fs::copy(whole.tables().join("run/part-00001.parquet"), &spectrum).unwrap();
    write_status(&whole, &read_status(&whole).unwrap()).unwrap();
    fs::remove_file(spectrum).unwrap();
    let report = temp.path().join("report.html");
    for (args, code) in [
        (&["export", "gone", "--csv", "-"][..], 1),
        (&["plot", "gone", "metric-00", "--csv", "-"], 1),
        (&["plot", "gone", "whole", "metric-00", "--csv", "-"], 0),
        (&["compare", "gone", "whole"], 0),
        (&["why", "gone"], 0),
        (&["show", "gone"], 0),
        (&["report", "gone", "-o", report.to_str().unwrap()], 0),
    ] {
        let said = gradtop(runs, args);
        let warned = text(&said.stderr);
        assert!(
            warned.contains("metrics is damaged: 2000 of 2000 rows that were logged are missing"),
            "{args:?}: {warned}"
        );
        assert_eq!(said.status.code(), Some(code), "{args:?}: {warned}");
        let nothing = text(&said.stdout).contains("nothing found in the rows that can be read");
        assert_eq!(nothing, args[0] == "why", "{args:?}");
    }
    assert!(fs::read_to_string(report).unwrap().contains("2000 of 2000 rows that were logged are missing"));
    let checked = gradtop(runs, &["doctor", "whole"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).contains("tables/spectrum: all of its rows are missing"));
    let report = temp.path().join("report.md");
    assert!(gradtop(runs, &["report", "whole", "-o", report.to_str().unwrap()]).status.success());
    let said = fs::read_to_string(report).unwrap();
    assert!(said.contains("tables/spectrum is damaged: all of its rows are missing"), "{said}");
}

#[test]
fn doctor_names_files_that_cannot_be_understood() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let torn = synthetic::finished(runs, "torn", 100).unwrap();
    let record = torn.checkpoints().join("step-5/checkpoint.toml");
    fs::create_dir_all(record.parent().unwrap()).unwrap();
    let files = [
        torn.manifest(),
        torn.status(),
        torn.figures(),
        torn.notes(),
        torn.events(),
        torn.damage(),
        torn.job(),
        torn.job_seen(),
        torn.turn(),
        record,
    ];
    for file in files {
        let before = fs::read(&file).ok();
        for garbage in [&b"garbage["[..], b"\xff\xfe"] {
            fs::write(&file, garbage).unwrap();
            let checked = gradtop(runs, &["doctor", "torn"]);
            let (said, name) = (text(&checked.stdout), file.file_name().unwrap().to_string_lossy());
            assert!(said.lines().any(|line| line.contains("damaged") && line.contains(&*name)), "{said}");
            assert!(said.contains("metrics/part-00001.parquet"), "the others are checked, too: {said}");
            assert_eq!(checked.status.code(), Some(1), "{said}");
        }
        match before {
            Some(before) => fs::write(&file, before).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    }
    assert!(gradtop(runs, &["doctor", "torn"]).status.success());
}

#[test]
fn doctor_names_what_an_ended_run_lacks_and_no_series_is_lost() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let torn = synthetic::finished(runs, "torn", 100).unwrap();
    let all = series_keys(&torn).unwrap().len();
    for (file, left, word) in [
        (torn.events(), None, "events.jsonl: it is missing"),
        (torn.events(), Some(0), "events.jsonl: it does not say how the run ended"),
        (torn.status(), None, "status.json: it is missing"),
        (torn.series(), Some(0), "series.jsonl: 20 of 20 series are missing"),
        (torn.series(), Some(500), "series are missing in it; sealed rows are intact"),
    ] {
        let before = fs::read(&file).unwrap();
        match left {
            None => fs::remove_file(&file).unwrap(),
            Some(bytes) => fs::write(&file, &before[..bytes]).unwrap(),
        }
        let checked = gradtop(runs, &["doctor", "torn"]);
        let said = text(&checked.stdout);
        assert!(checked.status.code() == Some(1) && said.contains(word), "{word}: {said}");
        assert_eq!(series_keys(&torn).unwrap().len(), all, "{word}");
        fs::write(&file, before).unwrap();
    }
    assert!(gradtop(runs, &["doctor", "torn"]).status.success());
}

#[test]
fn what_can_be_read_is_shown_by_every_command_and_the_rest_is_a_warning() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let hurt = synthetic::finished(runs, "hurt", 2_000).unwrap();
    let gone = synthetic::finished(runs, "gone", 2_000).unwrap();
    synthetic::finished(runs, "whole", 2_000).unwrap();
    let metric = "metric-00";
    let lines = |name: &str| {
        let report = temp.path().join(name).with_extension("md");
        let said = gradtop(runs, &["report", name, "-o", report.to_str().unwrap()]);
        assert!(said.status.success(), "{said:?}");
        (fs::read_to_string(report).unwrap(), text(&said.stderr))
    };
    let (as_whole, warned) = lines("hurt");
    assert!(as_whole.contains("Metrics in numbers") && warned.is_empty(), "{warned}");
    assert!(as_whole.contains("metrics/*.parquet") && !as_whole.contains("conclusion"), "{as_whole}");
    fs::write(hurt.figures(), "garbage[").unwrap();
    fs::remove_file(gone.metrics().join("part-00001.parquet")).unwrap();
    for (args, of, code) in [
        (&["plot", "hurt", metric][..], "figures.toml", 0),
        (&["plot", "hurt"], "figures.toml", 0),
        (&["plot", "hurt", "--list"], "figures.toml", 0),
        (&["plot", "hurt", "whole", metric], "figures.toml", 0),
        (&["compare", "hurt", "whole"], "figures.toml", 0),
        (&["plot", "gone", "hurt", metric], "2000 of 2000 rows", 0),
        (&["compare", "gone", "hurt"], "2000 of 2000 rows", 0),
        (&["compare", "gone"], "2000 of 2000 rows", 1),
        (&["plot", "gone", metric], "2000 of 2000 rows", 1),
    ] {
        let said = gradtop(runs, args);
        let warned = text(&said.stderr);
        assert_eq!(said.status.code(), Some(code), "{args:?}: {warned}");
        assert!(warned.contains(of) && said.stdout.is_empty() == (code != 0), "{args:?}: {warned}");
    }
    // All of a report is there but what the damaged file says.
    let (report, warned) = lines("hurt");
    assert!(report.contains("figures.toml is damaged") && !report.contains("Missing."), "{report}");
    for part in ["Metrics in numbers", "Events and alerts"] {
        assert_eq!(report.contains(part), as_whole.contains(part), "{part}: {report}");
    }
    assert!(warned.contains("figures.toml") && warned.contains("what can be read is shown"), "{warned}");
}

#[test]
fn a_part_of_a_table_that_is_missing_is_named_unless_a_resume_may_have_set_it_aside() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let torn = synthetic::finished(runs, "torn", 100).unwrap();
    let (row, spectrum) = (torn.tables().join("run/part-00001.parquet"), torn.tables().join("spectrum"));
    fs::create_dir(&spectrum).unwrap();
    for n in 1..=3 {
        fs::copy(&row, spectrum.join(format!("part-0000{n}.parquet"))).unwrap();
    }
    // As of an older version, which did not count them.
    let old = serde_json::to_vec(&Status { holds: None, ..read_status(&torn).unwrap() }).unwrap();
    fs::write(torn.status(), old).unwrap();
    assert!(gradtop(runs, &["doctor", "torn"]).status.success());
    fs::remove_file(spectrum.join("part-00002.parquet")).unwrap();
    for _ in 0..2 {
        let checked = text(&gradtop(runs, &["doctor", "torn"]).stdout);
        assert!(checked.contains("tables/spectrum: 1 of 3 parts are missing"), "{checked}");
    }
    let resumed = gradtop_store::Event::Resumed { step: 0, checkpoint: String::new() };
    gradtop_store::append_event(&torn, &resumed).unwrap();
    assert!(gradtop(runs, &["doctor", "torn"]).status.success());
}

#[test]
fn what_an_ended_run_has_written_is_missed() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let cases: [(&str, &str, Harm); 6] = [
        ("names", "series.jsonl: ", |run| cut_to_lines(&run.series(), 1)),
        ("events", "events.jsonl: ", |run| cut_to_lines(&run.events(), 1)),
        ("output", "console.log: it is missing", |run| fs::remove_file(run.console()).unwrap()),
        ("figures", "figures.toml: it is missing", |run| fs::remove_file(run.figures()).unwrap()),
        ("part", "tables/spectrum: 1 of 3 parts are missing", |run| {
            fs::remove_file(run.tables().join("spectrum/part-00003.parquet")).unwrap();
        }),
        ("table", "tables/spectrum: all of its rows are missing", |run| {
            fs::remove_dir_all(run.tables().join("spectrum")).unwrap();
        }),
    ];
    for (name, named, harm) in cases {
        let run = synthetic::finished(runs, name, 100).unwrap();
        let (row, spectrum) = (run.tables().join("run/part-00001.parquet"), run.tables().join("spectrum"));
        fs::create_dir(&spectrum).unwrap();
        for part in ["part-00001-00002.parquet", "part-00003.parquet"] {
            fs::copy(&row, spectrum.join(part)).unwrap();
        }
        fs::write(run.console(), "one\ntwo\n").unwrap();
        let last = gradtop_store::Event::Warning { message: "the last".to_owned() };
        gradtop_store::append_event(&run, &last).unwrap();
        fs::write(run.figures(), "schema = 1\n").unwrap();
        write_status(&run, &read_status(&run).unwrap()).unwrap();
        let series = series_keys(&run).unwrap();
        let whole = gradtop(runs, &["doctor", name]);
        assert!(whole.status.success(), "{name}: {}", text(&whole.stdout));
        harm(&run);
        assert_eq!(series_keys(&run).unwrap().len(), series.len(), "{name}");
        let logs = text(&gradtop(runs, &["logs", name]).stderr);
        assert_eq!(logs.contains("missing"), ["events", "output"].contains(&name), "{name}: {logs}");
        let plot = text(&gradtop(runs, &["plot", name, "metric-00"]).stderr);
        assert_eq!(
            plot.contains("figures.toml is damaged: it is missing"),
            name == "figures",
            "{name}: {plot}"
        );
        let listed: serde_json::Value =
            serde_json::from_slice(&gradtop(runs, &["list", name, "--json"]).stdout).unwrap();
        assert_eq!(listed[0]["damaged_files"], 1, "{name}: {listed}");
        let shown: serde_json::Value =
            serde_json::from_slice(&gradtop(runs, &["show", name, "--json"]).stdout).unwrap();
        let checked = gradtop(runs, &["doctor", name]);
        let (file, said) = (named.split(':').next().unwrap(), text(&checked.stdout));
        assert_eq!(shown["damage"][0]["file"], file, "{name}: {shown}");
        assert!(!checked.status.success() && said.contains(named), "{name}: {said}");
        assert_eq!(
            said.matches(file).count() - said.matches(&format!("{file}/")).count(),
            1,
            "{name}: {said}"
        );
    }
}

#[test]
fn a_file_in_the_place_of_a_folder_or_a_folder_in_that_of_a_file_costs_only_itself() {
    fn put_folder(path: &Path) {
        fs::remove_file(path).ok();
        fs::create_dir(path).unwrap();
    }
    fn put_file(path: &Path) {
        fs::remove_dir_all(path).ok();
        fs::write(path, "something").unwrap();
    }
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let cases: [(&str, &str, Harm); 10] = [
        ("events", "events.jsonl: it is a folder", |run| put_folder(&run.events())),
        ("found", "damage.jsonl: it is a folder", |run| put_folder(&run.damage())),
        ("names", "series.jsonl: it is a folder", |run| put_folder(&run.series())),
        ("end", "status.json: it is a folder", |run| put_folder(&run.status())),
        ("unended", "status.json: it is missing", |run| {
            fs::remove_file(run.status()).unwrap();
            fs::remove_file(run.events()).unwrap();
        }),
        ("journal", "journal: it is, or is behind, a file", |run| put_file(&run.journal())),
        ("aside", "superseded: it is, or is behind, a file", |run| put_file(&run.superseded())),
        ("tables", "tables: it is, or is behind, a file", |run| put_file(&run.tables())),
        ("saved", "checkpoints: it is, or is behind, a file", |run| put_file(&run.checkpoints())),
        ("rows", "metrics: it is, or is behind, a file", |run| put_file(&run.metrics())),
    ];
    for (name, named, harm) in cases {
        harm(&synthetic::finished(runs, name, 100).unwrap());
        let nothing = i32::from(name == "rows");
        let lacks = i32::from(["rows", "journal"].contains(&name));
        for (args, code) in [
            (&["doctor", name][..], 1),
            (&["show", name], 0),
            (&["logs", name], 0),
            (&["why", name], 0),
            (&["list", name], 0),
            (&["plot", name, "metric-00"], nothing),
            (&["export", name, "--csv", "-"], lacks),
        ] {
            let said = gradtop(runs, args);
            let all = text(&said.stdout) + &text(&said.stderr);
            assert_eq!(said.status.code(), Some(code), "{args:?}: {all}");
            let part = all.contains("whole        metrics/part-00001.parquet") || name == "rows";
            assert!(args[0] != "doctor" || all.contains(named) && part, "{args:?}: {all}");
        }
        let listed: serde_json::Value =
            serde_json::from_slice(&gradtop(runs, &["list", name, "--json"]).stdout).unwrap();
        assert_eq!(
            (&listed[0]["damaged_files"], &listed[0]["state"]),
            (&1.into(), &"finished".into()),
            "{listed}"
        );
    }
}

fn cut_to_lines(path: &Path, count: usize) {
    let lines = text(&fs::read(path).unwrap());
    fs::write(path, lines.split_inclusive('\n').take(count).collect::<String>()).unwrap();
}

#[test]
fn an_event_that_is_lost_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let torn = synthetic::finished(runs, "torn", 100).unwrap();
    let whole = "{\"schema\":1,\"time\":\"2026-01-02T03:04:05Z\",\"event\":\"paused\"}\n";
    fs::write(torn.events(), [whole, &whole[..20], &whole.replace("paused", "unpaused"), "bad\n"].concat())
        .unwrap();
    for args in [&["logs", "torn"][..], &["logs", "torn", "--json"], &["show", "torn"]] {
        let said = gradtop(runs, args);
        let (out, err) = (text(&said.stdout), text(&said.stderr));
        assert!(said.status.success() && out.contains("paused"), "{args:?}: {out}{err}");
        let told = if args[0] == "logs" { &err } else { &out };
        assert!(told.contains("2 lines cannot be understood"), "{args:?}: {out}{err}");
        assert!(out.contains("resumed") || out.contains("unpaused"), "{args:?}: {out}");
    }
    let checked = text(&gradtop(runs, &["doctor", "torn"]).stdout);
    assert!(checked.contains("events.jsonl: 2 lines cannot be understood, the first is line 2"), "{checked}");
}

#[test]
fn damage_that_costs_no_row_is_no_missing_row_and_leaves_no_run_out() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let [names, figures] = ["names", "figures"].map(|name| synthetic::finished(runs, name, 2_000).unwrap());
    synthetic::finished(runs, "whole", 2_000).unwrap();
    // Sealed rows name their series themselves.
    fs::write(names.series(), "garbage[").unwrap();
    fs::write(figures.figures(), "garbage[").unwrap();
    let csv = |name| gradtop(runs, &["export", name, "--csv", "-"]);
    let (of_names, of_whole) = (csv("names"), csv("whole"));
    assert!(of_names.status.success() && !text(&of_names.stderr).contains("damaged"), "{of_names:?}");
    let rows = |said: &Output| text(&said.stdout).lines().count();
    assert_eq!(rows(&of_names), rows(&of_whole));
    let compared = gradtop(runs, &["compare", "names", "figures", "whole"]);
    let (table, warned) = (text(&compared.stdout), text(&compared.stderr));
    assert!(["names", "figures", "whole"].iter().all(|name| table.contains(name)), "{table}");
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains("figures.toml is damaged") && warned.contains("what can be read is shown"));
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
    let by_name = [&["compare", "one", "torn", "two"][..], &["plot", "torn", "two", "metric-00"]];
    for args in [&["compare", "*"][..], &["plot", "*"], &["best", "loss"]].into_iter().chain(by_name) {
        let said = gradtop(runs, args);
        let (out, err) = (text(&said.stdout), text(&said.stderr));
        assert!(err.contains("torn cannot be read"), "{args:?}: {err}");
        if args[0] != "best" {
            assert!(said.status.success() && out.contains("two"), "{args:?}: {out}{err}");
        }
    }
    let nothing = gradtop(runs, &["compare", "torn", "torn"]);
    assert!(!nothing.status.success() && text(&nothing.stderr).contains("torn"), "{nothing:?}");
}
