//! Leg after leg: trains, then measures each moment.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::Samples;
use gradtop_toolkit::settings::useful_threads;
use gradtop_toolkit::weights::Weights;

use super::follow::{Follow, Look, measuring_cost, training_cost};
use super::measure::{Measures, Network, measure};
use super::plan::{Leg, Moment, Plan, Purpose};

/// The state of a run at one step.
pub struct Course<'a> {
    plan: &'a Plan,
    /// Index of the leg.
    leg: usize,
    step: i64,
    follow: Follow<'a>,
    /// How many of the leg's moments have been measured.
    moments: usize,
    networks: Vec<Network>,
    seen: Option<(usize, f64, Look)>,
    /// The networks that the last step measured, except those that continue for more epochs.
    measured: (String, Weights),
}

impl<'a> Course<'a> {
    /// Creates the state at step 0.
    pub fn new(plan: &'a Plan) -> Result<Self> {
        let follow = Follow::new(plan, &plan.legs[0], None)?;
        let (networks, measured) = (Vec::new(), Default::default());
        let mut course = Self { plan, leg: 0, step: 0, follow, moments: 0, networks, seen: None, measured };
        course.look()?;
        Ok(course)
    }

    /// Returns the number of steps done: updates and measurements.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Returns the networks measured so far.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Saves the weights of the networks that the last step measured in the run's folder.
    pub fn keep_weights(&self, ctx: &Ctx) -> Result<()> {
        self.measured.1.write(ctx, self.step, &self.measured.0)
    }

    /// Returns the leg whose networks the last step observed, the number of its epochs, and what was observed.
    pub fn seen(&self) -> Option<&(usize, f64, Look)> {
        self.seen.as_ref()
    }

    /// Returns whether everything is done.
    pub fn is_done(&self) -> bool {
        self.leg + 1 == self.plan.legs.len() && self.leg_is_done()
    }

    fn leg_is_done(&self) -> bool {
        self.follow.is_over() && self.moments == self.follow.leg.moments.len()
    }

    /// Describes what is being done.
    pub fn phase(&self) -> String {
        let doing = if self.follow.is_over() { "measuring" } else { "training" };
        format!("{}: {doing}", self.follow.leg.name)
    }

    /// Returns the work done in thousandths of the expected work, which is counted in samples learnt. A leg that ends
    /// earlier or later than expected jumps at its end.
    pub fn progress(&self) -> (i64, i64) {
        let plan = self.plan;
        let learning = |leg: usize| training_cost(plan, &plan.legs[leg]);
        let measuring = |leg: usize| measuring_cost(plan, &plan.legs[leg]);
        let share = self.moments as f64 / self.follow.leg.moments.len().max(1) as f64;
        let done = (0..self.leg).map(|leg| learning(leg) + measuring(leg)).sum::<f64>()
            + learning(self.leg) * self.follow.share()
            + measuring(self.leg) * share;
        let all = (0..plan.legs.len()).map(|leg| learning(leg) + measuring(leg)).sum::<f64>();
        // Not the samples themselves, which could be mistaken for steps while there are few of both.
        ((done / all * 1000.0).round() as i64, 1000)
    }

    /// Returns the number of useful threads for the next step.
    pub fn useful_threads(&self, available: usize) -> usize {
        if self.follow.is_over() {
            return available;
        }
        let leg = self.follow.leg;
        useful_threads(available, self.plan.shape.widths(), leg.trials, leg.batch)
    }

    /// Makes one update of a leg's networks by `update`, which receives the leg, its networks and their data, or measures
    /// those of one moment.
    pub fn advance(
        &mut self,
        update: impl FnOnce(usize, &mut Ensemble, &Samples) -> Result<()>,
    ) -> Result<()> {
        self.step += 1;
        self.seen = None;
        self.measured = Default::default();
        if self.leg_is_done() {
            let Some(leg) = self.plan.legs.get(self.leg + 1) else { return Ok(()) };
            (self.leg, self.moments) = (self.leg + 1, 0);
            self.follow = Follow::new(self.plan, leg, most(self.plan, leg, &self.networks))?;
        } else if self.follow.is_over() {
            return self.measure();
        } else {
            update(self.leg, &mut self.follow.ensemble, self.plan.learnt(self.follow.leg))?;
        }
        self.look()
    }

    /// Measures the networks of the next moment.
    fn measure(&mut self) -> Result<()> {
        let (leg, moment) = (self.follow.leg, self.follow.leg.moments[self.moments]);
        let (places, parameters) = self.follow.kept(self.moments)?;
        self.moments += 1;
        if places.is_empty() {
            return Ok(());
        }
        if !matches!(moment, Moment::Early(_)) {
            self.measured.0 = format!("{} {}", leg.name, moment.name());
            for (i, (trial, _)) in places.iter().enumerate() {
                let name = format!("{}.{}.{trial}", leg.name, moment.name());
                let flat = parameters.f_select(0, i as i64)?;
                self.measured.1.flat(&name, self.plan.shape.widths(), &flat)?;
            }
        }
        let found = measure(self.plan, leg, moment, &parameters)?;
        for ((trial, step), measures) in places.into_iter().zip(found) {
            self.networks.push(Network { leg: self.leg, trial, moment, step, measures });
        }
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        let (leg, epoch) = (self.leg, self.follow.epoch());
        self.seen = self.follow.look()?.map(|look| (leg, epoch, look));
        Ok(())
    }

    /// Saves everything needed to continue.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        self.follow.save(&mut saving)?;
        saving.integers("position", &[self.leg as i64, self.step, self.moments as i64])?;
        let places = self.networks.iter().flat_map(|network| {
            let moments = &self.plan.legs[network.leg].moments;
            let moment = moments.iter().position(|moment| *moment == network.moment).unwrap_or_default();
            [network.leg as i64, network.trial, moment as i64, network.step]
        });
        saving.integers("networks", &places.collect::<Vec<_>>())?;
        let measures: Vec<Measures> = self.networks.iter().map(|network| network.measures).collect();
        saving.records("measures", &measures)?;
        saving.checkpoint(dir)
    }

    /// Restores what [`Course::save`] saved.
    pub fn restore(plan: &'a Plan, dir: &Path) -> Result<Self> {
        let saved = Saved::checkpoint(dir)?;
        let wrong = || Error::from(saved.misfit());
        let [leg, step, measured] = saved.exactly("position")?;
        let places = saved.integers("networks")?;
        let networks = places
            .chunks(4)
            .zip(saved.records("measures")?)
            .map(|(place, measures)| {
                let [leg, trial, moment, step] = *place else { return Err(wrong()) };
                let moments = plan.legs.get(leg as usize).map(|leg| &leg.moments);
                let moment = moments.and_then(|moments| moments.get(moment as usize)).ok_or_else(wrong)?;
                Ok(Network { leg: leg as usize, trial, moment: *moment, step, measures })
            })
            .collect::<Result<Vec<Network>>>()?;
        let follow = match plan.legs.get(leg as usize) {
            Some(leg) => Follow::restore(plan, leg, most(plan, leg, &networks), &saved)?,
            None => return Err(wrong()),
        };
        let moments = measured as usize;
        let measured = Default::default();
        Ok(Self { plan, leg: leg as usize, step, follow, moments, networks, seen: None, measured })
    }
}

/// A network at another rate is given up after this multiple of the updates of the slowest one at the common rate.
const PATIENCE: i64 = 3;

/// Returns the step after which a leg of [`Purpose::Rates`] is given up, if networks of its batch size reached the training loss.
fn most(plan: &Plan, leg: &Leg, networks: &[Network]) -> Option<i64> {
    let slowest = networks
        .iter()
        .filter(|network| {
            let other = &plan.legs[network.leg];
            other.purpose == Purpose::Batches
                && other.batch == leg.batch
                && matches!(network.moment, Moment::Loss(_))
        })
        .map(|network| network.step)
        .max();
    slowest.filter(|_| leg.purpose == Purpose::Rates).map(|step| PATIENCE * step.max(1))
}
