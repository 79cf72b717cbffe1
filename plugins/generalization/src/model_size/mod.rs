//! `model-size`: training and test error against the number of parameters, on either side of interpolation.
//!
//! For method, parameters and interpretation see docs/experiments/model-size.md.

mod conclusion;
pub mod features;
mod figures;
mod networks;
mod results;
mod settings;
mod state;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::instruments;
use gradtop_toolkit::metrics;
use gradtop_toolkit::runtime;

use state::State;

/// Trains networks of one family in many widths, and fits random features exactly: does a larger model over-fit?
#[derive(Params, Clone, Debug)]
pub struct ModelSize {
    /// Images
    #[param(default = "mnist", choices = ["mnist", "fashion-mnist"])]
    pub dataset: String,
    /// Part A: widths h of the networks 784-h-2h-10 on many images, comma-separated; empty: skip this part
    #[param(default = "1,2,3,5,8,12,20,32,64,128,256,512", min = 1, max = 10_000, distinct)]
    pub full_widths: Vec<i64>,
    /// Part A: training images, drawn by the seed; 0: all
    #[param(default = 0, min = 0, max = 60_000)]
    pub full_samples: i64,
    /// Part A: passes over the training images
    #[param(default = 10, min = 1, max = 10_000, log)]
    pub full_epochs: i64,
    /// Part A: further learning rates, comma-separated: one more network of each width at each, on 20,000 images; 5,000 others choose; empty: only `lr`
    #[param(default = "3e-4,3e-3", min = 0.0, min_excluded, max = 10.0, distinct)]
    pub full_rates: Vec<f64>,
    /// Part B: widths h of the networks 784-h-10 on few images, comma-separated; empty: skip this part
    #[param(default = "3,6,12,18,25,38,50,63,100,160,250,800", min = 1, max = 10_000, distinct)]
    pub subset_widths: Vec<i64>,
    /// Part B: training images, drawn by the seed
    #[param(default = 4000, min = 10, max = 60_000, log)]
    pub subset_samples: i64,
    /// Part B: passes over the training images, while the learning rate falls to 0 along a cosine
    #[param(default = 150, min = 1, max = 100_000, log)]
    pub subset_epochs: i64,
    /// Part B: further learning rates, comma-separated: one more network of each width at each, with true and with noisy labels; 5,000 other training images choose; empty: only `lr`
    #[param(default = "3e-4,3e-3", min = 0.0, min_excluded, max = 10.0, distinct)]
    pub subset_rates: Vec<f64>,
    /// Parts B and C: share of random training labels, in addition to none
    #[param(default = 0.2, min = 0.0, min_excluded, max = 1.0)]
    pub noise: f64,
    /// Part C: random features as multiples of the training images, comma-separated; empty: skip this part
    #[param(default = "0.01,0.05,0.1,0.2,0.4,0.6,0.8,0.9,0.95,1,1.05,1.1,1.25,1.5,2,3,5,8", distinct)]
    pub feature_ratios: Vec<f64>,
    /// Part C: training images, drawn by the seed
    #[param(default = 1000, min = 10, max = 10_000, log)]
    pub feature_samples: i64,
    /// Part C: test images, drawn by the seed
    #[param(default = 2000, min = 10, max = 10_000, log)]
    pub feature_tests: i64,
    /// Networks of each width, or draws of the features, with their own initial values, batches and label noise
    #[param(default = 3, min = 1, max = 50)]
    pub trials: i64,
    /// Parts A and B: samples per step
    #[param(default = 128, min = 1, max = 60_000)]
    pub batch: i64,
    /// Parts A and B: learning rate of Adam
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Training instruments of parts A and B
    #[param(flatten)]
    pub instruments: instruments::Settings,
}

impl Experiment for ModelSize {
    fn info() -> Info {
        let info = Info::new("model-size", "Model size: error against the number of parameters", "")
            .resumable()
            .uses_device()
            .metric(metrics::accuracy(
                "Share of samples classified as labelled, over a whole set with fixed weights",
            ))
            .metric(
                Metric::new("loss")
                    .unit("nats")
                    .goal(Goal::Min)
                    .log()
                    .help("Mean cross entropy over a whole set with fixed weights (part A)"),
            )
            .metric(
                Metric::new("squared_error")
                    .goal(Goal::Min)
                    .log()
                    .help("Squared error summed over the ten outputs, mean over a whole set (parts B and C)"),
            )
            .preset(
                "quick",
                "Few widths, images and epochs: seconds",
                "full_widths=1,3,8,32 full_samples=5000 full_epochs=2 full_rates= subset_widths=3,12,40,160 \
                 subset_samples=500 subset_epochs=150 subset_rates= \
                 feature_ratios=0.1,0.2,0.5,0.8,0.95,1,1.05,1.2,2,5,10 feature_samples=200 \
                 feature_tests=1000 trials=2",
            )
            .preset(
                "default",
                "Twelve widths in parts A and B, each also at three learning rates, eighteen numbers of \
                 features, 3 trials",
                "",
            )
            .preset(
                "full",
                "More widths, epochs and learning rates, 5 trials",
                "full_widths=1,2,3,4,5,6,8,10,12,16,20,32,48,64,96,128,256,512,1024 full_epochs=30 \
                 full_rates=1e-4,3e-4,3e-3,1e-2 \
                 subset_widths=3,6,9,12,18,25,32,38,44,50,57,63,75,100,130,160,200,250,400,800,1600 \
                 subset_epochs=300 subset_rates=1e-4,3e-4,3e-3,1e-2 trials=5",
            );
        instruments::describe(info)
    }

    fn validate(&self) -> Result<()> {
        settings::units(self).map(drop)
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        ctx.declare_figures(figures::declare(self, ctx.seed(), &[])?)?;
        let mut state = State::new(self, ctx.seed(), device, ctx.threads())?;
        if let Some(dir) = ctx.resume_dir() {
            state.restore(ctx, dir)?;
            ctx.info(format!("continuing at {} of {} sizes", state.done() + 1, state.units().len()))?;
        }
        let total = state.total();
        for turn in ctx.steps(0..) {
            turn?;
            let Some(unit) = state.unit() else { break };
            let ended = state.advance(ctx)?;
            // In thousandths, because multiplications could be mistaken for steps while there are few of both.
            let share = state.cost_done() as f64 / total.max(1) as f64;
            ctx.progress((share * 1000.0).round() as i64, 1000, &unit.in_words())?;
            if ended {
                state.results.write(ctx, state.step())?;
            }
            ctx.checkpoint_if_due(state.step(), |dir| state.save(dir))?;
        }
        let said = conclusion::write(ctx, self, &state.results, state.step())?;
        ctx.declare_figures(figures::declare(self, ctx.seed(), &said)?)
    }
}
