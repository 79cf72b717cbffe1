//! Waiting for conditions.
//!
//! A test waits for a state that is sure to come, never for time to pass: on a busy machine, any time is too short.

use std::time::{Duration, Instant};

/// Only a broken run takes this long on any machine. The limit ends the wait and decides nothing.
pub const LIMIT: Duration = Duration::from_mins(3);

/// Waits until `ready` returns a value; panics with `what` after [`LIMIT`].
#[track_caller]
pub fn until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    until_seen(what, || ready().ok_or(""))
}

/// Like [`until`]; the panic shows what `ready` saw instead.
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
