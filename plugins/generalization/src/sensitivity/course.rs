//! Leg after leg: training, then a measurement of each moment; at the end the edge of stability.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::Samples;
use gradtop_toolkit::settings::useful_threads;
use gradtop_toolkit::weights::Weights;

use super::edge::Edge;
use super::follow::{EDGE_STEP, Follow, measuring_cost, training_cost};
use super::measure::{Measures, NUMBERS, Network, measure};
use super::plan::{Leg, Moment, Plan, Purpose};

const FILE: &str = "course.safetensors";

/// What the last step saw, a value a trial or a run.
pub enum Seen {
    /// Networks of a leg.
    Leg {
        /// Index of the leg.
        leg: usize,
        /// Passes over what they learn.
        epoch: f64,
        /// Loss on the training images followed.
        loss: Vec<f64>,
        /// Sensitivity of logits.
        logits: Vec<f64>,
        /// Sensitivity of probabilities.
        probabilities: Vec<f64>,
    },
    /// Gradient descent.
    Edge {
        /// Largest eigenvalues.
        lambdas: Vec<f64>,
        /// Losses.
        losses: Vec<f64>,
    },
}

enum Work<'a> {
    /// Training, then measuring: how many moments are measured.
    Leg(Box<Follow<'a>>, usize),
    Edge(Box<Edge<'a>>),
}

/// A run at one step.
pub struct Course<'a> {
    plan: &'a Plan,
    /// Index of the leg; as many as there are legs: the edge.
    leg: usize,
    step: i64,
    work: Work<'a>,
    networks: Vec<Network>,
    seen: Option<Seen>,
    /// The networks that the last step measured, but not those that go on for more epochs.
    measured: (String, Weights),
}

impl<'a> Course<'a> {
    /// At step 0.
    ///
    /// # Errors
    /// libtorch's.
    pub fn new(plan: &'a Plan) -> Result<Self> {
        let work = Work::Leg(Box::new(Follow::new(plan, &plan.legs[0], None)?), 0);
        let measured = Default::default();
        let mut course = Self { plan, leg: 0, step: 0, work, networks: Vec::new(), seen: None, measured };
        course.look()?;
        Ok(course)
    }

    /// Steps done: updates, measurements, steps of gradient descent.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Networks measured so far.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Keeps the weights of the networks that the last step measured in the run's folder.
    ///
    /// # Errors
    /// The folder's.
    pub fn keep_weights(&self, ctx: &Ctx) -> Result<()> {
        self.measured.1.write(ctx, self.step, &self.measured.0)
    }

    /// Gradient descent, once it is at work.
    pub fn edge(&self) -> Option<&Edge<'a>> {
        match &self.work {
            Work::Edge(edge) => Some(edge),
            Work::Leg(..) => None,
        }
    }

    /// What the last step saw.
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// Whether everything is done.
    pub fn is_done(&self) -> bool {
        match &self.work {
            Work::Leg(follow, measured) => {
                let last = self.leg + 1 == self.plan.legs.len() && self.plan.params.edge_steps == 0;
                last && follow.is_over() && *measured == follow.leg.moments.len()
            }
            Work::Edge(edge) => edge.step() == self.plan.params.edge_steps,
        }
    }

    /// What is being done, for people.
    pub fn phase(&self) -> String {
        match &self.work {
            Work::Leg(follow, _) if follow.is_over() => format!("{}: measuring", follow.leg.name),
            Work::Leg(follow, _) => format!("{}: training", follow.leg.name),
            Work::Edge(_) => "edge of stability".to_owned(),
        }
    }

    /// Work done, in thousandths of that expected, which is counted in samples learnt from: a leg that ends earlier or later than expected moves on at its end.
    pub fn progress(&self) -> (i64, i64) {
        let plan = self.plan;
        let learning = |leg: usize| training_cost(plan, &plan.legs[leg]);
        let measuring = |leg: usize| measuring_cost(plan, &plan.legs[leg]);
        let edge = (plan.params.edge_steps * plan.edge_runs()) as f64 * EDGE_STEP;
        let begun = self.leg.min(plan.legs.len());
        let mut done: f64 = (0..begun).map(|leg| learning(leg) + measuring(leg)).sum();
        done += match &self.work {
            Work::Leg(follow, measured) => {
                let share = *measured as f64 / follow.leg.moments.len().max(1) as f64;
                learning(self.leg) * follow.share() + measuring(self.leg) * share
            }
            Work::Edge(now) => edge * now.step() as f64 / plan.params.edge_steps.max(1) as f64,
        };
        let all = (0..plan.legs.len()).map(|leg| learning(leg) + measuring(leg)).sum::<f64>() + edge;
        // Not the samples themselves, which would be taken for steps while there are few of both.
        ((done / all * 1000.0).round() as i64, 1000)
    }

    /// Threads worth using for the next step.
    pub fn useful_threads(&self, available: usize) -> usize {
        match &self.work {
            Work::Leg(follow, _) if !follow.is_over() => {
                useful_threads(available, self.plan.shape.widths(), follow.leg.trials, follow.leg.batch)
            }
            _ => available,
        }
    }

    /// One update of a leg's networks, a measurement of those of one moment, or one step of gradient descent.
    ///
    /// # Errors
    /// libtorch's.
    pub fn advance(&mut self) -> Result<()> {
        self.advance_by(|_, ensemble, train| Ok(ensemble.advance(train)?))
    }

    /// The same with updates of a leg's networks as `update` does them, given the leg, its networks and what they learn.
    ///
    /// # Errors
    /// Those of `update`, and libtorch's.
    pub fn advance_by(
        &mut self,
        update: impl FnOnce(usize, &mut Ensemble, &Samples) -> Result<()>,
    ) -> Result<()> {
        self.step += 1;
        self.seen = None;
        self.measured = Default::default();
        if let Work::Leg(follow, measured) = &self.work
            && follow.is_over()
            && *measured == follow.leg.moments.len()
        {
            self.leg += 1;
            self.work = match self.plan.legs.get(self.leg) {
                Some(leg) => {
                    let most = most(self.plan, leg, &self.networks);
                    Work::Leg(Box::new(Follow::new(self.plan, leg, most)?), 0)
                }
                None => Work::Edge(Box::new(Edge::new(self.plan)?)),
            };
            return self.look();
        }
        match &mut self.work {
            Work::Leg(follow, measured) if follow.is_over() => {
                let (leg, moment) = (follow.leg, follow.leg.moments[*measured]);
                let (places, parameters) = follow.kept(*measured)?;
                if !places.is_empty() {
                    if !matches!(moment, Moment::Early(_)) {
                        self.measured.0 = format!("{} {}", leg.name, moment.name());
                        for (i, (trial, _)) in places.iter().enumerate() {
                            let name = format!("{}.{}.{trial}", leg.name, moment.name());
                            self.measured.1.flat(
                                &name,
                                self.plan.shape.widths(),
                                &parameters.f_select(0, i as i64)?,
                            )?;
                        }
                    }
                    let found = measure(self.plan, leg, moment, &parameters)?;
                    for ((trial, step), measures) in places.into_iter().zip(found) {
                        self.networks.push(Network { leg: self.leg, trial, moment, step, measures });
                    }
                }
                *measured += 1;
                return Ok(());
            }
            Work::Leg(follow, _) => follow.advance(|ensemble, train| update(self.leg, ensemble, train))?,
            Work::Edge(edge) => edge.advance()?,
        }
        self.look()
    }

    fn look(&mut self) -> Result<()> {
        self.seen = match &mut self.work {
            Work::Leg(follow, _) => {
                let epoch = follow.epoch();
                follow.look()?.map(|look| Seen::Leg {
                    leg: self.leg,
                    epoch,
                    loss: look.loss,
                    logits: look.logits,
                    probabilities: look.probabilities,
                })
            }
            Work::Edge(edge) => {
                let point = edge.points().last().filter(|_| edge.is_look());
                point.map(|point| Seen::Edge { lambdas: point.lambdas.clone(), losses: point.losses.clone() })
            }
        };
        Ok(())
    }

    /// Writes everything that going on needs.
    ///
    /// # Errors
    /// The file's.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        let measured = match &self.work {
            Work::Leg(follow, measured) => {
                follow.save(&mut saving)?;
                *measured
            }
            Work::Edge(edge) => {
                edge.save(&mut saving)?;
                0
            }
        };
        saving.integers("position", &[self.leg as i64, self.step, measured as i64])?;
        let places = self.networks.iter().flat_map(|network| {
            let moments = &self.plan.legs[network.leg].moments;
            let moment = moments.iter().position(|moment| *moment == network.moment).unwrap_or_default();
            [network.leg as i64, network.trial, moment as i64, network.step]
        });
        saving.integers("networks", &places.collect::<Vec<_>>())?;
        let numbers = self.networks.iter().flat_map(|network| network.measures.numbers());
        saving.numbers("measures", &numbers.collect::<Vec<_>>())?;
        Ok(saving.write(&dir.join(FILE))?)
    }

    /// Goes on from what [`Course::save`] wrote.
    ///
    /// # Errors
    /// The file's, and a checkpoint of other parameters.
    pub fn restore(plan: &'a Plan, dir: &Path) -> Result<Self> {
        let saved = Saved::read(&dir.join(FILE))?;
        let wrong = || Error::new(format!("the checkpoint in {} is of other parameters", dir.display()));
        let [leg, step, measured] = saved.integers("position")?[..] else { return Err(wrong()) };
        let (places, numbers) = (saved.integers("networks")?, saved.numbers("measures")?);
        let networks = places
            .chunks(4)
            .zip(numbers.chunks(NUMBERS))
            .map(|(place, numbers)| {
                let [leg, trial, moment, step] = *place else { return Err(wrong()) };
                let moments = plan.legs.get(leg as usize).map(|leg| &leg.moments);
                let moment = moments.and_then(|moments| moments.get(moment as usize)).ok_or_else(wrong)?;
                let measures = Measures::of(numbers.try_into().map_err(|_| wrong())?);
                Ok(Network { leg: leg as usize, trial, moment: *moment, step, measures })
            })
            .collect::<Result<Vec<Network>>>()?;
        let work = match plan.legs.get(leg as usize) {
            Some(leg) => {
                let most = most(plan, leg, &networks);
                Work::Leg(Box::new(Follow::restore(plan, leg, most, &saved)?), measured as usize)
            }
            None => Work::Edge(Box::new(Edge::restore(plan, &saved)?)),
        };
        Ok(Self { plan, leg: leg as usize, step, work, networks, seen: None, measured: Default::default() })
    }
}

/// Times the updates of the slowest network at the common rate after which one at another rate is given up.
const PATIENCE: i64 = 3;

/// The step after which a leg of [`Purpose::Rates`] is given up, if networks of its batch size came to the training loss.
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
