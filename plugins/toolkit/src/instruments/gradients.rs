//! Measures gradients and updates.

use tch::{Kind, TchError, Tensor};

use super::Watched;
use crate::tensors::{self, copied};

/// The gradient and update of a step: one value per trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// Norm of the batch's gradient before the update.
    pub grad_norm: Vec<f64>,
    /// Norm of each layer's gradient: `[layer][trial]`.
    pub layers: Vec<Vec<f64>>,
    /// Norm of the update.
    pub update_size: Vec<f64>,
    /// Distance of the parameters from their initial values after the update.
    pub distance: Vec<f64>,
    /// Simple noise scale, tr Σ / ‖∇L‖² in samples (Kaplan, Amodei and others, "An empirical model of large-batch
    /// training", 2018): roughly the batch size beyond which larger batches help little. Σ is the covariance of single
    /// samples' gradients, and ‖∇L‖² is estimated without bias by ‖g‖² − tr Σ (1 / B − 1 / N), for batches of B drawn
    /// without replacement from N samples; NaN if that is not positive.
    pub noise_scale: Vec<f64>,
    /// Number of elements of all trials' gradients whose absolute value is within each decade of `DECADES`; the first
    /// count includes smaller values and zeros, the last larger values and NaN.
    pub histogram: Vec<i64>,
}

/// The decades of a histogram, one bar each.
pub(crate) const DECADES: std::ops::RangeInclusive<i32> = -12..=2;

/// What is known of a step before its update.
pub(super) struct Before {
    squares: Vec<Vec<f64>>,
    noise_scale: Vec<f64>,
    histogram: Vec<i64>,
    parameters: Tensor,
}

impl Before {
    /// `noise` is the trace of the covariance of single samples' gradients for each trial, and the batch size, of `all`
    /// samples. The histogram counts the given trials, or all.
    pub(super) fn read(
        network: &impl Watched,
        noise: &(Vec<f64>, i64),
        all: i64,
        trials: Option<&[i64]>,
    ) -> Result<Self, TchError> {
        let gradients = network.gradients();
        let squares = squared_norms(network, gradients)?;
        let (traces, batch) = noise;
        let scale = |(square, trace): (f64, &f64)| {
            let signal = square - trace * (1.0 / *batch as f64 - 1.0 / all as f64);
            if signal > 0.0 { trace / signal } else { f64::NAN }
        };
        Ok(Self {
            noise_scale: sums(&squares).into_iter().zip(traces).map(scale).collect(),
            histogram: match trials {
                None => histogram(gradients)?,
                Some(trials) => {
                    let trials = Tensor::f_from_slice(trials)?.f_to_device(gradients.device())?;
                    histogram(&network.rows(gradients)?.f_index_select(0, &trials)?.f_flatten(0, -1)?)?
                }
            },
            parameters: copied(network.parameters())?,
            squares,
        })
    }

    /// Completes the reading after the update.
    pub(super) fn after(self, network: &impl Watched, start: &Tensor) -> Result<Gradients, TchError> {
        let length = |from: &Tensor| -> Result<Vec<f64>, TchError> {
            Ok(roots(&sums(&squared_norms(network, &network.parameters().f_sub(from)?)?)))
        };
        Ok(Gradients {
            grad_norm: roots(&sums(&self.squares)),
            layers: self.squares.iter().map(|layer| roots(layer)).collect(),
            update_size: length(&self.parameters)?,
            distance: length(start)?,
            noise_scale: self.noise_scale,
            histogram: self.histogram,
        })
    }
}

/// Returns squared Euclidean norms of a tensor in the layout of the parameters: `[layer][trial]`.
fn squared_norms(network: &impl Watched, flat: &Tensor) -> Result<Vec<Vec<f64>>, TchError> {
    tensors::squared_norms(&tensors::layers(flat, &network.layer_parameter_counts(), network.trials())?)
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
    Vec::try_from(&bins.f_bincount(None::<&Tensor>, edges.numel() as i64 + 1)?)
}
