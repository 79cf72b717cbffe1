//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// Longer than anything here takes on a machine that is busy with other tests too.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `ready` gives something; panics with `what` after 30 s.
pub fn until<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    until_within(LIMIT, what, ready)
}

/// As [`until`], with another limit.
pub fn until_within<T>(limit: Duration, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < limit, "after {limit:?} still waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
