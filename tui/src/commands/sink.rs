//! `gradtop sink`: creates a run for a process that is already running, for clients not started by `gradtop exec`.

use anyhow::{Context as _, Result};
use gradtop_host::{DEFAULT_CHECKPOINT_EVERY, Exec};
use gradtop_store::read_status;
use serde_json::json;

use super::Context;
use crate::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The process that logs; the run ends with it, or when it sends `finish`
    #[arg(long, value_name = "PID")]
    attach: u32,
    /// Name of the run [default: the experiment's with the next free number]
    #[arg(long)]
    name: Option<String>,
    /// Experiment of the run [default: the name of the script]
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// Total number of steps, for progress and time left
    #[arg(long, value_name = "STEPS")]
    total: Option<u64>,
    /// The seed, for the record [default: drawn]
    #[arg(long)]
    seed: Option<u64>,
    /// The command line of the process, for the record
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND", num_args = 1..)]
    command: Vec<String>,
}

/// Creates the run and prints as JSON where to send rows. docs/sink.md describes the protocol.
pub(crate) fn run(context: &Context, args: Args) -> Result<i32> {
    args.experiment.as_deref().map_or(Ok(()), gradtop_store::validate_experiment)?;
    let exec = Exec {
        runs: context.runs()?,
        experiment: args.experiment,
        name: args.name,
        attached: Some(args.attach),
        argv: args.command,
        dir: std::env::current_dir().context("the working folder cannot be found")?,
        seed: args.seed,
        total: args.total,
        no_diff: !context.config.code_diff(),
        checkpoint_every: DEFAULT_CHECKPOINT_EVERY,
        ..Exec::default()
    };
    let run = gradtop_host::exec(&exec)?;
    let sink = read_status(&run)?.sink;
    print::json(&json!({"run": run.name(), "dir": run.path().to_string_lossy(), "sink": sink}))?;
    Ok(0)
}
