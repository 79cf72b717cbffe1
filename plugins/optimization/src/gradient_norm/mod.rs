//! `gradient-norm`: the norm of the gradient while a network trains.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::functions::{grid, sinc};
use gradtop_toolkit::mlp::{Batch, Mlp, with_ones};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::runtime;
use tch::{Kind, Tensor};

/// Follows the norm of the gradient, in total and of each layer, while a deep tanh network fits sin(5πx)/(5πx).
#[derive(Params, Clone, Debug)]
pub struct GradientNorm {
    /// Points of the equidistant grid on [1e-4, 1]
    #[param(default = 1000, min = 2, max = 100_000, log)]
    pub points: i64,
    /// Updates
    #[param(default = 20_000, min = 1, max = 10_000_000, log)]
    pub steps: i64,
    /// Steps between two values
    #[param(default = 10, min = 1)]
    pub every: i64,
    /// Learning rate of Adam
    #[param(default = 1e-3, min = 0.0, min_excluded, max = 10.0, log)]
    pub lr: f64,
    /// Networks with their own initial values, trained at once
    #[param(default = 3, min = 1, max = 64)]
    pub trials: i64,
}

const WIDTHS: [i64; 9] = [1, 5, 10, 10, 10, 10, 10, 5, 1];

impl Experiment for GradientNorm {
    fn info() -> Info {
        Info::new("gradient-norm", "Gradient norm during training", "")
            .uses_device()
            .metric(Metric::new("loss").unit("MSE").goal(Goal::Min).headline().guard().log())
            .metric(Metric::new("grad_norm").log().help("Euclidean norm of the gradient over all parameters"))
            .metric(Metric::new("layer_grad_norm").log().help("The same over one layer's weights and biases"))
            .preset("quick", "A few seconds", &[("steps", "1000")])
            .preset("default", "20,000 steps", &[])
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let (device, _no_graphs) = runtime::prepare(ctx);
        runtime::set_threads(1);
        let x = grid(1e-4, 1.0, self.points as usize);
        let y: Vec<f64> = x.iter().copied().map(sinc).collect();
        let float = |values: &[f64]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_to_kind(Kind::Float)?.f_to_device(device)?)
        };
        let inputs = with_ones(&float(&x)?.f_unsqueeze(0)?, self.trials)?.f_contiguous()?;
        let outputs =
            float(&y)?.f_view([1, 1, -1])?.f_expand([self.trials, 1, self.points], false)?.f_contiguous()?;
        let batch = Batch::new(&inputs, &outputs)?;
        let mut mlp = Mlp::zeros(&WIDTHS, self.trials, Kind::Float, device)?;
        mlp.init_uniform(ctx.seed(), Stream::named("gradient-norm/init/sinc"))?;
        let space = mlp.workspace(self.points)?;
        let mut optimizer = Optimizer::new(Rule::Adam { lr: self.lr }, mlp.parameters())?;

        let trials = 0..self.trials as i32;
        let series = |metric: &str, model: Option<&str>| -> Result<Vec<SeriesId>> {
            trials
                .clone()
                .map(|t| {
                    let series = Series::metric(metric).split("sinc").trial(t);
                    ctx.series(model.map_or(series, |model| series.model(model)))
                })
                .collect()
        };
        let (loss, total) = (series("loss", None)?, series("grad_norm", None)?);
        let layers = (1..WIDTHS.len())
            .map(|l| series("layer_grad_norm", Some(&format!("layer {l}"))))
            .collect::<Result<Vec<_>>>()?;
        for step in 0..=self.steps {
            mlp.gradient(&space, &batch)?;
            if step % self.every == 0 || step == self.steps {
                let losses = mlp.batch_loss(&space, &batch)?;
                let squares = mlp.squared_gradient_norms()?;
                for t in 0..self.trials as usize {
                    let sum: f64 = squares.iter().map(|layer| layer[t]).sum();
                    ctx.log(step, &[(loss[t], losses[t]), (total[t], sum.sqrt())])?;
                    for (ids, values) in layers.iter().zip(&squares) {
                        ctx.log(step, &[(ids[t], values[t].sqrt())])?;
                    }
                }
            }
            optimizer.update(mlp.parameters(), mlp.gradients())?;
            ctx.progress(step, self.steps, "training")?;
            ctx.step_end()?;
        }
        Ok(())
    }
}
