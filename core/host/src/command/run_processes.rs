//! Finds processes of a run without its keeper or files, by the environment and arguments they were started with.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use gradtop_store::{RunDir, is_started_for, process_start};
use rustix::process::Signal;

use crate::machine::proc_fs::{pids, variable};
use crate::machine::process::{Process, until_none};

/// Names the folder of a command's run; inherited by every process the command starts.
pub(crate) const RUN_DIR: &str = "GRADTOP_RUN_DIR";
/// Other variables passed to a command. They are removed when a command starts another run.
pub(crate) const GIVEN: [&str; 5] =
    [RUN_DIR, "GRADTOP_RUN", "GRADTOP_SEED", "GRADTOP_SINK", "GRADTOP_RESUME_DIR"];

/// Returns the names of all variables that gradtop sets for processes it starts.
pub fn variables() -> impl Iterator<Item = &'static str> {
    GIVEN.into_iter().chain([crate::command::process_tree::HOOK_MARK, crate::run::alerts::hook::VARIABLE])
}

/// Returns this user's live processes that were started by the command of a run.
pub(crate) fn of(run: &RunDir) -> Vec<(u32, Process)> {
    let place = |path: &Path| fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let Some(own) = place(run.path()) else { return Vec::new() };
    found(|pid| {
        variable(pid, RUN_DIR).is_some_and(|dir| place(Path::new(OsStr::from_bytes(&dir))) == Some(own))
    })
}

/// Returns the live keeper, trainer and sink of a run.
pub(crate) fn at_work(run: &RunDir) -> Vec<(u32, Process)> {
    // Kernel threads have no program and no command line to wait for.
    found(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok() && is_started_for(run, pid))
}

fn found(is_of: impl Fn(u32) -> bool) -> Vec<(u32, Process)> {
    pids()
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| {
            let start = process_start(pid)?;
            // Opened first, so that all further checks are about the process that was opened.
            let process = Process::that(pid, start)?;
            (is_of(pid) && !process.wait(Duration::ZERO)).then_some((pid, process))
        })
        .collect()
}

/// Kills them, including those started in the meantime.
pub(crate) fn kill(run: &RunDir) {
    until_none(|| {
        let left = of(run);
        for (_, process) in &left {
            process.signal(Signal::KILL).ok();
        }
        left.len()
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_was_started_for_this_very_folder_is_found_and_killed() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let start = |dir: &Path| Command::new("sleep").arg("600").env(RUN_DIR, dir).spawn().unwrap();
        let (mut own, mut others) = (start(dir.path()), start(other.path()));
        let run = RunDir::new(dir.path().join("."));
        // A process has its environment a moment after it is there.
        let found = || of(&run).iter().map(|(pid, _)| *pid).collect::<Vec<_>>();
        while found().is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(found(), [own.id()]);
        kill(&run);
        own.wait().unwrap();
        assert!(of(&run).is_empty());
        assert_eq!(others.try_wait().unwrap(), None);
        others.kill().unwrap();
        others.wait().unwrap();
    }
}
