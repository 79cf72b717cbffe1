//! Points around a network, and their losses.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::record;
use gradtop_toolkit::tensors::numbers;
use tch::{Kind, TchError, Tensor};

use super::task::Task;

/// Returns the loss of each of some points, `[points, parameters]`. They are evaluated `group` at a time, with the last
/// group padded with copies, so that a point's loss is bit for bit the same in any combination of points.
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
        let all = numbers(&network.losses(&part, samples)?)?;
        losses.extend_from_slice(&all[..length as usize]);
        start += length;
    }
    Ok(losses)
}

/// The curvature of the loss along a direction d, per squared norm: dᵀHd / dᵀd.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Curvature {
    /// From a Hessian-vector product.
    pub product: f64,
    /// From the second difference of the loss.
    pub difference: f64,
}

record!(Curvature { product, difference });

impl Curvature {
    pub(super) fn of(task: &Task, origin: &Tensor, direction: &Tensor, group: i64) -> Result<Self> {
        // The second difference with step h loses twice the digits of h, so use double precision.
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
    /// The curvature along each direction.
    pub curvature: [Curvature; 2],
    /// For the plane of the path, the fraction of the path's variance that each component explains.
    pub explained: [f64; 2],
    /// For the plane of eigenvectors, the eigenvalues of the directions and their error bounds.
    pub eigenvalues: [[f64; 2]; 2],
    /// For the plane of the path, the snapshots in the plane: `[snapshot][axis]`.
    pub path: Vec<Vec<f64>>,
}

impl Axes {
    /// Returns the norm of a direction: 1 except for random ones.
    pub(super) fn length(&self, index: usize) -> Result<f64, TchError> {
        self.directions[index].f_norm()?.f_double_value(&[])
    }

    /// Returns the points of one row of the grid: `[points, parameters]`.
    pub(super) fn row(&self, index: usize) -> Result<Tensor, TchError> {
        let x = Tensor::f_from_slice(&self.x)?
            .f_to_kind(self.origin.kind())?
            .f_to_device(self.origin.device())?
            .f_unsqueeze(1)?;
        let start = self.origin.f_add(&self.directions[1].f_mul_scalar(self.y[index])?)?;
        start.f_unsqueeze(0)?.f_add(&x.f_mul(&self.directions[0].f_unsqueeze(0)?)?)
    }
}
