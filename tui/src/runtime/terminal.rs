//! Takes over the terminal, and restores it however the program ends.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use signal_hook::consts::SIGTSTP;

use super::{Event, notify};

/// Saves the title; alternate screen, no cursor, no line wrap, bracketed paste, focus events.
const ENTER: &[u8] = b"\x1b[22;2t\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[?1004h\x1b[2J";
/// Reports mouse buttons and the wheel.
const MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const NO_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// Undoes all of it in reverse order. Ends a synchronized update that a panic interrupted.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[0m\x1b[23;2t\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Encloses a synchronized update. Terminals without support ignore it.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// A status query. The terminal responds when it gets there, so it has shown everything before.
const ASK: &[u8] = b"\x1b[5n";

/// Whether we have the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while we have it. Restored on drop, and by the panic hook.
#[derive(Debug)]
pub(super) struct Screen {
    frame: Vec<u8>,
    mouse: bool,
    title: String,
    /// Sequences to send with the next frame: a title, alerts.
    besides: String,
}

impl Screen {
    /// Takes over the terminal.
    pub(super) fn enter(tx: &Sender<Event>, mouse: bool) -> io::Result<Self> {
        catch_panics(tx.clone());
        take(mouse)?;
        Ok(Self { frame: Vec::new(), mouse, title: String::new(), besides: String::new() })
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(super) fn mouse(&mut self, ours: bool) -> io::Result<()> {
        self.mouse = ours;
        out(if ours { MOUSE } else { NO_MOUSE })
    }

    /// Sets the title with the next frame. The text must contain no control characters.
    pub(super) fn name(&mut self, title: &str) {
        // The Linux console has no title, and older ones print the sequence.
        if title != self.title && std::env::var_os("TERM").is_none_or(|term| term != "linux") {
            title.clone_into(&mut self.title);
            self.besides.push_str("\x1b]2;");
            self.besides.push_str(title);
            self.besides.push('\x07');
        }
    }

    /// Sends notifications with the next frame.
    pub(super) fn alert(&mut self, alerts: &[String]) {
        self.besides.push_str(&notify::sequence(alerts));
    }

    /// Writes a frame, followed by a status query if `ask`. Returns the number of bytes, which is 0 for an empty frame.
    pub(super) fn write(&mut self, bytes: &[u8], ask: bool) -> io::Result<usize> {
        if bytes.is_empty() && self.besides.is_empty() {
            return Ok(0);
        }
        self.frame.clear();
        for part in [BEGIN, self.besides.as_bytes(), bytes, END, if ask { ASK } else { b"" }] {
            self.frame.extend_from_slice(part);
        }
        self.besides.clear();
        out(&self.frame)?;
        Ok(self.frame.len())
    }

    /// Gives the terminal to another program, until [`again`](Self::again).
    #[expect(clippy::unused_self, reason = "only who has the screen may give it away")]
    pub(super) fn lend(&mut self) {
        restore();
    }

    /// Suspends as the shell's Ctrl-Z would. Returns once continued.
    #[expect(clippy::unused_self, reason = "only who has the screen may give it away")]
    pub(super) fn suspended(&mut self) -> io::Result<()> {
        restore();
        stop()
    }

    /// Takes the terminal again, whatever state it is in.
    pub(super) fn again(&mut self) -> io::Result<()> {
        restore();
        self.title.clear();
        take(self.mouse)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Stops this process as the shell's Ctrl-Z would. Returns once continued.
pub(super) fn stop() -> io::Result<()> {
    signal_hook::low_level::emulate_default_handler(SIGTSTP)
}

/// Returns whether we have the terminal and it is not lent to another program.
pub(super) fn is_ours() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// The size in columns and rows; 80 by 24 if unknown.
pub(super) fn size() -> (u16, u16) {
    crossterm::terminal::size().ok().filter(|(w, h)| *w > 0 && *h > 0).unwrap_or((80, 24))
}

fn out(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn take(mouse: bool) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    out(ENTER)?;
    if mouse { out(MOUSE) } else { Ok(()) }
}

/// Restores the terminal if we have it. Errors are ignored: the terminal may be gone.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        drop(out(LEAVE));
        drop(disable_raw_mode());
    }
}

/// Installs a panic hook. A panic of the drawing thread restores the terminal before it is reported. A panic of another thread
/// is shown in the message line, and the rest continues.
fn catch_panics(tx: Sender<Event>) {
    let before = std::panic::take_hook();
    let drawing = std::thread::current().id();
    let tx = Mutex::new(tx);
    std::panic::set_hook(Box::new(move |info| {
        if gradtop_store::decoding() {
            // It is caught and becomes an error that names the file.
        } else if !TAKEN.load(Ordering::SeqCst) {
            before(info);
        } else if std::thread::current().id() == drawing {
            restore();
            before(info);
        } else if let Ok(tx) = tx.lock() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed").to_owned();
            let text =
                format!("internal error in thread {name}: {info}. Please report it, and restart gradtop");
            let told = tx.send(super::work::failed(text));
            drop(told);
        }
    }));
}

#[cfg(test)]
mod tests {
    //! Tests the real guard and panic hook in a real terminal: the test program starts itself in one and panics there.

    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Read as _;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use rustix::termios::LocalModes;

    use super::*;
    use crate::app::Msg;
    use crate::screens::effect::Answer;

    /// Set for the process in the terminal, to the thread that should panic.
    const INSIDE: &str = "GRADTOP_TEST_PANIC_IN";

    /// The process in the terminal; does nothing otherwise.
    #[test]
    fn inside_a_terminal() {
        let Ok(thread) = std::env::var(INSIDE) else { return };
        let (tx, rx) = channel();
        let mut screen = Screen::enter(&tx, true).unwrap();
        screen.write(b"drawn", false).unwrap();
        assert_ne!(thread, "drawing", "drawing failed");
        let worker = std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("work failed"));
        worker.unwrap().join().unwrap_err();
        let Ok(Event::Msg(Msg::Answer(Answer::Done(told, _)))) = rx.recv() else {
            panic!("the panic was not told")
        };
        screen.write(told.text.as_bytes(), false).unwrap();
    }

    /// Starts this test program in a terminal. Returns its output, and whether the terminal is back in cooked mode.
    fn run(thread: &str) -> (String, bool) {
        let pair =
            native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 });
        let pair = pair.unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "runtime::terminal::tests::inside_a_terminal",
            "--nocapture",
            "--test-threads=1",
        ]);
        command.env(INSIDE, thread);
        command.env("RUST_BACKTRACE", "0");
        let mut from = pair.master.try_clone_reader().unwrap();
        let (all, written) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut block = [0; 1024];
            while let Ok(n @ 1..) = from.read(&mut block) {
                bytes.extend_from_slice(&block[..n]);
            }
            all.send(bytes)
        });
        let mut child = pair.slave.spawn_command(command).unwrap();
        let end = Instant::now() + Duration::from_mins(3);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it did not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        // The slave is still open here, so the terminal is as the program left it.
        let file = std::fs::File::open(pair.master.tty_name().unwrap()).unwrap();
        let modes = rustix::termios::tcgetattr(&file).unwrap().local_modes;
        let cooked = modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        drop((file, pair));
        (String::from_utf8_lossy(&written.recv().unwrap()).into_owned(), cooked)
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_then_reported() {
        let (written, cooked) = run("drawing");
        let drawn = written.find("drawn").expect("it drew");
        let left = written.find("\x1b[?25h\x1b[?1049l").expect("it left");
        let told = written.find("drawing failed").expect("it told");
        assert!(drawn < left && left < told, "{written:?}");
        assert!(cooked, "the terminal is raw still");
        assert_eq!(written.matches("\x1b[?1049l").count(), 1, "given back once: {written:?}");
    }

    #[test]
    fn a_panic_of_a_worker_is_told_on_the_screen() {
        let (written, cooked) = run("worker");
        let told = written.find("internal error in thread worker").expect("it told");
        let left = written.find("\x1b[?1049l").expect("it left");
        assert!(told < left && written.contains("work failed"), "{written:?}");
        assert!(cooked, "the terminal is raw still");
    }
}
