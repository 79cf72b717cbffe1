//! `interpolation`: loss and accuracy on the straight line between two trained networks.
//!
//! For method, parameters and interpretation see docs/experiments/interpolation.md.

mod conclusion;
mod figures;
mod plan;
mod tables;
mod walk;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Probe, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;

pub use plan::{Kind, Plan, Role, Start};
pub use walk::{Line, Spawned, Walk, barrier};

/// Trains pairs of networks that differ in batch size or learning rate, or part from one trunk, and evaluates every network on the line
/// between them.
#[derive(Params, Clone, Debug)]
pub struct Interpolation {
    /// Images
    #[param(default = "mnist", choices = ["mnist", "fashion-mnist"])]
    pub dataset: String,
    /// Images to train on; 0: all
    #[param(default = 0, min = 0, max = 60_000)]
    pub train_samples: i64,
    /// Widths of the hidden layers, comma-separated; empty: softmax regression
    #[param(default = "128", min = 1, max = 10_000)]
    pub hidden: Vec<i64>,
    /// Pairs of each kind, each with its own initial values and batches
    #[param(default = 7, min = 1, max = 100)]
    pub pairs: i64,
    /// Epochs of each network
    #[param(default = 10, min = 1, max = 10_000, log)]
    pub epochs: i64,
    /// Batch size of the network at 0
    #[param(default = 64, min = 1, max = 60_000, log)]
    pub batch: i64,
    /// Batch size of the network at 1, if the pair differs in it
    #[param(default = 1024, min = 1, max = 60_000, log)]
    pub other_batch: i64,
    /// Learning rate of Adam of the network at 0
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Learning rate of the network at 1, if the pair differs in it
    #[param(default = 1e-2, min = 0.0, min_excluded, max = 10.0, log)]
    pub other_lr: f64,
    /// Steps at which pairs of networks part from a trunk they share, comma-separated: from then on each has its own order of the data; steps that training does not reach are left out
    #[param(default = "0,10,30,300", min = 0, max = 100_000_000, distinct)]
    pub spawn_steps: Vec<i64>,
    /// Epochs of these networks, those of the trunk among them
    #[param(default = 3, min = 1, max = 10_000, log)]
    pub spawn_epochs: i64,
    /// Learning rate of Adam of these networks
    #[param(default = 1e-2, min = 0.0, min_excluded, max = 10.0, log)]
    pub spawn_lr: f64,
    /// Points of the line from -1 to 2; 6k + 1, so that both networks and the places halfway are among them
    #[param(default = 61, min = 7, max = 10_000)]
    pub points: i64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

/// Splits, in the order of their evaluations.
const SPLITS: [&str; 2] = ["train", "test"];

impl Experiment for Interpolation {
    fn info() -> Info {
        let info = Info::new("interpolation", "Interpolation between two networks", "")
            .resumable()
            .uses_device()
            .metric(metrics::loss(
                "nats",
                "Cross entropy with fixed weights over the whole test set each epoch, over the whole \
                 training set at the end",
            ))
            .metric(metrics::accuracy("Share of the same images classified rightly"))
            .metric(Metric::new("barrier").unit("nats").goal(Goal::Min).help(
                "How far the loss rises above the chord between two networks, once their line is evaluated; \
                 the trial is the pair",
            ))
            .preset(
                "quick",
                "One pair of each kind on 6,000 images",
                "train_samples=6000 pairs=1 epochs=8 other_batch=256 spawn_steps=0,50 points=31",
            )
            .preset("default", "Seven pairs of each kind, 61 points", "")
            .preset("full", "Ten pairs of each kind, 40 epochs, 301 points", "pairs=10 epochs=40 points=301");
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        if (self.points - 1) % 6 != 0 {
            return Err(Error::invalid(format!(
                "parameter `points` is {}, it must be 6k + 1, such as 61: the conclusion reads the line at -0.5, 0, 1 and 1.5",
                self.points
            )));
        }
        if self.batch == self.other_batch || self.lr == self.other_lr {
            return Err(Error::invalid(
                "the networks of a pair must differ: `batch` and `other_batch`, `lr` and `other_lr` must not be equal",
            ));
        }
        let count = if self.train_samples == 0 { 60_000 } else { self.train_samples };
        for (name, size) in [("batch", self.batch), ("other_batch", self.other_batch)] {
            if size > count {
                return Err(Error::invalid(format!(
                    "parameter `{name}` is {size}, there are {count} images to train on"
                )));
            }
        }
        Ok(())
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let plan = self.plan(ctx.seed(), device)?;
        ctx.declare_figures(figures::training(&plan))?;
        let probes = self.probes(ctx, &plan)?;
        let mut walk = if let Some(dir) = ctx.resume_dir() {
            let walk = Walk::restore(&plan, dir)?;
            ctx.info(format!("continuing from step {}", walk.step()))?;
            walk
        } else {
            Walk::new(&plan)?
        };
        for step in ctx.steps(walk.step()..plan.steps()) {
            step?;
            runtime::set_threads(walk.useful_threads(ctx.threads()));
            walk.advance(|role, ensemble| probes[role].advance(ctx, ensemble, &plan.sets[0]))?;
            if let Some((role, epoch, true)) = walk.place() {
                let mut points = Points::of(ctx);
                for (split, found) in walk.measured()? {
                    let of =
                        |metric| Series::metric(metric).model(&plan.roles[role].name).split(SPLITS[split]);
                    points =
                        points.trials(of("loss"), &found.loss)?.trials(of("accuracy"), &found.accuracy)?;
                }
                points.log(walk.step(), epoch)?;
            }
            if let Some((pair, set, barriers)) = walk.barriers() {
                for (name, barrier) in plan.line_names().iter().zip(barriers) {
                    let series = Series::metric("barrier").model(name).split(SPLITS[set]).trial(pair as i32);
                    Points::of(ctx).one(series, barrier)?.log(walk.step(), f64::NAN)?;
                }
            }
            ctx.progress(walk.step(), plan.steps(), &walk.phase())?;
            ctx.checkpoint_if_due(walk.step(), |dir| walk.save(dir))?;
        }
        walk.keep_weights(ctx)?;
        let (lines, spawned) = (walk.lines()?, walk.spawned()?);
        tables::write(ctx, &plan, &lines, &spawned)?;
        let said = conclusion::write(ctx, &plan, &lines, &spawned)?;
        ctx.declare_figures(figures::lines(&plan, &lines, &said))
    }
}

impl Interpolation {
    /// Creates the instruments of each role, whose networks must have their initial values. Networks that part have none.
    fn probes(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<Probe>> {
        let mut instruments =
            Instruments::new(&self.instruments, ctx.seed(), &format!("{}.", plan.in_words()));
        let probe = |(role, settings): (usize, &Role)| {
            if self.instruments.on() && settings.parts_at.is_none() {
                instruments.declare(ctx, settings.name.as_str(), &plan.begin(role)?.mlp, &plan.sets[0])
            } else {
                Ok(Probe::default())
            }
        };
        plan.roles.iter().enumerate().map(probe).collect()
    }
}
