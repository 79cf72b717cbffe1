//! A plugin with one experiment that keeps the contract of a run, or breaks it in the way named by `GRADTOP_FIXTURE`.

use std::time::Duration;

use gradtop_sdk::prelude::*;

/// Walks up a hill.
#[derive(Params)]
struct Walk {
    /// Steps
    #[param(default = 400, min = 1)]
    steps: i64,
    /// Where to
    #[param(default = "up")]
    to: String,
}

fn breaks(what: &str) -> bool {
    std::env::var("GRADTOP_FIXTURE").is_ok_and(|said| said == what)
}

impl Experiment for Walk {
    fn info() -> Info {
        Info::new("walk", "Walk", "").resumable().metric(Metric::new("height").headline())
    }

    fn validate(&self) -> Result<()> {
        if breaks("its judgement") {
            assert!(!self.to.is_empty(), "there is a place");
        }
        if self.to == "up" || breaks("its run") { Ok(()) } else { Err(Error::new("parameter `to` is `up`")) }
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        if self.to != "up" {
            std::process::abort();
        }
        let height = ctx.series(Series::metric(if breaks("its headline") { "depth" } else { "height" }))?;
        let (mut at, mut start) = (1.0, 0);
        if let Some(dir) = ctx.resume_dir() {
            start = std::fs::read_to_string(dir.join("next"))?.parse()?;
            if !breaks("its checkpoint") {
                at = std::fs::read_to_string(dir.join("at"))?.parse()?;
            }
        }
        let drift = if breaks("its seed") { f64::from(std::process::id()) } else { 1.0 };
        for step in ctx.steps(start..self.steps) {
            let step = step?;
            at += drift;
            ctx.log(step, &[(height, at)])?;
            std::thread::sleep(Duration::from_millis(3));
            if breaks("its promise") {
                continue;
            }
            ctx.checkpoint_if_due(step, |dir| {
                std::fs::write(dir.join("at"), at.to_string())?;
                Ok(std::fs::write(dir.join("next"), (step + 1).to_string())?)
            })?;
        }
        Ok(())
    }
}

gradtop_sdk::export_experiments![Walk];
