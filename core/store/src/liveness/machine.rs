//! Identifies this machine, its boot and its process namespace, and checks whether a process is still alive.

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

/// Where a process runs. Unknown parts are `None` and equal to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The machine's name, for display only: containers and leases change it.
    pub(crate) host: String,
    /// The id of the kernel's boot.
    pub(crate) boot: Option<String>,
    /// The id of the installation, see [`machine_id`].
    pub(crate) machine: Option<String>,
    /// The process id namespace, see [`namespace`].
    pub(crate) pids: Option<String>,
    /// The time namespace, see [`namespace`]: its offset shows in the start times of processes.
    #[serde(skip)]
    pub(crate) clocks: Option<String>,
}

impl Place {
    /// Returns where this process runs.
    pub(crate) fn here() -> Self {
        Self {
            host: host_name(),
            boot: Some(boot_id()).filter(|id| !id.is_empty()),
            machine: machine_id(),
            pids: namespace("pid"),
            clocks: namespace("time"),
        }
    }

    /// Returns whether both share a running kernel, so that its locks can be trusted.
    pub(crate) fn same_boot(&self, other: &Self) -> bool {
        self.boot.is_some() && self.boot == other.boot
    }

    /// Returns whether both are the same machine, in any boot.
    pub(crate) fn same_machine(&self, other: &Self) -> bool {
        self.machine.is_some() && self.machine == other.machine
    }

    /// Returns whether a process id and start time identify the same process in both. Older versions did not record the
    /// time namespace.
    pub(crate) fn same_pids(&self, here: &Self) -> bool {
        let same_clocks = self.clocks.is_none() || self.clocks == here.clocks;
        self.same_boot(here) && self.pids.is_some() && self.pids == here.pids && same_clocks
    }
}

/// Returns this machine's name as runs record it.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns the id of this boot; empty if the system has none.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|s| s.trim().to_owned()).unwrap_or_default()
}

/// Returns an id derived from machine-id(5), which itself should stay confidential.
fn machine_id() -> Option<String> {
    let id = fs::read_to_string("/etc/machine-id").ok()?;
    let id = id.trim();
    // An installation that was never started has "uninitialized" or nothing instead.
    if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digest = Sha256::digest(format!("gradtop {id}"));
    let (half, _) = digest.split_first_chunk::<16>()?;
    Some(format!("{:032x}", u128::from_be_bytes(*half)))
}

/// Returns the id of this process's namespace of a kind. `None` if there is no such kind, or `/proc` is missing or
/// shows the processes of another namespace.
fn namespace(kind: &str) -> Option<String> {
    let me = fs::read_link("/proc/self").ok()?;
    if me != Path::new(&getpid().as_raw_nonzero().to_string()) {
        return None;
    }
    Some(fs::read_link(format!("/proc/self/ns/{kind}")).ok()?.to_str()?.to_owned())
}

/// Number of attempts, a millisecond apart, to read the command line of a process that is executing another program.
const EXEC_LOOKS: usize = 100;

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessState {
    /// It exists, or nothing shows that it does not.
    There,
    /// It exists and is suspended by a signal.
    Suspended,
    /// It has exited, even if its parent has not yet waited for it.
    Gone,
}

/// Returns what became of the process with this id and start time. The id must be of this namespace.
pub(crate) fn process_state(pid: u32, start: u64) -> ProcessState {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return ProcessState::Gone };
    // The files of another user's process may be hidden, but the kernel still answers.
    if test_kill_process(raw) == Err(Errno::SRCH) {
        return ProcessState::Gone;
    }
    match stat(pid) {
        Some(Stat { start: other, .. }) if other != start => ProcessState::Gone,
        Some(Stat { state: 'Z' | 'X', .. }) => ProcessState::Gone,
        Some(Stat { state: 'T', .. }) => ProcessState::Suspended,
        _ => ProcessState::There,
    }
}

/// Returns field `starttime` of `/proc/<pid>/stat`. With the id, it identifies a process until the next boot.
pub fn process_start(pid: u32) -> Option<u64> {
    Some(stat(pid)?.start)
}

/// Returns whether a process was started as the keeper or trainer of this run, according to its command line. Children
/// that it forked have the same command line but do not count.
pub fn is_started_for(run: &RunDir, pid: u32) -> bool {
    let line = command_line(pid);
    let mut words = line.split(|b| *b == 0).skip(1);
    let is_ours = words
        .next()
        .is_some_and(|word| [&b"__keeper"[..], b"__trainer", b"__sink", b"__job"].contains(&word));
    let Some(folder) = words.next().filter(|_| is_ours) else { return false };
    let place = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let is_run = |path: PathBuf| place(&path).is_some_and(|folder| place(run.path()) == Some(folder));
    // The folder may have this path only in the mounts of that process.
    let folder = Path::new(OsStr::from_bytes(folder));
    let theirs = Path::new(&format!("/proc/{pid}/root")).join(folder.strip_prefix("/").unwrap_or(folder));
    (is_run(folder.to_owned()) || is_run(theirs)) && stat(pid).is_some_and(|stat| !stat.is_fork())
}

/// Returns the command line of a process. It is empty while the process executes another program, so retry.
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

/// Fields of `/proc/<pid>/stat`.
struct Stat {
    state: char,
    flags: u64,
    start: u64,
}

impl Stat {
    /// Returns whether the process was forked and has not executed a program since.
    fn is_fork(&self) -> bool {
        /// The kernel's `PF_FORKNOEXEC`.
        const FORKED: u64 = 0x40;
        self.flags & FORKED != 0
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may contain anything.
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
        assert_eq!(
            (process_state(pid, start), process_state(pid, start + 1)),
            (ProcessState::There, ProcessState::Gone)
        );
        let raw = Pid::from_child(&child);
        kill_process(raw, Signal::STOP).unwrap();
        while process_state(pid, start) == ProcessState::There {
            std::thread::yield_now();
        }
        assert_eq!(process_state(pid, start), ProcessState::Suspended);
        child.kill().unwrap();
        // Not waited for yet, but at an end.
        while process_state(pid, start) != ProcessState::Gone {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(process_state(pid, start), ProcessState::Gone);
    }
}
