//! Finds what the trained networks get wrong.

use gradtop_sdk::prelude::*;

use super::training::{Fit, Training};

/// The errors of one kind of network on the test set of one data set, over all trials that did not diverge.
pub(super) struct Findings {
    /// Index of the data set.
    pub(super) task: usize,
    /// Name of the network.
    pub(super) model: &'static str,
    pub(super) trials: usize,
    /// Number of images of each true class (row) classified as each class (column), summed over the trials.
    pub(super) confusion: [[i64; 10]; 10],
    /// Images that most trials get wrong, worst first.
    pub(super) mistakes: Vec<Mistake>,
}

/// A test image that most trials get wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mistake {
    /// Its index in the run's test set.
    pub(super) index: usize,
    /// Its label.
    pub(super) truth: u8,
    /// The most frequent prediction.
    pub(super) prediction: u8,
    /// Number of trials that get it wrong.
    pub(super) wrong: usize,
    /// Mean cross entropy over the trials.
    pub(super) loss: f64,
}

/// Evaluates every kind of network on every data set, except kinds of which every trial diverged.
pub(super) fn of(training: &mut Training, count: usize) -> Result<Vec<Findings>> {
    let mut all: Vec<Findings> = Vec::new();
    // Trials of a kind are consecutive.
    let mut start = 0;
    while start < training.fits().len() {
        let (task, model) = (training.fits()[start].task, training.fits()[start].name());
        let same = |fit: &Fit| fit.task == task && fit.name() == model;
        let end = start + training.fits()[start..].iter().take_while(|fit| same(fit)).count();
        let mut seen = Vec::new();
        for i in start..end {
            if training.fits()[i].diverged.is_none() {
                seen.push(training.test(i)?);
            }
        }
        start = end;
        if seen.is_empty() {
            continue;
        }
        let labels = training.tasks()[task].test.label_values();
        let mut confusion = [[0; 10]; 10];
        let mut mistakes = Vec::new();
        for (index, &truth) in labels.iter().enumerate() {
            let mut votes = [0_usize; 10];
            let mut loss = 0.0;
            for test in &seen {
                votes[usize::from(test.predictions[index])] += 1;
                loss += f64::from(test.losses[index]) / seen.len() as f64;
            }
            for (class, &votes) in votes.iter().enumerate() {
                confusion[usize::from(truth)][class] += votes as i64;
            }
            let wrong = seen.len() - votes[usize::from(truth)];
            if 2 * wrong > seen.len() {
                votes[usize::from(truth)] = 0;
                let most = (0..10).max_by_key(|&class| (votes[class], 10 - class)).unwrap_or(0);
                mistakes.push(Mistake { index, truth, prediction: most as u8, wrong, loss });
            }
        }
        mistakes.sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.index.cmp(&b.index)));
        mistakes.truncate(count);
        all.push(Findings { task, model, trials: seen.len(), confusion, mistakes });
    }
    Ok(all)
}
