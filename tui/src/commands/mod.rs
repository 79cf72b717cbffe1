//! The commands, one module each, and what they share.

pub(crate) mod best;
pub(crate) mod cli;
pub(crate) mod compare;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod control;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod experiments;
pub(crate) mod export;
mod follow;
pub(crate) mod gc;
pub(crate) mod import;
pub(crate) mod launchers;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod monitor;
pub(crate) mod note;
pub(crate) mod open;
pub(crate) mod plot;
pub(crate) mod plugin;
pub(crate) mod query;
pub(crate) mod queue;
pub(crate) mod rename;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod rm;
pub(crate) mod run;
mod run_config;
pub(crate) mod select;
pub(crate) mod selftest;
pub(crate) mod setup;
pub(crate) mod show;
mod signals;
pub(crate) mod sink;
mod start;
pub(crate) mod study;
pub(crate) mod sweep;
pub(crate) mod tag;
pub(crate) mod usage;
pub(crate) mod wait;
mod watch;
pub(crate) mod why;

use std::path::PathBuf;

use anyhow::Result;
use gradtop_chart::number;
use gradtop_store::{RunDir, StoreError, View, damaged_files, follow_run, inspect_each};

use crate::config::Config;
use crate::failure::Failure;
use crate::print::{self, clean};
use cli::{Cli, Command};

/// The global options and settings.
pub(crate) struct Context {
    runs: Option<PathBuf>,
    ascii: bool,
    config: Config,
}

impl Context {
    /// Returns the runs folder, which need not exist.
    pub(crate) fn runs(&self) -> Result<PathBuf> {
        let named = self.runs.clone().or_else(|| self.config.runs());
        let runs = gradtop_store::runs_dir(named.as_deref())?;
        let why = match std::fs::metadata(&runs) {
            Ok(meta) if !meta.is_dir() => "it is a file".to_owned(),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => e.to_string(),
            _ => return Ok(runs),
        };
        Err(Failure::usage(format!("{} is not a runs folder: {why}", print::short(&runs)))
            .help("name another with --runs or GRADTOP_RUNS")
            .into())
    }

    /// Returns the runs folder, which need not exist, but can be read if it does.
    pub(crate) fn readable_runs(&self) -> Result<PathBuf> {
        let runs = self.runs()?;
        match std::fs::read_dir(&runs) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::new(format!("cannot list {}: {e}", print::short(&runs)))
                    .help(
                        "ask its owner for the right to read it, or name another with --runs or GRADTOP_RUNS",
                    )
                    .into())
            }
            _ => Ok(runs),
        }
    }

    /// Finds a run by name, prefix or `last`.
    pub(crate) fn find(&self, name: &str) -> Result<RunDir> {
        gradtop_store::find_run(&self.existing_runs()?, name).map_err(|error| match error {
            StoreError::NoSuchRun { .. } if select::is_filter(name) => {
                let words = clean(&gradtop_store::shell_words(&[name.to_owned()]));
                Failure::usage(format!("{words} is a filter, and the name of one run is needed here"))
                    .help(format!("`gradtop list {words}` shows the runs that it selects"))
                    .into()
            }
            error => error.into(),
        })
    }

    /// Returns the runs folder for reading. If it was named explicitly, it must exist.
    pub(crate) fn existing_runs(&self) -> Result<PathBuf> {
        let runs = self.readable_runs()?;
        if runs.is_dir() {
            return Ok(runs);
        }
        let named =
            self.runs.is_some() || std::env::var_os("GRADTOP_RUNS").is_some_and(|dir| !dir.is_empty());
        if !named {
            return Ok(runs);
        }
        let beside = runs.parent().and_then(|parent| std::fs::read_dir(parent).ok()).into_iter().flatten();
        let folders = beside.flatten().filter(|e| e.path().is_dir());
        let beside: Vec<String> = folders.filter_map(|e| e.file_name().into_string().ok()).collect();
        let name = runs.file_name().unwrap_or_default().to_string_lossy();
        let near = gradtop_store::near(&name, beside.iter().map(String::as_str));
        let help = if near.is_empty() {
            "`gradtop run` creates the folder that --runs or GRADTOP_RUNS names".to_owned()
        } else {
            clean(&format!("did you mean {}?", near.join(" or ")))
        };
        Err(Failure::usage(format!("there is no folder {}", print::short(&runs))).help(help).into())
    }

    /// Finds a run and reads its state. One that leaves the queue in between is looked for again.
    pub(crate) fn view(&self, name: &str) -> Result<View> {
        loop {
            let run = self.find(name)?;
            match view(&run) {
                Err(_) if run.is_queued() && !run.path().is_dir() => {}
                seen => return seen,
            }
        }
    }
}

/// Reads the state of a run, see [`gradtop_host::look`].
pub(crate) fn view(run: &RunDir) -> Result<View> {
    Ok(gradtop_host::look(run)?)
}

/// Reads a run again, which may have left the queue since.
pub(crate) fn again(seen: &View) -> Result<View> {
    follow_run(&seen.dir, &seen.manifest.experiment.id, view)
}

/// Returns how many files of each run are damaged or missing.
fn count_damaged(views: &[View]) -> Vec<usize> {
    let places: Vec<_> = views.iter().enumerate().map(|(at, view)| (view.dir.clone(), at)).collect();
    inspect_each(&places, |_, at| damaged_files(&views[at]))
}

/// Warns about the runs with damaged files, of which `damaged` is the number for each run.
fn warn_of_counted(views: &[View], damaged: &[usize]) {
    for (view, damaged) in views.iter().zip(damaged).filter(|(_, damaged)| **damaged > 0) {
        let (name, files) = (&view.manifest.run, number::counted(*damaged, "damaged file"));
        print::warn(format!("{name} has {files}: gradtop show {name}"));
    }
}

/// Runs the command. Returns the exit code.
pub(crate) fn dispatch(cli: Cli, config: Config) -> Result<i32> {
    let context = Context { runs: cli.runs, ascii: cli.ascii, config };
    if let (Some(option), Some(_)) = (cli.monitor.given(), &cli.command) {
        return Err(Failure::usage(format!("{option} belongs to the monitor, not to a command"))
            .help("`gradtop` without a command starts the monitor")
            .into());
    }
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    crate::config::unknown_variables(variables).iter().for_each(print::warn);
    gradtop_host::set_alerts(context.config.alerts(Vec::new()));
    match cli.command {
        None => monitor::run(&context, &cli.monitor),
        Some(Command::List(args)) => list::run(&context, &args),
        Some(Command::Run(args)) => run::run(&context, args),
        Some(Command::Exec(args)) => exec::run(&context, args),
        Some(Command::Sweep(args)) => sweep::run(&context, args),
        Some(Command::Best(args)) => best::run(&context, &args),
        Some(Command::Queue(args)) => queue::run(&context, &args),
        Some(Command::Launchers(args)) => launchers::run(&context, &args),
        Some(Command::Sink(args)) => sink::run(&context, args),
        Some(Command::Show(args)) => show::run(&context, &args),
        Some(Command::Why(args)) => why::run(&context, &args),
        Some(Command::Logs(args)) => logs::run(&context, &args),
        Some(Command::Export(args)) => export::run(&context, &args),
        Some(Command::Import(args)) => import::run(&context, &args),
        Some(Command::Open(args)) => open::run(context, &args),
        Some(Command::Plot(args)) => plot::run(&context, &args),
        Some(Command::Compare(args)) => compare::run(&context, &args),
        Some(Command::Query(args)) => query::run(&context, &args),
        Some(Command::Report(args)) => report::run(&context, &args),
        Some(Command::Study(args)) => study::run(&context, &args),
        Some(Command::Pause(args)) => control::pause(&context, &args),
        Some(Command::Resume(args)) => resume::run(&context, &args),
        Some(Command::Stop(args)) => control::stop(&context, &args),
        Some(Command::Checkpoint(args)) => control::checkpoint(&context, &args),
        Some(Command::Wait(args)) => wait::run(&context, &args),
        Some(Command::Note(args)) => note::run(&context, &args),
        Some(Command::Tag(args)) => tag::run(&context, &args),
        Some(Command::Star(args)) => tag::star(&context, &args),
        Some(Command::Unstar(args)) => tag::unstar(&context, &args),
        Some(Command::Rename(args)) => rename::run(&context, &args),
        Some(Command::Rm(args)) => rm::run(&context, &args),
        Some(Command::Gc(args)) => gc::run(&context, &args),
        Some(Command::Experiments(args)) => experiments::run(&args),
        Some(Command::Plugin(command)) => plugin::run(&context, &command),
        Some(Command::Data(args)) => data::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&context, &args),
        Some(Command::Setup(args)) => setup::run(&args),
        Some(Command::Config(args)) => config::run(&context, &args),
        Some(Command::Selftest(args)) => selftest::run(&args),
        Some(Command::Completions(args)) => Ok(completions::run(&args)),
        Some(Command::Man(args)) => man::run(&args),
    }
}
