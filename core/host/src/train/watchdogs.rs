//! The threads that watch over training: one listens (requests, signals, the keeper, checkpoint intervals), one writes
//! `status.json`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, HEARTBEAT, HeadlineValue, Kind, Manifest, Request, State, Status, Trouble, WITHDRAWN, Waiting,
    keep_reserve, request, take_requests, write_status,
};
use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};

use crate::run::cause::seconds;
use crate::run::control::DEFAULT_GRACE;
use crate::train::rate::{Quiet, Speed};
use crate::train::session::{Session, bit};
use crate::train::system::System;

/// How often requests are read.
const LISTEN: Duration = Duration::from_millis(100);
/// How often the status is checked; it is written only if it has changed.
const SHOW: Duration = Duration::from_millis(250);
/// How soon a change of the phase is written, so that it does not lag behind the rows.
const SHOW_PHASE: Duration = Duration::from_millis(100);
/// How long a trainer without a keeper may take to stop.
const ORPHAN_GRACE: Duration = Duration::from_secs(10);
/// How often a failing disk is reported at most, so that an intermittent failure does not fill the events.
const TROUBLES_TOLD: u32 = 100;
/// The end of the event for a failing disk, after the cause.
pub const ROWS_WAIT: &str = ": new rows wait in memory";
/// The beginning of the event for a recovered disk.
pub const DISK_ACCEPTS: &str = "the disk accepts data again";

/// The running threads; ends them when dropped.
pub(crate) struct Watchdogs {
    end: Arc<(Mutex<bool>, Condvar)>,
    threads: Vec<JoinHandle<()>>,
}

/// Waits for `time`; returns `true` when the threads should end.
fn pause(end: &(Mutex<bool>, Condvar), time: Duration) -> bool {
    let mut ended = end.0.lock();
    end.1.wait_while_for(&mut ended, |ended| !*ended, time);
    *ended
}

impl Watchdogs {
    /// Starts both threads. `first` is the initial status.
    pub(crate) fn start(
        session: &'static Session,
        mut first: Status,
        manifest: Manifest,
        terminated: Arc<AtomicBool>,
        keeper: Option<rustix::process::Pid>,
        system: System,
    ) -> std::io::Result<Self> {
        first.quiet_since = None;
        session.inherit(&first);
        // At once, so that it names the training process even if that hangs immediately.
        write_status(&session.run, &first).ok();
        keep_reserve(&session.run);
        let end = Arc::new((Mutex::new(false), Condvar::new()));
        let mut listener = Listener {
            session,
            checkpoint_every: Duration::from_secs(manifest.checkpoint_every_s),
            terminated,
            keeper,
            orphaned: None,
            last_checkpoint: (0, Instant::now()),
            asked: Asked::No,
            patience: None,
        };
        let mut display = Display {
            session,
            system,
            written: Instant::now(),
            shown: first,
            speed: Speed::default(),
            settling: None,
            quiet: Quiet::after(session.progress.signs()),
            unwritten: false,
            trouble: None,
            troubles: 0,
            manifest,
            row_state: State::Queued,
        };
        let (a, b) = (end.clone(), end.clone());
        let listen = std::thread::Builder::new().name("listen".to_owned()).spawn(move || {
            while !pause(&a, LISTEN) {
                listener.tick();
            }
        })?;
        let show = std::thread::Builder::new().name("status".to_owned()).spawn(move || {
            loop {
                let ended = pause(&b, SHOW_PHASE)
                    || !session.progress.has_new_phase() && pause(&b, SHOW.saturating_sub(SHOW_PHASE));
                display.tick(ended);
                if ended {
                    return;
                }
            }
        })?;
        Ok(Self { end, threads: vec![listen, show] })
    }

    /// Ends both threads after a last status.
    pub(crate) fn stop(mut self) {
        *self.end.0.lock() = true;
        self.end.1.notify_all();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

struct Listener {
    session: &'static Session,
    checkpoint_every: Duration,
    terminated: Arc<AtomicBool>,
    keeper: Option<rustix::process::Pid>,
    orphaned: Option<Instant>,
    /// Number of checkpoints, and when the last was saved.
    last_checkpoint: (u32, Instant),
    asked: Asked,
    /// How long a run that was asked to stop still waits for a failing disk.
    patience: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    No,
    /// By `control/stop`, while the file exists, with the grace period.
    ByFile(Option<f64>),
    /// Irrevocably.
    Firmly,
}

impl Listener {
    fn tick(&mut self) {
        self.watch_keeper();
        if self.terminated.swap(false, Ordering::AcqRel) {
            let event = Event::Signal { name: "SIGTERM".to_owned(), process: "trainer".to_owned() };
            self.session.event(&event);
            self.asked = Asked::Firmly;
            if !self.stop(DEFAULT_GRACE) {
                // Asked a second time: do not wait any longer.
                self.session.hurry();
                self.patience = Some(Instant::now());
            }
        }
        // If the folder cannot be read now, it is read again in 100 ms.
        if let Ok(requests) = take_requests(&self.session.run) {
            if !requests.iter().any(|r| matches!(r, Request::Stop { .. })) {
                self.withdraw_stop();
            }
            for request in requests {
                self.answer(request);
            }
        }
        self.check_folder();
        self.check_disk();
        self.mind_the_clock();
    }

    /// Ends a run whose folder was moved or deleted, because nobody would find what it writes.
    fn check_folder(&mut self) {
        if !self.session.run.is_in_place() && self.session.failure().is_none() {
            self.session.fail(crate::run::keeper::FOLDER_GONE.to_owned());
        }
    }

    /// Gives up waiting for the disk after half the grace period of a stop, so that the trainer can still report what is lost.
    fn check_disk(&self) {
        let over = self.patience.is_some_and(|until| Instant::now() >= until);
        if over && self.session.recorder.stats().trouble.is_some() {
            self.session.recorder.give_up();
        }
    }

    fn answer(&mut self, request: Request) {
        if matches!(request, Request::Stop { .. }) && self.asked != Asked::No {
            return;
        }
        self.session.event(&Event::Request { what: request.word().to_owned() });
        match request {
            Request::Stop { grace_s } => {
                self.asked = Asked::ByFile(grace_s);
                let grace = grace_s.and_then(|s| Duration::try_from_secs_f64(s).ok());
                self.stop(grace.unwrap_or(DEFAULT_GRACE));
            }
            Request::Pause => self.session.set_paused(true),
            Request::Resume => self.session.set_paused(false),
            Request::Checkpoint if self.session.resumable => self.session.ask_for_checkpoint(),
            Request::Checkpoint => {
                let message = "the experiment has no checkpoints".to_owned();
                self.session.event(&Event::Warning { message });
            }
        }
    }

    /// Asks for a stop; returns `true` the first time.
    fn stop(&mut self, grace: Duration) -> bool {
        let first = self.session.request_stop();
        if first {
            self.session.recorder.hurry(true);
            self.patience = Instant::now().checked_add(grace / 2);
            self.session.event(&Event::State { state: State::Stopping, cause: None });
        }
        first
    }

    /// Cancels the stop after `control/stop` was removed, unless the plugin has been notified.
    fn withdraw_stop(&mut self) {
        let Asked::ByFile(grace_s) = self.asked else { return };
        if self.session.withdraw_stop() {
            self.asked = Asked::No;
            self.patience = None;
            self.session.recorder.hurry(false);
            self.session.event(&Event::Request { what: WITHDRAWN.to_owned() });
            self.session.event(&Event::State { state: self.session.state(), cause: None });
            return;
        }
        self.asked = Asked::Firmly;
        // Restores the request, so that the keeper enforces it and viewers see it.
        request(&self.session.run, Request::Stop { grace_s }).ok();
    }

    /// Ends a trainer whose keeper is gone, as nobody would record how it ended.
    fn watch_keeper(&mut self) {
        if self.keeper.is_none() || rustix::process::getppid() == self.keeper {
            return;
        }
        match self.orphaned {
            None => {
                self.orphaned = Some(Instant::now());
                let message = "the keeper is gone: stopping, after a checkpoint if possible".to_owned();
                self.session.event(&Event::Warning { message });
                self.session.orphaned.store(true, Ordering::Release);
                self.asked = Asked::Firmly;
                self.stop(ORPHAN_GRACE);
            }
            Some(since) if since.elapsed() > ORPHAN_GRACE => {
                let message = "did not stop within 10 s without its keeper: ended".to_owned();
                self.session.event(&Event::Warning { message });
                crate::machine::process::leave_now(1);
            }
            Some(_) => {}
        }
    }

    fn mind_the_clock(&mut self) {
        let saved = self.session.checkpoints.load(Ordering::Acquire);
        let busy = self.session.is_waiting() || !self.session.running.load(Ordering::Acquire);
        if saved != self.last_checkpoint.0 || busy && self.last_checkpoint.0 == 0 {
            self.last_checkpoint = (saved, Instant::now());
        } else if !self.checkpoint_every.is_zero()
            && !busy
            && self.last_checkpoint.1.elapsed() >= self.checkpoint_every
        {
            self.session.ask_for_checkpoint();
        }
    }
}

struct Display {
    session: &'static Session,
    written: Instant,
    shown: Status,
    speed: Speed,
    quiet: Quiet,
    /// The divergence seen at the last tick, which is judged only once it is stable.
    settling: Option<u64>,
    /// Whether the last status could not be written.
    unwritten: bool,
    /// The last reported failure of the disk, and the number of reports.
    trouble: Option<Trouble>,
    troubles: u32,
    system: System,
    manifest: Manifest,
    /// The state in the run's row.
    row_state: State,
}

impl Display {
    /// Updates the status; `last` if nothing will follow.
    fn tick(&mut self, last: bool) {
        let session = self.session;
        let stats = session.recorder.stats();
        let waiting = stats.trouble.as_ref().map(|t| Waiting {
            cause: t.cause.clone(),
            rows: Some(stats.behind),
            since: t.since,
        });
        self.check_disk(stats.trouble);
        self.judge_at_rest();

        let now = Instant::now();
        let step = session.progress.step();
        let work = self.work_done();
        self.measure(now, step, work);
        let status = Status {
            rows: Some(stats.rows),
            log_wait_ms: Some(stats.wait.as_secs_f64() * 1e3),
            waiting,
            ..self.status(now, step, work)
        };
        // Written regularly even without changes, as a sign of life, except during a pause.
        let beat = !session.is_waiting() && now - self.written >= HEARTBEAT;
        if self.unwritten || beat || last || !same(&status, &self.shown) {
            self.written = now;
            let status = Status { updated: Timestamp::now(), ..status };
            self.unwritten = write_status(&session.run, &status).is_err();
            self.shown = status;
            self.write_row();
        }
    }

    /// Returns completed and total work.
    fn work_done(&self) -> (u64, u64) {
        let (done, total) = self.session.progress.done_of();
        if done > 0 || self.manifest.kind != Kind::Command {
            return (done, total);
        }
        // A client that only logs has progressed as far as its steps.
        (self.session.progress.done_by_steps(total), total)
    }

    /// Updates the rates and logs resource usage.
    fn measure(&mut self, now: Instant, step: Option<i64>, (done, total): (u64, u64)) {
        let session = self.session;
        if session.is_waiting() {
            self.speed.rest(now);
            self.quiet.rest(now);
        } else {
            self.speed.note(now, session.progress.phase(), session.step_logged(), done, total);
            let trained = session.worked().trained_s;
            // A command may never log a step, so use seconds for its resource usage.
            let second = || trained.filter(|_| self.manifest.kind == Kind::Command).map(|s| s as i64);
            if let Some(step) = step.or_else(second).filter(|_| session.running.load(Ordering::Acquire)) {
                self.system.tick(&session.recorder, step, trained);
            }
        }
        if session.is_saving() {
            self.quiet.rest(now);
        }
    }

    /// Returns the current status, except for what the log knows.
    fn status(&mut self, now: Instant, step: Option<i64>, (done, total): (u64, u64)) -> Status {
        let (session, shown) = (self.session, &self.shown);
        let left = total.saturating_sub(done);
        let quiet = self.quiet.note(now, session.progress.signs());
        let worked = session.worked();
        let orphaned = session.orphaned.load(Ordering::Acquire);
        let (headline, headline_is_part) = session.headline();
        let mut status = Status {
            state: session.state(),
            // Nobody is left to write the end, so this is what recovery will find.
            cause: orphaned.then(|| "stopped because its keeper was killed".to_owned()),
            step: step.or(shown.step),
            epoch: session.progress.epoch().or(shown.epoch),
            epochs_restart: shown.epochs_restart || session.progress.epochs_restart(),
            phase: session.progress.phase(),
            // Until a resumed run reports its progress, that of before is shown.
            done: if total > 0 { Some(done) } else { shown.done.max(Some(done)) },
            total: Some(total).filter(|total| *total > 0).or(shown.total),
            started: shown.started.or_else(|| session.started()),
            elapsed_s: Some(worked.elapsed_s),
            trained_s: worked.trained_s,
            is_trained: session.started().is_some() && !session.running.load(Ordering::Acquire),
            headline,
            headline_is_part,
            quiet_since: quiet.map(|quiet| shown.quiet_since.unwrap_or(Timestamp::now() - quiet)),
            outcome: session.outcome(),
            ..shown.clone()
        };
        status.note_step(shown);
        let (rate, eta) = self.speed.now(now, left, status.works_by_steps());
        // After training, no more steps are made, however long its rows take to be written.
        let trains = session.running.load(Ordering::Acquire);
        (status.steps_per_s, status.eta_s) = (rate.filter(|_| trains), eta.filter(|_| trains));
        status
    }

    /// Updates the state in the run's row, for SQL. It was queued before.
    fn write_row(&mut self) {
        let state = self.shown.state;
        if state != self.row_state && state != State::Starting {
            let row = &self.shown;
            // A command may have declared more since it was started.
            let now = gradtop_store::read_manifest(&self.session.run);
            let manifest = now.as_ref().unwrap_or(&self.manifest);
            if gradtop_store::write_run_table(&self.session.run, manifest, row).is_ok() {
                self.row_state = state;
            }
        }
    }

    /// Reports a failing disk, and fails the run once that is permanent: continuing to train would be pointless.
    fn check_disk(&mut self, trouble: Option<Trouble>) {
        let session = self.session;
        session.flush_events();
        match (&trouble, &self.trouble) {
            (Some(new), old) if new.hopeless && !old.as_ref().is_some_and(|old| old.hopeless) => {
                session.fail(format!("the log can no longer be written: {}", new.error));
                session.recorder.give_up();
            }
            (Some(new), old) if old.as_ref().is_none_or(|old| old.cause != new.cause) => {
                self.troubles += 1;
                self.tell(format!("{}{ROWS_WAIT}", new.cause));
            }
            (None, Some(old)) => {
                let lasted = Timestamp::now().duration_since(old.since).as_secs_f64().max(0.0);
                self.tell(format!("{DISK_ACCEPTS}, after {}", seconds(Duration::from_secs_f64(lasted))));
                keep_reserve(&session.run);
            }
            _ => {}
        }
        self.trouble = trouble;
    }

    fn tell(&self, message: String) {
        if self.troubles <= TROUBLES_TOLD {
            self.session.event(&Event::Warning { message });
        }
    }

    /// Judges diverged metrics of plugins that never call `step_end`, once nothing has changed for a whole tick.
    fn judge_at_rest(&mut self) {
        if self.session.bits.load(Ordering::Acquire) & bit::DIVERGED == 0 {
            self.settling = None;
            return;
        }
        let generation = self.session.divergence_generation();
        if self.settling == Some(generation) {
            self.session.judge();
            self.settling = None;
        } else {
            self.settling = Some(generation);
        }
    }
}

/// Returns whether two statuses are equivalent. NaN equals itself here, and times and rates that drift are no change.
fn same(a: &Status, b: &Status) -> bool {
    let headline =
        |a: &HeadlineValue, b: &HeadlineValue| a.value.to_bits() == b.value.to_bits() && a.key == b.key;
    let drifting = |status: &Status| Status {
        headline: Vec::new(),
        updated: Timestamp::default(),
        elapsed_s: None,
        trained_s: None,
        steps_per_s: None,
        eta_s: None,
        ..status.clone()
    };
    a.headline.len() == b.headline.len()
        && a.headline.iter().zip(&b.headline).all(|(a, b)| headline(a, b))
        && drifting(a) == drifting(b)
}
