//! `sensitivity`: how far outputs move with inputs, and how sharp the minimum is, against batch size under three protocols.
//!
//! For method, parameters and interpretation see docs/experiments/sensitivity.md.

mod conclusion;
mod course;
mod figures;
mod follow;
mod measure;
mod plan;
mod tables;
mod verdict;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Probe, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;

pub use course::Course;
pub use follow::Look;
pub use measure::{Measures, Network};
pub use plan::{Leg, Moment, Plan, Purpose};

/// Trains one network at many batch sizes and compares sensitivity, sharpness and loss after as many epochs, as many steps, and at the same training loss.
#[derive(Params, Clone, Debug)]
pub struct Sensitivity {
    /// Images
    #[param(default = "mnist", choices = ["mnist", "fashion-mnist"])]
    pub dataset: String,
    /// Images to train on; 0: all
    #[param(default = 0, min = 0, max = 60_000)]
    pub train_samples: i64,
    /// Widths of the hidden layers, comma-separated
    #[param(default = "128", min = 1, max = 10_000, nonempty)]
    pub hidden: Vec<i64>,
    /// Batch sizes, comma-separated
    #[param(default = "16,64,256,1024,4096", min = 1, max = 60_000, distinct, nonempty)]
    pub batches: Vec<i64>,
    /// Further batch sizes, for the first protocol only; may be empty
    #[param(default = "8192,16384", min = 1, max = 60_000, distinct)]
    pub further: Vec<i64>,
    /// Networks of each batch size, with their own initial values and batches
    #[param(default = 5, min = 1, max = 100)]
    pub networks: i64,
    /// Learning rate of Adam
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// First protocol: epochs
    #[param(default = 10, min = 2, max = 10_000, log)]
    pub epochs: i64,
    /// Fewer epochs, after which sensitivity is also measured, to see whether a peak moves
    #[param(default = 3, min = 1, max = 10_000, log)]
    pub early: i64,
    /// Second protocol: steps
    #[param(default = 1000, min = 1, max = 10_000_000, log)]
    pub steps: i64,
    /// Third protocol: training loss
    #[param(default = 0.05, min = 0.0, min_excluded, max = 2.0, log)]
    pub target: f64,
    /// Epochs after which a network that has not reached the training loss is given up
    #[param(default = 200, min = 1, max = 100_000, log)]
    pub most_epochs: i64,
    /// Training images for following the training loss
    #[param(default = 10_000, min = 10, max = 60_000, log)]
    pub followed: i64,
    /// Training images of the Hessians and of the sharpness
    #[param(default = 2000, min = 10, max = 60_000, log)]
    pub curved: i64,
    /// Lanczos steps for the extreme eigenvalues
    #[param(default = 25, min = 2, max = 1000)]
    pub lanczos_steps: i64,
    /// Probes of the trace
    #[param(default = 10, min = 2, max = 1000)]
    pub probes: i64,
    /// Keskar's epsilon: half the width of the box, in units of |parameter| + 1
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 1.0, log)]
    pub epsilon: f64,
    /// Iterations of the ascent in the box
    #[param(default = 20, min = 1, max = 1000)]
    pub ascent: i64,
    /// Further learning rates, comma-separated: one more network of each batch size at each, down to that training loss; the last training images choose; empty: only `lr`
    #[param(default = "3e-4,3e-3", min = 0.0, min_excluded, max = 10.0, distinct)]
    pub rates: Vec<f64>,
    /// Images that each of the many networks learns; 0: no such networks
    #[param(default = 2000, min = 0, max = 60_000)]
    pub many_samples: i64,
    /// Batch sizes of the many networks, comma-separated
    #[param(default = "16,64,256", min = 1, max = 60_000, distinct, nonempty)]
    pub many_batches: Vec<i64>,
    /// Learning rates of the many networks, comma-separated
    #[param(default = "3e-4,1e-3,3e-3", min = 0.0, min_excluded, max = 10.0, distinct, nonempty)]
    pub many_rates: Vec<f64>,
    /// Networks of each of these batch sizes and rates
    #[param(default = 4, min = 1, max = 100)]
    pub many_networks: i64,
    /// Training loss at which each of the many networks stops
    #[param(default = 0.02, min = 0.0, min_excluded, max = 2.0, log)]
    pub many_target: f64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for Sensitivity {
    fn info() -> Info {
        let info = Info::new("sensitivity", "Sensitivity and sharpness against batch size", "")
            .resumable()
            .uses_device()
            .metric(metrics::loss(
                "nats",
                "Cross entropy with fixed weights on the training images that are followed; the model is \
                 the batch size",
            ))
            .metric(Metric::new("logit_sensitivity").help(
                "Mean over 1,000 test images of the Frobenius norm of the logits' Jacobian by the input",
            ))
            .metric(
                Metric::new("probability_sensitivity").headline().help("The same of the class probabilities"),
            )
            .preset(
                "quick",
                "Three batch sizes on 4,000 images",
                "train_samples=4000 hidden=64 batches=16,128,1024 further=4000 networks=2 epochs=6 early=2 \
                 steps=150 target=0.2 followed=2000 curved=500 lanczos_steps=15 probes=4 ascent=10 rates= \
                 many_samples=500 many_batches=16,64 many_rates=1e-3,3e-3 many_networks=2 many_target=0.05",
            )
            .preset(
                "default",
                "Five batch sizes and two more, 5 networks each; five at three learning rates; 36 further \
                 networks",
                "",
            )
            .preset(
                "full",
                "3,000 steps, 16,384 under all protocols, 5 networks each, 120 further networks",
                "batches=16,64,256,1024,4096,16384 further=8192,30000 networks=5 steps=3000 \
                 most_epochs=1000 many_batches=8,16,64,256 rates=1e-4,3e-4,3e-3,1e-2 \
                 many_rates=1e-4,3e-4,1e-3,3e-3,1e-2 many_networks=6",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        self.check().map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let plan = self.plan(ctx.seed(), device)?;
        ctx.declare_figures(figures::progress(&plan))?;
        let probes = self.probes(ctx, &plan)?;
        let mut course = if let Some(dir) = ctx.resume_dir() {
            let course = Course::restore(&plan, dir)?;
            ctx.info(format!("continuing from step {}", course.step()))?;
            course
        } else {
            let course = Course::new(&plan)?;
            record(ctx, &plan, &course)?;
            course
        };
        for step in ctx.steps(course.step()..) {
            step?;
            if course.is_done() {
                break;
            }
            runtime::set_threads(course.useful_threads(ctx.threads()));
            course.advance(|leg, ensemble, train| probes[leg].advance(ctx, ensemble, train))?;
            record(ctx, &plan, &course)?;
            course.keep_weights(ctx)?;
            let (done, total) = course.progress();
            ctx.progress(done, total, &course.phase())?;
            ctx.checkpoint_if_due(course.step(), |dir| course.save(dir))?;
        }
        let (step, networks) = (course.step(), course.networks());
        tables::write(ctx, &plan, networks, step)?;
        let said = conclusion::write(ctx, &plan, networks, step)?;
        ctx.declare_figures(figures::results(&plan, networks, &said))
    }
}

impl Sensitivity {
    /// Creates the instruments of each leg, whose networks must have their initial values.
    fn probes(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<Probe>> {
        let mut instruments =
            Instruments::new(&self.instruments, ctx.seed(), &format!("{}.", plan.in_words()));
        let probe = |leg: &Leg| {
            if self.instruments.on() {
                instruments.declare(ctx, leg.name.as_str(), &follow::begin(plan, leg)?.mlp, plan.learnt(leg))
            } else {
                Ok(Probe::default())
            }
        };
        plan.legs.iter().map(probe).collect()
    }
}

/// Logs what the last step observed of the networks of a batch size.
fn record(ctx: &Ctx, plan: &Plan, course: &Course<'_>) -> Result<()> {
    let Some((leg, epoch, look)) = course.seen() else { return Ok(()) };
    let leg = &plan.legs[*leg];
    if leg.purpose != Purpose::Batches {
        return Ok(());
    }
    let of = |metric, split| Series::metric(metric).model(&leg.name).split(split);
    Points::of(ctx)
        .trials(of("loss", "train"), &look.loss)?
        .trials(of("logit_sensitivity", "test"), &look.logits)?
        .trials(of("probability_sensitivity", "test"), &look.probabilities)?
        .log(course.step(), *epoch)
}
