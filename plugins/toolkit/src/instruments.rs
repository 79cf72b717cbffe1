//! Instruments of training: what the gradient, its noise and the updates look like, at a chosen interval.
//!
//! They are taken from what a training step computes anyway, so a step that is not measured costs nothing, and a measured one a
//! few passes over the parameters. Off unless an experiment asks for them.

use gradtop_sdk::prelude::*;
use tch::{Kind, TchError, Tensor};

use crate::ensemble::Ensemble;
use crate::figures::{Figures, axis};
use crate::mlp::{Mlp, Samples};

/// Measures some steps of an ensemble.
pub struct Instruments {
    every: i64,
    start: Tensor,
    before: Tensor,
}

/// What one step looked like: a value a trial, in vectors as long as there are trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Updates before this one.
    pub step: i64,
    /// Norm of the batch's gradient, before the update.
    pub grad_norm: Vec<f64>,
    /// The same of each layer: `[layer][trial]`.
    pub layers: Vec<Vec<f64>>,
    /// Length of the update.
    pub update_size: Vec<f64>,
    /// Distance of the parameters from their initial values, after the update.
    pub distance: Vec<f64>,
    /// Simple noise scale, tr Σ / ‖∇L‖² in samples (Kaplan, Amodei and others, "An empirical model of large-batch
    /// training", 2018): about the batch from which on larger ones help little. Σ is the covariance of single samples' gradients,
    /// and ‖∇L‖² is estimated without bias by ‖g‖² − tr Σ / B; NaN where that is not positive.
    pub noise_scale: Vec<f64>,
    /// How many elements of all trials' gradients have an absolute value within each decade of [`DECADES`]; the first count is of
    /// those below, zeros included, the last of those above.
    pub histogram: Vec<i64>,
}

/// Powers of ten between which a histogram counts: a bar each.
pub const DECADES: std::ops::RangeInclusive<i32> = -12..=2;

impl Instruments {
    /// Measures every `every` steps an ensemble whose parameters are the initial ones now; `None` if `every` is 0.
    pub fn new(mlp: &Mlp, every: i64) -> Result<Option<Self>, TchError> {
        if every <= 0 {
            return Ok(None);
        }
        let copy = || -> Result<Tensor, TchError> {
            let mut copy = mlp.parameters().f_empty_like()?;
            copy.f_copy_(mlp.parameters())?;
            Ok(copy)
        };
        Ok(Some(Self { every, start: copy()?, before: copy()? }))
    }

    /// Whether the next update of an ensemble at this step is measured.
    pub fn due(&self, step: i64) -> bool {
        step % self.every == 0
    }

    /// The initial parameters, to be saved with a checkpoint.
    pub fn start(&self) -> &Tensor {
        &self.start
    }

    /// Sets the initial parameters to saved ones.
    pub fn restore(&mut self, start: &Tensor) -> Result<(), TchError> {
        self.start.f_copy_(start)
    }

    /// One step of the ensemble, measured. The parameters change exactly as by [`Ensemble::advance`].
    pub fn advance(&mut self, ensemble: &mut Ensemble, samples: &Samples) -> Result<Reading, TchError> {
        let step = ensemble.step();
        ensemble.gradient(samples)?;
        let mlp = &ensemble.mlp;
        let squares = mlp.squared_gradient_norms()?;
        let totals = sums(&squares);
        let (traces, batch) = ensemble.gradient_variance()?;
        let noise_scale = totals
            .iter()
            .zip(traces)
            .map(|(square, trace)| {
                let signal = square - trace / batch as f64;
                if signal > 0.0 { trace / signal } else { f64::NAN }
            })
            .collect();
        let histogram = histogram(mlp.gradients())?;
        self.before.f_copy_(mlp.parameters())?;
        ensemble.update()?;
        let mlp = &ensemble.mlp;
        let length = |from: &Tensor| -> Result<Vec<f64>, TchError> {
            Ok(roots(&sums(&mlp.squared_norms(&mlp.parameters().f_sub(from)?)?)))
        };
        Ok(Reading {
            step,
            grad_norm: roots(&totals),
            layers: squares.iter().map(|layer| roots(layer)).collect(),
            update_size: length(&self.before)?,
            distance: length(&self.start)?,
            noise_scale,
            histogram,
        })
    }
}

fn sums(squares: &[Vec<f64>]) -> Vec<f64> {
    let trials = squares.first().map_or(0, Vec::len);
    (0..trials).map(|trial| squares.iter().map(|layer| layer[trial]).sum()).collect()
}

fn roots(squares: &[f64]) -> Vec<f64> {
    squares.iter().map(|square| square.sqrt()).collect()
}

fn histogram(gradients: &Tensor) -> Result<Vec<i64>, TchError> {
    let edges: Vec<f32> = DECADES.map(|decade| 10.0_f32.powi(decade)).collect();
    let edges = Tensor::f_from_slice(&edges)?.f_to_device(gradients.device())?;
    let bins = gradients.f_abs()?.f_to_kind(Kind::Float)?.f_bucketize(&edges, false, true)?;
    let counts = bins.f_bincount(None::<&Tensor>, edges.numel() as i64 + 1)?;
    let mut values = vec![0_i64; counts.numel()];
    counts.f_copy_data(&mut values, counts.numel())?;
    Ok(values)
}

/// The series that readings are logged to.
pub struct InstrumentSeries {
    grad_norm: Vec<SeriesId>,
    layers: Vec<Vec<SeriesId>>,
    update_size: Vec<SeriesId>,
    distance: Vec<SeriesId>,
    noise_scale: Vec<SeriesId>,
}

/// What [`InstrumentSeries`] logs, for `Info`.
pub fn metrics() -> [Metric; 5] {
    [
        Metric::new("batch/grad_norm").log().help("Norm of the gradient of the step's batch"),
        Metric::new("batch/layer_grad_norm").log().help("The same over one layer's weights and biases"),
        Metric::new("batch/update_size").log().help("Length of the update"),
        Metric::new("batch/distance").help("Distance of the parameters from their initial values"),
        Metric::new("batch/noise_scale").unit("samples").log().help(
            "Simple gradient noise scale, tr Σ / |gradient|²: batches far larger than this help little",
        ),
    ]
}

/// Adds the figures `instruments` and `gradient-histogram`; `settings` end their captions.
pub fn figures(figures: &mut Figures, settings: &str) {
    let steps = axis("step", "linear");
    let line = |metric: &str, by: &str| {
        format!(
            "type = \"line\"\nmetric = \"batch/{metric}\"\nby = [{by}]\naggregate = \"mean\"\nband = \"minmax\""
        )
    };
    figures
        .figure(
            "instruments",
            "Gradients and updates",
            &format!("Of the batches of measured steps: mean of the trials, band from lowest to highest. {settings}"),
        )
        .panel("Norm of the gradient", &steps, &axis("gradient norm", "log"))
        .mark(&line("grad_norm", ""))
        .panel("Of each layer", &steps, &axis("gradient norm", "log"))
        .mark(&line("layer_grad_norm", "\"model\""))
        .panel("Length of an update", &steps, &axis("update size", "log"))
        .mark(&line("update_size", ""))
        .panel("Distance from the initial values", &steps, &axis("distance", "linear"))
        .mark(&line("distance", ""))
        .panel("Simple noise scale", &steps, &axis("samples", "log"))
        .mark(&line("noise_scale", ""))
        .figure(
            "gradient-histogram",
            "Sizes of the elements of the gradient",
            &format!(
                "Elements by the decade of their absolute value at the last measured step, all trials together; the leftmost bar \
                 counts what is smaller, zeros included. {settings}"
            ),
        )
        .panel("", &axis("power of ten", "linear"), &axis("elements", "linear"))
        .mark("type = \"bar\"\ntable = \"gradient-histogram\"\nxcol = \"decade\"\nycol = \"elements\"");
}

impl InstrumentSeries {
    /// Makes the series of an ensemble known.
    pub fn declare(ctx: &Ctx, mlp: &Mlp) -> Result<Self> {
        let of = |metric: &str, layer: Option<&str>| -> Result<Vec<SeriesId>> {
            (0..mlp.trials() as i32)
                .map(|trial| {
                    let series = Series::metric(metric).split("train").trial(trial);
                    ctx.series(layer.map_or(series, |layer| series.model(layer)))
                })
                .collect()
        };
        Ok(Self {
            grad_norm: of("batch/grad_norm", None)?,
            layers: (1..mlp.widths().len())
                .map(|layer| of("batch/layer_grad_norm", Some(&format!("layer {layer}"))))
                .collect::<Result<_>>()?,
            update_size: of("batch/update_size", None)?,
            distance: of("batch/distance", None)?,
            noise_scale: of("batch/noise_scale", None)?,
        })
    }

    /// Logs a reading, and its histogram to the table `gradient-histogram`.
    pub fn log(&self, ctx: &Ctx, epoch: f64, reading: &Reading) -> Result<()> {
        let mut points = Vec::new();
        let mut push = |ids: &[SeriesId], values: &[f64]| {
            points.extend(ids.iter().copied().zip(values.iter().copied()));
        };
        push(&self.grad_norm, &reading.grad_norm);
        push(&self.update_size, &reading.update_size);
        push(&self.distance, &reading.distance);
        push(&self.noise_scale, &reading.noise_scale);
        for (ids, values) in self.layers.iter().zip(&reading.layers) {
            push(ids, values);
        }
        ctx.log_epoch(reading.step, epoch, &points)?;
        let lower: Vec<f64> = std::iter::once(0.0).chain(DECADES.map(|d| 10.0_f64.powi(d))).collect();
        let exponent: Vec<i64> =
            (0..lower.len() as i64).map(|i| i64::from(*DECADES.start()) + i - 1).collect();
        ctx.table(
            "gradient-histogram",
            reading.step,
            &[
                Column::f64("from", lower),
                Column::i64("decade", exponent),
                Column::i64("elements", reading.histogram.clone()),
            ],
        )
    }
}
