//! The keeper: the process that starts the trainer, waits for it, and writes down how it ended. It opens no plugin.

#![allow(unsafe_code, reason = "closes inherited files")]

use std::borrow::Cow;
use std::fs::File;
use std::io::{PipeReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{
    Event, EventLog, KILLED, Kind, Manifest, Owner, RENEW, Request, RunDir, RunLock, State, Status,
    StoreError, give_up_reserve, inside, process_start, read_manifest, read_status, recover, request,
    stop_stamp, withdraw_stop, write_status,
};
use jiff::Timestamp;
use signal_hook::consts::SIGTERM;

use crate::command::death::Death as CommandDeath;
use crate::command::pair::Pair;
use crate::launcher::in_job::{GRACE, InJob, TIME_OVER};
use crate::machine::file::readable;
use crate::machine::last_words::with_last_words;
use crate::machine::process::Process;
use crate::machine::{device, program, signals};
use crate::run::alerts::Guard;
use crate::run::cause::{Around, Death, OomCount, seconds};
use crate::run::console::Pump;
use crate::run::control::{self, DEFAULT_GRACE, KILL_SIGNAL};
use crate::run::keeper_command::{DETACHED, GoOn};
use crate::run::report::{self, Outcome};
use crate::run::target::{LAST_CHANCE, Target};

/// How often it looks for a stop that the trainer does not answer.
const LOOK: Duration = Duration::from_millis(100);
/// How often a thread of libgomp looks for work before it sleeps, unless the user has said something of the kind: its default, 300,000,
/// is right only while nothing else wants the processor. Two runs of two threads beside each other on two cores take a tenth
/// of the time with this; alone, a run is as fast as without.
const SPINS: &str = "3000";
/// Who asked for a stop that came as a signal.
const TERMINATED: &str = "SIGTERM";
/// Why a run ends whose folder is not where it was.
pub(crate) const FOLDER_GONE: &str = "its folder was moved or deleted";
/// Time between two tries to write the end.
const AGAIN: Duration = Duration::from_millis(500);
/// Variables that say it.
const SPINNING: [&str; 2] = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"];

/// `gradtop __keeper DIR [--resume CHECKPOINT] [--trust HASH]`. Standard input is the run's lock, standard output a pipe to the launcher.
/// `next` starts what waits for its turn.
/// `in_job`: Slurm has started it, with the run's lock and a log instead of the pipe.
pub(crate) fn keeper_main(dir: &Path, resume: Option<&GoOn>, in_job: bool, next: &mut dyn Next) -> i32 {
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
        // A folder that takes no such file, as with a full disk. Whoever handed the lock on has seen to it that there is no other.
        Err(_) => None,
    };
    let launcher = Some(launcher);
    let mut keeper =
        Keeper { run, lock, launcher, events, terminated, early, owner, in_job, job: None, next };
    let code = match keeper.keep(resume) {
        Ok(true) => 0,
        Ok(false) => return 1,
        Err(why) => {
            keeper.finish(State::Failed, Some(why.clone()));
            tell(&mut keeper.launcher, &why);
            1
        }
    };
    // From here on the run is free: what follows may take a while.
    let Keeper { run, lock, events, next, owner, .. } = keeper;
    if let Some((owner, _)) = owner {
        owner.end(&run);
    }
    drop((lock, events));
    if code == 0 {
        // Whoever starts a run that fails to start has the queue in hand.
        next.ended();
    }
    if let Some(alerts) = alerts {
        alerts.finish(&run);
    }
    code
}

/// Starts runs that wait for their turn. How is not a keeper's business.
pub(crate) trait Next {
    /// The keeper's run goes on; called every few moments.
    fn look(&mut self);
    /// It has ended.
    fn ended(&mut self);
}

/// Where nothing else is to be started.
pub(crate) struct Nothing;

impl Next for Nothing {
    fn look(&mut self) {}
    fn ended(&mut self) {}
}

/// Closes what a careless program left open over `exec`; the descriptors of a viewer are none of ours.
fn close_inherited() {
    // By its number: the C library has a name for it only since glibc 2.34.
    // SAFETY: nothing of this program has opened a file yet; should the kernel lack the call, they stay open.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, 0 as libc::c_uint) };
}

/// Leaves the terminal, its signals and its files. The lock and the pipe to the launcher.
fn detach() -> std::io::Result<(RunLock, File)> {
    // The launcher has done both between fork and exec; a keeper started by hand does them here.
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
    /// Until it has been told.
    launcher: Option<File>,
    events: EventLog,
    /// A SIGTERM has come.
    terminated: Arc<AtomicBool>,
    /// Why it is to be stopped for the sake of others, once that is known.
    early: Arc<OnceLock<String>>,
    /// By whom the run is owned, and when that was last said.
    owner: Option<(Owner, Instant)>,
    in_job: bool,
    /// The job that it is in, once the run is known.
    job: Option<InJob>,
    next: &'a mut dyn Next,
}

/// A last state, and why.
type End = (State, Option<String>);

/// What the keeper has done about a stop.
#[derive(Default)]
struct Stopping {
    /// When a stop was first seen, and who asked.
    since: Option<(Instant, Cow<'static, str>)>,
    /// Somebody who listened has been asked.
    heard: bool,
    /// The run was asked to stop early, which is done once.
    early: bool,
    /// The request that this process wrote: another one in its place is a person's.
    own: Option<(u64, SystemTime)>,
    /// The time of a stop that no file could pass on.
    by_signal: Option<Duration>,
    /// When SIGTERM was sent, and how long the stop had been allowed to take.
    terminated: Option<(Instant, Duration)>,
    killed_after: Option<Duration>,
    /// [`KILL_SIGNAL`] has come.
    at_once: Arc<AtomicBool>,
}

impl Stopping {
    /// Asks for a stop in the run's folder; `false` where the disk takes no file.
    fn ask(&mut self, run: &RunDir, grace_s: Option<f64>) -> bool {
        let asked = request(run, Request::Stop { grace_s }).is_ok();
        self.own = if asked { stop_stamp(run) } else { None };
        asked
    }

    /// Whether there is a request that this process did not write.
    fn is_asked_by_other(&self, run: &RunDir) -> bool {
        let now = stop_stamp(run);
        now.is_some() && now != self.own
    }

    /// What there is to say of a process that has ended; `memory` was counted when it started.
    fn around<'a>(&self, stop: Option<&'a str>, memory: OomCount, console: &'a [u8]) -> Around<'a> {
        let out_of_memory = OomCount::now().grew_since(memory);
        Around { stop, killed_after: self.killed_after, out_of_memory, console }
    }
}

impl Keeper<'_> {
    /// From the first status to the last; `false` if another keeper has the run by now. An error is why nothing was started.
    fn keep(&mut self, resume: Option<&GoOn>) -> Result<bool, String> {
        let mut stopping = Stopping::default();
        for (signal, flag) in [(SIGTERM, &self.terminated), (KILL_SIGNAL, &stopping.at_once)] {
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
        // From here on it has begun, and is never again started by itself.
        inside::remove_file(&self.run, &self.run.turn())
            .map_err(|e| format!("{}: {e}", self.run.turn().display()))?;

        let end = match manifest.kind {
            Kind::Command => self.keep_command(&manifest, resume, &mut stopping),
            Kind::Plugin | Kind::Import => self.keep_trainer(&manifest, resume, &mut stopping),
        }?;
        let Some((state, cause)) = end else { return Ok(false) };
        let (state, cause) = self.again(&stopping, state, cause);
        if !state.is_final() && !stopping.is_asked_by_other(&self.run) {
            // What asked for the stop is over.
            withdraw_stop(&self.run).ok();
        }
        self.finish(state, cause);
        Ok(true)
    }

    /// Of a run in a job that made way for something else, and that the job will be started again for: that it waits.
    fn again(&self, stopping: &Stopping, state: State, cause: Option<String>) -> (State, Option<String>) {
        let Some(job) = self.job.as_ref() else { return (state, cause) };
        // Slurm signals the whole step: a command may be dead of it before this process looks.
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
            // Slurm may take its time to answer.
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

    /// Whether a person has asked it to stop, be it after something else had.
    fn is_stopped_by_person(&self, stopping: &Stopping) -> bool {
        let first = self.who_stopped(stopping);
        first.is_some_and(|who| !matches!(&*who, TERMINATED | TIME_OVER))
            || stopping.is_asked_by_other(&self.run)
    }

    /// How long a stop that no person asked for may take; `None` for the usual time.
    fn grace_s(&self) -> Option<f64> {
        self.job.as_ref().map(|_| GRACE.as_secs_f64())
    }

    /// Lets a command work to its end. Its state and cause; none where the run is another's by now.
    fn keep_command(
        &mut self,
        manifest: &Manifest,
        resume: Option<&GoOn>,
        stopping: &mut Stopping,
    ) -> Result<Option<End>, String> {
        let memory = OomCount::now();
        let pipes = || {
            let (console, console_in) = std::io::pipe()?;
            Ok::<_, std::io::Error>((
                OwnedFd::from(console.try_clone()?),
                OwnedFd::from(console),
                console_in.into(),
            ))
        };
        let (own, console, console_in) = pipes().map_err(|e| format!("no pipe to the command: {e}"))?;
        let pump = Pump::start(&self.run, own).map_err(|e| format!("no thread can be started: {e}"))?;
        let (run, lock) = (self.run.clone(), &self.lock);
        let checkpoint = resume.and_then(|r| r.checkpoint.as_deref());
        let mut pair = match Pair::start(&run, lock, manifest, checkpoint, (console, console_in)) {
            Ok(pair) => pair,
            Err(why) => return Err(with_last_words(&why, &pump.finish())),
        };
        tell(&mut self.launcher, DETACHED);
        std::env::set_current_dir("/").ok();
        while !pair.wait(LOOK) {
            for message in pair.notes() {
                self.event(&Event::Warning { message });
            }
            self.mind_stop(stopping, &pair);
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
        let failure = match ended.heard.end {
            Some((Outcome::Failed, why)) => Some(why.unwrap_or_else(|| "no reason was given".to_owned())),
            Some(_) => None,
            None => {
                Some(with_last_words("the process that recorded it ended without giving a reason", &console))
            }
        };
        let who = self.who_stopped(stopping);
        let around = stopping.around(who.as_deref(), memory, &console);
        Ok(Some(CommandDeath { status: ended.status, done: ended.done.as_ref(), failure, around }.judge()))
    }

    /// Who asked for a stop, if somebody did: it may come and be answered between two looks.
    fn who_stopped(&self, stopping: &Stopping) -> Option<Cow<'static, str>> {
        let asked = || control::asked_to_stop(&self.run).map(|grace| who_asked(grace).into());
        stopping.since.as_ref().map(|(_, who)| who.clone()).or_else(asked)
    }

    /// Lets a trainer train to its end. Its state and cause; none where the run is another's by now.
    fn keep_trainer(
        &mut self,
        manifest: &Manifest,
        resume: Option<&GoOn>,
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
        tell(&mut self.launcher, DETACHED);
        // A folder or disk the run was started from need not stay for its sake; the trainer keeps its own.
        std::env::set_current_dir("/").ok();

        while !process.wait(LOOK) {
            self.mind_stop(stopping, &process);
            if !still_owns(&mut self.owner, &self.run, &process) {
                return Ok(None);
            }
            self.next.look();
        }
        let ended = child.wait().map_err(|e| format!("cannot read how the trainer ended: {e}"))?;
        let console = pump.finish();
        let heard = report::heard(&read_rest(report));
        self.events.take_over(&heard.events);
        let who = self.who_stopped(stopping);
        let around = stopping.around(who.as_deref(), memory, &console);
        Ok(Some(Death { status: ended, heard: &heard, around }.judge()))
    }

    /// Starts the trainer; with it, the ends of its report and of its console.
    fn spawn_trainer(
        &self,
        manifest: &Manifest,
        resume: Option<&GoOn>,
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
            // So that a number means the same GPU to CUDA, to NVML and to a person.
            command.env(device::ORDER, device::BUS_ORDER);
        }
        if SPINNING.iter().all(|name| std::env::var_os(name).is_none()) {
            command.env(SPINNING[0], SPINS);
        }
        command.stdin(Stdio::from(lock)).stdout(Stdio::from(report_in)).stderr(Stdio::from(console_in));
        let child = command.spawn().map_err(|e| format!("the trainer cannot be started: {e}"))?;
        // `command` goes here, and with it our copies of the trainer's ends.
        Ok((child, report, OwnedFd::from(console)))
    }

    /// Sees to it that a stop is obeyed, by force in the end.
    fn mind_stop(&self, stopping: &mut Stopping, target: &impl Target) {
        if self.terminated.swap(false, Ordering::AcqRel) {
            self.event(&Event::Signal { name: "SIGTERM".to_owned(), process: "keeper".to_owned() });
            let other =
                stopping.is_asked_by_other(&self.run).then(|| control::asked_to_stop(&self.run)).flatten();
            stopping.since.get_or_insert((Instant::now(), other.map_or(TERMINATED, who_asked).into()));
            if !stopping.ask(&self.run, self.grace_s()) {
                // A disk that takes no file: the trainer understands the signal too.
                stopping.by_signal = Some(DEFAULT_GRACE);
                target.terminate();
            }
        }
        if let Some(why) = self.early.get().filter(|_| !std::mem::replace(&mut stopping.early, true))
            && stopping.ask(&self.run, self.grace_s())
        {
            stopping.since.get_or_insert((Instant::now(), why.clone().into()));
        }
        // Taken back before it came to force: then its time begins anew with the next.
        let passed_on = stopping.terminated.map(|(_, grace)| grace).or(stopping.by_signal);
        let at_once = stopping.at_once.load(Ordering::Acquire).then_some(Duration::ZERO);
        let asked = at_once
            .or_else(|| control::asked_to_stop(&self.run))
            .or(passed_on)
            .map(|grace| (grace, who_asked(grace)));
        // The trainer ends by itself when it sees this.
        let gone = (!self.run.is_in_place()).then_some((DEFAULT_GRACE, FOLDER_GONE));
        let failing = target.is_failing().then_some((DEFAULT_GRACE, "the run failed"));
        let Some((grace, who)) = asked.or(gone).or(failing) else {
            (stopping.since, stopping.heard) = (None, false);
            return;
        };
        let waited = stopping.since.get_or_insert((Instant::now(), who.into())).0.elapsed();
        // Who has heard it and says no more is on its way to the end.
        stopping.heard |= target.listens();
        match stopping.terminated {
            None if (waited >= grace || !stopping.heard) && !grace.is_zero() => {
                stopping.terminated = Some((Instant::now(), grace));
                if waited >= grace {
                    let message = format!("did not stop within {}: sending SIGTERM", seconds(grace));
                    self.event(&Event::Warning { message });
                }
                target.terminate();
            }
            None if waited < grace => {}
            // A later request may shorten the time to nothing. Who was not asked in another way has all of it.
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

    /// Makes the folder whole and writes the end.
    fn finish(&mut self, state: State, mut cause: Option<String>) {
        // A trainer that ended in order has sealed its log; then this has nothing to do.
        match recover(&self.run, &self.lock) {
            Ok(done) if done.rows_recovered > 0 || done.torn_bytes > 0 => {
                let message = format!("{} rows recovered from the journal", done.rows_recovered);
                self.event(&Event::Warning { message });
            }
            Ok(_) => {}
            Err(e) => self.event(&Event::Warning { message: format!("the log could not be recovered: {e}") }),
        }
        let mut status = read_status(&self.run).unwrap_or_default();
        if let Some(cause) = &mut cause {
            *cause = crate::text::clean(cause);
        }
        status.schema = gradtop_store::SCHEMA;
        status.state = state;
        status.cause.clone_from(&cause);
        let waiting = status.waiting.take().map(|waiting| waiting.rows);
        let waited = waiting.is_some();
        // A trainer that ended in order has counted them itself.
        if let (Some(rows @ 1..), None, Some(cause)) = (waiting, &status.outcome, &mut cause) {
            let more = format!("; {rows} rows that waited for the disk are lost");
            cause.push_str(&more);
            status.cause = Some(cause.clone());
        }
        status.outcome = None;
        if state != State::Finished || waited {
            gradtop_store::settle(&self.run, &mut status);
        }
        // Of the last moments only, so no longer worth knowing.
        (status.eta_s, status.steps_per_s, status.sink) = (None, None, None);
        status.updated = Timestamp::now();
        // The clock may have been set back since.
        status.ended = status.started.max(Some(status.updated)).filter(|_| state.is_final());
        // The table before the status: whoever sees a final state finds everything in its place.
        let written = read_manifest(&self.run)
            .and_then(|manifest| gradtop_store::write_run_table(&self.run, &manifest, &status));
        if let Err(e) = written {
            status.unsettled = true;
            self.event(&Event::Warning { message: format!("the table of runs could not be written: {e}") });
        }
        self.event(&Event::State { state, cause });
        // Before the status, after which whoever waits for the end may end this process: as the first in a container does.
        if !waited {
            give_up_reserve(&self.run);
        }
        self.write_last(&status);
        give_up_reserve(&self.run);
        self.events.flush().ok();
    }

    /// Writes the last status, waiting for a disk that does not take it, unless it is told to end.
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
        // What the disk does not take is written later; there is nobody to tell if it never is.
        self.events.append(event).ok();
    }
}

/// Says now and then who owns the run. `false`: it is another's by now, what worked on it is killed, and nothing more may be written.
fn still_owns(owner: &mut Option<(Owner, Instant)>, run: &RunDir, target: &impl Target) -> bool {
    let Some((known, said)) = owner.as_mut().filter(|(_, said)| said.elapsed() >= RENEW) else { return true };
    *said = Instant::now();
    // What cannot be said now is said later.
    let Ok(false) = known.renew(run) else { return true };
    target.abandon();
    *owner = None;
    false
}

/// Tells the launcher, once; it may be gone.
fn tell(launcher: &mut Option<File>, text: &str) {
    if let Some(mut launcher) = launcher.take() {
        launcher.write_all(text.as_bytes()).ok();
    }
}

/// A stop without any time is a kill, even if the trainer was the quicker.
fn who_asked(grace: Duration) -> &'static str {
    if grace.is_zero() { KILLED } else { "asked to stop" }
}

/// What is in the pipe now. A process that the plugin left behind may hold the other end, so the end is not waited for.
fn read_rest(mut pipe: PipeReader) -> Vec<u8> {
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    while out.len() < 256 << 10 {
        if !readable(&pipe, Duration::ZERO).unwrap_or(false) {
            break;
        }
        match pipe.read(&mut buffer) {
            Ok(n) if n > 0 => out.extend_from_slice(&buffer[..n]),
            _ => break,
        }
    }
    out
}
