//! Extreme eigenvalues and eigenvectors from matrix-vector products alone.
//!
//! Lanczos, "An iteration method for the solution of the eigenvalue problem of linear differential and integral
//! operators", 1950. Each new vector is orthogonalized against all previous ones, twice: otherwise, rounding
//! reintroduces copies of eigenvalues already found.

use tch::{Device, Kind, TchError, Tensor};

use super::spectrum::largest as largest_of;
use crate::rng::{Rng, Stream};
use crate::tensors::{lengths, numbers, rows};

/// What a run's Krylov space reveals about its matrix.
#[derive(Debug)]
pub struct Extremes {
    /// Ritz values, ascending. The outermost converge to eigenvalues first.
    pub values: Vec<f64>,
    /// For each Ritz value a bound on the distance to some eigenvalue. Never below the rounding error of the largest.
    pub bounds: Vec<f64>,
    /// Coordinates of the Ritz vectors in the space: `[steps, values]`, double precision, on the CPU.
    coordinates: Tensor,
    /// The orthonormal basis of the space: `[steps, n]`.
    basis: Tensor,
}

impl Extremes {
    /// Returns the unit vector of the Ritz value with this index: `[n]`. Its largest component is positive.
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

/// The largest eigenvalue of each run's matrix, and the space in which it was found.
#[derive(Debug)]
pub struct Largest {
    /// The value for each run; NaN if its matrix is not finite.
    pub values: Vec<f64>,
    /// A bound on the distance to some eigenvalue.
    pub bounds: Vec<f64>,
    /// The trace of each run's matrix within the space.
    pub inner_trace: Vec<f64>,
    /// The orthonormal bases of the spaces, `[runs, steps, n]`; zeros after a run's space was exhausted.
    pub basis: Tensor,
}

/// Makes at most `steps` Lanczos steps on each run's symmetric matrix, given its product with one vector per run:
/// `product([runs, n]) -> [runs, n]`. `like` has the shape, kind and device of those vectors. A run whose space is
/// exhausted earlier stops there, and its values are then exact.
pub fn lanczos(
    like: &Tensor,
    steps: usize,
    seed: u64,
    mut product: impl FnMut(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Extremes>, TchError> {
    let mut krylov = Krylov::new(like, seed)?;
    for _ in 0..steps.clamp(1, krylov.n) {
        krylov.step(&mut product)?;
    }
    let basis = Tensor::f_stack(&krylov.basis, 1)?;
    krylov
        .tridiagonals()?
        .into_iter()
        .enumerate()
        .map(|(run, tridiagonal)| {
            let (values, bounds, coordinates) = tridiagonal.decompose()?;
            let basis = basis.f_select(0, run as i64)?.f_narrow(0, 0, values.len() as i64)?.f_contiguous()?;
            Ok(Extremes { values, bounds, coordinates, basis })
        })
        .collect()
}

/// Makes as many steps as needed until the bound of every run's largest eigenvalue is within `tolerance` of its
/// magnitude, at most `limit`. For the other arguments see [`lanczos`].
pub fn largest(
    like: &Tensor,
    limit: usize,
    tolerance: f64,
    seed: u64,
    mut product: impl FnMut(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Largest, TchError> {
    /// Number of steps between evaluations of the tridiagonal matrices.
    const LOOK: usize = 2;
    let mut krylov = Krylov::new(like, seed)?;
    let limit = limit.clamp(1, krylov.n);
    loop {
        for _ in 0..LOOK.min(limit - krylov.basis.len()) {
            krylov.step(&mut product)?;
        }
        let (mut values, mut bounds, mut inner_trace) = (Vec::new(), Vec::new(), Vec::new());
        for tridiagonal in krylov.tridiagonals()? {
            inner_trace.push(tridiagonal.diagonal.iter().sum());
            let (value, bound) = tridiagonal.largest()?;
            values.push(value);
            bounds.push(bound);
        }
        let done = values.iter().zip(&bounds).all(|(v, b)| !v.is_finite() || *b <= tolerance * v.abs());
        if done || krylov.basis.len() == limit {
            return Ok(Largest { values, bounds, inner_trace, basis: Tensor::f_stack(&krylov.basis, 1)? });
        }
    }
}

/// The growing Krylov spaces of all runs.
struct Krylov {
    n: usize,
    epsilon: f64,
    /// The next basis vectors, `[runs, n]`.
    vector: Tensor,
    basis: Vec<Tensor>,
    /// `[runs, 1]` each.
    alphas: Vec<Tensor>,
    betas: Vec<Tensor>,
}

impl Krylov {
    fn new(like: &Tensor, seed: u64) -> Result<Self, TchError> {
        Ok(Self {
            n: like.size()[1] as usize,
            epsilon: if like.kind() == Kind::Double { 1e-13 } else { 1e-6 },
            vector: start(like, seed)?,
            basis: Vec::new(),
            alphas: Vec::new(),
            betas: Vec::new(),
        })
    }

    fn step(
        &mut self,
        product: &mut impl FnMut(&Tensor) -> Result<Tensor, TchError>,
    ) -> Result<(), TchError> {
        self.basis.push(self.vector.shallow_clone());
        let all = Tensor::f_stack(&self.basis, 1)?;
        let image = product(&self.vector)?;
        self.alphas.push(image.f_mul(&self.vector)?.f_sum_dim_intlist([1_i64].as_slice(), true, None)?);
        let mut rest = image.f_unsqueeze(1)?;
        for _ in 0..2 {
            let shares = rest.f_bmm(&all.f_transpose(1, 2)?)?;
            rest = rest.f_sub(&shares.f_bmm(&all)?)?;
        }
        let rest = rest.f_squeeze_dim(1)?;
        let beta = lengths(&rest)?;
        // An exhausted space continues with zeros, which the decomposition ignores.
        let size = lengths(&image)?;
        let alive = beta.f_gt_tensor(&size.f_mul_scalar(self.epsilon)?)?;
        let beta = beta.f_where_self(&alive, &beta.f_zeros_like()?)?;
        self.vector = rest
            .f_div(&beta.f_where_self(&alive, &beta.f_ones_like()?)?)?
            .f_mul(&alive.f_to_kind(rest.kind())?)?;
        self.betas.push(beta);
        Ok(())
    }

    /// Returns each run's matrix in its space, up to where that ended.
    fn tridiagonals(&self) -> Result<Vec<Tridiagonal>, TchError> {
        let alphas = rows(&Tensor::f_cat(&self.alphas, 1)?)?;
        let betas = rows(&Tensor::f_cat(&self.betas, 1)?)?;
        let cut = |(mut diagonal, mut beside): (Vec<f64>, Vec<f64>)| {
            let steps = beside.iter().position(|b| *b == 0.0).map_or(beside.len(), |i| i + 1);
            diagonal.truncate(steps);
            beside.truncate(steps);
            Tridiagonal { diagonal, beside, epsilon: rounding(self.vector.kind()) }
        };
        Ok(alphas.into_iter().zip(betas).map(cut).collect())
    }
}

/// Returns a random unit vector for each run.
fn start(like: &Tensor, seed: u64) -> Result<Tensor, TchError> {
    let size = like.size();
    let mut values = Vec::with_capacity(like.numel());
    for run in 0..size[0] {
        let mut rng = Rng::new(seed, Stream::named("lanczos").member(run as u32), 0);
        values.extend((0..size[1]).map(|_| rng.normal()));
    }
    let vectors = Tensor::f_from_slice(&values)?.f_view(size.as_slice())?;
    let length = lengths(&vectors)?;
    vectors.f_div(&length)?.f_to_kind(like.kind())?.f_to_device(like.device())
}

/// A symmetric tridiagonal matrix; the last element of `beside` lies outside of it and determines the bounds.
struct Tridiagonal {
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    /// The machine epsilon of the products.
    epsilon: f64,
}

/// Returns the distance from 1 to the next number of this precision: eigenvalues are not known better than this
/// fraction of the largest.
pub fn rounding(kind: Kind) -> f64 {
    if kind == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) }
}

impl Tridiagonal {
    /// Returns eigenvalues, ascending, their bounds, and the eigenvectors as columns.
    fn decompose(&self) -> Result<(Vec<f64>, Vec<f64>, Tensor), TchError> {
        let steps = self.diagonal.len();
        let mut matrix = vec![0.0; steps * steps];
        for i in 0..steps {
            matrix[i * steps + i] = self.diagonal[i];
            if i + 1 < steps {
                matrix[i * steps + i + 1] = self.beside[i];
                matrix[(i + 1) * steps + i] = self.beside[i];
            }
        }
        let side = steps as i64;
        let matrix = Tensor::f_from_slice(&matrix)?.f_view([side, side])?.f_to_device(Device::Cpu)?;
        let (values, coordinates) = matrix.f_linalg_eigh("L")?;
        let ends = rows(&coordinates.f_select(0, side - 1)?.f_view([1, side])?)?;
        let values = numbers(&values)?;
        let least = self.epsilon * largest_of(&values);
        let bounds = ends[0].iter().map(|end| (end * self.beside[steps - 1]).abs().max(least)).collect();
        Ok((values, bounds, coordinates))
    }

    /// Returns the largest eigenvalue and its bound; NaN if the matrix is not finite.
    fn largest(&self) -> Result<(f64, f64), TchError> {
        if self.diagonal.iter().chain(&self.beside).any(|v| !v.is_finite()) {
            return Ok((f64::NAN, f64::NAN));
        }
        let (values, bounds, _) = self.decompose()?;
        Ok((values.last().copied().unwrap_or(f64::NAN), bounds.last().copied().unwrap_or(f64::NAN)))
    }
}
