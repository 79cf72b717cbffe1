//! The command line: what can be typed, and what it means.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super as commands;

/// top for gradient descent: start, watch, compare and analyse neural-network training in the terminal.
#[derive(Debug, Parser)]
#[command(
    name = "gradtop",
    version,
    max_term_width = 100,
    subcommand_help_heading = "Commands",
    disable_help_subcommand = true,
    after_help = "RUN is the name of a run, the beginning of one, or `last` for the newest.\n\
                  Exit codes: 0 finished, 1 error or failed run, 2 usage, 3 stopped, 4 crashed, 5 left running."
)]
pub(crate) struct Cli {
    /// Runs folder [default: see `gradtop config`]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub(crate) runs: Option<PathBuf>,
    /// Print ASCII only (the default in a locale without UTF-8)
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) ascii: bool,
    #[command(flatten)]
    pub(crate) monitor: commands::monitor::Args,
    /// What to do; without, the monitor, or `list` where there is no terminal.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a run of an experiment and watch it
    Run(commands::run::Args),
    /// List runs
    List(commands::list::Args),
    /// Show everything about a run
    Show(commands::show::Args),
    /// Print a run's output and events
    Logs(commands::logs::Args),
    /// Draw a run's figures and metrics
    Plot(commands::plot::Args),
    /// Compare runs: parameters that differ, results, and curves in one chart
    Compare(commands::compare::Args),
    /// Run all experiments of a plan and write one report
    Study(commands::study::Args),
    /// Pause a run after its current step
    Pause(commands::control::Pause),
    /// Continue a paused run, or an ended one from its last checkpoint
    Resume(commands::resume::Args),
    /// Stop a run: it finishes its step and saves a checkpoint
    Stop(commands::control::Stop),
    /// Save a checkpoint of a run now
    Checkpoint(commands::control::Checkpoint),
    /// Wait until a run has ended
    Wait(commands::wait::Args),
    /// Delete a run and everything it recorded
    Rm(commands::rm::Args),
    /// List experiments, or show the parameters of one
    Experiments(commands::experiments::Args),
    /// Create, build, install and check plugins
    #[command(subcommand)]
    Plugin(commands::plugin::Command),
    /// List, download and check data sets
    Data(commands::data::Args),
    /// Find or download libtorch, once for this machine
    Setup(commands::setup::Args),
    /// Check this machine (libtorch, GPUs, plugins, disk, logout), or the files of runs
    Doctor(commands::doctor::Args),
    /// Show the settings in effect and where each comes from
    Config(commands::config::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
}
