//! The processes of a command: itself, its descendants, and orphans it left behind.

use std::collections::{HashMap, HashSet};
use std::fs;

use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use crate::machine::proc_fs;
use crate::machine::process::{Process, until_none};

/// A variable that marks alert hooks.
pub(crate) const HOOK_MARK: &str = "GRADTOP_ALERT_HOOK";

/// The root of a command's process tree and its supervisors.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// The command's process id and start time.
    pub(crate) root: (u32, u64),
    /// The keeper, which adopts the command's orphans; 0 if there is none.
    pub(crate) keeper: u32,
    /// The sink, which is also a child of the keeper.
    pub(crate) sink: u32,
}

/// Resource usage of the processes of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// Total processor time in seconds, including reaped processes.
    pub(crate) cpu_s: f64,
    /// Memory in use, in bytes. Shared memory is counted once as far as that can be determined.
    pub(crate) memory: f64,
}

/// Fields of `/proc/<pid>/stat`.
#[derive(Debug, Clone, PartialEq)]
struct Stat {
    pid: u32,
    state: char,
    parent: u32,
    ticks: u64,
    start: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    proc_fs::stat(&pid.to_string(), |fields| {
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat {
            pid,
            state: fields.first()?.chars().next()?,
            parent: u32::try_from(number(1)?).ok()?,
            ticks: (11..15).filter_map(number).sum(),
            start: number(19)?,
        })
    })
}

/// Returns whether a process is the keeper of another run, which outlives its starter.
fn is_keeper(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|b| *b == 0).nth(1) == Some(b"__keeper")
}

/// Returns whether a process is an alert hook or left by one, which belongs to the keeper and not to the command.
fn is_hook(pid: u32) -> bool {
    proc_fs::variable(pid, HOOK_MARK).is_some()
}

impl Tree {
    /// Returns its processes, including zombies.
    fn members(&self) -> Vec<Stat> {
        let all: Vec<Stat> = proc_fs::pids().filter_map(stat).collect();
        let mut children: HashMap<u32, Vec<&Stat>> = HashMap::new();
        for stat in &all {
            children.entry(stat.parent).or_default().push(stat);
        }
        let is_root = |stat: &Stat| (stat.pid, stat.start) == self.root;
        let left_behind = |stat: &Stat| {
            self.keeper != 0 && stat.parent == self.keeper && stat.pid != self.sink && !is_hook(stat.pid)
        };
        let mut open: Vec<&Stat> = all.iter().filter(|s| is_root(s) || left_behind(s)).collect();
        let (mut seen, mut members) = (HashSet::new(), Vec::new());
        while let Some(stat) = open.pop() {
            if !seen.insert(stat.pid) || is_keeper(stat.pid) {
                continue;
            }
            open.extend(children.get(&stat.pid).into_iter().flatten());
            members.push(stat.clone());
        }
        members
    }

    /// Sends a signal to each process and returns their number.
    pub(crate) fn signal(&self, signal: Signal) -> usize {
        let living = self.members().into_iter().filter(|stat| stat.state != 'Z');
        living
            .filter_map(|stat| Process::that(stat.pid, stat.start))
            .filter(|process| process.signal(signal).is_ok())
            .count()
    }

    /// Kills all of them, including those started in the meantime.
    pub(crate) fn kill(&self) {
        until_none(|| self.signal(Signal::KILL));
    }

    /// Returns their number, including zombies.
    pub(crate) fn size(&self) -> usize {
        self.members().len()
    }

    /// Reaps the command's orphans that this process, its keeper, has adopted.
    pub(crate) fn reap(&self) {
        for stat in self.members() {
            let left = stat.state == 'Z' && stat.parent == std::process::id() && stat.pid != self.root.0;
            if let Some(pid) = i32::try_from(stat.pid).ok().and_then(Pid::from_raw).filter(|_| left) {
                waitpid(Some(pid), WaitOptions::NOHANG).ok();
            }
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        let tick = rustix::param::clock_ticks_per_second() as f64;
        let page = rustix::param::page_size() as f64;
        let mut usage = Usage::default();
        for stat in self.members() {
            usage.cpu_s += stat.ticks as f64 / tick;
            let text = fs::read_to_string(format!("/proc/{}/statm", stat.pid)).unwrap_or_default();
            let pages: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
            let [_, resident, shared, ..] = pages[..] else { continue };
            let is_root = stat.pid == self.root.0;
            usage.memory += page * if is_root { resident } else { (resident - shared).max(0.0) };
        }
        usage
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    fn until(what: impl Fn() -> bool) {
        let start = Instant::now();
        while !what() {
            assert!(start.elapsed() < Duration::from_mins(3));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn children_of_children_are_of_the_tree_and_are_killed_with_it() {
        let mut child = Command::new("sh").args(["-c", "sleep 600 & sleep 600 & wait"]).spawn().unwrap();
        let start = gradtop_store::process_start(child.id()).unwrap();
        let tree = Tree { root: (child.id(), start), keeper: 0, sink: 0 };
        until(|| tree.size() == 3);
        assert!(tree.usage().memory > 1e5);
        tree.kill();
        child.wait().unwrap();
        until(|| tree.size() == 0);
        let other = Tree { root: (std::process::id(), 1), keeper: 0, sink: 0 };
        assert_eq!(other.size(), 0, "an id without its start time is nobody");
    }
}
