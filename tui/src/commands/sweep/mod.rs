//! `gradtop sweep`: queues a run for each setting, all with one tag.

mod axes;

use anyhow::Result;
use gradtop_host::{EarlyStop, Exec, ExperimentDesc, Launch, Start, filled, place};
use gradtop_store::{Goal, MetricInfo, RunDir, View, validate_experiment, validate_tag};

use self::axes::{Axis, MOST, Setting, combinations, drawn};
use super::Context;
use super::exec::{metric, note_unfilled};
use super::launchers::On;
use super::run::{ExperimentOptions, resolved};
use super::run_config::{assignment, check_once};
use super::select;
use super::start::warn_of_device;
use crate::config::whole;
use crate::failure::Failure;
use crate::print::{self, clean};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gradtop sweep [OPTIONS] --name TAG EXPERIMENT\n       gradtop sweep [OPTIONS] --name TAG -- COMMAND",
    after_help = "gradtop sweep fit --name rates --vary lr=1e-3,1e-2 --seeds 3\n\
                        gradtop sweep fit --name s --vary lr=1e-4..1:log --random 20 --stop-early loss\n\
                        gradtop sweep --name py --vary lr=0.1,1 -- python t.py --lr {lr} --seed {seed}\n\
                        gradtop list tag:rates                    its runs\n\
                        gradtop best loss --by lr tag:rates       the best value\n\n\
                        Values are separated by commas, or by | where they have commas themselves. 16..128:x2 is 16, 32, 64, 128; \
                        1..9:+4 is 1, 5, 9. The same sweep with more values adds only the runs that are not there yet."
)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ExperimentOptions,
    /// Try each of these values; may be given several times, for each combination
    #[arg(long, value_name = "KEY=VALUES", value_parser = assignment)]
    vary: Vec<(String, String)>,
    /// Tag of its runs, to find them with `list`, `query` and the monitor
    #[arg(long, value_name = "TAG")]
    name: String,
    /// Repeat each setting with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(1..=10_000))]
    seeds: u64,
    /// Draw N settings at random; a range is then LOW..HIGH or LOW..HIGH:log. A larger N adds to the same settings
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1..=10_000))]
    random: Option<u64>,
    /// Stop runs early by the median rule: if the best value is worse than the median of the others' averages at that step
    #[arg(long, value_name = "METRIC[:min|max]")]
    stop_early: Option<String>,
    /// Judge a run for that from this step [default: a quarter of its steps]
    #[arg(long, value_name = "STEP", value_parser = whole(0..=u64::MAX), requires = "stop_early")]
    stop_after: Option<u64>,
    /// Declare a metric of the command, as for `exec`; may be given several times
    #[arg(long = "metric", value_name = "NAME[:min|max][:…]", value_parser = metric, requires = "command")]
    metrics: Vec<MetricInfo>,
    #[command(flatten)]
    on: On,
    /// In a batch system, let no more than N of its runs work at once
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX))]
    at_once: Option<u32>,
    /// List the runs that would be queued, and queue none
    #[arg(long)]
    dry_run: bool,
    /// A command instead of an experiment; {KEY} and {seed} in it are replaced by their values
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(context: &Context, mut args: Args) -> Result<i32> {
    validate_tag(&args.name).map_err(|e| Failure::usage(clean(&e.to_string())))?;
    check_once(&args.vary)?;
    if let Some((key, _)) = args.vary.iter().find(|(key, _)| args.choice.sets(key)) {
        return Err(Failure::usage(format!("{} is both set and varied", clean(key))).into());
    }
    let launcher = args.on.launcher(context)?;
    if launcher.is_local() && args.at_once.is_some() {
        return Err(Failure::usage("--at-once is for batch systems")
            .help("`gradtop queue --slots N` says how many runs work at once on this machine")
            .into());
    }
    let command = std::mem::take(&mut args.command);
    let base = if command.is_empty() {
        let (launch, experiment) = std::mem::take(&mut args.choice).launch(context)?;
        Base::Experiment(launch, Box::new(experiment))
    } else {
        let (choice, metrics) = (std::mem::take(&mut args.choice), std::mem::take(&mut args.metrics));
        Base::command(context, choice, command, metrics, &args.vary)?
    };
    let planned = plan(&args, &base)?;
    if let Some(text) = &args.stop_early {
        let (metric, goal) = base.judged_by(text)?;
        let tag = args.name.clone();
        gradtop_host::set_early_stop(EarlyStop { tag, metric, goal, after: args.stop_after });
    }
    let existing = of_sweep(context, &args.name)?;
    let (had, new): (Vec<Planned>, Vec<Planned>) =
        planned.into_iter().partition(|planned| existing.iter().any(|view| planned.is(view)));
    if let Some(first) = new.first().filter(|_| launcher.is_local()) {
        warn_of_device(&first.start);
    }
    let (count, verb) = if args.dry_run {
        for planned in &new {
            print::line(&planned.in_words());
        }
        (new.len(), "would be queued")
    } else if !launcher.is_local() {
        let starts: Vec<Start> = new.iter().map(|planned| planned.start.clone()).collect();
        let started = launcher.start(&starts, Some(&args.name), args.at_once)?;
        print_runs(&started, &new);
        (started.len(), "submitted")
    } else {
        enqueue(context, &args.name, &new)?;
        (new.len(), "queued")
    };
    let rest = if had.is_empty() { String::new() } else { format!(", {} are there already", had.len()) };
    // Nothing has the tag yet if nothing was queued.
    let tag = clean(&args.name);
    let find = if args.dry_run { String::new() } else { format!(": gradtop list tag:{tag}") };
    print::note(&format!("{count} {verb}{rest}{find}"));
    Ok(0)
}

struct Planned {
    setting: Setting,
    seed: u64,
    start: Start,
}

impl Planned {
    fn in_words(&self) -> String {
        let mut words: Vec<String> =
            self.setting.iter().map(|(key, value)| format!("{key}={value}")).collect();
        words.push(format!("seed {}", self.seed));
        clean(&words.join("  "))
    }

    /// Returns whether an existing run is this one.
    fn is(&self, view: &View) -> bool {
        let same = match &self.start {
            Start::Run(launch) => view.manifest.params == launch.params,
            Start::Exec(exec) => view.manifest.command.as_ref().is_some_and(|c| c.argv == exec.argv),
        };
        same && view.manifest.seed == Some(self.seed)
    }
}

/// Plans a run for each setting and seed.
fn plan(args: &Args, base: &Base) -> Result<Vec<Planned>> {
    let mut axes = Vec::new();
    for (key, text) in &args.vary {
        let axis = Axis::read(text, args.random.is_some(), base.is_log(key)).map_err(Failure::usage)?;
        axes.push((key.clone(), axis));
    }
    let settings = match args.random {
        Some(n) => {
            let settings = drawn(&axes, n);
            if (settings.len() as u64) < n {
                print::note(&format!("only {} different settings were drawn", settings.len()));
            }
            Some(settings)
        }
        None => combinations(&axes),
    };
    let few = settings.filter(|settings| settings.len().saturating_mul(args.seeds as usize) <= MOST);
    let settings = few.ok_or_else(|| Failure::usage(format!("more than {MOST} runs")))?;
    let mut planned = Vec::new();
    for setting in settings {
        for seed in 1..=args.seeds {
            let start = base.start(&setting, seed)?;
            planned.push(Planned { setting: setting.clone(), seed, start });
        }
    }
    Ok(planned)
}

/// Queues the runs. The first ones start while the others are still being queued.
fn enqueue(context: &Context, tag: &str, planned: &[Planned]) -> Result<()> {
    let runs = context.runs()?;
    let starts: Vec<Start> = planned.iter().map(|planned| planned.start.clone()).collect();
    let mut rest = planned;
    gradtop_host::enqueue(&starts, &[], Some(tag), |queued| {
        print_runs(queued, rest);
        rest = &rest[queued.len()..];
        gradtop_host::start_queued(&runs).map(drop)
    })?;
    Ok(())
}

fn print_runs(runs: &[RunDir], planned: &[Planned]) {
    for (run, planned) in runs.iter().zip(planned) {
        print::line(&format!("{}  {}", clean(&run.name()), planned.in_words()));
    }
}

/// What all runs of a sweep have in common.
enum Base {
    Experiment(Launch, Box<ExperimentDesc>),
    /// A command with the parameters that are not varied.
    Command(Exec, Setting),
}

impl Base {
    fn command(
        context: &Context,
        choice: ExperimentOptions,
        argv: Vec<String>,
        metrics: Vec<MetricInfo>,
        vary: &[(String, String)],
    ) -> Result<Self> {
        let unused = vary.iter().find(|(key, _)| !argv.iter().any(|word| word.contains(&place(key))));
        if let Some((key, _)) = unused {
            let place = clean(&place(key));
            let help = format!("write it where the value belongs, as in: --{} {place}", clean(key));
            return Err(Failure::usage(format!("{place} is not in the command")).help(help).into());
        }
        let (exec, sets) = choice.command(context)?;
        exec.experiment.as_deref().map_or(Ok(()), validate_experiment)?;
        check_once(&sets)?;
        let keys = || sets.iter().chain(vary).map(|(key, _)| key.as_str());
        if keys().any(|key| key == "seed") {
            let why = "the seed of a command is not a parameter: each run has one";
            return Err(Failure::usage(why).help("--seeds N runs each setting with the seeds 1 to N").into());
        }
        let places: Setting =
            keys().chain(std::iter::once("seed")).map(|key| (place(key), String::new())).collect();
        note_unfilled(&argv, &places);
        Ok(Self::Command(Exec { template: argv, metrics, ..exec }, sets))
    }

    /// Returns whether a random parameter is drawn on a log scale by default.
    fn is_log(&self, key: &str) -> bool {
        matches!(self, Self::Experiment(_, experiment) if experiment.params.iter().any(|p| p.key == key && p.log))
    }

    /// Parses `METRIC[:min|max]`, with the goal that the metric declares, or that its name tells, as the default.
    fn judged_by(&self, text: &str) -> Result<(String, Goal)> {
        let declared = match self {
            Self::Experiment(_, experiment) => &experiment.metrics,
            Self::Command(exec, _) => &exec.metrics,
        };
        let declares = |name: &str| declared.iter().find(|metric| metric.name == name);
        // The name of a metric may end in :min or :max itself.
        let (name, said) = if declares(text).is_some() { (text, None) } else { Goal::said_of(text) };
        let known = declares(name);
        if let (Self::Experiment(_, experiment), None) = (self, known) {
            let names = declared.iter().map(|metric| metric.name.as_str());
            let message = format!("{} has no metric {:?}", clean(&experiment.id), clean(name));
            return Err(Failure::unknown_metric(message, name, names).into());
        }
        // A command may log any metric, so that what is meant has to be said of a name with a colon.
        if let (None, None, Some((metric, word))) = (known, said, name.rsplit_once(':')) {
            return Err(Failure::no_goal(metric, word).into());
        }
        // What a command logs gets its goal from its name, as in all commands, unless it was declared.
        let named = matches!(self, Self::Command(..)).then(|| gradtop_import::goal_of_name(name));
        let goal = said.or(known.map(|metric| metric.goal)).or(named).filter(|goal| *goal != Goal::None);
        let unknown = || {
            let name = clean(name);
            Failure::usage(format!("it is not known whether {name} should be low or high"))
                .help(format!("write {name}:min or {name}:max"))
        };
        Ok((name.to_owned(), goal.ok_or_else(unknown)?))
    }

    /// Creates the run for a setting and a seed.
    fn start(&self, setting: &Setting, seed: u64) -> Result<Start> {
        match self {
            Self::Experiment(base, experiment) => {
                // Parameters that are not varied come from the base.
                let fixed =
                    base.params.iter().filter(|(key, _)| setting.iter().all(|(varied, _)| varied != key));
                let fixed: Setting = fixed.map(|(key, value)| (key.clone(), value.to_string())).collect();
                let params = resolved(experiment, None, &[fixed, setting.clone()].concat())?;
                Ok(Start::Run(Launch { params, seed: Some(seed), name: None, ..base.clone() }))
            }
            Self::Command(base, fixed) => {
                let values = [fixed.as_slice(), setting].concat();
                let places: Setting = values.iter().map(|(key, value)| (place(key), value.clone())).collect();
                let places = [places, vec![(place("seed"), seed.to_string())]].concat();
                let argv = filled(&base.template, &places);
                Ok(Start::Exec(Exec { argv, params: values, seed: Some(seed), ..base.clone() }))
            }
        }
    }
}

/// The existing runs with the tag.
fn of_sweep(context: &Context, tag: &str) -> Result<Vec<View>> {
    let (mut views, _) = select::all(&context.runs()?);
    views.retain(|view| view.notes.tags.iter().any(|known| known == tag));
    Ok(views)
}
