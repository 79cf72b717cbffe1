//! Runs small tasks in parallel on threads.

use std::sync::{Mutex, PoisonError};
use std::thread;

use gradtop_sdk::Result;

use crate::runtime;

/// Applies `work` to each item, as many at a time as there are workers, each with its own state, and with `threads`
/// libtorch threads within an operation. What an item computes must not depend on which worker does it. Items are
/// started in order, and results are in the same order; no autograd graph is recorded.
///
/// # Errors
/// The error of the first item that failed; the others are completed anyway.
pub fn side_by_side<W: Send, I: Send, T: Send>(
    workers: &mut [W],
    threads: usize,
    items: Vec<I>,
    work: impl Fn(&mut W, I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let queue = Mutex::new(items.into_iter().enumerate());
    let results = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let labour = |worker: &mut W| {
        let _no_graphs = tch::no_grad_guard();
        runtime::set_threads(threads);
        while let Some((i, item)) = next() {
            let result = work(worker, item);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
        }
    };
    match workers {
        [alone] => labour(alone),
        several => thread::scope(|scope| {
            for worker in several {
                scope.spawn(|| labour(worker));
            }
        }),
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_sdk::Error;

    use super::side_by_side;

    #[test]
    fn every_item_is_done_once_and_results_keep_its_order() {
        for workers in 1..4 {
            let mut done = vec![0_usize; workers];
            let squares = side_by_side(&mut done, 1, (0..100_usize).collect(), |count, i| {
                *count += 1;
                Ok(i * i)
            });
            assert_eq!(squares.unwrap(), (0..100).map(|i| i * i).collect::<Vec<_>>());
            assert_eq!(done.iter().sum::<usize>(), 100);
        }
    }

    #[test]
    fn an_error_is_the_first_in_order_and_stops_no_other() {
        let mut done = [0, 0];
        let result = side_by_side(&mut done, 1, (0..10).collect(), |count, i| {
            *count += 1;
            if i % 4 == 3 { Err(Error::new(format!("item {i}"))) } else { Ok(()) }
        });
        assert_eq!(result.unwrap_err().to_string(), "item 3");
        assert_eq!(done[0] + done[1], 10);
    }
}
