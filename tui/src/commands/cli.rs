//! Defines the command line.

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
    after_help = "RUN is the name of a run, the beginning of one, or `last` for the newest.\n\
                  FILTER is as in the monitor's `/`: words, state:failed, lr>1e-3, NOT, OR.\n\
                  Exit codes: 0 finished, 1 failed, 2 usage, 3 stopped, 4 crashed, 5 left running."
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a run of an experiment and watch it
    Run(commands::run::Args),
    /// Run any command and record its output, logs, hardware use and result
    Exec(commands::exec::Args),
    /// Queue a run for each combination of values, for an experiment or a command
    Sweep(commands::sweep::Args),
    /// Show which settings led to the best values of a metric
    Best(commands::best::Args),
    /// List, reorder, hold, release and start waiting runs
    Queue(commands::queue::Args),
    /// List and check the launchers that can start runs, such as Slurm
    Launchers(commands::launchers::Args),
    /// Let a running process log to its own run; for clients in other languages
    #[command(hide = true)]
    Sink(commands::sink::Args),
    /// List runs
    List(commands::list::Args),
    /// Show everything about a run
    Show(commands::show::Args),
    /// Explain what is wrong with a run, with the proof
    Why(commands::why::Args),
    /// Print a run's output and events
    Logs(commands::logs::Args),
    /// Draw a run's figures and metrics
    Plot(commands::plot::Args),
    /// Compare runs: parameters that differ, and results
    Compare(commands::compare::Args),
    /// Import the logs of another tool, such as TensorBoard, as runs
    Import(commands::import::Args),
    /// Show the logs of another tool in the monitor while they grow
    Open(commands::open::Args),
    /// Write a run's rows as CSV, Parquet or TensorBoard event files
    Export(commands::export::Args),
    /// Ask questions about runs in SQL, with DuckDB
    Query(commands::query::Args),
    /// Write a report about runs, as one HTML file and Markdown
    Report(commands::report::Args),
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
    /// Write a note about a run
    Note(commands::note::Args),
    /// Tag runs, or remove tags
    Tag(commands::tag::Args),
    /// Star runs
    Star(commands::tag::Stars),
    /// Remove the stars of runs
    Unstar(commands::tag::Stars),
    /// Rename a run
    Rename(commands::rename::Args),
    /// Delete a run and everything it recorded
    Rm(commands::rm::Args),
    /// Free disk space: delete old checkpoints, and rows set aside by resumes
    Gc(commands::gc::Args),
    /// List experiments, or show the parameters of one
    Experiments(commands::experiments::Args),
    /// Create, build, install and check plugins
    #[command(subcommand)]
    Plugin(commands::plugin::Command),
    /// List, download and check data sets
    Data(commands::data::Args),
    /// Find or download libtorch or DuckDB, once for this machine
    Setup(commands::setup::Args),
    /// Check this machine (libtorch, GPUs, plugins, disk, logout), or the files of runs
    Doctor(commands::doctor::Args),
    /// Run every experiment on a device and on the CPU, and compare what they record
    Selftest(commands::selftest::Args),
    /// Show the settings in effect and where each comes from
    Config(commands::config::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
    /// Write the manual pages to a folder
    #[command(hide = true)]
    Man(commands::man::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    fn check(command: &clap::Command) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for block in help.split("\n\n").filter(|block| block.contains('\n')) {
            for line in block.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
        }
        command.get_subcommands().for_each(check);
    }

    /// clap wraps what is longer; a line broken by hand would be broken twice.
    #[test]
    fn lines_of_help_that_are_broken_by_hand_fit_a_terminal() {
        check(&Cli::command());
    }
}
