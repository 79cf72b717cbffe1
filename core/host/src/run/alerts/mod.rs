//! Alerts: rules that the keeper evaluates on a separate thread, reporting to the run's events and to a hook.
//!
//! The hook and the rules from the settings belong to the user, not to the run: they come from the process that starts
//! or resumes it, through [`VARIABLE`], and never from its folder. Only rules given for the run are stored there.

pub(crate) mod hook;
pub(crate) mod rules;
mod trend;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_store::{
    Ending, Event, EventLog, Manifest, RunDir, SeriesKey, State, Status, Tailer, append_event, read_manifest,
    read_status,
};
use jiff::Timestamp;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::machine::memory::memory_used;
use crate::pace::Slow;
use crate::run::alerts::hook::{Hook, VARIABLE};
use crate::run::alerts::rules::{Rule, TRAINED};
use crate::run::alerts::trend::{Pace, Trend};
use crate::run::cause::seconds;
use crate::run::early_stop::{EarlyStop, Median};

/// How often rules are evaluated.
const EVERY: Duration = Duration::from_secs(1);
/// Time budget for reading rows.
const READING: Duration = Duration::from_millis(100);
/// How long the end of a run waits for the alerts of its rows.
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum number of alerts of one rule, so that a rule about many series does not drown the others.
const MOST: u32 = 20;

/// A user's alerts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// The rules of the user who starts or resumes a run.
    pub rules: Vec<Rule>,
    /// Rules for the runs started now, which store them.
    #[serde(skip)]
    pub given: Vec<Rule>,
    /// A shell command that receives each alert as JSON on standard input.
    pub hook: Option<String>,
    /// When to stop the run early in favour of others.
    pub early_stop: Option<EarlyStop>,
}

static ALERTS: RwLock<Option<Alerts>> = RwLock::new(None);

/// Sets the alerts of the runs that this process starts from now on.
pub fn set_alerts(alerts: Alerts) {
    *ALERTS.write() = Some(alerts);
}

/// Sets when those runs are stopped early.
pub fn set_early_stop(rule: EarlyStop) {
    let mut alerts = ALERTS.write();
    alerts.get_or_insert_default().early_stop = Some(rule);
}

/// Returns the rules to store in a run that is started now.
pub(crate) fn given() -> Vec<String> {
    let alerts = ALERTS.read();
    alerts.iter().flat_map(|alerts| &alerts.given).map(Rule::to_string).collect()
}

/// Returns the environment variable and value that pass on what is not stored in the run; no value if there is nothing.
pub(crate) fn variable() -> (&'static str, Option<String>) {
    let alerts = ALERTS.read();
    let is_any = |a: &&Alerts| !a.rules.is_empty() || a.hook.is_some() || a.early_stop.is_some();
    let wanted = alerts.as_ref().filter(is_any);
    (VARIABLE, wanted.and_then(|alerts| serde_json::to_string(alerts).ok()))
}

enum Told {
    /// Evaluate all rows, and answer once the alerts are written.
    Rows(Sender<()>),
    End(Ending),
}

/// The thread that evaluates a run's rules.
pub(crate) struct Guard {
    tell: Sender<Told>,
    thread: JoinHandle<()>,
}

impl Guard {
    /// Starts the thread, unless there are no rules. `stop` receives the reason if the run is to be stopped early.
    pub(crate) fn start(run: &RunDir, stop: &Arc<OnceLock<String>>) -> Option<Self> {
        let manifest = read_manifest(run).ok()?;
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let mut alerts: Alerts = serde_json::from_str(&text).unwrap_or_default();
        for rule in &manifest.alerts {
            match rule.parse() {
                Ok(rule) if alerts.rules.contains(&rule) => {}
                Ok(rule) => alerts.rules.push(rule),
                // Possibly written by a newer version.
                Err(why) => {
                    let message = format!("an alert of {} is left out: {why}", run.manifest().display());
                    append_event(run, &Event::Warning { message }).ok();
                }
            }
        }
        if alerts.rules.is_empty() && alerts.early_stop.is_none() {
            return None;
        }
        let (tell, told) = channel();
        let mut judge = Judge::new(run, manifest, alerts, stop.clone());
        let thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(move || judge.work(&told));
        Some(Self { tell, thread: thread.ok()? })
    }

    /// Waits until the alerts of all rows are written: whoever sees the run's end finds them. A hook at work may delay
    /// them, but not the end.
    pub(crate) fn catch_up(&self) {
        let (answer, done) = channel();
        self.tell.send(Told::Rows(answer)).ok();
        done.recv_timeout(PATIENCE).ok();
    }

    /// Reports the end and waits for the last hook. The run's lock must be released by then.
    pub(crate) fn finish(self, run: &RunDir) {
        if let Ok(Status { state, cause, .. }) = read_status(run)
            && state.is_final()
        {
            self.tell.send(Told::End(Ending { state, cause })).ok();
        }
        drop(self.tell);
        self.thread.join().ok();
    }
}

/// A rule and its state.
struct Armed {
    rule: Rule,
    /// Whether its condition held at the last evaluation: an alert is raised when that begins.
    holds: bool,
    raised: u32,
    /// Whether it is about any series of the run.
    matched: bool,
    /// The series for which the condition holds, for rules about rows.
    held: BTreeSet<SeriesKey>,
    /// The state of each series that the rule is about.
    trends: BTreeMap<SeriesKey, Option<Trend>>,
}

impl Armed {
    fn new(rule: Rule) -> Self {
        Self { rule, holds: false, raised: 0, matched: false, held: BTreeSet::new(), trends: BTreeMap::new() }
    }

    /// Counts an alert and returns its message; `None` once the maximum is reached.
    fn says(&mut self, message: String) -> Option<String> {
        self.raised = self.raised.saturating_add(1);
        match self.raised {
            ..MOST => Some(message),
            MOST => Some(format!("{message}; this rule tells no more of this run")),
            _ => None,
        }
    }

    /// Updates whether the condition holds, with a description if it does. Returns the alert if it has just begun.
    fn begins(&mut self, now: Option<String>) -> Option<String> {
        let before = std::mem::replace(&mut self.holds, now.is_some());
        now.filter(|_| !before).and_then(|message| self.says(message))
    }

    /// Processes a row. Returns a description with the step if the rule's condition now holds for its series; `None` if
    /// it does not or the rule is not about the series.
    fn judge(&mut self, manifest: &Manifest, seen: &Seen<'_>) -> Option<String> {
        if let Some(holds) = self.rule.holds(seen.key, seen.value) {
            return holds.then(|| format!("{} at step {}", self.rule.words(seen.value), seen.step));
        }
        if !self.trends.contains_key(seen.key) {
            self.trends.insert(seen.key.clone(), Trend::of(&self.rule, seen.key, manifest));
        }
        self.trends.get_mut(seen.key)?.as_mut()?.push(seen.step, seen.time_us, seen.value)
    }
}

/// A value that a rule is applied to.
struct Seen<'a> {
    key: &'a SeriesKey,
    step: i64,
    time_us: i64,
    value: f64,
    /// Whether it was logged since the run was started or resumed: older values have already been reported.
    new: bool,
}

struct Judge {
    run: RunDir,
    manifest: Manifest,
    hook: Option<Hook>,
    rules: Vec<Armed>,
    tailer: Tailer,
    events: EventLog,
    /// The pace of steps and the known series, if a rule needs them.
    pace: Option<(Pace, BTreeSet<SeriesKey>)>,
    median: Option<Median>,
    stop: Arc<OnceLock<String>>,
    /// When the run was started or resumed, in microseconds since 1970.
    since: i64,
    /// When the last training row arrived, or rows were last not expected.
    moved: Instant,
}

impl Judge {
    fn new(run: &RunDir, manifest: Manifest, alerts: Alerts, stop: Arc<OnceLock<String>>) -> Self {
        let wanted: Vec<Rule> = alerts.rules.clone();
        let pace = wanted.contains(&Rule::RateFell).then(Default::default);
        let tailer = Tailer::filtered(run, move |key| wanted.iter().any(|rule| rule.reads(key)));
        Self {
            run: run.clone(),
            pace,
            median: alerts.early_stop.and_then(|rule| Median::new(run, &manifest, rule)),
            stop,
            manifest,
            hook: alerts.hook.map(Hook::new),
            rules: alerts.rules.into_iter().map(Armed::new).collect(),
            tailer,
            events: EventLog::new(run),
            since: Timestamp::now().as_microsecond(),
            moved: Instant::now(),
        }
    }

    fn work(&mut self, told: &Receiver<Told>) {
        loop {
            let told = told.recv_timeout(EVERY);
            if matches!(told, Err(RecvTimeoutError::Disconnected)) {
                return;
            }
            self.rows();
            // Hooks may take their time.
            if let Ok(Told::Rows(answer)) = &told {
                self.tell_unmatched();
                answer.send(()).ok();
            }
            self.call_hook();
            match told {
                Ok(Told::End(end)) => {
                    self.end(&end);
                    self.call_hook();
                    return;
                }
                Ok(Told::Rows(_)) => {}
                Err(_) => {
                    self.now();
                    self.early();
                    self.call_hook();
                }
            }
        }
    }

    fn rows(&mut self) {
        let mut said: Vec<(usize, i64, String)> = Vec::new();
        let mut due = None;
        let (rules, moved, since, manifest) = (&mut self.rules, &mut self.moved, self.since, &self.manifest);
        let pace = &mut self.pace;
        loop {
            let read = self.tailer.poll_slices(READING, |slice| {
                if !gradtop_store::is_system_metric(&slice.key.metric) {
                    *moved = Instant::now();
                }
                for armed in rules.iter_mut() {
                    armed.matched |= armed.rule.reads(slice.key);
                }
                if let Some((pace, known)) = pace {
                    if slice.key.metric == TRAINED {
                        for ((step, time), value) in slice.step.iter().zip(slice.time_us).zip(slice.value) {
                            if pace.push(*step, *time, *value) {
                                due = Some((*step, *time));
                            }
                        }
                    } else if !known.contains(slice.key) {
                        known.insert(slice.key.clone());
                        pace.begins(slice.time_us.first().copied().unwrap_or_default());
                    }
                }
                for ((step, value), time) in slice.step.iter().zip(slice.value).zip(slice.time_us) {
                    let (key, step, time_us, value) = (slice.key, *step, *time, *value);
                    judge_row(
                        rules,
                        manifest,
                        &Seen { key, step, time_us, value, new: time_us >= since },
                        &mut said,
                    );
                }
            });
            // Rows that cannot be read now are read next time.
            if read.is_err() || self.tailer.at_end() {
                break;
            }
        }
        for (rule, step, message) in said {
            self.raise(rule, Some(step), &message);
        }
        if let Some((step, time_us)) = due {
            let slow = self.pace.as_ref().and_then(|(pace, _)| pace.slow());
            self.pace(step, time_us >= since, slow);
        }
    }

    /// Warns about rules given for the run that are about nothing it has logged.
    fn tell_unmatched(&self) {
        if read_status(&self.run).ok().and_then(|status| status.step).is_none() {
            return;
        }
        let given = |rule: &Rule| self.manifest.alerts.iter().any(|text| text.parse().as_ref() == Ok(rule));
        for armed in &self.rules {
            if armed.rule.needs_a_series() && !armed.matched && given(&armed.rule) {
                let message = format!("the alert \"{}\" was about no series of this run", armed.rule);
                self.events.warn(message);
            }
        }
        self.events.flush().ok();
    }

    fn pace(&mut self, step: i64, new: bool, slow: Option<Slow>) {
        let Some(at) = self.rules.iter().position(|armed| armed.rule == Rule::RateFell) else { return };
        let words = slow.map(|slow| {
            let fell = 100.0 * (1.0 - slow.rate / slow.before);
            format!(
                "rate fell by {fell:.0} %, from {:.3} to {:.3} steps a second, and was never below {:.3}",
                slow.before, slow.rate, slow.slowest
            )
        });
        if let Some(message) = self.rules[at].begins(words).filter(|_| new) {
            self.raise(at, Some(step), &message);
        }
    }

    /// Evaluates the conditions that do not depend on rows.
    fn now(&mut self) {
        let status = read_status(&self.run).unwrap_or_default();
        if status.state != State::Running || status.waiting.is_some() || status.rows <= Some(0) {
            self.moved = Instant::now();
        }
        let silent = self.moved.elapsed();
        for at in 0..self.rules.len() {
            let message = match self.rules[at].rule {
                Rule::Stalled(limit) => (silent >= limit).then(|| format!("no row for {}", seconds(silent))),
                Rule::Disk(percent) => full(&self.run)
                    .filter(|used| *used >= percent)
                    .map(|used| format!("its disk is {used:.0} % full")),
                Rule::MemoryShare(percent) => memory_used()
                    .filter(|used| *used >= percent)
                    .map(|used| format!("memory is used to {used:.0} %")),
                _ => continue,
            };
            if let Some(message) = self.rules[at].begins(message) {
                self.raise(at, status.step, &message);
            }
        }
    }

    /// Compares the run with others of its sweep until it is to be stopped.
    fn early(&mut self) {
        let Some(why) = self.median.as_mut().and_then(Median::look) else { return };
        self.stop.set(why).ok();
        self.median = None;
    }

    fn end(&mut self, end: &Ending) {
        let step = read_status(&self.run).ok().and_then(|status: Status| status.step);
        let failed = matches!(end.state, State::Failed | State::Crashed);
        let wanted = |armed: &Armed| armed.rule == Rule::End || failed && armed.rule == Rule::Failure;
        if let Some(at) = self.rules.iter().position(wanted) {
            let cause = end.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
            self.raise(at, step, &format!("{}{cause}", end.state));
        }
    }

    /// Records an alert, for [`Self::call_hook`] too.
    fn raise(&mut self, rule: usize, step: Option<i64>, message: &str) {
        let rule = self.rules[rule].rule.to_string();
        self.events.record(&Event::Alert { message: message.to_owned() });
        self.events.flush().ok();
        if let Some(hook) = &mut self.hook {
            let event = serde_json::json!({
                "run": self.manifest.run, "experiment": self.manifest.experiment.id, "path": self.run.path(),
                "host": gradtop_store::host_name(), "time": Timestamp::now(), "rule": rule, "step": step,
                "message": message,
            });
            hook.alerts.push(event.to_string());
        }
    }

    /// Passes the recorded alerts to the hook.
    fn call_hook(&mut self) {
        if let Some(hook) = &mut self.hook {
            hook.call(&self.events);
        }
    }
}

fn judge_row(
    rules: &mut [Armed],
    manifest: &Manifest,
    seen: &Seen<'_>,
    said: &mut Vec<(usize, i64, String)>,
) {
    for (at, armed) in rules.iter_mut().enumerate() {
        match armed.judge(manifest, seen) {
            Some(words) if !armed.held.contains(seen.key) => {
                armed.held.insert(seen.key.clone());
                let text = || format!("{} is {words}", seen.key.path());
                said.extend(seen.new.then(|| armed.says(text())).flatten().map(|text| (at, seen.step, text)));
            }
            Some(_) => {}
            // A series is reported only once for being non-finite.
            None if armed.rule == Rule::NonFinite => {}
            None => drop(armed.held.remove(seen.key)),
        }
    }
}

/// Returns how full the run's disk is for its user, in percent.
fn full(run: &RunDir) -> Option<f64> {
    let disk = rustix::fs::statvfs(run.path()).ok()?;
    let used = disk.f_blocks.checked_sub(disk.f_bfree)? as f64;
    Some(100.0 * used / (used + disk.f_bavail as f64))
}

#[cfg(test)]
mod tests;
