//! Work shared by threads.

use parking_lot::Mutex;

/// Does each job, and gives the results in the order of the jobs. A second thread helps: sealing has a second core to itself when training
/// has just ended.
pub(crate) fn each<J: Send, R: Send>(jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    each_on(2, jobs, work)
}

/// The same on so many threads, if there can be, the last job first.
pub(crate) fn each_on<J: Send, R: Send>(
    threads: usize,
    jobs: Vec<J>,
    work: impl Fn(J) -> R + Sync,
) -> Vec<R> {
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
    use super::{each, each_on};

    #[test]
    fn every_job_is_done_once_and_in_its_place() {
        assert_eq!(each((0..100).collect(), |n: i32| n * n), (0..100).map(|n| n * n).collect::<Vec<_>>());
        assert!(each_on(8, Vec::<i32>::new(), |n| n).is_empty());
    }
}
