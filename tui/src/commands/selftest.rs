//! `gradtop selftest`: compares every experiment on a device with the CPU.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use gradtop_chart::cells::align::Align;
use gradtop_host::{DeviceChoice, ExperimentDesc, device, libtorch};
use serde_json::{Value, json};

use super::plugin::say_failed;
use super::signals::Signals;
use crate::config::seconds;
use crate::conformance::selftest::{Compared, Memory};
use crate::conformance::tolerance::Tolerances;
use crate::conformance::{Apart, Bench, Outcome, folder_for_runs};
use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The device to test: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Test the experiments of this library (.so) instead of all that are found
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Only test this experiment; may be given several times
    #[arg(long = "experiment", value_name = "ID")]
    experiments: Vec<String>,
    /// Time limit for each run
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    timeout: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A test that is not about an experiment, and its outcome.
type Check = (&'static str, Outcome);

pub(crate) fn run(args: &Args) -> Result<i32> {
    let mut signals = Signals::new()?;
    let device = chosen(args.device)?;
    let subjects = subjects(args)?;
    let runs = folder_for_runs()?;
    let limit = Duration::from_secs_f64(args.timeout);
    let memory = Memory::before(device);
    let mut tested: Vec<(&ExperimentDesc, Compared)> = Vec::new();
    let mut killed: Option<Outcome> = None;
    for (library, experiment) in &subjects {
        if device != DeviceChoice::Cpu && !experiment.uses_device {
            continue;
        }
        if !args.json {
            let sides =
                if device == DeviceChoice::Cpu { "twice on the CPU" } else { "on the CPU and the GPU" };
            print::note(&format!("{}: {sides}", clean(&experiment.id)));
        }
        let tolerances = Tolerances::beside(library)?;
        let interrupted = &mut || signals.any();
        let mut bench = Bench { library, experiment, runs: runs.path(), limit, device, interrupted };
        let compared = bench.compare(&tolerances)?;
        // Killing one experiment is enough, if it lasts long enough to be killed.
        if experiment.resumable && !matches!(killed, Some(Outcome::Passed(_) | Outcome::Failed(_))) {
            let outcome = bench.kill(&compared, &tolerances)?;
            killed = Some(outcome.map(|said| format!("{}: {said}", experiment.id)));
        }
        tested.push((experiment, compared));
    }
    if tested.is_empty() {
        return Err(Failure::new(format!("no experiment to test on {device}"))
            .help("`gradtop experiments` lists those that are found; --plugin FILE names a library")
            .into());
    }
    let none = || Outcome::Skipped("no experiment can be resumed".to_owned());
    let mut checks: Vec<Check> = vec![("kill and resume", killed.unwrap_or_else(none))];
    checks.extend(memory.map(|memory| ("GPU memory", memory.after())));
    let failed = tested.iter().map(|(_, compared)| &compared.outcome);
    let failed = failed.chain(checks.iter().map(|(_, outcome)| outcome));
    let failed = failed.filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    let kept = (failed > 0).then(|| runs.keep());
    if args.json {
        print::json(&report(device, &tested, &checks, failed, kept.as_deref()))?;
    } else {
        table(device, &tested, &checks);
        if let Some(kept) = kept {
            say_failed(failed, &kept);
        }
    }
    Ok(i32::from(failed > 0))
}

/// The device to test. `auto` means the first usable GPU.
fn chosen(choice: DeviceChoice) -> Result<DeviceChoice> {
    let lib = libtorch::find(None).ok();
    let usable = || device::usable(lib.as_deref());
    match choice {
        DeviceChoice::Auto => Ok(usable().map_or(DeviceChoice::Cpu, |_| DeviceChoice::Cuda(0))),
        DeviceChoice::Cuda(_) => match usable() {
            Ok(_) => Ok(choice),
            Err(why) => Err(Failure::new(format!("{choice} cannot be used: {why}"))
                .help("`gradtop doctor` says more; --device cpu tests without a GPU")
                .into()),
        },
        DeviceChoice::Cpu => Ok(choice),
    }
}

/// The selected experiments with their libraries.
fn subjects(args: &Args) -> Result<Vec<(PathBuf, ExperimentDesc)>> {
    let all: Vec<(PathBuf, ExperimentDesc)> = if let Some(file) = &args.plugin {
        let desc = super::plugin::describe(file)?;
        desc.experiments.into_iter().map(|experiment| (file.clone(), experiment)).collect()
    } else {
        let found = gradtop_host::discover();
        found.experiments().map(|(plugin, experiment)| (plugin.path.clone(), experiment.clone())).collect()
    };
    let known = all.iter().map(|(_, e)| e.id.as_str());
    let typed = args.experiments.iter().map(String::as_str);
    Failure::unless_known("there is no experiment", typed, known, "experiments")?;
    let wanted = |id: &String| args.experiments.is_empty() || args.experiments.contains(id);
    Ok(all.into_iter().filter(|(_, experiment)| wanted(&experiment.id)).collect())
}

fn table(device: DeviceChoice, tested: &[(&ExperimentDesc, Compared)], checks: &[Check]) {
    let on_device = if device == DeviceChoice::Cpu { "CPU again".to_owned() } else { device.to_string() };
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[("", left), ("CPU", right), (&*on_device, right), ("", left), ("", left)]);
    let mut row = |name: String, seconds: [Option<f64>; 2], outcome: &Outcome| {
        let (word, said) = outcome.parts();
        let [cpu, other] = seconds.map(|s| s.map_or_else(String::new, |s| format!("{s:.1} s")).into());
        let [word, said] = [word.to_owned(), clean(said)].map(|text| Words::new(text, outcome.ink()));
        table.row([name.into(), cpu, other, word, said]);
    };
    for (experiment, compared) in tested {
        row(clean(&experiment.id), compared.seconds, &compared.outcome);
    }
    for (name, outcome) in checks {
        row((*name).to_owned(), [None; 2], outcome);
    }
    table.print_wrapped(0);
}

fn report(
    device: DeviceChoice,
    tested: &[(&ExperimentDesc, Compared)],
    checks: &[Check],
    failed: usize,
    kept: Option<&Path>,
) -> Value {
    let metric = |(Apart { metric, series, difference }, allowed): &(Apart, f64)| json!({"metric": metric, "series": series, "difference": difference, "tolerance": allowed});
    let experiments: Vec<Value> = tested
        .iter()
        .map(|(experiment, compared)| {
            let (word, said) = compared.outcome.parts();
            let [cpu, on_device] = compared.seconds;
            let metrics: Vec<Value> = compared.metrics.iter().map(metric).collect();
            json!({
                "experiment": experiment.id, "outcome": word, "said": said, "cpu_s": cpu, "device_s": on_device,
                "metrics": metrics,
            })
        })
        .collect();
    let checks: Vec<Value> = checks
        .iter()
        .map(|(name, outcome)| {
            let (word, said) = outcome.parts();
            json!({"check": name, "outcome": word, "said": said})
        })
        .collect();
    json!({
        "device": device.to_string(), "ok": failed == 0, "experiments": experiments, "checks": checks,
        "runs": kept.map(|dir| dir.to_string_lossy().into_owned()),
    })
}
