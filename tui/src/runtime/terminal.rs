//! Taking the terminal over, and giving it back in whatever way the program ends.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use signal_hook::consts::SIGTSTP;

use super::{Event, notify};

/// The title kept, the alternate screen, no cursor, no wrapping at the right edge, pasted text marked, the focus told.
const ENTER: &[u8] = b"\x1b[22;2t\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[?1004h\x1b[2J";
/// Buttons and wheel of the mouse are told, or are the terminal's own.
const MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const NO_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// All of it taken back, in the other order. Ends a synchronized update that a panic interrupted.
const LEAVE: &[u8] =
    b"\x1b[?2026l\x1b[0m\x1b[23;2t\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// The terminal shows what lies between these at once, if it knows them; others ignore them.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// Asks the terminal whether it is well. It says so once it has come to the question, so it has shown what went before.
const ASK: &[u8] = b"\x1b[5n";

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours; it is given back when this is dropped, and by the panic hook.
#[derive(Debug)]
pub(super) struct Screen {
    frame: Vec<u8>,
    mouse: bool,
    title: String,
    /// What is to be written with the next frame, besides it: a title, alerts.
    besides: String,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter(tx: &Sender<Event>, mouse: bool) -> io::Result<Self> {
        catch_panics(tx.clone());
        take(mouse)?;
        Ok(Self { frame: Vec::new(), mouse, title: String::new(), besides: String::new() })
    }

    /// Takes the mouse too, or leaves it to the terminal.
    pub(super) fn mouse(&mut self, ours: bool) -> io::Result<()> {
        self.mouse = ours;
        out(if ours { MOUSE } else { NO_MOUSE })
    }

    /// Names the terminal, with the next frame. The text commands nothing.
    pub(super) fn name(&mut self, title: &str) {
        // The Linux console has no title, and older ones show what would be it.
        if title != self.title && std::env::var_os("TERM").is_none_or(|term| term != "linux") {
            title.clone_into(&mut self.title);
            self.besides.push_str("\x1b]2;");
            self.besides.push_str(title);
            self.besides.push('\x07');
        }
    }

    /// Tells who does not look at the terminal of alerts, with the next frame.
    pub(super) fn alert(&mut self, alerts: &[String]) {
        self.besides.push_str(&notify::sequence(alerts));
    }

    /// Writes a frame at once, and a question after it if the terminal is to say when it has shown it; gives the bytes
    /// written. Nothing is written of nothing.
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

    /// Gives the terminal back, stops as the shell's Ctrl-Z would, and returns once continued.
    #[expect(clippy::unused_self, reason = "only who has the screen may give it away")]
    pub(super) fn suspended(&mut self) -> io::Result<()> {
        restore();
        stop()
    }

    /// Takes the terminal again, whatever others did to it.
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

/// Stops as the shell's Ctrl-Z would, and returns once continued.
pub(super) fn stop() -> io::Result<()> {
    signal_hook::low_level::emulate_default_handler(SIGTSTP)
}

/// Whether the terminal is ours, and not lent to another program.
pub(super) fn is_ours() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// The size in columns and lines; 80 by 24 where the terminal does not say.
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
        if gradtop_store::decoding() {
            // It is caught, and becomes an error that names the file.
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
    //! The real guard and the real hook in a real terminal: this test program starts itself in one, and panics there.

    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Read as _;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use rustix::termios::LocalModes;

    use super::*;
    use crate::app::Msg;
    use crate::screens::effect::Answer;

    /// Set for the program in the terminal, to the thread that is to panic.
    const INSIDE: &str = "GRADTOP_TEST_PANIC_IN";

    /// What the program inside does; outside, nothing.
    #[test]
    fn inside_a_terminal() {
        let Ok(thread) = std::env::var(INSIDE) else { return };
        let (tx, rx) = channel();
        let mut screen = Screen::enter(&tx, true).unwrap();
        screen.write(b"drawn", false).unwrap();
        assert_ne!(thread, "drawing", "drawing failed");
        let worker = std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("work failed"));
        worker.unwrap().join().unwrap_err();
        let Ok(Event::Msg(Msg::Answer(Answer::Done(told)))) = rx.recv() else {
            panic!("the panic was not told")
        };
        screen.write(told.text.as_bytes(), false).unwrap();
    }

    /// Starts this test program in a terminal; what it wrote, and whether lines are edited and echoed afterwards.
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
        // The slave is open here still: the terminal is as the program left it.
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
