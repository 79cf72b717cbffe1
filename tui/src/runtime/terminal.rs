//! Taking the terminal over, and giving it back in whatever way the program ends.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use signal_hook::consts::SIGTSTP;

use super::Event;
use crate::app::Msg;
use crate::app::actions::ActionResult;

/// Alternate screen, no cursor, no wrapping at the right edge, pasted text marked, buttons and wheel of the mouse told.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[?1000h\x1b[?1002h\x1b[?1006h\x1b[2J";
/// All of it taken back, in the other order. Ends a synchronized update that a panic interrupted.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[0m\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// The terminal shows what lies between these at once, if it knows them; others ignore them.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours; it is given back when this is dropped, and by the panic hook.
#[derive(Debug)]
pub(super) struct Screen {
    frame: Vec<u8>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter(tx: &Sender<Event>) -> io::Result<Self> {
        catch_panics(tx.clone());
        take()?;
        Ok(Self { frame: Vec::new() })
    }

    /// Writes a frame at once; gives the bytes written. Nothing is written of nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.frame.clear();
        for part in [BEGIN, bytes, END] {
            self.frame.extend_from_slice(part);
        }
        out(&self.frame)?;
        Ok(self.frame.len())
    }

    /// Gives the terminal back, stops as the shell's Ctrl-Z would, and returns once continued.
    #[expect(clippy::unused_self, reason = "only who has the screen may give it away")]
    pub(super) fn suspended(&mut self) -> io::Result<()> {
        restore();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)
    }

    /// Takes the terminal again, whatever others did to it.
    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn again(&mut self) -> io::Result<()> {
        restore();
        take()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn out(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    out(ENTER)
}

/// Gives the terminal back if it is ours. Errors have nowhere to go: the terminal may be gone.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        drop(out(LEAVE));
        drop(disable_raw_mode());
    }
}

/// A panic of the drawing thread gives the terminal back before it is reported. One of another thread cannot be written to
/// a screen that is ours: it is told in the message line, and the rest goes on.
fn catch_panics(tx: Sender<Event>) {
    let before = std::panic::take_hook();
    let drawing = std::thread::current().id();
    let tx = Mutex::new(tx);
    std::panic::set_hook(Box::new(move |info| {
        if !TAKEN.load(Ordering::SeqCst) {
            before(info);
        } else if std::thread::current().id() == drawing {
            restore();
            before(info);
        } else if let Ok(tx) = tx.lock() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed").to_owned();
            let text =
                format!("internal error in thread {name}: {info}; please report it, and restart gradtop");
            let told = tx.send(Msg::Done(ActionResult { text, failed: true, started: None }).into());
            drop(told);
        }
    }));
}
