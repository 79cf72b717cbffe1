//! Ensembles of tanh multilayer perceptrons with hand-written forward and backward passes.
//!
//! All trials of an ensemble have the same widths and train at once, each on its own data; they never interact. Parameters
//! lie in one flat tensor, layer by layer, each layer as `[trials, out, in + 1]` with the bias in the last column; gradients
//! lie in a second tensor of the same layout. Activations are feature-major, `[in + 1, samples]`, and end in a row of ones, so
//! that one matrix product gives `W a + b` and one gives the gradients of `W` and `b` together. Everything is written into
//! tensors made once: a training step allocates nothing and builds no autograd graph, which is what its speed rests on.

use crate::rng::{Rng, Stream};
use tch::{Device, Kind, Reduction, TchError, Tensor};

/// A product of matrices, or of as many matrices as there are trials.
fn product(out: &Tensor, a: &Tensor, b: &Tensor, batched: bool) -> Result<(), TchError> {
    if batched { a.f_bmm_out(out, b) } else { a.f_mm_out(out, b) }.map(drop)
}

/// Drops the trial axis of an ensemble of one, so that plain matrix products serve it.
fn flatten_single(tensor: Tensor, trials: i64) -> Result<Tensor, TchError> {
    if trials == 1 { tensor.f_squeeze_dim(0) } else { Ok(tensor) }
}

/// What the ensemble trains on in one step, feature-major. See [`Batch::new`].
#[derive(Debug)]
pub struct Batch {
    x: Tensor,
    x_transposed: Tensor,
    y: Tensor,
}

impl Batch {
    /// Views one batch: `x` is `[trials, inputs + 1, samples]` whose last row is ones, `y` is `[trials, outputs, samples]`.
    /// The tensors are shared, not copied: refilling them in place changes the batch.
    pub fn new(x: &Tensor, y: &Tensor) -> Result<Self, TchError> {
        let trials = x.size()[0];
        let x = flatten_single(x.shallow_clone(), trials)?;
        Ok(Self { x_transposed: x.f_transpose(-1, -2)?, x, y: flatten_single(y.shallow_clone(), trials)? })
    }
}

/// Gives samples (`[inputs, samples]`) their row of ones and their trial axis: `[trials, inputs + 1, samples]`.
/// All trials share the memory until something is written into it.
pub fn with_ones(x: &Tensor, trials: i64) -> Result<Tensor, TchError> {
    let ones = Tensor::f_ones([1, x.size()[1]], (x.kind(), x.device()))?;
    let rows = x.size()[0] + 1;
    Tensor::f_cat(&[x, &ones], 0)?.f_unsqueeze(0)?.f_expand([trials, rows, x.size()[1]], false)
}

struct Layer {
    /// `[trials, out, in + 1]`, bias last; a view of the flat parameters.
    weight: Tensor,
    /// The same view of the flat gradients.
    gradient: Tensor,
    /// `[trials, in, out]`: the weights without bias, transposed, for the backward pass.
    backward: Tensor,
}

/// An ensemble of equal networks.
pub struct Mlp {
    widths: Vec<i64>,
    trials: i64,
    parameters: Tensor,
    gradients: Tensor,
    layers: Vec<Layer>,
}

/// Buffers for one number of samples, used by [`Mlp::forward`] and [`Mlp::gradient`].
pub struct Workspace {
    samples: i64,
    hidden: Vec<Hidden>,
    output: Tensor,
    /// ∂loss/∂(pre-activation) of each layer, `[trials, out, samples]`.
    deltas: Vec<Tensor>,
    /// 1 / (samples · outputs), the weight of one squared error in the mean.
    share: Tensor,
    squares: Tensor,
}

struct Hidden {
    /// `[trials, out + 1, samples]`, last row ones: the next layer's input.
    rows: Tensor,
    transposed: Tensor,
    /// Without the row of ones.
    active: Tensor,
}

impl Mlp {
    /// An ensemble of `trials` networks of these widths (inputs, hidden layers, outputs), parameters all zero.
    pub fn zeros(widths: &[i64], trials: i64, kind: Kind, device: Device) -> Result<Self, TchError> {
        if widths.len() < 2 || trials < 1 || widths.iter().any(|&w| w < 1) {
            return Err(TchError::Shape(format!(
                "an ensemble needs at least one trial, an input and an output width, all positive; got {trials} x {widths:?}"
            )));
        }
        let count: i64 = widths.windows(2).map(|w| (w[0] + 1) * w[1]).sum();
        let parameters = Tensor::f_zeros([count * trials], (kind, device))?;
        let gradients = parameters.f_zeros_like()?;
        let mut layers = Vec::new();
        let mut start = 0;
        for pair in widths.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let length = trials * outputs * (inputs + 1);
            let view = |flat: &Tensor| -> Result<Tensor, TchError> {
                flatten_single(
                    flat.f_narrow(0, start, length)?.f_view([trials, outputs, inputs + 1])?,
                    trials,
                )
            };
            let weight = view(&parameters)?;
            layers.push(Layer {
                gradient: view(&gradients)?,
                backward: weight.f_narrow(-1, 0, inputs)?.f_transpose(-1, -2)?,
                weight,
            });
            start += length;
        }
        Ok(Self { widths: widths.to_vec(), trials, parameters, gradients, layers })
    }

    /// Draws every weight and bias of every layer uniformly from ±1/√inputs, as torch's `nn.Linear` does.
    /// Trial `t` draws from member `t` of `stream`, so it does not matter how many trials stand beside it.
    pub fn init_uniform(&mut self, seed: u64, stream: Stream) -> Result<(), TchError> {
        for trial in 0..self.trials {
            let mut rng = Rng::new(seed, stream.member(trial as u32), 0);
            for layer in 0..self.layers.len() {
                let (inputs, outputs) = (self.widths[layer], self.widths[layer + 1]);
                let bound = 1.0 / (inputs as f64).sqrt();
                let draws: Vec<f64> =
                    (0..outputs * (inputs + 1)).map(|_| rng.uniform_in(-bound, bound)).collect();
                self.set_layer(trial, layer, &draws)?;
            }
        }
        Ok(())
    }

    /// Writes one layer of one trial: row-major `[out, in + 1]`, bias last.
    pub fn set_layer(&mut self, trial: i64, layer: usize, values: &[f64]) -> Result<(), TchError> {
        let mut target = self.trial_layer(trial, layer)?;
        let values = Tensor::f_from_slice(values)?.f_view(target.size().as_slice())?;
        target.f_copy_(&values)
    }

    /// One layer of one trial as `[out, in + 1]`, bias last; a view, not a copy.
    pub fn trial_layer(&self, trial: i64, layer: usize) -> Result<Tensor, TchError> {
        let (inputs, outputs) = (self.widths[layer], self.widths[layer + 1]);
        self.layers[layer].weight.f_view([self.trials, outputs, inputs + 1])?.f_select(0, trial)
    }

    /// Sets every parameter of one trial to the same number.
    pub fn fill_trial(&mut self, trial: i64, value: f64) -> Result<(), TchError> {
        for layer in 0..self.layers.len() {
            self.trial_layer(trial, layer)?.f_fill_(value).map(drop)?;
        }
        Ok(())
    }

    /// Parameters of one network, counted from the real tensors.
    pub fn parameter_count(&self) -> i64 {
        self.layers.iter().map(|l| l.weight.numel() as i64).sum::<i64>() / self.trials
    }

    /// Inputs, hidden widths, outputs.
    pub fn widths(&self) -> &[i64] {
        &self.widths
    }

    /// Number of networks trained at once.
    pub fn trials(&self) -> i64 {
        self.trials
    }

    /// All parameters, flat: layer by layer, each `[trials, out, in + 1]`.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// The gradient of the last [`Mlp::gradient`], laid out as the parameters.
    pub fn gradients(&self) -> &Tensor {
        &self.gradients
    }

    /// Squared Euclidean norm of the last gradient, of each layer and in it each trial: `[layer][trial]`. A trial's
    /// squared norm over all parameters is the sum over layers. Waits for the device.
    pub fn squared_gradient_norms(&self) -> Result<Vec<Vec<f64>>, TchError> {
        self.layers
            .iter()
            .map(|layer| {
                let sums = layer.gradient.f_view([self.trials, -1])?.f_to_kind(Kind::Double)?.f_square()?;
                let sums = sums.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)?;
                let mut values = vec![0.0; self.trials as usize];
                sums.f_copy_data(&mut values, self.trials as usize)?;
                Ok(values)
            })
            .collect()
    }

    /// Buffers for batches of `samples` samples.
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
        Ok(Workspace {
            samples,
            hidden,
            output: buffer(outputs)?,
            deltas: self.widths[1..].iter().map(|&w| buffer(w)).collect::<Result<_, _>>()?,
            share: Tensor::f_full([], 1.0 / (samples * outputs) as f64, options)?,
            squares: buffer(outputs)?,
        })
    }

    /// Evaluates the networks on a batch's inputs; the predictions are [`Workspace::output`].
    pub fn forward(&self, space: &Workspace, batch: &Batch) -> Result<(), TchError> {
        let batched = self.trials > 1;
        let mut input = &batch.x;
        for (layer, hidden) in self.layers.iter().zip(&space.hidden) {
            product(&hidden.active, &layer.weight, input, batched)?;
            hidden.active.f_tanh_out(&hidden.active).map(drop)?;
            input = &hidden.rows;
        }
        product(&space.output, &self.layers[self.layers.len() - 1].weight, input, batched)
    }

    /// Forward and backward: fills [`Mlp::gradients`] with the gradient of each trial's mean squared error
    /// (mean over samples and outputs) on the batch.
    pub fn gradient(&mut self, space: &Workspace, batch: &Batch) -> Result<(), TchError> {
        self.forward(space, batch)?;
        let batched = self.trials > 1;
        let last = self.layers.len() - 1;
        // Sum, not mean: the mean over all trials would divide each trial's gradient by their number.
        space
            .output
            .f_mse_loss_backward_grad_input(&space.deltas[last], &space.share, &batch.y, Reduction::Sum)
            .map(drop)?;
        for l in (1..=last).rev() {
            let below = &space.hidden[l - 1];
            let layer = &self.layers[l];
            product(&layer.gradient, &space.deltas[l], &below.transposed, batched)?;
            let delta = &space.deltas[l - 1];
            product(delta, &layer.backward, &space.deltas[l], batched)?;
            Tensor::f_tanh_backward_grad_input(delta, delta, &below.active).map(drop)?;
        }
        product(&self.layers[0].gradient, &space.deltas[0], &batch.x_transposed, batched)
    }

    /// The mean squared error of each trial at the parameters the last [`Mlp::gradient`] used, on its batch.
    /// Waits for the device.
    pub fn batch_loss(&self, space: &Workspace) -> Result<Vec<f64>, TchError> {
        // delta = 2 (prediction - y) / count, so the mean of (prediction - y)² is count / 4 · Σ delta².
        let delta = &space.deltas[space.deltas.len() - 1];
        delta.f_square_out(&space.squares).map(drop)?;
        let sums = space.squares.f_view([self.trials, -1])?.f_sum_dim_intlist(
            [1_i64].as_slice(),
            false,
            Kind::Double,
        )?;
        let mut losses = vec![0.0; self.trials as usize];
        sums.f_copy_data(&mut losses, self.trials as usize)?;
        let count = (space.samples * self.widths[self.widths.len() - 1]) as f64;
        for loss in &mut losses {
            *loss *= count / 4.0;
        }
        Ok(losses)
    }
}

impl Workspace {
    /// Predictions of the last forward pass: `[trials, outputs, samples]`, without the first axis for one trial.
    pub fn output(&self) -> &Tensor {
        &self.output
    }

    /// Samples a batch must have.
    pub fn samples(&self) -> i64 {
        self.samples
    }
}
