//! Queuing runs and starting them when it is their turn. There is no process just for the queue: a keeper whose run
//! ends starts the next, every keeper checks now and then, and so do the commands that queue.

pub(crate) mod waiting;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{
    Claim, Life, LockedQueue, NewRun, QueueSettings, RunDir, RunLock, State, StoreError, Turn, change_notes,
    host_name, inside, queue_claims, queue_is_mine, queue_settings, queue_stamp, read_manifest, read_turn,
    view, waiting, write_status, write_turn,
};

use crate::error::{HostError, Result};
use crate::launcher::start::{Checked, Start};
use crate::machine::signals::Blocked;
use crate::run::alerts;
use crate::run::keeper::Queue;
use crate::run::keeper::start::start;
use crate::run::queue::waiting::{claim_of, dependencies, unstarted};

/// How often a keeper checks the queue.
const LOOK: Duration = Duration::from_secs(5);
/// How often it checks all waiting runs even without a known change.
const THOROUGH: Duration = Duration::from_mins(1);
/// Number of failed starts after which a run is held.
const TRIES: u32 = 2;

/// Maximum number of runs queued together, so that they share disk syncs.
const TOGETHER: usize = 64;

/// Queues runs with the folder and environment of this process, and a tag if given. `after` are runs that must have finished
/// first. Starts nothing. `queued` is called with the runs in the queue, in groups; the first group is a single run.
///
/// # Errors
/// See [`crate::launch`]; if an experiment refuses its parameters, nothing is queued. The queue belongs to another
/// user, or `queued` fails.
pub fn enqueue(
    starts: &[Start],
    after: &[RunDir],
    tag: Option<&str>,
    mut queued: impl FnMut(&[RunDir]) -> Result<()>,
) -> Result<()> {
    let checked = Checked::all(starts, None)?;
    let mut new_runs = checked.new_runs(NewRun::begin_queued);
    let mut together = 1;
    loop {
        let runs = enqueue_next(new_runs.by_ref().take(together), after, tag)?;
        if runs.is_empty() {
            return Ok(());
        }
        queued(&runs)?;
        together = TOGETHER.min(2 * together);
    }
}

fn enqueue_next(
    new_runs: impl Iterator<Item = Result<NewRun>>,
    after: &[RunDir],
    tag: Option<&str>,
) -> Result<Vec<RunDir>> {
    let _blocked = Blocked::interrupts();
    let after: Vec<String> = after
        .iter()
        .map(|run| Ok(format!("{}/{}", read_manifest(run)?.experiment.id, run.name())))
        .collect::<gradtop_store::Result<_>>()?;
    let (name, alerts) = alerts::variable();
    let turns = new_runs.map(|new_run| {
        let new_run = new_run?;
        if let Some(tag) = tag {
            change_notes(new_run.run(), |notes| notes.add_tag(tag))?;
        }
        let mut turn =
            Turn::here(new_run.device(), after.clone()).map_err(HostError::io("find the working folder"))?;
        turn.set_env(name, alerts.as_deref());
        Ok((new_run, turn))
    });
    Ok(NewRun::finish_queued(turns.collect::<Result<_>>()?)?)
}

/// Starts the queued runs whose turn it is while there are free slots, and returns them. Does nothing if the queue
/// belongs to another user or is locked.
///
/// # Errors
/// The queue cannot be read or written.
pub fn start_queued(runs: &Path) -> Result<Vec<RunDir>> {
    if !queue_is_mine(runs) || waiting(runs).is_empty() && queue_claims(runs).is_empty() {
        return Ok(Vec::new());
    }
    let Some(queue) = LockedQueue::try_lock(runs) else { return Ok(Vec::new()) };
    Slots::settle(runs, &queue)?.fill()
}

/// Like [`start_queued`], but waits for the queue's lock.
///
/// # Errors
/// The queue cannot be read or written.
pub fn start_queued_blocking(runs: &Path) -> Result<Vec<RunDir>> {
    if !queue_is_mine(runs) || waiting(runs).is_empty() && queue_claims(runs).is_empty() {
        return Ok(Vec::new());
    }
    Slots::settle(runs, &LockedQueue::lock(runs)?)?.fill()
}

/// The slots of the locked queue.
struct Slots<'a> {
    runs: &'a Path,
    queue: &'a LockedQueue,
    settings: QueueSettings,
    claims: Vec<Claim>,
    started: Vec<RunDir>,
}

impl<'a> Slots<'a> {
    /// Releases the slots of ended runs, and completes what a killed process left unfinished.
    fn settle(runs: &'a Path, queue: &'a LockedQueue) -> Result<Self> {
        let mut slots =
            Self { runs, queue, settings: queue_settings(runs)?, claims: Vec::new(), started: Vec::new() };
        let before = queue_claims(runs);
        let mut interrupted = Vec::new();
        for claim in &before {
            match claim_state(&claim.dir(runs)) {
                // The claim of another machine, which cannot be checked from here.
                _ if claim.host != host_name() => slots.claims.push(claim.clone()),
                ClaimState::AtWork => slots.claims.push(claim.clone()),
                ClaimState::NotBegun => {
                    slots.claims.push(claim.clone());
                    interrupted.push(claim.clone());
                }
                ClaimState::Over => {}
            }
        }
        if slots.claims != before {
            queue.set_claims(&slots.claims)?;
        }
        for claim in interrupted {
            let run = claim.dir(runs);
            // If the lock is held, its holder is about to start or judge the run.
            if let (Ok(lock), Ok(turn)) = (RunLock::acquire_now(&run), read_turn(&run)) {
                slots.begin(&run, &lock, turn, &claim)?;
            }
        }
        Ok(slots)
    }

    fn is_free(&self, device: &str) -> bool {
        let own = |claim: &&Claim| claim.host == host_name() && claim.device == device;
        let taken = self.claims.iter().filter(own).count();
        taken < self.settings.of(device) as usize
    }

    /// Assigns free slots to the waiting runs, in their order.
    fn fill(mut self) -> Result<Vec<RunDir>> {
        for run in waiting(self.runs) {
            // A run that cannot be read stays in the queue.
            let Ok(mut turn) = read_turn(&run) else { continue };
            if !turn.is_here() {
                continue;
            }
            let (open, blocked) = dependencies(self.runs, &turn.after);
            if turn.blocked != blocked {
                turn.blocked = blocked;
                write_turn(&run, &turn)?;
            }
            if !open && turn.why_held().is_none() && self.is_free(&turn.device) {
                self.start(&run, turn)?;
            }
        }
        Ok(self.started)
    }

    fn start(&mut self, run: &RunDir, mut turn: Turn) -> Result<()> {
        let Ok(lock) = RunLock::acquire_now(run) else { return Ok(()) };
        let claim = claim_of(run, &turn.device)?;
        self.claims.push(claim.clone());
        self.queue.set_claims(&self.claims)?;
        match self.queue.take_out(run, &claim) {
            Ok(taken) => self.begin(&taken, &lock, turn, &claim),
            Err(e) => {
                self.give_up(&claim)?;
                let StoreError::RunExists { .. } = e else { return Err(e.into()) };
                turn.held = Some(format!("another run is called {} by now", run.name()));
                Ok(write_turn(run, &turn)?)
            }
        }
    }

    fn give_up(&mut self, claim: &Claim) -> Result<()> {
        self.claims.retain(|other| other != claim);
        Ok(self.queue.set_claims(&self.claims)?)
    }

    /// Starts a run that was taken out of the queue, or puts it back if it does not start.
    fn begin(&mut self, run: &RunDir, lock: &RunLock, mut turn: Turn, claim: &Claim) -> Result<()> {
        lock.renamed(run);
        let mut why = String::new();
        while turn.tries < TRIES {
            write_status(run, &unstarted(run))?;
            match start(run, lock, None, Some(&turn)) {
                Ok(()) => {
                    self.started.push(run.clone());
                    return Ok(());
                }
                Err(HostError::NotStarted { why: said, .. }) => why = said,
                Err(e) => why = e.to_string(),
            }
            turn.tries += 1;
            write_turn(run, &turn)?;
        }
        turn.held = Some(format!("it did not start, {TRIES} times: {}", crate::text::first_line(&why).0));
        write_turn(run, &turn)?;
        let status = unstarted(run);
        gradtop_store::write_run_table(run, &read_manifest(run)?, &status)?;
        write_status(run, &status)?;
        self.queue.put_back(run, claim)?;
        self.give_up(claim)
    }
}

/// What became of a run that was assigned a slot.
enum ClaimState {
    AtWork,
    /// The process that took it out of the queue died before the run began.
    NotBegun,
    /// It has ended, was deleted, or was never taken out.
    Over,
}

fn claim_state(run: &RunDir) -> ClaimState {
    let Ok(seen) = view(run) else {
        let held = inside::exists(run, &run.lock()) && gradtop_store::is_locked(run).unwrap_or(false);
        return if held { ClaimState::AtWork } else { ClaimState::Over };
    };
    match (seen.life, seen.state) {
        (Life::Alive { .. }, _) => ClaimState::AtWork,
        (Life::Unknown, _) | (_, State::Stopped) => ClaimState::Over,
        _ if inside::exists(run, &run.turn()) => ClaimState::NotBegun,
        _ => ClaimState::Over,
    }
}

/// Sets the maximum number of active runs, for one device or each that has no limit of its own; `None` removes the limit
/// of a device, or restores the default. Damaged settings are replaced.
///
/// # Errors
/// The queue belongs to another user or cannot be written.
pub fn set_slots(runs: &Path, device: Option<&str>, slots: Option<u32>) -> Result<()> {
    NewRun::make_queue(runs)?;
    let queue = LockedQueue::lock(runs)?;
    let mut settings = match queue_settings(runs) {
        Err(StoreError::Format { .. }) => QueueSettings::default(),
        settings => settings?,
    };
    match (device, slots) {
        (Some(device), Some(slots)) => drop(settings.devices.insert(device.to_owned(), slots)),
        (Some(device), None) => drop(settings.devices.remove(device)),
        (None, slots) => settings.slots = slots.unwrap_or(QueueSettings::default().slots),
    }
    Ok(queue.set(&settings)?)
}

/// The keeper's part in starting queued runs.
pub(crate) struct QueueRunner {
    runs: PathBuf,
    looked: Instant,
    /// The queue's time stamp when it was last checked completely, and when that was.
    known: Option<(SystemTime, Instant)>,
    /// A thread that starts runs, which takes a moment during which the keeper must watch its own.
    starting: Option<JoinHandle<()>>,
}

impl QueueRunner {
    /// Creates it for the keeper of this run.
    pub(crate) fn of(run: &Path) -> Self {
        let runs = run.ancestors().nth(2).unwrap_or(run).to_owned();
        Self { runs, looked: Instant::now(), known: None, starting: None }
    }

    /// Returns whether nothing has changed since the last complete check.
    fn is_as_known(&mut self) -> bool {
        let Some(stamp) = queue_stamp(&self.runs) else { return true };
        let known = self.known.is_some_and(|(then, at)| then == stamp && at.elapsed() < THOROUGH);
        let claims = queue_claims(&self.runs);
        let at_work = || {
            let mut own = claims.iter().filter(|claim| claim.host == host_name());
            own.all(|claim| matches!(claim_state(&claim.dir(&self.runs)), ClaimState::AtWork))
        };
        if known && at_work() {
            return true;
        }
        self.known = Some((stamp, Instant::now()));
        false
    }
}

impl Queue for QueueRunner {
    fn look(&mut self) {
        if self.looked.elapsed() < LOOK || self.starting.as_ref().is_some_and(|thread| !thread.is_finished())
        {
            return;
        }
        self.looked = Instant::now();
        if self.is_as_known() {
            return;
        }
        let runs = self.runs.clone();
        let start = move || drop(start_queued(&runs));
        self.starting = std::thread::Builder::new().name("queue".to_owned()).spawn(start).ok();
    }

    fn ended(&mut self) {
        if let Some(thread) = self.starting.take() {
            thread.join().ok();
        }
        start_queued_blocking(&self.runs).ok();
    }
}
