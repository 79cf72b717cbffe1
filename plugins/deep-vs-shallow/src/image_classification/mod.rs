//! `image-classification`: convolutional networks of equal size and different depth learn MNIST and Fashion-MNIST.
//!
//! For method, parameters and interpretation see docs/experiments/image-classification.md.

mod conclusion;
mod figures;
mod findings;
mod settings;
mod tables;
pub mod training;

use std::sync::atomic::{AtomicI64, Ordering};

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;
use gradtop_toolkit::settings::Method;

use conclusion::Conclusion;
use training::Training;

/// Trains convolutional networks on real images: three with the same number of parameters and 1, 2 or 3 convolutions, and the report's LeNet.
#[derive(Params, Clone, Debug)]
pub struct ImageClassification {
    /// Data sets, comma-separated: mnist (handwritten digits), fashion-mnist (clothes)
    #[param(default = "mnist", distinct, nonempty)]
    pub datasets: Vec<String>,
    /// Networks, comma-separated: shallow (1 convolution), middle (2), deep (3), all of about 25.7 thousand parameters; lenet (53,808)
    #[param(default = "shallow,middle,deep,lenet", distinct, nonempty)]
    pub models: Vec<String>,
    /// Training images, drawn by the seed; 0: all 60,000
    #[param(default = 0, min = 0, max = 60_000)]
    pub train_samples: i64,
    /// Test images, drawn by the seed; 0: all 10,000
    #[param(default = 0, min = 0, max = 10_000)]
    pub test_samples: i64,
    /// Passes over the training images
    #[param(default = 3, min = 1, max = 10_000, log)]
    pub epochs: i64,
    /// Images per step, drawn without replacement in each epoch
    #[param(default = 128, min = 1, max = 10_000)]
    pub batch: i64,
    /// Optimizer
    #[param(default = "adam")]
    pub optimizer: Method,
    /// Common learning rate
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Further learning rates, comma-separated: one more network of each kind at each, on 20,000 images; 5,000 others choose; empty: only `lr`
    #[param(default = "3e-4,3e-3", min = 0.0, min_excluded, max = 10.0, distinct)]
    pub rates: Vec<f64>,
    /// Momentum of sgd; adam ignores it
    #[param(default = 0.9, min = 0.0, max = 1.0, max_excluded)]
    pub momentum: f64,
    /// Networks of each kind, with their own initial values and batches
    #[param(default = 5, min = 1, max = 100)]
    pub trials: i64,
    /// Steps between values of the batch loss
    #[param(default = 20, min = 1)]
    pub log_every: i64,
    /// Epochs between evaluations on the whole training and test sets
    #[param(default = 1, min = 1)]
    pub eval_every: i64,
    /// Worst mistakes to show for each network
    #[param(default = 15, min = 1, max = 64)]
    pub mistakes: i64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

/// Maximum number of steps before checking for requests.
const BURST: i64 = 10;

/// The amount of work in passes of an image through a network: forward is one, and a training step makes three
/// (forward, and backward to the inputs and to the weights of each layer).
struct Work {
    /// Passes per step of all networks.
    step: i64,
    /// Passes per evaluation of all networks.
    evaluation: i64,
    /// Number of steps between evaluations.
    every: i64,
    /// Total number of steps.
    steps: i64,
}

impl Work {
    fn of(params: &ImageClassification, training: &Training) -> Self {
        Self {
            step: 3 * params.batch * training.fits().len() as i64,
            evaluation: training.images(|_| true),
            every: params.eval_every * training.steps_per_epoch(),
            steps: params.epochs * training.steps_per_epoch(),
        }
    }

    fn is_evaluated(&self, step: i64) -> bool {
        step == self.steps || step % self.every == 0
    }

    /// Returns the work done when a step is reached, before an evaluation there.
    fn before(&self, step: i64) -> i64 {
        step * self.step + (step + self.every - 1) / self.every * self.evaluation
    }

    fn total(&self) -> i64 {
        self.before(self.steps) + self.evaluation
    }
}

impl Experiment for ImageClassification {
    fn info() -> Info {
        let info = Info::new("image-classification", "Image classification: depth at equal size", "")
            .resumable()
            .uses_device()
            .metric(metrics::accuracy(
                "Share of images classified right, over the whole set with fixed weights; the split is the \
                 data set and its part",
            ))
            .metric(metrics::loss("nats", "Mean cross entropy over the whole set with fixed weights"))
            .metric(
                Metric::new("error")
                    .goal(Goal::Min)
                    .log()
                    .help("1 - accuracy: on a logarithmic axis small differences between good networks show"),
            )
            .metric(Metric::new("batch_loss").unit("nats").goal(Goal::Min).log().help(
                "Mean cross entropy of the step's batch, before its update: noisier than `loss`, not to be \
                 mixed with it",
            ))
            .preset(
                "quick",
                "5,000 images of MNIST, 3 epochs, one trial, seconds",
                "train_samples=5000 test_samples=2000 epochs=3 batch=64 trials=1 rates= log_every=5",
            )
            .preset("default", "MNIST, 3 epochs, 5 trials, and one at each of three learning rates", "")
            .preset(
                "full",
                "MNIST and Fashion-MNIST, 20 epochs, 5 trials, and one at each of five learning rates",
                "datasets=mnist,fashion-mnist epochs=20 trials=5 rates=1e-4,3e-4,3e-3,1e-2",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        self.setup(0, tch::Device::Cpu, 1).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let mut training = Training::new(self.setup(ctx.seed(), device, ctx.threads())?)?;
        let total = self.epochs * training.steps_per_epoch();
        let work = Work::of(self, &training);
        ctx.declare_figures(figures::curves(self, &training, ctx.seed(), &[]))?;
        let settings = figures::settings(self, &training, ctx.seed());
        training.watch(ctx, &mut Instruments::new(&self.instruments, ctx.seed(), &settings))?;
        if let Some(dir) = ctx.resume_dir() {
            training.restore(dir)?;
            ctx.info(format!("continuing from step {}", training.step()))?;
        } else {
            tables::models(ctx, &training)?;
        }
        for turn in ctx.steps(0..) {
            turn?;
            if !work.is_evaluated(training.step()) || training.is_evaluated() {
                if training.step() == total {
                    break;
                }
                let losses = training.advance(self.burst(training.step(), training.steps_per_epoch()))?;
                training.log_readings(ctx)?;
                log_batch_losses(ctx, &mut training, &losses, self.log_every)?;
                ctx.progress(work.before(training.step()), work.total(), "training")?;
            }
            evaluate(ctx, &mut training, &work)?;
            ctx.checkpoint_if_due(training.step(), |dir| training.save(dir))?;
        }
        let findings = findings::of(&mut training, self.mistakes as usize)?;
        tables::findings(ctx, &training, &findings)?;
        ctx.declare_figures(figures::findings(self, &training, &findings, ctx.seed()))?;
        training.keep_weights(ctx, training.step())?;
        let rates = training.rates()?;
        let said = Conclusion::of(&training, &rates, self.lr).write(ctx, training.step())?;
        ctx.declare_figures(figures::curves(self, &training, ctx.seed(), &said))
    }
}

impl ImageClassification {
    /// Returns the number of steps until something is due: few, so that a stop need not wait.
    fn burst(&self, step: i64, epoch: i64) -> i64 {
        let until = |every: i64| every - step % every;
        BURST.min(until(self.log_every)).min(until(epoch))
    }
}

/// Evaluates what is due and not yet evaluated at this step. If a stop is requested meanwhile, the networks already
/// evaluated are logged, and the others follow when the run is resumed.
fn evaluate(ctx: &Ctx, training: &mut Training, work: &Work) -> Result<()> {
    let step = training.step();
    if !work.is_evaluated(step) {
        return Ok(());
    }
    let seen = AtomicI64::new(training.seen());
    let tell = || {
        let done = work.before(step) + seen.load(Ordering::Relaxed);
        ctx.progress(done, work.total(), "evaluating")
    };
    tell()?;
    let epoch = training.epoch();
    let found = training.evaluate(&|| ctx.should_stop(), &|images| {
        seen.fetch_add(images, Ordering::Relaxed);
        tell()
    })?;
    for (i, values) in found {
        // The training set shows whether a network diverged; the test set might miss it by chance.
        if !values[0].is_finite() {
            diverge(ctx, training, i, values[0])?;
        }
        let mut points = Points::of(ctx);
        for (part, [loss, accuracy]) in ["train", "test"].into_iter().zip(values.as_chunks::<2>().0) {
            for (metric, value) in [("loss", *loss), ("accuracy", *accuracy), ("error", 1.0 - accuracy)] {
                points = add(points, training, i, metric, part, value)?;
            }
        }
        points.log(step, epoch)?;
    }
    fail_if_all_diverged(training)
}

/// Logs the batch losses if they are due, and freezes networks whose loss is not finite.
fn log_batch_losses(ctx: &Ctx, training: &mut Training, losses: &[(usize, f64)], every: i64) -> Result<()> {
    for &(i, loss) in losses {
        if !loss.is_finite() {
            diverge(ctx, training, i, loss)?;
            // It will not be evaluated again: charts mark its end here.
            let points = add(Points::of(ctx), training, i, "loss", "train", loss)?;
            add(points, training, i, "loss", "test", loss)?.log(training.step(), training.epoch())?;
        }
    }
    if training.step() % every == 0 {
        let batch_loss =
            |points, &(i, loss): &(usize, f64)| add(points, training, i, "batch_loss", "train", loss);
        losses.iter().try_fold(Points::of(ctx), batch_loss)?.log(training.step(), training.epoch())?;
    }
    fail_if_all_diverged(training)
}

/// Adds a value of a network on the training or the test set.
fn add<'a>(
    points: Points<'a>,
    training: &Training,
    fit: usize,
    metric: &str,
    part: &str,
    value: f64,
) -> Result<Points<'a>> {
    let fit = &training.fits()[fit];
    let split = format!("{}-{part}", training.tasks()[fit.task].name);
    points.one(Series::metric(metric).model(fit.name()).split(&split).trial(fit.trial as i32), value)
}

fn diverge(ctx: &Ctx, training: &mut Training, fit: usize, loss: f64) -> Result<()> {
    let step = training.step();
    let which = &training.fits()[fit];
    let (name, trial, task) = (which.name(), which.trial, training.tasks()[which.task].title);
    training.freeze(fit);
    ctx.warn(format!(
        "{task}, {name}, trial {trial} diverged: its loss is {loss} at step {step}; it is frozen, the others continue"
    ))
}

fn fail_if_all_diverged(training: &Training) -> Result<()> {
    if training.fits().iter().all(|fit| fit.diverged.is_some()) {
        return Err(Error::new(format!(
            "every trial of every model has diverged by step {}; a smaller lr may help",
            training.step()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Work;

    #[test]
    fn work_has_every_step_and_every_evaluation_once() {
        // Evaluated at 0, 4, 8 and at the end.
        let work = Work { step: 10, evaluation: 100, every: 4, steps: 10 };
        assert_eq!((0..=10).filter(|step| work.is_evaluated(*step)).collect::<Vec<_>>(), [0, 4, 8, 10]);
        let done: Vec<i64> = [0, 1, 4, 5, 8, 9, 10].map(|step| work.before(step)).to_vec();
        assert_eq!(done, [0, 110, 140, 250, 280, 390, 400]);
        assert_eq!(work.total(), 500);
    }
}
