//! What goes wrong in a plugin or is missing in a host ends as a message, never as a crash.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::mem::offset_of;
use std::panic;

use gradtop_abi::Host;
use gradtop_sdk::prelude::*;
use gradtop_sdk::testing::{Level, Outcome, Recorded, TestHost};

/// Does one wrong thing.
#[derive(Params)]
struct Fault {
    /// Which
    #[param(default = "none")]
    what: String,
}

impl Experiment for Fault {
    fn info() -> Info {
        Info::new("fault", "Fault", "")
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let ok = |_: &std::path::Path| Ok(());
        match self.what.as_str() {
            "panic" => panic!("out of luck"),
            "long" => panic!("{}", "ä".repeat(2000)),
            "payload" => panic::panic_any(7_i32),
            "thread" => {
                // Quiet, as the hook of this test process would print it.
                let thread = std::thread::spawn(|| panic::resume_unwind(Box::new("from a worker")));
                thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload));
            }
            "caught" => {
                panic::catch_unwind(|| panic!("caught by the author")).ok();
                Err("failed later")?;
            }
            "torch" => {
                let text = "Internal torch error: shapes differ\nException raised from x\nframe #0: y";
                Err(std::io::Error::other(text))?;
            }
            "unwrap" => {
                #[derive(Debug)]
                #[allow(dead_code, reason = "as tch::TchError is shown")]
                struct Torch(&'static str);
                let result: Result<(), Torch> =
                    Err(Torch("shapes differ\nException raised from x\nframe #0: y"));
                std::hint::black_box(result).unwrap();
            }
            "save" => ctx.checkpoint(0, |_| Err("disk is full".into()))?,
            "save-panic" => ctx.checkpoint(0, |_| panic!("while saving"))?,
            "save-twice" => ctx.checkpoint(0, |_| ctx.checkpoint(1, ok))?,
            "stop" => Err(Error::stop().context("epoch 1"))?,
            "rows" => ctx.table("t", 0, &[Column::i64("a", &[1]), Column::f64("b", &[1.0, 2.0])])?,
            "bytes" => ctx.table("t", 0, &[Column::bytes("a", &[1, 2, 3], 2)])?,
            "empty" => ctx.table("t", 0, &[])?,
            "reserved" => ctx.table("t", 0, &[Column::i64("Run", &[1])])?,
            "column" => ctx.table("t", 0, &[Column::i64("a", &[1]), Column::i64("a", &[1])])?,
            "nul" => drop(ctx.series(Series::metric("a\0b"))?),
            "trial" => drop(ctx.series(Series::metric("a").trial(-2))?),
            "series" => drop(ctx.series(Series::metric(""))?),
            "log" => {
                let series = ctx.series(Series::metric("a"))?;
                ctx.log(0, &[(series, 1.0)])?;
            }
            "table" => ctx.table("t", 0, &[Column::i64("a", &[1])])?,
            "figures" => ctx.declare_figures("")?,
            "text" => ctx.info("hello")?,
            "progress" => ctx.progress(1, 2, &"phase ä".repeat(100))?,
            "step_end" => ctx.step_end()?,
            "asks" => {
                assert!(!ctx.should_stop() && !ctx.should_checkpoint() && ctx.extension("x").is_none());
            }
            "checkpoint" => ctx.checkpoint(0, ok)?,
            _ => {}
        }
        Ok(())
    }
}

fn run(what: &str) -> Recorded {
    TestHost::new().run::<Fault>(&[("what", what)])
}

fn failure(recorded: &Recorded) -> &str {
    match &recorded.outcome {
        Outcome::Failed(message) | Outcome::Panicked(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_gives_message_place_and_backtrace() {
    let recorded = run("panic");
    let Outcome::Panicked(message) = &recorded.outcome else { panic!("{:?}", recorded.outcome) };
    assert!(message.starts_with("panicked at core/sdk/tests/faults.rs:"), "{message}");
    assert!(message.ends_with(": out of luck"), "{message}");
    let (level, text) = recorded.text.last().unwrap();
    assert_eq!(*level, Level::Debug);
    assert!(text.starts_with("backtrace:\n"), "{text}");
}

#[test]
fn panics_of_all_shapes() {
    let long = run("long");
    assert!(failure(&long).len() <= 1016 && failure(&long).ends_with('ä'), "cut between characters");
    assert!(failure(&run("payload")).ends_with("a value that is not text"));
    assert_eq!(failure(&run("thread")), "panicked: from a worker");
    assert_eq!(run("caught").outcome, Outcome::Failed("failed later".into()));
}

#[test]
fn frames_of_libtorch_go_to_the_log() {
    let recorded = run("torch");
    assert_eq!(recorded.outcome, Outcome::Failed("Internal torch error: shapes differ".into()));
    assert_eq!(recorded.text, [(Level::Debug, "Exception raised from x\nframe #0: y".to_owned())]);

    let recorded = run("unwrap");
    let message = failure(&recorded);
    assert!(message.ends_with("called `Result::unwrap()` on an `Err` value: shapes differ"), "{message}");
    assert!(recorded.text[0].1.starts_with("Exception raised from x\nframe #0: y\nbacktrace:\n"));
}

#[test]
fn a_checkpoint_that_fails() {
    let recorded = run("save");
    assert_eq!(recorded.outcome, Outcome::Failed("disk is full".into()));
    assert_eq!(recorded.checkpoints, []);
    let recorded = run("save-panic");
    assert!(matches!(&recorded.outcome, Outcome::Panicked(text) if text.ends_with("while saving")));
    assert_eq!(failure(&run("save-twice")), "checkpoint is called while one is being written");
}

#[test]
fn a_stop_ends_as_stopped() {
    assert_eq!(run("stop").outcome, Outcome::Stopped);
}

#[test]
fn wrong_calls_are_explained() {
    assert_eq!(failure(&run("rows")), "table `t`: column `b` has 2 rows, column `a` has 1");
    assert_eq!(failure(&run("bytes")), "table `t`: the bytes of column `a` are not whole rows");
    assert_eq!(failure(&run("empty")), "table `t`: it has no columns");
    assert_eq!(failure(&run("column")), "log_table: column `a` is given twice");
    assert_eq!(
        failure(&run("reserved")),
        "log_table: no column may be called `Run`: readers have one of that name already"
    );
    assert_eq!(failure(&run("nul")), "`a\\0b` contains a NUL");
    assert_eq!(failure(&run("trial")), "series of `a`: a trial is 0 or more");
    assert_eq!(failure(&run("series")), "series: a series needs a metric");
}

#[test]
fn a_long_phase_is_cut_between_characters() {
    let phase = &run("progress").progress[0].phase;
    assert!(
        phase.len() <= 127 && phase.starts_with("phase äphase") && "phase ä".repeat(100).starts_with(phase)
    );
}

/// A field at or past the host's size does not exist, and what needs it says so.
#[test]
fn an_older_host_lacks_functions() {
    let functions = [
        ("log", offset_of!(Host, log_metrics), "log_metrics"),
        ("table", offset_of!(Host, log_table), "log_table"),
        ("figures", offset_of!(Host, declare_figures), "declare_figures"),
        ("text", offset_of!(Host, log_text), "log_text"),
        ("progress", offset_of!(Host, progress), "progress"),
        ("step_end", offset_of!(Host, step_end), "step_end"),
        ("checkpoint", offset_of!(Host, checkpoint), "checkpoint"),
        ("series", offset_of!(Host, series), "series"),
    ];
    for (what, offset, name) in functions {
        let expected = format!("this gradtop (ABI 1.0) does not offer `{name}`");
        // Just before the field, and in its middle.
        for size in [offset, offset + 4] {
            let recorded = TestHost::new().host_size(size).run::<Fault>(&[("what", what)]);
            assert_eq!(recorded.outcome, Outcome::Failed(expected.clone()), "{what} at {size}");
        }
    }
    let asks = TestHost::new().host_size(offset_of!(Host, should_stop)).run::<Fault>(&[("what", "asks")]);
    assert_eq!(asks.outcome, Outcome::Finished);
    let tiny = TestHost::new().host_size(16).run::<Fault>(&[]);
    assert_eq!(failure(&tiny), "the host's struct has 16 bytes, fewer than the 40 of ABI 1.0");
    // Without `last_error` the status still says what kind it is.
    let mute = TestHost::new().host_size(offset_of!(Host, last_error)).run::<Fault>(&[("what", "series")]);
    assert_eq!(failure(&mute), "series: the host answered -3");
}
