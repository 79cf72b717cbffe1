//! Child processes of this program that answer on standard output within a time limit.

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

pub(crate) struct Child {
    /// `None` if it timed out and was killed.
    pub(crate) status: Option<std::process::ExitStatus>,
    /// What it has written to standard output.
    pub(crate) answer: Vec<u8>,
    /// The end of what it has written to standard error.
    pub(crate) output: Vec<u8>,
}

/// Runs a child that answers on standard output within `limit`, or with `each` gives several answers, each within it.
/// `stdin` is its standard input.
pub(crate) fn run_child(
    mut command: Command,
    stdin: Option<&File>,
    limit: Duration,
    each: bool,
) -> std::io::Result<Child> {
    const ANSWER_LIMIT: usize = 64 << 20;
    const OUTPUT_LIMIT: usize = 64 << 10;
    // Detached from the terminal, so that a Ctrl-C meant for this program does not look like a crash of the plugin.
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
    // The answer ends when the child closes it; a child that lingers afterwards gets the rest of its time.
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
    // A process left by the plugin may hold a pipe open, so do not wait long for the rest.
    let soon = |pipe: Option<mpsc::Receiver<Vec<u8>>>| {
        pipe.and_then(|pipe| pipe.recv_timeout(Duration::from_millis(200)).ok()).unwrap_or_default()
    };
    Ok(Child { status, answer: answered.unwrap_or_else(|| soon(answer)), output: soon(output) })
}

/// Reads a pipe to its end on a separate thread and keeps the last `limit` bytes; `heard` is notified of each chunk.
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
    // If no thread can be started, nothing is read.
    std::thread::Builder::new().name("answer".to_owned()).spawn(read).ok();
    receive
}

/// Reserves standard output for answers, whatever `work` prints, and exits without running destructors of libraries.
/// Each answer is written at once as a line of JSON, so that a crash does not lose earlier ones.
pub(crate) fn answer_and_leave<T: IntoIterator<Item: Serialize>>(work: impl FnOnce() -> T) -> i32 {
    // The parent may exit while a plugin hangs. A crash here needs no core file either.
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
