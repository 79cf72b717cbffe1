//! Sandboxes for tests: the program, plugins, runs and caches in a temporary folder.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gradtop_store::{Event, EventLine, RunDir, State, Status, View};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::LIMIT;
use crate::{paths, until_seen};

/// The output of a command and its exit code.
#[derive(Debug)]
pub struct CommandOutput {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl CommandOutput {
    /// Parses standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {self:#?}"))
    }

    /// Panics unless the exit code is this one.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "often only the check is wanted")]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code: {self:#?}");
        self
    }

    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// The environment variables that commands inherit. Everything else is personal (language, colours, time zone, size of the
/// terminal, settings of gradtop) and must not change any test.
const KEPT: [&str; 6] =
    ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];

/// A temporary folder with everything that gradtop may read or write. Processes in it are ended on drop.
pub struct Sandbox {
    // Dropped last, after the processes in it have ended.
    env: Vec<(String, String)>,
    dir: tempfile::TempDir,
}

impl Sandbox {
    /// Creates a sandbox with these plugins, under their own names.
    pub fn with(plugins: &[PathBuf]) -> Self {
        Self::of(paths::gradtop(), plugins)
    }

    /// Creates a sandbox with another program and the plugin `misbehave`.
    pub fn running(program: &Path) -> Self {
        Self::of(program, &[paths::fixture("misbehave")])
    }

    fn of(program: &Path, plugins: &[PathBuf]) -> Self {
        // On the file system of the build, so that the program and large plugins can be linked instead of copied.
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/e2e");
        fs::create_dir_all(&beside).unwrap();
        let dir = tempfile::Builder::new().prefix("box-").tempdir_in(beside).unwrap();
        let root = dir.path().to_str().unwrap().to_owned();
        for folder in ["bin", "plugins", "runs", "cache", "data", "home"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let env = [
            ("GRADTOP_PLUGINS", "plugins"),
            ("GRADTOP_RUNS", "runs"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "home/config"),
            ("XDG_STATE_HOME", "home/state"),
            ("HOME", "home"),
        ];
        let own = env.into_iter().map(|(k, v)| (k.to_owned(), format!("{root}/{v}")));
        // Commands should not notice the surrounding checkout.
        let plain = [("LANG", "C.UTF-8"), ("TZ", "UTC"), ("GRADTOP_CODE_DIFF", "false")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let kept = KEPT.iter().filter_map(|k| Some(((*k).to_owned(), std::env::var(k).ok()?)));
        let env = kept.chain(plain).chain(own).collect();
        let sandbox = Self { env, dir };
        // The program has its own folder, because plugins next to it would be found, too.
        link(program, &sandbox.program());
        for plugin in plugins {
            link(plugin, &sandbox.plugins().join(plugin.file_name().unwrap()));
        }
        sandbox
    }

    /// Creates a sandbox with the plugin `misbehave`.
    pub fn new() -> Self {
        Self::with(&[paths::fixture("misbehave")])
    }

    /// Sets an environment variable for all commands, and so for the runs they start.
    #[must_use]
    pub fn and_env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The folder of the sandbox.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path of the program.
    pub fn program(&self) -> PathBuf {
        self.path().join("bin/gradtop")
    }

    /// Replaces the link to the program by a copy that may be changed. Returns its path.
    pub fn own_program(&self) -> PathBuf {
        let (program, copy) = (self.program(), self.path().join("bin/copy"));
        fs::copy(&program, &copy).unwrap();
        fs::rename(&copy, &program).unwrap();
        program
    }

    /// The folder that `GRADTOP_PLUGINS` names.
    pub fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// The runs folder.
    pub fn runs(&self) -> PathBuf {
        self.path().join("runs")
    }

    /// The complete environment of commands.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// A command that is not started yet, without standard input.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.around(self.program());
        command.args(args);
        command
    }

    /// Another program, such as a wrapper around ours, in the same environment.
    pub fn around(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs a command to its end.
    pub fn gradtop(&self, args: &[&str]) -> CommandOutput {
        ended(self.command(args), args)
    }

    /// `gradtop run` to its end, with a fixed seed and one thread; `args` begin with the experiment.
    pub fn run(&self, args: &[&str]) -> CommandOutput {
        self.gradtop(&[&["run"], args, &["--seed", "7", "--threads", "1"]].concat())
    }

    /// `gradtop run --detach`. Returns the run.
    pub fn start(&self, args: &[&str], name: &str) -> Run<'_> {
        self.run(&[args, &["--detach", "--name", name]].concat()).expect_code(0);
        self.find(name)
    }

    /// Like [`Sandbox::start`], for an experiment with the parameters `hold` and `gate`: after that step it waits, responding
    /// to requests, until [`Run::go_to`] or [`Run::go_on`]. When it is resumed later, it waits there again.
    pub fn held(&self, args: &[&str], name: &str, step: i64) -> Run<'_> {
        let sets = self.hold(name, step);
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let run = self.start(&[args, &sets].concat(), name);
        run.until_step(step);
        run
    }

    /// The options that hold a run of this name after a step.
    pub fn hold(&self, name: &str, step: i64) -> [String; 2] {
        [format!("hold={step}"), format!("gate={}", self.gate(name).display())]
    }

    fn gate(&self, name: &str) -> PathBuf {
        self.path().join(format!("gate-{name}"))
    }

    /// Releases the held run of this name up to a step or, if empty, to its end. The run need not exist yet.
    pub fn let_go(&self, name: &str, step: &str) {
        // Written atomically, because it is read every few milliseconds.
        let beside = self.path().join(format!("gate-{name}.tmp"));
        fs::write(&beside, step).unwrap();
        fs::rename(beside, self.gate(name)).unwrap();
    }

    /// Finds a run by name.
    pub fn find(&self, name: &str) -> Run<'_> {
        Run { sandbox: self, dir: gradtop_store::find_run(&self.runs(), name).unwrap() }
    }

    /// Returns whether nothing in it is running.
    pub fn is_quiet(&self) -> bool {
        self.processes().is_empty()
    }

    /// Kills every process that has this folder in its command line, and nothing else.
    fn end_all(&self) {
        for pid in self.processes() {
            kill_process(pid, Signal::KILL).ok();
        }
    }

    /// The number of plugins that are being described.
    pub fn describing(&self) -> usize {
        let line =
            |pid: &Pid| fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let is = |pid: &Pid| line(pid).split(|b| *b == 0).any(|arg| arg == b"__describe");
        self.processes().iter().filter(|pid| is(pid)).count()
    }

    /// The number of open monitors and foreground commands: processes of the program without a run of their own.
    pub fn monitors(&self) -> usize {
        let line =
            |pid: &Pid| fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let exe = |pid: &Pid| fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
        let of_a_run = |line: &[u8]| line.split(|b| *b == 0).any(|arg| arg.starts_with(b"__"));
        let is = |pid: &Pid| exe(pid).is_ok_and(|exe| exe == self.program()) && !of_a_run(&line(pid));
        self.processes().iter().filter(|pid| is(pid)).count()
    }

    /// The processes that were started from this folder.
    fn processes(&self) -> Vec<Pid> {
        let root = self.path().as_os_str().as_encoded_bytes();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|s| s.parse().ok()).and_then(Pid::from_raw)
            else {
                continue;
            };
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let exe = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            if line.windows(root.len()).any(|w| w == root) || exe.starts_with(self.path()) {
                found.push(pid);
            }
        }
        found
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Twice, because a keeper may be about to start its trainer.
        self.end_all();
        self.end_all();
    }
}

/// Runs a command to its end, and kills it after a time limit.
pub fn ended(command: Command, what: &[&str]) -> CommandOutput {
    ended_within(LIMIT, command, what)
}

/// Like [`ended`], with a longer time limit, such as for a compiler.
pub fn ended_within(limit: Duration, mut command: Command, what: &[&str]) -> CommandOutput {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap()));
    let start = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status.code().unwrap_or(-1));
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text =
        |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(|e| panic!("{what:?} wrote no UTF-8: {e}"));
    let (out, err) = (text(out.join().unwrap()), text(err.join().unwrap()));
    let Some(code) = code else { panic!("{what:?} did not end within {limit:?}; it wrote {out}{err}") };
    CommandOutput { code, out, err }
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Links a file, or copies it where that is impossible.
fn link(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

/// A run in a sandbox.
pub struct Run<'a> {
    sandbox: &'a Sandbox,
    /// Its folder.
    pub dir: RunDir,
}

impl Run<'_> {
    /// Its name.
    pub fn name(&self) -> String {
        self.dir.name()
    }

    /// The state of the run as any viewer sees it.
    pub fn view(&self) -> View {
        gradtop_store::view(&self.dir).unwrap()
    }

    /// The last written status.
    pub fn status(&self) -> Status {
        gradtop_store::read_status(&self.dir).unwrap()
    }

    /// Waits for a state.
    #[track_caller]
    pub fn until_state(&self, state: State) -> View {
        until_seen(&format!("{} to be {state}", self.name()), || {
            let view = self.view();
            let other_end = view.state.is_final() && state != view.state;
            assert!(!other_end, "{} ended {}: {:?}", self.name(), view.state, view.status.cause);
            if view.state == state { Ok(view) } else { Err(format!("{:?}", view.status)) }
        })
    }

    /// Waits until its status reports that this step is done.
    #[track_caller]
    pub fn until_step(&self, step: i64) {
        until_seen(&format!("{} to reach step {step}", self.name()), || {
            let view = self.view();
            if view.status.step.unwrap_or(-1) >= step { Ok(()) } else { Err(format!("{:?}", view.status)) }
        });
    }

    /// Releases a held run up to a later step, where it waits again.
    #[track_caller]
    pub fn go_to(&self, step: i64) {
        self.let_to(step);
        self.until_step(step);
    }

    /// Like [`Run::go_to`], without waiting.
    pub fn let_to(&self, step: i64) {
        self.sandbox.let_go(&self.name(), &step.to_string());
    }

    /// Releases it to its end.
    pub fn go_on(&self) {
        self.sandbox.let_go(&self.name(), "");
    }

    /// `gradtop wait`, with its exit code.
    pub fn wait(&self) -> CommandOutput {
        self.sandbox.gradtop(&["wait", &self.name()])
    }

    /// The text of its events, one per line.
    pub fn events(&self) -> String {
        fs::read_to_string(self.dir.events()).unwrap_or_default()
    }

    /// Its events of a kind.
    pub fn logged_events(&self, is: impl Fn(&Event) -> bool) -> Vec<EventLine> {
        gradtop_store::read_events(&self.dir).unwrap().into_iter().filter(|line| is(&line.event)).collect()
    }

    /// The messages that the experiment wrote with `log_text`.
    pub fn logged(&self) -> Vec<String> {
        let lines = self.logged_events(|e| matches!(e, Event::Log { .. })).into_iter();
        lines
            .filter_map(|l| if let Event::Log { message, .. } = l.event { Some(message) } else { None })
            .collect()
    }

    /// Sends a signal to the trainer. Returns false if it has ended.
    pub fn signal_trainer(&self, signal: Signal) -> bool {
        self.signal(self.status().trainer_pid, signal)
    }

    /// Sends a signal to the keeper. Returns false if it has ended.
    pub fn signal_keeper(&self, signal: Signal) -> bool {
        self.signal(self.status().keeper_pid, signal)
    }

    fn signal(&self, pid: Option<u32>, signal: Signal) -> bool {
        let Some(pid) = pid else { return false };
        // The id may already belong to another process.
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let dir = self.dir.path().as_os_str().as_encoded_bytes();
        line.windows(dir.len()).any(|w| w == dir)
            && Pid::from_raw(pid as i32).is_some_and(|pid| kill_process(pid, signal).is_ok())
    }
}
