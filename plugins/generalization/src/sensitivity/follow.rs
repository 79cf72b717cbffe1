//! One leg: trains networks at one batch size and keeps them at each of their moments.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::curvature::jacobian;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::Watched;
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::tensors::numbers;
use tch::Tensor;

use super::plan::{Leg, Moment, Plan, Purpose};

/// Ratio of the steps of two checks, far from the awaited training loss and close to it.
const FAR: f64 = 1.3;
const NEAR: f64 = 1.03;
/// A check is close below this multiple of the awaited loss.
const CLOSE: f64 = 1.5;
/// The first check after the one at the beginning.
const FIRST: i64 = 8;
/// Number of test images for the followed sensitivity.
const POINTS: i64 = 1000;

/// What a check observed, one value per trial.
pub struct Look {
    /// Loss on the followed training images.
    pub loss: Vec<f64>,
    /// Sensitivity of logits.
    pub logits: Vec<f64>,
    /// Sensitivity of probabilities.
    pub probabilities: Vec<f64>,
}

/// A network at its moment.
struct Kept {
    moment: usize,
    trial: i64,
    step: i64,
    /// `[parameters]`.
    parameters: Tensor,
}

/// The state of a leg at one step.
pub(super) struct Follow<'a> {
    plan: &'a Plan,
    pub(super) leg: &'a Leg,
    pub(super) ensemble: Ensemble,
    kept: Vec<Kept>,
    next_look: i64,
    /// The step at which it ends, whatever its loss.
    last_step: i64,
}

/// Returns the networks of a leg before their first step.
pub(super) fn begin(plan: &Plan, leg: &Leg) -> Result<Ensemble> {
    let streams = ["sensitivity/init", &format!("sensitivity/batches/{}", leg.name)].map(Stream::named);
    let (rule, learnt) = (Rule::Adam { lr: leg.lr }, (plan.learnt(leg), leg.batch));
    Ok(Ensemble::drawn(plan.networks(leg.trials)?, rule, learnt, plan.seed, streams)?)
}

impl<'a> Follow<'a> {
    /// Creates the state at step 0. Network t of every batch size has the same initial values. `most` is the step after
    /// which a leg of [`Purpose::Rates`] is given up.
    pub(super) fn new(plan: &'a Plan, leg: &'a Leg, most: Option<i64>) -> Result<Self> {
        let ensemble = begin(plan, leg)?;
        let last_step = plan.last_step(leg).min(most.unwrap_or(i64::MAX));
        Ok(Self { plan, leg, ensemble, kept: Vec::new(), next_look: 0, last_step })
    }

    pub(super) fn step(&self) -> i64 {
        self.ensemble.step()
    }

    pub(super) fn epoch(&self) -> f64 {
        self.ensemble.epoch()
    }

    fn has(&self, moment: usize, trial: i64) -> bool {
        self.kept.iter().any(|kept| kept.moment == moment && kept.trial == trial)
    }

    /// Returns whether every network has had all its moments or has used up its time.
    pub(super) fn is_over(&self) -> bool {
        let trials = self.leg.trials as usize;
        self.kept.len() == trials * self.leg.moments.len() || self.step() >= self.last_step
    }

    /// Returns the approximate fraction of its work that is done.
    pub(super) fn share(&self) -> f64 {
        let expected = expected(self.plan, self.leg) / self.leg.batch as f64;
        if self.is_over() { 1.0 } else { (self.step() as f64 / expected).min(1.0) }
    }

    /// Keeps networks whose moment this is, and checks loss and sensitivity if that is due.
    pub(super) fn look(&mut self) -> Result<Option<Look>> {
        let step = self.step();
        let due = step >= self.next_look || step >= self.last_step;
        let mut seen = None;
        let mut now: Vec<(usize, i64)> = Vec::new();
        for (i, moment) in self.leg.moments.iter().enumerate() {
            if self.plan.step_of(self.leg, *moment) == Some(step) {
                now.extend((0..self.leg.trials).map(|trial| (i, trial)));
            }
        }
        if due {
            let look = self.measure()?;
            let mut near = false;
            for (i, moment) in self.leg.moments.iter().enumerate() {
                let Moment::Loss(target) = moment else { continue };
                for (trial, loss) in (0..).zip(&look.loss) {
                    if !self.has(i, trial) && *loss <= *target {
                        now.push((i, trial));
                    }
                    near |= !self.has(i, trial) && *loss <= CLOSE * target;
                }
            }
            let factor = if near { NEAR } else { FAR };
            self.next_look = ((step as f64 * factor).ceil() as i64).max(step + 1).max(FIRST);
            seen = Some(look);
        }
        for (moment, trial) in now {
            if !self.has(moment, trial) {
                let parameters = self.ensemble.mlp.trial_parameters(trial)?;
                self.kept.push(Kept { moment, trial, step, parameters });
            }
        }
        Ok(seen)
    }

    fn measure(&self) -> Result<Look> {
        let samples = &self.plan.followed[usize::from(self.leg.purpose == Purpose::Many)];
        let loss = self.ensemble.mlp.evaluate(samples)?.loss;
        if self.leg.purpose != Purpose::Batches {
            return Ok(Look { loss, logits: Vec::new(), probabilities: Vec::new() });
        }
        let all = self.ensemble.mlp.rows(self.ensemble.mlp.parameters())?;
        let tested = self.plan.tested.narrow(0, POINTS.min(self.plan.tested.count()))?;
        let norms = jacobian::norms(&self.plan.shape, &all, &tested)?;
        Ok(Look { loss, logits: means(&norms.logits)?, probabilities: means(&norms.probabilities)? })
    }

    /// Returns the networks kept at a moment: trial and step of each, and their parameters `[networks, parameters]`.
    pub(super) fn kept(&self, moment: usize) -> Result<(Vec<(i64, i64)>, Tensor)> {
        let mut these: Vec<&Kept> = self.kept.iter().filter(|kept| kept.moment == moment).collect();
        these.sort_by_key(|kept| kept.trial);
        let rows: Vec<&Tensor> = these.iter().map(|kept| &kept.parameters).collect();
        let options = (tch::Kind::Float, self.plan.device);
        let parameters =
            if rows.is_empty() { Tensor::f_zeros([0], options)? } else { Tensor::f_stack(&rows, 0)? };
        Ok((these.iter().map(|kept| (kept.trial, kept.step)).collect(), parameters))
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        self.ensemble.save("follow", saving)?;
        let positions: Vec<i64> =
            self.kept.iter().flat_map(|kept| [kept.moment as i64, kept.trial, kept.step]).collect();
        saving.integers("follow.kept", &positions)?;
        saving.integers("follow.next_look", &[self.next_look])?;
        for (i, kept) in self.kept.iter().enumerate() {
            saving.tensor(&format!("follow.kept-{i}"), &kept.parameters)?;
        }
        Ok(())
    }

    pub(super) fn restore(plan: &'a Plan, leg: &'a Leg, most: Option<i64>, saved: &Saved) -> Result<Self> {
        let mut follow = Self::new(plan, leg, most)?;
        follow.ensemble.restore("follow", saved)?;
        [follow.next_look] = saved.exactly("follow.next_look")?;
        for (i, three) in saved.integers("follow.kept")?.chunks(3).enumerate() {
            let [moment, trial, step] = *three else { return Err(saved.misfit().into()) };
            let parameters = saved.tensor(&format!("follow.kept-{i}"))?.f_to_device(plan.device)?;
            if parameters.size() != [plan.shape.parameter_count()] || moment >= leg.moments.len() as i64 {
                return Err(saved.misfit().into());
            }
            follow.kept.push(Kept { moment: moment as usize, trial, step, parameters });
        }
        Ok(follow)
    }
}

/// Returns the mean of each row.
pub(super) fn means(norms: &Tensor) -> Result<Vec<f64>> {
    Ok(numbers(&norms.f_mean_dim([1_i64].as_slice(), false, tch::Kind::Double)?)?)
}

/// The fixed cost of a step, in samples.
const STEP: f64 = 200.0;

/// Returns the approximate cost of a leg's training, in samples learnt.
pub(super) fn training_cost(plan: &Plan, leg: &Leg) -> f64 {
    let samples = expected(plan, leg);
    samples * leg.trials as f64 + samples / leg.batch as f64 * STEP
}

/// Returns the cost of measuring a leg's networks at all moments in the same unit: mostly products with the Hessian and
/// steps of ascent.
pub(super) fn measuring_cost(plan: &Plan, leg: &Leg) -> f64 {
    let params = &plan.params;
    let passes = (params.lanczos_steps + params.probes + params.ascent) as f64;
    let whole = leg.moments.iter().filter(|moment| !matches!(moment, Moment::Early(_))).count() as f64;
    let sensitivities = 10_000.0 * leg.moments.len() as f64;
    leg.trials as f64 * (2.0 * whole * params.curved as f64 * passes + sensitivities)
}

/// Returns the approximate number of samples that a leg will have learnt at its end: the number needed for a training
/// loss grows with about the square root of the batch.
fn expected(plan: &Plan, leg: &Leg) -> f64 {
    let most = (plan.last_step(leg) * leg.batch) as f64;
    let of = |moment: &Moment| match plan.step_of(leg, *moment) {
        Some(step) => (step * leg.batch) as f64,
        None => (45_000.0 * (leg.batch as f64).sqrt()).min(most),
    };
    leg.moments.iter().map(of).fold(1.0, f64::max)
}
