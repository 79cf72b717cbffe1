//! Alerts: rules that a user sets for runs, judged by the keeper on a thread of its own, and told as events of the run and to a
//! hook.
//!
//! Rules and hook are the user's, not the run's: they come from who starts it, by [`VARIABLE`], and never from its folder.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, EventLog, Manifest, RunDir, SeriesKey, State, Status, Tailer, read_manifest, read_status,
};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::command::tree::HOOK_MARK;
use crate::run::cause::seconds;
use crate::run::median::{EarlyStop, Median};
use crate::run::rules::Rule;

/// Where a keeper gets its alerts from.
const VARIABLE: &str = "GRADTOP_KEEPER_ALERTS";
/// How often rules are judged.
const EVERY: Duration = Duration::from_secs(1);
/// How long rows are read at a time.
const READING: Duration = Duration::from_millis(100);
/// How long a hook may take, and how often it is looked at.
const HOOK: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);
/// Alerts of a run at most, and of one look at its rows.
const MOST: u32 = 100;

/// What a user wants to be told of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// The rules.
    pub rules: Vec<Rule>,
    /// A shell's command that gets each alert as JSON on standard input.
    pub hook: Option<String>,
    /// When to stop the run for the sake of others.
    #[serde(default)]
    pub early_stop: Option<EarlyStop>,
}

static ALERTS: RwLock<Option<Alerts>> = RwLock::new(None);

/// Sets the alerts of the runs that this process starts from now on.
pub fn set_alerts(alerts: Alerts) {
    *ALERTS.write().unwrap_or_else(PoisonError::into_inner) = Some(alerts);
}

/// Sets when those runs are stopped early.
pub fn set_early_stop(rule: EarlyStop) {
    let mut alerts = ALERTS.write().unwrap_or_else(PoisonError::into_inner);
    alerts.get_or_insert_default().early_stop = Some(rule);
}

/// The variable by which a keeper gets them, and its value; none where nothing is to be judged.
pub(crate) fn variable() -> (&'static str, Option<String>) {
    let alerts = ALERTS.read().unwrap_or_else(PoisonError::into_inner);
    let wanted = alerts.as_ref().filter(|alerts| !alerts.rules.is_empty() || alerts.early_stop.is_some());
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
        let alerts: Alerts = serde_json::from_str(&std::env::var(VARIABLE).ok()?).ok()?;
        let manifest = read_manifest(run).ok()?;
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
    /// The same of rows: the series for which it holds.
    held: BTreeSet<SeriesKey>,
}

impl Armed {
    fn new(rule: Rule) -> Self {
        Self { rule, holds: false, held: BTreeSet::new() }
    }
}

/// A value that a rule is about.
struct Seen<'a> {
    key: &'a SeriesKey,
    step: i64,
    value: f64,
}

struct Judge {
    run: RunDir,
    manifest: Manifest,
    hook: Option<String>,
    rules: Vec<Armed>,
    tailer: Tailer,
    events: EventLog,
    median: Option<Median>,
    stop: Arc<OnceLock<String>>,
    /// When the last row of the training came, or it could last not have come.
    moved: Instant,
    told: u32,
}

impl Judge {
    fn new(run: &RunDir, manifest: Manifest, alerts: Alerts, stop: Arc<OnceLock<String>>) -> Self {
        let wanted: Vec<Rule> = alerts.rules.clone();
        let tailer = Tailer::filtered(run, move |key| wanted.iter().any(|rule| rule.reads(key)));
        Self {
            run: run.clone(),
            median: alerts.early_stop.and_then(|rule| Median::new(run, &manifest, rule)),
            stop,
            manifest,
            hook: alerts.hook,
            rules: alerts.rules.into_iter().map(Armed::new).collect(),
            tailer,
            events: EventLog::new(run),
            moved: Instant::now(),
            told: 0,
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
        let (rules, moved) = (&mut self.rules, &mut self.moved);
        loop {
            let read = self.tailer.poll_slices(READING, |slice| {
                if !slice.key.metric.starts_with("system/") {
                    *moved = Instant::now();
                }
                for (step, value) in slice.step.iter().zip(slice.value) {
                    if said.len() == MOST as usize {
                        return;
                    }
                    let seen = Seen { key: slice.key, step: *step, value: *value };
                    judge_row(rules, &seen, &mut said);
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
                _ => continue,
            };
            let begins = message.is_some() && !self.rules[at].holds;
            self.rules[at].holds = message.is_some();
            if let Some(message) = message.filter(|_| begins) {
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
        if self.told == MOST {
            return;
        }
        self.told += 1;
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

fn judge_row(rules: &mut [Armed], seen: &Seen<'_>, said: &mut Vec<(usize, i64, String)>) {
    for (at, armed) in rules.iter_mut().enumerate() {
        let Some(holds) = armed.rule.holds(seen.key, seen.value) else { continue };
        let began = holds && !armed.held.contains(seen.key);
        if began {
            armed.held.insert(seen.key.clone());
            let words = armed.rule.words(seen.value);
            said.push((at, seen.step, format!("{} is {words} at step {}", seen.key.path(), seen.step)));
        } else if !holds && armed.rule != Rule::NonFinite {
            // What was no number once is told once.
            armed.held.remove(seen.key);
        }
    }
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
mod tests {
    use super::*;

    #[test]
    fn a_hook_gets_the_event_and_its_failure_is_a_sentence() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("event");
        assert_eq!(call(&format!("cat > '{}'", file.display()), "{\"rule\":\"end\"}"), Ok(()));
        assert_eq!(std::fs::read_to_string(file).ok().as_deref(), Some("{\"rule\":\"end\"}\n"));
        assert_eq!(call("exit 3", "{}"), Err("ended with exit status: 3".to_owned()));
        // One that reads nothing and ends is nothing to wait for.
        assert_eq!(call("true", &"x".repeat(50_000)), Ok(()));
    }

    #[test]
    fn rules_speak_when_their_condition_begins() {
        let rule = |text: &str| Armed::new(text.parse().expect("a rule"));
        let mut rules = [rule("loss > 10"), rule("non-finite")];
        let mut said = Vec::new();
        let key = SeriesKey::metric("loss");
        for (step, value) in (1i64..).zip([1.0, 11.0, 12.0, 3.0, 20.0, f64::NAN, f64::NAN]) {
            judge_row(&mut rules, &Seen { key: &key, step, value }, &mut said);
        }
        let words: Vec<&str> = said.iter().map(|(_, _, message)| message.as_str()).collect();
        assert_eq!(
            words,
            [
                "loss is 11, which is > 10, at step 2",
                "loss is 20, which is > 10, at step 5",
                "loss is NaN at step 6"
            ]
        );
    }
}
