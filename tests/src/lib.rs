//! Helpers for the end-to-end tests: paths of the real program and its plugins, sandboxes, waiting for conditions, and checking
//! what a run has left. Everything uses the real binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod build;
pub mod check;
pub mod disk;
pub mod figures;
pub mod fuzz;
pub mod imports;
pub mod kills;
pub mod logged;
pub mod logs;
pub mod nodes;
pub mod paths;
pub mod pty;
pub mod run_fixtures;
pub mod sandbox;
pub mod slurm;
pub mod ssh;
pub mod synthetic;
pub mod wait;
pub mod watched;

pub use sandbox::{CommandOutput, Sandbox};
pub use wait::{until, until_seen};

/// Runs `work` on every item, `at_once` in parallel. After all have ended, repeats the first panic.
pub fn in_parallel<T: Send>(at_once: usize, items: Vec<T>, work: impl Fn(T) + Sync) {
    let queue = std::sync::Mutex::new(items.into_iter());
    let failed = std::sync::Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(item) = queue.lock().unwrap().next() else { break };
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(item)));
                    if let Err(payload) = result {
                        failed.lock().unwrap().get_or_insert(payload);
                    }
                }
            });
        }
    });
    if let Some(payload) = failed.into_inner().unwrap() {
        std::panic::resume_unwind(payload);
    }
}

/// Reports that this system does not support a test.
#[expect(clippy::print_stderr, reason = "a test that did not test says so")]
pub fn untested(what: &str) {
    eprintln!("NOT TESTED (it needs root): {what}");
}
