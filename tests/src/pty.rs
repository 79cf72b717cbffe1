//! Runs programs in a real terminal.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::sandbox::Sandbox;

/// The status query that a program sends, and the response.
const QUESTION: &[u8] = b"\x1b[5n";
const ANSWER: &[u8] = b"\x1b[0n";

/// A program in a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    // Two descriptors of the terminal's own end; the reading thread has a third one.
    master: Option<Box<dyn MasterPty + Send>>,
    reader: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    shared: Arc<Mutex<Shared>>,
    /// Rows and columns.
    size: (u16, u16),
}

/// State shared with the reading thread.
struct Shared {
    written: Vec<u8>,
    /// When each part of the output arrived.
    times: Vec<(Instant, usize)>,
    /// The keyboard; `None` once the terminal is closed.
    input: Option<Box<dyn std::io::Write + Send>>,
    /// Whether queries are answered.
    answers: bool,
    /// The number of unanswered queries.
    open: usize,
}

impl Shared {
    fn take(&mut self, bytes: &[u8]) {
        let seen = self.written.len();
        self.written.extend_from_slice(bytes);
        self.times.push((Instant::now(), self.written.len()));
        // A query may arrive in two pieces.
        let new = &self.written[seen.saturating_sub(QUESTION.len() - 1)..];
        self.open += new.windows(QUESTION.len()).filter(|w| *w == QUESTION).count();
        self.answer();
    }

    fn answer(&mut self) {
        while self.answers && self.open > 0 {
            self.open -= 1;
            if let Some(input) = &mut self.input {
                // The program may have ended.
                input.write_all(ANSWER).and_then(|()| input.flush()).ok();
            }
        }
    }

    fn press(&mut self, keys: &[u8]) {
        let input = self.input.as_mut().expect("the terminal is open");
        input.write_all(keys).and_then(|()| input.flush()).unwrap();
    }
}

impl Terminal {
    /// Starts gradtop in its own controlling terminal of 100 columns and 30 rows, which does not answer queries.
    pub fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::sized(sandbox, args, (30, 100))
    }

    /// Like [`Terminal::start`], with a given number of rows and columns.
    pub fn sized(sandbox: &Sandbox, args: &[&str], size: (u16, u16)) -> Self {
        let mut command = CommandBuilder::new(sandbox.program());
        command.args(args);
        command.cwd(sandbox.path());
        command.env_clear();
        for (key, value) in sandbox.env() {
            command.env(key, value);
        }
        command.env("TERM", "xterm-256color");
        Self::of(command, size, false)
    }

    /// Starts any program in a terminal with this number of rows and columns.
    pub fn of(command: CommandBuilder, size: (u16, u16), answers: bool) -> Self {
        let pty = PtySize { rows: size.0, cols: size.1, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(pty).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let closing = Arc::new(AtomicBool::new(false));
        let mut from = pair.master.try_clone_reader().unwrap();
        let input = Some(pair.master.take_writer().unwrap());
        let shared = Shared { written: Vec::new(), times: Vec::new(), input, answers, open: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let (into, closed) = (Arc::clone(&shared), Arc::clone(&closing));
        let reader = std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut block) {
                if closed.load(Ordering::SeqCst) {
                    break;
                }
                into.lock().unwrap().take(&block[..n]);
            }
        });
        Self { child, master: Some(pair.master), reader: Some(reader), closing, shared, size }
    }

    /// Sets whether queries are answered, including pending ones.
    pub fn answers(&self, answers: bool) {
        let mut shared = self.shared.lock().unwrap();
        shared.answers = answers;
        shared.answer();
    }

    /// The number of unanswered queries.
    pub fn asked(&self) -> usize {
        self.shared.lock().unwrap().open
    }

    /// When the first and the last output after so many bytes arrived.
    pub fn times(&self, after: usize) -> Option<(Instant, Instant)> {
        let shared = self.shared.lock().unwrap();
        let first = shared.times.iter().find(|(_, bytes)| *bytes > after)?;
        Some((first.0, shared.times.last()?.0))
    }

    /// All output so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().unwrap().written).into_owned()
    }

    /// The visible text, line by line.
    pub fn screen(&self) -> String {
        self.screen_at(self.count())
    }

    /// The text that was visible after so many bytes.
    pub fn screen_at(&self, bytes: usize) -> String {
        let mut parser = vt100::Parser::new(self.size.0, self.size.1, 1000);
        parser.process(&self.shared.lock().unwrap().written[..bytes]);
        parser.screen().contents()
    }

    /// Waits until the screen shows all of these. Returns the screen.
    #[track_caller]
    pub fn shows(&self, words: &[&str]) -> String {
        crate::until_seen(&format!("{words:?} on the screen"), || {
            let screen = self.screen();
            if words.iter().all(|w| screen.contains(w)) { Ok(screen) } else { Err(screen) }
        })
    }

    /// Resizes the terminal. Earlier output is interpreted as if it always had this size.
    pub fn resize(&mut self, lines: u16, columns: u16) {
        let master = self.master.as_ref().expect("the terminal is open");
        let size = PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 };
        master.resize(size).unwrap();
        self.size = (lines, columns);
    }

    /// The number of bytes written so far.
    pub fn count(&self) -> usize {
        self.shared.lock().unwrap().written.len()
    }

    /// Presses keys, such as `\x03` for Ctrl-C.
    pub fn press(&mut self, keys: &[u8]) {
        self.shared.lock().unwrap().press(keys);
    }

    /// Closes the terminal, as a lost connection does. It closes with its last descriptor, so the reading thread must end
    /// first: an echo wakes it if the program writes nothing.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        crate::until("the terminal's last output", || {
            self.press(b" ");
            self.reader.as_ref().is_none_or(JoinHandle::is_finished).then_some(())
        });
        self.master = None;
        self.shared.lock().unwrap().input = None;
    }

    /// Waits for the program to end. Returns its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let child = &mut self.child;
        let code = crate::until("the program in the terminal to end", || {
            child.try_wait().unwrap().map(|status| status.exit_code())
        });
        // The last output may still be on its way.
        if let Some(reader) = self.reader.take() {
            crate::until("the end of the terminal's output", || reader.is_finished().then_some(()));
        }
        code
    }

    /// The process id of the program.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it was started")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            drop(self.child.kill());
        }
    }
}
