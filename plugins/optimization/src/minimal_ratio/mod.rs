//! `minimal-ratio`: the share of positive curvature where the gradient vanishes, beside the loss.
//!
//! For method, parameters and interpretation see docs/experiments/minimal-ratio.md.

mod analysis;
mod conclusion;
mod figures;
mod search;
mod settings;
mod tables;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;
use gradtop_toolkit::weights::Weights;

use analysis::Analysis;
pub use search::{Finder, Plan, Run};

/// Finds points of zero gradient of small networks and counts the signs of their exact Hessians' eigenvalues.
#[derive(Params, Clone, Debug)]
pub struct MinimalRatio {
    /// Networks, comma-separated, as hidden widths and the points they fit: 4-4@64 is 1-4-4-1 on 64 points
    #[param(default = "4-4@64", distinct, nonempty)]
    pub networks: Vec<String>,
    /// Methods to find points of zero gradient, comma-separated: lm (Levenberg-Marquardt), switch (Adam on the squared norm)
    #[param(default = "lm", distinct, nonempty)]
    pub finders: Vec<Finder>,
    /// Networks of each kind with their own initial values
    #[param(default = 100, min = 2, max = 1000)]
    pub runs: i64,
    /// Steps of Adam on the loss; the second half of the runs stops at a random one of them
    #[param(default = 15_000, min = 1, max = 1_000_000, log)]
    pub train_steps: i64,
    /// Learning rate of Adam on the loss
    #[param(default = 0.01, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Iterations of Levenberg-Marquardt
    #[param(default = 250, min = 1, max = 100_000, log)]
    pub lm_steps: i64,
    /// Steps of Adam on half the squared gradient norm
    #[param(default = 20_000, min = 1, max = 1_000_000, log)]
    pub switch_steps: i64,
    /// Learning rate of Adam on half the squared gradient norm
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub switch_lr: f64,
    /// Gradient norm below which a point counts as critical
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 1.0, log)]
    pub critical: f64,
    /// Eigenvalues within this share of the largest absolute one count as zero
    #[param(default = 1e-6, min = 0.0, max = 1.0)]
    pub tolerance: f64,
    /// Random displacements for each sampled ratio; 0: none
    #[param(default = 1000, min = 0, max = 1_000_000)]
    pub samples: i64,
    /// Steps between values of loss and gradient norm
    #[param(default = 250, min = 1)]
    pub log_every: i64,
    /// Training instruments, of Adam on the loss
    #[param(flatten)]
    pub instruments: Settings,
}

/// Number of iterations of Levenberg–Marquardt between two values: it has far fewer than Adam.
const LM_EVERY: i64 = 5;

impl Experiment for MinimalRatio {
    fn info() -> Info {
        let info = Info::new("minimal-ratio", "Minimal ratio against loss", "")
            .resumable()
            .uses_device()
            .metric(metrics::loss(
                "MSE",
                "Mean squared error over all points; the model is the network, the split what moves it",
            ))
            .metric(
                Metric::new("grad_norm")
                    .log()
                    .help("Euclidean norm of the loss's gradient over all parameters"),
            )
            .preset("quick", "20 runs, a few seconds", "runs=20 train_steps=2000 lm_steps=60 samples=200")
            .preset("default", "100 runs of 33 parameters", "")
            .preset(
                "full",
                "33 and 141 parameters, and the course's switch of the objective beside Levenberg-Marquardt",
                "networks=4-4@64,10-10@128 finders=lm,switch",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        self.plan(0, tch::Device::Cpu).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let plan = self.plan(ctx.seed(), device)?;
        runtime::set_threads(plan.useful_threads(ctx.threads()));
        ctx.declare_figures(figures::progress(&plan))?;
        let mut run = if let Some(dir) = ctx.resume_dir() {
            let run = Run::restore(&plan, dir)?;
            ctx.info(format!("continuing from step {}", run.step()))?;
            run
        } else {
            let run = Run::new(&plan)?;
            self.record(ctx, &run)?;
            run
        };
        let caption = format!("{}.", plan.in_words());
        run.watch(ctx, &mut Instruments::new(&self.instruments, ctx.seed(), &caption))?;
        for step in ctx.steps(run.step()..plan.steps()) {
            step?;
            run.advance()?;
            run.log_readings(ctx)?;
            self.record(ctx, &run)?;
            ctx.progress(run.step(), plan.steps(), &run.phase())?;
            ctx.checkpoint_if_due(run.step(), |dir| run.save(dir))?;
        }
        ctx.progress(plan.steps(), plan.steps(), "Hessians")?;
        let mut arms = Vec::new();
        let mut weights = Weights::default();
        for arm in run.arms() {
            for i in 0..self.runs {
                weights.flat(
                    &format!("{}.{i}", arm.name()),
                    arm.net.shape.widths(),
                    &arm.parameters.f_select(0, i)?,
                )?;
            }
            let analysis = Analysis::of(&plan, &arm)?;
            tables::write(ctx, &analysis, plan.steps())?;
            arms.push(analysis);
        }
        weights.write(ctx, plan.steps(), "networks")?;
        let said = conclusion::write(ctx, self, &arms, plan.steps())?;
        ctx.declare_figures(figures::results(&plan, &arms, &said))
    }
}

impl MinimalRatio {
    /// Logs loss and gradient norm of every run, if it is due.
    fn record(&self, ctx: &Ctx, run: &Run<'_>) -> Result<()> {
        let (stage, step) = run.place();
        let every = if stage.kind.is_lm() { LM_EVERY } else { self.log_every };
        if step % every != 0 && step != stage.steps {
            return Ok(());
        }
        let (losses, norms) = run.measure()?;
        let series = |metric| Series::metric(metric).model(&run.net().name).split(stage.kind.name());
        let points = Points::of(ctx).trials(series("loss"), &losses)?.trials(series("grad_norm"), &norms)?;
        points.log(run.step(), f64::NAN)
    }
}
