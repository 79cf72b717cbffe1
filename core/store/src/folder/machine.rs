//! Which machine, boot and set of process ids this is, and what has become of a process.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::folder::run_dir::RunDir;

/// Where processes run, as far as the system says: what is not known is `None`, and equal to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The machine's name, for people only: containers and leases change it.
    pub(crate) host: String,
    /// The boot of its kernel.
    pub(crate) boot: Option<String>,
    /// The installation, by [`machine_id`].
    pub(crate) machine: Option<String>,
    /// The namespace of process ids, by [`namespace`].
    pub(crate) pids: Option<String>,
    /// The namespace of clocks, by [`namespace`]: what it sets off shows in the start times of processes.
    #[serde(skip)]
    pub(crate) clocks: Option<String>,
}

impl Place {
    /// Where this process runs.
    pub(crate) fn here() -> Self {
        Self {
            host: host_name(),
            boot: Some(boot_id()).filter(|id| !id.is_empty()),
            machine: machine_id(),
            pids: namespace("pid"),
            clocks: namespace("time"),
        }
    }

    /// Whether both are of one running kernel, so that its locks tell the truth.
    pub(crate) fn same_boot(&self, other: &Self) -> bool {
        self.boot.is_some() && self.boot == other.boot
    }

    /// Whether both are of one machine, in whatever boot.
    pub(crate) fn same_machine(&self, other: &Self) -> bool {
        self.machine.is_some() && self.machine == other.machine
    }

    /// Whether a process id and its start time mean the same process `here`. Older versions did not record their clocks.
    pub(crate) fn same_pids(&self, here: &Self) -> bool {
        let same_clocks = self.clocks.is_none() || self.clocks == here.clocks;
        self.same_boot(here) && self.pids.is_some() && self.pids == here.pids && same_clocks
    }
}

/// This machine's name, as runs record it.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// An id of this boot of the machine; empty where the system has none.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|s| s.trim().to_owned()).unwrap_or_default()
}

/// An id of this installation that does not tell the secret one it is made from, as machine-id(5) asks for.
fn machine_id() -> Option<String> {
    let id = fs::read_to_string("/etc/machine-id").ok()?;
    let id = id.trim();
    // What an installation not yet started once has instead: "uninitialized", or nothing.
    if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digest = Sha256::digest(format!("gradtop {id}"));
    let (half, _) = digest.split_first_chunk::<16>()?;
    Some(format!("{:032x}", u128::from_be_bytes(*half)))
}

/// An id of this process's namespace of a kind; `None` where there is no such kind, or `/proc` is missing or tells of another
/// namespace's processes.
fn namespace(kind: &str) -> Option<String> {
    let me = fs::read_link("/proc/self").ok()?;
    if me != Path::new(&getpid().as_raw_nonzero().to_string()) {
        return None;
    }
    Some(fs::read_link(format!("/proc/self/ns/{kind}")).ok()?.to_str()?.to_owned())
}

/// Looks at a process that becomes another program, a millisecond apart.
const EXEC_LOOKS: usize = 100;

/// What has become of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is there, or nothing says that it is not.
    There,
    /// It is there, and suspended by a signal.
    Suspended,
    /// It is gone, or has ended and is only not yet waited for.
    Gone,
}

/// What has become of the process of that id and start time. The id must be of this namespace.
pub(crate) fn fate(pid: u32, start: u64) -> Fate {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Fate::Gone };
    // The file of another's process may be hidden; the kernel answers all the same.
    if test_kill_process(raw) == Err(Errno::SRCH) {
        return Fate::Gone;
    }
    match stat(pid) {
        Some(Stat { start: other, .. }) if other != start => Fate::Gone,
        Some(Stat { state: 'Z' | 'X', .. }) => Fate::Gone,
        Some(Stat { state: 'T', .. }) => Fate::Suspended,
        _ => Fate::There,
    }
}

/// Field `starttime` of `/proc/<pid>/stat`: with the id, it names a process for as long as the machine is up.
pub fn process_start(pid: u32) -> Option<u64> {
    Some(stat(pid)?.start)
}

/// Whether a process was started as the keeper or trainer of this run, as its command line tells. A child that it forked has
/// the same line, and is neither.
pub fn is_started_for(run: &RunDir, pid: u32) -> bool {
    let line = command_line(pid);
    let mut words = line.split(|b| *b == 0).skip(1);
    let is_ours = words
        .next()
        .is_some_and(|word| [&b"__keeper"[..], b"__trainer", b"__sink", b"__job"].contains(&word));
    let Some(folder) = words.next().filter(|_| is_ours) else { return false };
    let place = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let is_run = |path: PathBuf| place(&path).is_some_and(|folder| place(run.path()) == Some(folder));
    // The folder may be called so in that process's mounts only.
    let folder = Path::new(OsStr::from_bytes(folder));
    let theirs = Path::new(&format!("/proc/{pid}/root")).join(folder.strip_prefix("/").unwrap_or(folder));
    (is_run(folder.to_owned()) || is_run(theirs)) && stat(pid).is_some_and(|stat| !stat.is_fork())
}

/// The command line of a process. One that becomes another program at this moment has none, and is waited for.
fn command_line(pid: u32) -> Vec<u8> {
    let mut looks = 0..EXEC_LOOKS;
    loop {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let has_none = stat(pid).is_none_or(|stat| stat.state == 'Z');
        if !line.is_empty() || has_none || looks.next().is_none() {
            return line;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Of `/proc/<pid>/stat`.
struct Stat {
    state: char,
    flags: u64,
    start: u64,
}

impl Stat {
    /// Forked, and has not become another program since.
    fn is_fork(&self) -> bool {
        /// `PF_FORKNOEXEC` of the kernel.
        const FORKED: u64 = 0x40;
        self.flags & FORKED != 0
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        flags: fields.get(6)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::Command;

    use rustix::process::{Signal, kill_process};

    use super::*;

    #[test]
    fn a_place_is_equal_only_where_it_is_known() {
        let here = Place::here();
        assert!(here.same_boot(&here) && here.same_pids(&here));
        let nowhere = Place { host: here.host.clone(), ..Place::default() };
        assert!(
            !nowhere.same_boot(&nowhere) && !nowhere.same_machine(&nowhere) && !nowhere.same_pids(&nowhere)
        );
        let renamed = Place { host: "other".to_owned(), ..here.clone() };
        assert!(here.same_boot(&renamed), "a name decides nothing");
        let shifted = Place { clocks: Some("time:[1]".to_owned()), ..here.clone() };
        assert!(!shifted.same_pids(&here), "start times are others there");
        let older = Place { clocks: None, ..here.clone() };
        assert!(older.same_pids(&here), "as an older version signs");
    }

    #[test]
    fn a_process_is_there_suspended_or_gone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let (pid, start) = (child.id(), process_start(child.id()).unwrap());
        assert_eq!((fate(pid, start), fate(pid, start + 1)), (Fate::There, Fate::Gone));
        let raw = Pid::from_child(&child);
        kill_process(raw, Signal::STOP).unwrap();
        while fate(pid, start) == Fate::There {
            std::thread::yield_now();
        }
        assert_eq!(fate(pid, start), Fate::Suspended);
        child.kill().unwrap();
        // Not waited for yet, but at an end.
        while fate(pid, start) != Fate::Gone {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(fate(pid, start), Fate::Gone);
    }
}
