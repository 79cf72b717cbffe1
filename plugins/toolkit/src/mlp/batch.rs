//! The batch of an ensemble.

use tch::{TchError, Tensor};

use super::flatten_single;

/// The samples of one training step, feature-major. See [`Batch::new`].
#[derive(Debug)]
pub struct Batch {
    pub(super) x: Tensor,
    pub(super) x_transposed: Tensor,
    pub(super) y: Tensor,
    /// Whether all trials share the samples, so that `x` has no trial axis.
    pub(super) shared: bool,
}

impl Batch {
    /// Creates a batch from `x`, `[trials, inputs + 1, samples]` whose last row is ones, and `y`, `[trials, outputs,
    /// samples]`. The tensors are shared, not copied: refilling them in place changes the batch.
    pub fn new(x: &Tensor, y: &Tensor) -> Result<Self, TchError> {
        let trials = x.size()[0];
        let x = flatten_single(x.shallow_clone(), trials)?;
        let y = flatten_single(y.shallow_clone(), trials)?;
        Ok(Self { x_transposed: x.f_transpose(-1, -2)?, x, y, shared: false })
    }

    /// Creates a batch shared by all trials from `x`, `[inputs + 1, samples]` whose last row is ones, and `y`,
    /// `[outputs, samples]`. The first layer of all trials is then one matrix product.
    pub fn shared(x: &Tensor, y: &Tensor) -> Result<Self, TchError> {
        Ok(Self {
            x: x.shallow_clone(),
            x_transposed: x.f_transpose(-1, -2)?,
            y: y.shallow_clone(),
            shared: true,
        })
    }

    /// Returns the inputs, `[inputs + 1, samples]` with a last row of ones, preceded by the trial axis unless shared.
    pub fn inputs(&self) -> &Tensor {
        &self.x
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> i64 {
        let size = self.x.size();
        size[size.len() - 1]
    }
}

/// Adds a row of ones and a trial axis to samples (`[inputs, samples]`): `[trials, inputs + 1, samples]`. All trials
/// share the memory until something is written into it.
pub fn with_ones(x: &Tensor, trials: i64) -> Result<Tensor, TchError> {
    let ones = Tensor::f_ones([1, x.size()[1]], (x.kind(), x.device()))?;
    let rows = x.size()[0] + 1;
    Tensor::f_cat(&[x, &ones], 0)?.f_unsqueeze(0)?.f_expand([trials, rows, x.size()[1]], false)
}
