//! Runs a study: starts, resumes and stops its runs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use gradtop_host::{DEFAULT_CHECKPOINT_EVERY, DeviceChoice, Discovery, Launch, Launcher, Resume, Start};
use gradtop_store::{RunDir, State, View};
use jiff::Timestamp;

use super::entry_state::{EntryState, goes_on};
use super::folder::Study;
use super::plan::{Entry, Plan};
use super::plan_file::searched;
use super::schedule::{self, Job};
use crate::failure::Failure;
use crate::print::clean;

/// An event since the last poll.
#[derive(Debug)]
pub(crate) enum StudyEvent {
    /// A run is at work, and how that came: `started`, `resumed`, `started again` or `is at work`.
    Begun(&'static str, Box<View>),
    /// A run has ended.
    Ended(Box<View>),
    /// An entry cannot have a run.
    Refused { key: String, why: String },
}

pub(crate) struct Runner<'a> {
    study: &'a Study,
    cores: u32,
    found: Discovery,
    device: DeviceChoice,
    launcher: Launcher,
    /// Entries that this process has started or failed to start, which happens only once.
    tried: BTreeSet<String>,
    /// Entries in progress at the last poll.
    alive: BTreeSet<String>,
    /// Why entries have no run.
    pub(crate) refused: BTreeMap<String, String>,
    stopping: bool,
}

/// The state of all entries at one moment.
pub(crate) struct Snapshot {
    /// The states in the order of the plan.
    pub(crate) entry_states: Vec<EntryState>,
    pub(crate) jobs: Vec<Job>,
    /// The share of the total work that is done.
    pub(crate) share: f64,
    /// The estimated time left, in seconds.
    pub(crate) left_s: f64,
}

impl Snapshot {
    /// Returns whether nothing is in progress and nothing will be started.
    pub(crate) fn is_over(&self) -> bool {
        self.jobs.iter().all(|job| job.phase == schedule::Phase::Settled)
    }
}

/// Validates the parameters of every known experiment before anything starts, by their declarations and by the experiment
/// itself.
pub(crate) fn check(plan: &Plan, found: &Discovery) -> Result<(), Failure> {
    for entry in &plan.entries {
        let Some((plugin, experiment)) = found.experiment(&entry.experiment) else { continue };
        let wrong = |why: String| {
            Failure::usage(format!("{}: {}", clean(entry.key()), clean(&why))).help(format!(
                "`gradtop experiments {}` lists parameters and presets",
                clean(&entry.experiment)
            ))
        };
        let params = gradtop_host::resolve_params(experiment, entry.preset.as_deref(), &entry.sets())
            .map_err(|e| wrong(e.to_string()))?;
        if let Some(why) = gradtop_host::refused(&plugin.path, experiment, &params) {
            return Err(wrong(gradtop_host::text::first_line(&why).0.to_owned()));
        }
    }
    Ok(())
}

impl<'a> Runner<'a> {
    /// Creates a runner for a study that this process has locked.
    pub(crate) fn new(
        study: &'a Study,
        cores: u32,
        found: Discovery,
        launcher: Launcher,
    ) -> Result<Self, Failure> {
        let device = study.plan.device.parse().map_err(|e: String| Failure::usage(e))?;
        for run in study.plan.entries.iter().filter_map(|entry| study.attempts(entry).pop()) {
            // A run that cannot be recovered is shown as it is and not continued.
            gradtop_host::recover_after_reboot(&run).ok();
        }
        Ok(Self {
            study,
            cores: cores.max(1),
            found,
            device,
            launcher,
            tried: BTreeSet::new(),
            alive: BTreeSet::new(),
            refused: BTreeMap::new(),
            stopping: false,
        })
    }

    /// Polls all runs, starts those that fit, and returns what happened.
    pub(crate) fn look(&mut self) -> (Snapshot, Vec<StudyEvent>) {
        let mut happened = Vec::new();
        let mut snapshot = self.snapshot();
        for (entry, entry_state) in self.study.plan.entries.iter().zip(&snapshot.entry_states) {
            let key = entry.key().to_owned();
            match entry_state {
                // A run that this process started is no news.
                EntryState::Alive(view)
                    if self.alive.insert(key.clone()) && self.tried.insert(key.clone()) =>
                {
                    happened.push(StudyEvent::Begun("is at work", view.clone()));
                }
                EntryState::Ended(view) | EntryState::Finished(view) if self.alive.remove(&key) => {
                    happened.push(StudyEvent::Ended(view.clone()));
                }
                _ => {}
            }
        }
        // Entries that cannot run are reported at once, not when it would be their turn.
        for (entry, entry_state) in self.study.plan.entries.iter().zip(&snapshot.entry_states) {
            let needed = match entry_state {
                EntryState::Open => true,
                EntryState::Ended(view) => !goes_on(view),
                _ => false,
            };
            let there = self.found.experiment(&entry.experiment).is_some();
            if needed && !there && !self.stopping && self.tried.insert(entry.key().to_owned()) {
                let why = missing(&self.found, entry);
                self.refused.insert(entry.key().to_owned(), why.clone());
                happened.push(StudyEvent::Refused { key: entry.key().to_owned(), why });
            }
        }
        loop {
            snapshot = self.snapshot();
            let next = self.next(&snapshot.jobs);
            if next.is_empty() {
                return (snapshot, happened);
            }
            happened.extend(self.begin(&next, &snapshot));
        }
    }

    /// The entries to start now: on this machine the next one that fits, elsewhere all.
    fn next(&self, jobs: &[Job]) -> Vec<usize> {
        if self.stopping {
            return Vec::new();
        }
        if self.launcher.is_local() {
            return schedule::next(jobs, self.cores).into_iter().collect();
        }
        let waits = |at: &usize| matches!(jobs[*at].phase, schedule::Phase::Waiting(_));
        (0..jobs.len()).filter(waits).collect()
    }

    fn snapshot(&self) -> Snapshot {
        let entries = &self.study.plan.entries;
        let entry_states: Vec<EntryState> =
            entries.iter().map(|entry| EntryState::of(self.study, entry)).collect();
        let speed = speed(entries, &entry_states);
        let open = |entry: &Entry| !self.stopping && !self.tried.contains(entry.key());
        let jobs = entries.iter().zip(&entry_states).map(|(entry, is)| is.job(entry, open(entry), speed));
        let jobs: Vec<Job> = jobs.collect();
        let all: f64 = entries.iter().map(Entry::assumed_s).sum();
        let done: f64 = entries.iter().zip(&entry_states).map(|(e, s)| e.assumed_s() * s.share()).sum();
        let left_s = schedule::remaining_s(&jobs, self.cores);
        Snapshot { entry_states, jobs, share: if all > 0.0 { done / all } else { 1.0 }, left_s }
    }

    /// Resumes or starts the runs of entries. In a batch system, resumed runs are separate jobs, and new ones one array.
    fn begin(&mut self, places: &[usize], snapshot: &Snapshot) -> Vec<StudyEvent> {
        let study = self.study;
        let looked = |verb, run: &RunDir| {
            let view = gradtop_host::look(run).map_err(|e| e.to_string())?;
            Ok(StudyEvent::Begun(verb, Box::new(view)))
        };
        let mut begun = Vec::new();
        let (mut fresh, mut starts) = (Vec::new(), Vec::new());
        for at in places {
            let (entry, entry_state) = (&study.plan.entries[*at], &snapshot.entry_states[*at]);
            if let EntryState::Ended(view) = entry_state
                && goes_on(view)
            {
                let resumed = self.launcher.resume(&view.dir, Resume::default()).map_err(|e| e.to_string());
                begun.push((entry.key(), resumed.and_then(|_| looked("resumed", &view.dir))));
                continue;
            }
            match self.launch(entry) {
                Ok(launch) => {
                    // What could not be resumed is started anew.
                    let is_first = matches!(entry_state, EntryState::Open);
                    let verb = if is_first { "started" } else { "started again" };
                    fresh.push((entry.key(), verb));
                    starts.push(Start::Run(launch));
                }
                Err(why) => begun.push((entry.key(), Err(why))),
            }
        }
        match self.launcher.start(&starts, None, None) {
            Ok(runs) => {
                let started = fresh.into_iter().zip(&runs);
                begun.extend(started.map(|((key, verb), run)| (key, looked(verb, run))));
            }
            Err(e) => begun.extend(fresh.into_iter().map(|(key, _)| (key, Err(e.to_string())))),
        }
        begun.into_iter().map(|(key, begun)| self.begun(key, begun)).collect()
    }

    /// Records the result of starting an entry.
    fn begun(&mut self, key: &str, begun: Result<StudyEvent, String>) -> StudyEvent {
        self.tried.insert(key.to_owned());
        match begun {
            Ok(happened) => {
                self.alive.insert(key.to_owned());
                happened
            }
            Err(why) => {
                self.refused.insert(key.to_owned(), why.clone());
                StudyEvent::Refused { key: key.to_owned(), why }
            }
        }
    }

    fn launch(&self, entry: &Entry) -> Result<Launch, String> {
        let (plugin, experiment) =
            self.found.experiment(&entry.experiment).ok_or_else(|| missing(&self.found, entry))?;
        let params = gradtop_host::resolve_params(experiment, entry.preset.as_deref(), &entry.sets())
            .map_err(|e| e.to_string())?;
        Ok(Launch {
            runs: self.study.runs.clone(),
            plugin: plugin.path.clone(),
            experiment: entry.experiment.clone(),
            params,
            preset: entry.preset.clone(),
            name: Some(self.study.next_name(entry)),
            seed: Some(u64::from(self.study.plan.seed)),
            device: self.device,
            threads: Some(entry.threads),
            checkpoint_every: DEFAULT_CHECKPOINT_EVERY,
        })
    }

    /// Asks all runs to stop and starts no more.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        for entry in &self.study.plan.entries {
            if let EntryState::Alive(view) = EntryState::of(self.study, entry) {
                // A run that has ended meanwhile needs no request.
                gradtop_host::stop(&view.dir, None).ok();
            }
        }
    }
}

/// The experiments that no plugin offers, with the reason.
pub(crate) fn unknown<'a>(plan: &'a Plan, found: &Discovery) -> Vec<(&'a str, String)> {
    let entries = plan.entries.iter().filter(|entry| found.experiment(&entry.experiment).is_none());
    entries.map(|entry| (entry.key(), missing(found, entry))).collect()
}

/// Why no plugin offers an experiment, and how to get it.
fn missing(found: &Discovery, entry: &Entry) -> String {
    let refused = match found.refused.as_slice() {
        [] => "",
        _ => "; some plugins there are refused, `gradtop plugin list` says why",
    };
    format!("no plugin offers the experiment {}: looked in {}{refused}", entry.experiment, searched())
}

/// How much longer finished runs took than expected; 1 if none has finished.
fn speed(entries: &[Entry], entry_states: &[EntryState]) -> f64 {
    let (mut expected, mut took) = (0.0, 0.0);
    for (entry, entry_state) in entries.iter().zip(entry_states) {
        if let EntryState::Finished(view) = entry_state
            && let Some(seconds) = gradtop_view::run::progress::took(view, Timestamp::now())
        {
            expected += entry.assumed_s();
            took += seconds;
        }
    }
    if expected > 0.0 && took > 0.0 { (took / expected).clamp(0.05, 20.0) } else { 1.0 }
}

/// The exit code of the whole study: 0 if all finished; 1 if any failed or could not start; else 4 if any crashed, 3 if any was
/// stopped or not started because the study was, 5 if any continues.
pub(crate) fn exit_code(entry_states: &[EntryState], was_stopped: bool) -> i32 {
    let code = |entry_state: &EntryState| match entry_state {
        EntryState::Finished(_) => 0,
        EntryState::Ended(view) => view.state.exit_code(),
        EntryState::Alive(_) => State::Running.exit_code(),
        EntryState::Open if was_stopped => State::Stopped.exit_code(),
        EntryState::Open | EntryState::Elsewhere(_) | EntryState::Unreadable(_) => 1,
    };
    let codes: Vec<i32> = entry_states.iter().map(code).collect();
    [1, 4, 3, 5].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}
