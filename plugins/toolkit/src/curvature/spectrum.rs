//! Eigenvalues, and how many of them are positive, negative and zero.

use tch::{TchError, Tensor};

use crate::tensors::rows;

/// Returns the eigenvalues of each run's symmetric matrix `[runs, n, n]`, ascending. Only the lower triangle is read.
pub fn eigenvalues(matrices: &Tensor) -> Result<Vec<Vec<f64>>, TchError> {
    rows(&matrices.f_linalg_eigvalsh("L")?)
}

/// The number of eigenvalues above, within and below a tolerance around zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// λ > τ.
    pub positive: usize,
    /// |λ| ≤ τ.
    pub zero: usize,
    /// λ < −τ.
    pub negative: usize,
}

impl Split {
    /// Counts eigenvalues with the tolerance τ ≥ 0. NaN counts as zero, because its sign is unknown.
    pub fn of(eigenvalues: &[f64], tolerance: f64) -> Self {
        let positive = eigenvalues.iter().filter(|&&v| v > tolerance).count();
        let negative = eigenvalues.iter().filter(|&&v| v < -tolerance).count();
        Self { positive, zero: eigenvalues.len() - positive - negative, negative }
    }

    /// Returns n₊ / (n₊ + n₋): the fraction of the nonzero eigenvalues that is positive. NaN if there is none.
    pub fn signed_share(self) -> f64 {
        self.positive as f64 / (self.positive + self.negative) as f64
    }

    /// Returns n₊ / P.
    pub fn positive_share(self) -> f64 {
        self.positive as f64 / self.total() as f64
    }

    /// Returns 1 − n₋ / P: one minus the index in the literature on saddles.
    pub fn not_negative_share(self) -> f64 {
        1.0 - self.negative as f64 / self.total() as f64
    }

    fn total(self) -> usize {
        self.positive + self.zero + self.negative
    }
}

/// Fraction of the largest absolute eigenvalue below which the sign of an eigenvalue in double precision is a rounding error.
pub const ROUNDING: f64 = 1e-12;

/// Returns the largest absolute value; 0 if there is none.
pub fn largest(eigenvalues: &[f64]) -> f64 {
    eigenvalues.iter().fold(0.0, |most, v| v.abs().max(most))
}
