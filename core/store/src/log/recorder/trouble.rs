//! What hinders the background threads: whose error it is, since when, and whether it is still borne.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};

use crate::error::{Result, StoreError};
use crate::log::patience::LIMITED;

/// Wait after a failed write.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// An error of the disk that has not passed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// In a few words, such as `the disk is full`.
    pub cause: String,
    /// The whole error.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
    /// It will not pass, or has lasted for as long as such an error is borne.
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

/// The current error of each, and whether any is still waited for.
pub(super) struct Troubles {
    lasting: Mutex<[Option<Lasting>; 4]>,
    given_up: Mutex<bool>,
    gave_up: Condvar,
    /// How long errors are borne that have a limit.
    limit: Duration,
}

impl Troubles {
    pub(super) fn new(limit: Duration) -> Self {
        Self { lasting: Mutex::default(), given_up: Mutex::default(), gave_up: Condvar::new(), limit }
    }

    /// Notes how a thread's step went. `false`: it failed, and is not to be tried again.
    pub(super) fn note<T>(&self, who: Who, result: &Result<T>) -> bool {
        if let (Who::Caller, Err(error)) = (who, result)
            && !matches!(error, StoreError::Io { .. })
        {
            // What the caller asked for is wrong, and the caller is told: the log is as well as before.
            return false;
        }
        let mut all = self.lasting.lock();
        let slot = &mut all[who as usize];
        let Err(error) = result else {
            *slot = None;
            return true;
        };
        let patience = error.patience().map(|p| if p == LIMITED { self.limit } else { p });
        // Another kind of error begins its own time.
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

    /// A thread has died.
    pub(super) fn died(&self, who: Who, message: &str) {
        let error: Result<()> = Err(StoreError::Writer(message.to_owned()));
        self.note(who, &error);
    }

    /// The worst of them.
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

    /// Waits before the next try, unless nothing is waited for any more.
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

    /// Tries a step until it succeeds or its error is no longer borne.
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
