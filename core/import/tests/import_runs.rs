//! Sources become runs: each row once, however often they are read, and written again for others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use common::{copy, golden, import, read_all, source_of, target};
use gradtop_import::{
    Import, ImportError, Imported, Source, Target, export_tensorboard, name_of_series, name_series,
};
use gradtop_store::{
    Event, EventLine, RunDir, Shape, State, export_csv, read_manifest, read_series, read_status,
};

const ALL: [&str; 6] = ["tensorboardx", "tensorflow2", "wandb", "lightning", "transformers", "jsonl"];

/// Values of a run by series, as bits.
fn values(run: &RunDir) -> BTreeMap<String, Vec<(i64, u64)>> {
    let series = read_series(run, |_| true).unwrap();
    let of = |s: &gradtop_store::SeriesData| {
        s.step.iter().zip(&s.value).map(|(step, value)| (*step, value.to_bits())).collect()
    };
    series.iter().map(|s| (s.key.path(), of(s))).collect()
}

/// What the source holds, named as in a run.
fn wanted(source: &Source) -> BTreeMap<String, Vec<(i64, u64)>> {
    let (collected, _) = read_all(source);
    let mut wanted = BTreeMap::new();
    for (tag, rows) in &collected.rows {
        let name =
            name_series(gradtop_import::Tag { name: tag, split: collected.splits[tag], whole: None }).path();
        let rows = rows.iter().map(|(at, value)| (at.step, value.to_bits())).collect();
        // Of two names that come to the same, the second keeps its own.
        let name = if wanted.contains_key(&name) { tag.clone() } else { name };
        wanted.insert(name, rows);
    }
    wanted
}

#[test]
fn a_run_has_each_row_once_however_often_it_is_imported() {
    for name in ALL {
        let runs = tempfile::tempdir().unwrap();
        let source = source_of(&golden(name));
        let first = import(runs.path(), &source);
        let run = first.run.unwrap();
        assert_eq!(values(&run), wanted(&source), "{name}");
        let again = import(runs.path(), &source);
        assert_eq!(again.run.as_ref(), Some(&run), "{name}");
        assert_eq!(again.rows, (first.rows.0, first.rows.0), "{name}");
        assert_eq!(values(&run), wanted(&source), "{name}");
        let status = read_status(&run).unwrap();
        assert_eq!((status.state, status.rows), (State::Finished, Some(first.rows.0)), "{name}");
        let took = status.ended.zip(status.started).map(|(to, from)| to.duration_since(from).as_secs_f64());
        assert_eq!(status.elapsed_s, took, "{name}");
        let manifest = read_manifest(&run).unwrap();
        let (collected, _) = read_all(&source);
        assert_eq!(manifest.params, collected.params, "{name}");
    }
}

#[test]
fn the_steps_that_a_trainer_is_to_make_are_the_total() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let total = |source: &Source| read_status(&import(runs.path(), source).run.unwrap()).unwrap().total;
    assert_eq!(total(&source_of(&golden("transformers"))), Some(50));
    let run = import(runs.path(), &source_of(&golden("transformers"))).run.unwrap();
    assert!(read_status(&run).unwrap().works_by_steps(), "and its steps are what is done of it");
    let file = logs.path().join("trainer_state.json");
    let state = r#"{"max_steps": -1, "log_history": [{"step": 1, "loss": 2.0, "max_steps": 7}], "epoch": 1}"#;
    fs::write(&file, state).unwrap();
    assert_eq!(total(&source_of(&file)), None);
}

#[test]
fn what_is_appended_goes_into_the_same_run() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ALL {
        let logs = logs.path().join(name);
        copy(&golden(name), &logs);
        let whole = source_of(&logs);
        let file = if whole.path.is_dir() {
            let tail = if name == "transformers" { "checkpoint-50/trainer_state.json" } else { "" };
            let events =
                || fs::read_dir(&logs).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_file()).unwrap();
            if tail.is_empty() { events() } else { logs.join(tail) }
        } else {
            whole.path.clone()
        };
        let bytes = fs::read(&file).unwrap();
        for part in 1..=5 {
            fs::write(&file, &bytes[..bytes.len() * part / 5]).unwrap();
            assert!(import(runs.path(), &whole).error.is_none(), "{name}");
        }
        let run = import(runs.path(), &whole).run.unwrap();
        assert_eq!(values(&run), wanted(&source_of(&golden(name))), "{name}");
    }
}

#[test]
fn a_csv_that_is_written_anew_with_a_column_more_adds_what_is_new() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = logs.path().join("metrics.csv");
    fs::write(&file, "step,loss\n0,1\n1,0.5\n").unwrap();
    let source = source_of(logs.path());
    import(runs.path(), &source);
    fs::write(&file, "step,acc,loss\n0,,1\n1,,0.5\n2,0.9,0.25\n").unwrap();
    let run = import(runs.path(), &source).run.unwrap();
    let values = values(&run);
    assert_eq!(values["loss"], [(0, 1f64.to_bits()), (1, 0.5f64.to_bits()), (2, 0.25f64.to_bits())]);
    assert_eq!(values["acc"], [(2, 0.9f64.to_bits())]);
}

#[test]
fn a_csv_with_one_value_per_row_keeps_model_split_and_trial() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = "step,epoch,time,metric,model,split,trial,value\n\
                0,0.5,,loss,deep,test,0,1\n\
                0,0.5,,loss,deep,test,1,2\n\
                0,0.5,,val_acc,64,,,NaN\n\
                1,1,,loss,deep,test,0,3\n";
    let file = logs.path().join("metrics.csv");
    fs::write(&file, text).unwrap();
    let run = import(runs.path(), &source_of(logs.path())).run.unwrap();
    let bits =
        |rows: &[(i64, f64)]| rows.iter().map(|(step, value)| (*step, value.to_bits())).collect::<Vec<_>>();
    let wanted = [
        ("64/val_acc", bits(&[(0, f64::NAN)])),
        ("deep/test/loss#0", bits(&[(0, 1.0), (1, 3.0)])),
        ("deep/test/loss#1", bits(&[(0, 2.0)])),
    ];
    assert_eq!(values(&run), wanted.map(|(name, rows)| (name.to_owned(), rows)).into());
    // What is exported comes back as it was.
    let csv = |shape| {
        let mut out = Vec::new();
        export_csv(&run, shape, &mut out).unwrap();
        ("metrics.csv", out)
    };
    let events = || {
        let mut out = Vec::new();
        export_tensorboard(&run, &read_manifest(&run).unwrap(), State::Finished, &mut out).unwrap();
        ("events.out.tfevents.1.gradtop", out)
    };
    for (name, text) in [csv(Shape::Long), csv(Shape::Wide(name_of_series)), events()] {
        let (logs, runs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(logs.path().join(name), &text).unwrap();
        let back = import(runs.path(), &source_of(logs.path())).run.unwrap();
        let of = |run: &RunDir| {
            let series = read_series(run, |_| true).unwrap().into_iter();
            series.map(|series| (series.key, series.step)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(
            (of(&back), values(&back)),
            (of(&run), values(&run)),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}

#[test]
fn a_log_that_another_training_has_overwritten_is_another_run() {
    for (file, header, row) in [
        ("metrics.csv", "step,loss\n", (|step, loss| format!("{step},{loss}\n")) as fn(u32, f64) -> String),
        ("metrics.jsonl", "", |step, loss| format!("{{\"step\": {step}, \"loss\": {loss}}}\n")),
    ] {
        let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = logs.path().join(file);
        let write = |rows: u32, loss: f64| {
            let text: String = (0..rows).map(|step| row(step, loss)).collect();
            fs::write(&path, format!("{header}{text}")).unwrap();
        };
        let losses = |run: &RunDir| -> Vec<f64> {
            read_series(run, |key| key.metric == "loss").unwrap().remove(0).value
        };
        write(100, 1.0);
        let source = source_of(&path);
        let first = import(runs.path(), &source);
        let old = first.run.unwrap();
        // Longer, and then shorter, than what it replaces.
        for rows in [150, 30] {
            write(rows, f64::from(rows));
            let next = import(runs.path(), &source);
            let run = next.run.unwrap();
            assert!(next.overwritten.is_some() && run != old, "{file}");
            assert_eq!(
                (next.rows, losses(&run)),
                ((u64::from(rows), 0), vec![f64::from(rows); rows as usize])
            );
            assert_eq!(losses(&old), vec![1.0; 100], "{file}");
            let again = import(runs.path(), &source);
            assert_eq!((again.run, again.overwritten), (Some(run), None), "{file}");
        }
        // Under a name of one's own it is refused.
        write(10, 7.0);
        let named = Target { name: Some(old.name()), ..target(runs.path()) };
        let refused = Import::whole(&named, &source, || false).map(|imported| imported.error);
        assert!(matches!(refused, Ok(Some(ImportError::Overwritten { .. }))), "{refused:?}");
    }
}

#[test]
fn damage_ends_the_run_and_keeps_what_came_before() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(&golden("wandb"), logs.path());
    let source = source_of(logs.path());
    let mut bytes = fs::read(&source.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&source.path, bytes).unwrap();
    let imported = import(runs.path(), &source);
    let error = imported.error.unwrap();
    assert!(matches!(&error, ImportError::Damaged { path, .. } if *path == source.path), "{error}");
    let run = imported.run.unwrap();
    let status = read_status(&run).unwrap();
    assert_eq!((status.state, status.cause), (State::Failed, Some(error.to_string())));
    let (values, whole) = (values(&run), wanted(&source_of(&golden("wandb"))));
    let kept = values["train/loss"].len();
    assert!(kept > 10 && values["train/loss"][..] == whole["train/loss"][..kept], "{kept}");
}

#[test]
fn nothing_readable_makes_no_run() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(logs.path().join("events.out.tfevents.1.a"), b"not what it is called at all").unwrap();
    let imported = import(runs.path(), &source_of(logs.path()));
    assert!(imported.run.is_none() && imported.error.is_some());
    assert!(gradtop_store::list_runs(runs.path()).is_empty());
}

#[test]
fn times_are_those_of_the_source_and_never_go_back() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut file = fs::File::create(logs.path().join("metrics.jsonl")).unwrap();
    for time in ["1700000000.5", "1700000002", "1700000001", "1e99", "-5", "1700000003.25"] {
        writeln!(file, "{{\"loss\": 1, \"acc\": 2, \"timestamp\": {time}}}").unwrap();
    }
    let imported = import(runs.path(), &source_of(logs.path()));
    let told =
        "the times of 6 values are left out: older than that of the value before, or no time of a training";
    assert_eq!(imported.left_out, [told]);
    let run = imported.run.unwrap();
    let series = read_series(&run, |key| key.metric == "loss").unwrap();
    let micros: Vec<i64> = series[0].time_us.iter().map(|time| time - 1_700_000_000_000_000).collect();
    assert_eq!(micros, [500_000, 2_000_000, 2_000_001, 2_000_002, 2_000_003, 3_250_000]);
}

/// A table of one series after the other, `n` rows each, that were logged in turns.
fn one_after_the_other(folder: &Path, n: i64) -> Source {
    let rows = |metric: &str, later: i64| -> String {
        let row = |step: i64| format!("{step},{},{metric},{step}\n", 1_700_000_000 + 10 * step + later);
        (0..n).map(row).collect()
    };
    let text = format!("step,time,metric,value\n{}{}", rows("loss", 0), rows("acc", 3));
    fs::write(folder.join("metrics.csv"), text).unwrap();
    source_of(folder)
}

#[test]
fn series_that_come_one_after_the_other_keep_their_times() {
    let logs = tempfile::tempdir().unwrap();
    let source = one_after_the_other(logs.path(), 10_000);
    let is_right = |imported: Imported| {
        assert_eq!((imported.rows.0, imported.left_out.len()), (20_000, 0));
        let run = imported.run.unwrap();
        for (metric, later) in [("loss", 0), ("acc", 3)] {
            let series = read_series(&run, |key| key.metric == metric).unwrap().remove(0);
            let right = |(step, time): (&i64, &i64)| *time == (1_700_000_000 + 10 * step + later) * 1_000_000;
            assert!(series.step.iter().zip(&series.time_us).all(right), "{metric}: {:?}", series.time_us);
        }
        let status = read_status(&run).unwrap();
        assert_eq!(status.took(status.updated), Some(99_993.0));
    };
    let runs = tempfile::tempdir().unwrap();
    is_right(import(runs.path(), &source));
    // Also if it is interrupted and begun again.
    let runs = tempfile::tempdir().unwrap();
    let interrupted = Import::whole(&target(runs.path()), &source, || true).unwrap();
    assert!(matches!(interrupted.error, Some(ImportError::Interrupted(_))), "{interrupted:?}");
    is_right(import(runs.path(), &source));
    // What comes later and is older cannot keep its time, and that is said.
    let more = fs::read_to_string(&source.path).unwrap() + "10000,1700000000,acc,1\n";
    fs::write(&source.path, more).unwrap();
    let late = import(runs.path(), &source).left_out;
    assert_eq!(
        late,
        ["the time of 1 value is left out: older than that of the value before, or no time of a training"]
    );
}

#[test]
fn a_last_line_that_may_be_incomplete_is_told() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(logs.path().join("metrics.csv"), "step,loss\n0,1\n1,2").unwrap();
    let source = source_of(logs.path());
    let first = import(runs.path(), &source);
    let told = "the last line is left out: without a line break, it may be incomplete";
    assert_eq!((first.rows.0, &first.left_out[..]), (1, &[told.to_owned()][..]));
    let file = fs::File::options().append(true).open(&source.path).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_mins(2)).unwrap();
    let second = import(runs.path(), &source);
    assert_eq!((second.rows, second.left_out.len()), ((2, 1), 0));
    let warns = |line: &EventLine| matches!(line.event, Event::Warning { .. });
    assert!(
        !gradtop_store::read_events(&second.run.unwrap()).unwrap().iter().any(warns),
        "it is there by now"
    );
}

#[test]
fn lines_behind_damage_are_counted() {
    let nameless = "2 rows are left out: they name no metric";
    let quote = "2 lines from byte 14 on are left out: a quote there is not closed";
    for (file, text, rows, told) in [
        ("metrics.csv", "step,loss\n0,1\n1,2,3\n\n2,4\n3,5\n", 1, "3 lines from byte 14 on are left out"),
        ("metrics.csv", "step,loss\n0,1\n1,2,3\n2,4", 1, "2 lines from byte 14 on are left out"),
        ("metrics.csv", "step,loss\n0,1\n1,2,3\n", 1, "1 line at byte 14 is left out"),
        ("metrics.csv", "step,loss\n0,1\n1,\"2\n2,4\n", 1, quote),
        ("log.jsonl", "{\"loss\":1}\nbad\n{\"loss\":2}\n", 1, "2 lines from byte 11 on are left out"),
        ("metrics.csv", "step,loss\n0,1\n1,2\n\n", 2, ""),
        ("metrics.csv", "step,metric,value\n0,loss,1\n1,,2\n2, ,3\n3,value,4\n4,loss,\n5,,\n", 2, nameless),
    ] {
        let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(logs.path().join(file), text).unwrap();
        let imported = import(runs.path(), &source_of(logs.path()));
        assert_eq!((imported.rows.0, imported.left_out.concat().as_str()), (rows, told), "{text}");
        let events = gradtop_store::read_events(&imported.run.unwrap()).unwrap();
        let warned = Event::Warning { message: format!("not imported: {told}") };
        assert_eq!(events.iter().any(|line| line.event == warned), !told.is_empty(), "{events:?}");
    }
}

#[test]
fn a_series_without_new_rows_keeps_its_value_in_the_headline() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let headline = |rows: &str| {
        fs::write(logs.path().join("metrics.csv"), format!("step,train_loss,val_loss\n0,5,6\n{rows}"))
            .unwrap();
        let status = read_status(&import(runs.path(), &source_of(logs.path())).run.unwrap()).unwrap();
        status.headline.iter().map(|of| of.value).collect::<Vec<_>>()
    };
    assert_eq!(headline(""), [5.0, 6.0]);
    assert_eq!(headline("1,4,\n"), [4.0, 6.0]);
}

#[test]
fn a_run_of_a_source_without_times_took_nobody_knows_how_long() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let status = |text: &str| {
        fs::write(logs.path().join("metrics.csv"), text).unwrap();
        read_status(&import(runs.path(), &source_of(logs.path())).run.unwrap()).unwrap()
    };
    let without = status("step,loss\n0,1\n1,0.5\n");
    assert_eq!((without.state, without.started, without.ended), (State::Finished, None, None));
    assert_eq!(without.took(without.updated), None);
    let with = status("step,time,loss\n0,2026-10-25T00:30:00Z,3\n1,2026-10-25T02:29:00Z,2\n");
    assert_eq!((with.state, with.took(with.updated)), (State::Finished, Some(7140.0)));
    let partly = status("step,time,loss\n0,,4\n1,2026-10-25T00:30:00Z,3\n2,2026-10-25T02:29:00Z,2\n");
    assert_eq!((partly.state, partly.started, partly.ended), (State::Finished, None, None));
}

#[test]
fn step_and_epoch_are_of_one_row() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(logs.path().join("metrics.csv"), "step,epoch,train_loss,val_loss\n0,0,5,\n20,2,3,\n10,1,,9\n")
        .unwrap();
    let status = read_status(&import(runs.path(), &source_of(logs.path())).run.unwrap()).unwrap();
    assert_eq!((status.step, status.epoch), (Some(20), Some(2.0)));
}

#[test]
fn a_row_whose_step_is_no_whole_number_is_left_out_and_told() {
    let (runs, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lines = [r#"{"step": 3, "loss": 1}"#, r#"{"step": 1.5, "loss": 2}"#, r#"{"step": 1e300, "loss": 3}"#];
    let odd = [r#"{"step": "5", "loss": 6}"#, r#"{"step": true, "loss": 7}"#, r#"{"step": 1e16, "loss": 8}"#];
    let rest =
        [r#"{"step": 4.0, "loss": 4}"#, r#"{"loss": 5}"#, r#"{"step": 9007199254740993.0, "loss": 9}"#];
    fs::write(logs.path().join("metrics.jsonl"), [lines, odd, rest].concat().join("\n") + "\n").unwrap();
    let imported = import(runs.path(), &source_of(logs.path()));
    let told = "5 rows are left out: a step such as 1.5 is not a whole number, or too large";
    assert_eq!(imported.left_out, [told]);
    let run = imported.run.unwrap();
    let series = read_series(&run, |key| key.metric == "loss").unwrap();
    let read = (&series[0].step[..], &series[0].value[..]);
    assert_eq!(read, (&[3, 4, 4, 9_007_199_254_740_993][..], &[1.0, 4.0, 5.0, 9.0][..]));
    for (rows, step) in
        [("8,1\n1_000,9\n", "1_000"), ("8,1\n18446744073709551615,9\n", "18446744073709551615")]
    {
        for column in ["step", "epoch"].iter().filter(|column| **column == "step" || step == "1_000") {
            let logs = tempfile::tempdir().unwrap();
            fs::write(logs.path().join("metrics.csv"), format!("{column},loss\n{rows}")).unwrap();
            let imported = import(runs.path(), &source_of(logs.path()));
            let told = format!("1 row is left out: its step, {step}, is not a whole number, or too large");
            assert_eq!((imported.rows.0, imported.left_out), (1, vec![told]));
        }
    }
    let said = gradtop_store::read_events(&run).unwrap();
    let warnings = said.iter().filter(|line| matches!(line.event, gradtop_store::Event::Warning { .. }));
    assert_eq!(warnings.count(), 1, "{said:?}");
    // Its seed and its threads are not known, in the row of the table `run` either.
    let row = gradtop_store::read_table(&run, "run").unwrap();
    let column = |name: &str| row.columns.iter().position(|(known, ..)| known == name).unwrap();
    assert!(row.absent.contains(&(column("threads"), 0)));
    assert_eq!(row.columns[column("seed")].2, gradtop_store::ColumnData::Utf8(vec![String::new()]));
}

#[test]
fn values_that_are_no_numbers_are_told_and_a_file_of_nothing_else_is_an_error() {
    let logs = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        fs::write(logs.path().join("metrics.csv"), text).unwrap();
        let runs = tempfile::tempdir().unwrap();
        Import::whole(&target(runs.path()), &source_of(logs.path()), || false).map_err(|e| e.to_string())
    };
    let some = read("step,loss,stage,at\n1,0.5,a,2026-01-02\n2,n/a,b,2026-01-03\n3,diverged,b,\n").unwrap();
    assert_eq!(
        (some.rows.0, &some.left_out[..]),
        (1, &["loss: 2 values are no numbers, such as \"n/a\"".into()][..])
    );
    let none = read("epoch;loss;acc\n1;0,5;0,1\n2;0,4;0,2\n").unwrap_err();
    assert!(none.contains("acc: 2 values are no numbers, such as \"0,1\"; loss: "), "{none}");
    let words = read("step,stage\n1,a\n").unwrap_err();
    assert!(words.contains("no column of numbers"), "{words}");
    assert!(read("step,loss\n").unwrap().run.is_none(), "it has no rows yet");
}

#[test]
fn what_is_logged_once_at_step_0_does_not_set_a_run_back_and_a_training_that_goes_back_does() {
    let logs = tempfile::tempdir().unwrap();
    let import = |lines: &[&str]| {
        let runs = tempfile::tempdir().unwrap();
        fs::write(logs.path().join("metrics.jsonl"), lines.join("\n") + "\n").unwrap();
        read_status(&import(runs.path(), &source_of(logs.path())).run.unwrap()).unwrap()
    };
    let rows = [r#"{"step": 50, "loss": 1}"#, r#"{"step": 90, "loss": 2}"#, r#"{"step": 0, "best": 3}"#];
    let status = import(&rows);
    assert_eq!(status.step, Some(90));
    assert_eq!(import(&[rows[0], rows[1], r#"{"step": 60, "loss": 4}"#]).step, Some(60));
    // The epoch is that of this step.
    let epochs = [r#"{"step": 90, "epoch": 9, "loss": 1}"#, r#"{"step": 80, "epoch": 8, "acc": 2}"#];
    let status = import(&epochs);
    assert_eq!((status.step, status.epoch), (Some(90), Some(9.0)));
}

#[test]
fn a_state_of_a_trainer_is_one_whatever_its_lines_and_without_rows() {
    let logs = tempfile::tempdir().unwrap();
    let rows = r#"{"log_history": [{"step": 1, "loss": 2.0}], "max_steps": 7}"#;
    for (name, text, total) in [
        ("trainer_state.json", rows, Some(7)),
        ("state.json", rows, Some(7)),
        ("trainer_state.json", "{}", None),
        ("trainer_state.json", r#"{"log_history": [], "max_steps": 7}"#, None),
    ] {
        let file = logs.path().join(name);
        fs::write(&file, text).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let run = import(runs.path(), &source_of(&file)).run;
        assert_eq!(run.and_then(|run| read_status(&run).unwrap().total), total, "{name}: {text}");
    }
}

#[test]
fn an_exported_event_file_is_the_run_again() {
    for name in ALL {
        let (runs, out, again) = (tempfile::tempdir(), tempfile::tempdir(), tempfile::tempdir());
        let (runs, out, again) = (runs.unwrap(), out.unwrap(), again.unwrap());
        let run = import(runs.path(), &source_of(&golden(name))).run.unwrap();
        let manifest = read_manifest(&run).unwrap();
        let mut file = fs::File::create(out.path().join("events.out.tfevents.1.gradtop")).unwrap();
        let (rows, damage) = export_tensorboard(&run, &manifest, State::Finished, &mut file).unwrap();
        assert!(damage.is_empty());
        let read = import(again.path(), &source_of(out.path()));
        assert_eq!(read.rows.0, rows, "{name}");
        let run_again = read.run.unwrap();
        assert_eq!(values(&run_again), values(&run), "{name}");
        let times = |run: &RunDir| -> Vec<i64> {
            read_series(run, |_| true).unwrap().into_iter().flat_map(|series| series.time_us).collect()
        };
        // Rows of one microsecond may get the one after it.
        let apart = times(&run_again).into_iter().zip(times(&run)).map(|(a, b)| (a - b).abs()).max();
        assert!(apart.is_some_and(|most| most <= 2), "{name}: {apart:?}");
        assert_eq!(read_manifest(&run_again).unwrap().params, manifest.params, "{name}");
    }
}
