//! Directions in parameter space along which surfaces are drawn.

use gradtop_toolkit::curvature::lanczos::{lanczos, rounding};
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::tensors::lengths;
use tch::{TchError, Tensor};

/// Maximum number of parameters for which the whole Hessian is computed.
pub(super) const WHOLE: i64 = 1000;

/// Returns a random direction with filter normalisation: the weights into each neuron have the norm of the network's own weights
/// into it, and biases are zero (Li, Xu, Taylor, Studer and Goldstein, "Visualizing the loss landscape of neural nets", `NeurIPS`
/// 2018). `origin` and the direction are `[parameters]`. Another `member` gives another direction.
pub fn filter_normalised(
    network: &Network,
    origin: &Tensor,
    seed: u64,
    member: u32,
) -> Result<Tensor, TchError> {
    let mut rng = Rng::new(seed, Stream::named("error-surface/random").member(member), 0);
    let draws: Vec<f64> = (0..network.parameter_count()).map(|_| rng.normal()).collect();
    let direction = Tensor::f_from_slice(&draws)?.f_to_kind(origin.kind())?.f_to_device(origin.device())?;
    for (start, out, rows) in network.layers() {
        let layer = |flat: &Tensor| flat.f_narrow(0, start, out * rows)?.f_view([out, rows]);
        let own = layer(&direction)?;
        let mut weights = own.f_narrow(1, 0, rows - 1)?;
        let wanted = lengths(&layer(origin)?.f_narrow(1, 0, rows - 1)?)?;
        let scale = wanted.f_div(&lengths(&weights)?)?;
        weights.f_mul_(&scale).map(drop)?;
        own.f_narrow(1, rows - 1, 1)?.f_zero_().map(drop)?;
    }
    Ok(direction)
}

/// An eigenvalue of the Hessian with its unit eigenvector `[parameters]` and its error bound.
#[derive(Debug)]
pub struct Eigenpair {
    /// The eigenvalue.
    pub value: f64,
    /// The eigenvector; its largest component is positive.
    pub vector: Tensor,
    /// A bound on the distance to some eigenvalue: for a whole Hessian, the rounding error of the largest one.
    pub bound: f64,
}

/// Returns the largest and the smallest eigenvalue of the Hessian at `origin`, `[parameters]`: from the whole matrix
/// for a small network, by Lanczos for a large one.
pub fn extremes(
    network: &Network,
    samples: &Samples,
    origin: &Tensor,
    steps: usize,
    seed: u64,
) -> Result<[Eigenpair; 2], TchError> {
    let at = origin.f_unsqueeze(0)?;
    if network.parameter_count() <= WHOLE {
        let (values, vectors) = network.hessian(&at, samples)?.f_squeeze_dim(0)?.f_linalg_eigh("L")?;
        let bound = rounding(origin.kind()) * values.f_abs()?.f_max()?.f_double_value(&[])?;
        let pair = |index: i64| -> Result<Eigenpair, TchError> {
            let vector = vectors.f_select(1, index)?;
            let most = vector.f_abs()?.f_argmax(None, false)?.f_view([1])?;
            Ok(Eigenpair {
                value: values.f_double_value(&[index])?,
                vector: vector.f_mul(&vector.f_index_select(0, &most)?.f_sign()?)?,
                bound,
            })
        };
        return Ok([pair(network.parameter_count() - 1)?, pair(0)?]);
    }
    let spaces = lanczos(&at, steps, seed, |v| network.hessian_vector(&at, samples, v))?;
    let space = spaces.first().ok_or_else(|| TchError::Shape("Lanczos needs a run".to_owned()))?;
    let pair = |index: usize| -> Result<Eigenpair, TchError> {
        let (value, bound) = (space.values[index], space.bounds[index]);
        Ok(Eigenpair { value, vector: space.vector(index)?, bound })
    };
    Ok([pair(space.values.len() - 1)?, pair(0)?])
}

/// Returns `count` ascending, equally spaced numbers that include exactly 0 and cover at least `[low, high]`, where low
/// < 0 < high.
pub(crate) fn through_zero(low: f64, high: f64, count: usize) -> Vec<f64> {
    let gap = (high - low) / (count as f64 - 2.0);
    let before = (-low / gap).ceil();
    (0..count).map(|i| (i as f64 - before) * gap).collect()
}

#[cfg(test)]
mod tests {
    use super::through_zero;

    #[test]
    fn zero_is_a_point_of_every_axis() {
        for (low, high, count) in [(-1.0, 1.0, 51), (-0.3, 7.1, 11), (-4.0, 0.001, 15)] {
            let axis = through_zero(low, high, count);
            assert_eq!(axis.len(), count);
            assert!(axis.contains(&0.0) && axis[0] <= low && axis[count - 1] >= high - 1e-12, "{axis:?}");
        }
    }
}
