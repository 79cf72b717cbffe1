//! Extreme eigenvalues and eigenvectors from products with vectors alone.
//!
//! Lanczos, "An iteration method for the solution of the eigenvalue problem of linear differential and integral operators",
//! 1950, with every new vector made orthogonal to all before it, twice: without that, rounding brings back copies of
//! eigenvalues already found.

use tch::{Device, Kind, TchError, Tensor};

use super::spectrum::rows;
use crate::rng::{Rng, Stream};

/// What a run's Krylov space tells of its matrix.
#[derive(Debug)]
pub struct Extremes {
    /// Ritz values, ascending. The outermost come first to equal eigenvalues.
    pub values: Vec<f64>,
    /// For each Ritz value a bound: some eigenvalue is no further from it than this.
    pub bounds: Vec<f64>,
    /// Coordinates of the Ritz vectors in the space: `[steps, values]`, double, on the CPU.
    coordinates: Tensor,
    /// The space's orthonormal basis: `[steps, n]`.
    basis: Tensor,
}

impl Extremes {
    /// The unit vector of the Ritz value of this index: `[n]`. Its largest component is positive.
    pub fn vector(&self, index: usize) -> Result<Tensor, TchError> {
        let weights = self
            .coordinates
            .f_select(1, index as i64)?
            .f_to_kind(self.basis.kind())?
            .f_to_device(self.basis.device())?;
        let vector = weights.f_unsqueeze(0)?.f_mm(&self.basis)?.f_squeeze_dim(0)?;
        let length = vector.f_norm()?;
        let vector = vector.f_div(&length)?;
        let most = vector.f_abs()?.f_argmax(None, false)?.f_view([1])?;
        vector.f_mul(&vector.f_index_select(0, &most)?.f_sign()?)
    }
}

/// At most `steps` Lanczos steps on each run's symmetric matrix, given its product with one vector a run:
/// `product([runs, n]) -> [runs, n]`. `like` has the shape, kind and device of those vectors. A run whose space is exhausted
/// earlier stops there, and its values are then exact.
pub fn lanczos(
    like: &Tensor,
    steps: usize,
    seed: u64,
    mut product: impl FnMut(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Extremes>, TchError> {
    let (runs, n) = (like.size()[0], like.size()[1]);
    let steps = steps.clamp(1, n as usize);
    let epsilon = if like.kind() == Kind::Double { 1e-13 } else { 1e-6 };
    let mut vector = start(like, seed)?;
    let mut basis: Vec<Tensor> = Vec::with_capacity(steps);
    let (mut alphas, mut betas) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        basis.push(vector.shallow_clone());
        let all = Tensor::f_stack(&basis, 1)?;
        let image = product(&vector)?;
        alphas.push(image.f_mul(&vector)?.f_sum_dim_intlist([1_i64].as_slice(), true, None)?);
        let mut rest = image.f_unsqueeze(1)?;
        for _ in 0..2 {
            let shares = rest.f_bmm(&all.f_transpose(1, 2)?)?;
            rest = rest.f_sub(&shares.f_bmm(&all)?)?;
        }
        let rest = rest.f_squeeze_dim(1)?;
        let beta = rest.f_square()?.f_sum_dim_intlist([1_i64].as_slice(), true, None)?.f_sqrt()?;
        // An exhausted space goes on as zeros, which the decomposition below leaves out.
        let size = image.f_square()?.f_sum_dim_intlist([1_i64].as_slice(), true, None)?.f_sqrt()?;
        let alive = beta.f_gt_tensor(&size.f_mul_scalar(epsilon)?)?;
        let beta = beta.f_where_self(&alive, &beta.f_zeros_like()?)?;
        vector = rest
            .f_div(&beta.f_where_self(&alive, &beta.f_ones_like()?)?)?
            .f_mul(&alive.f_to_kind(like.kind())?)?;
        betas.push(beta);
    }
    let basis = Tensor::f_stack(&basis, 1)?;
    let (alphas, betas) = (rows(&Tensor::f_cat(&alphas, 1)?)?, rows(&Tensor::f_cat(&betas, 1)?)?);
    (0..runs as usize)
        .map(|run| decompose(&alphas[run], &betas[run], &basis.f_select(0, run as i64)?))
        .collect()
}

/// A random unit vector for each run.
fn start(like: &Tensor, seed: u64) -> Result<Tensor, TchError> {
    let size = like.size();
    let mut values = Vec::with_capacity(like.numel());
    for run in 0..size[0] {
        let mut rng = Rng::new(seed, Stream::named("lanczos").member(run as u32), 0);
        values.extend((0..size[1]).map(|_| rng.normal()));
    }
    let vectors = Tensor::f_from_slice(&values)?.f_view(size.as_slice())?;
    let length = vectors.f_square()?.f_sum_dim_intlist([1_i64].as_slice(), true, None)?.f_sqrt()?;
    vectors.f_div(&length)?.f_to_kind(like.kind())?.f_to_device(like.device())
}

/// Eigenvalues of the tridiagonal matrix, up to where the space ended.
fn decompose(alphas: &[f64], betas: &[f64], basis: &Tensor) -> Result<Extremes, TchError> {
    let steps = betas.iter().position(|b| *b == 0.0).map_or(betas.len(), |i| i + 1);
    let mut matrix = vec![0.0; steps * steps];
    for i in 0..steps {
        matrix[i * steps + i] = alphas[i];
        if i + 1 < steps {
            matrix[i * steps + i + 1] = betas[i];
            matrix[(i + 1) * steps + i] = betas[i];
        }
    }
    let side = steps as i64;
    let matrix = Tensor::f_from_slice(&matrix)?.f_view([side, side])?.f_to_device(Device::Cpu)?;
    let (values, coordinates) = matrix.f_linalg_eigh("L")?;
    let ends = rows(&coordinates.f_select(0, side - 1)?.f_view([1, side])?)?;
    Ok(Extremes {
        values: rows(&values.f_view([1, side])?)?.remove(0),
        bounds: ends[0].iter().map(|end| (end * betas[steps - 1]).abs()).collect(),
        coordinates,
        basis: basis.f_narrow(0, 0, side)?.f_contiguous()?,
    })
}
