//! The keeper: the process that starts the trainer, waits for it, and records how it ended. It opens no plugin.

#![allow(unsafe_code, reason = "closes inherited files")]

use std::borrow::Cow;
use std::fs::File;
use std::io::{PipeReader, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{
    Event, EventLog, KILLED, Kind, Manifest, Owner, RENEW, Request, RunDir, RunLock, State, Status,
    StoreError, counted, give_up_reserve, inside, process_start, read_manifest, read_status, recover,
    request, stop_stamp, withdraw_stop, write_status,
};
use jiff::Timestamp;
use signal_hook::consts::SIGTERM;

use crate::command::death::Death as CommandDeath;
use crate::command::pair::Pair;
use crate::launcher::in_job::{GRACE, InJob, TIME_OVER};
use crate::machine::last_words::with_last_words;
use crate::machine::process::Process;
use crate::machine::{device, program, signals};
use crate::run::alerts::Guard;
use crate::run::cause::{ASKED, Context, Death, OomCount, seconds};
use crate::run::console::Pump;
use crate::run::control::{self, DEFAULT_GRACE, KILL_SIGNAL, STOP_SIGNAL};
use crate::run::keeper_command::{DETACHED, ResumeFrom};
use crate::run::report;
use crate::run::target::{LAST_CHANCE, Target};

/// How often to check for a stop that the trainer does not answer.
const LOOK: Duration = Duration::from_millis(100);
/// How often a libgomp thread polls for work before it sleeps, unless the user has set it. The default, 300,000, is
/// right only on an idle machine: two runs with two threads each on two cores take a tenth of the time with this value,
/// and a single run is equally fast.
const SPINS: &str = "3000";
/// Who asked for a stop that arrived as a signal.
const TERMINATED: &str = "SIGTERM";
/// Why a run ends when its folder disappears.
pub(crate) const FOLDER_GONE: &str = "its folder was moved or deleted";
/// Delay between attempts to write the end.
const AGAIN: Duration = Duration::from_millis(500);
/// Environment variables that set how long threads spin.
const SPINNING: [&str; 2] = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"];

/// Entry point of `gradtop __keeper DIR [--resume CHECKPOINT] [--trust HASH]`. Standard input is the run's lock,
/// standard output a pipe to the launcher. `next` starts queued runs. With `in_job`, Slurm has started the process,
/// with the run's lock and a log instead of the pipe.
pub(crate) fn keeper_main(
    dir: &Path,
    resume: Option<&ResumeFrom>,
    in_job: bool,
    next: &mut dyn Queue,
) -> i32 {
    close_inherited();
    let Ok(files) = detach() else { return 1 };
    signals::unblock();
    let (lock, mut launcher) = files;
    let run = match RunDir::new(dir).hold() {
        Ok(run) => run,
        Err(e) => {
            writeln!(launcher, "{e}").ok();
            return 1;
        }
    };
    let events = EventLog::new(&run);
    let early = Arc::default();
    let alerts = Guard::start(&run, &early);
    let terminated = Arc::default();
    let owner = match Owner::claim(&run) {
        Ok(owner) => Some((owner, Instant::now())),
        Err(e @ (StoreError::Owned { .. } | StoreError::Locked { .. })) => {
            writeln!(launcher, "{e}").ok();
            return 1;
        }
        // The disk may be full. The lock was passed on only after a check for other owners.
        Err(_) => None,
    };
    let mut keeper = Keeper {
        run,
        lock,
        launcher: Some(launcher),
        events,
        alerts,
        terminated,
        early,
        owner,
        reported: false,
        in_job,
        job: None,
        next,
    };
    let code = match keeper.keep(resume) {
        Ok(true) => 0,
        Ok(false) => return 1,
        Err(why) => {
            keeper.finish(State::Failed, Some(why.clone()));
            notify(&mut keeper.launcher, &why);
            1
        }
    };
    // The run is free from here on; what follows may take a while.
    let Keeper { run, lock, events, alerts, next, owner, .. } = keeper;
    if let Some((owner, _)) = owner {
        owner.end(&run);
    }
    drop((lock, events));
    if code == 0 {
        // The launcher of a run that failed to start has locked the queue.
        next.ended();
    }
    if let Some(alerts) = alerts {
        alerts.finish(&run);
    }
    code
}

/// The queue of runs, as a keeper sees it.
pub(crate) trait Queue {
    /// Called regularly while the keeper's run is active.
    fn look(&mut self);
    fn ended(&mut self);
}

/// A queue that starts nothing.
pub(crate) struct NoQueue;

impl Queue for NoQueue {
    fn look(&mut self) {}
    fn ended(&mut self) {}
}

/// Closes descriptors that the calling program left open over `exec`.
fn close_inherited() {
    // As a raw system call, because the C library has a function for it only since glibc 2.34.
    // SAFETY: this program has not opened any files yet; if the kernel lacks the call, they stay open.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, 0 as libc::c_uint) };
}

/// Detaches from the terminal, its signals and its files. Returns the lock and the pipe to the launcher.
fn detach() -> std::io::Result<(RunLock, File)> {
    // The launcher does both between fork and exec; this is for a keeper started by hand.
    signals::ignore(libc::SIGHUP);
    signals::ignore(libc::SIGINT);
    rustix::process::setsid().ok();
    let lock = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let launcher = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok((RunLock::from_file(File::from(lock)), File::from(launcher)))
}

struct Keeper<'a> {
    run: RunDir,
    lock: RunLock,
    /// The launcher, until it has been notified.
    launcher: Option<File>,
    events: EventLog,
    alerts: Option<Guard>,
    /// Whether SIGTERM was received.
    terminated: Arc<AtomicBool>,
    /// Why the run is to be stopped early in favour of others, once that is decided.
    early: Arc<OnceLock<String>>,
    /// The run's owner, and when its file was last renewed.
    owner: Option<(Owner, Instant)>,
    /// Whether the recording process has reported its end, with the rows that are lost.
    reported: bool,
    in_job: bool,
    /// The keeper's batch job, set once the run is known.
    job: Option<InJob>,
    next: &'a mut dyn Queue,
}

/// A final state and its cause.
type End = (State, Option<String>);

/// What the keeper has done about a stop.
#[derive(Default)]
struct Stopping {
    /// When a stop was first seen, and who asked for it.
    since: Option<(Instant, Cow<'static, str>)>,
    /// Whether a listening process has been asked.
    heard: bool,
    /// Whether the run was asked to stop early, which is done only once.
    early: bool,
    /// The request that this process wrote: another one in its place is from the user.
    own: Option<(u64, SystemTime)>,
    /// The grace period of a stop that no file could pass on.
    by_signal: Option<Duration>,
    /// When SIGTERM was sent, and the grace period before.
    terminated: Option<(Instant, Duration)>,
    killed_after: Option<Duration>,
    /// Whether [`STOP_SIGNAL`] was received.
    asked: Arc<AtomicBool>,
    /// Whether [`KILL_SIGNAL`] was received.
    at_once: Arc<AtomicBool>,
}

impl Stopping {
    /// Writes a stop request to the run's folder; returns `false` if that fails.
    fn ask(&mut self, run: &RunDir, grace_s: Option<f64>) -> bool {
        let asked = request(run, Request::Stop { grace_s }).is_ok();
        self.own = if asked { stop_stamp(run) } else { None };
        asked
    }

    /// Returns whether there is a request that this process did not write.
    fn is_asked_by_other(&self, run: &RunDir) -> bool {
        let now = stop_stamp(run);
        now.is_some() && now != self.own
    }

    /// Collects the circumstances of a process's end; `memory` was counted when it started.
    fn context<'a>(&self, stop: Option<&'a str>, memory: OomCount, console: &'a [u8]) -> Context<'a> {
        let out_of_memory = OomCount::now().grew_since(memory);
        Context { stop, killed_after: self.killed_after, out_of_memory, console }
    }
}

impl Keeper<'_> {
    /// Keeps the run from start to end. Returns `false` if another keeper has it now; an error is why nothing began.
    fn keep(&mut self, resume: Option<&ResumeFrom>) -> Result<bool, String> {
        let mut stopping = Stopping::default();
        let stop = [(SIGTERM, &self.terminated), (STOP_SIGNAL, &stopping.asked)];
        for (signal, flag) in stop.into_iter().chain([(KILL_SIGNAL, &stopping.at_once)]) {
            signal_hook::flag::register(signal, flag.clone())
                .map_err(|e| format!("{} cannot be handled: {e}", signals::name(signal)))?;
        }
        let manifest = read_manifest(&self.run).map_err(|e| e.to_string())?;
        if self.in_job {
            self.job = InJob::here(manifest.experiment.resumable, &self.early);
        }
        let pid = std::process::id();
        let status = Status {
            schema: gradtop_store::SCHEMA,
            state: State::Starting,
            updated: Timestamp::now(),
            keeper_pid: Some(pid),
            keeper_start: process_start(pid),
            ..read_status(&self.run).unwrap_or_default()
        };
        write_status(&self.run, &status).map_err(|e| e.to_string())?;
        if let Some((owner, _)) = &mut self.owner {
            owner.begin(&self.run).ok();
        }
        self.event(&Event::State { state: State::Starting, cause: None });
        // The run has begun now and is never again started automatically.
        inside::remove_file(&self.run, &self.run.turn())
            .map_err(|e| format!("{}: {e}", self.run.turn().display()))?;

        let end = match manifest.kind {
            Kind::Command => self.keep_command(&manifest, resume, &mut stopping),
            Kind::Plugin | Kind::Import => self.keep_trainer(&manifest, resume, &mut stopping),
        }?;
        let Some((state, cause)) = end else { return Ok(false) };
        let (state, cause) = self.again(&stopping, state, cause);
        if !state.is_final() && !stopping.is_asked_by_other(&self.run) {
            // The requested stop has been completed.
            withdraw_stop(&self.run).ok();
        }
        self.finish(state, cause);
        Ok(true)
    }

    /// Returns `Queued` for a run that ended without the user's request and whose job will be requeued.
    fn again(&self, stopping: &Stopping, state: State, cause: Option<String>) -> (State, Option<String>) {
        let Some(job) = self.job.as_ref() else { return (state, cause) };
        // Slurm signals the whole step, so a command may be dead before this process notices.
        let by_person = || self.is_stopped_by_person(stopping);
        if state == State::Finished || by_person() {
            return (state, cause);
        }
        if let Some(why) = job.ended_because() {
            return (state, Some(cause.map_or_else(|| why.to_owned(), |cause| format!("{cause}: {why}"))));
        }
        if state == State::Failed {
            return (state, cause);
        }
        match job.starts_again() {
            // Slurm may be slow to answer.
            Ok(Some(_)) if by_person() => (state, cause),
            Ok(Some(why)) => (State::Queued, Some(why)),
            Ok(None) => (state, cause),
            Err(e) => {
                let message = format!("it cannot be started again by itself: {e}");
                self.event(&Event::Warning { message });
                (state, cause)
            }
        }
    }

    /// Returns whether the user has asked for a stop, even if something else had asked before.
    fn is_stopped_by_person(&self, stopping: &Stopping) -> bool {
        let first = self.who_stopped(stopping);
        first.is_some_and(|who| !matches!(&*who, TERMINATED | TIME_OVER))
            || stopping.is_asked_by_other(&self.run)
    }

    /// Returns the grace period of a stop that the user did not ask for; `None` for the default.
    fn grace_s(&self) -> Option<f64> {
        self.job.as_ref().map(|_| GRACE.as_secs_f64())
    }

    /// Waits for a command. Returns its state and cause; `None` if the run belongs to another keeper now.
    fn keep_command(
        &mut self,
        manifest: &Manifest,
        resume: Option<&ResumeFrom>,
        stopping: &mut Stopping,
    ) -> Result<Option<End>, String> {
        let memory = OomCount::now();
        let no_pipe = |e| format!("no pipe to the command: {e}");
        let (console, console_in) = std::io::pipe().map_err(no_pipe)?;
        let own = console.try_clone().map_err(no_pipe)?;
        let pump =
            Pump::start(&self.run, own.into()).map_err(|e| format!("no thread can be started: {e}"))?;
        let (run, lock) = (self.run.clone(), &self.lock);
        let checkpoint = resume.and_then(|r| r.checkpoint.as_deref());
        let mut pair =
            match Pair::start(&run, lock, manifest, checkpoint, (console.into(), console_in.into())) {
                Ok(pair) => pair,
                Err(why) => return Err(with_last_words(&why, &pump.finish())),
            };
        notify(&mut self.launcher, DETACHED);
        std::env::set_current_dir("/").ok();
        while !pair.wait(LOOK) {
            for message in pair.notes() {
                self.event(&Event::Warning { message });
            }
            self.enforce_stop(stopping, &pair);
            if !still_owns(&mut self.owner, &run, &pair) {
                return Ok(None);
            }
            self.next.look();
        }
        let ended = pair.finish();
        let console = pump.finish();
        self.events.take_over(&ended.heard.events);
        for message in ended.notes {
            self.event(&Event::Warning { message });
        }
        let who = self.who_stopped(stopping);
        let context = stopping.context(who.as_deref(), memory, &console);
        let recorded = ended.heard.end;
        self.reported = recorded.is_some();
        Ok(Some(CommandDeath { status: ended.status, done: ended.done.as_ref(), recorded, context }.judge()))
    }

    /// Returns who asked for a stop, if anybody: it may be requested and answered between two checks.
    fn who_stopped(&self, stopping: &Stopping) -> Option<Cow<'static, str>> {
        let asked = || control::asked_to_stop(&self.run).map(|grace| who_asked(grace).into());
        stopping.since.as_ref().map(|(_, who)| who.clone()).or_else(asked)
    }

    /// Waits for a trainer. Returns its state and cause; `None` if the run belongs to another keeper now.
    fn keep_trainer(
        &mut self,
        manifest: &Manifest,
        resume: Option<&ResumeFrom>,
        stopping: &mut Stopping,
    ) -> Result<Option<End>, String> {
        let memory = OomCount::now();
        let (mut child, report, console) = self.spawn_trainer(manifest, resume)?;
        let watched = Process::child(&child)
            .map_err(|e| format!("the trainer cannot be watched: {e}"))
            .and_then(|process| {
                let pump = Pump::start(&self.run, console);
                Ok((process, pump.map_err(|e| format!("no thread can be started: {e}"))?))
            });
        let (process, pump) = watched.inspect_err(|_| {
            child.kill().ok();
            child.wait().ok();
        })?;
        notify(&mut self.launcher, DETACHED);
        // Do not keep the current folder's file system busy; the trainer stays in it.
        std::env::set_current_dir("/").ok();
        while !process.wait(LOOK) {
            self.enforce_stop(stopping, &process);
            if !still_owns(&mut self.owner, &self.run, &process) {
                return Ok(None);
            }
            self.next.look();
        }
        let ended = child.wait().map_err(|e| format!("cannot read how the trainer ended: {e}"))?;
        let console = pump.finish();
        let heard = report::read_rest(report);
        self.reported = heard.end.is_some();
        self.events.take_over(&heard.events);
        let who = self.who_stopped(stopping);
        let context = stopping.context(who.as_deref(), memory, &console);
        Ok(Some(Death { status: ended, heard: &heard, context }.judge()))
    }

    /// Starts the trainer. Returns it with the read ends of its report and console.
    fn spawn_trainer(
        &self,
        manifest: &Manifest,
        resume: Option<&ResumeFrom>,
    ) -> Result<(Child, PipeReader, OwnedFd), String> {
        let pipes = || {
            let lock = self.lock.file().try_clone()?;
            Ok::<_, std::io::Error>((lock, std::io::pipe()?, std::io::pipe()?))
        };
        let (lock, (report, report_in), (console, console_in)) =
            pipes().map_err(|e| format!("no pipe to the trainer: {e}"))?;
        let threads = manifest.threads.to_string();
        let mut command = program::command();
        command.arg("__trainer").arg(self.run.path());
        if let Some(resume) = resume {
            resume.add_to(&mut command);
        }
        command
            .env("OMP_NUM_THREADS", &threads)
            .env("MKL_NUM_THREADS", &threads)
            .env("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
        if std::env::var_os(device::ORDER).is_none() {
            // So that CUDA, NVML and users mean the same GPU by a number.
            command.env(device::ORDER, device::BUS_ORDER);
        }
        if SPINNING.iter().all(|name| std::env::var_os(name).is_none()) {
            command.env(SPINNING[0], SPINS);
        }
        command.stdin(Stdio::from(lock)).stdout(Stdio::from(report_in)).stderr(Stdio::from(console_in));
        let child = command.spawn().map_err(|e| format!("the trainer cannot be started: {e}"))?;
        // Dropping `command` closes this process's copies of the trainer's ends.
        Ok((child, report, OwnedFd::from(console)))
    }

    /// Enforces a stop, in the end by force.
    fn enforce_stop(&self, stopping: &mut Stopping, target: &impl Target) {
        self.pass_on_signals(stopping, target);
        let Some((grace, who)) = self.wanted_stop(stopping, target) else {
            // Cancelled before it was enforced: the grace period starts again with the next request.
            (stopping.since, stopping.heard) = (None, false);
            return;
        };
        let waited = stopping.since.get_or_insert((Instant::now(), who.into())).0.elapsed();
        // A process that has received the request and stopped listening is about to end.
        stopping.heard |= target.listens();
        match stopping.terminated {
            _ if target.is_sealing() && !grace.is_zero() => {}
            None if (waited >= grace || !stopping.heard) && !grace.is_zero() => {
                stopping.terminated = Some((Instant::now(), grace));
                if waited >= grace {
                    let message = format!("did not stop within {}: sending SIGTERM", seconds(grace));
                    self.event(&Event::Warning { message });
                }
                target.terminate();
            }
            None if waited < grace => {}
            // A later request may shorten the period. A process that was not asked in another way gets all of it.
            Some((sent, _))
                if !grace.is_zero() && (waited < grace || sent.elapsed() < LAST_CHANCE.min(grace)) => {}
            _ if stopping.killed_after.is_some() => {}
            _ => {
                stopping.killed_after = Some(grace);
                let name = "SIGKILL".to_owned();
                self.event(&Event::Signal { name, process: target.name().to_owned() });
                target.kill(grace.is_zero());
            }
        }
    }

    /// Turns signals to this process, and the decision to stop early, into requests to stop.
    fn pass_on_signals(&self, stopping: &mut Stopping, target: &impl Target) {
        let asked = stopping.asked.swap(false, Ordering::AcqRel);
        if self.terminated.swap(false, Ordering::AcqRel) || asked {
            let name = signals::name(if asked { STOP_SIGNAL } else { SIGTERM });
            self.event(&Event::Signal { name, process: "keeper".to_owned() });
            let other = stopping.is_asked_by_other(&self.run);
            let other = other.then(|| control::asked_to_stop(&self.run)).flatten();
            let who = if asked { ASKED } else { other.map_or(TERMINATED, who_asked) };
            stopping.since.get_or_insert((Instant::now(), who.into()));
            if !stopping.ask(&self.run, self.grace_s()) {
                stopping.by_signal = Some(DEFAULT_GRACE);
                target.pass_on_stop();
            }
        }
        if let Some(why) = self.early.get().filter(|_| !std::mem::replace(&mut stopping.early, true))
            && stopping.ask(&self.run, self.grace_s())
        {
            stopping.since.get_or_insert((Instant::now(), why.clone().into()));
        }
    }

    /// Returns the grace period of the stop that is to be enforced, if any, and who asked for it.
    fn wanted_stop(&self, stopping: &Stopping, target: &impl Target) -> Option<(Duration, &'static str)> {
        let passed_on = stopping.terminated.map(|(_, grace)| grace).or(stopping.by_signal);
        let at_once = stopping.at_once.load(Ordering::Acquire).then_some(Duration::ZERO);
        let asked = at_once
            .or_else(|| control::asked_to_stop(&self.run))
            .or(passed_on)
            .map(|grace| (grace, who_asked(grace)));
        // The trainer ends by itself when it notices this.
        let gone = (!self.run.is_in_place()).then_some((DEFAULT_GRACE, FOLDER_GONE));
        let failing = target.is_failing().then_some((DEFAULT_GRACE, "the run failed"));
        asked.or(gone).or(failing)
    }

    /// Recovers the folder and writes the end.
    fn finish(&mut self, state: State, mut cause: Option<String>) {
        // Does nothing if the trainer ended properly and has sealed its log.
        match recover(&self.run, &self.lock) {
            Ok(done) if done.rows_recovered > 0 || done.torn_bytes > 0 => {
                let message = counted(done.rows_recovered, "row", "rows") + " recovered from the journal";
                self.event(&Event::Warning { message });
            }
            Ok(_) => {}
            Err(e) => self.event(&Event::Warning { message: format!("the log could not be recovered: {e}") }),
        }
        self.alerts.as_ref().inspect(|alerts| alerts.catch_up());
        let mut status = read_status(&self.run).unwrap_or_default();
        cause = cause.map(|cause| crate::text::clean(&cause));
        (status.schema, status.state) = (gradtop_store::SCHEMA, state);
        status.cause.clone_from(&cause);
        let waiting = status.waiting.take().map(|waiting| waiting.rows);
        if let (Some(rows @ 1..), false, Some(cause)) = (waiting, self.reported, &mut cause) {
            let (one, many) = ("row that waited for the disk is", "rows that waited for the disk are");
            *cause = format!("{cause}; {} lost", counted(rows, one, many));
            status.cause = Some(cause.clone());
        }
        status.outcome = None;
        if state != State::Finished || waiting.is_some() {
            gradtop_store::settle(&self.run, &mut status);
        }
        // These describe only the last moments.
        (status.eta_s, status.steps_per_s, status.sink) = (None, None, None);
        status.updated = Timestamp::now();
        // The clock may have been set back since.
        status.ended = status.started.max(Some(status.updated)).filter(|_| state.is_final());
        // The table before the status: whoever sees a final state finds everything complete.
        let written = read_manifest(&self.run)
            .and_then(|manifest| gradtop_store::write_run_table(&self.run, &manifest, &status));
        if let Err(e) = written {
            status.unsettled = true;
            self.event(&Event::Warning { message: format!("the table of runs could not be written: {e}") });
        }
        self.event(&Event::State { state, cause });
        // Before the status: the observer of a final status may end this process, as the first process of a container does.
        if waiting.is_none() {
            give_up_reserve(&self.run);
        }
        self.write_last(&status);
        give_up_reserve(&self.run);
        self.events.flush().ok();
    }

    /// Writes the last status, retrying if the disk fails, unless told to end.
    fn write_last(&self, status: &Status) {
        let start = Instant::now();
        self.terminated.store(false, Ordering::Release);
        while let Err(e) = write_status(&self.run, status) {
            let over = e.patience().is_none_or(|patience| start.elapsed() >= patience);
            if over || self.terminated.load(Ordering::Acquire) {
                self.event(&Event::Warning { message: format!("the last status could not be written: {e}") });
                return;
            }
            self.events.flush().ok();
            std::thread::sleep(AGAIN);
        }
    }

    fn event(&self, event: &Event) {
        // Events that cannot be written are written later, if at all.
        self.events.append(event).ok();
    }
}

/// Renews the ownership regularly. Returns `false`, after killing the process, if another owner has the run.
fn still_owns(owner: &mut Option<(Owner, Instant)>, run: &RunDir, target: &impl Target) -> bool {
    let Some((known, said)) = owner.as_mut().filter(|(_, said)| said.elapsed() >= RENEW) else {
        return true;
    };
    *said = Instant::now();
    // A failed renewal is repeated later.
    let Ok(false) = known.renew(run) else { return true };
    target.abandon();
    *owner = None;
    false
}

/// Sends a message to the launcher, once; it may be gone.
fn notify(launcher: &mut Option<File>, text: &str) {
    if let Some(mut launcher) = launcher.take() {
        launcher.write_all(text.as_bytes()).ok();
    }
}

/// Returns who asked, given the grace period: a stop without a grace period is a kill, even if the trainer ended first.
fn who_asked(grace: Duration) -> &'static str {
    if grace.is_zero() { KILLED } else { ASKED }
}
