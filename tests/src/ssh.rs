//! A real sshd and ssh on this machine, with a line between them that can be slow, distant and interrupted.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;

use crate::until;

/// The usual paths of sshd.
const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"];
/// The size of the pieces that travel along the line, in bytes.
const PIECE: usize = 256;

/// An sshd with its own keys, configuration and port. It ends on drop; its sessions end with their lines.
pub struct Server {
    sshd: Child,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Starts sshd with its files in this folder. Returns `None` if ssh is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        let sshd = SSHD.iter().find(|path| Path::new(path).exists())?;
        fs::create_dir_all(folder).unwrap();
        // As root it requires this folder.
        fs::create_dir_all("/run/sshd").ok();
        for key in ["host", "key"] {
            let path = folder.join(key);
            let mut keygen = Command::new("ssh-keygen");
            let made = keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().ok()?;
            assert!(made.success(), "ssh-keygen");
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/key.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\nPrintMotd no\nMaxStartups 100\n"
        );
        fs::write(folder.join("config"), config).unwrap();
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-f").arg(folder.join("config")).arg("-E").arg(folder.join("log"));
        let sshd = command.stdin(Stdio::null()).spawn().unwrap();
        until("sshd to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(Self { sshd, folder: folder.to_owned(), port })
    }

    /// Creates a line to it.
    pub fn line(&self, delay: Duration, bytes_per_s: u64) -> Line {
        Line::new(self.port, delay, bytes_per_s)
    }

    /// The ssh command over a line, with options such as `-tt` and a remote command.
    pub fn ssh(&self, line: &Line, options: &[&str], command: &str) -> Vec<String> {
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let key = self.folder.join("key");
        let own = [
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "IdentitiesOnly=yes",
        ];
        let mut words: Vec<String> = ["ssh"].iter().chain(&own).map(|s| (*s).to_owned()).collect();
        words.extend(["-i".to_owned(), key.display().to_string(), "-p".to_owned(), line.port.to_string()]);
        words.extend(options.iter().map(|s| (*s).to_owned()));
        words.extend([format!("{}@127.0.0.1", user.trim()), command.to_owned()]);
        words
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.sshd.kill().and_then(|()| self.sshd.wait()).ok();
    }
}

/// A command line to be run in a local terminal.
pub fn in_terminal(words: &[String]) -> CommandBuilder {
    let mut command = CommandBuilder::new(&words[0]);
    command.args(&words[1..]);
    command.env_clear();
    command.env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("TERM", "xterm-256color");
    command
}

/// Quotes a word for a shell.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A line with a limited bandwidth and a delay in each direction, which can be down for a while or cut for good. What is sent
/// while it is down waits, as in network buffers.
pub struct Line {
    port: u16,
    state: Arc<State>,
}

struct State {
    delay: Duration,
    bytes_per_s: u64,
    down: AtomicBool,
    closed: AtomicBool,
    /// The number of bytes delivered towards us.
    carried: AtomicU64,
    ends: Mutex<Vec<TcpStream>>,
}

impl State {
    fn wait_while_down(&self) {
        while self.down.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn sever(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            end.shutdown(Shutdown::Both).ok();
        }
    }
}

impl Line {
    fn new(to: u16, delay: Duration, bytes_per_s: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            delay,
            bytes_per_s,
            down: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            carried: AtomicU64::new(0),
            ends: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { break };
                for end in [&near, &far] {
                    end.set_nodelay(true).unwrap();
                    shared.ends.lock().unwrap().push(end.try_clone().unwrap());
                }
                if shared.closed.load(Ordering::SeqCst) {
                    shared.sever();
                    break;
                }
                carry(near.try_clone().unwrap(), far.try_clone().unwrap(), &shared, false);
                carry(far, near, &shared, true);
            }
        });
        Self { port, state }
    }

    /// Interrupts the line, or restores it.
    pub fn down(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
    }

    /// Cuts the line for good, also for new connections.
    pub fn cut(&self) {
        self.state.closed.store(true, Ordering::SeqCst);
        self.state.sever();
        // Wakes the listener.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }

    /// The number of bytes delivered towards us.
    pub fn carried(&self) -> u64 {
        self.state.carried.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.down(false);
        self.cut();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &Arc<State>, counted: bool) {
    let (enter, leave) = channel::<(Instant, Vec<u8>)>();
    let shared = Arc::clone(state);
    std::thread::spawn(move || {
        let mut piece = [0; PIECE];
        loop {
            shared.wait_while_down();
            let Ok(n @ 1..) = from.read(&mut piece) else { break };
            if shared.bytes_per_s > 0 {
                std::thread::sleep(Duration::from_secs_f64(n as f64 / shared.bytes_per_s as f64));
            }
            if enter.send((Instant::now() + shared.delay, piece[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    let shared = Arc::clone(state);
    std::thread::spawn(move || {
        for (due, piece) in leave {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            shared.wait_while_down();
            if to.write_all(&piece).is_err() {
                break;
            }
            if counted {
                shared.carried.fetch_add(piece.len() as u64, Ordering::SeqCst);
            }
        }
        to.shutdown(Shutdown::Both).ok();
    });
}
