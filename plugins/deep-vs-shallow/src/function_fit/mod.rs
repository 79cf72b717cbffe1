//! `function-fit`: networks of equal parameter count and different depth fit a function of one variable.
//!
//! For method, parameters and interpretation see docs/experiments/function-fit.md.

mod conclusion;
mod figures;
mod settings;
mod tables;
pub mod target;
pub mod training;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments::{self, Instruments, Settings};
use gradtop_toolkit::metrics::{self, Points};
use gradtop_toolkit::runtime;
use gradtop_toolkit::settings::Method;

use conclusion::Conclusion;
use training::{Model, Training};

/// Fits functions of one variable with tanh networks that have the same number of parameters but 7, 4 or 1 hidden layers.
#[derive(Params, Clone, Debug)]
pub struct FunctionFit {
    /// Functions to fit, comma-separated: sinc is sin(5πx)/(5πx), sign is sgn(sin 5πx), sine is sin(5πx), custom is `expression`
    #[param(default = "sinc,sign", distinct, nonempty)]
    pub functions: Vec<String>,
    /// The function `custom`, of x: + - * / % ^, brackets, pi, e, sin, exp, abs, sign, min, max and more
    #[param(default = "")]
    pub expression: String,
    /// Networks, comma-separated: deep (7 hidden layers), middle (4), shallow (1)
    #[param(default = "deep,middle,shallow", distinct, nonempty)]
    pub models: Vec<Model>,
    /// Points of the equidistant grid for training and evaluation
    #[param(default = 10_000, min = 2, max = 1_000_000, log)]
    pub points: i64,
    /// Left end of the grid
    #[param(default = 1e-4, min = -1000.0, max = 1000.0)]
    pub x_min: f64,
    /// Right end of the grid
    #[param(default = 1.0, min = -1000.0, max = 1000.0)]
    pub x_max: f64,
    /// Samples per step, drawn without replacement in each epoch; 0: the whole grid
    #[param(default = 128, min = 0, max = 1_000_000)]
    pub batch: i64,
    /// Optimizer
    #[param(default = "adam")]
    pub optimizer: Method,
    /// Common learning rate; sgd with momentum 0.9 diverges on the shallow network above 0.01
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Further learning rates, comma-separated: each network is compared at the best of its own too; empty: only at `lr`
    #[param(default = "5e-3,2e-2", min = 0.0, min_excluded, max = 10.0, distinct)]
    pub rates: Vec<f64>,
    /// Momentum of sgd; adam ignores it
    #[param(default = 0.9, min = 0.0, max = 1.0, max_excluded)]
    pub momentum: f64,
    /// Updates of each network
    #[param(default = 20_000, min = 1, max = 100_000_000, log)]
    pub steps: i64,
    /// Networks of each kind, with their own initial values and batches, trained at once; with `rates` each is compared at the rate that the others choose
    #[param(default = 6, min = 1, max = 256)]
    pub trials: i64,
    /// Steps between values of the batch loss
    #[param(default = 10, min = 1)]
    pub log_every: i64,
    /// Steps between evaluations on the whole grid
    #[param(default = 200, min = 1)]
    pub eval_every: i64,
    /// Steps between tables of predictions; 0: only one, at the end
    #[param(default = 5000, min = 0)]
    pub table_every: i64,
    /// Most points of the grid in a table of predictions
    #[param(default = 1000, min = 2, max = 1_000_000)]
    pub table_points: i64,
    /// Training instruments
    #[param(flatten)]
    pub instruments: Settings,
}

impl Experiment for FunctionFit {
    fn info() -> Info {
        let info = Info::new("function-fit", "Function fit: deep against shallow", "")
            .resumable()
            .uses_device()
            .metric(metrics::loss(
                "MSE",
                "Mean squared error over the whole grid with fixed weights; the split is the function",
            ))
            .metric(Metric::new("batch_loss").unit("MSE").goal(Goal::Min).log().help(
                "Mean squared error of the step's batch, before its update: noisier than `loss`, not to be \
                 mixed with it",
            ))
            .preset(
                "quick",
                "One function, a few seconds",
                "functions=sinc points=2000 steps=3000 rates= trials=3 eval_every=50 table_every=1000",
            )
            .preset(
                "default",
                "Both functions of the report, 20,000 steps, 6 trials at each of three learning rates",
                "",
            )
            .preset(
                "full",
                "Three functions, 100,000 steps, 11 trials at each of five learning rates",
                "functions=sinc,sign,sine steps=100000 trials=11 rates=3e-4,3e-3,1e-2,3e-2 log_every=50 \
                 eval_every=500 table_every=25000",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        self.setup(0, tch::Device::Cpu).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        let threads = self.useful_threads(ctx.threads());
        runtime::set_threads(threads);
        if threads < ctx.threads() {
            ctx.debug(format!("{threads} of {} threads: the tensors are small", ctx.threads()))?;
        }
        let mut training = Training::new(self.setup(ctx.seed(), device)?)?;
        ctx.declare_figures(figures::declare(self, &training, ctx.seed(), &[]))?;
        let mut instruments =
            Instruments::new(&self.instruments, ctx.seed(), &format!("{}.", self.in_words(ctx.seed())));
        training.watch(ctx, &mut instruments)?;
        if let Some(dir) = ctx.resume_dir() {
            training.restore(dir)?;
            ctx.info(format!("continuing from step {}", training.step()))?;
        } else {
            tables::models(ctx, &training)?;
            self.evaluate(ctx, &mut training)?;
        }
        for step in ctx.steps(training.step()..self.steps) {
            let step = step? + 1;
            training.advance()?;
            training.log_readings(ctx)?;
            if step % self.log_every == 0 {
                self.log_batch_losses(ctx, &mut training)?;
            }
            // Where nothing is left to train, the last loss is that of the end, not of an earlier evaluation.
            if step % self.eval_every == 0 || step == self.steps || training.all_diverged() {
                self.evaluate(ctx, &mut training)?;
            }
            if self.table_every > 0 && step % self.table_every == 0 && step < self.steps {
                tables::predictions(ctx, &training, self.table_points as usize)?;
            }
            ctx.checkpoint_if_due(step, |dir| training.save(dir))?;
        }
        tables::predictions(ctx, &training, self.table_points as usize)?;
        training.keep_weights(ctx)?;
        let said = Conclusion::of(&training)?.write(ctx, training.step())?;
        ctx.declare_figures(figures::declare(self, &training, ctx.seed(), &said))
    }
}

impl FunctionFit {
    /// Evaluates every fit on the whole grid.
    fn evaluate(&self, ctx: &Ctx, training: &mut Training) -> Result<()> {
        for i in 0..training.fits.len() {
            let fit = &training.fits[i];
            let truth = &training.setup().targets[fit.target].values;
            let losses = training::losses(&fit.predict(training)?, truth);
            log(ctx, training, i, "loss", &losses, self.eval_every)?;
        }
        if training.all_diverged() {
            return Err(Error::new(format!(
                "every trial of every model has diverged by step {}; a smaller lr may help",
                training.step()
            )));
        }
        Ok(())
    }

    fn log_batch_losses(&self, ctx: &Ctx, training: &mut Training) -> Result<()> {
        for i in 0..training.fits.len() {
            let losses = training.fits[i].batch_loss(training)?;
            log(ctx, training, i, "batch_loss", &losses, self.log_every)?;
        }
        Ok(())
    }
}

/// Logs one value per trial. A trial whose value is not finite is frozen and reported; it logs that value once more in
/// each metric, so that charts mark its end, and then nothing.
fn log(
    ctx: &Ctx,
    training: &mut Training,
    fit: usize,
    metric: &str,
    losses: &[f64],
    every: i64,
) -> Result<()> {
    let step = training.step();
    let new = training.freeze_diverged(fit, losses)?;
    let which = &training.fits[fit];
    let split = training.split(which);
    for trial in new {
        ctx.warn(format!(
            "{split}, {}, trial {trial} diverged: its loss is {} at step {step}; it is frozen, the others continue",
            which.model, losses[trial]
        ))?;
    }
    // The previous step at which this metric was logged, computed from the step alone so that resuming changes nothing.
    let previous = (step - 1).div_euclid(every) * every;
    let series = Series::metric(metric).model(&which.model).split(&split);
    let mut points = Points::of(ctx);
    for (trial, loss) in losses.iter().enumerate() {
        if which.diverged[trial].is_none_or(|since| previous < since) {
            points = points.one(series.trial(trial as i32), *loss)?;
        }
    }
    points.log(step, training.epoch())
}
