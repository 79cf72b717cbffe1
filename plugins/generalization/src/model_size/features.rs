//! Random `ReLU` features with the least-squares solution of minimum norm, in double precision.
//!
//! φ(x) = max(0, W x) with W drawn once from N(0, 1/inputs) and never trained; only the readout a (features × classes)
//! is fitted, to one-hot labels. With fewer features than samples, a solves `FᵀF a = FᵀY`; with more, it is the
//! interpolating solution with the smallest ‖a‖, `a = Fᵀ(FFᵀ)⁻¹Y`, to which gradient descent from zero would also
//! converge. Test error diverges where both numbers are equal: Belkin, Hsu, Ma and Mandal, "Reconciling modern
//! machine-learning practice and the classical bias-variance trade-off" (PNAS 2019).

use gradtop_toolkit::data::PIXELS;
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Kind, TchError, Tensor};

/// Returns the weights of the first `count` random features, `f64 [count, 784]`: the same whatever their number.
pub fn weights(count: i64, seed: u64, trial: u32) -> Result<Tensor, TchError> {
    let scale = 1.0 / (PIXELS as f64).sqrt();
    let stream = Stream::named("model-size/features").member(trial);
    let draws: Vec<f64> = (0..count)
        .flat_map(|feature| {
            let mut rng = Rng::new(seed, stream, feature as u32);
            (0..PIXELS).map(move |_| scale * rng.normal())
        })
        .collect();
    Tensor::f_from_slice(&draws)?.f_view([count, PIXELS])
}

/// Returns the features of `x` (`f64 [n, 784]`): `[n, count]`.
pub fn features(x: &Tensor, weights: &Tensor) -> Result<Tensor, TchError> {
    x.f_matmul(&weights.f_transpose(0, 1)?)?.f_relu()
}

/// Returns the least-squares solution of F a = Y with the smallest norm, `[features, outputs]`, for F (`[samples, features]`, on
/// the CPU) of any rank, by a singular value decomposition of F (LAPACK's `gelsd`, like numpy's `lstsq`). Singular values below
/// 2.2e-16 · max(samples, features) of the largest count as 0, as for a feature that is 0 for all samples. Normal equations are
/// avoided because they would square the condition number, which is decisive near equal numbers of features and samples.
pub fn minimum_norm(f: &Tensor, y: &Tensor) -> Result<Tensor, TchError> {
    let (samples, count) = f.size2()?;
    let cut = f64::EPSILON * samples.max(count) as f64;
    f.f_linalg_lstsq(y, cut, "gelsd").map(|(solution, ..)| solution)
}

/// Returns the squared error summed over the outputs and averaged over the samples, and the fraction of samples whose largest
/// output is that of their label. One number per group of `outputs` columns, so that several readouts are evaluated at once.
pub fn errors(
    predictions: &Tensor,
    targets: &Tensor,
    labels: &[Tensor],
    outputs: i64,
) -> Result<Vec<[f64; 2]>, TchError> {
    let samples = predictions.size2()?.0 as f64;
    labels
        .iter()
        .enumerate()
        .map(|(group, labels)| {
            let own = |tensor: &Tensor| tensor.f_narrow(1, group as i64 * outputs, outputs);
            let error = own(predictions)?.f_sub(&own(targets)?)?.f_square()?.f_sum(Kind::Double)?;
            let right = own(predictions)?.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Double)?;
            Ok([error.f_double_value(&[])? / samples, right.f_double_value(&[])? / samples])
        })
        .collect()
}
