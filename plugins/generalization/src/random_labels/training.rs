//! Trains all groups, a few at a time, epoch by epoch.

use std::collections::BTreeMap;
use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::data::Split;
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::record;
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::weights::Weights;
use gradtop_toolkit::workers::side_by_side;
use tch::Tensor;

use super::inputs::Inputs;
use super::learner::{self, Learner, Sets, Setting};
use super::plan::{Group, Labels, Network, Pixels};
use crate::labels::corrupted;

/// Number of epochs up to which the test set is evaluated after each.
const EVERY_EPOCH_UNTIL: i64 = 10;

/// The settings of [`Training::new`].
#[derive(Debug)]
pub struct Setup {
    /// Kinds of networks.
    pub networks: Vec<Network>,
    /// The groups to train, in this order.
    pub groups: Vec<Group>,
    /// Training images: as many as the largest group needs; smaller groups take the first of them.
    pub train: Split,
    /// Images to test with.
    pub test: Split,
    /// Number of networks per group.
    pub trials: i64,
    /// Number of epochs after which a group is given up.
    pub epochs: i64,
    /// Epochs between evaluations on the test set, after the tenth.
    pub eval_every: i64,
    /// Settings common to all networks.
    pub setting: Setting,
    /// Number of threads.
    pub threads: usize,
}

/// Loss and accuracy of one network after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index of its group.
    pub group: usize,
    /// Its trial.
    pub trial: usize,
    /// Number of epochs it has been trained for.
    pub epoch: i64,
    /// On the training set, by the labels it learns.
    pub train: [f64; 2],
    /// On the test set, by the true labels, if that was due.
    pub test: Option<[f64; 2]>,
}

/// The result of one network: its numbers when it first had every training label right, or the latest ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Epochs after which it had every training label right.
    pub fitted: Option<i64>,
    /// Epoch of these numbers.
    pub epoch: i64,
    /// Loss and accuracy on the training set.
    pub train: [f64; 2],
    /// Loss and accuracy on the test set, at the last evaluation not after `epoch`.
    pub test: [f64; 2],
    /// Epoch after which its loss was not finite, so that it is no longer trained.
    pub diverged: Option<i64>,
}

record!(Outcome { fitted, epoch, train, test, diverged });

impl Outcome {
    const UNKNOWN: Self =
        Self { fitted: None, epoch: -1, train: [f64::NAN; 2], test: [f64::NAN; 2], diverged: None };

    fn over(&self) -> bool {
        self.fitted.is_some() || self.diverged.is_some()
    }
}

/// A group and its results.
pub struct Progress {
    /// The group.
    pub group: Group,
    /// The outcome of each trial.
    pub outcomes: Vec<Outcome>,
    /// Whether its training has ended.
    pub finished: bool,
    /// The epoch to be evaluated next, 0 before any training.
    next: i64,
    /// Its networks while they are trained.
    jobs: Vec<Job>,
    /// A probe for each of its future networks, if it is watched.
    probes: Vec<Probe>,
}

/// One network in training.
struct Job {
    learner: Box<dyn Learner>,
    truth: Vec<u8>,
    labels: Labels,
    trial: usize,
    seed: u64,
    /// The epoch to which its labels belong.
    labels_of: i64,
}

/// All groups.
pub struct Training {
    setup: Setup,
    groups: Vec<Progress>,
    inputs: BTreeMap<Pixels, Inputs>,
    test_labels: Tensor,
    workers: Vec<()>,
    threads: usize,
    rounds: i64,
}

/// Returns the labels of the training images in an epoch.
pub fn labels(kind: Labels, truth: &[u8], seed: u64, trial: usize, epoch: i64) -> Vec<u8> {
    let stream = Stream::named("random-labels/labels").member(trial as u32);
    match kind {
        Labels::Fixed(p) => corrupted(truth, p, Rng::new(seed, stream, 0)),
        Labels::Redrawn => corrupted(truth, 1.0, Rng::new(seed, stream, epoch as u32)),
    }
}

impl Job {
    /// Trains up to this epoch and evaluates: on the test set if that is due, or if every training label is right and
    /// was not before (`fitted`). `None` if `stop` returned true before the evaluation.
    fn go(
        &mut self,
        group: usize,
        epoch: i64,
        [test_due, fitted]: [bool; 2],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Row>> {
        let steps = self.learner.steps_per_epoch();
        while self.learner.step() < epoch * steps {
            if stop() {
                return Ok(None);
            }
            self.relabel(self.learner.step() / steps)?;
            self.learner.advance()?;
        }
        if stop() {
            return Ok(None);
        }
        // A network is evaluated by the labels of the epoch it has just learnt.
        self.relabel((epoch - 1).max(0))?;
        let train = self.learner.on_train()?;
        let now_fitted = train[1] >= 1.0 && !fitted;
        let test = if test_due || now_fitted { Some(self.learner.on_test()?) } else { None };
        Ok(Some(Row { group, trial: self.trial, epoch, train, test }))
    }

    fn relabel(&mut self, epoch: i64) -> Result<()> {
        if self.labels == Labels::Redrawn && self.labels_of != epoch {
            let drawn = labels(self.labels, &self.truth, self.seed, self.trial, epoch);
            self.learner.set_labels(&drawn)?;
            self.labels_of = epoch;
        }
        Ok(())
    }
}

impl Training {
    /// Creates everything before the first epoch.
    pub fn new(mut setup: Setup) -> Result<Self> {
        let device = setup.setting.device;
        let threads = if device == tch::Device::Cpu { setup.threads.max(1) } else { 1 };
        let groups = std::mem::take(&mut setup.groups)
            .into_iter()
            .map(|group| Progress {
                group,
                outcomes: vec![Outcome::UNKNOWN; setup.trials as usize],
                finished: false,
                next: 0,
                jobs: Vec::new(),
                probes: Vec::new(),
            })
            .collect();
        Ok(Self {
            groups,
            inputs: BTreeMap::new(),
            test_labels: setup.test.labels(device)?,
            // One network per thread: threads within such small operations wait longer for each other than they compute.
            workers: vec![(); threads],
            threads: if device == tch::Device::Cpu { 1 } else { setup.threads.max(1) },
            rounds: 0,
            setup,
        })
    }

    /// Attaches instruments to the networks of all groups with curves. Before the first round.
    pub fn watch(&mut self, ctx: &Ctx, instruments: &mut Instruments) -> Result<()> {
        for index in 0..self.groups.len() {
            if !instruments.on() || !self.groups[index].group.has_curves {
                continue;
            }
            let jobs = self.jobs(index)?;
            let progress = &mut self.groups[index];
            let probe = |job: &Job| {
                let name = Name::of(&progress.group.name).trial(job.trial as i64);
                job.learner.watch(ctx, instruments, name)
            };
            progress.probes = jobs.iter().map(probe).collect::<Result<_>>()?;
        }
        Ok(())
    }

    /// Logs the instruments' readings since the last call, network by network.
    pub fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        let mut jobs = self.groups.iter_mut().flat_map(|progress| &mut progress.jobs);
        jobs.try_for_each(|job| {
            let steps = job.learner.steps_per_epoch();
            job.learner.probe().log_kept(ctx, steps)
        })
    }

    /// Returns the kinds of networks.
    pub fn networks(&self) -> &[Network] {
        &self.setup.networks
    }

    /// Returns all groups in training order.
    pub fn groups(&self) -> &[Progress] {
        &self.groups
    }

    /// Returns the number of rounds done: in each, every network in training is trained for an epoch and evaluated.
    pub fn rounds(&self) -> i64 {
        self.rounds
    }

    /// Returns whether nothing is left to train.
    pub fn finished(&self) -> bool {
        self.groups.iter().all(|group| group.finished)
    }

    /// Returns the work done and the total. The number of epochs a group needs is unknown, so this is an estimate that is right
    /// at the beginning and at the end: half of a group's work counts as done after as many epochs as such labels usually need.
    pub fn work(&self) -> (i64, i64) {
        let mut done = 0;
        let mut total = 0;
        for progress in &self.groups {
            let group = &progress.group;
            let usual = if group.labels == Labels::Fixed(0.0) { 20 } else { 80 };
            let cost = group.samples * self.setup.networks[group.network].weight() / 1000 * usual;
            total += cost;
            let epochs = (progress.next - 1).max(0);
            done += if progress.finished { cost } else { cost * epochs / (epochs + usual) };
        }
        (done, total)
    }

    /// Returns the number of training images of this network's groups with partly random labels, if there are any.
    pub(crate) fn swept_samples(&self, network: usize) -> Option<i64> {
        let mut groups = self.groups.iter().map(|g| &g.group);
        groups.find(|g| g.network == network && g.is_partly()).map(|g| g.samples)
    }

    /// Returns the labels that the networks of a group in training currently learn, trial by trial.
    pub fn labels_in_use(&self, group: usize) -> Result<Vec<Vec<u8>>> {
        self.groups[group].jobs.iter().map(|job| job.learner.labels()).collect()
    }

    /// Starts groups until two are in training: more networks than threads, so that no thread waits long for others.
    fn open(&mut self) -> Result<()> {
        // Not earlier: the instruments' readings of the last round have been logged by now.
        self.groups.iter_mut().filter(|g| g.finished).for_each(|g| g.jobs = Vec::new());
        let window = 2.max(self.workers.len());
        for index in 0..self.groups.len() {
            let training = self.groups.iter().filter(|g| !g.jobs.is_empty() && !g.finished).count();
            let progress = &self.groups[index];
            if training >= window {
                break;
            }
            if !progress.finished && progress.jobs.is_empty() {
                self.groups[index].jobs = self.jobs(index)?;
            }
        }
        // Inputs that no current or future group needs.
        let needed = |pixels: Pixels| {
            let mut open = self.groups.iter().filter(|g| !g.finished);
            open.any(|g| g.group.pixels == pixels && (!g.jobs.is_empty() || pixels == Pixels::Natural))
        };
        let unneeded: Vec<Pixels> = self.inputs.keys().copied().filter(|&pixels| !needed(pixels)).collect();
        for pixels in unneeded {
            self.inputs.remove(&pixels);
        }
        Ok(())
    }

    /// Creates the networks of a group at step 0.
    fn jobs(&mut self, index: usize) -> Result<Vec<Job>> {
        let Group { network, labels: kind, pixels, samples, .. } = self.groups[index].group;
        let (seed, device) = (self.setup.setting.seed, self.setup.setting.device);
        if let std::collections::btree_map::Entry::Vacant(slot) = self.inputs.entry(pixels) {
            slot.insert(Inputs::new(pixels, &self.setup.train, &self.setup.test, seed, device)?);
        }
        let inputs = &self.inputs[&pixels];
        let truth = self.setup.train.label_values()[..samples as usize].to_vec();
        let mut probes = std::mem::take(&mut self.groups[index].probes).into_iter();
        (0..self.setup.trials as usize)
            .map(|trial| {
                let sets = Sets {
                    train: inputs.train.f_narrow(0, 0, samples)?,
                    test: inputs.test.shallow_clone(),
                    test_labels: self.test_labels.shallow_clone(),
                };
                let own = labels(kind, &truth, seed, trial, 0);
                let mut learner = learner::new(
                    &self.setup.networks[network],
                    trial as i64,
                    self.setup.setting,
                    sets,
                    &own,
                )?;
                *learner.probe() = probes.next().unwrap_or_default();
                Ok(Job { learner, truth: truth.clone(), labels: kind, trial, seed, labels_of: 0 })
            })
            .collect()
    }

    fn test_due(&self, epoch: i64) -> bool {
        epoch <= EVERY_EPOCH_UNTIL || epoch % self.setup.eval_every == 0 || epoch == self.setup.epochs
    }

    /// Makes one round. `None` if `stop` returned true before its end: the next call continues it.
    pub fn round(&mut self, stop: &(dyn Fn() -> bool + Sync)) -> Result<Option<Vec<Row>>> {
        self.open()?;
        let due: Vec<bool> = self.groups.iter().map(|g| self.test_due(g.next)).collect();
        let networks = &self.setup.networks;
        let mut jobs = Vec::new();
        for (group, progress) in self.groups.iter_mut().enumerate() {
            let cost = progress.group.samples * networks[progress.group.network].weight();
            for job in &mut progress.jobs {
                let outcome = &progress.outcomes[job.trial];
                if outcome.diverged.is_none() {
                    let fitted = outcome.fitted.is_some();
                    jobs.push((cost, job, group, progress.next, [due[group], fitted]));
                }
            }
        }
        // The most expensive first, so that threads end at about the same time.
        jobs.sort_by_key(|(cost, ..)| std::cmp::Reverse(*cost));
        let rows =
            side_by_side(&mut self.workers, self.threads, jobs, |(), (_, job, group, epoch, evaluated)| {
                job.go(group, epoch, evaluated, stop)
            })?;
        let Some(mut rows) = rows.into_iter().collect::<Option<Vec<Row>>>() else { return Ok(None) };
        rows.sort_by_key(|row| (row.group, row.trial));
        for row in &rows {
            self.groups[row.group].outcomes[row.trial].note(row);
        }
        for index in 0..self.groups.len() {
            if !self.groups[index].jobs.is_empty() && !self.groups[index].finished {
                self.close(index);
            }
        }
        self.rounds += 1;
        Ok(Some(rows))
    }

    /// Called after a round of a group: it ends when every trial is over, or after its last epoch. Redrawn labels are
    /// trained for as long as fixed random ones.
    fn close(&mut self, index: usize) {
        let progress = &self.groups[index];
        let own = &progress.group;
        let random = self.groups.iter().find(|other| {
            let other = &other.group;
            own.labels == Labels::Redrawn
                && other.labels == Labels::Fixed(1.0)
                && (other.network, other.samples, other.pixels) == (own.network, own.samples, own.pixels)
        });
        let enough = random.is_some_and(|r| r.finished && progress.next >= r.next - 1);
        let over =
            progress.outcomes.iter().all(Outcome::over) || progress.next >= self.setup.epochs || enough;
        let progress = &mut self.groups[index];
        progress.next += 1;
        progress.finished = over;
    }

    /// Saves the weights of the groups that the last round finished in the run's folder.
    pub fn keep_weights(&self, ctx: &Ctx) -> Result<()> {
        for progress in self.groups.iter().filter(|progress| progress.finished) {
            let (name, mut weights) = (&progress.group.name, Weights::default());
            for job in &progress.jobs {
                job.learner.keep(&format!("{name}.{}", job.trial), &mut weights)?;
            }
            weights.write(ctx, self.rounds, name)?;
        }
        Ok(())
    }

    /// Saves everything that [`Training::restore`] needs.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("rounds", &[self.rounds])?;
        for (i, progress) in self.groups.iter().enumerate() {
            let jobs = if progress.finished { &[][..] } else { &progress.jobs };
            let training = !jobs.is_empty();
            let state = [progress.next, i64::from(progress.finished), i64::from(training)];
            saving.integers(&format!("group.{i}"), &state)?;
            saving.records(&format!("group.{i}.outcomes"), &progress.outcomes)?;
            for job in jobs {
                job.learner.save(&format!("group.{i}.trial.{}", job.trial), &mut saving)?;
            }
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`Training::save`] saved, for the same setup.
    pub fn restore(&mut self, dir: &Path) -> Result<()> {
        let saved = Saved::checkpoint(dir)?;
        [self.rounds] = saved.exactly("rounds")?;
        for i in 0..self.groups.len() {
            let [next, finished, training] = saved.exactly(&format!("group.{i}"))?;
            self.groups[i].outcomes = saved.records(&format!("group.{i}.outcomes"))?;
            if self.groups[i].outcomes.len() != self.setup.trials as usize {
                return Err(saved.misfit().into());
            }
            self.groups[i].next = next;
            self.groups[i].finished = finished != 0;
            if training != 0 {
                self.groups[i].jobs = self.jobs(i)?;
                for job in &mut self.groups[i].jobs {
                    job.learner.restore(&format!("group.{i}.trial.{}", job.trial), &saved)?;
                    // Within an epoch, its labels; between two, those of the last, as without the interruption.
                    let steps = job.learner.steps_per_epoch();
                    job.relabel(((job.learner.step() + steps - 1) / steps - 1).max(0))?;
                }
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// Records the result of a round.
    fn note(&mut self, row: &Row) {
        if self.over() {
            return;
        }
        self.epoch = row.epoch;
        self.train = row.train;
        self.test = row.test.unwrap_or(self.test);
        if !row.train[0].is_finite() {
            self.diverged = Some(row.epoch);
        } else if row.train[1] >= 1.0 {
            self.fitted = Some(row.epoch);
        }
    }
}
