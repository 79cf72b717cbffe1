//! `edge-of-stability`: where training drives the curvature, against the largest at which its steps are stable.
//!
//! For method, parameters and interpretation see docs/experiments/edge-of-stability.md.

mod conclusion;
pub mod descent;
mod figures;
mod tables;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::instruments::{self, Instruments, Name, Probe, Settings};
use gradtop_toolkit::metrics::Points;
use gradtop_toolkit::runtime;
use gradtop_toolkit::settings::useful_threads;
use gradtop_toolkit::weights::Weights;

use descent::{Descent, Problem};

/// Ways to train.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Gradient descent.
    Gd,
    /// Gradient descent with heavy-ball momentum.
    Momentum,
    /// Adam with the whole gradient.
    Adam,
    /// Gradient descent by mini-batches.
    Sgd,
    /// Gradient descent at a rate that is too large for the initial curvature.
    Catapult,
}

/// Trains on few images and follows the largest eigenvalue of the Hessian against the largest at which the method's steps are stable.
#[derive(Params, Clone, Debug)]
pub struct EdgeOfStability {
    /// How to train, comma-separated: gd, momentum, adam, sgd (mini-batches), catapult (a rate too large for the initial curvature)
    #[param(default = "gd,momentum,adam,sgd,catapult", distinct, nonempty)]
    pub methods: Vec<Method>,
    /// Images to learn
    #[param(default = "mnist", choices = ["mnist", "fashion-mnist"])]
    pub dataset: String,
    /// How many of them, the first of the training set
    #[param(default = 500, min = 2, max = 60_000, log)]
    pub samples: i64,
    /// Widths of the hidden layers, comma-separated
    #[param(default = "64,64", min = 1, max = 10_000, nonempty)]
    pub hidden: Vec<i64>,
    /// Networks with their own initial values, trained by each method at each rate
    #[param(default = 1, min = 1, max = 64)]
    pub networks: i64,
    /// Updates
    #[param(default = 2500, min = 1, max = 10_000_000, log)]
    pub steps: i64,
    /// Updates between measurements
    #[param(default = 50, min = 1)]
    pub every: i64,
    /// Learning rates of gd and sgd, comma-separated
    #[param(default = "0.25,0.4", min = 0.0, min_excluded, max = 100.0, distinct, nonempty)]
    pub gd_rates: Vec<f64>,
    /// Those of momentum
    #[param(default = "0.35,0.5", min = 0.0, min_excluded, max = 100.0, distinct, nonempty)]
    pub momentum_rates: Vec<f64>,
    /// Momentum
    #[param(default = 0.5, min = 0.0, max = 1.0, max_excluded)]
    pub momentum: f64,
    /// Learning rates of adam
    #[param(default = "3e-4,1e-3", min = 0.0, min_excluded, max = 1.0, distinct, nonempty)]
    pub adam_rates: Vec<f64>,
    /// Images in a mini-batch of sgd
    #[param(default = 8, min = 1, max = 60_000)]
    pub batch: i64,
    /// Rates of catapult, as multiples of 2/λ with each network's own initial eigenvalue λ; below 1 nothing is too large
    #[param(default = "2,3", min = 0.0, min_excluded, max = 100.0, distinct, nonempty)]
    pub catapult_factors: Vec<f64>,
    /// Updates of catapult
    #[param(default = 100, min = 1, max = 10_000_000, log)]
    pub catapult_steps: i64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for EdgeOfStability {
    fn info() -> Info {
        let info = Info::new("edge-of-stability", "Edge of stability: curvature against the step size", "")
            .resumable()
            .uses_device()
            .metric(Metric::new("loss").goal(Goal::Min).headline().log().help(
                "Mean squared error over all images and outputs with fixed weights; the split is the \
                 method, the model its rate",
            ))
            .metric(
                Metric::new("share_of_limit").headline().help(
                    "The sharpness over the largest at which the method's steps are stable on a quadratic",
                ),
            )
            .metric(Metric::new("sharpness").log().help(
                "Largest eigenvalue of the loss's Hessian; with adam, of the Hessian preconditioned \
                         as Adam's steps are",
            ))
            .metric(Metric::new("lambda_max").log().help("Largest eigenvalue of the loss's Hessian itself"))
            .preset(
                "quick",
                "200 images, a small network, one rate of each method",
                "samples=200 hidden=32 steps=800 every=20 gd_rates=0.3 momentum_rates=0.5 adam_rates=1e-3 \
                 catapult_factors=3 catapult_steps=60",
            )
            .preset("default", "500 images, two rates of each method, 2,500 steps", "")
            .preset(
                "full",
                "5 networks, three rates of each method, 10,000 steps; 1,000 of catapults",
                "networks=5 steps=10000 every=100 gd_rates=0.2,0.3,0.4 momentum_rates=0.3,0.4,0.5 \
                 adam_rates=1e-4,3e-4,1e-3 catapult_factors=0.9,1.5,2,3,4 catapult_steps=1000",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        if self.methods.contains(&Method::Sgd) && self.batch >= self.samples {
            return Err(Error::invalid(format!(
                "parameter `batch` is {}, but must be less than `samples`, which is {}: with all images, sgd is gd",
                self.batch, self.samples
            )));
        }
        Ok(())
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.validate()?;
        let (device, _no_graphs) = runtime::prepare(ctx);
        let problem = Problem::images(self, device)?;
        runtime::set_threads(useful_threads(
            ctx.threads(),
            problem.network.widths(),
            self.networks,
            self.samples,
        ));
        let mut descents = Descent::all(self, &problem, ctx.seed())?;
        ctx.declare_figures(figures::declare(self, &problem, &descents, ctx.seed(), &[]))?;
        let settings = figures::settings(self, &problem, ctx.seed());
        let mut instruments = Instruments::new(&self.instruments, ctx.seed(), &settings);
        let probes = descents
            .iter()
            .map(|descent| {
                let name = Name::of(&descent.name()).trial(descent.first);
                instruments.declare(ctx, name, &descent.ensemble.mlp, &problem.train)
            })
            .collect::<Result<Vec<Probe>>>()?;
        let last = descents.iter().map(|descent| descent.steps).max().unwrap_or(0);
        let mut start = 0;
        if let Some(dir) = ctx.resume_dir() {
            let saved = Saved::checkpoint(dir)?;
            descents.iter_mut().try_for_each(|descent| descent.restore(&saved))?;
            [start] = saved.exactly("step")?;
            ctx.info(format!("continuing from step {start}"))?;
        }
        let look = |descents: &mut [Descent], step: i64| -> Result<()> {
            for descent in descents.iter_mut().filter(|descent| descent.due(step)) {
                descent.look(&problem)?;
                log(ctx, descent)?;
            }
            Ok(())
        };
        for step in ctx.steps(start..last) {
            let step = step?;
            look(&mut descents, step)?;
            for (descent, probe) in descents.iter_mut().zip(&probes).filter(|(d, _)| step < d.steps) {
                probe.advance(ctx, &mut descent.ensemble, &problem.train)?;
            }
            ctx.checkpoint_if_due(step, |dir| {
                let mut saving = Saving::default();
                saving.integers("step", &[step + 1])?;
                descents.iter().try_for_each(|descent| descent.save(&mut saving))?;
                saving.checkpoint(dir)
            })?;
        }
        look(&mut descents, last)?;
        let mut weights = Weights::default();
        for descent in &descents {
            for trial in 0..descent.ensemble.mlp.trials() {
                let network = format!("{}.{}", descent.name(), descent.first + trial);
                weights.mlp(&network, &descent.ensemble.mlp, trial)?;
            }
        }
        weights.write(ctx, last, "networks")?;
        tables::write(ctx, &descents, last)?;
        let said = conclusion::write(ctx, self, &descents, last)?;
        ctx.declare_figures(figures::declare(self, &problem, &descents, ctx.seed(), &said))
    }
}

/// Logs the last measurement; before its first update, Adam has no preconditioner.
fn log(ctx: &Ctx, descent: &Descent) -> Result<()> {
    let Some(point) = descent.points.last() else { return Ok(()) };
    let mut points = Points::of(ctx);
    for (trial, look) in (descent.first..).zip(&point.networks) {
        let of = |metric| {
            Series::metric(metric).split(descent.method.name()).model(&descent.setting).trial(trial as i32)
        };
        points = points.one(of("loss"), look.loss)?.one(of("lambda_max"), look.lambda_max)?;
        if descent.measurable(point.step) {
            let share = look.sharpness / descent.rule.stability_limit();
            points = points.one(of("sharpness"), look.sharpness)?.one(of("share_of_limit"), share)?;
        }
    }
    points.log(point.step, f64::NAN)
}
