//! Measures the curvature: largest eigenvalue and trace of the Hessian.

use tch::{TchError, Tensor};

use super::{Subset, Watched};
use crate::curvature::{hutchinson, lanczos};

/// Maximum number of Lanczos steps.
const STEPS: usize = 100;
/// The largest eigenvalue is refined until its bound is within this fraction of it. Its error is far smaller: at most
/// the bound's square divided by the distance to the next eigenvalue.
const TOLERANCE: f64 = 1e-2;
/// Number of Hutchinson's random vectors; what Lanczos found is counted exactly.
const PROBES: usize = 8;

/// The Hessian of the training loss on a fixed subset, at the parameters before the update: one value per trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Curvature {
    /// Largest eigenvalue. NaN if parameters are not finite.
    pub max_eigenvalue: Vec<f64>,
    /// A bound on the distance to some eigenvalue.
    pub bound: Vec<f64>,
    /// The estimated trace: the sum of all eigenvalues.
    pub trace: Vec<f64>,
    /// Standard error of the estimate.
    pub trace_error: Vec<f64>,
    /// Number of products with the Hessian used.
    pub products: usize,
}

impl Curvature {
    pub(super) fn read(network: &impl Watched, subset: &Subset, seed: u64) -> Result<Self, TchError> {
        let parameters = network.parameters();
        let count: i64 = network.layer_parameter_counts().iter().sum();
        let like = Tensor::f_zeros([network.trials(), count], (parameters.kind(), parameters.device()))?;
        let nothing = vec![f64::NAN; network.trials() as usize];
        let [max_eigenvalue, bound, trace, trace_error] = [(); 4].map(|()| nothing.clone());
        let mut read = Self { max_eigenvalue, bound, trace, trace_error, products: 0 };
        network.hessian(subset, &mut |hessian| {
            let top = lanczos::largest(&like, STEPS, TOLERANCE, seed, hessian)?;
            read.products = top.basis.size()[1] as usize;
            if top.values.iter().any(|value| value.is_finite()) {
                let traces = hutchinson::trace_beyond(&top.basis, &top.inner_trace, PROBES, seed, hessian)?;
                read.products += PROBES;
                read.trace = traces.iter().map(|trace| trace.mean).collect();
                read.trace_error = traces.iter().map(|trace| trace.standard_error).collect();
            }
            read.max_eigenvalue = top.values;
            read.bound = top.bounds;
            Ok(())
        })?;
        Ok(read)
    }
}
