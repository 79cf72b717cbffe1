//! Derivatives of any loss through libtorch's graph.
//!
//! A loss is a closure from parameters `[runs, parameters]` to `[runs]`, whose runs must be independent. Then row i of
//! every run's Hessian follows from one backward pass of Σᵣ gᵣ(i), and a product with one vector per run from one
//! backward pass of Σᵣ gᵣ·vᵣ.

use tch::{Kind, TchError, Tensor};

use crate::tensors::copied;

/// Returns a copy of the parameters with respect to which gradients are taken.
fn leaf(parameters: &Tensor) -> Result<Tensor, TchError> {
    copied(parameters)?.f_set_requires_grad(true)
}

/// Returns loss `[runs]` and its gradient, still part of the graph.
fn first(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    at: &Tensor,
    again: bool,
) -> Result<(Tensor, Tensor), TchError> {
    let losses = loss(at)?;
    let total = losses.f_sum(None::<Kind>)?;
    let mut gradients = Tensor::f_run_backward(&[total], &[at], again, again)?;
    let gradient = gradients.pop().ok_or_else(|| TchError::Torch("no gradient came back".to_owned()))?;
    Ok((losses.f_detach()?, gradient))
}

/// Returns loss `[runs]` and gradient `[runs, parameters]`.
pub fn gradient(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    parameters: &Tensor,
) -> Result<(Tensor, Tensor), TchError> {
    tch::with_grad(|| first(loss, &leaf(parameters)?, false))
}

/// Returns the product of each run's Hessian with its own vector: `[runs, parameters]`.
pub fn hessian_vector(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    parameters: &Tensor,
    vector: &Tensor,
) -> Result<Tensor, TchError> {
    tch::with_grad(|| {
        let at = leaf(parameters)?;
        let (_, gradient) = first(loss, &at, true)?;
        backward(&gradient.f_mul(vector)?.f_sum(None::<Kind>)?, &at, false)
    })
}

/// The gradient with its graph, so that each further product with the same Hessian needs only one backward pass.
pub struct Products {
    at: Tensor,
    gradient: Tensor,
}

impl Products {
    /// Prepares products with the Hessian of this loss at these parameters `[runs, parameters]`.
    pub fn new(
        loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
        parameters: &Tensor,
    ) -> Result<Self, TchError> {
        tch::with_grad(|| {
            let at = leaf(parameters)?;
            let (_, gradient) = first(loss, &at, true)?;
            Ok(Self { at, gradient })
        })
    }

    /// Returns the product of each run's Hessian with its own vector: `[runs, parameters]`.
    pub fn with(&self, vector: &Tensor) -> Result<Tensor, TchError> {
        tch::with_grad(|| backward(&self.gradient.f_mul(vector)?.f_sum(None::<Kind>)?, &self.at, true))
    }
}

/// Returns the Hessian of each run, not symmetrized: `[runs, parameters, parameters]`. Needs as many backward passes as
/// parameters.
pub fn hessian(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    parameters: &Tensor,
) -> Result<Tensor, TchError> {
    tch::with_grad(|| {
        let at = leaf(parameters)?;
        let (_, gradient) = first(loss, &at, true)?;
        let count = at.size()[1];
        let rows = (0..count)
            .map(|i| backward(&gradient.f_select(1, i)?.f_sum(None::<Kind>)?, &at, true))
            .collect::<Result<Vec<_>, _>>()?;
        Tensor::f_stack(&rows, 1)
    })
}

fn backward(root: &Tensor, at: &Tensor, keep: bool) -> Result<Tensor, TchError> {
    let mut parts = Tensor::f_run_backward(&[root], &[at], keep, false)?;
    let part = parts.pop().ok_or_else(|| TchError::Torch("no gradient came back".to_owned()))?;
    part.f_detach()
}
