//! Points about a network, and the loss at them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::curvature::spectrum::rows;
use tch::{Kind, TchError, Tensor};

use super::task::Task;

/// The loss of each of some points, `[points, parameters]`. They are evaluated `group` at a time, the last group filled up with
/// copies: then a point has the same loss, bit for bit, in whatever company it is evaluated.
pub fn evaluate(
    network: &Network,
    points: &Tensor,
    samples: &Samples,
    group: i64,
) -> Result<Vec<f64>, TchError> {
    let count = points.size()[0];
    let mut losses = Vec::new();
    let mut start = 0;
    while start < count {
        let length = group.min(count - start);
        let mut part = points.f_narrow(0, start, length)?;
        if length < group {
            let filling = part.f_narrow(0, 0, 1)?.f_expand([group - length, part.size()[1]], false)?;
            part = Tensor::f_cat(&[&part, &filling], 0)?;
        }
        let all = rows(&network.losses(&part, samples)?.f_view([1, -1])?)?.remove(0);
        losses.extend_from_slice(&all[..length as usize]);
        start += length;
    }
    Ok(losses)
}

/// The curvature of the loss along a direction d, per squared length: dᵀHd / dᵀd.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Curvature {
    /// By a Hessian-vector product.
    pub product: f64,
    /// By the second difference of the loss.
    pub difference: f64,
}

impl Curvature {
    pub(super) fn of(task: &Task, origin: &Tensor, direction: &Tensor, group: i64) -> Result<Self> {
        // The second difference of a step of length h loses twice the digits of h: double precision it is.
        let (origin, direction) = (origin.f_to_kind(Kind::Double)?, direction.f_to_kind(Kind::Double)?);
        let samples = task.train.to_kind(Kind::Double)?;
        let unit = direction.f_div(&direction.f_norm()?)?.f_unsqueeze(0)?;
        let at = origin.f_unsqueeze(0)?;
        let image = task.shape.hessian_vector(&at, &samples, &unit)?;
        let product = image.f_mul(&unit)?.f_sum(Kind::Double)?.f_double_value(&[])?;
        let h = 1e-4;
        let step = unit.f_mul_scalar(h)?;
        let points = Tensor::f_cat(&[at.f_sub(&step)?, at.shallow_clone(), at.f_add(&step)?], 0)?;
        let losses = evaluate(&task.shape, &points, &samples, group.min(3))?;
        Ok(Self { product, difference: (losses[0] - 2.0 * losses[1] + losses[2]) / (h * h) })
    }
}

/// A plane through the final parameters.
pub struct Axes {
    pub(super) origin: Tensor,
    /// `[parameters]` each.
    pub(super) directions: [Tensor; 2],
    /// Multiples of the first direction; one of them is 0.
    pub x: Vec<f64>,
    /// Multiples of the second; one of them is 0.
    pub y: Vec<f64>,
    /// Along each direction.
    pub curvature: [Curvature; 2],
    /// Share of the path's variance that each component explains, of the plane of the path.
    pub explained: [f64; 2],
    /// Eigenvalues of the directions and bounds of their errors, of the plane of eigenvectors.
    pub eigenvalues: [(f64, f64); 2],
    /// The snapshots in the plane, of the plane of the path: `[snapshot][axis]`.
    pub path: Vec<Vec<f64>>,
}

impl Axes {
    /// Length of a direction: 1 but for random ones.
    pub(super) fn length(&self, index: usize) -> Result<f64, TchError> {
        self.directions[index].f_norm()?.f_double_value(&[])
    }

    /// Points of one row of the grid: `[points, parameters]`.
    pub(super) fn row(&self, index: usize) -> Result<Tensor, TchError> {
        let x = Tensor::f_from_slice(&self.x)?
            .f_to_kind(self.origin.kind())?
            .f_to_device(self.origin.device())?
            .f_unsqueeze(1)?;
        let start = self.origin.f_add(&self.directions[1].f_mul_scalar(self.y[index])?)?;
        start.f_unsqueeze(0)?.f_add(&x.f_mul(&self.directions[0].f_unsqueeze(0)?)?)
    }
}
