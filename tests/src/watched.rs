//! A run with twelve live charts, watched over a real ssh and a line that is slow and far.

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

/// Of a train, a phone, another continent: one way.
pub const DELAY: Duration = Duration::from_millis(100);
/// What such a line carries.
pub const BYTES_PER_S: u64 = 8_000;
/// Nothing more has come for so long: what was to come is there.
pub const QUIET: Duration = Duration::from_millis(700);
/// The chart page of twelve; the hint for newcomers was read.
const VIEW: &str = "welcomed = true\n[run.experiment.synthetic]\ncolumns = 4\nrows = 3\n";

/// The run `watched`, which goes on until this is dropped, and an sshd on its machine.
pub struct Watched {
    /// Where it runs.
    pub sandbox: Sandbox,
    /// What takes lines to it.
    pub server: Server,
    stop: Arc<AtomicBool>,
    trainer: Option<JoinHandle<()>>,
}

impl Watched {
    /// Starts it; none where sshd is not installed.
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

    /// What the shell over there is given to do.
    pub fn there(&self, args: &[&str]) -> String {
        let own = self.sandbox.env().iter().map(|(k, v)| quoted(&format!("{k}={v}")));
        let mut words: Vec<String> = ["exec", "env", "-i", "TERM=xterm-256color"].map(str::to_owned).into();
        words.extend(own);
        words.push(quoted(self.sandbox.program().to_str().unwrap()));
        words.extend(args.iter().map(|arg| quoted(arg)));
        words.join(" ")
    }

    /// The monitor, in a terminal of 120x36.
    pub fn monitor(&self, line: &Line, options: &[&str]) -> Terminal {
        let options = [&["-tt"], options].concat();
        let words = self.server.ssh(line, &options, &self.there(&[]));
        Terminal::of(in_terminal(&words), (36, 120), true)
    }

    /// The monitor on the run's page, once its charts are there.
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

/// What a frame begins and ends with.
pub const FRAME: (&str, &str) = ("\x1b[?2026h", "\x1b[?2026l");

/// Waits for a word that was not there after so many bytes; where among the bytes the frame is that first shows it.
pub fn answer(terminal: &Terminal, after: usize, word: &str) -> Range<usize> {
    terminal.shows(&[word]);
    // A word is seen before the last byte of its frame has come.
    until("the end of the frame", || {
        let written = terminal.written();
        let mut ends = written[after..].match_indices(FRAME.1).map(|(at, end)| after + at + end.len());
        let end = ends.find(|end| terminal.screen_at(*end).contains(word))?;
        Some(written[..end].rfind(FRAME.0)?..end)
    })
}

/// Waits until nothing but the run's own comes: charts move at most so often that a pause tells. Bytes so far.
pub fn quiet(terminal: &Terminal) -> usize {
    std::thread::sleep(QUIET);
    terminal.count()
}
