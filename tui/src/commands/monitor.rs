//! `gradtop` alone: the monitor.

use anyhow::Result;

use super::{Context, list};
use crate::print;
use crate::runtime::{self, Options};

/// Arguments of the monitor.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Monitor (without a command)")]
pub(crate) struct Args {
    /// Look only: nothing can be started, stopped or deleted
    #[arg(long)]
    read_only: bool,
    /// Frames a second that new data may cause, at most
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    fps: f64,
    /// Kilobytes a second to the terminal, at most, on average; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    max_kbps: f64,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    if !print::terminal().tty {
        return list::run(context, &list::Args::default());
    }
    let options =
        Options { runs: context.runs()?, read_only: args.read_only, fps: args.fps, max_kbps: args.max_kbps };
    runtime::run(&options)
}
