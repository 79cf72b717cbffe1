//! A run with twelve live charts, watched over a real ssh and a slow, distant line.

use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::pty::Terminal;
use crate::ssh::{Line, Server, in_terminal, quoted};
use crate::synthetic::LiveRun;
use crate::{Sandbox, until};

/// The one-way delay of a train, a phone, or another continent.
pub const DELAY: Duration = Duration::from_millis(100);
/// The bandwidth of such a line.
pub const BYTES_PER_S: u64 = 8_000;
/// A pause after which no more output is expected.
pub const QUIET: Duration = Duration::from_millis(700);
/// Twelve charts per page, and no welcome message.
const VIEW: &str = "welcomed = true\n[run.experiment.synthetic]\ncolumns = 4\nrows = 3\n";

/// The run `watched`, which continues until this is dropped, and an sshd on its machine.
pub struct Watched {
    /// The sandbox of the run.
    pub sandbox: Sandbox,
    /// The server to connect to.
    pub server: Server,
    stop: Arc<AtomicBool>,
    trainer: Option<JoinHandle<()>>,
}

impl Watched {
    /// Starts both. Returns `None` if sshd is not installed.
    pub fn start() -> Option<Self> {
        let sandbox = Sandbox::new();
        let server = Server::start(&sandbox.path().join("sshd"))?;
        let state = sandbox.path().join("home/state/gradtop");
        fs::create_dir_all(&state).unwrap();
        fs::write(state.join("view.toml"), VIEW).unwrap();
        let mut run = LiveRun::start(&sandbox.runs(), "watched", 1_000_000).unwrap();
        let log = (0..5_000)
            .map(|n| format!("step {n}: loss {:.6}, of a line as long as most\n", 1.0 / f64::from(n + 1)));
        fs::write(run.dir().console(), log.collect::<String>()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let trainer = std::thread::spawn(move || {
            for step in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    run.finish().unwrap();
                    return;
                }
                run.step(step);
                if step % 85 == 0 {
                    run.report().unwrap();
                }
                std::thread::sleep(Duration::from_micros(1_000_000 / 85));
            }
        });
        Some(Self { sandbox, server, stop, trainer: Some(trainer) })
    }

    /// A line to its machine.
    pub fn line(&self) -> Line {
        self.server.line(DELAY, BYTES_PER_S)
    }

    /// A command for the remote shell.
    pub fn there(&self, args: &[&str]) -> String {
        let own = self.sandbox.env().iter().map(|(k, v)| quoted(&format!("{k}={v}")));
        let mut words: Vec<String> = ["exec", "env", "-i", "TERM=xterm-256color"].map(str::to_owned).into();
        words.extend(own);
        words.push(quoted(self.sandbox.program().to_str().unwrap()));
        words.extend(args.iter().map(|arg| quoted(arg)));
        words.join(" ")
    }

    /// The monitor in a terminal of 120x36.
    pub fn monitor(&self, line: &Line, options: &[&str]) -> Terminal {
        let options = [&["-tt"], options].concat();
        let words = self.server.ssh(line, &options, &self.there(&[]));
        Terminal::of(in_terminal(&words), (36, 120), true)
    }

    /// The monitor with the run's charts on the screen.
    pub fn charts(&self, line: &Line, options: &[&str]) -> Terminal {
        let mut terminal = self.monitor(line, options);
        terminal.shows(&["watched"]);
        quiet(&terminal);
        terminal.press(b"\r");
        terminal.shows(&["metric-00", "metric-11"]);
        quiet(&terminal);
        terminal
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.trainer.take().map(JoinHandle::join);
    }
}

/// The bytes that begin and end a frame.
pub const FRAME: (&str, &str) = ("\x1b[?2026h", "\x1b[?2026l");

/// Waits for a word that was not visible after so many bytes. Returns the byte range of the frame that first shows it.
pub fn answer(terminal: &Terminal, after: usize, word: &str) -> Range<usize> {
    terminal.shows(&[word]);
    // A word is visible before the last byte of its frame has arrived.
    until("the end of the frame", || {
        let written = terminal.written();
        let mut ends = written[after..].match_indices(FRAME.1).map(|(at, end)| after + at + end.len());
        let end = ends.find(|end| terminal.screen_at(*end).contains(word))?;
        Some(written[..end].rfind(FRAME.0)?..end)
    })
}

/// Waits for a pause in the output, as between two updates of the charts. Returns the number of bytes so far.
pub fn quiet(terminal: &Terminal) -> usize {
    std::thread::sleep(QUIET);
    terminal.count()
}
