//! The trainer: the process that opens the plugin and trains.

#![allow(unsafe_code, reason = "calls the plugin and leaves without running its destructors")]

use std::ffi::{CString, c_void};
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use gradtop_abi::{self as abi, Kv};
use gradtop_store::{
    Manifest, Recorder, RunDir, RunLock, State, Status, StoreError, process_start, read_manifest, read_status,
};

use crate::machine::process::leave;
use crate::machine::{cuda, memory};
use crate::plugin::file::PluginFile;
use crate::plugin::guard::c_string;
use crate::plugin::load::{self, Plugin};
use crate::run::keeper::invocation::ResumeFrom;
use crate::run::keeper::report::{Outcome, Phase, Report, Reporter};
use crate::train::host_table;
use crate::train::session::Session;
use crate::train::system::System;
use crate::train::watchdogs::Watchdogs;

pub(crate) type End = (Outcome, Option<String>);

fn failed(why: impl Into<String>) -> End {
    (Outcome::Failed, Some(why.into()))
}

/// Entry point of `gradtop __trainer DIR [--resume CHECKPOINT] [--trust HASH]`. Standard input is the run's lock, standard output
/// the pipe of [`crate::run::keeper::report`], standard error the console. Does not return, as it exits with [`leave`].
pub(crate) fn trainer_main(dir: &Path, resume: Option<ResumeFrom>) -> i32 {
    let Ok((lock, pipe)) = take_over_stdio() else { return 1 };
    let mut reporter = Reporter(pipe);
    let run = match RunDir::new(dir).hold() {
        Ok(run) => run,
        Err(e) => {
            let (outcome, message) = failed(e.to_string());
            reporter.send(&Report::End { outcome, message });
            return 1;
        }
    };
    let work = Work { run, resume, reporter };
    let started = on_bare_thread(Box::new(work));
    // The lock is held until exit, because it shows that this process is alive.
    let _lock = lock;
    match started {
        // The thread ends the process, so joining it never returns.
        Ok(thread) => {
            // SAFETY: a running thread that is joined once.
            unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
            1
        }
        Err((mut work, why)) => {
            let (outcome, message) = failed(format!("no thread can be started: {why}"));
            work.reporter.send(&Report::End { outcome, message });
            1
        }
    }
}

struct Work {
    run: RunDir,
    resume: Option<ResumeFrom>,
    reporter: Reporter,
}

/// Starts the plugin's \[main\] thread. Its stack contains no `catch_unwind`, neither ours nor the standard library's, so that an
/// uncaught C++ exception finds no handler and terminates where it was thrown, with its own message (`terminate called after
/// throwing …`). A Rust handler would abort with an unhelpful message. A panic of our own also ends the process with its message.
fn on_bare_thread(work: Box<Work>) -> Result<libc::pthread_t, (Box<Work>, std::io::Error)> {
    /// At least as much as a main thread usually has, so that deep recursion works as there.
    const STACK: usize = 16 << 20;
    type Start = extern "C" fn(*mut c_void) -> *mut c_void;
    // SAFETY: both have the same signature apart from unwinding, and nothing unwinds, see above.
    let start = unsafe {
        std::mem::transmute::<extern "C-unwind" fn(*mut c_void) -> *mut c_void, Start>(train_and_leave)
    };
    // SAFETY: all zeros until it is initialized in the next line.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: our own attributes.
    unsafe { libc::pthread_attr_init(&raw mut attributes) };
    // SAFETY: as above; if the system refuses the size, the default remains.
    unsafe { libc::pthread_attr_setstacksize(&raw mut attributes, STACK) };
    let work = Box::into_raw(work);
    let mut thread = 0;
    // SAFETY: the thread takes ownership of the box.
    let code = unsafe { libc::pthread_create(&raw mut thread, &raw const attributes, start, work.cast()) };
    if code == 0 {
        return Ok(thread);
    }
    // SAFETY: no thread was started, so the box is still ours.
    let work = unsafe { Box::from_raw(work) };
    Err((work, std::io::Error::from_raw_os_error(code)))
}

extern "C-unwind" fn train_and_leave(work: *mut c_void) -> *mut c_void {
    // SAFETY: the box from `on_bare_thread`, taken only once.
    let mut work = unsafe { Box::from_raw(work.cast::<Work>()) };
    crate::train::stack_overflow::say_on_overflow();
    let end = train(&work.run, work.resume.as_ref(), &mut work.reporter);
    let (outcome, message) = end.unwrap_or_else(failed);
    let message = message.map(|text| {
        let (first, rest) = crate::text::first_line(&text);
        if !rest.is_empty() {
            crate::train::session::write_lines("error", &text);
        }
        first.to_owned()
    });
    work.reporter.send(&Report::End { outcome, message });
    leave(i32::from(outcome == Outcome::Failed))
}

/// Moves lock and pipe to descriptors that the plugin does not write to and its children do not inherit.
pub(crate) fn take_over_stdio() -> std::io::Result<(RunLock, File)> {
    let lock = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    keep_from_children(&lock);
    Ok((RunLock::from_file(File::from(lock)), File::from(pipe)))
}

static LOCK: AtomicI32 = AtomicI32::new(-1);

/// Prevents processes forked by the plugin from holding the run's lock: one that outlives the run would make it look alive.
fn keep_from_children(lock: &OwnedFd) {
    LOCK.store(lock.as_raw_fd(), Ordering::Release);
    // SAFETY: registers a function of this program, which is never unloaded. If registration fails, process ids still
    // tell whether the run is alive.
    unsafe { libc::pthread_atfork(None, None, Some(close_lock)) };
}

/// Runs in a forked child, where only async-signal-safe functions may be called.
extern "C" fn close_lock() {
    // SAFETY: the child's own descriptor, which nothing in it uses; it has only one thread.
    unsafe { libc::close(LOCK.swap(-1, Ordering::AcqRel)) };
}

/// Returns a flag that SIGTERM sets.
pub(crate) fn on_sigterm() -> Result<Arc<AtomicBool>, String> {
    let terminated = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, terminated.clone())
        .map_err(|e| format!("SIGTERM cannot be handled: {e}"))?;
    Ok(terminated)
}

/// Opens the log of a run that this process records. Returns the session with the first status.
pub(crate) fn open_session(run: RunDir, manifest: &Manifest) -> Result<(&'static Session, Status), String> {
    let recorder = Recorder::open(&run, memory::recorder_options())
        .map_err(|e| format!("the log cannot be opened: {e}"))?;
    let session =
        host_table::install(Session::new(run, manifest, recorder)).ok_or("a process records once")?;
    let pid = std::process::id();
    let first = Status {
        state: State::Starting,
        trainer_pid: Some(pid),
        trainer_start: process_start(pid),
        gpu: manifest.device.as_deref().and_then(crate::machine::device::uuid_of),
        ..read_status(&session.run).unwrap_or_default()
    };
    session.count_on_from(&first);
    Ok((session, first))
}

/// Trains from the first status to the last. An error is why it could not begin.
fn train(run: &RunDir, resume: Option<&ResumeFrom>, reporter: &mut Reporter) -> Result<End, String> {
    let keeper = rustix::process::getppid();
    let terminated = on_sigterm()?;
    let manifest = read_manifest(run).map_err(|e| e.to_string())?;
    let (session, first) = open_session(run.clone(), &manifest)?;
    let system = System::new(first.gpu.clone());
    // Before any code of the plugin, so that a plugin that hangs while loading can be stopped too.
    let watchdogs = Watchdogs::start(session, first, manifest.clone(), terminated, keeper, system)
        .map_err(|e| format!("no thread can be started: {e}"))?;
    handle_exit(reporter);
    let end = run_plugin(session, &manifest, resume, reporter).unwrap_or_else(failed);
    reporter.phase(Phase::Finishing);
    session.end_training();
    let end = with_log(session, end, session.recorder.finish());
    // A trainer that stopped because its keeper is gone was cut short, so it records no end.
    let cut_short = session.orphaned.load(Ordering::Acquire) && end.0 == Outcome::Stopped;
    if !cut_short {
        session.end(crate::run::cause::ending(end.0, end.1.clone(), crate::run::cause::ASKED));
    }
    watchdogs.stop();
    let lines = session.unwritten_events();
    if !lines.is_empty() {
        reporter.send(&Report::Events { lines });
    }
    Ok(end)
}

/// Combines the end of training with the result of finishing the log.
pub(crate) fn with_log(session: &Session, end: End, finished: Result<(), StoreError>) -> End {
    match (end, finished) {
        (end, Ok(())) => end,
        ((Outcome::Failed, why), Err(e)) => failed(format!("{}; {e}", why.unwrap_or_default())),
        // Waiting for the disk was abandoned because somebody asked for the end.
        (_, Err(e @ StoreError::Lost { .. })) if session.stop_was_asked() => {
            (Outcome::Stopped, Some(e.to_string()))
        }
        (_, Err(e)) => failed(format!("the log could not be finished: {e}")),
    }
}

/// Where [`at_exit`] reports that it runs.
static AT_EXIT: OnceLock<Mutex<Reporter>> = OnceLock::new();

/// Prepares for a plugin that calls `exit`.
fn handle_exit(reporter: &Reporter) {
    if let Ok(pipe) = reporter.0.try_clone() {
        AT_EXIT.get_or_init(|| Mutex::new(Reporter(pipe)));
        // SAFETY: registers a function of this program, which is never unloaded.
        unsafe { libc::atexit(at_exit) };
    }
}

/// Runs when somebody calls `exit`, which the trainer itself never does. Notifies the keeper and saves what was logged.
extern "C" fn at_exit() {
    if let Some(reporter) = AT_EXIT.get() {
        // The lock is free, and this runs only once.
        if let Ok(mut reporter) = reporter.try_lock() {
            reporter.send(&Report::Exit);
        }
    }
    // No panic may leave this function. During a checkpoint, the locks needed for sealing are held, so do not seal then.
    let seal = || host_table::installed().filter(|s| !s.is_saving()).map(|s| s.recorder.finish());
    catch_unwind(AssertUnwindSafe(seal)).ok();
}

/// Runs the plugin. An error is why it could not train.
fn run_plugin(
    session: &'static Session,
    manifest: &Manifest,
    resume: Option<&ResumeFrom>,
    reporter: &mut Reporter,
) -> Result<End, String> {
    reporter.phase(Phase::Loading);
    let named = manifest.device.as_deref().unwrap_or("cpu");
    let device = named.strip_prefix("cuda:").map_or(Ok(-1), str::parse::<i32>);
    let device = device.map_err(|_| format!("unknown device {named:?}"))?;
    // The copy in the run's folder; libraries it searches for next to itself are next to the original.
    let recorded = manifest.plugin.as_ref().ok_or("the run has no plugin")?;
    let origin = Path::new(&recorded.original_path).parent().unwrap_or(Path::new("/"));
    let expected = resume.and_then(|r| r.trusted.as_deref()).unwrap_or(&recorded.sha256);
    let plugin = PluginFile::of_run(&session.run, expected)
        .and_then(|file| load::open(file, origin, device >= 0))
        .map_err(|refusal| format!("the run's plugin {refusal}"))?;
    if device >= 0 && plugin.desc.needs_libtorch {
        match cuda::cuda_devices() {
            Ok(n) if device < i32::try_from(n).unwrap_or(i32::MAX) => {}
            Ok(n) => return Err(format!("{named}: CUDA sees {n} GPUs")),
            Err(why) => return Err(format!("{named}: {why}")),
        }
    }
    let (index, _) = plugin
        .desc
        .experiment(manifest.experiment.plugin_id())
        .ok_or_else(|| format!("the run's plugin has no experiment {:?}", manifest.experiment.id))?;
    let threads = manifest.threads.and_then(|n| i32::try_from(n).ok()).unwrap_or(1);
    let host = host_table::table(session, manifest.seed.unwrap_or_default(), device, threads);

    let texts: Vec<(CString, CString)> = manifest
        .params
        .iter()
        .map(|(key, value)| (c_string(key.as_bytes()), c_string(value.to_string().as_bytes())))
        .collect();
    let pairs: Vec<Kv> = texts.iter().map(|(k, v)| Kv { key: k.as_ptr(), value: v.as_ptr() }).collect();
    let resume = resume.and_then(|r| r.checkpoint.as_ref()).map(|dir| c_string(dir.as_os_str().as_bytes()));
    let resume_dir = resume.as_ref().map_or(std::ptr::null(), |r| r.as_ptr());

    reporter.phase(Phase::Creating);
    let mut error = abi::Error::EMPTY;
    let mut instance: *mut abi::Run = std::ptr::null_mut();
    let (n, kv) = (pairs.len() as u64, pairs.as_ptr());
    // SAFETY: [main]; all arguments live until it returns, the host table forever.
    let status =
        unsafe { (plugin.create)(index, host, kv, n, resume_dir, &raw mut instance, &raw mut error) };
    if status != abi::OK {
        return Ok(judge(session, status, &error, "create()"));
    }
    if instance.is_null() {
        return Err("create() returned OK but no run".to_owned());
    }
    Ok(train_instance(session, &plugin, instance, reporter))
}

fn train_instance(
    session: &'static Session,
    plugin: &Plugin,
    instance: *mut abi::Run,
    reporter: &mut Reporter,
) -> End {
    reporter.phase(Phase::Running);
    session.begin();
    let mut error = abi::Error::EMPTY;
    // SAFETY: [main]; the instance returned by create.
    let status = unsafe { (plugin.run)(instance, &raw mut error) };
    let end = judge(session, status, &error, "run()");
    if status != abi::PANIC {
        reporter.phase(Phase::Destroying);
        // SAFETY: [main]; only once, and the instance is not used again.
        unsafe { (plugin.destroy)(instance) };
    }
    end
}

/// Interprets a status returned by the plugin.
fn judge(session: &Session, status: abi::Status, error: &abi::Error, place: &str) -> End {
    if let Some(why) = session.failure() {
        return failed(why);
    }
    let message = crate::plugin::guard::message(error);
    match status {
        abi::OK => (Outcome::Finished, None),
        abi::STOPPED if session.stop_was_asked() => (Outcome::Stopped, None),
        abi::STOPPED => failed(format!("{place} returned STOPPED, but nobody asked it to stop")),
        abi::PANIC if message.is_empty() => failed(format!("{place} panicked")),
        abi::PANIC if message.starts_with("panicked") => failed(message),
        abi::PANIC => failed(format!("panicked: {message}")),
        _ if !message.is_empty() => failed(message),
        abi::FAILED => failed(format!("{place} failed and gave no reason")),
        abi::INVALID => failed(format!("{place} returned INVALID")),
        abi::UNSUPPORTED => failed(format!("{place} returned UNSUPPORTED")),
        abi::IO => failed(format!("{place} returned IO")),
        other => failed(format!("{place} returned {other}, which is not a status of the ABI")),
    }
}
