//! The keeper: the process that starts the trainer, waits for it, and records how it ended. It opens no plugin.

#![allow(unsafe_code, reason = "closes inherited files")]

mod end;
pub(crate) mod invocation;
pub(crate) mod report;
pub(crate) mod start;
mod stop;
pub(crate) mod target;

use std::fs::File;
use std::io::{PipeReader, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, EventLog, Kind, Manifest, Owner, RENEW, RunDir, RunLock, State, Status, StoreError, inside,
    process_start, read_manifest, read_status, withdraw_stop, write_status,
};
use jiff::Timestamp;

use self::end::Ending;
pub(crate) use self::stop::FOLDER_GONE;
use self::stop::Stopping;
use crate::command::cause::Death as CommandDeath;
use crate::command::pair::Pair;
use crate::launcher::in_job::InJob;
use crate::machine::last_words::with_last_words;
use crate::machine::process::Process;
use crate::machine::{device, program, signals};
use crate::run::alerts::Guard;
use crate::run::cause::{Death, OomCount};
use crate::run::console::Pump;
use crate::run::keeper::invocation::{DETACHED, ResumeFrom};
use crate::run::keeper::target::Target;

/// How often to check for a stop that the trainer does not answer.
const LOOK: Duration = Duration::from_millis(100);
/// How often a libgomp thread polls for work before it sleeps, unless the user has set it. The default, 300,000, is
/// right only on an idle machine: two runs with two threads each on two cores take a tenth of the time with this value,
/// and a single run is equally fast.
const SPINS: &str = "3000";
/// Environment variables that set how long threads spin.
const SPINNING: [&str; 2] = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"];

/// Entry point of `gradtop __keeper DIR [--resume CHECKPOINT] [--trust HASH]`. Standard input is the run's lock,
/// standard output a pipe to the launcher. `next` starts queued runs. Without it, Slurm has started the process, with the
/// run's lock and a log instead of the pipe.
pub(crate) fn keeper_main(dir: &Path, resume: Option<&ResumeFrom>, next: Option<&mut dyn Queue>) -> i32 {
    close_inherited();
    let Ok((lock, mut launcher)) = detach() else { return 1 };
    signals::unblock();
    let (run, owner) = match claim(dir) {
        Ok(claimed) => claimed,
        Err(e) => {
            writeln!(launcher, "{e}").ok();
            return 1;
        }
    };
    let early = Arc::default();
    let mut keeper = Keeper {
        events: EventLog::new(&run),
        alerts: Guard::start(&run, &early),
        run,
        lock: Rc::new(lock),
        launcher: Some(launcher),
        terminated: Arc::default(),
        early,
        owner: owner.map(|owner| (owner, Instant::now())),
        reported: false,
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
    // The launcher of a run that failed to start has locked the queue.
    if let Some(next) = next.filter(|_| code == 0) {
        next.ended();
    }
    if let Some(alerts) = alerts {
        alerts.finish(&run);
    }
    code
}

/// Opens a run's folder and claims the run. A full disk may leave it without an owner: the lock was passed on only after a check
/// for other owners.
fn claim(dir: &Path) -> Result<(RunDir, Option<Owner>), StoreError> {
    let run = RunDir::new(dir).hold()?;
    match Owner::claim(&run) {
        Err(e @ (StoreError::Owned { .. } | StoreError::Locked { .. })) => Err(e),
        claimed => Ok((run, claimed.ok())),
    }
}

/// The queue of runs, as a keeper sees it.
pub(crate) trait Queue {
    /// Called regularly while the keeper's run is active.
    fn look(&mut self);
    fn ended(&mut self);
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
    /// Shared with what the keeper watches.
    lock: Rc<RunLock>,
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
    /// The keeper's batch job, set once the run is known.
    job: Option<InJob>,
    /// `None` in a batch job.
    next: Option<&'a mut dyn Queue>,
}

type End = (State, Option<String>);

impl Keeper<'_> {
    /// Keeps the run from start to end. Returns `false` if another keeper has it now; an error is why nothing began.
    fn keep(&mut self, resume: Option<&ResumeFrom>) -> Result<bool, String> {
        let mut stopping = Stopping::listen(&self.run, self.terminated.clone(), self.early.clone())?;
        let manifest = read_manifest(&self.run).map_err(|e| e.to_string())?;
        if self.next.is_none() {
            self.job = InJob::here(manifest.experiment.resumable, &self.early);
            stopping.in_job = self.job.is_some();
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
        self.events.record(&Event::State { state: State::Starting, cause: None });
        // The run has begun now and is never again started automatically.
        inside::remove_file(&self.run, &self.run.turn())
            .map_err(|e| format!("{}: {e}", self.run.turn().display()))?;

        let end = match manifest.kind {
            Kind::Command => self.keep_command(&manifest, resume, &mut stopping),
            Kind::Plugin | Kind::Import => self.keep_trainer(&manifest, resume, &mut stopping),
        }?;
        let Some((state, cause)) = end else { return Ok(false) };
        let (state, cause) = self.again(&stopping, state, cause);
        if !state.is_final() && !stopping.is_asked_by_other() {
            // The requested stop has been completed.
            withdraw_stop(&self.run).ok();
        }
        self.finish(state, cause);
        Ok(true)
    }

    fn finish(&self, state: State, cause: Option<String>) {
        let Self { run, lock, events, terminated, reported, .. } = self;
        let alerts = self.alerts.as_ref();
        Ending { run, lock, events, alerts, terminated, reported: *reported }.write(state, cause);
    }

    /// Returns `Queued` for a run that ended without the user's request and whose job will be requeued.
    fn again(&self, stopping: &Stopping, state: State, cause: Option<String>) -> (State, Option<String>) {
        let Some(job) = self.job.as_ref() else { return (state, cause) };
        // Slurm signals the whole step, so a command may be dead before this process notices.
        let by_person = || stopping.is_by_person();
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
                self.events.warn(message);
                (state, cause)
            }
        }
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
        let (run, lock) = (self.run.clone(), self.lock.clone());
        let checkpoint = resume.and_then(|r| r.checkpoint.as_deref());
        let mut pair =
            match Pair::start(&run, &lock, manifest, checkpoint, (console.into(), console_in.into())) {
                Ok(pair) => pair,
                Err(why) => return Err(with_last_words(&why, &pump.finish())),
            };
        notify(&mut self.launcher, DETACHED);
        std::env::set_current_dir("/").ok();
        while !pair.wait(LOOK) {
            for message in pair.notes() {
                self.events.warn(message);
            }
            if !self.mind(stopping, &pair) {
                return Ok(None);
            }
        }
        let ended = pair.finish();
        let console = pump.finish();
        self.events.take_over(&ended.heard.events);
        for message in ended.notes {
            self.events.warn(message);
        }
        let who = stopping.who();
        let context = stopping.context(who.as_deref(), memory, &console);
        let recorded = ended.heard.end;
        self.reported = recorded.is_some();
        Ok(Some(CommandDeath { status: ended.status, done: ended.done.as_ref(), recorded, context }.judge()))
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
            if !self.mind(stopping, &process) {
                return Ok(None);
            }
        }
        let ended = child.wait().map_err(|e| format!("cannot read how the trainer ended: {e}"))?;
        let console = pump.finish();
        let heard = report::read_rest(report);
        self.reported = heard.end.is_some();
        self.events.take_over(&heard.events);
        let who = stopping.who();
        let context = stopping.context(who.as_deref(), memory, &console);
        Ok(Some(Death { status: ended, heard: &heard, context }.judge()))
    }

    /// What is due regularly: enforces a stop, looks at the queue, and renews the ownership. Returns `false`, after killing the
    /// process, if another owner has the run.
    fn mind(&mut self, stopping: &mut Stopping, target: &impl Target) -> bool {
        stopping.enforce(&self.events, target);
        if let Some((owner, said)) = self.owner.as_mut().filter(|(_, said)| said.elapsed() >= RENEW) {
            *said = Instant::now();
            // A failed renewal is repeated later.
            if let Ok(false) = owner.renew(&self.run) {
                target.abandon();
                self.owner = None;
                return false;
            }
        }
        if let Some(next) = &mut self.next {
            next.look();
        }
        true
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
        let threads = manifest.threads.unwrap_or(1).to_string();
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
}

/// Sends a message to the launcher, once; it may be gone.
fn notify(launcher: &mut Option<File>, text: &str) {
    if let Some(mut launcher) = launcher.take() {
        launcher.write_all(text.as_bytes()).ok();
    }
}
