//! Principal component analysis, in double precision.
//!
//! With X the points (one per row) minus their mean and X = U S Vᵀ, the components are the rows of Vᵀ, the scores of the points
//! are the columns of U S, and component i explains `s_i² / Σ s²` of the variance (Jolliffe, *Principal Component Analysis*,
//! 2002). If there are fewer points than dimensions, U and S come from the eigenvectors of X Xᵀ, whose size is the number of
//! points: a hundred networks of any size cost the same. A component's sign is arbitrary; here its largest loading is positive.

use tch::{Kind, TchError, Tensor};

use crate::tensors::numbers;

/// The leading principal components of a set of points.
#[derive(Debug)]
pub struct Pca {
    /// The points' mean: `[dimensions]`.
    pub mean: Tensor,
    /// Unit vectors, most variance first: `[components, dimensions]`. Zero where there is no variance left.
    pub components: Tensor,
    /// The points along the components: `[points, components]`.
    pub scores: Tensor,
    /// Fraction of the variance that each component explains, of all existing components; they add up to 1. All are 0
    /// if all points are equal.
    pub explained: Vec<f64>,
}

/// Singular values below this fraction of the largest are rounding errors.
const NEGLIGIBLE: f64 = 1e-12;

impl Pca {
    /// Computes the first `count` components of `points`, `[points, dimensions]` of any kind; fewer if there are fewer.
    pub fn of(points: &Tensor, count: i64) -> Result<Self, TchError> {
        match points.size()[..] {
            [n, dimensions] if n < dimensions => Self::by_gram(points, count),
            _ => Self::by_svd(points, count),
        }
    }

    /// Computes components from the eigenvectors of X Xᵀ. Those whose singular value is below about 1e-8 of the largest
    /// are inexact, because squaring loses their digits.
    pub fn by_gram(points: &Tensor, count: i64) -> Result<Self, TchError> {
        let (mean, centred) = centre(points)?;
        let gram = centred.f_matmul(&centred.f_transpose(0, 1)?)?;
        let (values, vectors) = gram.f_linalg_eigh("L")?;
        let values = values.f_flip([0])?.f_clamp_min(0.0)?;
        let vectors = vectors.f_flip([1])?;
        let rank = centred.size()[0].min(centred.size()[1]);
        let singular = values.f_narrow(0, 0, rank)?.f_sqrt()?;
        // Vᵀ = S⁻¹ Uᵀ X.
        let count = count.clamp(0, rank);
        let left = vectors.f_narrow(1, 0, count)?;
        let rows = left.f_transpose(0, 1)?.f_matmul(&centred)?;
        let right = rows.f_div(&singular.f_narrow(0, 0, count)?.f_unsqueeze(1)?)?;
        Self::made(mean, &singular, &left, &right)
    }

    /// Computes components from the singular value decomposition of X.
    pub fn by_svd(points: &Tensor, count: i64) -> Result<Self, TchError> {
        let (mean, centred) = centre(points)?;
        let (left, singular, right) = centred.f_svd(true, true)?;
        let right = right.f_transpose(0, 1)?;
        let count = count.clamp(0, singular.size()[0]);
        Self::made(mean, &singular, &left.f_narrow(1, 0, count)?, &right.f_narrow(0, 0, count)?)
    }

    fn made(mean: Tensor, singular: &Tensor, left: &Tensor, right: &Tensor) -> Result<Self, TchError> {
        let all = numbers(singular)?;
        let total: f64 = all.iter().map(|s| s * s).sum();
        let explained = all.iter().map(|s| if total > 0.0 { s * s / total } else { 0.0 }).collect();

        let count = right.size()[0];
        let singular = singular.f_narrow(0, 0, count)?;
        let largest = right.f_abs()?.f_argmax(1, true)?;
        let signs = right.f_gather(1, &largest, false)?.f_sign()?;
        let kept = singular.f_gt(NEGLIGIBLE * all.first().copied().unwrap_or(0.0))?;
        let zero = Tensor::f_zeros_like(right)?;
        let components = right.f_mul(&signs)?.f_where_self(&kept.f_unsqueeze(1)?, &zero)?;
        let scores = left.f_mul(&singular)?.f_mul(&signs.f_squeeze_dim(1)?)?;
        let scores = scores.f_where_self(&kept, &scores.f_zeros_like()?)?;
        Ok(Self { mean, components, scores, explained })
    }

    /// Returns the fraction of the variance that the first `count` components explain together.
    pub fn explained_by(&self, count: usize) -> f64 {
        self.explained.iter().take(count).sum()
    }
}

/// Returns the mean and the centred points.
fn centre(points: &Tensor) -> Result<(Tensor, Tensor), TchError> {
    let size = points.size();
    if size.len() != 2 || size[0] < 2 || size[1] < 1 {
        return Err(TchError::Shape(format!("principal components need two points at least, got {size:?}")));
    }
    let points = points.f_to_kind(Kind::Double)?;
    let mean = points.f_mean_dim([0_i64].as_slice(), false, Kind::Double)?;
    let centred = points.f_sub(&mean)?;
    Ok((mean, centred))
}
