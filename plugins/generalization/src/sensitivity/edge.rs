//! Edge of stability: full-batch gradient descent at rate η drives the Hessian's largest eigenvalue up to 2/η, where it stays.
//!
//! Cohen, Kaur, Li, Kolter and Talwalkar, "Gradient descent on neural networks typically occurs at the edge of stability",
//! 2021. An absolute law, so a check of the training and the curvature together.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::curvature::lanczos;
use gradtop_toolkit::curvature::network::Network;
use gradtop_toolkit::curvature::spectrum::rows;
use gradtop_toolkit::mlp::{Activation, Loss, Mlp};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::weights::Weights;
use tch::{Kind, Tensor};

use super::plan::{EDGE_WIDTHS, Plan};

/// Lanczos steps for the largest eigenvalue.
const LANCZOS: usize = 20;
/// Looks over all steps.
const LOOKS: i64 = 60;

/// The largest eigenvalue of every run at one step, and its loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Steps of gradient descent.
    pub step: i64,
    /// λmax of each run.
    pub lambdas: Vec<f64>,
    /// Loss of each run: ½ Σ over outputs, mean over samples.
    pub losses: Vec<f64>,
}

/// Gradient descent of all rates at one step.
pub struct Edge<'a> {
    plan: &'a Plan,
    network: Network,
    /// `[runs, parameters]`.
    parameters: Tensor,
    /// η times what makes the mean over outputs half the sum over them: `[runs, 1]`.
    rates: Tensor,
    step: i64,
    points: Vec<Point>,
}

impl<'a> Edge<'a> {
    /// At step 0, looked at.
    ///
    /// # Errors
    /// libtorch's.
    pub fn new(plan: &'a Plan) -> Result<Self> {
        let each = plan.params.edge_networks;
        let mut mlp = Mlp::zeros(&EDGE_WIDTHS, each, Kind::Float, plan.device)?;
        mlp.init_uniform(plan.seed, Stream::named("edge/init"))?;
        let starts = (0..each).map(|trial| mlp.trial_parameters(trial)).collect::<Result<Vec<_>, _>>()?;
        let parameters = Tensor::f_stack(&starts, 0)?.f_repeat([plan.edge_rates.len() as i64, 1])?;
        let rates: Vec<f64> =
            (0..plan.edge_runs() as usize).map(|run| plan.edge_run(run).0 * half_sum()).collect();
        let rates = Tensor::f_from_slice(&rates)?.f_to_kind(Kind::Float)?.f_to_device(plan.device)?;
        let mut edge = Self {
            plan,
            network: Network::new(&EDGE_WIDTHS, Activation::Tanh, Loss::MeanSquared)?,
            parameters,
            rates: rates.f_view([-1, 1])?,
            step: 0,
            points: Vec::new(),
        };
        edge.look()?;
        Ok(edge)
    }

    /// Adds the networks where they are now, as `edge.<rate>.<trial>`.
    pub(super) fn keep(&self, weights: &mut Weights) -> Result<()> {
        for run in 0..self.plan.edge_runs() {
            let (rate, trial) = self.plan.edge_run(run as usize);
            weights.flat(
                &format!("edge.{rate}.{trial}"),
                &EDGE_WIDTHS,
                &self.parameters.f_select(0, run)?,
            )?;
        }
        Ok(())
    }

    /// Steps done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// What was seen so far.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether this step is looked at.
    pub(super) fn is_look(&self) -> bool {
        let steps = self.plan.params.edge_steps;
        self.step % (steps / LOOKS).max(1) == 0 || self.step == steps
    }

    /// One step of every run, and a look where it is due.
    ///
    /// # Errors
    /// libtorch's.
    pub fn advance(&mut self) -> Result<()> {
        let (_, gradient) = self.network.gradient(&self.parameters, &self.plan.edge_samples)?;
        self.parameters.f_sub_(&gradient.f_mul(&self.rates)?).map(drop)?;
        self.step += 1;
        if self.is_look() {
            self.look()?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        let at = self.network.at(&self.parameters, &self.plan.edge_samples)?;
        let losses = self.network.losses(&self.parameters, &self.plan.edge_samples)?;
        let losses: Vec<f64> =
            rows(&losses.f_view([-1, 1])?)?.concat().iter().map(|l| l * half_sum()).collect();
        // A run that has diverged has no eigenvalues, and libtorch's decomposition would fail.
        let alive = losses.iter().all(|loss| loss.is_finite());
        let lambdas = if alive {
            let found =
                lanczos::lanczos(&self.parameters, LANCZOS, self.plan.seed, |v| at.hessian_vector(v))?;
            found.iter().map(|run| run.values.last().map_or(f64::NAN, |v| v * half_sum())).collect()
        } else {
            vec![f64::NAN; losses.len()]
        };
        self.points.push(Point { step: self.step, lambdas, losses });
        Ok(())
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        saving.integers("edge.step", &[self.step])?;
        saving.tensor("edge.parameters", &self.parameters)?;
        saving.integers("edge.steps", &self.points.iter().map(|point| point.step).collect::<Vec<_>>())?;
        let numbers: Vec<f64> =
            self.points.iter().flat_map(|point| point.lambdas.iter().chain(&point.losses).copied()).collect();
        saving.numbers("edge.points", &numbers)?;
        Ok(())
    }

    pub(super) fn restore(plan: &'a Plan, saved: &Saved) -> Result<Self> {
        let mut edge = Self::new(plan)?;
        let wrong = || Error::new("the checkpoint's edge of stability is of other parameters");
        let [step] = saved.integers("edge.step")?[..] else { return Err(wrong()) };
        let parameters = saved.tensor("edge.parameters")?;
        let (steps, numbers) = (saved.integers("edge.steps")?, saved.numbers("edge.points")?);
        let runs = plan.edge_runs() as usize;
        if parameters.size() != edge.parameters.size() || numbers.len() != 2 * runs * steps.len() {
            return Err(wrong());
        }
        edge.step = step;
        edge.parameters.f_copy_(parameters)?;
        edge.points = steps
            .iter()
            .zip(numbers.chunks(2 * runs))
            .map(|(step, both)| Point {
                step: *step,
                lambdas: both[..runs].to_vec(),
                losses: both[runs..].to_vec(),
            })
            .collect();
        Ok(edge)
    }
}

/// Half the sum over outputs, in means over outputs.
fn half_sum() -> f64 {
    EDGE_WIDTHS[EDGE_WIDTHS.len() - 1] as f64 / 2.0
}
