//! Alerts: rules that a user sets for runs, judged by the keeper on a thread of its own, and told as events of the run and to a
//! hook.
//!
//! The hook and the rules of the settings are the user's, not the run's: they come from who starts or resumes it, by [`VARIABLE`], and
//! never from its folder. Only rules that were given for the run are kept there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, EventLog, Manifest, RunDir, SeriesKey, State, Status, Tailer, append_event, read_manifest,
    read_status,
};
use jiff::Timestamp;
use parking_lot::RwLock;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::command::tree::HOOK_MARK;
use crate::machine::proc_fs::of_group;
use crate::pace::Slow;
use crate::run::cause::seconds;
use crate::run::median::{EarlyStop, Median};
use crate::run::rules::{Rule, TRAINED};
use crate::run::trend::{Pace, Trend};

/// Where a keeper gets its alerts from.
const VARIABLE: &str = "GRADTOP_KEEPER_ALERTS";
/// How often rules are judged.
const EVERY: Duration = Duration::from_secs(1);
/// How long rows are read at a time.
const READING: Duration = Duration::from_millis(100);
/// How long a hook may take, and how often it is looked at.
const HOOK: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);
/// Alerts of one rule at most: one about many series leaves the others their say.
const MOST: u32 = 20;

/// What a user wants to be told of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// The rules of whoever starts or resumes a run.
    pub rules: Vec<Rule>,
    /// Those of the runs that are begun now, which keep them.
    #[serde(skip)]
    pub given: Vec<Rule>,
    /// A shell's command that gets each alert as JSON on standard input.
    pub hook: Option<String>,
    /// When to stop the run for the sake of others.
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

/// The rules that a run keeps that is begun now.
pub(crate) fn given() -> Vec<String> {
    let alerts = ALERTS.read();
    alerts.iter().flat_map(|alerts| &alerts.given).map(Rule::to_string).collect()
}

/// The variable by which a keeper gets what is not the run's own, and its value; none where that is nothing.
pub(crate) fn variable() -> (&'static str, Option<String>) {
    let alerts = ALERTS.read();
    let is_any = |a: &&Alerts| !a.rules.is_empty() || a.hook.is_some() || a.early_stop.is_some();
    let wanted = alerts.as_ref().filter(is_any);
    (VARIABLE, wanted.and_then(|alerts| serde_json::to_string(alerts).ok()))
}

/// How a run ended, for the last alert.
struct End {
    state: State,
    cause: Option<String>,
}

/// The thread that judges the rules of a run.
pub(crate) struct Guard {
    end: Sender<End>,
    thread: JoinHandle<()>,
}

impl Guard {
    /// Starts it; none where there is no rule. Why the run is to be stopped early is told by `stop`.
    pub(crate) fn start(run: &RunDir, stop: &Arc<OnceLock<String>>) -> Option<Self> {
        let manifest = read_manifest(run).ok()?;
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let mut alerts: Alerts = serde_json::from_str(&text).unwrap_or_default();
        for rule in &manifest.alerts {
            match rule.parse() {
                Ok(rule) if alerts.rules.contains(&rule) => {}
                Ok(rule) => alerts.rules.push(rule),
                // As a newer version may write them.
                Err(why) => {
                    let message = format!("an alert of {} is left out: {why}", run.manifest().display());
                    append_event(run, &Event::Warning { message }).ok();
                }
            }
        }
        if alerts.rules.is_empty() && alerts.early_stop.is_none() {
            return None;
        }
        let (end, ended) = channel();
        let mut judge = Judge::new(run, manifest, alerts, stop.clone());
        let thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(move || judge.work(&ended));
        Some(Self { end, thread: thread.ok()? })
    }

    /// Tells of the end, and waits for the last hook. The run's lock is to be free by then.
    pub(crate) fn finish(self, run: &RunDir) {
        if let Ok(Status { state, cause, .. }) = read_status(run)
            && state.is_final()
        {
            self.end.send(End { state, cause }).ok();
        }
        drop(self.end);
        self.thread.join().ok();
    }
}

/// A rule with what it last said.
struct Armed {
    rule: Rule,
    /// Its condition held at the last look: it speaks when that begins.
    holds: bool,
    /// How often it has spoken.
    told: u32,
    /// The same of rows: the series for which it holds.
    held: BTreeSet<SeriesKey>,
    /// What it remembers of series, of those that it is about.
    trends: BTreeMap<SeriesKey, Option<Trend>>,
}

impl Armed {
    fn new(rule: Rule) -> Self {
        Self { rule, holds: false, told: 0, held: BTreeSet::new(), trends: BTreeMap::new() }
    }

    /// Lets it speak once more: what it is to say, or nothing if it has said enough.
    fn says(&mut self, message: String) -> Option<String> {
        self.told = self.told.saturating_add(1);
        match self.told {
            ..MOST => Some(message),
            MOST => Some(format!("{message}; this rule tells no more of this run")),
            _ => None,
        }
    }

    /// Takes in whether its condition holds, in words if it does: what it is to say, if that begins.
    fn begins(&mut self, now: Option<String>) -> Option<String> {
        let before = std::mem::replace(&mut self.holds, now.is_some());
        now.filter(|_| !before).and_then(|message| self.says(message))
    }

    /// Takes in a row: in words, that the rule's condition holds for its series now. `None`: it does not, or is not about that.
    fn judge(&mut self, manifest: &Manifest, seen: &Seen<'_>) -> Option<String> {
        if let Some(holds) = self.rule.holds(seen.key, seen.value) {
            return holds.then(|| self.rule.words(seen.value));
        }
        if !self.trends.contains_key(seen.key) {
            self.trends.insert(seen.key.clone(), Trend::of(&self.rule, seen.key, manifest));
        }
        self.trends.get_mut(seen.key)?.as_mut()?.push(seen.step, seen.time_us, seen.value)
    }
}

/// A value that a rule is about.
struct Seen<'a> {
    key: &'a SeriesKey,
    step: i64,
    time_us: i64,
    value: f64,
    /// It has been logged since the run was started or resumed: what is older has been told of.
    new: bool,
}

struct Judge {
    run: RunDir,
    manifest: Manifest,
    hook: Option<String>,
    rules: Vec<Armed>,
    tailer: Tailer,
    events: EventLog,
    /// How fast steps come, and the series known so far, where a rule is about that.
    pace: Option<(Pace, BTreeSet<SeriesKey>)>,
    median: Option<Median>,
    stop: Arc<OnceLock<String>>,
    /// When the run was started or resumed, in microseconds since 1970.
    since: i64,
    /// When the last row of the training came, or it could last not have come.
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
            hook: alerts.hook,
            rules: alerts.rules.into_iter().map(Armed::new).collect(),
            tailer,
            events: EventLog::new(run),
            since: Timestamp::now().as_microsecond(),
            moved: Instant::now(),
        }
    }

    fn work(&mut self, ended: &Receiver<End>) {
        loop {
            match ended.recv_timeout(EVERY) {
                Err(RecvTimeoutError::Timeout) => {
                    self.rows();
                    self.now();
                    self.early();
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Ok(end) => {
                    self.rows();
                    self.end(&end);
                    return;
                }
            }
        }
    }

    /// Judges the rows that are new.
    fn rows(&mut self) {
        let mut said: Vec<(usize, i64, String)> = Vec::new();
        let mut due = None;
        let (rules, moved, since, manifest) = (&mut self.rules, &mut self.moved, self.since, &self.manifest);
        let pace = &mut self.pace;
        loop {
            let read = self.tailer.poll_slices(READING, |slice| {
                if !slice.key.metric.starts_with("system/") {
                    *moved = Instant::now();
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
            // What cannot be read now is read at the next look.
            if read.is_err() || self.tailer.at_end() {
                break;
            }
        }
        for (rule, step, message) in said {
            self.tell(rule, Some(step), &message);
        }
        if let Some((step, time_us)) = due {
            let slow = self.pace.as_ref().and_then(|(pace, _)| pace.slow());
            self.pace(step, time_us >= since, slow);
        }
    }

    /// Judges how fast steps come.
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
            self.tell(at, Some(step), &message);
        }
    }

    /// Judges what no row tells.
    fn now(&mut self) {
        let status = read_status(&self.run).unwrap_or_default();
        if status.state != State::Running || status.waiting.is_some() || status.rows == 0 {
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
                self.tell(at, status.step, &message);
            }
        }
    }

    /// Judges the run by others of its sweep, until it is to be stopped.
    fn early(&mut self) {
        let Some(why) = self.median.as_mut().and_then(Median::look) else { return };
        self.events.append(&Event::Alert { message: why.clone() }).ok();
        self.events.flush().ok();
        self.stop.set(why).ok();
        self.median = None;
    }

    fn end(&mut self, end: &End) {
        let step = read_status(&self.run).ok().and_then(|status: Status| status.step);
        let failed = matches!(end.state, State::Failed | State::Crashed);
        let wanted = |armed: &Armed| armed.rule == Rule::End || failed && armed.rule == Rule::Failure;
        if let Some(at) = self.rules.iter().position(wanted) {
            let cause = end.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
            self.tell(at, step, &format!("{}{cause}", end.state));
        }
    }

    /// Writes an alert down, and tells the hook.
    fn tell(&mut self, rule: usize, step: Option<i64>, message: &str) {
        let rule = self.rules[rule].rule.to_string();
        self.events.append(&Event::Alert { message: message.to_owned() }).ok();
        if let Some(hook) = &self.hook {
            let event = serde_json::json!({
                "run": self.manifest.run, "experiment": self.manifest.experiment.id, "path": self.run.path(),
                "host": gradtop_store::host_name(), "time": Timestamp::now(), "rule": rule, "step": step,
                "message": message,
            });
            if let Err(why) = call(hook, &event.to_string()) {
                let message = format!("the hook of alerts {why}");
                self.events.append(&Event::Warning { message }).ok();
            }
        }
        self.events.flush().ok();
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
                let text = || format!("{} is {words} at step {}", seen.key.path(), seen.step);
                said.extend(seen.new.then(|| armed.says(text())).flatten().map(|text| (at, seen.step, text)));
            }
            Some(_) => {}
            // What was no number once is told once.
            None if armed.rule == Rule::NonFinite => {}
            None => drop(armed.held.remove(seen.key)),
        }
    }
}

/// How much of the memory is used that processes of the run's control group may have, or the machine has, in percent.
fn memory_used() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let of = |name: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let (all, left) = (of("MemTotal:")?, of("MemAvailable:")?);
    let machine = 100.0 * (1.0 - left / all);
    Some(group_used().map_or(machine, |group| machine.max(group)))
}

/// The same of a control group that has a limit. What it keeps of files is given back where memory is short.
fn group_used() -> Option<f64> {
    let number = |file: &str| of_group(file)?.trim().parse::<f64>().ok();
    let (limit, used) = (number("memory.max")?, number("memory.current")?);
    let stat = of_group("memory.stat").unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<f64>().ok());
    Some(100.0 * (used - files.unwrap_or(0.0)) / limit)
}

/// How full a run's disk is for its user, in percent.
fn full(run: &RunDir) -> Option<f64> {
    let disk = rustix::fs::statvfs(run.path()).ok()?;
    let used = disk.f_blocks.checked_sub(disk.f_bfree)? as f64;
    Some(100.0 * used / (used + disk.f_bavail as f64))
}

/// Runs a hook to its end, with an event on its standard input. An error is what it did, such as `ended with 1`.
fn call(hook: &str, event: &str) -> Result<(), String> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(hook).env_remove(VARIABLE).env(HOOK_MARK, "1").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.current_dir(std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from));
    let mut child = command.spawn().map_err(|e| format!("cannot be started: {e}"))?;
    if let Some(mut input) = child.stdin.take() {
        // Less than a pipe holds: one that does not read it keeps nobody waiting.
        let line = format!("{}\n", event.get(..event.len().min(60_000)).unwrap_or_default());
        input.write_all(line.as_bytes()).ok();
    }
    let start = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break Ok(()),
            Ok(Some(status)) => break Err(format!("ended with {status}")),
            // Somebody else has waited for it.
            Err(_) => break Ok(()),
            Ok(None) if start.elapsed() >= HOOK => {
                break Err(format!("took longer than {} and was killed", seconds(HOOK)));
            }
            Ok(None) => std::thread::sleep(LOOK),
        }
    };
    if ended.is_err() {
        kill(&mut child);
    }
    ended
}

/// Kills a hook with all it started.
fn kill(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        kill_process_group(Pid::from_child(child), Signal::KILL).ok();
        child.wait().ok();
    }
}

#[cfg(test)]
mod tests;
