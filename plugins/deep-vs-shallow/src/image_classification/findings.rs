//! What the trained networks get wrong.

use gradtop_sdk::prelude::*;

use super::training::Training;

/// The errors of one kind of network on the test set of one data set, all trials that did not diverge together.
pub(super) struct Findings {
    /// Index of the data set.
    pub(super) task: usize,
    /// Name of the network.
    pub(super) model: &'static str,
    /// Trials counted.
    pub(super) trials: usize,
    /// Images of each true class (row) taken for each class (column), summed over the trials.
    pub(super) confusion: [[i64; 10]; 10],
    /// Images that most trials get wrong, the worst first.
    pub(super) mistakes: Vec<Mistake>,
}

/// A test image that most trials get wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mistake {
    /// Its place in the test set of the run.
    pub(super) index: usize,
    /// Its label.
    pub(super) truth: u8,
    /// What it is most often taken for.
    pub(super) prediction: u8,
    /// Trials that get it wrong.
    pub(super) wrong: usize,
    /// Cross entropy, the mean of the trials.
    pub(super) loss: f64,
}

/// Looks at every kind of network on every data set; kinds of which every trial diverged are left out.
pub(super) fn of(training: &mut Training, count: usize) -> Result<Vec<Findings>> {
    let mut all: Vec<Findings> = Vec::new();
    // Trials of a kind follow each other.
    let mut start = 0;
    while start < training.fits().len() {
        let (task, model) = (training.fits()[start].task, training.fits()[start].name());
        let same = |fit: &super::Fit| fit.task == task && fit.name() == model;
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
