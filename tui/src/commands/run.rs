//! `gradtop run`: start a run and watch it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use gradtop_host::{DEFAULT_CHECKPOINT_EVERY, DeviceChoice, Discovery, Launch};

use super::Context;
use super::experiments::warn_of_refused;
use super::run_config::{RunConfig, assignment, merge};
use super::watch::{self, Caught, Watch};
use crate::config::seconds;
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_store::suggest;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The experiment; `gradtop experiments` lists them
    #[arg(required_unless_present = "config")]
    experiment: Option<String>,
    /// Start from a named set of parameters
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Set a parameter; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
    /// Read experiment, preset, seed, device, threads, name, `checkpoint_every` and `[params]` from a TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of the run [default: the experiment's with the next free number]
    #[arg(long)]
    name: Option<String>,
    /// Random seed [default: drawn and recorded]
    #[arg(long)]
    seed: Option<u64>,
    /// auto, cpu or cuda:N
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Number of threads [default: the machine's cores, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Option<u32>,
    /// Seconds between checkpoints of a resumable experiment [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    checkpoint_every: Option<f64>,
    /// Print the run's name and return once it has started
    #[arg(short, long)]
    detach: bool,
    /// Print JSON lines: started, event, status, final
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Result<i32> {
    // Before anything else: from here on a Ctrl-C or SIGTERM is answered, never lost and never the silent end of the command.
    let mut caught = Caught::new()?;
    let config = args.config.as_deref().map(RunConfig::read).transpose()?.unwrap_or_default();
    let id = args.experiment.or(config.experiment).ok_or_else(|| {
        Failure::usage("no experiment given").help("name one, or set experiment = \"…\" in the configuration")
    })?;
    let found = gradtop_host::discover_for([id.as_str()]);
    let (plugin, experiment) = found.experiment(&id).ok_or_else(|| unknown(&found, &id))?;
    let usual = context.config.launch();
    let device = match (args.device, config.device) {
        (Some(device), _) => device,
        (None, Some(text)) => text.parse().map_err(|e: String| Failure::usage(e))?,
        (None, None) => usual.device.unwrap_or_default(),
    };
    let preset = args.preset.or(config.preset);
    let sets = merge(config.params, &args.sets);
    let params = gradtop_host::resolve_params(experiment, preset.as_deref(), &sets).map_err(|e| {
        Failure::usage(e.to_string())
            .help(format!("`gradtop experiments {}` lists parameters and presets", clean(&id)))
    })?;
    let every = args.checkpoint_every.or(config.checkpoint_every).or(usual.checkpoint_every);
    let launch = Launch {
        runs: context.runs()?,
        plugin: plugin.path.clone(),
        experiment: id,
        params,
        preset,
        name: args.name.or(config.name),
        seed: args.seed.or(config.seed),
        device,
        threads: args.threads.or(config.threads).or(usual.threads),
        checkpoint_every: every.map_or(DEFAULT_CHECKPOINT_EVERY, Duration::from_secs_f64),
    };
    if caught.any() {
        return Err(interrupted());
    }
    let run = match gradtop_host::launch(&launch) {
        Ok(run) => run,
        Err(_) if caught.any() => return Err(interrupted()),
        Err(e) => return Err(e.into()),
    };
    let view = super::view(&run)?;
    // Whoever interrupts a start wants it stopped, detached or not.
    let detach = args.detach && !caught.any();
    if detach && !args.json {
        // Only the name, for scripts: run=$(gradtop run … --detach).
        print::line(&view.manifest.run);
        return Ok(0);
    }
    watch::announce(&view, "started", args.json)?;
    if detach {
        return Ok(0);
    }
    watch::watch(&run, Watch { json: args.json, ours: true }, caught)
}

/// The error for a Ctrl-C or SIGTERM before there was a run.
fn interrupted() -> anyhow::Error {
    Failure::new("interrupted before the run was started; nothing was left behind".to_owned()).into()
}

/// The error for an experiment that no plugin has.
pub(crate) fn unknown(found: &Discovery, id: &str) -> Failure {
    let known: Vec<&str> = found.experiments().map(|(_, e)| e.id.as_str()).collect();
    let help = if known.is_empty() {
        let places: Vec<String> = gradtop_host::search_path().iter().map(|p| print::short(p)).collect();
        format!("no plugins were found in {}", places.join(", "))
    } else {
        suggest(id, known.iter().copied(), "experiments")
    };
    // It may well be one of those that cannot be used.
    warn_of_refused(found);
    Failure::usage(format!("there is no experiment {id:?}")).help(clean(&help))
}
