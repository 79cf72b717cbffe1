//! Trains with one method at one rate and measures the sharpness.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::curvature::{lanczos, network};
use gradtop_toolkit::data::{self, CLASSES};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::Watched;
use gradtop_toolkit::mlp::{Activation, Evaluator, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::record;
use gradtop_toolkit::rng::Stream;
use tch::{Device, Kind, TchError, Tensor};

use super::{EdgeOfStability, Method};

/// Maximum number of Lanczos steps.
const LANCZOS: usize = 100;
/// Relative bound of an eigenvalue. Its error is far smaller: at most the bound's square divided by the distance to the next.
const TOLERANCE: f64 = 1e-3;
/// Number of measurements of a catapult, which is over in a few steps.
const CATAPULT_LOOKS: i64 = 100;

/// The data and the network.
pub struct Problem {
    /// The training data for ensembles.
    pub train: Samples,
    /// The same for curvature.
    pub curved: network::Samples,
    /// Shape, activation and loss.
    pub network: network::Network,
    /// Description of the data.
    pub title: String,
}

impl Problem {
    /// Creates a problem from samples `[n, inputs]` with targets `[n, outputs]`, a tanh network with these hidden
    /// layers, and the mean squared error. Without hidden layers the loss is quadratic.
    pub fn new(inputs: &Tensor, targets: &Tensor, hidden: &[i64], title: &str) -> Result<Self, TchError> {
        let widths = [&[inputs.size()[1]], hidden, &[targets.size()[1]]].concat();
        Ok(Self {
            train: Samples::new(inputs, targets, inputs.kind(), inputs.device())?,
            curved: network::Samples::new(inputs, targets)?,
            network: network::Network::new(&widths, Activation::Tanh, Loss::MeanSquared)?,
            title: title.to_owned(),
        })
    }

    /// Creates a problem from the first images of a training set, standardised, with one-hot classes.
    ///
    /// # Errors
    /// The data cannot be read, or there are too few images.
    pub fn images(params: &EdgeOfStability, device: Device) -> Result<Self> {
        let dataset = data::load(&params.dataset)?;
        let (all, count) = (dataset.train.len() as i64, params.samples);
        if count > all {
            return Err(Error::invalid(format!(
                "parameter `samples` is {count}, {} has {all}",
                dataset.title
            )));
        }
        let inputs = dataset.train.features(device)?.f_narrow(0, 0, count)?;
        let targets = dataset.train.labels(device)?.f_narrow(0, 0, count)?.f_one_hot(CLASSES)?;
        let title = format!("the first {count} images of {}, standardised", dataset.title);
        Ok(Self::new(&inputs, &targets.f_to_kind(Kind::Float)?, &params.hidden, &title)?)
    }

    fn networks(&self, count: i64) -> Result<Mlp, TchError> {
        let mlp = Mlp::zeros(self.network.widths(), count, self.train.kind(), self.train.device())?;
        Ok(mlp.with(Activation::Tanh, Loss::MeanSquared))
    }

    /// Returns the largest eigenvalue of each network's Hessian; with a preconditioner P in the layout of the
    /// parameters, that of P⁻¹H, which has the eigenvalues of the symmetric P^(−½) H P^(−½).
    pub fn sharpness(&self, mlp: &Mlp, preconditioner: Option<&Tensor>, seed: u64) -> Result<Vec<f64>> {
        let parameters = mlp.rows(mlp.parameters())?;
        let at = self.network.at(&parameters, &self.curved)?;
        let scale = preconditioner.map(|p| mlp.rows(p)?.f_rsqrt()).transpose()?;
        let found = lanczos::largest(&parameters, LANCZOS, TOLERANCE, seed, |v| match &scale {
            Some(scale) => at.hessian_vector(&v.f_mul(scale)?)?.f_mul(scale),
            None => at.hessian_vector(v),
        })?;
        Ok(found.values)
    }
}

/// A network at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Mean squared error over all samples.
    pub loss: f64,
    /// Largest eigenvalue of the Hessian. NaN once the network has diverged.
    pub lambda_max: f64,
    /// The same for the preconditioned Hessian with Adam (NaN before the first update); else equal to `lambda_max`.
    pub sharpness: f64,
}

record!(Look { loss, lambda_max, sharpness });

/// All networks of a [`Descent`] at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Number of updates done.
    pub step: i64,
    /// Network by network.
    pub networks: Vec<Look>,
}

/// Networks trained together, with one method at one rate.
pub struct Descent {
    /// The method.
    pub method: Method,
    /// Description of the rate.
    pub setting: String,
    /// The update rule.
    pub rule: Rule,
    /// Index of the first network, among those with the same initial values for every method.
    pub first: i64,
    /// Number of updates to make.
    pub steps: i64,
    /// The networks.
    pub ensemble: Ensemble,
    /// The measurements.
    pub points: Vec<Point>,
    every: i64,
    seed: u64,
    evaluator: Evaluator,
}

impl Descent {
    /// Creates every method at every rate, at step 0. Network t of each has the same initial values.
    pub fn all(params: &EdgeOfStability, problem: &Problem, seed: u64) -> Result<Vec<Self>> {
        let mut start = problem.networks(params.networks)?;
        start.init_uniform(seed, Stream::named("edge-of-stability/init"))?;
        let mut all = Vec::new();
        for &method in &params.methods {
            let mut add = |setting: String, rule: Rule, members: std::ops::Range<i64>| -> Result<()> {
                all.push(Self::new(params, problem, (method, setting, rule), &start, members, seed)?);
                Ok(())
            };
            let mut every = |rates: &[f64], rule: &dyn Fn(f64) -> Rule| {
                rates.iter().try_for_each(|&lr| add(format!("rate {lr}"), rule(lr), 0..params.networks))
            };
            match method {
                Method::Gd | Method::Sgd => every(&params.gd_rates, &|lr| Rule::Sgd { lr, momentum: 0.0 })?,
                Method::Momentum => {
                    every(&params.momentum_rates, &|lr| Rule::Sgd { lr, momentum: params.momentum })?;
                }
                Method::Adam => every(&params.adam_rates, &|lr| Rule::Adam { lr })?,
                Method::Catapult => {
                    let initial = problem.sharpness(&start, None, seed)?;
                    for factor in &params.catapult_factors {
                        for (network, lambda) in (0..).zip(&initial) {
                            let rule = Rule::Sgd { lr: factor * 2.0 / lambda, momentum: 0.0 };
                            add(format!("{factor} times 2/λ"), rule, network..network + 1)?;
                        }
                    }
                }
            }
        }
        Ok(all)
    }

    fn new(
        params: &EdgeOfStability,
        problem: &Problem,
        (method, setting, rule): (Method, String, Rule),
        start: &Mlp,
        members: std::ops::Range<i64>,
        seed: u64,
    ) -> Result<Self> {
        let mut mlp = problem.networks(members.end - members.start)?;
        for (trial, network) in members.clone().enumerate() {
            mlp.set_trial_parameters(trial as i64, &start.trial_parameters(network)?)?;
        }
        let batch = if method == Method::Sgd { params.batch } else { problem.train.count() };
        let (steps, every) = match method {
            Method::Catapult => (params.catapult_steps, (params.catapult_steps / CATAPULT_LOOKS).max(1)),
            _ => (params.steps, params.every),
        };
        let optimizer = Optimizer::new(rule, mlp.parameters())?;
        let evaluator = Evaluator::new(&mlp, &problem.train)?;
        let stream = Stream::named("edge-of-stability/batches");
        let ensemble = Ensemble::new(mlp, optimizer, &problem.train, batch, seed, stream)?;
        let first = members.start;
        Ok(Self { method, setting, rule, first, steps, ensemble, points: Vec::new(), every, seed, evaluator })
    }

    /// Returns method and rate, as used in files and series.
    pub fn name(&self) -> String {
        format!("{}, {}", self.method.name(), self.setting)
    }

    /// Returns whether it is measured at this step.
    pub fn due(&self, step: i64) -> bool {
        let behind = self.points.last().is_none_or(|point| point.step < self.steps);
        behind && (step >= self.steps || step % self.every == 0)
    }

    /// Returns whether a sharpness is defined at this step.
    pub(crate) fn measurable(&self, step: i64) -> bool {
        step > 0 || self.method != Method::Adam
    }

    /// Measures every network in its current state.
    pub fn look(&mut self, problem: &Problem) -> Result<()> {
        let (mlp, step) = (&self.ensemble.mlp, self.ensemble.step());
        let losses = self.evaluator.evaluate(mlp)?.loss;
        let lambdas = problem.sharpness(mlp, None, self.seed)?;
        let sharpness = match self.ensemble.optimizer().preconditioner()? {
            Some(preconditioner) => problem.sharpness(mlp, Some(&preconditioner), self.seed)?,
            None if self.measurable(step) => lambdas.clone(),
            None => vec![f64::NAN; lambdas.len()],
        };
        let networks = losses.into_iter().zip(lambdas).zip(sharpness);
        let networks =
            networks.map(|((loss, lambda_max), sharpness)| Look { loss, lambda_max, sharpness }).collect();
        self.points.push(Point { step, networks });
        Ok(())
    }

    fn key(&self) -> String {
        format!("{}.{}", self.name(), self.first)
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        let key = self.key();
        self.ensemble.save(&key, saving)?;
        let steps: Vec<i64> = self.points.iter().map(|point| point.step).collect();
        saving.integers(&format!("{key}.steps"), &steps)?;
        let looks: Vec<Look> = self.points.iter().flat_map(|point| point.networks.clone()).collect();
        Ok(saving.records(&format!("{key}.looks"), &looks)?)
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        let key = self.key();
        self.ensemble.restore(&key, saved)?;
        let steps = saved.integers(&format!("{key}.steps"))?;
        let looks: Vec<Look> = saved.records(&format!("{key}.looks"))?;
        let count = self.ensemble.mlp.trials() as usize;
        self.points = steps
            .into_iter()
            .zip(looks.chunks(count))
            .map(|(step, looks)| Point { step, networks: looks.to_vec() })
            .collect();
        Ok(())
    }
}
