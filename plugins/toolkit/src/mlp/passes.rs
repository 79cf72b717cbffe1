//! The forward and backward passes.

use tch::{Kind, Reduction, TchError, Tensor};

use super::{Activation, Batch, Loss, Mlp, flatten_single};
use crate::dense::{product, tanh, tanh_backward};
use crate::tensors::numbers;

/// Buffers for a fixed number of samples, used by [`Mlp::forward`] and [`Mlp::gradient`].
pub struct Workspace {
    samples: i64,
    hidden: Vec<Hidden>,
    output: Tensor,
    /// ∂loss/∂(pre-activation) of each layer, `[trials, out, samples]`.
    deltas: Vec<Tensor>,
    /// The weight of one sample, or one squared error, in the mean.
    share: Tensor,
    share_value: f64,
    squares: Tensor,
    /// The first layer before its activation, `[trials, out, samples]`, for samples shared by all trials.
    first: Option<Tensor>,
}

struct Hidden {
    /// `[trials, out + 1, samples]`, last row ones: the next layer's input.
    rows: Tensor,
    transposed: Tensor,
    /// The same without the row of ones.
    active: Tensor,
}

impl Mlp {
    /// Creates buffers for batches of `samples` samples.
    pub fn workspace(&self, samples: i64) -> Result<Workspace, TchError> {
        let options = (self.parameters.kind(), self.parameters.device());
        let trials = self.trials;
        let buffer = |width: i64| -> Result<Tensor, TchError> {
            flatten_single(Tensor::f_zeros([trials, width, samples], options)?, trials)
        };
        let outputs = self.widths[self.widths.len() - 1];
        let mut hidden = Vec::new();
        for &width in &self.widths[1..self.widths.len() - 1] {
            let rows = buffer(width + 1)?;
            rows.f_narrow(-2, width, 1)?.f_fill_(1.0).map(drop)?;
            hidden.push(Hidden {
                transposed: rows.f_transpose(-1, -2)?,
                active: rows.f_narrow(-2, 0, width)?,
                rows,
            });
        }
        let weight = match self.loss {
            Loss::MeanSquared => samples * outputs,
            Loss::CrossEntropy => samples,
        };
        Ok(Workspace {
            samples,
            output: buffer(outputs)?,
            deltas: self.widths[1..].iter().map(|&w| buffer(w)).collect::<Result<_, _>>()?,
            share: Tensor::f_full([], 1.0 / weight as f64, options)?,
            share_value: 1.0 / weight as f64,
            squares: buffer(outputs)?,
            first: (trials > 1 && !hidden.is_empty()).then(|| buffer(self.widths[1])).transpose()?,
            hidden,
        })
    }

    /// Computes the product of the first layer's weights and the batch's inputs into `out`: one product for all trials
    /// if they share the inputs.
    fn first_product(&self, out: &Tensor, batch: &Batch) -> Result<(), TchError> {
        let weight = &self.layers[0].weight;
        if !batch.shared || self.trials == 1 {
            return product(out, weight, &batch.x);
        }
        let (inputs, samples) = (self.widths[0] + 1, batch.samples());
        product(&out.f_view([-1, samples])?, &weight.f_view([-1, inputs])?, &batch.x)
    }

    /// Evaluates the networks on a batch's inputs; the predictions are [`Workspace::output`].
    pub fn forward(&self, space: &Workspace, batch: &Batch) -> Result<(), TchError> {
        let mut input = None;
        for (layer, hidden) in self.layers.iter().zip(&space.hidden) {
            let mut before = &hidden.active;
            match (input, &space.first) {
                (Some(input), _) => product(before, &layer.weight, input)?,
                (None, Some(first)) if batch.shared => {
                    before = first;
                    self.first_product(first, batch)?;
                }
                (None, _) => self.first_product(before, batch)?,
            }
            match self.activation {
                Activation::Tanh => tanh(before, &hidden.active)?,
                Activation::Relu => before.f_clamp_min_out(&hidden.active, 0.0).map(drop)?,
            }
            input = Some(&hidden.rows);
        }
        match input {
            Some(input) => product(&space.output, &self.layers[self.layers.len() - 1].weight, input),
            None => self.first_product(&space.output, batch),
        }
    }

    /// Computes forward and backward passes: fills [`Mlp::gradients`] with the gradient of each trial's loss on the batch.
    pub fn gradient(&mut self, space: &Workspace, batch: &Batch) -> Result<(), TchError> {
        self.forward(space, batch)?;
        let last = self.layers.len() - 1;
        self.output_delta(space, batch)?;
        for l in (1..=last).rev() {
            let below = &space.hidden[l - 1];
            let layer = &self.layers[l];
            product(&layer.gradient, &space.deltas[l], &below.transposed)?;
            let delta = &space.deltas[l - 1];
            product(delta, &layer.backward, &space.deltas[l])?;
            match self.activation {
                Activation::Tanh => tanh_backward(delta, &below.active)?,
                Activation::Relu => {
                    below.active.f_threshold_backward_grad_input(delta, delta, 0.0).map(drop)?;
                }
            }
        }
        let gradient = &self.layers[0].gradient;
        if !batch.shared || self.trials == 1 {
            return product(gradient, &space.deltas[0], &batch.x_transposed);
        }
        let (inputs, samples) = (self.widths[0] + 1, batch.samples());
        let delta = space.deltas[0].f_view([-1, samples])?;
        product(&gradient.f_view([-1, inputs])?, &delta, &batch.x_transposed)
    }

    /// Computes ∂loss/∂output of each trial's loss on the batch.
    fn output_delta(&self, space: &Workspace, batch: &Batch) -> Result<(), TchError> {
        let delta = &space.deltas[self.layers.len() - 1];
        match self.loss {
            // Sum, not mean: the mean over all trials would divide each trial's gradient by the number of trials.
            Loss::MeanSquared if self.trials == 1 || !batch.shared => space
                .output
                .f_mse_loss_backward_grad_input(delta, &space.share, &batch.y, Reduction::Sum)
                .map(drop),
            Loss::MeanSquared => {
                space.output.f_sub_out(delta, &batch.y).map(drop)?;
                delta.shallow_clone().f_mul_scalar_(2.0 * space.share_value).map(drop)
            }
            Loss::CrossEntropy => {
                space.output.f_internal_softmax_out(delta, -2, false).map(drop)?;
                let mut delta = delta.shallow_clone();
                delta.f_sub_(&batch.y).map(drop)?;
                delta.f_mul_(&space.share).map(drop)
            }
        }
    }

    /// Returns the loss of each trial on its batch at the parameters of the last [`Mlp::gradient`]. Waits for the device.
    pub fn batch_loss(&self, space: &Workspace, batch: &Batch) -> Result<Vec<f64>, TchError> {
        let (terms, factor) = match self.loss {
            Loss::MeanSquared => {
                // delta = 2 (prediction - y) / count, so the mean of (prediction - y)² is count / 4 · Σ delta².
                let count = (space.samples * self.widths[self.widths.len() - 1]) as f64;
                let delta = &space.deltas[space.deltas.len() - 1];
                (delta.f_square_out(&space.squares)?, count / 4.0)
            }
            Loss::CrossEntropy => {
                let logs = space.output.f_internal_log_softmax_out(&space.squares, -2, false)?;
                (logs.shallow_clone().f_mul_(&batch.y)?, -1.0 / space.samples as f64)
            }
        };
        let sums =
            terms.f_view([self.trials, -1])?.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)?;
        Ok(numbers(&sums)?.into_iter().map(|sum| sum * factor).collect())
    }
}

impl Mlp {
    /// Returns, for each trial, the trace of the covariance of single samples' gradients over the batch of the last
    /// [`Mlp::gradient`]: Σᵢ ‖gᵢ − g‖² / (samples − 1). Single gradients are not formed: in each layer they are the
    /// outer product of delta and input, whose norm is the product of their norms. NaN for a single sample.
    pub fn gradient_variance(&self, space: &Workspace, batch: &Batch) -> Result<Vec<f64>, TchError> {
        let samples = space.samples as f64;
        let squares = |tensor: &Tensor| -> Result<Tensor, TchError> {
            tensor.f_square()?.f_sum_dim_intlist([-2_i64].as_slice(), false, Kind::Double)
        };
        let mut total: Option<Tensor> = None;
        for (l, delta) in space.deltas.iter().enumerate() {
            // The row of ones is the input of the bias.
            let input = if l == 0 { &batch.x } else { &space.hidden[l - 1].rows };
            let product = squares(delta)?.f_mul(&squares(input)?)?;
            total = Some(match total {
                Some(total) => total.f_add(&product)?,
                None => product,
            });
        }
        let Some(total) = total else { return Ok(Vec::new()) };
        let sums =
            total.f_view([self.trials, -1])?.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)?;
        let means = self.squared_gradient_norms()?;
        // Deltas are those of the mean: a sample's own are larger by the number of samples.
        let of = |(trial, sum): (usize, f64)| {
            let mean: f64 = means.iter().map(|layer| layer[trial]).sum();
            (sum * samples * samples - samples * mean) / (samples - 1.0)
        };
        Ok(numbers(&sums)?.into_iter().enumerate().map(of).collect())
    }
}

impl Workspace {
    /// Returns the predictions of the last forward pass: `[trials, outputs, samples]`, without the first axis for one trial.
    pub fn output(&self) -> &Tensor {
        &self.output
    }

    /// Returns the number of samples a batch must have.
    pub fn samples(&self) -> i64 {
        self.samples
    }
}
