//! Ensembles of multilayer perceptrons with hand-written forward and backward passes.
//!
//! All trials of an ensemble have the same widths and train together, each on its own data; they never interact.
//! Parameters are in one flat tensor, layer by layer, each layer as `[trials, out, in + 1]` with the bias in the last
//! column; gradients are in a second tensor of the same layout. Activations are feature-major, `[in + 1, samples]`, and
//! end in a row of ones, so that one matrix product computes `W a + b` and one the gradients of `W` and `b` together.
//! All tensors are allocated once: for speed, a training step allocates nothing and builds no autograd graph.

mod batch;
mod evaluation;
mod line;
mod passes;
mod samples;
mod shuffle;

use crate::rng::{Rng, Stream};
use crate::tensors::{layers, squared_norms};
use tch::{Device, Kind, TchError, Tensor};

pub use batch::{Batch, with_ones};
pub use evaluation::{Evaluation, Evaluator};
pub use line::along;
pub use passes::Workspace;
pub use samples::Samples;
pub use shuffle::Shuffle;

/// The activation of every layer but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// tanh.
    Tanh,
    /// max(0, x), with derivative 0 at 0 as in torch.
    Relu,
}

/// The training loss: a mean over the samples of a batch, for each trial separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Squared error, averaged over outputs as well.
    MeanSquared,
    /// Cross entropy of the softmax of the outputs; targets are probabilities, usually one-hot.
    CrossEntropy,
}

/// Drops the trial axis of an ensemble of one, so that plain matrix products can be used.
fn flatten_single(tensor: Tensor, trials: i64) -> Result<Tensor, TchError> {
    if trials == 1 { tensor.f_squeeze_dim(0) } else { Ok(tensor) }
}

struct Layer {
    /// `[trials, out, in + 1]`, bias last; a view of the flat parameters.
    weight: Tensor,
    /// The same view of the flat gradients.
    gradient: Tensor,
    /// `[trials, in, out]`: the weights without bias, transposed, for the backward pass.
    backward: Tensor,
}

/// Returns the number of weights and biases of a network of these widths.
pub fn parameter_count(widths: &[i64]) -> i64 {
    widths.windows(2).map(|w| (w[0] + 1) * w[1]).sum()
}

/// An ensemble of equal networks.
pub struct Mlp {
    widths: Vec<i64>,
    trials: i64,
    activation: Activation,
    loss: Loss,
    parameters: Tensor,
    gradients: Tensor,
    layers: Vec<Layer>,
}

impl Mlp {
    /// Creates an ensemble of `trials` networks of these widths (inputs, hidden layers, outputs) with all parameters
    /// zero, tanh and the mean squared error; see [`Mlp::with`] to change these.
    pub fn zeros(widths: &[i64], trials: i64, kind: Kind, device: Device) -> Result<Self, TchError> {
        if widths.len() < 2 || trials < 1 || widths.iter().any(|&w| w < 1) {
            return Err(TchError::Shape(format!(
                "an ensemble needs at least one trial, an input and an output width, all positive; got {trials} x {widths:?}"
            )));
        }
        let parameters = Tensor::f_zeros([parameter_count(widths) * trials], (kind, device))?;
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
        let (activation, loss) = (Activation::Tanh, Loss::MeanSquared);
        Ok(Self { widths: widths.to_vec(), trials, activation, loss, parameters, gradients, layers })
    }

    /// Sets activation and loss.
    #[must_use]
    pub fn with(self, activation: Activation, loss: Loss) -> Self {
        Self { activation, loss, ..self }
    }

    /// Draws every weight and bias of every layer uniformly from ±1/√inputs, as torch's `nn.Linear` does. Trial `t`
    /// draws from member `t` of `stream`, so its values do not depend on the number of trials.
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

    /// Sets one layer of one trial: row-major `[out, in + 1]`, bias last.
    pub fn set_layer(&mut self, trial: i64, layer: usize, values: &[f64]) -> Result<(), TchError> {
        let mut target = self.trial_layer(trial, layer)?;
        let values = Tensor::f_from_slice(values)?.f_view(target.size().as_slice())?;
        target.f_copy_(&values)
    }

    /// Returns one layer of one trial as `[out, in + 1]`, bias last; a view, not a copy.
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

    /// Returns the number of parameters of one network, counted from the tensors.
    pub fn parameter_count(&self) -> i64 {
        self.layers.iter().map(|l| l.weight.numel() as i64).sum::<i64>() / self.trials
    }

    /// Returns the widths: inputs, hidden layers, outputs.
    pub fn widths(&self) -> &[i64] {
        &self.widths
    }

    /// Returns the number of networks.
    pub fn trials(&self) -> i64 {
        self.trials
    }

    /// Returns all parameters, flat: layer by layer, each `[trials, out, in + 1]`.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// Returns the gradient of the last [`Mlp::gradient`], in the layout of the parameters.
    pub fn gradients(&self) -> &Tensor {
        &self.gradients
    }

    /// Returns the squared Euclidean norm of the last gradient for each layer and trial: `[layer][trial]`. A trial's
    /// squared norm over all parameters is the sum over layers. Waits for the device.
    pub fn squared_gradient_norms(&self) -> Result<Vec<Vec<f64>>, TchError> {
        self.squared_norms(&self.gradients)
    }

    /// Like [`Mlp::squared_gradient_norms`], for any tensor in the layout of the parameters, such as an update.
    pub fn squared_norms(&self, flat: &Tensor) -> Result<Vec<Vec<f64>>, TchError> {
        squared_norms(&layers(flat, &self.layer_parameter_counts(), self.trials)?)
    }

    /// Extracts the part of these trials from a tensor in the layout of the parameters, such as an optimizer's state,
    /// in the layout of an ensemble of only them. An empty tensor stays empty.
    pub(crate) fn of_trials(&self, flat: &Tensor, chosen: &[i64]) -> Result<Tensor, TchError> {
        if flat.numel() == 0 {
            return Ok(flat.shallow_clone());
        }
        let chosen = Tensor::f_from_slice(chosen)?.f_to_device(flat.device())?;
        let layers = layers(flat, &self.layer_parameter_counts(), self.trials)?
            .iter()
            .map(|layer| layer.f_index_select(0, &chosen)?.f_reshape([-1]))
            .collect::<Result<Vec<_>, TchError>>()?;
        Tensor::f_cat(&layers, 0)
    }

    /// Returns the activation of every layer but the last.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Returns the training loss.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Returns a copy of one trial's parameters, flat: layer by layer, each `[out, in + 1]`.
    pub fn trial_parameters(&self, trial: i64) -> Result<Tensor, TchError> {
        let layers = (0..self.layers.len())
            .map(|layer| self.trial_layer(trial, layer)?.f_reshape([-1]))
            .collect::<Result<Vec<_>, _>>()?;
        Tensor::f_cat(&layers, 0)
    }

    /// Sets one trial's parameters from what [`Mlp::trial_parameters`] returned.
    pub fn set_trial_parameters(&mut self, trial: i64, flat: &Tensor) -> Result<(), TchError> {
        let mut start = 0;
        for layer in 0..self.layers.len() {
            let mut target = self.trial_layer(trial, layer)?;
            let length = target.numel() as i64;
            target.f_copy_(&flat.f_narrow(0, start, length)?.f_view(target.size().as_slice())?)?;
            start += length;
        }
        Ok(())
    }

    /// Returns the number of weights and biases of each layer of one network, first layer first.
    pub fn layer_parameter_counts(&self) -> Vec<i64> {
        self.widths.windows(2).map(|w| (w[0] + 1) * w[1]).collect()
    }
}
