//! `gradient-norm`: the norm of the gradient while a network trains, with the loss.
//!
//! For method, parameters and interpretation see docs/experiments/gradient-norm.md.

mod conclusion;
mod figures;
mod history;
pub mod task;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::instruments::{self, Instruments, Probe, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;
use gradtop_toolkit::weights::Weights;

use gradtop_toolkit::settings::Method;
use history::Measured;
use task::Task;
pub use task::TaskName;

/// Follows the norm of the gradient, over all data and over mini-batches, in total and of each layer, while networks learn.
#[derive(Params, Clone, Debug)]
pub struct GradientNorm {
    /// What is learnt, comma-separated: sinc-full (a function, by its full gradient), sinc-batch (by mini-batches), mnist
    #[param(default = "sinc-full,sinc-batch,mnist", distinct, nonempty)]
    pub tasks: Vec<TaskName>,
    /// Networks with their own initial values and batches, trained at once
    #[param(default = 3, min = 1, max = 64)]
    pub trials: i64,
    /// Steps between measurements
    #[param(default = 20, min = 1)]
    pub every: i64,
    /// Points of the equidistant grid of sinc on [1e-4, 1]
    #[param(default = 1000, min = 2, max = 100_000, log)]
    pub points: i64,
    /// Updates on sinc
    #[param(default = 20_000, min = 1, max = 10_000_000, log)]
    pub steps: i64,
    /// Passes over the images of mnist
    #[param(default = 10, min = 1, max = 10_000, log)]
    pub epochs: i64,
    /// Samples in a mini-batch
    #[param(default = 128, min = 1, max = 60_000)]
    pub batch: i64,
    /// Training images of mnist, drawn by the seed; 0: all
    #[param(default = 0, min = 0, max = 60_000)]
    pub train_samples: i64,
    /// Training images of mnist used for loss and full gradient; 0: all
    #[param(default = 10_000, min = 0, max = 60_000)]
    pub norm_samples: i64,
    /// Optimizer
    #[param(default = "adam")]
    pub optimizer: Method,
    /// Learning rate
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Momentum of sgd; adam ignores it
    #[param(default = 0.9, min = 0.0, max = 1.0, max_excluded)]
    pub momentum: f64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for GradientNorm {
    fn info() -> Info {
        let info = Info::new("gradient-norm", "Gradient norm during training", "")
            .resumable()
            .uses_device()
            .metric(metrics::loss(
                "",
                "Mean over all data with fixed weights: squared error of sinc, cross entropy of mnist; the \
                 split is the task",
            ))
            .metric(
                Metric::new("grad_norm")
                    .log()
                    .help("Euclidean norm of the gradient of that loss over all weights and biases"),
            )
            .metric(Metric::new("layer_grad_norm").log().help("The same over one layer's weights and biases"))
            .metric(Metric::new("batch_grad_norm").log().help(
                "Norm of the gradient of the mini-batch that the next update follows, at the same \
                         weights",
            ))
            .metric(Metric::new("update_size").log().help("Euclidean length of that update"))
            .metric(Metric::new("accuracy").goal(Goal::Max).help("Share of those images classified rightly"))
            .preset(
                "quick",
                "A few seconds",
                "steps=1500 points=500 epochs=2 train_samples=5000 norm_samples=2000",
            )
            .preset("default", "sinc by full and mini-batch gradients, and MNIST; 3 trials", "")
            .preset(
                "full",
                "100,000 steps, 30 epochs, 10 trials, the full gradient over all 60,000 images",
                "steps=100000 epochs=30 trials=10 norm_samples=0 every=100",
            );
        instruments::describe(info)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let mut tasks = self
            .tasks
            .iter()
            .map(|name| Task::new(self, *name, ctx.seed(), device))
            .collect::<Result<Vec<_>>>()?;
        let threads = tasks.iter().map(|task| task.useful_threads(ctx.threads())).max().unwrap_or(1);
        runtime::set_threads(threads);
        ctx.declare_figures(figures::declare(self, &tasks, ctx.seed(), &[]))?;
        let mut instruments =
            Instruments::new(&self.instruments, ctx.seed(), &figures::settings_of_all(&tasks));
        let probes = tasks
            .iter()
            .map(|task| instruments.declare(ctx, task.name.as_str(), &task.ensemble.mlp, &task.train))
            .collect::<Result<Vec<Probe>>>()?;
        let last = tasks.iter().map(Task::steps).max().unwrap_or(0);
        let mut start = 0;
        if let Some(dir) = ctx.resume_dir() {
            let saved = Saved::checkpoint(dir)?;
            tasks.iter_mut().try_for_each(|task| task.restore(&saved))?;
            [start] = saved.exactly("step")?;
            ctx.info(format!("continuing from step {start}"))?;
        }
        let advance = |tasks: &mut [Task], step: i64| -> Result<()> {
            for (task, probe) in tasks.iter_mut().zip(&probes) {
                if step < task.steps() {
                    if step % self.every == 0 {
                        let measured = task.measure(Some((ctx, probe)))?;
                        log(ctx, task, step, &measured)?;
                    } else {
                        probe.advance(ctx, &mut task.ensemble, &task.train)?;
                    }
                } else if step == task.steps() {
                    let measured = task.measure(None)?;
                    log(ctx, task, step, &measured)?;
                }
            }
            Ok(())
        };
        for step in ctx.steps(start..last) {
            let step = step?;
            advance(&mut tasks, step)?;
            // The state after this step's updates; the next measurement belongs to the next step.
            ctx.checkpoint_if_due(step, |dir| {
                let mut saving = Saving::default();
                saving.integers("step", &[step + 1])?;
                tasks.iter().try_for_each(|task| task.save(&mut saving))?;
                saving.checkpoint(dir)
            })?;
        }
        advance(&mut tasks, last)?;
        let mut weights = Weights::default();
        tasks.iter().try_for_each(|task| weights.ensemble(&task.name, &task.ensemble.mlp))?;
        weights.write(ctx, last, "networks")?;
        let said = conclusion::write(ctx, &tasks, last)?;
        ctx.declare_figures(figures::declare(self, &tasks, ctx.seed(), &said))
    }
}

fn log(ctx: &Ctx, task: &Task, step: i64, measured: &Measured) -> Result<()> {
    let series = |metric| Series::metric(metric).split(&task.name);
    let mut points = Points::of(ctx)
        .trials(series("loss"), &measured.loss)?
        .trials(series("grad_norm"), &measured.norm)?
        .trials(series("accuracy"), &measured.accuracy)?;
    for (layer, norms) in (1..).zip(&measured.layers) {
        points = points.trials(series("layer_grad_norm").model(&format!("layer {layer}")), norms)?;
    }
    points
        .trials(series("batch_grad_norm"), &measured.batch_norm)?
        .trials(series("update_size"), &measured.update)?
        .log(step, step as f64 / task.ensemble.steps_per_epoch() as f64)
}
