//! The program in a real terminal.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::sandbox::Sandbox;

/// A program in a terminal of 100 columns and 30 lines.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    // The terminal's own end: two descriptors, and a third one in the reading thread.
    master: Option<(Box<dyn MasterPty + Send>, Box<dyn std::io::Write + Send>)>,
    reader: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<u8>>>,
    /// Lines and columns.
    size: (u16, u16),
}

impl Terminal {
    /// Starts gradtop in a terminal of its own, its controlling one.
    pub fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(sandbox.program());
        command.args(args);
        command.cwd(sandbox.path());
        command.env_clear();
        for (key, value) in sandbox.env() {
            command.env(key, value);
        }
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let written = Arc::new(Mutex::new(Vec::new()));
        let closing = Arc::new(AtomicBool::new(false));
        let mut from = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (into, closed) = (Arc::clone(&written), Arc::clone(&closing));
        let reader = std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut block) {
                into.lock().unwrap().extend_from_slice(&block[..n]);
                if closed.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        Self {
            child,
            master: Some((pair.master, writer)),
            reader: Some(reader),
            closing,
            written,
            size: (30, 100),
        }
    }

    /// Everything written so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// What a person would see, line by line.
    pub fn screen(&self) -> String {
        let mut parser = vt100::Parser::new(self.size.0, self.size.1, 1000);
        parser.process(&self.written.lock().unwrap());
        parser.screen().contents()
    }

    /// Waits until the screen shows all of these; the screen.
    #[track_caller]
    pub fn shows(&self, words: &[&str]) -> String {
        crate::until_seen(&format!("{words:?} on the screen"), || {
            let screen = self.screen();
            if words.iter().all(|w| screen.contains(w)) { Ok(screen) } else { Err(screen) }
        })
    }

    /// Gives the terminal another size, as a window does. What was written before is seen as if it had always been so.
    pub fn resize(&mut self, lines: u16, columns: u16) {
        let (master, _) = self.master.as_ref().expect("the terminal is open");
        let size = PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 };
        master.resize(size).unwrap();
        self.size = (lines, columns);
    }

    /// Bytes written so far.
    pub fn count(&self) -> usize {
        self.written.lock().unwrap().len()
    }

    /// Presses keys, such as `\x03` for Ctrl-C.
    pub fn press(&mut self, keys: &[u8]) {
        let (_, writer) = self.master.as_mut().expect("the terminal is open");
        writer.write_all(keys).unwrap();
        writer.flush().unwrap();
    }

    /// Closes the terminal under the program, as a lost connection does. It closes when its last descriptor does, so the
    /// reading thread is brought to its end first: by an echo, if the program itself writes nothing.
    pub fn close(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        crate::until("the terminal's last output", || {
            self.press(b" ");
            self.reader.as_ref().is_none_or(JoinHandle::is_finished).then_some(())
        });
        self.master = None;
    }

    /// Waits for the program's end; its exit code.
    pub fn exit_code(&mut self) -> u32 {
        let child = &mut self.child;
        let code = crate::until("the program in the terminal to end", || {
            child.try_wait().unwrap().map(|status| status.exit_code())
        });
        // What it wrote last may still be on its way.
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
