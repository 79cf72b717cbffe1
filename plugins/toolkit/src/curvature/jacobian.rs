//! The sensitivity of a network's outputs to its input: the exact Frobenius norm of ∂(outputs)/∂(input) for every sample.
//!
//! J is the product of the layers' weights with the diagonal matrices of φ' between them. There are far fewer outputs
//! than inputs, so the rows of J are propagated from the outputs down, all samples in one matrix product per layer. The
//! last factor, W₁, which is as wide as the input, is never multiplied: with W₁ W₁ᵀ = R Rᵀ, computed once per network,
//! ‖A W₁‖ = ‖A R‖, and R is square with the width of the first hidden layer. For probabilities p = softmax(z), row i of
//! ∂p/∂x is pᵢ (Jᵢ − Σₖ pₖ Jₖ), for which R can also replace W₁. (Novak et al., "Sensitivity and generalization in
//! neural networks: an empirical study", 2018, measure the latter.)
//!
//! Each norm belongs to one sample; the mean over samples is the mean of the norms. The gradient of a mean loss with
//! respect to a batch of inputs is a different quantity, which shrinks as the batch grows.

use tch::{Kind, TchError, Tensor};

use super::limit;
use super::network::{Network, Samples, back};

/// The norms for every sample: `[runs, samples]` each.
#[derive(Debug)]
pub struct Norms {
    /// ‖∂z/∂x‖ of the outputs before the softmax.
    pub logits: Tensor,
    /// ‖∂softmax(z)/∂x‖.
    pub probabilities: Tensor,
}

/// Returns the norms of outputs and of class probabilities, for each run and sample.
pub fn norms(network: &Network, parameters: &Tensor, samples: &Samples) -> Result<Norms, TchError> {
    let (mut logits, mut probabilities) = (Vec::new(), Vec::new());
    chunks(network, parameters, samples, |mut rows, output| {
        logits.push(length(&rows)?);
        let chance = output.f_softmax(1, None::<Kind>)?.f_unsqueeze(1)?;
        let mean = rows.f_mul(&chance)?.f_sum_dim_intlist([2_i64].as_slice(), true, None)?;
        rows.f_sub_(&mean)?.f_mul_(&chance).map(drop)?;
        probabilities.push(length(&rows)?);
        Ok(())
    })?;
    Ok(Norms { logits: Tensor::f_cat(&logits, 1)?, probabilities: Tensor::f_cat(&probabilities, 1)? })
}

/// Returns only the norms of outputs: `[runs, samples]`.
pub fn output_norms(network: &Network, parameters: &Tensor, samples: &Samples) -> Result<Tensor, TchError> {
    let mut norms = Vec::new();
    chunks(network, parameters, samples, |rows, _| {
        norms.push(length(&rows)?);
        Ok(())
    })?;
    Tensor::f_cat(&norms, 1)
}

/// Calls `each` with each chunk's rows, `[runs, rank, outputs, samples]`, whose norms are those of the Jacobian's rows,
/// and the outputs, `[runs, outputs, samples]`.
fn chunks(
    network: &Network,
    parameters: &Tensor,
    samples: &Samples,
    mut each: impl FnMut(Tensor, &Tensor) -> Result<(), TchError>,
) -> Result<(), TchError> {
    let weights = network.weights(parameters)?;
    let last = weights.len() - 1;
    let root = root(&weights[0])?;
    let runs = parameters.size()[0];
    let (widths, count) = (network.widths(), samples.count());
    let outputs = widths[last + 1];
    let widest = widths[1..].iter().max().copied().unwrap_or(1);
    let step = (limit(parameters.device()) / (runs * outputs * widest)).clamp(16, count.max(16));
    // The rows above the last hidden layer, the same for all samples: `[runs, width, outputs, 1]`.
    let top = if last == 0 {
        let eye = Tensor::f_eye(outputs, (parameters.kind(), parameters.device()))?;
        eye.f_expand([runs, outputs, outputs], false)?
    } else {
        weights[last].f_narrow(2, 0, widths[last])?.f_transpose(1, 2)?
    };
    let top = top.f_contiguous()?.f_unsqueeze(3)?;
    for start in (0..count).step_by(step as usize) {
        let length = step.min(count - start);
        let chunk = samples.narrow(start, length)?;
        let (_, inputs, output) = network.forward(parameters, &chunk)?;
        let mut rows = top.shallow_clone();
        for l in (1..=last).rev() {
            let slope = network.slope(&inputs[l].f_narrow(1, 0, widths[l])?)?;
            rows = rows.f_mul(&slope.f_unsqueeze(2)?)?;
            if l > 1 {
                let flat = rows.f_view([runs, widths[l], -1])?;
                rows = back(&weights[l - 1], &flat)?.f_view([runs, widths[l - 1], outputs, length])?;
            }
        }
        // Without a hidden layer, the rows do not depend on the sample.
        let flat = rows.f_reshape([runs, rows.size()[1], -1])?;
        let rows = root.f_transpose(1, 2)?.f_bmm(&flat)?.f_view([runs, root.size()[2], outputs, -1])?;
        let rows = if last == 0 {
            rows.f_expand([runs, root.size()[2], outputs, length], false)?.f_contiguous()?
        } else {
            rows
        };
        each(rows, &output)?;
    }
    Ok(())
}

/// Returns R with W Wᵀ = R Rᵀ, as narrow as possible: W itself without its bias, or a square root of W Wᵀ by its
/// eigenvectors, in double precision.
fn root(weight: &Tensor) -> Result<Tensor, TchError> {
    let size = weight.size();
    let rows = weight.f_narrow(2, 0, size[2] - 1)?;
    if size[2] - 1 <= size[1] {
        return rows.f_contiguous();
    }
    let wide = rows.f_to_kind(Kind::Double)?;
    let (values, vectors) = wide.f_bmm(&wide.f_transpose(1, 2)?)?.f_linalg_eigh("L")?;
    // Rounding may make a zero eigenvalue slightly negative.
    vectors.f_mul(&values.f_clamp_min(0.0)?.f_sqrt()?.f_unsqueeze(1)?)?.f_to_kind(weight.kind())
}

/// `[runs, rank, outputs, samples]` → `[runs, samples]`.
fn length(rows: &Tensor) -> Result<Tensor, TchError> {
    rows.f_norm_scalaropt_dim(2.0, [1_i64, 2].as_slice(), false)
}
