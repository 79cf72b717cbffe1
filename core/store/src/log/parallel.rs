//! Work shared by threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock stays usable after a panic elsewhere: what it guards is consistent between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows from which on a second thread is worth its start.
const SHARED: usize = 50_000;

/// Does each job on so many rows, and gives the results in the order of the jobs. A second thread helps, if the rows are worth
/// it and if there can be one: sealing has a second core to itself when training has just ended.
pub(crate) fn each<J: Send, R: Send>(rows: usize, jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    if rows < SHARED {
        return jobs.into_iter().map(work).collect();
    }
    let count = jobs.len();
    let jobs = Mutex::new(jobs.into_iter().enumerate().collect::<Vec<_>>());
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    let next = || lock(&jobs).pop();
    let take_part = || {
        while let Some((n, job)) = next() {
            let result = work(job);
            lock(&done).push((n, result));
        }
    };
    std::thread::scope(|scope| {
        // Without it, this thread does everything. A panic of it goes on here.
        let _helper =
            std::thread::Builder::new().name("log-helper".to_owned()).spawn_scoped(scope, take_part);
        take_part();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::{SHARED, each};

    #[test]
    fn every_job_is_done_once_and_in_its_place() {
        for rows in [0, SHARED] {
            let squares = each(rows, (0..100).collect(), |n: i32| n * n);
            assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
            assert!(each(rows, Vec::<i32>::new(), |n| n).is_empty());
        }
    }
}
