//! What an ensemble trains on in one step.

use tch::{TchError, Tensor};

use super::flatten_single;

/// What the ensemble trains on in one step, feature-major. See [`Batch::new`].
#[derive(Debug)]
pub struct Batch {
    pub(super) x: Tensor,
    pub(super) x_transposed: Tensor,
    pub(super) y: Tensor,
    /// One set of samples for all trials: `x` has no trial axis.
    pub(super) shared: bool,
}

impl Batch {
    /// Views one batch: `x` is `[trials, inputs + 1, samples]` whose last row is ones, `y` is `[trials, outputs, samples]`.
    /// The tensors are shared, not copied: refilling them in place changes the batch.
    pub fn new(x: &Tensor, y: &Tensor) -> Result<Self, TchError> {
        let trials = x.size()[0];
        let x = flatten_single(x.shallow_clone(), trials)?;
        let y = flatten_single(y.shallow_clone(), trials)?;
        Ok(Self { x_transposed: x.f_transpose(-1, -2)?, x, y, shared: false })
    }

    /// Views samples that all trials train on or are evaluated on: `x` is `[inputs + 1, samples]` whose last row is ones,
    /// `y` is `[outputs, samples]`. The first layer of all trials is then one matrix product.
    pub fn shared(x: &Tensor, y: &Tensor) -> Result<Self, TchError> {
        Ok(Self {
            x: x.shallow_clone(),
            x_transposed: x.f_transpose(-1, -2)?,
            y: y.shallow_clone(),
            shared: true,
        })
    }

    /// `[inputs + 1, samples]`, the last row ones, with the trials before it unless they share it.
    pub fn inputs(&self) -> &Tensor {
        &self.x
    }

    /// Number of samples.
    pub fn samples(&self) -> i64 {
        let size = self.x.size();
        size[size.len() - 1]
    }
}

/// Gives samples (`[inputs, samples]`) their row of ones and their trial axis: `[trials, inputs + 1, samples]`.
/// All trials share the memory until something is written into it.
pub fn with_ones(x: &Tensor, trials: i64) -> Result<Tensor, TchError> {
    let ones = Tensor::f_ones([1, x.size()[1]], (x.kind(), x.device()))?;
    let rows = x.size()[0] + 1;
    Tensor::f_cat(&[x, &ones], 0)?.f_unsqueeze(0)?.f_expand([trials, rows, x.size()[1]], false)
}
