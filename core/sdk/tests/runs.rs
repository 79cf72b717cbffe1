//! Experiments taken through whole runs by the test host, each call going through the C boundary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use gradtop_sdk::prelude::*;
use gradtop_sdk::testing::{ColumnValues, Level, Outcome, TestHost};

/// Follows a random walk that depends on the seed only.
///
/// Not part of the summary.
#[derive(Params)]
struct Walk {
    /// Size of a step
    #[param(default = 0.5, min = 0.0, min_excluded, max = 10, log, unit = "m")]
    size: f64,
    /// Number of steps
    #[param(default = 10, min = 1)]
    steps: i64,
    /// Kind of walk
    #[param(default = "plain", choices = ["plain", "tables", "chatty", "threads"])]
    kind: String,
    /// Note for the log
    #[param(default = "", key = "remark")]
    note: String,
    #[param(default = true)]
    checkpoints: bool,
}

impl Experiment for Walk {
    fn info() -> Info {
        Info::new("walk", "Random walk", "")
            .resumable()
            .metric(Metric::new("position").unit("m").help("Where it is").goal(Goal::Max).headline().guard())
            .preset("quick", "A few steps", &[("steps", "3")])
            .figures("[[figure]]\nid = \"walk\"\n")
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let position = ctx.series(Series::metric("position").model("walker").split("train").trial(0))?;
        let (mut start, mut at) = (0, 0.0);
        if let Some(dir) = ctx.resume_dir() {
            let text = fs::read_to_string(dir.join("state"))?;
            let (step, value) = text.split_once(' ').ok_or("the checkpoint is damaged")?;
            (start, at) = (step.parse::<i64>()? + 1, value.parse()?);
        }
        for step in ctx.steps(start..self.steps).phase("walking") {
            let step = step?;
            let bits = (ctx.seed() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(step as u32);
            at += if bits & 1 == 0 { self.size } else { -self.size };
            ctx.log_epoch(step, step as f64 / 2.0, &[(position, at)])?;
            if self.checkpoints {
                ctx.checkpoint_if_due(step, |dir| {
                    ctx.debug("saving")?;
                    Ok(fs::write(dir.join("state"), format!("{step} {at}"))?)
                })?;
            }
        }
        match self.kind.as_str() {
            "tables" => tables(ctx, self.steps)?,
            "chatty" => {
                ctx.error("error")?;
                ctx.warn(format!("warning {}", 1))?;
                ctx.info(&self.note)?;
                ctx.declare_figures("[[figure]]\nid = \"more\"\n")?;
            }
            "threads" => threads(ctx)?,
            _ => {}
        }
        Ok(())
    }
}

fn tables(ctx: &Ctx, step: i64) -> Result<()> {
    let names = ["a", "", "ünï"];
    ctx.table(
        "mixed",
        step,
        &[
            Column::i64("i", vec![1, 2, 3]),
            Column::f64("f", &[0.5, f64::NAN, 1.5]).unit("s"),
            Column::utf8("name", &names),
            Column::bytes("image", &[1, 2, 3, 4, 5, 6], 2),
        ],
    )
}

fn threads(ctx: &Ctx) -> Result<()> {
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let work = |n: i32| {
            let series = ctx.series(Series::metric("work").trial(n))?;
            (0..100).try_for_each(|step| ctx.log(step, &[(series, f64::from(n))]))
        };
        let all: Vec<_> = (0..4).map(|n| scope.spawn(move || work(n))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| ctx.step_end()).join().unwrap());
    elsewhere
        .err()
        .map_or(Err("step_end on another thread must be refused".into()), |e| ctx.info(e.message()))
}

#[test]
fn a_whole_run() {
    let recorded = TestHost::new().seed(3).run::<Walk>(&[("steps", "4"), ("size", "2")]);
    assert_eq!(recorded.outcome, Outcome::Finished);
    assert_eq!(recorded.metrics.len(), 4);
    assert_eq!(recorded.steps_ended, 4);
    let last = recorded.metrics.last().unwrap();
    assert_eq!((last.step, last.epoch), (3, Some(1.5)));
    assert_eq!(last.series.metric, "position");
    assert_eq!(last.series.model.as_deref(), Some("walker"));
    assert_eq!(last.series.split.as_deref(), Some("train"));
    assert_eq!(last.series.trial, Some(0));
    assert!(recorded.values("position").iter().all(|v| v.abs() <= 8.0 && v.rem_euclid(2.0) == 0.0));
    let progress = recorded.progress.last().unwrap();
    assert_eq!((progress.done, progress.total, progress.phase.as_str()), (4, 4, "walking"));
    assert_eq!(recorded.figures, ["[[figure]]\nid = \"walk\"\n"]);
    assert_eq!(recorded.checkpoints, []);
}

#[test]
fn presets_and_defaults() {
    assert_eq!(TestHost::new().run::<Walk>(&[]).values("position").len(), 10);
    assert_eq!(TestHost::new().preset("quick").run::<Walk>(&[]).values("position").len(), 3);
    let both = TestHost::new().preset("quick").run::<Walk>(&[("steps", "5")]);
    assert_eq!(both.values("position").len(), 5);
    let missing = TestHost::new().preset("slow").run::<Walk>(&[]);
    assert_eq!(missing.outcome, Outcome::Refused("there is no preset `slow`".into()));
}

#[test]
fn wrong_parameters_are_refused_by_the_plugin_itself() {
    let fails = |key: &str, value: &str| match TestHost::new().run::<Walk>(&[(key, value)]).outcome {
        Outcome::Failed(message) => message,
        other => panic!("{key} = {value}: {other:?}"),
    };
    assert_eq!(fails("size", "0"), "parameter `size` is `0`, but must be greater than 0 and at most 10");
    assert_eq!(fails("size", "NaN"), "parameter `size` is `NaN`, but must be a finite number");
    assert_eq!(fails("size", "1,5"), "parameter `size` is `1,5`, but must be a finite number");
    assert_eq!(fails("steps", "1.5"), "parameter `steps` is `1.5`, but must be a whole number");
    assert_eq!(fails("steps", "0"), "parameter `steps` is `0`, but must be at least 1");
    assert_eq!(
        fails("checkpoints", "maybe"),
        "parameter `checkpoints` is `maybe`, but must be `true` or `false`"
    );
    assert_eq!(
        fails("kind", "fast"),
        "parameter `kind` is `fast`, but must be one of plain, tables, chatty, threads"
    );
}

#[test]
fn a_stopped_run_resumes_where_it_stopped() {
    let whole = TestHost::new().seed(5).run::<Walk>(&[]);
    let first = TestHost::new().seed(5).stop_at(4).run::<Walk>(&[]);
    assert_eq!(first.outcome, Outcome::Stopped);
    assert_eq!(first.checkpoints.len(), 1);
    assert_eq!(first.text, [(Level::Debug, "saving".to_owned())]);
    let second = TestHost::new().seed(5).resume_from(first.last_checkpoint().unwrap()).run::<Walk>(&[]);
    assert_eq!(second.outcome, Outcome::Finished);
    assert_eq!([first.metrics, second.metrics].concat(), whole.metrics);
}

#[test]
fn checkpoints_are_written_when_asked_for() {
    let recorded = TestHost::new().checkpoint_at(2).checkpoint_at(6).run::<Walk>(&[]);
    let steps: Vec<i64> = recorded.checkpoints.iter().map(|checkpoint| checkpoint.step).collect();
    assert_eq!(steps, [2, 6]);
    let dir = recorded.run_dir().unwrap().to_owned();
    assert!(recorded.last_checkpoint().unwrap().join("state").exists());
    drop(recorded);
    assert!(!dir.exists(), "the temporary folder goes with the record");
}

#[test]
fn tables_arrive_as_they_are() {
    let recorded = TestHost::new().run::<Walk>(&[("kind", "tables")]);
    assert_eq!(recorded.outcome, Outcome::Finished);
    let [table] = recorded.table("mixed")[..] else { panic!("one table: {:?}", recorded.tables) };
    assert_eq!(table.step, 10);
    assert_eq!(table.column("i"), Some(&ColumnValues::I64(vec![1, 2, 3])));
    let (_, unit, ColumnValues::F64(values)) = &table.columns[1] else { panic!("{table:?}") };
    assert_eq!(unit.as_deref(), Some("s"));
    assert!(values[0] == 0.5 && values[1].is_nan() && values[2] == 1.5);
    assert_eq!(
        table.column("name"),
        Some(&ColumnValues::Utf8(vec!["a".into(), String::new(), "ünï".into()]))
    );
    assert_eq!(table.column("image"), Some(&ColumnValues::Bytes(vec![vec![1, 2], vec![3, 4], vec![5, 6]])));
}

#[test]
fn recordings_are_asked_by_tests() {
    use gradtop_sdk::testing::with;

    let recorded = TestHost::new().run::<Walk>(&[("kind", "tables")]).expect_finished();
    let table = recorded.last_table("mixed");
    assert_eq!(table.i64s("i"), [1, 2, 3]);
    assert_eq!(table.f64s("i"), [1.0, 2.0, 3.0]);
    assert_eq!(table.strings("name"), ["a", "", "ünï"]);
    let told = |ask: &dyn Fn()| -> String {
        *std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask))
            .unwrap_err()
            .downcast::<String>()
            .unwrap()
    };
    assert!(
        told(&|| drop(table.f64s("name"))).starts_with("column name of table mixed holds no numbers: Utf8")
    );
    assert!(
        told(&|| assert!(table.i64s("none").is_empty()))
            .starts_with("table mixed of step 10 has no column none, but [\"i\",")
    );
    assert_eq!(
        told(&|| assert!(recorded.last_table("walk").columns.is_empty())),
        "there is no table walk, but [\"mixed\"]"
    );
    assert!(told(&|| drop(recorded.clone().expect_failure())).starts_with("the run ended as Finished"));
    let base = [("kind", "chatty"), ("steps", "3"), ("size", "1")];
    assert_eq!(
        with(&base, &[("size", "0.5"), ("remark", "x")]),
        [("kind", "chatty"), ("steps", "3"), ("size", "0.5"), ("remark", "x")]
    );
    assert_eq!(TestHost::new().run::<Walk>(&with(&base, &[("remark", "x")])).infos(), ["x"]);
    let refused = TestHost::new().run::<Walk>(&with(&base, &[("steps", "0")]));
    assert!(told(&|| drop(refused.clone().expect_finished())).contains("parameter `steps`"));
    let why = refused.expect_failure();
    assert!(why.contains("parameter `steps`"), "{why}");
}

#[test]
fn text_and_figures() {
    let recorded = TestHost::new().run::<Walk>(&[("kind", "chatty"), ("remark", "hello\nthere")]);
    let expected = [(Level::Error, "error"), (Level::Warning, "warning 1"), (Level::Info, "hello\nthere")];
    assert_eq!(recorded.text, expected.map(|(level, text)| (level, text.to_owned())));
    assert_eq!(recorded.figures.len(), 2);
}

#[test]
fn several_threads_log_and_only_one_ends_steps() {
    let recorded = TestHost::new().run::<Walk>(&[("kind", "threads")]);
    assert_eq!(recorded.outcome, Outcome::Finished);
    for n in 0..4 {
        assert_eq!(recorded.series(Series::metric("work").trial(n)), vec![f64::from(n); 100]);
    }
    assert_eq!(recorded.text[0].1, "step_end belongs to the thread that `run` was called on");
}

#[test]
fn more_points_than_one_batch_holds() {
    #[derive(Params)]
    struct Many;
    impl Experiment for Many {
        fn info() -> Info {
            Info::new("many", "Many series", "Logs many series at once")
        }
        fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
            for n in [0, 1, 8, 9, 128, 129, 300] {
                let points = (0..n)
                    .map(|trial| Ok((ctx.series(Series::metric("m").trial(trial))?, f64::from(trial))))
                    .collect::<Result<Vec<_>>>()?;
                ctx.log(i64::from(n), &points)?;
            }
            Ok(())
        }
    }
    let recorded = TestHost::new().run::<Many>(&[]);
    assert_eq!(recorded.outcome, Outcome::Finished);
    for n in [0, 1, 8, 9, 128, 129, 300] {
        let values = recorded.metrics.iter().filter(|point| point.step == n).map(|point| point.value);
        assert!(values.eq((0..n).map(|trial| trial as f64)), "{n} points");
    }
}

#[test]
fn parameters_are_described() {
    assert_eq!(Walk::SUMMARY, "Follows a random walk that depends on the seed only.");
    let [size, steps, kind, note, checkpoints] = Walk::PARAMS else { panic!("five parameters") };
    assert_eq!((size.key, size.help, size.unit, size.default), ("size", "Size of a step", Some("m"), "0.5"));
    assert!(size.min_excluded && !size.max_excluded && size.log);
    assert_eq!((size.min, size.max), (0.0, 10.0));
    assert_eq!((steps.min, steps.max, steps.default), (1.0, f64::INFINITY, "10"));
    assert_eq!(kind.choices, ["plain", "tables", "chatty", "threads"]);
    assert_eq!((note.key, note.default), ("remark", ""));
    assert_eq!((checkpoints.help, checkpoints.default), ("", "true"));
    let defaults = Walk::defaults();
    assert_eq!((defaults.size, defaults.steps, defaults.kind.as_str()), (0.5, 10, "plain"));
}

/// A group's parameters stand among the others, wherever its field is.
#[test]
fn groups_of_parameters_are_flat() {
    /// What several experiments share.
    #[derive(Params)]
    struct Group {
        /// Steps between two
        #[param(default = 0, min = 0)]
        every: i64,
        /// How
        #[param(default = "well", choices = ["well", "badly"])]
        how: String,
    }

    #[derive(Params)]
    struct Grouped {
        #[param(default = 1.5)]
        first: f64,
        #[param(flatten)]
        group: Group,
        #[param(default = true)]
        last: bool,
    }
    impl Experiment for Grouped {
        fn info() -> Info {
            Info::new("grouped", "Grouped", "").preset("odd", "", &[("every", "7")])
        }
        fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
            ctx.info(format!("{} {} {} {}", self.first, self.group.every, self.group.how, self.last))
        }
    }

    /// A key of its own that the group has too.
    #[derive(Params)]
    struct Twice {
        #[param(flatten)]
        group: Group,
        #[param(default = 1)]
        every: i64,
    }
    impl Experiment for Twice {
        fn info() -> Info {
            Info::new("twice", "Twice", "")
        }
        fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
            ctx.progress(self.every, self.group.every, "never")
        }
    }
    assert_eq!(Grouped::PARAMS.iter().map(|p| p.key).collect::<Vec<_>>(), ["first", "every", "how", "last"]);
    let recorded = TestHost::new().preset("odd").run::<Grouped>(&[("how", "badly"), ("last", "false")]);
    assert_eq!(recorded.text[0].1, "1.5 7 badly false");
    let refused = TestHost::new().run::<Grouped>(&[("every", "-1")]).outcome;
    let (Outcome::Refused(why) | Outcome::Failed(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("parameter `every` is `-1`"), "{why}");

    let refused = TestHost::new().run::<Twice>(&[]).outcome;
    assert!(matches!(refused, Outcome::Refused(why) if why.contains("parameter `every` is declared twice")));
}
