//! `error-surface`: the loss along lines and over planes through a trained network's parameters.
//!
//! For method, parameters and interpretation see docs/experiments/error-surface.md.

mod conclusion;
pub mod directions;
mod figures;
mod plane;
mod settings;
mod survey;
mod tables;
mod task;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Probe, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;

pub use plane::{Axes, Curvature, evaluate};
pub use survey::{Plan, StageKind, Survey};
pub use task::{Task, TaskName};

/// Draws the loss about a trained network: from its start to its end, over a random plane, along its path, along its curvature.
#[derive(Params, Clone, Debug)]
pub struct ErrorSurface {
    /// What is trained, comma-separated: function (1-10-10-1 on sinc), mnist (784-15-30-10)
    #[param(default = "function,mnist", distinct, nonempty)]
    pub tasks: Vec<TaskName>,
    /// Full-batch steps of Adam on the function
    #[param(default = 5000, min = 1, max = 1_000_000, log)]
    pub function_steps: i64,
    /// Learning rate of Adam on the function
    #[param(default = 0.01, min = 0.0, min_excluded, max = 10.0, log)]
    pub function_lr: f64,
    /// Epochs on MNIST
    #[param(default = 10, min = 1, max = 1000, log)]
    pub mnist_epochs: i64,
    /// Training images of MNIST
    #[param(default = 60_000, min = 10, max = 60_000, log)]
    pub mnist_images: i64,
    /// Learning rate of Adam on MNIST
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub mnist_lr: f64,
    /// Images of a batch
    #[param(default = 128, min = 1, max = 60_000, log)]
    pub mnist_batch: i64,
    /// Images for evaluating the surfaces: training images, and as many test images
    #[param(default = 5000, min = 10, max = 60_000, log)]
    pub mnist_evaluated: i64,
    /// Points of a plane along each axis; odd, so that the network itself is one of them
    #[param(default = 51, min = 3, max = 501)]
    pub grid: i64,
    /// Points of the line from start to end; 4k + 1, so that both ends are among them
    #[param(default = 101, min = 5, max = 10_001)]
    pub line_points: i64,
    /// Half the width of the random plane, in filter-normalised lengths
    #[param(default = 1.0, min = 0.0, min_excluded, max = 100.0)]
    pub radius: f64,
    /// Parameter vectors kept along the path, including the first and the last
    #[param(default = 60, min = 3, max = 1000)]
    pub snapshots: i64,
    /// Lanczos steps for the extreme eigenvectors of networks with more than 1000 parameters
    #[param(default = 60, min = 5, max = 1000)]
    pub lanczos_steps: i64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for ErrorSurface {
    fn info() -> Info {
        let info = Info::new("error-surface", "Error surface", "")
            .resumable()
            .uses_device()
            .metric(metrics::loss(
                "",
                "Loss with fixed weights on the samples that the surfaces are evaluated on; the model is \
                 the task",
            ))
            .preset(
                "quick",
                "Small grids, 2,000 images",
                "function_steps=1500 mnist_epochs=5 mnist_images=2000 mnist_evaluated=500 grid=15 \
                 line_points=41 snapshots=30 lanczos_steps=40",
            )
            .preset("default", "Both tasks, planes of 51 by 51", "")
            .preset(
                "full",
                "Longer training, planes of 101 by 101 on 10,000 images",
                "function_steps=50000 mnist_epochs=50 mnist_evaluated=10000 grid=101 line_points=401 \
                 snapshots=200 lanczos_steps=120",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        self.plan(0, tch::Device::Cpu).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let plan = self.plan(ctx.seed(), device)?;
        ctx.declare_figures(figures::training(&plan))?;
        let probes = self.probes(ctx, &plan)?;
        let mut survey = if let Some(dir) = ctx.resume_dir() {
            let survey = Survey::restore(&plan, dir)?;
            ctx.info(format!("continuing from step {}", survey.step()))?;
            survey
        } else {
            let survey = Survey::new(&plan)?;
            record(ctx, &survey)?;
            survey
        };
        for step in ctx.steps(survey.step()..plan.steps()) {
            step?;
            // Small networks are slower on several threads, which wait longer than they compute.
            runtime::set_threads(if survey.is_small() { 1 } else { ctx.threads() });
            survey.advance(|i, task, ensemble| probes[i].advance(ctx, ensemble, task.samples()))?;
            record(ctx, &survey)?;
            if survey.stage_is_done() && !survey.is_training() {
                tables::write(ctx, &survey)?;
                ctx.declare_figures(figures::surface(&plan, &survey))?;
            }
            ctx.progress(survey.step(), plan.steps(), &survey.phase())?;
            ctx.checkpoint_if_due(survey.step(), |dir| survey.save(dir))?;
        }
        survey.keep_weights(ctx)?;
        conclusion::write(ctx, &plan, &survey)
    }
}

impl ErrorSurface {
    /// Creates the instruments of each task, whose network must have its initial values.
    fn probes(&self, ctx: &Ctx, plan: &Plan) -> Result<Vec<Probe>> {
        let words: Vec<String> =
            plan.tasks.iter().map(|task| format!("{}: {}.", task.name, task.words)).collect();
        let mut instruments = Instruments::new(&self.instruments, ctx.seed(), &words.join(" "));
        let probe = |task: &Task| {
            if self.instruments.on() {
                instruments.declare(ctx, task.name, &task.begin(ctx.seed())?.mlp, task.samples())
            } else {
                Ok(Probe::default())
            }
        };
        plan.tasks.iter().map(probe).collect()
    }
}

/// Logs the losses of a snapshot.
fn record(ctx: &Ctx, survey: &Survey<'_>) -> Result<()> {
    let Some((epoch, losses)) = survey.measured()? else { return Ok(()) };
    let series = Series::metric("loss").model(survey.task().name);
    let mut points = Points::of(ctx);
    for (split, loss) in ["train", "test"].into_iter().zip(losses) {
        points = points.one(series.split(split), loss)?;
    }
    points.log(survey.step(), epoch)
}
