//! Defines the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};

use super as commands;

/// top for gradient descent: start, watch, compare and analyse neural-network training in the terminal.
#[derive(Debug, Parser)]
#[command(
    name = "gradtop",
    version,
    max_term_width = 100,
    subcommand_help_heading = "Commands",
    after_help = "RUN is the name of a run, the beginning of one, or `last` for the newest.\n\
                  FILTER is as in the monitor's `/`: words, state:failed, lr>1e-3, age<2h, NOT, OR, ( ).\n\
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
    /// Compare runs: parameters that differ, results, and curves in one chart
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

/// Adds a suggestion to an error for which clap has none.
pub(crate) fn hinted(error: clap::Error, args: &[OsString]) -> clap::Error {
    match error.kind() {
        ErrorKind::UnknownArgument if args.iter().any(|arg| arg == "run") => with_parameter(error, args),
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand | ErrorKind::ValueValidation => {
            with_near(error, args)
        }
        _ => error,
    }
}

/// The most subcommands that are listed if none is similar.
const FEW: usize = 8;

/// Suggests similar options or subcommands.
fn with_near(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let mut command = Cli::command();
    command.build();
    let mut command = &command;
    for arg in args {
        command = command.find_subcommand(arg).unwrap_or(command);
    }
    let options = || command.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?)));
    let is_known = |arg: &str| options().any(|option| Some(option.as_str()) == arg.split('=').next());
    let of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let hint = if let Some(wrong) = of(ContextKind::InvalidSubcommand) {
        let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let names: Vec<&str> = subcommands.map(clap::Command::get_name).collect();
        let near = gradtop_store::near(&wrong, names.iter().copied());
        let few =
            near.is_empty() && names.len() <= FEW && error.get(ContextKind::SuggestedSubcommand).is_none();
        if !near.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
        }
        few.then(|| format!("subcommands: {}", names.join(", ")))
    } else {
        // If values may begin with a dash, clap takes an unknown option for a value and complains about what follows.
        let mut options_given = args.iter().map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
        let wrong = options_given.find(|arg| arg.starts_with("--") && !is_known(arg));
        let Some(wrong) = wrong.filter(|_| error.get(ContextKind::SuggestedArg).is_none()) else {
            return error;
        };
        let options: Vec<String> = options().collect();
        let near = gradtop_store::near(&wrong, options.iter().map(String::as_str));
        let near = near.first().map(|option| format!("a similar option exists: '{option}'"));
        if error.kind() == ErrorKind::UnknownArgument {
            error.insert(ContextKind::InvalidArg, ContextValue::String(wrong.into_owned()));
        }
        near
    };
    if let Some(hint) = hint {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(hint)]));
    }
    error
}

/// Explains --set if the user tried to set a parameter as an option: `run NAME --lr 3`, `run NAME lr=3`.
fn with_parameter(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    // For a misspelt option, clap already has a suggestion.
    match error.remove(ContextKind::SuggestedArg) {
        Some(ContextValue::String(option)) if option != "--set" => {
            error.insert(ContextKind::SuggestedArg, ContextValue::String(option));
            return error;
        }
        _ => {}
    }
    let Some(at) = args.iter().position(|arg| arg.to_string_lossy().starts_with(wrong.as_str())) else {
        return error;
    };
    let whole = args[at].to_string_lossy();
    let next = args.get(at + 1).map(|arg| arg.to_string_lossy()).filter(|arg| !arg.starts_with("--"));
    let set = match (whole.strip_prefix("--").unwrap_or(&whole), next) {
        (set, _) if set.contains('=') => set.to_owned(),
        (key, Some(value)) if whole.starts_with("--") => format!("{key}={value}"),
        (key, None) if whole.starts_with("--") => format!("{key}=VALUE"),
        _ => return error,
    };
    let hint = StyledStr::from(format!("a parameter is set by '--set {set}'"));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint]));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_said() {
        let said = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            Cli::try_parse_from(&args).map_or_else(|e| hinted(e, &args).to_string(), |_| String::new())
        };
        for (line, hint) in [
            ("gradtop export a --cvs", "'--csv'"),
            ("gradtop query --csvv sql", "unexpected argument '--csvv' found"),
            ("gradtop query --csvv", "'--csv'"),
            ("gradtop list --colums a", "'--columns'"),
            ("gradtop data downlod", "subcommands: list, fetch, check"),
            ("gradtop plugin instal x", "exists: 'install'"),
            ("gradtop lst", "exists: 'list'"),
            ("gradtop help lst", "exists: 'list'"),
            ("gradtop help", "Commands:"),
            ("gradtop help list", "Usage: gradtop list"),
            ("gradtop help queue move", "Usage: gradtop queue move"),
            ("gradtop run fit --lr 3", "'--set lr=3'"),
        ] {
            assert!(said(line).contains(hint), "{line}: {}", said(line));
        }
        assert!(!said("gradtop export a --cvs").contains("-- --cvs"));
        assert!(!said("gradtop zzz").contains("subcommands:"));
        let wrong = said("gradtop exec --alert stalled:5 -- true");
        assert!(wrong.contains("is not a rule") && !wrong.contains("similar"), "{wrong}");
        assert!(!said("gradtop exec --total x -- true").contains("similar"));
        assert!(said("gradtop exec --total x -- true").contains("must be a whole number from 0"));
        for good in [
            "gradtop run fit --threads 4 --seed 1",
            "gradtop study --cores 4",
            "gradtop exec --total 4 --seed 1 -- true",
            "gradtop sweep fit --name s --vary lr=1 --seeds 2 --random 3 --at-once 4 --stop-early loss --stop-after 5",
            "gradtop plot last --width 80 --height 20",
        ] {
            assert_eq!(said(good), "");
        }
        assert!(said("gradtop run fit --threads 0").contains("must be a whole number from 1 to 4096"));
    }
}
