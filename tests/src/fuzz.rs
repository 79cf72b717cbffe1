//! Damages run folders at random. Reading them must never hang, crash, take many resources, or change what is shown of intact
//! runs next to them.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt as _, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gradtop_store::State;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde_json::Value;

use crate::{Sandbox, in_parallel, until};

/// The number of damaged runs read together.
const TOGETHER: usize = 20;
/// The number of intact runs next to them.
const WHOLE: usize = 5;
/// The memory limit of a command in MB. The address space is limited, too.
const MEMORY_MB: i64 = 500;
const CPU: Duration = Duration::from_secs(2);
/// The limit of its address space, in bytes.
const ADDRESSES: u64 = 8 << 30;
/// A command that takes longer hangs.
const HANGS: Duration = Duration::from_mins(1);
/// Stops after so many failures.
const ENOUGH: usize = 50;

/// Random numbers, reproducible by seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A random range within `len`, not empty if possible.
    fn stretch(&mut self, len: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(len), self.below(len));
        a.min(b)..(a.max(b) + 1).min(len)
    }
}

/// A way to damage a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    BitFlip,
    Cut,
    ZeroPage,
    ChunkTwice,
    ChunkGone,
    ChunksSwapped,
    Number,
    Pipe,
    Folder,
    LinkToFile,
    LinkToFolder,
    Device,
    Sparse,
    Gone,
}

const IN_PLACE: [Damage; 7] = [
    Damage::BitFlip,
    Damage::Cut,
    Damage::ZeroPage,
    Damage::ChunkTwice,
    Damage::ChunkGone,
    Damage::ChunksSwapped,
    Damage::Number,
];
const REPLACED: [Damage; 7] = [
    Damage::Pipe,
    Damage::Folder,
    Damage::LinkToFile,
    Damage::LinkToFolder,
    Damage::Device,
    Damage::Sparse,
    Damage::Gone,
];
/// Unexpected values for sizes and offsets.
const NUMBERS: [&str; 10] = [
    "-1",
    "0",
    "4294967295",
    "2147483647",
    "18446744073709551615",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "99999999999999999999999",
    "NaN",
];

/// Damages one file or folder of a run. Returns what was done.
fn damage(run: &Path, random: &mut Random) -> String {
    let mut places = Vec::new();
    below(run, &mut places);
    let path = places[random.below(places.len())].clone();
    // Contents are damaged more often than the kind of file.
    let damage =
        if path.is_dir() || random.below(4) == 0 { random.of(&REPLACED) } else { random.of(&IN_PLACE) };
    let what = format!("{damage:?} of {}", path.strip_prefix(run).unwrap().display());
    let bytes = if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
    if REPLACED.iter().any(|d| *d as u8 == damage as u8) {
        if path.is_dir() { fs::remove_dir_all(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
    }
    match damage {
        Damage::Pipe => mknod(&path, rustix::fs::FileType::Fifo, 0),
        Damage::Folder => fs::create_dir(&path).unwrap(),
        Damage::LinkToFile => symlink("/etc/passwd", &path).unwrap(),
        Damage::LinkToFolder => symlink("/etc", &path).unwrap(),
        // A device that never ends. Where only root may create one, a link to it.
        Damage::Device if rustix::process::geteuid().is_root() => {
            mknod(&path, rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 5));
        }
        Damage::Device => symlink("/dev/zero", &path).unwrap(),
        Damage::Sparse => {
            let file = File::create(&path).unwrap();
            file.set_len(5 << 30).unwrap();
            if random.below(2) == 0 {
                file.write_all_at(&bytes, 0).unwrap();
            }
        }
        Damage::Gone => {}
        _ => fs::write(&path, in_place(damage, bytes, random)).unwrap(),
    }
    what
}

fn mknod(path: &Path, kind: rustix::fs::FileType, device: u64) {
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, rustix::fs::Mode::from_raw_mode(0o600), device).unwrap();
}

fn in_place(damage: Damage, mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    if bytes.is_empty() {
        return vec![random.next() as u8; random.below(5000)];
    }
    let len = bytes.len();
    match damage {
        Damage::BitFlip => {
            for _ in 0..=random.below(3) {
                bytes[random.below(len)] ^= 1 << random.below(8);
            }
        }
        Damage::Cut => bytes.truncate(random.below(len)),
        Damage::ZeroPage => {
            let page = random.below(len) & !4095;
            bytes[page..(page + 4096).min(len)].fill(0);
        }
        Damage::ChunkTwice => {
            let (chunk, at) = (bytes[random.stretch(len)].to_vec(), random.below(len));
            bytes.splice(at..at, chunk);
        }
        Damage::ChunkGone => drop(bytes.drain(random.stretch(len))),
        Damage::ChunksSwapped => {
            let at = random.below(len);
            bytes.rotate_left(at);
            let from = random.below(len);
            bytes[from..].rotate_left(random.below(len - from));
        }
        // Digits in text; four or eight bytes elsewhere.
        _ => {
            if let Some(digits) = digits(&bytes, random) {
                bytes.splice(digits, random.of(&NUMBERS).bytes());
            } else {
                let value = random.of(&[u64::MAX, 0x7fff_ffff_7fff_ffff, 1 << 40, 0x8000_0000_8000_0000, 0]);
                let (at, n) = (random.below(len), random.of(&[4, 8]));
                let end = (at + n).min(len);
                bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            }
        }
    }
    bytes
}

fn digits(bytes: &[u8], random: &mut Random) -> Option<std::ops::Range<usize>> {
    std::str::from_utf8(bytes).ok()?;
    let from = random.below(bytes.len());
    let start = from + bytes[from..].iter().position(u8::is_ascii_digit)?;
    let end = bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |n| start + n);
    Some(start..end)
}

/// All files and folders below a folder, in a fixed order, except the plugin, which reading never opens.
fn below(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.ends_with("plugin.so") {
            continue;
        }
        found.push(path.clone());
        if path.is_dir() {
            below(&path, found);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else if path.ends_with("plugin.so") {
            fs::write(to, "a plugin").unwrap();
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

/// An ended run and a killed one, of another experiment than the intact ones.
fn originals(sandbox: &Sandbox) -> Vec<PathBuf> {
    let steps = ["counter", "--set", "steps=1500", "--set", "rate=0", "--checkpoint-every", "1"];
    sandbox.run(&[&steps[..], &["--name", "ended"]].concat()).expect_code(0);
    let dead = sandbox.start(
        &["counter", "--set", "steps=10000000", "--set", "rate=2000", "--checkpoint-every", "1"],
        "dead",
    );
    dead.until_step(3000);
    dead.signal_keeper(Signal::KILL);
    dead.signal_trainer(Signal::KILL);
    until("its lock to be free", || (dead.view().state == State::Crashed).then_some(()));
    let figure = "[[figure]]\nid = \"loss\"\ntitle = \"Loss\"\n[[figure.panel]]\n[[figure.panel.mark]]\ntype = \"line\"\n\
                  metric = \"loss\"\n[[figure.panel.mark]]\ntype = \"scatter\"\ntable = \"samples\"\nxcol = \"at\"\nycol = \"loss\"\n\
                  [[figure.panel]]\n[[figure.panel.mark]]\ntype = \"histogram\"\ntable = \"samples\"\ncolumn = \"loss\"\nbins = 30\n";
    let runs = [sandbox.find("ended").dir, dead.dir.clone()];
    for run in &runs {
        gradtop_store::figures::declare(run, figure).unwrap();
        fs::write(run.console(), "a line\nanother one\n").unwrap();
    }
    runs.iter().map(|run| run.path().to_owned()).collect()
}

/// The output of a command, its exit status and its resource usage.
struct CommandOutput {
    status: Option<ExitStatus>,
    out: String,
    err: String,
    memory_mb: i64,
    cpu: Duration,
}

#[expect(clippy::zombie_processes, reason = "wait4 waits, and says what the child used")]
fn said(sandbox: &Sandbox, runs: &Path, args: &[&str]) -> CommandOutput {
    let mut command: Command = sandbox.command(args);
    command.env("GRADTOP_RUNS", runs).env("TZ", "UTC").env("LANG", "C.UTF-8").current_dir(runs);
    // A command that asks for far too much memory must fail before the machine does.
    let least = || {
        let limit = Rlimit { current: Some(ADDRESSES), maximum: Some(ADDRESSES) };
        Ok(setrlimit(Resource::As, limit)?)
    };
    // SAFETY: one system call, which allocates nothing.
    #[allow(unsafe_code, reason = "a limit for the child alone")]
    unsafe {
        command.pre_exec(least)
    };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let reader = |mut stream: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = reader(Box::new(child.stdout.take().unwrap()));
    let err = reader(Box::new(child.stderr.take().unwrap()));
    let start = Instant::now();
    let (mut status, mut usage) = (0, None);
    while usage.is_none() && start.elapsed() < HANGS {
        usage = wait(child.id(), &mut status);
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = usage.is_some();
    if !ended {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (memory_mb, cpu) = usage.unwrap_or_default();
    let status = ended.then(|| ExitStatus::from_raw(status));
    CommandOutput { status, out: out.join().unwrap(), err: err.join().unwrap(), memory_mb, cpu }
}

/// The memory in MB and processor time of a child, if it has ended.
fn wait(pid: u32, status: &mut i32) -> Option<(i64, Duration)> {
    // SAFETY: zeros are a usage of nothing.
    #[allow(unsafe_code, reason = "no crate here tells what a child used")]
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a child of this process, and places for the answers.
    #[allow(unsafe_code, reason = "as above")]
    let ended = unsafe { libc::wait4(pid as i32, status, libc::WNOHANG, &raw mut usage) };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    (ended == pid as i32).then(|| (usage.ru_maxrss / 1024, time(usage.ru_utime) + time(usage.ru_stime)))
}

impl CommandOutput {
    /// Describes what is wrong with the command, if anything.
    fn wrong(&self) -> Option<String> {
        let Some(status) = self.status else { return Some("it hangs".to_owned()) };
        let fine = status.code().is_some_and(|code| (0..=5).contains(&code));
        let panicked = self.err.contains("panicked at");
        if !fine || panicked {
            let err: String = self.err.chars().take(600).collect();
            return Some(format!("{status}: {err}"));
        }
        if self.memory_mb > MEMORY_MB {
            return Some(format!("it took {} MB", self.memory_mb));
        }
        (self.cpu > CPU).then(|| format!("it took {:.1} s of processor time", self.cpu.as_secs_f64()))
    }
}

/// What is shown of the intact runs, which must not depend on their neighbours.
#[derive(PartialEq)]
struct Shown(Vec<(String, String)>);

fn whole_name(n: usize) -> String {
    format!("whole-{n}")
}

fn shown(
    sandbox: &Sandbox,
    runs: &Path,
    one: usize,
    wrong: &mut dyn FnMut(&[&str], &CommandOutput),
) -> Shown {
    let names: Vec<String> = (0..WHOLE).map(whole_name).collect();
    let one = names[one].as_str();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut parts = Vec::new();
    let mut say = |args: &[&str]| {
        let said = said(sandbox, runs, args);
        wrong(args, &said);
        (args.join(" "), said)
    };
    let (what, list) = say(&["list"]);
    // From the heading of their experiment to the next one.
    let section = list.out.split("\n\n").find(|s| s.starts_with("whole\n")).unwrap_or_default().trim_end();
    parts.push((what, section.to_owned()));
    let (what, json) = say(&["list", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&json.out).unwrap_or_default();
    let own = |v: &&Value| v["run"].as_str().is_some_and(|run| run.starts_with("whole-"));
    let own: Vec<String> = listed.iter().filter(own).map(Value::to_string).collect();
    parts.push((what, own.join("\n")));
    for args in [&["show", one][..], &["plot", one], &["logs", one]] {
        let (what, said) = say(args);
        parts.push((what, said.out));
    }
    for how in ["", "--json"] {
        let mut args = vec!["compare"];
        args.extend(&all);
        args.extend((!how.is_empty()).then_some(how));
        let (what, said) = say(&args);
        parts.push((what, said.out));
    }
    say(&["--once"]);
    let folder = runs.to_str().unwrap();
    Shown(parts.into_iter().map(|(what, text)| (what, text.replace(folder, "RUNS"))).collect())
}

/// Damages `mutations` runs, `at_once` in parallel, starting from a seed. Returns failures, each with its seed.
pub fn fuzz(mutations: usize, seed: u64, at_once: usize) -> Vec<String> {
    let sandbox = Sandbox::new();
    let originals = originals(&sandbox);
    // The intact runs have their own experiment, so that a table contains nothing else, and a fixed age.
    let whole = sandbox.path().join("whole");
    for n in 0..WHOLE {
        let run = whole.join("exp=whole").join(format!("run={}", whole_name(n)));
        copy(&originals[0], &run);
        let manifest = fs::read_to_string(run.join("run.toml")).unwrap();
        let created = manifest.lines().find(|line| line.starts_with("created")).unwrap();
        let manifest = manifest.replace(created, "created = \"2020-01-02T03:04:05Z\"");
        fs::write(run.join("run.toml"), manifest.replace("id = \"counter\"", "id = \"whole\"")).unwrap();
    }
    let failures = Mutex::new(Vec::new());
    let fail = |text: String| failures.lock().unwrap().push(text);
    let before: Vec<Shown> = (0..WHOLE)
        .map(|one| {
            shown(&sandbox, &whole, one, &mut |args, said| {
                if let Some(why) = said.wrong() {
                    fail(format!("{args:?} of whole runs alone: {why}"));
                }
            })
        })
        .collect();
    let batches: Vec<usize> = (0..mutations.div_ceil(TOGETHER)).collect();
    in_parallel(at_once, batches, |batch| {
        if failures.lock().unwrap().len() >= ENOUGH {
            return;
        }
        let seed = seed.wrapping_add(batch as u64);
        let random = &mut Random(seed);
        let runs = sandbox.path().join(format!("batch-{batch}"));
        copy(&whole, &runs);
        let mut damaged: Vec<(String, String)> = Vec::new();
        for n in 0..TOGETHER {
            let name = format!("damaged-{n}");
            let run = runs.join("exp=counter").join(format!("run={name}"));
            let original = &originals[random.below(originals.len())];
            copy(original, &run);
            let what = format!("{} of {}", damage(&run, random), original.file_name().unwrap().display());
            damaged.push((name, what));
        }
        let all = || {
            let lines: Vec<String> =
                damaged.iter().map(|(name, what)| format!("\n    {name}: {what}")).collect();
            lines.concat()
        };
        let now = shown(&sandbox, &runs, batch % WHOLE, &mut |args, said| {
            if let Some(why) = said.wrong() {
                fail(format!("seed {seed}, {args:?}: {why}{}", all()));
            }
        });
        for ((what, now), (_, before)) in now.0.iter().zip(&before[batch % WHOLE].0) {
            if now != before {
                fail(format!("seed {seed}, {what} of whole runs differs:\n{before}\n---\n{now}{}", all()));
            }
        }
        for (name, what) in &damaged {
            let whole = whole_name(0);
            for args in [
                &["show", name][..],
                &["show", name, "--json"],
                &["plot", name],
                &["logs", name],
                &["compare", &whole, name],
                &["rm", "--yes", "--force", name],
            ] {
                if let Some(why) = said(&sandbox, &runs, args).wrong() {
                    fail(format!("seed {seed}, {args:?} ({what}): {why}"));
                }
            }
        }
        fs::remove_dir_all(&runs).unwrap();
    });
    failures.into_inner().unwrap()
}
