//! Waiting for something to become true.
//!
//! A test waits for a state that it has made sure will come, never for time to pass: on a busy machine any time is too short.

use std::time::{Duration, Instant};

/// Only a broken run takes this long, on whatever machine: it ends the wait, and decides nothing.
pub const LIMIT: Duration = Duration::from_mins(3);

/// Waits until `ready` gives something; panics with `what` after [`LIMIT`].
#[track_caller]
pub fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    until_seen(what, || ready().ok_or(""))
}

/// As [`until`]; what `ready` saw instead stands in the panic.
#[track_caller]
pub fn until_seen<T, S: std::fmt::Display>(what: &str, mut ready: impl FnMut() -> Result<T, S>) -> T {
    let start = Instant::now();
    loop {
        let seen = match ready() {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        assert!(start.elapsed() < LIMIT, "after {LIMIT:?} still waiting for {what}: {seen}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
