//! Work shared by threads.

use parking_lot::Mutex;

/// Rows from which on a second thread is worth its start.
const SHARED: usize = 50_000;

/// How many threads so many rows are worth: sealing has a second core to itself when training has just ended.
pub(crate) fn threads(rows: usize) -> usize {
    if rows < SHARED { 1 } else { 2 }
}

/// Does each job on so many threads, if there can be, the last job first. Gives the results in the order of the jobs.
pub(crate) fn each<J: Send, R: Send>(threads: usize, jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    let count = jobs.len();
    let jobs = Mutex::new(jobs.into_iter().enumerate().collect::<Vec<_>>());
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    let next = || jobs.lock().pop();
    let take_part = || {
        while let Some((n, job)) = next() {
            let result = work(job);
            done.lock().push((n, result));
        }
    };
    std::thread::scope(|scope| {
        // Without helpers, this thread does everything. A panic of one goes on here.
        for _ in 1..threads.min(count) {
            std::thread::Builder::new().name("log-helper".to_owned()).spawn_scoped(scope, take_part).ok();
        }
        take_part();
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn every_job_is_done_once_and_in_its_place() {
        for threads in [1, 2, 8] {
            let squares = each(threads, (0..100).collect(), |n: i32| n * n);
            assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
            assert!(each(threads, Vec::<i32>::new(), |n| n).is_empty());
        }
    }
}
