//! Children of this program that answer a question on their standard output, within a time.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use crate::machine::process::leave_now;

/// What a child that answers on its standard output did.
pub(crate) struct Child {
    /// `None` if it ran out of time and was killed.
    pub(crate) status: Option<std::process::ExitStatus>,
    /// What it had answered by then.
    pub(crate) answer: Vec<u8>,
    /// The last it wrote to standard error.
    pub(crate) output: Vec<u8>,
}

/// Runs a child that answers on its standard output, within `limit`. `stdin` is its standard input.
pub(crate) fn run_child(command: Command, stdin: Option<&File>, limit: Duration) -> std::io::Result<Child> {
    run(command, stdin, limit, false)
}

/// As [`run_child`] where there are many answers: the time is that of each.
pub(crate) fn run_answering_child(
    command: Command,
    stdin: Option<&File>,
    limit: Duration,
) -> std::io::Result<Child> {
    run(command, stdin, limit, true)
}

fn run(mut command: Command, stdin: Option<&File>, limit: Duration, each: bool) -> std::io::Result<Child> {
    const ANSWER_LIMIT: usize = 64 << 20;
    const OUTPUT_LIMIT: usize = 64 << 10;
    // Out of the terminal's reach: a Ctrl-C meant for this program must not look like the death of a plugin.
    let stdin = match stdin {
        Some(file) => file.try_clone()?.into(),
        None => Stdio::null(),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let deadline = Arc::new(Mutex::new(Instant::now() + limit));
    let heard = {
        let deadline = Arc::clone(&deadline);
        move || {
            if each {
                *deadline.lock() = Instant::now() + limit;
            }
        }
    };
    let left = || deadline.lock().saturating_duration_since(Instant::now());
    let answer = child.stdout.take().map(|pipe| collect(pipe, ANSWER_LIMIT, heard));
    let output = child.stderr.take().map(|pipe| collect(pipe, OUTPUT_LIMIT, || ()));
    // The answer ends when the child closes it; a child that closes it and lingers is given the rest of its time.
    let answered = answer.as_ref().and_then(|answer| {
        loop {
            match answer.recv_timeout(left()) {
                Err(RecvTimeoutError::Timeout) if !left().is_zero() => {}
                answered => break answered.ok(),
            }
        }
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if left().is_zero() {
            child.kill().ok();
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    // A process that the plugin left behind may hold a pipe open: what is not there soon is not waited for.
    let soon = |pipe: Option<mpsc::Receiver<Vec<u8>>>| {
        pipe.and_then(|pipe| pipe.recv_timeout(Duration::from_millis(200)).ok()).unwrap_or_default()
    };
    Ok(Child { status, answer: answered.unwrap_or_else(|| soon(answer)), output: soon(output) })
}

/// Reads a pipe to its end on a thread of its own, keeping the last `limit` bytes; `heard` is told of each piece.
fn collect(
    mut pipe: impl Read + Send + 'static,
    limit: usize,
    heard: impl Fn() + Send + 'static,
) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    let read = move || {
        let mut kept = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    heard();
                    kept.extend_from_slice(&buffer[..n]);
                    if kept.len() > 2 * limit {
                        kept.drain(..kept.len() - limit);
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let cut = kept.len().saturating_sub(limit);
        kept.drain(..cut);
        send.send(kept).ok();
    };
    // Where no thread can be started, nothing is heard.
    std::thread::Builder::new().name("answer".to_owned()).spawn(read).ok();
    receive
}

/// Keeps standard output for the answers alone, whatever `work` opens, and leaves without running destructors of theirs. Each answer
/// is a line of JSON, written as soon as it is there: one that kills this process takes none of those before with it.
pub(crate) fn answer_and_leave<T: IntoIterator<Item: Serialize>>(work: impl FnOnce() -> T) -> i32 {
    // Whoever asked may be gone while a plugin hangs; and a crash here is no news worth a core file.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).ok();
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).ok();
    let Ok(private) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3) else { return 1 };
    if rustix::stdio::dup2_stdout(rustix::stdio::stderr()).is_err() {
        return 1;
    }
    let mut out = File::from(private);
    let written = work().into_iter().try_for_each(|answer| {
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        out.write_all(&line)
    });
    leave_now(i32::from(written.is_err()))
}
