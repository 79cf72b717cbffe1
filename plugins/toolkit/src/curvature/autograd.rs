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
    let gradient = backward(&losses.f_sum(None::<Kind>)?, at, again, again)?;
    Ok((losses.f_detach()?, gradient))
}

/// Returns loss `[runs]` and gradient `[runs, parameters]`.
pub fn gradient(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    parameters: &Tensor,
) -> Result<(Tensor, Tensor), TchError> {
    tch::with_grad(|| first(loss, &leaf(parameters)?, false))
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
        tch::with_grad(|| self.along(&self.gradient.f_mul(vector)?))
    }

    /// Returns the gradient of the sum of these parts of the gradient.
    fn along(&self, parts: &Tensor) -> Result<Tensor, TchError> {
        backward(&parts.f_sum(None::<Kind>)?, &self.at, true, false)?.f_detach()
    }
}

/// Returns the Hessian of each run, not symmetrized: `[runs, parameters, parameters]`. Needs as many backward passes as
/// parameters.
pub fn hessian(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    parameters: &Tensor,
) -> Result<Tensor, TchError> {
    let products = Products::new(loss, parameters)?;
    let row = |i| products.along(&products.gradient.f_select(1, i)?);
    tch::with_grad(|| Tensor::f_stack(&(0..parameters.size()[1]).map(row).collect::<Result<Vec<_>, _>>()?, 1))
}

fn backward(root: &Tensor, at: &Tensor, keep: bool, graph: bool) -> Result<Tensor, TchError> {
    let mut parts = Tensor::f_run_backward(&[root], &[at], keep, graph)?;
    parts.pop().ok_or_else(|| TchError::Torch("no gradient came back".to_owned()))
}
