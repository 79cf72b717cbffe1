//! Levenberg–Marquardt on F(θ) = ½‖g(θ)‖² for many runs at once: searches for points where the gradient g of a loss
//! vanishes, which may be minima or saddles.
//!
//! F has the gradient Hg and, without third derivatives of the loss, the Hessian H². A step solves (H² + μI) d = −Hg and is
//! kept if F falls. Each run has its own μ, in units of the mean diagonal entry of its H²; it shrinks to 0.3 of itself after
//! a step that is kept and grows fourfold after one that is not (the damping of Marquardt, "An algorithm for least-squares
//! estimation of nonlinear parameters", SIAM Journal 11, 1963).

use tch::{Kind, TchError, Tensor};

use crate::tensors::copied;

/// Factor of μ after an accepted step.
const SHRINK: f64 = 0.3;
/// Factor of μ after a rejected step.
const GROW: f64 = 4.0;
/// μ of the first step, in units of the mean diagonal entry of H².
const START: f64 = 1e-3;
/// Limits of μ in those units: below the first, H² + μI is singular in double precision where H is; above the second, no
/// step changes the parameters.
const LIMITS: (f64, f64) = (1e-15, 1e15);

/// A twice differentiable loss, for many runs at once.
pub trait Problem {
    /// Returns the gradients at `[runs, parameters]`, of the same shape.
    fn gradients(&self, parameters: &Tensor) -> Result<Tensor, TchError>;
    /// Returns the Hessians: `[runs, parameters, parameters]`.
    fn hessians(&self, parameters: &Tensor) -> Result<Tensor, TchError>;
}

/// The state of the search: parameters and damping, with derived values.
pub struct Search<P> {
    problem: P,
    parameters: Tensor,
    damping: Tensor,
    gradients: Tensor,
    hessians: Tensor,
}

impl<P: Problem> Search<P> {
    /// Starts at these parameters: `[runs, parameters]`.
    pub fn new(problem: P, parameters: &Tensor) -> Result<Self, TchError> {
        let runs = parameters.size()[0];
        let damping = Tensor::f_full([runs, 1], START, (parameters.kind(), parameters.device()))?;
        Self::resume(problem, parameters, &damping)
    }

    /// Continues from what [`Search::parameters`] and [`Search::damping`] returned.
    pub fn resume(problem: P, parameters: &Tensor, damping: &Tensor) -> Result<Self, TchError> {
        let parameters = copied(parameters)?;
        Ok(Self {
            gradients: problem.gradients(&parameters)?,
            hessians: problem.hessians(&parameters)?,
            damping: copied(damping)?,
            parameters,
            problem,
        })
    }

    /// Makes one iteration of every run and returns which runs moved: `[runs]`, Boolean.
    pub fn step(&mut self) -> Result<Tensor, TchError> {
        let square = self.hessians.f_bmm(&self.hessians)?;
        let mut diagonal = square.f_diagonal(0, 1, 2)?;
        let unit = diagonal.f_mean_dim([1_i64].as_slice(), true, None::<Kind>)?;
        diagonal.f_add_(&unit.f_mul(&self.damping)?).map(drop)?;
        let downhill = self.hessians.f_bmm(&self.gradients.f_unsqueeze(2)?)?;
        // A matrix that cannot be factored gives non-finite numbers or no progress, so the step is rejected.
        let (factor, failed) = square.f_linalg_cholesky_ex(false, false)?;
        let direction = downhill.f_cholesky_solve(&factor, false)?.f_squeeze_dim(2)?;
        let candidate = self.parameters.f_sub(&direction)?;
        let gradients = self.problem.gradients(&candidate)?;
        // NaN is not less than anything.
        let better = squared(&gradients)?.f_lt_tensor(&squared(&self.gradients)?)?;
        let kept = better.f_logical_and(&failed.f_eq(0)?.f_unsqueeze(1)?)?;
        self.parameters = candidate.f_where_self(&kept, &self.parameters)?;
        self.gradients = gradients.f_where_self(&kept, &self.gradients)?;
        let (shrunk, grown) = (self.damping.f_mul_scalar(SHRINK)?, self.damping.f_mul_scalar(GROW)?);
        self.damping = shrunk.f_where_self(&kept, &grown)?.f_clamp(LIMITS.0, LIMITS.1)?;
        self.hessians = self.problem.hessians(&self.parameters)?;
        kept.f_squeeze_dim(1)
    }

    /// Returns the parameters: `[runs, parameters]`.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// Returns μ of each run in units of the mean diagonal entry of its H²: `[runs, 1]`.
    pub fn damping(&self) -> &Tensor {
        &self.damping
    }

    /// Returns the gradients of the loss: `[runs, parameters]`.
    pub fn gradients(&self) -> &Tensor {
        &self.gradients
    }

    /// Returns the Hessians of the loss: `[runs, parameters, parameters]`.
    pub fn hessians(&self) -> &Tensor {
        &self.hessians
    }
}

/// Returns the squared norm of each run's vector: `[runs, 1]`.
fn squared(vectors: &Tensor) -> Result<Tensor, TchError> {
    vectors.f_square()?.f_sum_dim_intlist([1_i64].as_slice(), true, None)
}
