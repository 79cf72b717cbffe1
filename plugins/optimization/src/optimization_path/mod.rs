//! `optimization-path`: where independent trainings go, seen in the principal components of their weights.
//!
//! For method, parameters and interpretation see docs/experiments/optimization-path.md.

mod conclusion;
mod figures;
mod path;
mod training;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::instruments::{self, Instruments, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;

use gradtop_toolkit::settings::{Method, useful_threads};
use gradtop_toolkit::weights::Weights;
use path::Path;
use training::Training;

/// Trains independent networks, records their weights every few epochs, and projects all of them onto two principal components.
#[derive(Params, Clone, Debug)]
pub struct OptimizationPath {
    /// Images to learn
    #[param(default = "mnist", choices = ["mnist", "fashion-mnist"])]
    pub dataset: String,
    /// Widths of the hidden layers, comma-separated
    #[param(default = "15,30", min = 1, max = 10_000, nonempty)]
    pub hidden: Vec<i64>,
    /// Networks with their own initial values and batches, trained at once
    #[param(default = 8, min = 2, max = 64)]
    pub runs: i64,
    /// Passes over the training set
    #[param(default = 30, min = 1, max = 10_000, log)]
    pub epochs: i64,
    /// Epochs between records of the weights
    #[param(default = 3, min = 1, max = 10_000)]
    pub every: i64,
    /// The layer whose weights are analysed in addition to the whole network, counted from 1
    #[param(default = 1, min = 1, max = 20)]
    pub layer: i64,
    /// Samples per step
    #[param(default = 128, min = 1, max = 60_000)]
    pub batch: i64,
    /// Optimizer
    #[param(default = "adam")]
    pub optimizer: Method,
    /// Learning rate
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Momentum of sgd; adam ignores it
    #[param(default = 0.9, min = 0.0, max = 1.0, max_excluded)]
    pub momentum: f64,
    /// Training images, drawn by the seed; 0: all
    #[param(default = 0, min = 0, max = 60_000)]
    pub train_samples: i64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for OptimizationPath {
    fn info() -> Info {
        let info =
            Info::new("optimization-path", "Optimization path: weights in their principal components", "")
                .resumable()
                .uses_device()
                .metric(metrics::accuracy(
                    "Share of images classified rightly, over a whole set with fixed weights",
                ))
                .metric(
                    Metric::new("loss")
                        .unit("nats")
                        .goal(Goal::Min)
                        .guard()
                        .log()
                        .help("Cross entropy, mean over a whole set with fixed weights"),
                )
                .metric(
                    Metric::new("distance")
                        .help("Euclidean distance of all weights and biases from their initial values"),
                )
                .preset(
                    "quick",
                    "10,000 images, 3 epochs, weights after each",
                    "train_samples=10000 epochs=3 every=1",
                )
                .preset("default", "The report's network, 8 runs of 30 epochs, weights every 3", "")
                .preset("full", "16 runs of 60 epochs", "runs=16 epochs=60");
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        Training::new(self, 0, tch::Device::Cpu).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let mut training = Training::new(self, ctx.seed(), device)?;
        let mlp = &training.ensemble.mlp;
        runtime::set_threads(useful_threads(ctx.threads(), mlp.widths(), self.runs, self.batch));
        let mut path = Path::new(self, &training)?;
        ctx.declare_figures(figures::declare(self, &training, &path, ctx.seed(), &[]))?;
        let settings = figures::settings(self, &training, ctx.seed());
        let mut instruments = Instruments::new(&self.instruments, ctx.seed(), &settings);
        let probe = instruments.declare(ctx, "", &training.ensemble.mlp, &training.train)?;
        if let Some(dir) = ctx.resume_dir() {
            let saved = Saved::checkpoint(dir)?;
            training.ensemble.restore("runs", &saved)?;
            path.restore(&saved)?;
            ctx.info(format!("continuing from epoch {:.2}", training.ensemble.epoch()))?;
        } else {
            self.evaluate(ctx, &training, &mut path)?;
        }
        let per_epoch = training.ensemble.steps_per_epoch();
        for step in ctx.steps(training.ensemble.step()..self.epochs * per_epoch) {
            let step = step? + 1;
            probe.advance(ctx, &mut training.ensemble, &training.train)?;
            if step % per_epoch == 0 {
                self.evaluate(ctx, &training, &mut path)?;
            }
            ctx.checkpoint_if_due(step, |dir| {
                let mut saving = Saving::default();
                training.ensemble.save("runs", &mut saving)?;
                path.save(&mut saving)?;
                saving.checkpoint(dir)
            })?;
        }
        let mut weights = Weights::default();
        weights.ensemble("run", &training.ensemble.mlp)?;
        weights.write(ctx, training.ensemble.step(), "networks")?;
        let said = conclusion::write(ctx, &training, &path)?;
        ctx.declare_figures(figures::declare(self, &training, &path, ctx.seed(), &said))
    }
}

impl OptimizationPath {
    /// Called at the end of an epoch: logs accuracies, and every few epochs the weights and the figures of all so far.
    fn evaluate(&self, ctx: &Ctx, training: &Training, path: &mut Path) -> Result<()> {
        let step = training.ensemble.step();
        let epoch = step / training.ensemble.steps_per_epoch();
        let test = training.test.evaluate(&training.ensemble.mlp)?;
        let distances = path.distances(&training.ensemble.mlp)?;
        let of = |metric, split| Series::metric(metric).split(split);
        let mut points = Points::of(ctx)
            .trials(of("accuracy", "test"), &test.accuracy)?
            .trials(of("loss", "test"), &test.loss)?
            .trials(Series::metric("distance"), &distances)?;
        let recorded = epoch % self.every == 0 || epoch == self.epochs;
        if recorded {
            let train = training.train_set.evaluate(&training.ensemble.mlp)?;
            points = points.trials(of("accuracy", "train"), &train.accuracy)?;
            points = points.trials(of("loss", "train"), &train.loss)?;
        }
        points.log(step, epoch as f64)?;
        if let Some(run) = test.loss.iter().position(|loss| !loss.is_finite()) {
            return Err(Error::new(format!(
                "run {run} has diverged by epoch {epoch}: its loss is {}; principal components of all runs need finite \
                 weights, so a smaller lr may help",
                test.loss[run]
            )));
        }
        if recorded {
            path.record(&training.ensemble.mlp, epoch, &test.accuracy)?;
            if path.records() > 1 {
                path.analyse()?;
                path.write(ctx, step)?;
                ctx.declare_figures(figures::declare(self, training, path, ctx.seed(), &[]))?;
            }
        }
        Ok(())
    }
}
