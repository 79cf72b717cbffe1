//! A plugin made with the SDK whose author has made a mistake, named by `GRADTOP_FIXTURE`. Its runs contain mistakes, too.

#![allow(clippy::unwrap_used, reason = "a fixture fails by panicking, which some of it is for")]

use std::io::Write as _;

use gradtop_sdk::prelude::*;

/// Makes mistakes.
#[derive(Params)]
struct Mistaken {
    /// Number of steps
    #[param(default = 20, min = 1, max = 1000)]
    steps: i64,
    /// Learning rate
    #[param(default = 0.1, min = 0.0, min_excluded)]
    rate: f64,
    /// Shuffle
    #[param(default = true)]
    shuffle: bool,
    /// Function
    #[param(default = "sinc", choices = ["sinc", "sign"])]
    function: String,
    /// What goes wrong in a run
    #[param(default = "nothing", choices = ["nothing", "detached", "detached-late", "joined", "scoped", "main", "lines", "params", "judging"])]
    mistake: String,
}

fn preset(values: &[(&str, &str)]) -> Info {
    right().preset("quick", "Fast", values)
}

fn figure(mark: &str) -> Info {
    right().figures(&format!(
        "[[figure]]\nid = \"loss\"\ntitle = \"Loss\"\n[[figure.panel]]\n[[figure.panel.mark]]\n{mark}\n"
    ))
}

fn right() -> Info {
    Info::new("mistaken", "Mistaken", "").metric(Metric::new("loss").goal(Goal::Min))
}

impl Experiment for Mistaken {
    fn info() -> Info {
        match std::env::var("GRADTOP_FIXTURE").unwrap_or_default().as_str() {
            "id" => Info::new("Mis Taken", "Mistaken", ""),
            "id-empty" => Info::new("", "Mistaken", ""),
            "id-long" => Info::new(&"m".repeat(65), "Mistaken", ""),
            "name" => Info::new("mistaken", "", ""),
            "nul" => Info::new("mistaken", "Mis\0taken", ""),
            "metric-twice" => right().metric(Metric::new("loss")),
            "metric-empty" => right().metric(Metric::new("")),
            "metric-blank" => right().metric(Metric::new("test loss ")),
            "preset-unknown" => preset(&[("speed", "3")]),
            "preset-range" => preset(&[("steps", "0")]),
            "preset-range-excluded" => preset(&[("rate", "0")]),
            "preset-type" => preset(&[("steps", "many")]),
            "preset-bool" => preset(&[("shuffle", "maybe")]),
            "preset-choice" => preset(&[("function", "sine")]),
            "preset-key-twice" => preset(&[("steps", "3"), ("steps", "4")]),
            "preset-twice" => preset(&[]).preset("quick", "Fast", &[]),
            "preset-name" => right().preset("very quick", "Fast", &[]),
            "panic" => panic!("info() was not ready"),
            "figure-syntax" => figure("type \"line\""),
            "figure-type" => figure("type = \"lines\"\nmetric = \"loss\""),
            "figure-scale" => figure("type = \"rule\"\ny = \"high\""),
            "figure-column" => figure("type = \"scatter\"\ntable = \"predictions\"\nxcol = \"x\""),
            "figure-key" => figure("type = \"line\"\nmetric = \"los\"\nlable = \"training\""),
            "figure-rule" => {
                figure("type = \"rule\"\ny = nan\n[[figure.panel.mark]]\ntype = \"rule\"\nx = -inf")
            }
            "figure-large" => figure("type = \"rule\"\ny = 99999999999999999999"),
            _ => right(),
        }
    }

    fn validate(&self) -> Result<()> {
        if let Some(log) = std::env::var_os("GRADTOP_JUDGED") {
            let mut log = std::fs::File::options().create(true).append(true).open(log)?;
            writeln!(log, "{}", std::process::id())?;
        }
        match self.mistake.as_str() {
            "params" => Err("rate does not fit steps\n  steps: 20\n  rate: 0.1")?,
            "judging" => std::process::abort(),
            _ => Ok(()),
        }
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let loss = ctx.series(Series::metric("loss"))?;
        let panics = || -> f64 { panic!("the loader found no data") };
        let named = || std::thread::Builder::new().name("loader".into());
        match self.mistake.as_str() {
            "detached" => {
                let thread = named().spawn(panics)?;
                while !thread.is_finished() {
                    std::thread::yield_now();
                }
            }
            // The author ignores the result of the thread.
            "joined" => drop(named().spawn(panics)?.join()),
            "scoped" => std::thread::scope(|scope| drop(scope.spawn(panics))),
            "main" => drop(std::panic::catch_unwind(panics)),
            "lines" => Err("the data set is broken\n  row 3: no label\n  row 7: no label")?,
            _ => {}
        }
        for step in 0..self.steps {
            let way = if self.shuffle && self.function == "sign" { -1.0 } else { 1.0 };
            ctx.log(step, &[(loss, way * self.rate / (step + 1) as f64)])?;
            // The last step ends without a check.
            if self.mistake != "detached-late" {
                ctx.step_end()?;
            }
        }
        if self.mistake == "detached-late" {
            let thread = std::thread::spawn(panics);
            while !thread.is_finished() {
                std::thread::yield_now();
            }
        }
        Ok(())
    }
}

gradtop_sdk::export_experiments![Mistaken];
