//! The current errors of the background threads: whose, since when, and whether they are still tolerated.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};

use crate::error::{Result, StoreError};
use crate::log::patience::LIMITED;

/// Delay after a failed write.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// An error of the disk that has not passed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The cause in a few words, such as `the disk is full`.
    pub cause: String,
    /// The whole error.
    pub error: String,
    /// Since when it lasts.
    pub since: Timestamp,
    /// Whether it will not pass, or has lasted longer than such errors are tolerated.
    pub hopeless: bool,
}

/// A background thread, or the caller's own.
#[derive(Clone, Copy)]
pub(super) enum Who {
    Writer,
    Sealer,
    Tables,
    Caller,
}

struct Lasting {
    cause: String,
    error: String,
    patience: Option<Duration>,
    since: (Instant, Timestamp),
}

/// The current error of each thread, and whether errors are still waited out.
pub(super) struct Troubles {
    lasting: Mutex<[Option<Lasting>; 4]>,
    given_up: Mutex<bool>,
    gave_up: Condvar,
    /// How long temporary errors are tolerated.
    limit: Duration,
}

impl Troubles {
    pub(super) fn new(limit: Duration) -> Self {
        Self { lasting: Mutex::default(), given_up: Mutex::default(), gave_up: Condvar::new(), limit }
    }

    /// Records the result of a thread's step. Returns `false` if it failed and must not be retried.
    pub(super) fn note<T>(&self, who: Who, result: &Result<T>) -> bool {
        if let (Who::Caller, Err(error)) = (who, result)
            && !matches!(error, StoreError::Io { .. })
        {
            // An invalid request is reported to the caller; the log itself is fine.
            return false;
        }
        let mut all = self.lasting.lock();
        let slot = &mut all[who as usize];
        let Err(error) = result else {
            *slot = None;
            return true;
        };
        let patience = error.patience().map(|p| if p == LIMITED { self.limit } else { p });
        // The time restarts with another kind of error.
        let since = slot.take().filter(|old| old.patience == patience).map(|old| old.since);
        let lasting = Lasting {
            cause: error.in_words(),
            error: error.to_string(),
            patience,
            since: since.unwrap_or_else(|| (Instant::now(), Timestamp::now())),
        };
        let borne = !lasting.is_hopeless();
        *slot = Some(lasting);
        drop(all);
        borne && !self.given_up()
    }

    /// Records that a thread has died.
    pub(super) fn died(&self, who: Who, message: &str) {
        let error: Result<()> = Err(StoreError::Writer(message.to_owned()));
        self.note(who, &error);
    }

    /// Returns the most severe error.
    pub(super) fn worst(&self) -> Option<Trouble> {
        let all = self.lasting.lock();
        let trouble = |l: &Lasting| Trouble {
            cause: l.cause.clone(),
            error: l.error.clone(),
            since: l.since.1,
            hopeless: l.is_hopeless(),
        };
        let troubles = || all.iter().flatten();
        troubles().find(|l| l.is_hopeless()).or_else(|| troubles().next()).map(trouble)
    }

    /// Waits before the next attempt, unless errors are no longer waited out.
    pub(super) fn pause(&self) {
        self.gave_up.wait_while_for(&mut self.given_up.lock(), |given_up| !*given_up, RETRY);
    }

    pub(super) fn give_up(&self) {
        *self.given_up.lock() = true;
        self.gave_up.notify_all();
    }

    pub(super) fn given_up(&self) -> bool {
        *self.given_up.lock()
    }

    /// Retries a step until it succeeds or its error is no longer tolerated.
    pub(super) fn persist<T>(&self, who: Who, mut step: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            let result = step();
            if self.note(who, &result) {
                if result.is_ok() {
                    return result;
                }
                self.pause();
            } else {
                return result;
            }
        }
    }
}

impl Lasting {
    fn is_hopeless(&self) -> bool {
        self.patience.is_none_or(|patience| self.since.0.elapsed() >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_callers_errors_only_those_of_the_disk_hold_or_end_a_run() {
        let troubles = Troubles::new(LIMITED);
        let wrong =
            || StoreError::Figures { place: "figure 1".to_owned(), message: "it has no id".to_owned() };
        let mut tries = 0;
        let mut refuse = || {
            tries += 1;
            Err::<(), _>(wrong())
        };
        assert!(troubles.persist(Who::Caller, &mut refuse).is_err());
        assert_eq!((tries, troubles.worst()), (1, None));
        let full =
            || StoreError::Io { what: "write", path: "x".into(), source: rustix::io::Errno::NOSPC.into() };
        assert!(troubles.note(Who::Caller, &Err::<(), _>(full())));
        // A mistake says nothing of the disk.
        assert!(!troubles.note(Who::Caller, &Err::<(), _>(wrong())));
        assert!(troubles.worst().is_some_and(|t| !t.hopeless && t.cause == "the disk is full"));
        assert!(troubles.note(Who::Caller, &Ok(())));
        assert_eq!(troubles.worst(), None);
    }
}
