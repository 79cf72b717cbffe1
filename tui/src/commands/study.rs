//! `gradtop study`: runs all experiments of a plan on a limited number of cores and writes one report.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use gradtop_host::DeviceChoice;
use gradtop_store::{RunLock, State};
use serde_json::json;

use super::Context;
use super::launchers::On;
use super::signals::Signals;
use super::watch::LEFT_RUNNING;
use crate::config::whole;
use crate::failure::{Failure, with_causes};
use crate::print::progress::{Progress, Shown};
use crate::print::table::{Table, Words};
use crate::print::{self, clean, draw_target};
use crate::study::entry_state::EntryState;
use crate::study::folder::Study;
use crate::study::plan::{Changes, Entry, Plan, Setting};
use crate::study::plan_file::PlanFile;
use crate::study::report;
use crate::study::report_file::ReportFile;
use crate::study::runner::{self, Runner, Snapshot, StudyEvent};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::fit;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::run::{json, progress, remark, state};

/// How often the runs are polled.
const POLL: Duration = Duration::from_millis(200);
/// How often progress is printed if standard error is not a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "If a study is interrupted, run the same command again (without --fresh) to continue: finished runs are kept, interrupted \
                        ones continue from their last checkpoint, and only the rest is started. Another preset, seed or \
                        setting is another study.\n\n\
                        Exit codes: 0 all finished, 1 one failed or could not be started, 2 usage, 3 stopped, 4 one crashed, 5 left \
                        running."
)]
pub(crate) struct Args {
    /// Preset of every experiment, such as quick, default or full (the longest) [default: default]
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// The plan: a file, or the name of one next to the plugins [default: the first one there]
    #[arg(long, value_name = "FILE|NAME")]
    plan: Option<PathBuf>,
    /// Cores to keep busy [default: all]
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1..=4096))]
    cores: Option<u32>,
    /// Only these experiments, separated by commas; this is a separate study
    #[arg(long, value_name = "EXPERIMENT", value_delimiter = ',')]
    only: Vec<String>,
    /// Set a parameter of an experiment; may be given several times
    #[arg(long = "set", value_name = "EXPERIMENT.KEY=VALUE")]
    sets: Vec<Setting>,
    /// Seed of every run [default: 1]
    #[arg(long)]
    seed: Option<u32>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long)]
    device: Option<DeviceChoice>,
    #[command(flatten)]
    on: On,
    /// Start over in a new study
    #[arg(long)]
    fresh: bool,
    /// Write the report of what there is, and run nothing
    #[arg(long, conflicts_with = "fresh")]
    report_only: bool,
    /// Show the plan and its progress, and run nothing
    #[arg(long, conflicts_with_all = ["fresh", "report_only"])]
    list: bool,
    /// Print JSON lines: study, run, final
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The command line that repeats this study.
    fn command(&self, plan: &Plan) -> String {
        let mut words = vec!["gradtop".to_owned(), "study".to_owned()];
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        option("--plan", self.plan.as_ref().map(|plan| plan.display().to_string()));
        option("--preset", self.preset.clone());
        option("--only", (!self.only.is_empty()).then(|| self.only.join(",")));
        self.sets.iter().for_each(|set| option("--set", Some(set.to_string())));
        option("--seed", Some(plan.seed.to_string()));
        option("--device", Some(plan.device.clone()));
        clean(&gradtop_store::shell_words(&words))
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let runs = context.runs()?;
    let launcher = args.on.launcher(context)?;
    let usual = context.config.launch().device;
    let changes = Changes {
        only: args.only.clone(),
        sets: args.sets.clone(),
        seed: args.seed,
        // A plan in a file sets its own device.
        device: args.device.or(usual.filter(|_| args.plan.is_none())).map(|device| device.to_string()),
    };
    let file = PlanFile::find(args.plan.as_deref())?;
    let plan = file.plan(args.preset.as_deref(), is_at_hand)?.changed(&changes)?;
    // Checked now, so that a mistake in the report is found before hours of work, not after.
    let report = file.report()?;
    let (known, odd) = Study::find(&runs, &plan);
    for why in odd {
        print::warn(why);
    }
    if args.list {
        // A study that cannot run at all is an error.
        let found = gradtop_host::discover_for(plan.entries.iter().map(|entry| entry.experiment.as_str()));
        runner::check(&plan, &found)?;
        for (key, why) in runner::unknown(&plan, &found) {
            print::warn(format!("{key} will not be run: {why}"));
        }
        return list(&plan, known.as_ref(), args.json);
    }
    if args.report_only {
        let study = known.ok_or_else(|| {
            Failure::new(format!("there is no study of this plan in {}", print::short(&runs)))
                .help("start it without --report-only")
        })?;
        let refused = study.read_refused();
        let html = compose(&study, report.as_ref(), &refused, args)?;
        if args.json {
            final_line(&study, 0, Some(&html))?;
        }
        return Ok(0);
    }
    // Before anything starts: from here on, Ctrl-C and SIGTERM are handled.
    let signals = Signals::new()?;
    let found = gradtop_host::discover_for(plan.entries.iter().map(|entry| entry.experiment.as_str()));
    runner::check(&plan, &found)?;
    let study = match known.filter(|_| !args.fresh) {
        Some(study) => study,
        None => Study::create(&runs, &plan)?,
    };
    let lock = study.lock()?;
    let cores = args.cores.unwrap_or_else(cores);
    let at_work = if launcher.is_local() {
        number::counted(cores as usize, "core")
    } else {
        format!("on {}", clean(&launcher.name))
    };
    let runner = Runner::new(&study, cores, found, launcher)?;
    announce(&study, cores, at_work, args.json)?;
    follow(&study, report.as_ref(), runner, signals, &lock, args)
}

/// Returns whether all files of a data set are on this machine.
fn is_at_hand(dataset: &str) -> bool {
    gradtop_data::named(dataset)
        .is_some_and(|set| set.files.iter().all(|file| gradtop_data::find(set, file).is_ok()))
}

/// The number of cores that this process may use.
fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

fn announce(study: &Study, cores: u32, at_work: String, json: bool) -> Result<()> {
    let plan = &study.plan;
    if json {
        return print::json(&json!({
            "type": "study", "study": study.name(), "path": study.folder.to_string_lossy(), "cores": cores, "seed": plan.seed,
            "runs": plan.entries.iter().map(Entry::key).collect::<Vec<_>>(),
        }));
    }
    let facts = [number::counted(plan.entries.len(), "experiment"), at_work, format!("seed {}", plan.seed)];
    let name = print::styled(&study.name(), Ink::Bold);
    print::line(&format!("study {name}  {}", print::styled(&facts.join(" · "), Ink::Dim)));
    Ok(())
}

/// Runs the study until it ends or is left, then writes the report. The study stays locked throughout.
fn follow(
    study: &Study,
    report: Option<&ReportFile>,
    mut runner: Runner<'_>,
    mut signals: Signals,
    _lock: &RunLock,
    args: &Args,
) -> Result<i32> {
    let json = args.json;
    let mut display =
        Display { study, json, bar: if json { None } else { Progress::start() }, printed: Instant::now() };
    let mut stopping = false;
    let (snapshot, left) = loop {
        let counts = signals.counts();
        // Before any run starts: the signal may have come while the plugins were read.
        if counts.stop() && !stopping {
            stopping = true;
            display.above(|| {
                print::note(if counts.terminations > 0 {
                    "received SIGTERM: stopping all runs after their current step"
                } else {
                    "stopping all runs after their current step; press Ctrl-C again to leave without waiting"
                });
            });
            runner.stop();
        }
        let (snapshot, events) = runner.look();
        for event in &events {
            display.above(|| report_event(event, json))?;
        }
        if snapshot.is_over() {
            break (snapshot, false);
        }
        if counts.hangups > 0 || counts.interrupts > 1 {
            break (snapshot, true);
        }
        display.show(&snapshot);
        std::thread::sleep(POLL);
    };
    if let Some(bar) = display.bar {
        bar.end();
    }
    if let Err(e) = study.write_refused(&runner.refused) {
        // The results of the runs still have to be reported.
        print::warn(format!("{}; a later report will not list what was not started", with_causes(&e)));
    }
    if left {
        print::note(&format!("the runs of study {} keep running in the background", study.name()));
        print::note(&format!("  {}  continues; `gradtop stop RUN` stops one", args.command(&study.plan)));
        return Ok(LEFT_RUNNING);
    }
    let code = runner::exit_code(&snapshot.entry_states, stopping);
    let written = compose(study, report, &runner.refused, args);
    if json {
        final_line(study, code, written.as_deref().ok())?;
    } else {
        end(study, &snapshot.entry_states, code, &args.command(&study.plan));
    }
    written.map(|_| code)
}

/// Shows the progress of a study: on a terminal in place, otherwise as a line now and then.
struct Display<'a> {
    study: &'a Study,
    json: bool,
    bar: Option<Progress>,
    /// When a line was last printed.
    printed: Instant,
}

impl Display<'_> {
    fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.above(print),
            None => print(),
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        let (name, words, parts) = (self.study.name(), words(snapshot), parts(self.study, snapshot));
        let share = ((snapshot.share.clamp(0.0, 1.0) * 1e4) as u64, 10_000);
        if let Some(bar) = &mut self.bar {
            let room =
                print::terminal().size.map_or(usize::MAX, |(w, _)| w.saturating_sub(draw_target::ECHO));
            let parts: Vec<String> = parts.iter().map(|part| fit(part, room, print::ascii())).collect();
            bar.show(Shown { share: Some(share), phase: name, numbers: words, below: parts.join("\n") });
        } else if !self.json && self.printed.elapsed() >= PLAIN_EVERY {
            self.printed = Instant::now();
            let percent = number::percent(share.0, share.1);
            print::line(&format!("{name} {percent}  {words}  {}", parts.join("; ")));
        }
    }
}

fn final_line(study: &Study, code: i32, report: Option<&Path>) -> Result<()> {
    print::json(&json!({"type": "final", "study": study.name(), "exit_code": code, "report": report}))
}

/// Prints the closing lines: what is missing, and the command that gets it.
fn end(study: &Study, entry_states: &[EntryState], code: i32, command: &str) {
    let finished = entry_states.iter().filter(|s| matches!(s, EntryState::Finished(_))).count();
    if code == 0 {
        print::line(&format!("study {} has finished: {}", study.name(), number::counted(finished, "run")));
        return;
    }
    print::line(&format!("study {}: {finished} of {} runs have finished", study.name(), entry_states.len()));
    for (entry, entry_state) in study.plan.entries.iter().zip(entry_states) {
        let word = match entry_state {
            EntryState::Finished(_) => continue,
            EntryState::Open => "not started".to_owned(),
            EntryState::Unreadable(_) => "cannot be read".to_owned(),
            EntryState::Alive(view) | EntryState::Ended(view) | EntryState::Elsewhere(view) => {
                state::label(view)
            }
        };
        print::line(&format!("  {}  {word}", clean(entry.key())));
    }
    print::dim("  to continue with the rest:");
    print::command(command);
}

/// Writes the report and prints where it is. Returns the path of the HTML file.
fn compose(
    study: &Study,
    report: Option<&ReportFile>,
    refused: &std::collections::BTreeMap<String, String>,
    args: &Args,
) -> Result<PathBuf> {
    let written = report::write(study, report, refused, &args.command(&study.plan))?;
    written.odd.iter().for_each(print::warn);
    if !args.json {
        for file in [&written.html, &written.markdown] {
            print::line(&format!("wrote {}", print::short(file)));
        }
    }
    Ok(written.html)
}

/// The progress in words: `3 of 10 finished, 2m left`.
fn words(snapshot: &Snapshot) -> String {
    let finished = snapshot.entry_states.iter().filter(|s| matches!(s, EntryState::Finished(_))).count();
    let left = number::duration(snapshot.left_s.round());
    format!("{finished} of {} finished, about {left} left", snapshot.entry_states.len())
}

/// A line for each run in progress.
fn parts(study: &Study, snapshot: &Snapshot) -> Vec<String> {
    let part = |(entry, entry_state): (&Entry, &EntryState)| {
        let EntryState::Alive(view) = entry_state else { return None };
        let share = progress::of(view).map(|(done, total)| number::percent(done, total));
        let phase = view.status.phase.as_deref().filter(|p| !p.is_empty()).map(clean);
        let state = (view.state != State::Running).then(|| view.state.word().to_owned());
        let rest: Vec<String> =
            [state, share, phase, progress::eta_words(view)].into_iter().flatten().collect();
        Some(format!("{} {}  {}", state::glyph(view.state), clean(entry.key()), rest.join("  ")))
    };
    study.plan.entries.iter().zip(&snapshot.entry_states).filter_map(part).collect()
}

/// Reports an event of the study.
fn report_event(event: &StudyEvent, json: bool) -> Result<()> {
    let (begun, view) = match event {
        StudyEvent::Begun(verb, view) => (Some(*verb), view),
        StudyEvent::Ended(view) => (None, view),
        StudyEvent::Refused { key, why } => {
            if json {
                return print::json(&json!({"type": "run", "happened": "refused", "key": key, "why": why}));
            }
            print::note(&format!("error: cannot run {}: {}", clean(key), clean(why)));
            return Ok(());
        }
    };
    if json {
        let mut fields = json::of(view);
        fields.shift_insert(0, "type".to_owned(), "run".into());
        fields.shift_insert(1, "happened".to_owned(), begun.unwrap_or("ended").into());
        return print::json(&fields);
    }
    let now = jiff::Timestamp::now();
    let (word, rest) = if let Some(verb) = begun {
        (format!("{verb:<13}"), String::new())
    } else {
        let took = progress::took(view, now).map(|t| format!(" after {}", number::duration(t)));
        let word = print::styled(&format!("{:<13}", view.state.word()), state::ink(view.state));
        (word, took.unwrap_or_default() + &remark::because(view))
    };
    let clock = gradtop_view::clock::time_of_day(now);
    print::line(&format!("{clock}  {word}  {}{rest}", view.manifest.run));
    Ok(())
}

/// Prints what a plan would run, and how far its study is.
fn list(plan: &Plan, known: Option<&Study>, json: bool) -> Result<i32> {
    let entry_state = |entry: &Entry| known.map_or(EntryState::Open, |study| EntryState::of(study, entry));
    if json {
        let item = |entry: &Entry| {
            let run = entry_state(entry).view().map(json::of);
            json!({"key": entry.key(), "experiment": entry.experiment, "preset": entry.preset,
                   "params": entry.sets().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
                   "threads": entry.threads, "expected_s": entry.expected_s, "run": run})
        };
        return print::json(&plan.entries.iter().map(item).collect::<Vec<_>>()).map(|()| 0);
    }
    let heads = ["experiment", "preset", "set", "expected", "state", "run"];
    let align = |name| if name == "expected" { Align::Right } else { Align::Left };
    let mut table = Table::new(&heads.map(|name| (name, align(name))));
    for entry in &plan.entries {
        let entry_state = entry_state(entry);
        let sets: Vec<String> = entry.sets().iter().map(|(k, v)| format!("{k}={v}")).collect();
        let view = entry_state.view();
        table.row([
            clean(&entry.title()).into(),
            print::cleaned(entry.preset.as_deref()).into(),
            clean(&sets.join(" ")).into(),
            entry.expected_s.map_or_else(|| number::MISSING.to_owned(), number::duration).into(),
            view.map_or(number::MISSING.into(), |v| Words::new(state::label(v), state::ink(v.state))),
            view.map(|v| v.manifest.run.clone()).unwrap_or_default().into(),
        ]);
    }
    table.print_wrapped(0);
    if let Some(report) = known.map(|study| study.folder.join("report.html")).filter(|r| Path::is_file(r)) {
        print::line(&format!("report: {}", print::short(&report)));
    }
    Ok(0)
}
