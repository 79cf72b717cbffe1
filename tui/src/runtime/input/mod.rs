//! Reads keys, mouse events, pasted text and responses from the terminal.
//!
//! We read the terminal ourselves because crossterm drops responses and takes a split one for keys.

mod decode;

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Event;
use crate::app::Msg;
use decode::{Decoder, Input, Unfinished};

/// An escape followed by nothing for so long is the key. The time is longer while a response, which begins with an escape, is
/// expected, and for sequences that are no key.
const ESCAPE: Duration = Duration::from_millis(50);
const REST: Duration = Duration::from_secs(1);

/// Pauses reading while another program has the terminal.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Pauses or continues reading.
    pub(super) fn close(&self, closed: bool) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        self.0.1.notify_all();
    }

    /// Waits while reading is paused. Returns whether it had to.
    fn wait(&self) -> bool {
        let closed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = *closed;
        drop(self.0.1.wait_while(closed, |closed| *closed));
        waits
    }
}

/// Starts the reader thread. It lives as long as the process, since nothing can interrupt a blocking read. `due` says whether a
/// response is expected.
pub(super) fn start(tx: &Sender<Event>, due: Arc<AtomicBool>, gate: Gate) -> io::Result<()> {
    let terminal: OwnedFd = match io::stdin() {
        stdin if stdin.is_terminal() => stdin.as_fd().try_clone_to_owned()?,
        _ => File::open("/dev/tty")?.into(),
    };
    let tx = tx.clone();
    let read = move || {
        let mut reader = Reader { terminal, due, gate, decoder: Decoder::default() };
        loop {
            let event = match reader.next() {
                Ok(Input::Key(key)) => Msg::Key(key).into(),
                Ok(Input::Mouse(mouse)) => Msg::Mouse(mouse).into(),
                Ok(Input::Paste(text)) => Msg::Paste(text).into(),
                Ok(Input::Answer) => Event::Answered,
                Ok(Input::Focus(ours)) => Event::Focus(ours),
                // The terminal is gone.
                Err(_) => Msg::Quit.into(),
            };
            let last = matches!(event, Event::Msg(Msg::Quit));
            if tx.send(event).is_err() || last {
                return;
            }
        }
    };
    std::thread::Builder::new().name("input".to_owned()).spawn(read).map(drop)
}

struct Reader {
    terminal: OwnedFd,
    due: Arc<AtomicBool>,
    gate: Gate,
    decoder: Decoder,
}

impl Reader {
    fn next(&mut self) -> io::Result<Input> {
        loop {
            let due = self.due.load(Ordering::SeqCst);
            if let Some(input) = self.decoder.next(due) {
                return Ok(input);
            }
            let patience = match self.decoder.unfinished() {
                Unfinished::Nothing => None,
                Unfinished::Escape if !due => Some(ESCAPE),
                Unfinished::Escape | Unfinished::Sequence => Some(REST),
            };
            if !self.readable(patience)? {
                if let Some(input) = self.decoder.give_up() {
                    return Ok(input);
                }
                continue;
            }
            if self.gate.wait() {
                // The other program has read what was there.
                continue;
            }
            let mut block = [0; 1024];
            match rustix::io::read(&self.terminal, &mut block) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.decoder.feed(&block[..n]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Waits for input. Returns false after a time-out.
    fn readable(&self, patience: Option<Duration>) -> io::Result<bool> {
        let limit = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut terminal = [PollFd::new(&self.terminal, PollFlags::IN)];
        match poll(&mut terminal, limit.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => self.readable(patience),
            Err(e) => Err(e.into()),
        }
    }
}
