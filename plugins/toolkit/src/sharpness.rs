//! Keskar's sharpness: how far the loss rises within a small box around the parameters.
//!
//! Keskar et al., "On large-batch training for deep learning: generalization gap and sharp minima", 2017, definition
//! 2.1 with A the identity: φ = 100 · (max f(θ + δ) − f(θ)) / (1 + f(θ)) over |δᵢ| ≤ ε (|θᵢ| + 1). They maximise with
//! ten iterations of L-BFGS-B; here it is projected ascent along the gradient's signs. With any method, the result is a
//! lower bound.

use tch::{Kind, TchError, Tensor};

use crate::rng::{Rng, Stream};
use crate::tensors::numbers;

/// The sharpness found for one run's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharpness {
    /// φ, in percent: a lower bound.
    pub percent: f64,
    /// f(θ).
    pub loss: f64,
    /// The highest loss found in the box.
    pub highest: f64,
}

/// Length of a step, as a fraction of the box's half width.
const STEP: f64 = 0.25;
/// Distance of the ascent's start from the centre, as a fraction of the box's half width: at a minimum the gradient has no sign.
const START: f64 = 0.01;

/// Returns the sharpness of each run's `parameters`, `[runs, parameters]`, using `iterations` calls of `gradient`,
/// which returns losses `[runs]` and gradients `[runs, parameters]`. Runs must be independent. With the same `seed`,
/// more iterations never give less.
pub fn keskar(
    parameters: &Tensor,
    epsilon: f64,
    iterations: usize,
    seed: u64,
    mut gradient: impl FnMut(&Tensor) -> Result<(Tensor, Tensor), TchError>,
) -> Result<Vec<Sharpness>, TchError> {
    let size = parameters.size();
    let half = parameters.f_abs()?.f_add_scalar_(1.0)?.f_mul_scalar_(epsilon)?;
    let (low, high) = (parameters.f_sub(&half)?, parameters.f_add(&half)?);
    let mut rng = Rng::new(seed, Stream::named("sharpness"), 0);
    let signs: Vec<f64> =
        (0..size[1]).map(|_| if rng.next_u32() & 1 == 0 { START } else { -START }).collect();
    let signs =
        Tensor::f_from_slice(&signs)?.f_to_kind(parameters.kind())?.f_to_device(parameters.device())?;
    let (centre, _) = gradient(parameters)?;
    let mut point = parameters.f_add(&half.f_mul(&signs)?)?;
    let mut highest = centre.f_to_kind(Kind::Double)?;
    for iteration in 0..=iterations {
        let (losses, slopes) = gradient(&point)?;
        highest = highest.f_maximum(&losses.f_to_kind(Kind::Double)?)?;
        if iteration < iterations {
            point.f_add_(&slopes.f_sign()?.f_mul_(&half)?.f_mul_scalar_(STEP)?).map(drop)?;
            point = point.f_maximum(&low)?.f_minimum(&high)?;
        }
    }
    Ok(numbers(&centre)?
        .into_iter()
        .zip(numbers(&highest)?)
        .map(|(loss, highest)| Sharpness { percent: 100.0 * (highest - loss) / (1.0 + loss), loss, highest })
        .collect())
}
