//! Trains role after role, then evaluates line after line.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::alignment::aligned;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::Watched;
use gradtop_toolkit::mlp::{Evaluation, along};
use gradtop_toolkit::settings::useful_threads;
use gradtop_toolkit::weights::Weights;
use tch::{Kind as Precision, Tensor};

use super::plan::{Kind, Plan, Start};

/// Number of lines from one network at 0: each kind with each [`Start`].
const LINES: usize = Kind::ALL.len() * Start::ALL.len();

/// The line between the networks of one pair.
#[derive(Clone, Debug)]
pub struct Line {
    /// What they differ in.
    pub kind: Kind,
    /// The start of the network at 1.
    pub start: Start,
    /// The number of the pair.
    pub pair: i64,
    /// On the training and on the test set, an entry for each position.
    pub sets: [Evaluation; 2],
    /// Euclidean distance of the two parameter vectors.
    pub distance: f64,
    /// Cosine of the angle between the two parameter vectors.
    pub cosine: f64,
}

impl Line {
    /// Returns [`barrier`] on the training (0) or the test set (1).
    pub fn barrier(&self, set: usize, alphas: &[f64]) -> (f64, f64) {
        barrier(alphas, &self.sets[set].loss)
    }

    /// Returns the barrier above the mean of the ends, as Frankle et al. 2020 define it, on the training (0) or the test set (1).
    pub(crate) fn above_mean(&self, set: usize, alphas: &[f64]) -> f64 {
        above_mean(alphas, &self.sets[set].loss)
    }
}

/// Two networks that have parted from one trunk, and the line between them.
#[derive(Clone, Debug)]
pub struct Spawned {
    /// The step at which they parted.
    pub step: i64,
    /// The number of the pair.
    pub pair: i64,
    /// On the training and on the test set, an entry for each position from 0 to 1.
    pub sets: [Evaluation; 2],
    /// Euclidean distance of the two parameter vectors.
    pub distance: f64,
}

impl Spawned {
    /// Returns how far the fraction classified wrong rises above the mean of the ends, on the training (0) or the test set (1).
    pub(crate) fn error_barrier(&self, set: usize, between: &[f64]) -> f64 {
        let wrong: Vec<f64> = self.sets[set].accuracy.iter().map(|right| 1.0 - right).collect();
        above_mean(between, &wrong)
    }

    /// Returns how far the loss rises above the mean of the ends.
    pub(crate) fn loss_barrier(&self, set: usize, between: &[f64]) -> f64 {
        above_mean(between, &self.sets[set].loss)
    }
}

fn value(alphas: &[f64], loss: &[f64], alpha: f64) -> f64 {
    alphas.iter().position(|a| *a == alpha).map_or(f64::NAN, |i| loss[i])
}

/// Returns max over α in [0, 1] of L(α), minus the mean of L(0) and L(1): the barrier of Frankle et al. 2020. If the
/// ends differ, a straight chord has a barrier of half their difference.
fn above_mean(alphas: &[f64], loss: &[f64]) -> f64 {
    let between = alphas.iter().zip(loss).filter(|(alpha, _)| (0.0..=1.0).contains(*alpha));
    let higher = |most: f64, here: f64| if here > most || here.is_nan() { here } else { most };
    let highest = between.map(|(_, loss)| *loss).fold(f64::NEG_INFINITY, higher);
    highest - f64::midpoint(value(alphas, loss, 0.0), value(alphas, loss, 1.0))
}

/// Returns max over α in [0, 1] of L(α) − (1 − α) L(0) − α L(1), with its α: how far the loss rises above the chord,
/// the barrier of Entezari et al. 2022. Never below 0, its value at the ends.
pub fn barrier(alphas: &[f64], loss: &[f64]) -> (f64, f64) {
    let (start, end) = (value(alphas, loss, 0.0), value(alphas, loss, 1.0));
    let between = alphas.iter().zip(loss).filter(|(alpha, _)| (0.0..=1.0).contains(*alpha));
    let above = between.map(|(alpha, loss)| (loss - ((1.0 - alpha) * start + alpha * end), *alpha));
    above.fold((0.0, 0.0), |most, here| if here.0 > most.0 || here.0.is_nan() { here } else { most })
}

/// The state of a run at one step.
pub struct Walk<'a> {
    plan: &'a Plan,
    /// Networks of finished roles: `[trials, parameters]` each.
    trained: Vec<Tensor>,
    /// The role being trained, until all are.
    ensemble: Option<Ensemble>,
    /// Loss and accuracy on the lines so far: by pair, within it by set, within it [`LINES`] and those between networks
    /// that parted.
    evaluated: Vec<Evaluation>,
    step: i64,
}

impl<'a> Walk<'a> {
    /// Creates the state at step 0.
    pub fn new(plan: &'a Plan) -> Result<Self> {
        Ok(Self { trained: Vec::new(), ensemble: Some(plan.begin(0)?), evaluated: Vec::new(), step: 0, plan })
    }

    /// Returns the number of steps done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Describes what is being done.
    pub fn phase(&self) -> String {
        match self.ensemble {
            Some(_) => format!("training: {}", self.plan.roles[self.trained.len()].name),
            None => "lines".to_owned(),
        }
    }

    /// Returns the number of useful threads for the next step. Lines consist of many small operations, for which
    /// threads wait longer than they compute.
    pub fn useful_threads(&self, available: usize) -> usize {
        match (&self.ensemble, self.plan.roles.get(self.trained.len())) {
            (Some(_), Some(role)) => useful_threads(available, &self.plan.widths, role.trials, role.batch),
            _ => 1,
        }
    }

    /// Returns when the networks being trained part, if they do.
    fn parts_at(&self) -> Option<i64> {
        self.plan.roles.get(self.trained.len())?.parts_at
    }

    /// Returns the trunks being trained, if their networks have not yet parted.
    fn trunks(&self) -> Option<&Ensemble> {
        self.parts_at()?;
        self.ensemble.as_ref().filter(|ensemble| ensemble.mlp.trials() == self.plan.pairs)
    }

    /// Makes one update of the networks of a role by `update`, which receives the role and its networks, or evaluates the
    /// lines of one pair on one set.
    pub fn advance(&mut self, update: impl FnOnce(usize, &mut Ensemble) -> Result<()>) -> Result<()> {
        self.step += 1;
        let role = self.trained.len();
        let Some(ensemble) = &mut self.ensemble else { return self.evaluate() };
        if ensemble.step() == self.plan.steps_of(role) {
            let role = role + 1;
            self.trained.push(ensemble.mlp.rows(ensemble.mlp.parameters())?);
            self.ensemble = if role < self.plan.roles.len() { Some(self.plan.begin(role)?) } else { None };
        }
        if let Some(trunks) = self.trunks().filter(|trunks| self.parts_at() == Some(trunks.step())) {
            self.ensemble = Some(self.plan.parted(self.trained.len(), Some(trunks))?);
        }
        match &mut self.ensemble {
            Some(ensemble) => update(self.trained.len(), ensemble),
            None => self.evaluate(),
        }
    }

    /// Returns the networks at the ends of a pair's lines, in the order of [`LINES`], after the one at 0: `[1 + lines,
    /// parameters]`.
    fn networks(&self, pair: i64) -> Result<Tensor> {
        let one = |role: usize, trial: i64| self.trained[role].f_select(0, trial);
        let mut all = vec![one(0, pair)?];
        for &kind in Kind::ALL {
            let [same, other] = [pair, self.plan.pairs + pair].map(|trial| one(1 + kind as usize, trial));
            let (same, other) = (same?, other?);
            let matched = aligned(&self.plan.widths, &all[0], &other)?;
            all.extend([same, other, matched]);
        }
        Ok(Tensor::f_stack(&all, 0)?)
    }

    fn evaluate(&mut self) -> Result<()> {
        let done = self.evaluated.len() / self.lines_of_pair();
        let (pair, set) = ((done / self.plan.sets.len()) as i64, done % self.plan.sets.len());
        let networks = self.networks(pair)?;
        let pairs: Vec<(usize, usize)> = (1..=LINES).map(|end| (0, end)).collect();
        let shape = self.plan.networks(1)?;
        self.evaluated.extend(along(&shape, &networks, &pairs, &self.plan.alphas, &self.plan.sets[set])?);
        for (role, _) in self.plan.parting() {
            let two = self.trained[role].f_narrow(0, 2 * pair, 2)?;
            let between = &self.plan.between;
            self.evaluated.extend(along(&shape, &two, &[(0, 1)], between, &self.plan.sets[set])?);
        }
        Ok(())
    }

    fn lines_of_pair(&self) -> usize {
        LINES + self.plan.parting().count()
    }

    /// Returns the positions on a line of a pair.
    fn places(plan: &Plan, line: usize) -> &[f64] {
        if line < LINES { &plan.alphas } else { &plan.between }
    }

    /// Returns the evaluation of a line of a pair on a set.
    fn evaluation(&self, pair: i64, set: usize, line: usize) -> Result<Evaluation> {
        let at = (pair as usize * self.plan.sets.len() + set) * self.lines_of_pair() + line;
        self.evaluated.get(at).cloned().ok_or_else(|| Error::new("the lines are not finished"))
    }

    /// Returns the role being trained, the number of its epochs done, and whether an epoch has just ended.
    pub fn place(&self) -> Option<(usize, f64, bool)> {
        let ensemble = self.ensemble.as_ref()?;
        let ended = ensemble.step() % ensemble.steps_per_epoch() == 0;
        Some((self.trained.len(), ensemble.epoch(), ended))
    }

    /// Evaluates the networks being trained, by set: on the test set, and after the last epoch also on the training set.
    pub fn measured(&self) -> Result<Vec<(usize, Evaluation)>> {
        let Some(ensemble) = &self.ensemble else { return Ok(Vec::new()) };
        if self.trunks().is_some() {
            return Ok(Vec::new());
        }
        let last = ensemble.step() == self.plan.steps_of(self.trained.len());
        let sets = if last { 0..2 } else { 1..2 };
        sets.map(|set| Ok((set, ensemble.mlp.evaluate(&self.plan.sets[set])?))).collect()
    }

    /// Returns the pair, the set and the barriers in the order of `Plan::line_names`, if the lines of a pair on a set
    /// have just been evaluated.
    pub fn barriers(&self) -> Option<(i64, usize, Vec<f64>)> {
        let lines = self.lines_of_pair();
        let before = self.evaluated.len().checked_sub(lines)?;
        let (sets, done) = (self.plan.sets.len(), before / lines);
        let new = self.evaluated[before..].iter().enumerate();
        let new = new.map(|(line, on_it)| barrier(Self::places(self.plan, line), &on_it.loss).0);
        Some(((done / sets) as i64, done % sets, new.collect()))
    }

    /// Returns the lines between networks that parted, by step and pair, once everything is done.
    pub fn spawned(&self) -> Result<Vec<Spawned>> {
        let mut all = Vec::new();
        for (line, (role, step)) in self.plan.parting().enumerate() {
            for pair in 0..self.plan.pairs {
                let [a, b] = [0, 1].map(|which| self.trained[role].f_select(0, 2 * pair + which));
                let sets = [0, 1].map(|set| self.evaluation(pair, set, LINES + line));
                let [train, test] = sets;
                let distance = a?.f_sub(&b?)?.f_norm()?.f_double_value(&[])?;
                all.push(Spawned { step, pair, sets: [train?, test?], distance });
            }
        }
        Ok(all)
    }

    /// Returns all lines, once everything is done.
    pub fn lines(&self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for pair in 0..self.plan.pairs {
            let networks = self.networks(pair)?.f_to_kind(Precision::Double)?;
            let start = networks.f_select(0, 0)?;
            let of = |set: usize, line: usize| self.evaluation(pair, set, line);
            let mut line = 0;
            for &kind in Kind::ALL {
                for &start_of in Start::ALL {
                    let end = networks.f_select(0, line as i64 + 1)?;
                    let norm = |t: &Tensor| t.f_norm()?.f_double_value(&[]);
                    let product = start.f_dot(&end)?.f_double_value(&[])?;
                    lines.push(Line {
                        kind,
                        start: start_of,
                        pair,
                        sets: [of(0, line)?, of(1, line)?],
                        distance: norm(&start.f_sub(&end)?)?,
                        cosine: product / (norm(&start)? * norm(&end)?),
                    });
                    line += 1;
                }
            }
        }
        Ok(lines)
    }

    /// Saves the final weights of every network in the run's folder, as `<role>.<trial>`.
    pub fn keep_weights(&self, ctx: &Ctx) -> Result<()> {
        let mut weights = Weights::default();
        for (role, trained) in self.plan.roles.iter().zip(&self.trained) {
            for trial in 0..role.trials {
                let name = format!("{}.{trial}", role.name);
                weights.flat(&name, &self.plan.widths, &trained.f_select(0, trial)?)?;
            }
        }
        weights.write(ctx, self.step, "networks")
    }

    /// Saves everything needed to continue.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("position", &[self.step, self.trained.len() as i64, self.evaluated.len() as i64])?;
        for (role, trained) in self.trained.iter().enumerate() {
            saving.tensor(&format!("trained-{role}"), trained)?;
        }
        if let Some(ensemble) = &self.ensemble {
            ensemble.save("training", &mut saving)?;
        }
        for (i, evaluation) in self.evaluated.iter().enumerate() {
            saving.numbers(&format!("loss-{i}"), &evaluation.loss)?;
            saving.numbers(&format!("accuracy-{i}"), &evaluation.accuracy)?;
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`Walk::save`] saved.
    pub fn restore(plan: &'a Plan, dir: &Path) -> Result<Self> {
        let saved = Saved::checkpoint(dir)?;
        let wrong = || Error::from(saved.misfit());
        let [step, roles, evaluated] = saved.exactly("position")?;
        if !(0..=plan.steps()).contains(&step) || !(0..=plan.roles.len() as i64).contains(&roles) {
            return Err(wrong());
        }
        let mut trained = Vec::new();
        for (role, settings) in plan.roles.iter().enumerate().take(roles as usize) {
            let parameters = saved.tensor(&format!("trained-{role}"))?.f_to_device(plan.device)?;
            if parameters.size() != [settings.trials, plan.networks(1)?.parameter_count()] {
                return Err(wrong());
            }
            trained.push(parameters);
        }
        let ensemble = if trained.len() < plan.roles.len() {
            let role = trained.len();
            let step = saved.integers("training.step")?.first().copied();
            let parted = plan.roles[role].parts_at.zip(step).is_some_and(|(parts_at, step)| step > parts_at);
            let mut ensemble = if parted { plan.parted(role, None)? } else { plan.begin(role)? };
            ensemble.restore("training", &saved)?;
            Some(ensemble)
        } else {
            None
        };
        let lines = LINES + plan.parting().count();
        let evaluated = (0..evaluated as usize)
            .map(|i| {
                let numbers = |what: &str| saved.numbers(&format!("{what}-{i}"));
                let (loss, accuracy) = (numbers("loss")?, numbers("accuracy")?);
                if loss.len() != Self::places(plan, i % lines).len() || accuracy.len() != loss.len() {
                    return Err(wrong());
                }
                Ok(Evaluation { loss, accuracy })
            })
            .collect::<Result<_>>()?;
        Ok(Self { plan, trained, ensemble, evaluated, step })
    }
}
