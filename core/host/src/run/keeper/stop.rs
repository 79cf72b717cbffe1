//! Stopping a run: who has asked, what was done about it, and what comes next.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{Event, EventLog, KILLED, Request, RunDir, request, stop_stamp};
use signal_hook::consts::SIGTERM;

use crate::launcher::in_job::{GRACE, TIME_OVER};
use crate::machine::signals;
use crate::run::cause::{ASKED, Context, OomCount, seconds};
use crate::run::control::{self, DEFAULT_GRACE, KILL_SIGNAL, STOP_SIGNAL};
use crate::run::keeper::target::{LAST_CHANCE, Target};

/// Who asked for a stop that arrived as a signal.
const TERMINATED: &str = "SIGTERM";
/// Why a run ends when its folder disappears.
pub(crate) const FOLDER_GONE: &str = "its folder was moved or deleted";

/// A stop of a run, and what the keeper has done about it.
pub(super) struct Stopping {
    run: RunDir,
    /// Whether the run is in a batch job, which gives it little time.
    pub(super) in_job: bool,
    /// When a stop was first seen, and who asked for it.
    since: Option<(Instant, Cow<'static, str>)>,
    /// Whether a listening process has been asked.
    heard: bool,
    /// Why the run is to be stopped early in favour of others, once that is decided.
    early: Arc<OnceLock<String>>,
    /// Whether the run was asked to stop early, which is done only once.
    early_asked: bool,
    /// The request that this process wrote: another one in its place is from the user.
    own: Option<(u64, SystemTime)>,
    /// The grace period of a stop that no file could pass on.
    by_signal: Option<Duration>,
    /// When SIGTERM was sent, and the grace period before.
    terminated: Option<(Instant, Duration)>,
    killed_after: Option<Duration>,
    got_term: Arc<AtomicBool>,
    /// Whether [`STOP_SIGNAL`] was received.
    asked: Arc<AtomicBool>,
    /// Whether [`KILL_SIGNAL`] was received.
    at_once: Arc<AtomicBool>,
}

impl Stopping {
    /// Starts to listen to signals; SIGTERM sets `got_term`.
    pub(super) fn listen(
        run: &RunDir,
        got_term: Arc<AtomicBool>,
        early: Arc<OnceLock<String>>,
    ) -> Result<Self, String> {
        let (asked, at_once) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        for (signal, flag) in [(SIGTERM, &got_term), (STOP_SIGNAL, &asked), (KILL_SIGNAL, &at_once)] {
            signal_hook::flag::register(signal, flag.clone())
                .map_err(|e| format!("{} cannot be handled: {e}", signals::name(signal)))?;
        }
        Ok(Self {
            run: run.clone(),
            in_job: false,
            since: None,
            heard: false,
            early,
            early_asked: false,
            own: None,
            by_signal: None,
            terminated: None,
            killed_after: None,
            got_term,
            asked,
            at_once,
        })
    }

    /// Writes a stop request to the run's folder; returns `false` if that fails.
    fn ask(&mut self) -> bool {
        let grace_s = self.in_job.then_some(GRACE.as_secs_f64());
        let asked = request(&self.run, Request::Stop { grace_s }).is_ok();
        self.own = if asked { stop_stamp(&self.run) } else { None };
        asked
    }

    /// Returns whether there is a request that this process did not write.
    pub(super) fn is_asked_by_other(&self) -> bool {
        let now = stop_stamp(&self.run);
        now.is_some() && now != self.own
    }

    /// Returns who asked for a stop, if anybody: it may be requested and answered between two checks.
    pub(super) fn who(&self) -> Option<Cow<'static, str>> {
        let asked = || control::asked_to_stop(&self.run).map(|grace| who_asked(grace).into());
        self.since.as_ref().map(|(_, who)| who.clone()).or_else(asked)
    }

    /// Returns whether the user has asked for a stop, even if something else had asked before.
    pub(super) fn is_by_person(&self) -> bool {
        self.who().is_some_and(|who| !matches!(&*who, TERMINATED | TIME_OVER)) || self.is_asked_by_other()
    }

    /// Collects the circumstances of a process's end; `memory` was counted when it started.
    pub(super) fn context<'a>(
        &self,
        stop: Option<&'a str>,
        memory: OomCount,
        console: &'a [u8],
    ) -> Context<'a> {
        let out_of_memory = OomCount::now().grew_since(memory);
        Context { stop, killed_after: self.killed_after, out_of_memory, console }
    }

    /// Enforces a stop, in the end by force.
    pub(super) fn enforce(&mut self, events: &EventLog, target: &impl Target) {
        self.pass_on_signals(events, target);
        let Some((grace, who)) = self.wanted(target) else {
            // Cancelled before it was enforced: the grace period starts again with the next request.
            (self.since, self.heard) = (None, false);
            return;
        };
        let waited = self.since.get_or_insert((Instant::now(), who.into())).0.elapsed();
        // A process that has received the request and stopped listening is about to end.
        self.heard |= target.listens();
        match self.terminated {
            _ if target.is_sealing() && !grace.is_zero() => {}
            None if (waited >= grace || !self.heard) && !grace.is_zero() => {
                self.terminated = Some((Instant::now(), grace));
                if waited >= grace {
                    events.warn(format!("did not stop within {}: sending SIGTERM", seconds(grace)));
                }
                target.terminate();
            }
            None if waited < grace => {}
            // A later request may shorten the period. A process that was not asked in another way gets all of it.
            Some((sent, _))
                if !grace.is_zero() && (waited < grace || sent.elapsed() < LAST_CHANCE.min(grace)) => {}
            _ if self.killed_after.is_some() => {}
            _ => {
                self.killed_after = Some(grace);
                let name = "SIGKILL".to_owned();
                events.record(&Event::Signal { name, process: target.name().to_owned() });
                target.kill(grace.is_zero());
            }
        }
    }

    /// Turns signals to this process, and the decision to stop early, into requests to stop.
    fn pass_on_signals(&mut self, events: &EventLog, target: &impl Target) {
        let asked = self.asked.swap(false, Ordering::AcqRel);
        if self.got_term.swap(false, Ordering::AcqRel) || asked {
            let name = signals::name(if asked { STOP_SIGNAL } else { SIGTERM });
            events.record(&Event::Signal { name, process: "keeper".to_owned() });
            let other = self.is_asked_by_other();
            let other = other.then(|| control::asked_to_stop(&self.run)).flatten();
            let who = if asked { ASKED } else { other.map_or(TERMINATED, who_asked) };
            self.since.get_or_insert((Instant::now(), who.into()));
            if !self.ask() {
                self.by_signal = Some(DEFAULT_GRACE);
                target.pass_on_stop();
            }
        }
        if let Some(why) = self.early.get().cloned()
            && !std::mem::replace(&mut self.early_asked, true)
            && self.ask()
        {
            self.since.get_or_insert((Instant::now(), why.into()));
        }
    }

    /// Returns the grace period of the stop that is to be enforced, if any, and who asked for it.
    fn wanted(&self, target: &impl Target) -> Option<(Duration, &'static str)> {
        let passed_on = self.terminated.map(|(_, grace)| grace).or(self.by_signal);
        let at_once = self.at_once.load(Ordering::Acquire).then_some(Duration::ZERO);
        let asked = at_once
            .or_else(|| control::asked_to_stop(&self.run))
            .or(passed_on)
            .map(|grace| (grace, who_asked(grace)));
        // The trainer ends by itself when it notices this.
        let gone = (!self.run.is_in_place()).then_some((DEFAULT_GRACE, FOLDER_GONE));
        let failing = target.is_failing().then_some((DEFAULT_GRACE, "the run failed"));
        asked.or(gone).or(failing)
    }
}

/// Returns who asked, given the grace period: a stop without a grace period is a kill, even if the trainer ended first.
fn who_asked(grace: Duration) -> &'static str {
    if grace.is_zero() { KILLED } else { ASKED }
}
