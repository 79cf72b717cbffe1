//! Exact second derivatives of fully connected networks.
//!
//! The Hessian follows Bishop, "Exact calculation of the Hessian matrix for the multilayer perceptron", Neural Computation 4
//! (1992), with the sums over samples as matrix products. Of each sample, `M(l, m)` is the second derivative of the loss by
//! the pre-activations of the layers l ≤ m, the parameters held fixed:
//!
//! - M(L, L) is that of the loss by the outputs,
//! - M(l, m) = diag(φ'ₗ) Wₗ₊₁ᵀ M(l+1, m) for l < m,
//! - M(l, l) = diag(φ'ₗ) Wₗ₊₁ᵀ M(l+1, l) + diag(φ''ₗ ∂loss/∂aₗ).
//!
//! A weight W(l; i, j) shifts the pre-activation i by the input aₗ₋₁(j), so the block of layers l ≤ m sums
//! M(l, m; i, k) aₗ₋₁(j) aₘ₋₁(p) over samples, and for l < m adds δₘ(k) aₗ₋₁(j) ∂aₘ₋₁(p)/∂zₗ(i), because the input p of
//! layer m moves with layer l. Either is one matrix product over samples a run.

use tch::{TchError, Tensor};

use super::limit;
use super::network::{At, Network, Pass, Samples, apply, back, diagonal, flat, outer};

impl Network {
    /// Returns the gradient g of each run and Hg, the gradient of ½‖g‖²: both `[runs, parameters]`.
    pub fn gradient_and_image(
        &self,
        parameters: &Tensor,
        samples: &Samples,
    ) -> Result<(Tensor, Tensor), TchError> {
        let pass = self.pass(parameters, samples)?;
        let gradient = pass.gradient()?;
        let image = hessian_vector(self, &pass, samples, &gradient)?;
        Ok((gradient, image))
    }

    /// Returns the Hessian of each run: `[runs, parameters, parameters]`.
    pub fn hessian(&self, parameters: &Tensor, samples: &Samples) -> Result<Tensor, TchError> {
        self.weights(parameters)?;
        let (runs, count) = (parameters.size()[0], self.parameter_count());
        let hessian = Tensor::f_zeros([runs, count, count], (parameters.kind(), parameters.device()))?;
        let widest = self.widths()[1..].iter().max().copied().unwrap_or(1);
        let group = (limit(parameters.device()) / (widest * widest * samples.count())).clamp(1, runs.max(1));
        let mut start = 0;
        while start < runs {
            let length = group.min(runs - start);
            let pass = self.pass(&parameters.f_narrow(0, start, length)?, samples)?;
            fill(self, &pass, samples, &hessian.f_narrow(0, start, length)?)?;
            start += length;
        }
        Ok(hessian)
    }

    /// Returns the product of each run's Hessian with its own vector, `[runs, parameters]`, at about the cost of two
    /// gradients: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994), the R-operator.
    pub fn hessian_vector(
        &self,
        parameters: &Tensor,
        samples: &Samples,
        vector: &Tensor,
    ) -> Result<Tensor, TchError> {
        let pass = self.pass(parameters, samples)?;
        hessian_vector(self, &pass, samples, vector)
    }
}

impl At<'_> {
    /// Returns the product of each run's Hessian with its own vector: `[runs, parameters]`.
    pub fn hessian_vector(&self, vector: &Tensor) -> Result<Tensor, TchError> {
        hessian_vector(self.network, &self.pass, self.samples, vector)
    }
}

/// Computes the products of all pairs of `[runs, a, samples]` and `[runs, b, samples]`: `[runs, a · b, samples]`.
fn pairs(a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    let product = a.f_unsqueeze(2)?.f_mul(&b.f_unsqueeze(1)?)?;
    let size = product.size();
    product.f_view([size[0], size[1] * size[2], size[3]])
}

/// Computes `Wᵀ` (without the bias) times the first axis of `m` `[runs, out, k, samples]`, times φ' of that layer.
fn pull(weight: &Tensor, slope: &Tensor, m: &Tensor) -> Result<Tensor, TchError> {
    let (size, below) = (m.size(), weight.size()[2] - 1);
    let moved = back(weight, &m.f_reshape([size[0], size[1], size[2] * size[3]])?)?;
    moved.f_view([size[0], below, size[2], size[3]])?.f_mul_(&slope.f_unsqueeze(2)?)
}

fn fill(network: &Network, pass: &Pass, samples: &Samples, hessian: &Tensor) -> Result<(), TchError> {
    let layers = network.layers();
    let runs = hessian.size()[0];
    let inputs = pass
        .inputs
        .iter()
        .map(|input| {
            let size = input.size();
            input.f_expand([runs, size[1], size[2]], false)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut corner = network.output_curvature(pass, samples)?;
    for m in (0..layers.len()).rev() {
        let (column, out_m, rows_m) = layers[m];
        let mut here = corner.shallow_clone();
        for l in (0..=m).rev() {
            if l < m {
                here = pull(&pass.weights[l + 1], &pass.slopes[l], &here)?;
            }
            if l + 1 == m {
                // M(m−1, m) is an intermediate result of M(m−1, m−1).
                corner = here.shallow_clone();
            }
            let (row, out_l, rows_l) = layers[l];
            let block = hessian.f_narrow(1, row, out_l * rows_l)?.f_narrow(2, column, out_m * rows_m)?;
            let parts = block.f_view([runs, out_l, rows_l, out_m, rows_m])?;
            let left = here.f_view([runs, out_l * out_m, samples.count()])?;
            let right = pairs(&inputs[l], &inputs[m])?;
            let sums = left.f_bmm(&right.f_transpose(1, 2)?)?;
            let sums = sums.f_view([runs, out_l, out_m, rows_l, rows_m])?;
            parts.shallow_clone().f_copy_(&sums.f_permute([0, 1, 3, 2, 4])?)?;
            if l < m {
                let moved = moved_inputs(pass, l, m - 1)?;
                let pushed = pairs(&pass.deltas[m], &inputs[l])?;
                let sums = moved.f_bmm(&pushed.f_transpose(1, 2)?)?;
                let sums = sums.f_view([runs, rows_m - 1, out_l, out_m, rows_l])?;
                let mut weights = parts.f_narrow(4, 0, rows_m - 1)?;
                weights.f_add_(&sums.f_permute([0, 2, 4, 3, 1])?).map(drop)?;
                let mut mirrored =
                    hessian.f_narrow(1, column, out_m * rows_m)?.f_narrow(2, row, out_l * rows_l)?;
                mirrored.f_copy_(&block.f_transpose(1, 2)?)?;
            }
        }
        if m > 0 {
            let turned = corner.f_transpose(1, 2)?.f_contiguous()?;
            corner = pull(&pass.weights[m], &pass.slopes[m - 1], &turned)?;
            let active = pass.inputs[m].f_narrow(1, 0, layers[m - 1].1)?;
            if let Some(mut bend) = network.bend(&active, &pass.slopes[m - 1])? {
                let diagonal = bend.f_mul_(&pass.errors[m - 1])?.f_transpose(1, 2)?;
                corner.f_diagonal(0, 1, 2)?.f_add_(&diagonal).map(drop)?;
            }
        }
    }
    Ok(())
}

/// Computes ∂(activations of layer `to`)/∂(pre-activations of layer `from`): `[runs, width of to · width of from, samples]`.
fn moved_inputs(pass: &Pass, from: usize, to: usize) -> Result<Tensor, TchError> {
    let mut moved = diagonal(&pass.slopes[from])?;
    for l in from + 1..=to {
        let size = moved.size();
        let weight = &pass.weights[l];
        let out = weight.size()[1];
        let rows = weight.f_narrow(2, 0, weight.size()[2] - 1)?;
        let product = rows.f_bmm(&moved.f_view([size[0], size[1], size[2] * size[3]])?)?;
        moved = product.f_view([size[0], out, size[2], size[3]])?.f_mul_(&pass.slopes[l].f_unsqueeze(2)?)?;
    }
    let size = moved.size();
    moved.f_view([size[0], size[1] * size[2], size[3]])
}

/// The R-operator: differentiates every quantity of the pass along `vector`.
fn hessian_vector(
    network: &Network,
    pass: &Pass,
    samples: &Samples,
    vector: &Tensor,
) -> Result<Tensor, TchError> {
    let along = network.weights(vector)?;
    let last = along.len() - 1;
    // Derivatives of the pre-activations, and of the layers' inputs (without the row of ones, whose derivative is 0).
    let mut steps = vec![apply(&along[0], &pass.inputs[0])?];
    let mut moves = Vec::new();
    for l in 1..=last {
        let moved = steps[l - 1].f_mul(&pass.slopes[l - 1])?;
        let weight = &pass.weights[l];
        let through = weight.f_narrow(2, 0, weight.size()[2] - 1)?.f_bmm(&moved)?;
        steps.push(apply(&along[l], &pass.inputs[l])?.f_add_(&through)?);
        moves.push(moved);
    }
    let mut delta = network.curve_output(pass, samples, &steps[last])?;
    let mut parts = Vec::new();
    for l in (0..=last).rev() {
        let mut part = outer(&delta, &pass.inputs[l])?;
        if l > 0 {
            let mut weights = part.f_narrow(2, 0, part.size()[2] - 1)?;
            weights.f_add_(&pass.deltas[l].f_bmm(&moves[l - 1].f_transpose(1, 2)?)?).map(drop)?;
            let error = back(&pass.weights[l], &delta)?.f_add_(&back(&along[l], &pass.deltas[l])?)?;
            let active = pass.inputs[l].f_narrow(1, 0, network.widths()[l])?;
            delta = error.f_mul(&pass.slopes[l - 1])?;
            if let Some(mut bend) = network.bend(&active, &pass.slopes[l - 1])? {
                delta = delta.f_add_(&bend.f_mul_(&pass.errors[l - 1])?.f_mul_(&steps[l - 1])?)?;
            }
        }
        part = part.f_contiguous()?;
        parts.push(part);
    }
    parts.reverse();
    flat(&parts)
}
