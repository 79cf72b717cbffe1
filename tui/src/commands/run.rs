//! `gradtop run`: starts a run and watches it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use gradtop_host::{AlertRule, DEFAULT_CHECKPOINT_EVERY, DeviceChoice, Exec, ExperimentDesc, Launch, Start};

use super::Context;
use super::experiments::unknown;
use super::plugin::describe;
use super::run_config::{RunConfig, assignment, merge};
use super::signals::Signals;
use super::start::Starting;
use crate::config::{seconds, whole};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_store::ParamValue;

/// What to run, and with what: arguments of `run` and `sweep`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ExperimentOptions {
    /// The experiment; `gradtop experiments` lists them
    experiment: Option<String>,
    /// Run it from this library, without installing it
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Start from a named set of parameters
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Set a parameter; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
    /// Read experiment, preset, seed, device, threads, name, `checkpoint_every` and `[params]` from a TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Number of threads [default: the machine's cores, at most 8]
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1..=4096))]
    threads: Option<u32>,
    /// Seconds between checkpoints of a resumable experiment [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    checkpoint_every: Option<f64>,
    /// Raise an alert by a rule such as non-finite, 'loss > 10', 'stalled 5m' or end; may be given several times
    #[arg(long = "alert", value_name = "RULE")]
    alerts: Vec<AlertRule>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ExperimentOptions,
    /// Name of the run [default: the experiment's with the next free number]
    #[arg(long)]
    name: Option<String>,
    /// Random seed [default: drawn and recorded]
    #[arg(long, value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,
    #[command(flatten)]
    starting: Starting,
}

pub(crate) fn run(context: &Context, args: Args) -> Result<i32> {
    // First of all: from here on, Ctrl-C and SIGTERM are handled and never end the command silently.
    let signals = Signals::new()?;
    let (mut launch, _) = args.choice.launch(context)?;
    launch.name = args.name.or(launch.name);
    launch.seed = args.seed.or(launch.seed);
    args.starting.start(context, signals, Start::Run(launch))
}

impl ExperimentOptions {
    /// Converts the options for a command, and returns what is set. Those that only experiments have are an error.
    pub(crate) fn command(self, context: &Context) -> Result<(Exec, Vec<(String, String)>)> {
        let Self { experiment, plugin, preset, sets, config, device, threads, checkpoint_every, alerts } =
            self;
        let given = [
            ("--plugin", plugin.is_some()),
            ("--preset", preset.is_some()),
            ("--config", config.is_some()),
            ("--threads", threads.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            let why = format!("{option} is for experiments of plugins, not for a command");
            return Err(Failure::usage(why).into());
        }
        gradtop_host::set_alerts(context.config.alerts(alerts));
        let every = checkpoint_every.or(context.config.launch().checkpoint_every);
        let exec = Exec {
            runs: context.runs()?,
            experiment,
            dir: std::env::current_dir().context("the working folder cannot be found")?,
            device: device.unwrap_or_default(),
            no_diff: !context.config.code_diff(),
            checkpoint_every: every.map_or(DEFAULT_CHECKPOINT_EVERY, Duration::from_secs_f64),
            ..Exec::default()
        };
        Ok((exec, sets))
    }

    /// Returns whether a parameter is set on the command line.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.sets.iter().any(|(set, _)| set == key)
    }

    /// Resolves the run to launch and its experiment. Name and seed are those of the configuration file, if it has any.
    pub(crate) fn launch(self, context: &Context) -> Result<(Launch, ExperimentDesc)> {
        let config = self.config.as_deref().map(RunConfig::read).transpose()?.unwrap_or_default();
        let (plugin, experiment) = chosen(self.plugin.as_deref(), self.experiment.or(config.experiment))?;
        let id = experiment.id.clone();
        let usual = context.config.launch();
        gradtop_host::set_alerts(context.config.alerts(self.alerts));
        let device = match (self.device, config.device) {
            (Some(device), _) => device,
            (None, Some(text)) => text.parse().map_err(|e: String| Failure::usage(e))?,
            (None, None) => usual.device.unwrap_or_default(),
        };
        let preset = self.preset.or(config.preset);
        let sets = merge(config.params, &self.sets);
        let params = resolved(&experiment, preset.as_deref(), &sets)?;
        let every = self.checkpoint_every.or(config.checkpoint_every).or(usual.checkpoint_every);
        let launch = Launch {
            runs: context.runs()?,
            plugin,
            experiment: id,
            params,
            preset,
            name: config.name,
            seed: config.seed,
            device,
            threads: self.threads.or(config.threads).or(usual.threads),
            checkpoint_every: every.map_or(DEFAULT_CHECKPOINT_EVERY, Duration::from_secs_f64),
        };
        Ok((launch, experiment))
    }
}

/// Resolves a value for every parameter.
pub(crate) fn resolved(
    experiment: &ExperimentDesc,
    preset: Option<&str>,
    sets: &[(String, String)],
) -> Result<Vec<(String, ParamValue)>> {
    gradtop_host::resolve_params(experiment, preset, sets).map_err(|e| {
        Failure::usage(e.to_string())
            .help(format!("`gradtop experiments {}` lists parameters and presets", clean(&experiment.id)))
            .into()
    })
}

/// Finds the experiment and its library. With `--plugin`, the id may be omitted if the library has only one experiment.
fn chosen(library: Option<&Path>, id: Option<String>) -> Result<(PathBuf, ExperimentDesc)> {
    let unnamed = |help: &str| Failure::usage("no experiment given").help(help);
    let Some(file) = library else {
        let id = id.ok_or_else(|| unnamed("name one, or set experiment = \"…\" in the configuration"))?;
        let found = gradtop_host::discover_for([id.as_str()]);
        let (plugin, experiment) = found.experiment(&id).ok_or_else(|| unknown(&found, &id))?;
        return Ok((plugin.path.clone(), experiment.clone()));
    };
    let mut has = describe(file)?.experiments;
    let ids: Vec<String> = has.iter().map(|e| e.id.clone()).collect();
    let place = match &id {
        Some(id) => ids.iter().position(|has| has == id).ok_or_else(|| {
            let message = format!("{} has no experiment {id:?}", print::short(file));
            Failure::unknown(message, id, ids.iter().map(String::as_str), "experiments")
        })?,
        None if ids.len() == 1 => 0,
        None => return Err(unnamed(&clean(&format!("it has {}", ids.join(", ")))).into()),
    };
    Ok((file.to_owned(), has.swap_remove(place)))
}
