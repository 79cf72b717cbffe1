//! `gradtop wait`: until a run has ended.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Context;
use super::watch::{self, Caught, LEFT_RUNNING};
use crate::failure::Failure;
use crate::print;
use gradtop_view::state;

/// Arguments of `wait`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    #[arg(default_value = "last")]
    run: String,
    /// Give up after this many seconds, with exit code 5
    #[arg(long, value_name = "SECONDS", value_parser = crate::config::seconds)]
    timeout: Option<f64>,
    /// Print the run as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let mut caught = Caught::new()?;
    let run = context.find(&args.run)?;
    let mut told = false;
    let deadline = args.timeout.map(|t| Instant::now() + Duration::from_secs_f64(t));
    loop {
        let view = super::view(&run)?;
        if view.state.is_final() {
            watch::end(&view, args.json)?;
            return Ok(view.state.exit_code());
        }
        if !view.certain {
            return Err(Failure::new(format!(
                "{} runs on {}: this machine cannot tell when it ends",
                view.manifest.run, view.host
            ))
            .into());
        }
        if deadline.is_some_and(|d| Instant::now() >= d) || caught.any() {
            print::note(&format!("{} is still {}", view.manifest.run, view.state));
            return Ok(LEFT_RUNNING);
        }
        if !told && let Some(silence) = state::silence(&view).filter(|_| view.suspended().is_some()) {
            print::note(&format!("{}: {silence}", view.manifest.run));
            told = true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
