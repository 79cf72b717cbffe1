//! The threads of a run's processes, from `/proc`.

use std::fs;
use std::time::Duration;

use gradtop_store::{Kind, Life, View};

use crate::machine::proc_fs::stat;

/// Time between two measurements of a thread's processor time.
const BETWEEN: Duration = Duration::from_millis(400);

/// A thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    /// Its process.
    pub pid: u32,
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The state in `/proc`: `R` running, `S` sleeping, `D` waiting for a device, `T` stopped.
    pub state: char,
    /// The kernel function it waits in, if that is known.
    pub waits_in: Option<String>,
    /// Share of a processor used between the two measurements, from 0 to 1.
    pub busy: f64,
}

/// Returns the threads of the trainer or command, measured twice 0.4 s apart. `None` if they cannot be seen from here
/// or there are none.
pub fn threads(view: &View) -> Option<Vec<Thread>> {
    let Life::Alive { within_reach: true, .. } = view.life else { return None };
    let pids: Vec<u32> = match view.manifest.kind {
        Kind::Command => crate::command::run_processes::of(&view.dir)
            .into_iter()
            .map(|(pid, _)| pid)
            // The run's own processes have the variable too, if a command started them.
            .filter(|pid| ![view.status.keeper_pid, view.status.trainer_pid].contains(&Some(*pid)))
            .collect(),
        Kind::Plugin | Kind::Import => view.status.trainer_pid.into_iter().collect(),
    };
    let before = look(&pids);
    std::thread::sleep(BETWEEN);
    let tick = rustix::param::clock_ticks_per_second() as f64;
    let threads: Vec<Thread> = look(&pids)
        .into_iter()
        .map(|(mut thread, ticks)| {
            let earlier = before.iter().find(|(t, _)| (t.pid, t.id) == (thread.pid, thread.id));
            let used = earlier.map_or(ticks, |(_, earlier)| ticks.saturating_sub(*earlier));
            thread.busy = used as f64 / tick / BETWEEN.as_secs_f64();
            thread
        })
        .collect();
    (!threads.is_empty()).then_some(threads)
}

/// Returns each thread of these processes with its processor time in ticks.
fn look(pids: &[u32]) -> Vec<(Thread, u64)> {
    let tasks = |pid: &u32| {
        let pid = *pid;
        let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        entries.filter_map(move |entry| thread(pid, entry.file_name().to_str()?.parse().ok()?))
    };
    pids.iter().flat_map(tasks).collect()
}

fn thread(pid: u32, id: u32) -> Option<(Thread, u64)> {
    let read = |what: &str| fs::read(format!("/proc/{pid}/task/{id}/{what}")).ok();
    let text = |what: &str| Some(String::from_utf8_lossy(&read(what)?).trim().to_owned());
    let (state, ticks) = stat(&format!("{pid}/task/{id}"), |fields| {
        let ticks = fields.get(11..13)?.iter().filter_map(|n| n.parse::<u64>().ok()).sum();
        Some((fields.first()?.chars().next()?, ticks))
    })?;
    let waits_in = text("wchan").filter(|name| !name.is_empty() && name != "0");
    Some((Thread { pid, id, name: text("comm")?, state, waits_in, busy: 0.0 }, ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_threads_are_seen_with_their_names() {
        let named = std::thread::Builder::new().name("asleep".to_owned());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = named.spawn(move || wait.recv().is_ok()).expect("a thread");
        let seen = || look(&[std::process::id()]).into_iter().map(|(t, _)| t).find(|t| t.name == "asleep");
        while seen().is_none_or(|t| t.state != 'S') {
            std::thread::yield_now();
        }
        drop(go);
        thread.join().expect("it ends");
    }
}
