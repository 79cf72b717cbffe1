//! The two child processes of a command's keeper: the command, and the sink that records it.

#![allow(unsafe_code, reason = "prepares the descriptors of children between fork and exec")]

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gradtop_store::{AttachedTo, CommandInfo, Manifest, RunDir, RunLock, counted, process_start, recover};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::command::keeper_link::{BEGUN, CONSOLE, FromKeeper, FromSink, LINES, LISTENER, Lines};
use crate::command::process_tree::Tree;
use crate::command::run_processes::RUN_DIR;
use crate::command::socket::Address;
use crate::machine::file::readable;
use crate::machine::process::Process;
use crate::machine::{device, program, signals};
use crate::run::keeper::report::{Heard, heard, send};
use crate::run::keeper::target::{LAST_CHANCE, Target};

/// How long a sink may take to open the log.
const OPENING: Duration = Duration::from_mins(1);
/// How often a dead sink is replaced.
const SINKS: u32 = 20;
/// How long leftover processes of a successful command may continue.
const LEFT: Duration = Duration::from_secs(10);
/// The command's descriptor for lines to log.
const SHELL: RawFd = 3;

/// How both processes ended.
pub(crate) struct Ended {
    /// The command's exit status, if it was started here.
    pub(crate) status: Option<ExitStatus>,
    /// The last report of the sink.
    pub(crate) heard: Heard,
    /// Whether a client reported the work as done, with the reason if it failed.
    pub(crate) done: Option<Result<(), String>>,
    /// Additional notes for the events.
    pub(crate) notes: Vec<String>,
}

struct Sink {
    child: Child,
    process: Process,
    talk: UnixStream,
    lines: Lines,
    heard: Vec<u8>,
}

/// A command and its sink.
pub(crate) struct Pair<'a> {
    run: &'a RunDir,
    lock: &'a RunLock,
    address: Address,
    inherited: Inherited,
    sink: Sink,
    sinks: u32,
    /// `None` if the run was attached to a running process.
    command: Option<Child>,
    process: Process,
    tree: Tree,
    listens: bool,
    /// Whether a client has listened since the sink was last heard.
    listened: bool,
    failing: bool,
    done: Option<Result<(), String>>,
    notes: Vec<String>,
    ended: Option<(Option<ExitStatus>, Instant)>,
    /// Set once a command that is not a child of this program is left running.
    let_go: Cell<bool>,
    /// When leftover processes were asked to end.
    cleared: Option<Instant>,
    /// Whether the sink was told to seal the log, after the end of the command.
    sealing: bool,
}

impl<'a> Pair<'a> {
    /// Starts the sink and, once that is ready, the command. `console` is the two ends of the pipe for its output.
    ///
    /// # Errors
    /// One of them does not start; neither is left running.
    pub(crate) fn start(
        run: &'a RunDir,
        lock: &'a RunLock,
        manifest: &Manifest,
        resume: Option<&Path>,
        console: (OwnedFd, OwnedFd),
    ) -> Result<Self, String> {
        let Some(info) = &manifest.command else { return Err("run.toml names no command".to_owned()) };
        let failed = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
        // Orphans of the command become children of this process, which can then see them exit.
        rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1))
            .map_err(|e| format!("the command's processes cannot be adopted: {e}"))?;
        let (address, listener) = Address::listen().map_err(failed("no socket to log to"))?;
        let (lines, lines_in) = io::pipe().map_err(failed("no pipe to log to"))?;
        let (lines, lines_in) = (OwnedFd::from(lines), OwnedFd::from(lines_in));
        let (console, errors) = console;
        let inherited = Inherited { listener, lines, console, errors };
        let sink = start_sink(run, lock, &address, &inherited, None)?;
        let started = match info.attached {
            Some(AttachedTo { pid, start }) => Process::that(pid, start)
                .map(|process| (None, process, pid, start))
                .ok_or_else(|| format!("process {pid} has ended")),
            None => start_command(run, manifest, info, &address, resume, &lines_in, &inherited.errors)
                .and_then(|child| watch(child).map_err(failed("the command cannot be watched")))
                .map(|(child, process, start)| {
                    let pid = child.id();
                    (Some(child), process, pid, start)
                }),
        };
        drop(lines_in);
        let (command, process, pid, start) = match started {
            Ok(started) => started,
            Err(why) => {
                send(&sink.talk, &FromKeeper::Ended { by_themselves: false });
                end_sink(sink);
                return Err(why);
            }
        };
        let keeper = if command.is_some() { std::process::id() } else { 0 };
        let tree = Tree { root: (pid, start), keeper, sink: sink.child.id() };
        send(&sink.talk, &FromKeeper::Started { pid, start });
        Ok(Self {
            run,
            lock,
            address,
            inherited,
            sink,
            sinks: 1,
            command,
            process,
            tree,
            listens: false,
            listened: false,
            failing: false,
            done: None,
            notes: Vec::new(),
            ended: None,
            let_go: Cell::new(false),
            cleared: None,
            sealing: false,
        })
    }

    /// Waits up to `time`; returns whether the command, all processes it started, and the sink have ended.
    pub(crate) fn wait(&mut self, time: Duration) -> bool {
        let patience = Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut fds =
            vec![PollFd::new(&self.sink.talk, PollFlags::IN), PollFd::new(&self.sink.process, PollFlags::IN)];
        if self.ended.is_none() {
            fds.push(PollFd::new(&self.process, PollFlags::IN));
        }
        poll(&mut fds, Some(&patience)).ok();
        drop(fds);
        self.hear();
        let recorded = self.sink.process.wait(Duration::ZERO);
        if self.sealing {
            self.hear();
            return recorded;
        }
        if recorded {
            self.replace_sink();
        }
        if self.ended.is_none() && self.process.wait(Duration::ZERO) {
            let status = self.command.as_mut().map(|child| child.wait().unwrap_or_default());
            self.ended = Some((status, Instant::now()));
        }
        // Other processes of an attached command do not belong to the run.
        self.sealing = if self.command.is_none() {
            self.ended.is_some() || self.done.is_some() || self.let_go.get()
        } else {
            self.tree.reap();
            self.ended.is_some_and(|(status, since)| self.is_clear(status.unwrap_or_default(), since))
        };
        if self.sealing {
            let has_code =
                |(status, _): (Option<ExitStatus>, Instant)| status.is_some_and(|s| s.code().is_some());
            let by_themselves = self.cleared.is_none() && self.ended.is_some_and(has_code);
            send(&self.sink.talk, &FromKeeper::Ended { by_themselves });
        }
        false
    }

    fn hear(&mut self) {
        self.listened = self.listens;
        while readable(&self.sink.talk, Duration::ZERO).unwrap_or(false) {
            let Some(lines) = self.sink.lines.read(&self.sink.talk) else { return };
            for line in lines {
                match serde_json::from_slice(&line) {
                    Ok(FromSink::Listens { yes }) => {
                        self.listens = yes;
                        self.listened |= yes;
                    }
                    Ok(FromSink::Failing) => self.failing = true,
                    Ok(FromSink::Done { error }) => self.done = Some(error.map_or(Ok(()), Err)),
                    Ok(FromSink::Ready) => {}
                    Err(_) => self.sink.heard.extend_from_slice(&line),
                }
            }
        }
    }

    /// Repairs what a dead sink did not seal and starts another one at the same address.
    fn replace_sink(&mut self) {
        let ended = self.sink.child.wait().map(signals::how_it_ended).unwrap_or_default();
        if heard(&self.sink.heard).end.is_some() || self.sinks >= SINKS {
            // It has reported a failure and would fail again. The command must not continue unrecorded.
            self.failing = true;
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
        self.sinks += 1;
        self.notes.push(format!("the recording process ended with {ended} and was restarted"));
        recover(self.run, self.lock).ok();
        match start_sink(self.run, self.lock, &self.address, &self.inherited, Some(BEGUN)) {
            Ok(sink) => {
                let (pid, start) = self.tree.root;
                send(&sink.talk, &FromKeeper::Started { pid, start });
                self.tree.sink = sink.child.id();
                self.sink = sink;
            }
            Err(why) => {
                self.notes.push(why);
                self.failing = true;
            }
        }
    }

    /// Takes the notes collected so far.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Returns whether no leftover processes of an ended command remain. Asks them to end, and kills them if they do not.
    fn is_clear(&mut self, status: ExitStatus, since: Instant) -> bool {
        let left = self.tree.size();
        if left == 0 {
            return true;
        }
        let patience = if status.success() { LEFT } else { Duration::from_millis(500) };
        match self.cleared {
            None if since.elapsed() >= patience => {
                self.cleared = Some(Instant::now());
                let left = counted(left as u64, "process", "processes");
                self.notes.push(format!("asking {left} that the command left behind to end"));
                self.tree.signal(Signal::TERM);
                self.tree.signal(Signal::CONT);
            }
            Some(asked) if asked.elapsed() >= LEFT => self.tree.kill(),
            _ => {}
        }
        false
    }

    /// Returns how everything ended, once [`Self::wait`] has returned true.
    pub(crate) fn finish(self) -> Ended {
        let heard = heard(&self.sink.heard);
        end_sink(self.sink);
        let status = self.ended.and_then(|(status, _)| status);
        Ended { status, heard, done: self.done, notes: self.notes }
    }
}

impl Target for Pair<'_> {
    fn name(&self) -> &'static str {
        "command"
    }

    /// Returns whether the run must end because it failed or cannot be recorded.
    fn is_failing(&self) -> bool {
        self.failing
    }

    /// Returns whether a client checks for requests, now or a moment ago: a stop may be received and answered before
    /// this process looks.
    fn listens(&self) -> bool {
        (self.listens || self.listened) && self.ended.is_none()
    }

    fn is_sealing(&self) -> bool {
        self.sealing
    }

    fn pass_on_stop(&self) {
        self.sink.process.signal(Signal::TERM).ok();
    }

    /// Sends SIGTERM to the command only: its workers would die before it could save. A stopped process is continued so
    /// that it receives the signal.
    fn terminate(&self) {
        if self.command.is_none() {
            return;
        }
        if self.ended.is_some() {
            self.tree.signal(Signal::TERM);
        } else {
            self.process.signal(Signal::TERM).ok();
        }
        self.tree.signal(Signal::CONT);
    }

    /// Kills the command and all processes it started. An attached command, which may be a user's session, is left
    /// running unless killing it is explicitly `wanted`; the run then ends without it.
    fn kill(&self, wanted: bool) {
        if wanted || self.command.is_some() {
            self.tree.kill();
        }
        if wanted {
            send(&self.sink.talk, &FromKeeper::GiveUp);
        }
        self.let_go.set(true);
    }

    /// Kills the sink, the command and all processes it started.
    fn abandon(&self) {
        self.sink.process.signal(Signal::KILL).ok();
        self.kill(false);
        self.sink.process.wait(LAST_CHANCE);
    }
}

/// Descriptors that a sink inherits.
struct Inherited {
    listener: UnixListener,
    /// The sink's ends of the command's descriptor 3 and of its output.
    lines: OwnedFd,
    console: OwnedFd,
    /// Where the sink writes its own errors.
    errors: OwnedFd,
}

/// Starts a sink and waits until it has opened the log.
fn start_sink(
    run: &RunDir,
    lock: &RunLock,
    address: &Address,
    inherited: &Inherited,
    begun: Option<&str>,
) -> Result<Sink, String> {
    let begin = || {
        let (talk, theirs) = UnixStream::pair()?;
        let mut command = program::command();
        command.arg("__sink").arg(run.path()).arg(address.path()).args(begun);
        command.stdin(Stdio::from(lock.file().try_clone()?)).stdout(Stdio::from(OwnedFd::from(theirs)));
        command.stderr(Stdio::from(inherited.errors.try_clone()?));
        let places = [
            (inherited.listener.as_raw_fd(), LISTENER),
            (inherited.lines.as_raw_fd(), LINES),
            (inherited.console.as_raw_fd(), CONSOLE),
        ];
        // SAFETY: only system calls are made between fork and exec, and all are async-signal-safe.
        unsafe { command.pre_exec(move || place(&places)) };
        let mut child = command.spawn()?;
        let process = Process::child(&child).inspect_err(|_| {
            child.kill().ok();
            child.wait().ok();
        })?;
        Ok(Sink { child, process, talk, lines: Lines::default(), heard: Vec::new() })
    };
    let mut sink = begin().map_err(|e: io::Error| format!("the sink cannot be started: {e}"))?;
    let start = Instant::now();
    loop {
        if readable(&sink.talk, Duration::from_millis(100)).unwrap_or(false) {
            let Some(lines) = sink.lines.read(&sink.talk) else { break };
            for line in lines {
                match serde_json::from_slice(&line) {
                    Ok(FromSink::Ready) => return Ok(sink),
                    _ => sink.heard.extend_from_slice(&line),
                }
            }
        }
        if start.elapsed() >= OPENING {
            break;
        }
    }
    let why = heard(&sink.heard).end.and_then(|(_, why)| why);
    sink.process.signal(Signal::KILL).ok();
    let ended = sink.child.wait().map(signals::how_it_ended).unwrap_or_default();
    Err(why.unwrap_or_else(|| format!("the sink ended with {ended}")))
}

fn end_sink(mut sink: Sink) {
    if !sink.process.wait(Duration::from_secs(10)) {
        sink.process.signal(Signal::KILL).ok();
    }
    sink.child.wait().ok();
}

/// Moves descriptors to fixed numbers that survive `exec`. A target may be in use by another one, so all are moved away first.
fn place<const N: usize>(places: &[(RawFd, RawFd); N]) -> io::Result<()> {
    let above = 1 + places.iter().map(|(_, to)| *to).max().unwrap_or(0);
    let mut away = [0; N];
    for (away, (from, _)) in away.iter_mut().zip(places) {
        // SAFETY: duplicates a descriptor of this process.
        *away = unsafe { libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, above) };
        if *away < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    for (away, (_, to)) in away.iter().zip(places) {
        // SAFETY: replaces a descriptor of the child only.
        if unsafe { libc::dup2(*away, *to) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Starts the command in its own session, inheriting only descriptors 0 to 3.
fn start_command(
    run: &RunDir,
    manifest: &Manifest,
    info: &CommandInfo,
    address: &Address,
    resume: Option<&Path>,
    lines: &OwnedFd,
    console: &OwnedFd,
) -> Result<Child, String> {
    let Some((name, arguments)) = info.argv.split_first() else {
        return Err("run.toml names no command".to_owned());
    };
    let begin = || {
        let mut command = Command::new(name);
        command.args(arguments).current_dir(&info.dir);
        command
            .env(RUN_DIR, run.path())
            .env("GRADTOP_RUN", &manifest.run)
            .env("GRADTOP_SEED", manifest.seed.unwrap_or_default().to_string())
            .env("GRADTOP_SINK", address.path());
        match resume {
            Some(checkpoint) => command.env("GRADTOP_RESUME_DIR", checkpoint),
            None => command.env_remove("GRADTOP_RESUME_DIR"),
        };
        // The command's only device is the first one visible to it.
        if let Some(seen) = manifest.device.as_deref().and_then(device::seen_alone) {
            command.env(device::VISIBLE, seen);
        }
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // Python output appears at once and in order.
            command.env("PYTHONUNBUFFERED", "1");
        }
        command.stdin(Stdio::null());
        command.stdout(Stdio::from(console.try_clone()?)).stderr(Stdio::from(console.try_clone()?));
        let places = [(lines.as_raw_fd(), SHELL)];
        // SAFETY: only system calls are made between fork and exec, and all are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                for signal in [libc::SIGHUP, libc::SIGINT] {
                    signals::restore(signal);
                }
                rustix::process::setsid()?;
                place(&places)
            });
        }
        command.spawn()
    };
    begin().map_err(|e: io::Error| format!("{} cannot be started: {e}", crate::text::clean(name)))
}

/// Returns the child with a descriptor to watch it and its start time.
fn watch(mut child: Child) -> io::Result<(Child, Process, u64)> {
    let watched = Process::child(&child).and_then(|process| {
        let start = process_start(child.id()).ok_or(io::ErrorKind::NotFound)?;
        Ok((process, start))
    });
    let (process, start) = watched.inspect_err(|_| {
        child.kill().ok();
        child.wait().ok();
    })?;
    Ok((child, process, start))
}
