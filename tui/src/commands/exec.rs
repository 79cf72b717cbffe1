//! `gradtop exec`: records any command as a run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use gradtop_host::{AlertRule, DEFAULT_CHECKPOINT_EVERY, DeviceChoice, Exec, Start, filled, place, unfilled};
use gradtop_store::{Goal, LogInfo, MetricInfo, validate_experiment};

use super::Context;
use super::run_config::{assignment, check_once};
use super::signals::Signals;
use super::start::Starting;
use crate::config::{seconds, whole};
use crate::failure::Failure;
use crate::print::{self, clean};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gradtop exec [OPTIONS] -- COMMAND...",
    after_help = "\
The command runs in the background and continues when this terminal is closed. gradtop records the output, \
processor time and memory of any program, and how it ended. Lines on descriptor 3 are logged: \
echo \"12 loss/train=0.31\" >&3. Python logs with `import gradtop`."
)]
pub(crate) struct Args {
    /// Name of the run [default: the experiment's with the next free number]
    #[arg(long)]
    name: Option<String>,
    /// Experiment of the run [default: the name of the script]
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// Record a parameter and replace {KEY} in the command by its value; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = assignment)]
    params: Vec<(String, String)>,
    /// Declare a metric, such as loss:min or accuracy:max:headline=test; may be given several times
    #[arg(long = "metric", value_name = "NAME[:min|max][:…]", value_parser = metric)]
    metrics: Vec<MetricInfo>,
    /// Total number of steps, for progress and time left
    #[arg(long, value_name = "STEPS", value_parser = whole(1..=u64::MAX))]
    total: Option<u64>,
    /// Seed to pass on as `GRADTOP_SEED` [default: drawn and recorded]
    #[arg(long, value_parser = whole(0..=u64::MAX))]
    seed: Option<u64>,
    /// Record what it writes for TensorBoard, in this folder and those in it; may be given several times
    #[arg(long, value_name = "DIR")]
    tensorboard: Vec<PathBuf>,
    /// Record what it writes to this CSV file; may be given several times
    #[arg(long, value_name = "FILE")]
    csv: Vec<PathBuf>,
    /// Record what it writes to this file of JSON lines; may be given several times
    #[arg(long, value_name = "FILE")]
    jsonl: Vec<PathBuf>,
    /// The only GPU that it sees, as cuda or cuda:N, or cpu for none; auto hides none. With --queue, its slot too
    #[arg(long, value_name = "DEVICE", default_value_t, hide_default_value = true)]
    device: DeviceChoice,
    /// The command can continue from the checkpoint in `GRADTOP_RESUME_DIR`, so `gradtop resume` may start it again
    #[arg(long)]
    resumable: bool,
    /// Seconds until it is killed after a stop, if it does not end by itself [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    grace: Option<f64>,
    /// Do not record what differs from the git commit
    #[arg(long)]
    no_diff: bool,
    /// Seconds between checkpoints, if the program saves them [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    checkpoint_every: Option<f64>,
    /// Raise an alert by a rule such as non-finite, 'loss > 10', 'stalled 5m' or end; may be given several times
    #[arg(long = "alert", value_name = "RULE")]
    alerts: Vec<AlertRule>,
    #[command(flatten)]
    starting: Starting,
    /// The command, after --; with --seed, {seed} in it is the seed
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND", num_args = 1..)]
    command: Vec<String>,
}

pub(crate) fn run(context: &Context, args: Args) -> Result<i32> {
    // First of all: from here on, Ctrl-C and SIGTERM are handled and never end the command silently.
    let signals = Signals::new()?;
    args.experiment.as_deref().map_or(Ok(()), validate_experiment)?;
    gradtop_host::set_alerts(context.config.alerts(args.alerts));
    let every = args.checkpoint_every.or(context.config.launch().checkpoint_every);
    let params = args.params;
    check_once(&params)?;
    if args.seed.is_some() && params.iter().any(|(key, _)| key == "seed") {
        return Err(Failure::usage("the seed is given twice: by --seed and by --param seed=…").into());
    }
    let mut places: Vec<_> = params.iter().map(|(key, text)| (place(key), text.clone())).collect();
    places.extend(args.seed.map(|seed| (place("seed"), seed.to_string())));
    note_unfilled(&args.command, &places);
    let dir = std::env::current_dir().context("the working folder cannot be found")?;
    let logs = [("tensorboard", args.tensorboard), ("csv", args.csv), ("jsonl", args.jsonl)];
    let exec = Exec {
        runs: context.runs()?,
        experiment: args.experiment,
        name: args.name,
        attached: None,
        argv: filled(&args.command, &places),
        template: args.command,
        logs: logs.into_iter().flat_map(|(format, paths)| written(&dir, format, paths)).collect(),
        device: args.device,
        dir,
        params,
        metrics: args.metrics,
        seed: args.seed,
        total: args.total,
        resumable: args.resumable,
        grace: args.grace.map(Duration::from_secs_f64),
        no_diff: args.no_diff || !context.config.code_diff(),
        checkpoint_every: every.map_or(DEFAULT_CHECKPOINT_EVERY, Duration::from_secs_f64),
    };
    args.starting.start(context, signals, Start::Exec(exec))
}

/// Describes logs of a format, with paths relative to `dir`.
fn written(dir: &Path, format: &str, paths: Vec<PathBuf>) -> Vec<LogInfo> {
    let log =
        |path| LogInfo { format: format.to_owned(), path: dir.join(path).to_string_lossy().into_owned() };
    paths.into_iter().map(log).collect()
}

/// Notes the words in braces that look like parameters of a command but have no value.
pub(crate) fn note_unfilled(command: &[String], places: &[(String, String)]) {
    for place in unfilled(command, places) {
        let place = clean(&place);
        print::note(&format!("{place} in the command has no value and stays as it is"));
    }
}

/// Parses `loss`, `loss:min`, `loss:min:headline=test:log:unit=nats`.
pub(crate) fn metric(text: &str) -> Result<MetricInfo, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default().trim();
    if name.is_empty() {
        return Err(format!("{text:?} has no name before the first colon"));
    }
    let mut metric = MetricInfo { name: name.to_owned(), ..MetricInfo::default() };
    for part in parts {
        match part.split_once('=').unwrap_or((part, "")) {
            ("min", "") => (metric.goal, metric.headline) = (Goal::Min, true),
            ("max", "") => (metric.goal, metric.headline) = (Goal::Max, true),
            ("headline", of) => {
                metric.headline = true;
                metric.headline_of = Some(of.to_owned()).filter(|of| !of.is_empty());
            }
            ("log", "") => metric.log = true,
            ("guard", "") => metric.guard = true,
            ("unit", unit) if !unit.is_empty() => metric.unit = Some(unit.to_owned()),
            _ => {
                return Err(format!(
                    "{part:?} is not one of min, max, headline=SPLIT, log, guard, unit=UNIT"
                ));
            }
        }
    }
    Ok(metric)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::ParamValue;

    use super::*;
    use crate::report::repeat::metric_text;

    #[test]
    fn metrics_are_declared_in_a_word() {
        let loss = metric("loss:min:headline=test:log:unit=nats").unwrap();
        assert_eq!((loss.name.as_str(), loss.goal, loss.log), ("loss", Goal::Min, true));
        assert_eq!((loss.headline_of.as_deref(), loss.unit.as_deref()), (Some("test"), Some("nats")));
        assert!(!metric("loss").unwrap().headline);
        assert_eq!(
            metric("loss:up").unwrap_err(),
            "\"up\" is not one of min, max, headline=SPLIT, log, guard, unit=UNIT"
        );
        assert!(metric(":min").is_err());
    }

    #[test]
    fn a_metric_is_written_as_it_is_read() {
        for text in ["loss", "loss:min", "acc:max:headline=train", "lr:headline:log:guard:unit=1/s"] {
            assert_eq!(metric_text(&metric(text).unwrap()), text);
        }
    }

    #[test]
    fn a_parameter_has_the_type_of_its_text() {
        assert_eq!(ParamValue::typed("3"), ParamValue::Int(3));
        assert_eq!(ParamValue::typed("1e-3"), ParamValue::Float(1e-3));
        assert_eq!(ParamValue::typed("true"), ParamValue::Bool(true));
        assert_eq!(ParamValue::typed("adam"), ParamValue::Text("adam".to_owned()));
    }
}
