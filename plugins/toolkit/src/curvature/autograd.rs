//! Derivatives of any loss through libtorch's graph.
//!
//! A loss is a closure from parameters `[runs, parameters]` to `[runs]`, whose runs must not depend on each other. Then row i
//! of every run's Hessian comes from one backward pass of Σᵣ gᵣ(i), and a product with one vector for each run from one
//! backward pass of Σᵣ gᵣ·vᵣ.

use tch::{Kind, TchError, Tensor};

use super::copied;

/// A copy of the parameters that gradients are taken by.
fn leaf(parameters: &Tensor) -> Result<Tensor, TchError> {
    copied(parameters)?.f_set_requires_grad(true)
}

/// Loss `[runs]` and its gradient, still part of the graph.
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

/// Loss `[runs]` and gradient `[runs, parameters]`.
pub fn gradient(
    loss: impl Fn(&Tensor) -> Result<Tensor, TchError>,
    parameters: &Tensor,
) -> Result<(Tensor, Tensor), TchError> {
    tch::with_grad(|| first(loss, &leaf(parameters)?, false))
}

/// The product of each run's Hessian with its own vector: `[runs, parameters]`.
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

/// The gradient with its graph, so that many products with the same Hessian need one backward pass each.
pub struct Products {
    at: Tensor,
    gradient: Tensor,
}

impl Products {
    /// Of the Hessian of this loss at these parameters `[runs, parameters]`.
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

    /// The product of each run's Hessian with its own vector: `[runs, parameters]`.
    pub fn with(&self, vector: &Tensor) -> Result<Tensor, TchError> {
        tch::with_grad(|| backward(&self.gradient.f_mul(vector)?.f_sum(None::<Kind>)?, &self.at, true))
    }
}

/// The Hessian of each run, not made symmetric: `[runs, parameters, parameters]`. As many backward passes as parameters.
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
