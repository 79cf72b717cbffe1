//! `gradtop` alone: the monitor.

use anyhow::Result;

use super::{Context, list};
use crate::print;
use crate::runtime::{self, Options};

/// Frames a second, and kilobytes a second for which a slow line still feels quick.
const FPS: f64 = 10.0;
const KBPS: f64 = 4.0;

/// Arguments of the monitor.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Monitor (without a command)")]
pub(crate) struct Args {
    /// Look only: nothing can be started, stopped or deleted
    #[arg(long)]
    read_only: bool,
    /// Print one frame and end
    #[arg(long)]
    once: bool,
    /// Frames a second that new data may cause, at most
    #[arg(long, value_name = "N", default_value_t = FPS, value_parser = fps)]
    fps: f64,
    /// Kilobytes a second that new data may cause, on average, keys aside; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = KBPS, value_parser = kbps)]
    max_kbps: f64,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let options =
        Options { runs: context.runs()?, read_only: args.read_only, fps: args.fps, max_kbps: args.max_kbps };
    if args.once {
        runtime::once(&options)
    } else if print::terminal().tty {
        runtime::run(&options)
    } else {
        list::run(context, &list::Args::default())
    }
}

impl Args {
    /// The first option that was given, for an error: a command has no use for any of them.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let usual = Self { read_only: false, once: false, fps: FPS, max_kbps: KBPS };
        [
            (self.read_only != usual.read_only, "--read-only"),
            (self.once != usual.once, "--once"),
            (self.fps != usual.fps, "--fps"),
            (self.max_kbps != usual.max_kbps, "--max-kbps"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

fn fps(text: &str) -> Result<f64, String> {
    between(text, 0.1, 60.0)
}

fn kbps(text: &str) -> Result<f64, String> {
    between(text, 0.0, 1e6)
}

fn between(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (low..=high).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{text} is not between {low} and {high}"))
    }
}
