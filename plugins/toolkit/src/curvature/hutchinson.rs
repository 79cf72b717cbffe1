//! Hutchinson's estimate of a trace: the mean of vᵀHv over random vectors of signs.
//!
//! Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines",
//! Communications in Statistics 18 (1989). Signs have the least variance of all such vectors: 2 Σ H(i, j)² over i ≠ j.

use tch::{Kind, TchError, Tensor};

use crate::rng::{Rng, Stream};
use crate::tensors::rows;

/// An estimated trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace {
    /// The mean over the probes.
    pub mean: f64,
    /// Standard error of that mean.
    pub standard_error: f64,
}

/// Estimates the trace of each run's matrix, given its product with one vector per run: `product([runs, n]) -> [runs,
/// n]`. `like` has the shape, kind and device of those vectors. All runs use the same `probes` ≥ 2 vectors.
pub fn trace(
    like: &Tensor,
    probes: usize,
    seed: u64,
    mut product: impl FnMut(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Trace>, TchError> {
    estimate(like, None, probes, seed, &mut product)
}

/// Like [`trace`] with less variance, if a subspace is known: what lies within it is counted exactly, and the probes
/// see only the rest (Meyer, Musco, Musco and Woodruff, "Hutch++", 2021). `basis` `[runs, k, n]` is orthonormal or
/// zero, `inner` the trace of each run's matrix within it; [`super::lanczos::largest`] returns both.
pub fn trace_beyond(
    basis: &Tensor,
    inner: &[f64],
    probes: usize,
    seed: u64,
    mut product: impl FnMut(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Trace>, TchError> {
    let beyond = estimate(&basis.f_select(1, 0)?, Some(basis), probes, seed, &mut product)?;
    let whole = |(trace, inner): (Trace, &f64)| Trace { mean: trace.mean + inner, ..trace };
    Ok(beyond.into_iter().zip(inner).map(whole).collect())
}

fn estimate(
    like: &Tensor,
    without: Option<&Tensor>,
    probes: usize,
    seed: u64,
    product: &mut dyn FnMut(&Tensor) -> Result<Tensor, TchError>,
) -> Result<Vec<Trace>, TchError> {
    if probes < 2 {
        return Err(TchError::Shape("a standard error needs at least two probes".to_owned()));
    }
    let size = like.size();
    let mut values = Vec::with_capacity(probes);
    for probe in 0..probes {
        let mut rng = Rng::new(seed, Stream::named("hutchinson"), probe as u32);
        let signs: Vec<f64> =
            (0..size[1]).map(|_| if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect();
        let vector = Tensor::f_from_slice(&signs)?
            .f_to_kind(like.kind())?
            .f_to_device(like.device())?
            .f_view([1, size[1]])?
            .f_expand(&size, false)?
            .f_contiguous()?;
        let vector = match without {
            Some(basis) => {
                let shares = basis.f_bmm(&vector.f_unsqueeze(2)?)?;
                vector.f_sub(&shares.f_transpose(1, 2)?.f_bmm(basis)?.f_squeeze_dim(1)?)?
            }
            None => vector,
        };
        let sums =
            product(&vector)?.f_mul(&vector)?.f_sum_dim_intlist([1_i64].as_slice(), true, Kind::Double)?;
        values.push(sums);
    }
    let count = probes as f64;
    Ok(rows(&Tensor::f_cat(&values, 1)?)?
        .into_iter()
        .map(|run| {
            let mean = run.iter().sum::<f64>() / count;
            let variance = run.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
            Trace { mean, standard_error: (variance / count).sqrt() }
        })
        .collect())
}
