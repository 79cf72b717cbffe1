//! `random-labels`: networks that fit labels without any meaning.
//!
//! For method, parameters and interpretation see docs/experiments/random-labels.md.

mod conclusion;
mod figures;
pub mod inputs;
pub mod learner;
pub mod plan;
mod settings;
mod tables;
pub mod training;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;
use gradtop_toolkit::settings::Method;

use plan::Condition;
use training::{Row, Training};

/// Trains networks on labels that are true, partly random, or random, and on images without meaning: how long does it take to fit
/// every training label, and what does the test set say?
#[derive(Params, Clone, Debug)]
pub struct RandomLabels {
    /// Images
    #[param(default = "mnist", choices = ["mnist", "fashion-mnist"])]
    pub dataset: String,
    /// Networks, comma-separated: mlp (a ReLU perceptron), lenet (the report's, 53,808 parameters), shallow, middle, deep
    #[param(default = "mlp,lenet", distinct, nonempty)]
    pub networks: Vec<String>,
    /// Widths of the perceptron's hidden layers, comma-separated
    #[param(default = "512,512", min = 1, max = 10_000, nonempty)]
    pub hidden: Vec<i64>,
    /// What is learnt, comma-separated: true, random (labels), redrawn (random labels, others in each epoch: the control),
    /// shuffled-pixels, random-pixels, gaussian (true labels of meaningless images)
    #[param(default = "true,random,redrawn,shuffled-pixels,random-pixels,gaussian", distinct, nonempty)]
    pub conditions: Vec<Condition>,
    /// Training images of the perceptron, drawn by the seed
    #[param(default = 5000, min = 2, max = 60_000, log)]
    pub mlp_samples: i64,
    /// Training images of convolutional networks, drawn by the seed
    #[param(default = 1000, min = 2, max = 60_000, log)]
    pub cnn_samples: i64,
    /// Further numbers of training images with random labels, comma-separated; a network skips those not below its own
    #[param(default = "250,500,1000,2000", min = 2, max = 60_000, distinct)]
    pub sizes: Vec<i64>,
    /// Further shares of random labels, comma-separated, each between 0 and 1
    #[param(default = "0.2,0.5,0.8", min = 0.0, max = 1.0, distinct)]
    pub corruptions: Vec<f64>,
    /// Training images with partly random labels; a network that has fewer uses its own number
    #[param(default = 500, min = 2, max = 60_000, log)]
    pub corruption_samples: i64,
    /// Epochs after which training ends even if some labels are not fitted
    #[param(default = 300, min = 1, max = 100_000, log)]
    pub epochs: i64,
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
    /// Networks of each kind under each condition, with their own labels, initial values and batches
    #[param(default = 3, min = 1, max = 100)]
    pub trials: i64,
    /// Epochs between evaluations on the test set, after the tenth; the training set is evaluated after each
    #[param(default = 10, min = 1, max = 10_000)]
    pub eval_every: i64,
    /// Test images, drawn by the seed; 0: all 10,000
    #[param(default = 2000, min = 0, max = 10_000)]
    pub test_samples: i64,
    /// Training instruments, of the networks under each condition
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for RandomLabels {
    fn info() -> Info {
        let info = Info::new("random-labels", "Random labels: what networks can memorise", "")
            .resumable()
            .uses_device()
            .metric(metrics::accuracy(
                "Share of samples classified as labelled, over a whole set with fixed weights: the training \
                 set by the labels learnt, the test set by its true ones",
            ))
            .metric(metrics::loss("nats", "Mean cross entropy over the same"))
            .preset(
                "quick",
                "300 images, a smaller perceptron, one trial, seconds",
                "hidden=256,256 mlp_samples=300 cnn_samples=100 sizes=50,100 corruptions=0.5 \
                 test_samples=1000 batch=50 epochs=80 trials=1",
            )
            .preset("default", "5,000 images for the perceptron, 1,000 for the report's LeNet, 3 trials", "")
            .preset(
                "full",
                "10,000 images for the perceptron, 5,000 for the LeNet, 5 trials",
                "mlp_samples=10000 cnn_samples=5000 corruption_samples=1000 test_samples=0 \
                 sizes=250,500,1000,2000,5000 epochs=600 trials=5",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        self.setup(0, tch::Device::Cpu, 1).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let mut training = Training::new(self.setup(ctx.seed(), device, ctx.threads())?)?;
        ctx.declare_figures(figures::declare(self, &training, ctx.seed(), &[]))?;
        let caption = format!("{}.", self.in_words(ctx.seed()));
        training.watch(ctx, &mut Instruments::new(&self.instruments, ctx.seed(), &caption))?;
        if let Some(dir) = ctx.resume_dir() {
            training.restore(dir)?;
            ctx.info(format!("continuing after round {}", training.rounds()))?;
        }
        for round in ctx.steps(training.rounds()..) {
            round?;
            if training.finished() {
                break;
            }
            let before = training.groups().iter().filter(|group| group.finished).count();
            // A round interrupted by a stop is saved as far as it came.
            let rows = training.round(&|| ctx.should_stop())?;
            training.log_readings(ctx)?;
            if let Some(rows) = rows {
                log(ctx, &training, &rows)?;
                if training.groups().iter().filter(|group| group.finished).count() > before {
                    tables::write(ctx, &training)?;
                    training.keep_weights(ctx)?;
                }
            }
            let (done, total) = training.work();
            ctx.progress(done, total, "training")?;
            ctx.checkpoint_if_due(training.rounds(), |dir| training.save(dir))?;
        }
        let said = conclusion::write(ctx, &training, self.epochs)?;
        ctx.declare_figures(figures::declare(self, &training, ctx.seed(), &said))
    }
}

fn log(ctx: &Ctx, training: &Training, rows: &[Row]) -> Result<()> {
    for row in rows {
        let name = &training.groups()[row.group].group.name;
        let of = |metric, split| Series::metric(metric).model(name).split(split).trial(row.trial as i32);
        let mut points = Points::of(ctx);
        for (split, found) in [("train", Some(row.train)), ("test", row.test)] {
            let Some([loss, accuracy]) = found else { continue };
            points = points.one(of("loss", split), loss)?.one(of("accuracy", split), accuracy)?;
        }
        points.log(training.rounds(), row.epoch as f64)?;
        if !row.train[0].is_finite() {
            ctx.warn(format!(
                "{name}, trial {} diverged: its loss is {} after epoch {}; it is trained no further",
                row.trial, row.train[0], row.epoch
            ))?;
        }
    }
    Ok(())
}
