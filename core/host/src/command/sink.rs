//! The sink: the process that records what a command logs and passes the run's requests on to it. It takes the
//! trainer's place under the keeper; the command is its sibling.

#![allow(unsafe_code, reason = "takes over inherited files")]

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_abi as abi;
use gradtop_import::Feed;
use gradtop_store::{Ending, Event, Manifest, RunDir, State, Status, read_manifest, read_status};
use rustix::process::Signal;
use serde_json::json;

use crate::command::client::{Client, GO, Shared, SinkEvent, read_lines, serve};
use crate::command::keeper_link::{CONSOLE, FromKeeper, FromSink, LINES, LISTENER, Lines};
use crate::command::process_tree::{Tree, Usage};
use crate::command::socket::is_own;
use crate::command::{feeds, run_processes};
use crate::machine::process::{Process, leave};
use crate::run::console::Pump;
use crate::run::control;
use crate::run::keeper::report::{Outcome, Phase, Report, send};
use crate::train::session::{Session, bit};
use crate::train::system::System;
use crate::train::trainer::{End, on_sigterm, open_session, take_over_stdio, with_log};
use crate::train::watchdogs::Watchdogs;

/// How often to check for requests.
const LOOK: Duration = Duration::from_millis(50);
/// How long a client may take to fill a checkpoint's folder.
const SAVING: Duration = Duration::from_hours(1);
/// How long to wait for clients of a dead sink to reconnect before choosing others in their place.
const RETURN: Duration = Duration::from_secs(3);
/// Orders to clients, in addition to [`GO`].
const PAUSE: u8 = 1;
const STOP: u8 = 2;
/// When several processes must stop after the same step, how far ahead that step is, in seconds of work.
const AHEAD: f64 = 1.0;

/// Entry point of `gradtop __sink DIR ADDRESS [begun]`. Standard input is the run's lock, standard output the keeper,
/// standard error the console.
pub(crate) fn sink_main(dir: &Path, address: &Path, begun: bool) -> i32 {
    // The lock is held until exit, because it shows that this process is alive.
    let Ok((_lock, talk)) = take_over_stdio() else { return 1 };
    let talk = UnixStream::from(OwnedFd::from(talk));
    let (outcome, message) = record(dir, address, begun, &talk).unwrap_or_else(failed);
    send(&talk, &Report::End { outcome, message });
    leave(i32::from(outcome == Outcome::Failed))
}

fn failed(why: String) -> End {
    (Outcome::Failed, Some(why))
}

fn inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: only checks whether the descriptor is open.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
        return None;
    }
    // SAFETY: it is open, the keeper passed it to this process, and each is taken only once.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Records the run from its first status to its last. An error is why it could not begin.
fn record(dir: &Path, address: &Path, begun: bool, talk: &UnixStream) -> Result<End, String> {
    let files = (inherited(LISTENER), inherited(LINES), inherited(CONSOLE));
    let (Some(listener), Some(lines), Some(console)) = files else {
        return Err("the sink was started by hand".to_owned());
    };
    let (session, manifest, first) = open(dir, address, begun)?;
    let total = manifest.command.as_ref().and_then(|command| command.total);
    let terminated = on_sigterm()?;
    // Existing content is skipped before the command may start.
    let feeds = manifest.command.as_ref().map(|command| feeds::of(command, first.step, begun));
    let tree = Arc::new(std::sync::Mutex::new(None::<Tree>));
    let measured = tree.clone();
    let system = System::of(first.gpu.clone(), move || {
        let usage = measured.lock().ok().and_then(|tree| Some(tree.as_ref()?.usage()));
        usage.map_or((0.0, None), |usage: Usage| (usage.cpu_s, Some(usage.memory)))
    });
    let no_thread = |e: io::Error| format!("no thread can be started: {e}");
    let watchdogs =
        Watchdogs::start(session, first, manifest, terminated, None, system).map_err(no_thread)?;
    let (main, events) = channel();
    let shared = Shared::new(session, begun, total, main).map_err(no_thread)?;
    let listener = UnixListener::from(listener);
    let threads =
        start_threads(&shared, listener, lines, feeds.unwrap_or_default(), talk).map_err(no_thread)?;
    send(talk, &FromSink::Ready);
    let mut sink = Sink {
        session,
        shared,
        talk,
        tree,
        process: None,
        waits: None,
        said: Said::default(),
        settled: Instant::now() + if begun { RETURN } else { Duration::ZERO },
        order: (GO, json!({"do": "resume"})),
        alone: None,
        is_done: false,
        console: Some(console),
        pump: None,
    };
    let ending = sink.work(&events);
    sink.shared.over.set();
    for thread in threads {
        thread.join().ok();
    }
    // The last messages of clients may arrive after the command's end was seen.
    for event in events.try_iter() {
        if let SinkEvent::Done(error) = event {
            send(talk, &FromSink::Done { error });
        }
    }
    let end = end_log(session, address, talk, ending);
    if let Some(pump) = sink.pump {
        pump.finish();
    }
    watchdogs.stop();
    let lines = session.unwritten_events();
    if !lines.is_empty() {
        send(talk, &Report::Events { lines });
    }
    Ok(end)
}

/// Opens the run's log. Returns the session with the manifest and the first status.
fn open(dir: &Path, address: &Path, begun: bool) -> Result<(&'static Session, Manifest, Status), String> {
    let run = RunDir::new(dir).hold().map_err(|e| e.to_string())?;
    let mut manifest = read_manifest(&run).map_err(|e| e.to_string())?;
    // Saving state is the command's responsibility; whether it can resume was declared at its start.
    manifest.experiment.resumable = true;
    let (session, mut first) = open_session(run, &manifest)?;
    first.sink = Some(address.to_string_lossy().into_owned());
    if begun && read_status(&session.run).is_ok_and(|before| before.state == State::Paused) {
        // A pause requested from the dead sink still applies.
        session.set_paused(true);
    }
    let total = manifest.command.as_ref().and_then(|command| command.total);
    if let Some(total) = total.or(first.total) {
        session.progress.set(first.done.unwrap_or(0), total, first.phase.as_deref());
    }
    Ok((session, manifest, first))
}

/// Seals the log after the command's end. `ending` is set if nobody else is left to record how the run ended.
fn end_log(session: &Session, address: &Path, talk: &UnixStream, ending: Option<Ending>) -> End {
    send(talk, &Report::Phase { phase: Phase::Finishing });
    session.end_training();
    let end = match session.failure() {
        Some(why) => failed(why),
        None => (Outcome::Finished, None),
    };
    let end = with_log(session, end, session.recorder.finish());
    if let Some(ending) = ending {
        session.end(match &end {
            (Outcome::Failed, why) => Ending { state: State::Failed, cause: why.clone() },
            _ => ending,
        });
        std::fs::remove_file(address).ok();
    }
    end
}

/// Returns the number of steps in [`AHEAD`], at the higher of the current and the mean rate. The mean is lowered by the
/// start-up of Python and its libraries.
fn ahead(done: u64, trained_s: f64, steps_per_s: Option<f64>) -> u64 {
    let mean = done as f64 / trained_s.max(1.0);
    (AHEAD * steps_per_s.unwrap_or(0.0).max(mean)).ceil().max(2.0) as u64
}

type Threads = Vec<JoinHandle<()>>;

/// Starts the threads that read new clients, the shell's lines, the command's logs and the keeper's messages.
fn start_threads(
    shared: &Arc<Shared>,
    listener: UnixListener,
    lines: OwnedFd,
    feeds: Vec<Feed>,
    talk: &UnixStream,
) -> std::io::Result<Threads> {
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let (a, b, c, d) = (shared.clone(), shared.clone(), shared.clone(), shared.clone());
    listener.set_nonblocking(true)?;
    let accept = thread("accept").spawn(move || accept(&a, &listener))?;
    let lines = thread("lines").spawn(move || read_lines(&b, &File::from(lines)))?;
    let feeds = thread("feeds").spawn(move || feeds::follow(&c, feeds))?;
    let talk = talk.try_clone()?;
    // Ends with the keeper or with this process.
    thread("keeper").spawn(move || {
        let mut read = Lines::default();
        while let Some(lines) = read.read(&talk) {
            for order in lines.iter().filter_map(|line| serde_json::from_slice(line).ok()) {
                match order {
                    FromKeeper::GiveUp => {
                        // Here, because the main thread may be waiting for the disk.
                        d.session.request_stop();
                        d.session.recorder.give_up();
                    }
                    FromKeeper::Ended { by_themselves } => {
                        d.wrote_all.store(by_themselves, Ordering::Release);
                    }
                    FromKeeper::Started { .. } => {}
                }
                d.tell_main(SinkEvent::Keeper(order));
            }
        }
        d.tell_main(SinkEvent::Orphaned);
    })?;
    Ok(vec![accept, lines, feeds])
}

/// Serves each client on its own thread, and ends with them.
fn accept(shared: &Arc<Shared>, listener: &UnixListener) {
    let mut threads: Threads = Vec::new();
    while shared.over.before(listener) {
        let Ok((stream, _)) = listener.accept() else {
            // Perhaps too many open files: the client waits.
            if shared.over.within(LOOK) {
                break;
            }
            continue;
        };
        threads.retain(|thread| !thread.is_finished());
        if !is_own(&stream) {
            continue;
        }
        let shared = shared.clone();
        threads.extend(
            std::thread::Builder::new().name("client".to_owned()).spawn(move || serve(&shared, &stream)),
        );
    }
    for thread in threads {
        thread.join().ok();
    }
}

/// How a run is paused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Its clients were asked to pause.
    Asked,
    /// Its clients are paused.
    Clients,
    /// Its processes are suspended.
    Suspended,
    /// It cannot be paused.
    Refused,
}

/// What has already been reported.
#[derive(Default)]
struct Said {
    listens: Option<bool>,
    stop: bool,
    failing: bool,
}

/// The state of a sink whose keeper was killed.
struct Alone {
    /// When a stop was first seen, and whether it was passed on as a signal.
    stop: Option<(Instant, bool)>,
    killed: bool,
}

struct Sink<'a> {
    session: &'static Session,
    shared: Arc<Shared>,
    talk: &'a UnixStream,
    tree: Arc<std::sync::Mutex<Option<Tree>>>,
    process: Option<Process>,
    waits: Option<Waits>,
    said: Said,
    /// When the reconnecting clients are expected to be complete.
    settled: Instant,
    /// The current order, sent once to every listening client, including later ones.
    order: (u8, serde_json::Value),
    alone: Option<Alone>,
    /// Whether a client reported the work as done.
    is_done: bool,
    console: Option<OwnedFd>,
    pump: Option<Pump>,
}

impl Sink<'_> {
    /// Works until the command has ended. Returns how, if nobody else is left to record it.
    fn work(&mut self, events: &Receiver<SinkEvent>) -> Option<Ending> {
        loop {
            let mut heard = events.recv_timeout(LOOK).ok();
            while let Some(what) = heard {
                match what {
                    SinkEvent::Save { step, client, answers } => self.save(step, &client, &answers),
                    SinkEvent::Done(error) => {
                        self.is_done = error.is_none();
                        send(self.talk, &FromSink::Done { error });
                    }
                    SinkEvent::Changed | SinkEvent::Keeper(FromKeeper::GiveUp) => {}
                    SinkEvent::Keeper(FromKeeper::Started { pid, start }) => self.started(pid, start),
                    SinkEvent::Keeper(FromKeeper::Ended { .. }) => return None,
                    SinkEvent::Orphaned => self.orphaned(),
                }
                heard = events.try_recv().ok();
            }
            self.mind_listeners();
            self.handle_requests();
            self.mind_progress();
            if self.alone.is_some() && self.check_command() {
                return Some(self.ending());
            }
        }
    }

    fn with_tree<T>(&self, f: impl FnOnce(&Tree) -> T) -> Option<T> {
        self.tree.lock().ok().and_then(|tree| Some(f(tree.as_ref()?)))
    }

    fn started(&mut self, pid: u32, start: u64) {
        let keeper = rustix::process::getppid().map_or(0, |pid| pid.as_raw_pid().unsigned_abs());
        if let Ok(mut tree) = self.tree.lock() {
            *tree = Some(Tree { root: (pid, start), keeper, sink: std::process::id() });
        }
        self.process = Process::that(pid, start);
        if self.session.started().is_none() {
            self.session.begin();
        }
    }

    /// Takes over the tasks of the killed keeper.
    fn orphaned(&mut self) {
        self.alone = Some(Alone { stop: None, killed: false });
        let message = "the keeper was killed: the run continues without it".to_owned();
        self.session.event(&Event::Warning { message });
        self.pump = self.console.take().and_then(|console| Pump::start(&self.session.run, console).ok());
    }

    fn mind_listeners(&mut self) {
        let yes = !self.shared.listeners().is_empty();
        if self.said.listens != Some(yes) && (yes || Instant::now() >= self.settled) {
            self.said.listens = Some(yes);
            send(self.talk, &FromSink::Listens { yes });
        }
        if self.session.failure().is_some() && !self.said.failing {
            self.said.failing = true;
            send(self.talk, &FromSink::Failing);
        }
    }

    fn mind_progress(&self) {
        let (done, total) = self.session.progress.done_of();
        let by_steps = self.session.progress.done_by_steps(total);
        if total > 0 && self.shared.total.load(Ordering::Relaxed) == total && by_steps > done {
            self.session.progress.set(by_steps, total, self.session.progress.phase().as_deref());
        }
    }

    /// Passes on the requests to the run.
    fn handle_requests(&mut self) {
        let bits = self.session.bits.load(Ordering::Acquire);
        if bits & bit::STOP != 0 {
            let listeners = self.shared.listeners();
            if !self.said.stop && self.are_all(&listeners) {
                self.said.stop = true;
                self.unpause();
                // The stop is final from here on: clients may abort their work, and a command that does not listen gets a signal.
                self.session.should_stop();
                self.order = (STOP, self.order("stop", &listeners));
            }
            self.tell_order(&listeners);
            return;
        }
        self.said.stop = false;
        let due = bits & bit::CHECKPOINT != 0;
        // Clients that start to listen later are notified too.
        for client in self.shared.listeners() {
            if !client.should_save.swap(due, Ordering::AcqRel) && due {
                client.send(&json!({"do": "checkpoint"}));
            }
        }
        if self.session.is_to_wait() {
            self.pause();
        } else if self.waits.is_some() {
            self.unpause();
        }
        self.tell_order(&self.shared.listeners());
    }

    /// Returns whether all clients that will listen are known. After a sink has died, clients reconnect one by one.
    fn are_all(&self, listeners: &[Arc<Client>]) -> bool {
        let world = listeners.iter().map(|client| client.world.load(Ordering::Acquire)).max();
        listeners.len() as u64 >= world.unwrap_or(1) || Instant::now() >= self.settled
    }

    fn tell_order(&self, listeners: &[Arc<Client>]) {
        for client in listeners {
            if client.last_order.swap(self.order.0, Ordering::AcqRel) != self.order.0 {
                client.send(&self.order.1);
            }
        }
    }

    /// Creates a stop or pause order. Processes that train together must obey after the same step, one that none has
    /// reached: otherwise one of them would wait for the others within a step.
    fn order(&self, what: &str, listeners: &[Arc<Client>]) -> serde_json::Value {
        if listeners.len() < 2 {
            return json!({"do": what});
        }
        // Clients of a dead sink have not reported their progress yet.
        let done = listeners.iter().map(|client| client.done.load(Ordering::Acquire));
        let done = done.max().unwrap_or(0).max(self.session.progress.done_of().0);
        let trained = self.session.worked().trained_s.unwrap_or(0.0);
        let now = read_status(&self.session.run).ok().and_then(|status| status.steps_per_s);
        json!({"do": what, "after": done + ahead(done, trained, now)})
    }

    fn pause(&mut self) {
        let listeners = self.shared.listeners();
        match self.waits {
            None if !self.are_all(&listeners) => {}
            None if listeners.is_empty() && self.may_suspend() => {
                self.waits = Some(Waits::Suspended);
                // Twice, to include processes started in the meantime.
                for _ in 0..2 {
                    self.with_tree(|tree| tree.signal(Signal::STOP));
                }
                self.session.rest();
            }
            None if listeners.is_empty() => self.waits = Some(Waits::Refused),
            None => {
                self.waits = Some(Waits::Asked);
                self.order = (PAUSE, self.order("pause", &listeners));
            }
            Some(Waits::Asked) if listeners.iter().all(|client| client.waits.load(Ordering::Acquire)) => {
                self.waits = Some(Waits::Clients);
                self.session.rest();
            }
            Some(_) => {}
        }
    }

    /// Processes that train together must not be suspended one by one, because the others would time out waiting for them.
    fn may_suspend(&self) -> bool {
        let together = self.shared.clients().iter().any(|client| client.world.load(Ordering::Acquire) > 1);
        if together {
            let message = "not paused: its processes train together, and none of them listens".to_owned();
            self.session.event(&Event::Warning { message });
        }
        !together
    }

    fn unpause(&mut self) {
        match self.waits.take() {
            Some(Waits::Suspended) => {
                self.with_tree(|tree| tree.signal(Signal::CONT));
                self.session.go_on();
            }
            Some(waits @ (Waits::Asked | Waits::Clients)) => {
                self.order = (GO, json!({"do": "resume"}));
                if waits == Waits::Clients {
                    self.session.go_on();
                }
            }
            Some(Waits::Refused) | None => {}
        }
    }

    /// Lets a client fill a checkpoint's folder.
    fn save(&self, step: i64, client: &Client, answers: &Receiver<Option<String>>) {
        let mut why = None;
        let saved = self.session.checkpoint_or(step, |folder| {
            client.send(&json!({"do": "save", "step": step, "dir": folder.to_string_lossy()}));
            let error = match answers.recv_timeout(SAVING) {
                Ok(None) => return Ok(()),
                Ok(Some(error)) => error,
                Err(_) => "the process that saved it is gone".to_owned(),
            };
            Err((abi::FAILED, why.insert(error).clone()))
        });
        let error = why.or_else(|| saved.err().map(|refused| refused.why));
        client.send(&json!({"do": "saved", "step": step, "error": error}));
    }

    /// Ensures that the command of a killed keeper obeys a stop. Returns whether it has ended.
    fn check_command(&mut self) -> bool {
        let Some(alone) = &mut self.alone else { return false };
        let Some(process) = &self.process else { return true };
        if process.wait(Duration::ZERO) {
            return true;
        }
        let failing = self.session.failure().is_some();
        let Some(grace) =
            control::asked_to_stop(&self.session.run).or(failing.then_some(control::DEFAULT_GRACE))
        else {
            alone.stop = None;
            return false;
        };
        let (since, sent) = *alone.stop.get_or_insert((Instant::now(), false));
        let over = since.elapsed() >= grace;
        if !sent && (over || self.said.listens == Some(false)) {
            alone.stop = Some((since, true));
            process.signal(Signal::TERM).ok();
            process.signal(Signal::CONT).ok();
        } else if over && !alone.killed {
            alone.killed = true;
            run_processes::kill(&self.session.run);
            process.signal(Signal::KILL).ok();
        }
        false
    }

    fn ending(&self) -> Ending {
        let stopped = self.session.stop_was_asked();
        let cause = "exit code unknown: its keeper was killed";
        Ending {
            state: match (stopped, self.is_done) {
                (true, _) => State::Stopped,
                (false, true) => State::Finished,
                (false, false) => State::Crashed,
            },
            cause: Some(if stopped { format!("asked to stop; {cause}") } else { cause.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_began_slowly_obey_a_second_ahead_at_their_present_rate() {
        assert_eq!(ahead(190, 15.0, Some(130.0)), 130);
        assert_eq!(ahead(190, 15.0, None), 13);
        assert_eq!(ahead(0, 0.0, None), 2);
    }
}
