//! Memory of this process and of the machine.

#![allow(unsafe_code, reason = "the allocator's own functions have no safe interface")]

use gradtop_store::RecorderOptions;

use crate::machine::proc_fs::of_group;

/// Returns the options of the recorder in a process that trains: after each merge, free memory is returned to the system.
/// Otherwise the allocator keeps in each thread's heap what merging took.
pub(crate) fn recorder_options() -> RecorderOptions {
    RecorderOptions { after_merge: trim, ..RecorderOptions::default() }
}

fn trim() {
    // SAFETY: it may be called at any time, from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Returns how much memory is used in percent of the control group's limit or, if there is none, of the machine's memory.
pub(crate) fn memory_used() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let of = |name: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let (all, left) = (of("MemTotal:")?, of("MemAvailable:")?);
    let machine = 100.0 * (1.0 - left / all);
    Some(group_used().map_or(machine, |group| machine.max(group)))
}

/// Returns the same for a control group with a limit. Its file cache is not counted, because it can be reclaimed.
fn group_used() -> Option<f64> {
    let number = |file: &str| of_group(file)?.trim().parse::<f64>().ok();
    let (limit, used) = (number("memory.max")?, number("memory.current")?);
    let stat = of_group("memory.stat").unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<f64>().ok());
    Some(100.0 * (used - files.unwrap_or(0.0)) / limit)
}
