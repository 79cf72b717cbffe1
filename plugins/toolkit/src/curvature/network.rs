//! Fully connected networks whose gradients, Hessians and Hessian-vector products are written out by hand.
//!
//! Unlike [`crate::mlp`], which trains, this evaluates: many runs on the same samples, parameters as `[runs,
//! parameters]`, nothing kept between calls. Each run's parameters are stored layer by layer, a layer as `[out, in +
//! 1]` row by row with the bias last. The second derivative of a rectified unit counts as 0: such a Hessian lacks the
//! curvature of the kinks, so second-order methods should use smooth activations.

use tch::{Kind, TchError, Tensor};

use crate::mlp::{Activation, Loss};
use crate::tensors::matrices;

/// Samples shared by all runs.
#[derive(Debug)]
pub struct Samples {
    /// `[inputs + 1, samples]`, the last row ones.
    x: Tensor,
    /// `[outputs, samples]` or `[runs, outputs, samples]`: targets, or for cross entropy the probability of each class.
    y: Tensor,
}

impl Samples {
    /// Creates samples from inputs `[samples, inputs]` and targets `[samples, outputs]`, or `[runs, samples, outputs]`
    /// if each run has its own.
    pub fn new(x: &Tensor, y: &Tensor) -> Result<Self, TchError> {
        let targets = y.size().iter().rev().nth(1).copied().filter(|_| y.dim() <= 3);
        if x.dim() != 2 || Some(x.size()[0]) != targets || x.size()[0] == 0 {
            return Err(TchError::Shape(format!(
                "inputs {:?} and targets {:?} must be [samples, ...] of as many samples, at least one",
                x.size(),
                y.size()
            )));
        }
        let ones = Tensor::f_ones([1, x.size()[0]], (x.kind(), x.device()))?;
        Ok(Self {
            x: Tensor::f_cat(&[x.f_transpose(0, 1)?, ones], 0)?,
            y: y.f_to_kind(x.kind())?.f_transpose(-1, -2)?.f_contiguous()?,
        })
    }

    /// Creates samples from inputs `[samples, inputs]` and classes `[samples]` in `0..classes`.
    pub fn classes(x: &Tensor, labels: &Tensor, classes: i64) -> Result<Self, TchError> {
        Self::new(x, &labels.f_one_hot(classes)?.f_to_kind(x.kind())?)
    }

    /// Converts to single or double precision.
    pub fn to_kind(&self, kind: Kind) -> Result<Self, TchError> {
        Ok(Self { x: self.x.f_to_kind(kind)?, y: self.y.f_to_kind(kind)? })
    }

    /// Returns the number of samples.
    pub fn count(&self) -> i64 {
        self.x.size()[1]
    }

    /// Returns `length` of them from `start` on, sharing their memory.
    pub fn narrow(&self, start: i64, length: i64) -> Result<Self, TchError> {
        Ok(Self { x: self.x.f_narrow(1, start, length)?, y: self.y.f_narrow(1, start, length)? })
    }
}

/// Intermediate results of a forward and a backward pass. Layers count from 0; tensors are `[runs, width, samples]`.
pub(super) struct Pass {
    /// `[runs, out, in + 1]`, views of the parameters.
    pub(super) weights: Vec<Tensor>,
    /// Input of each layer with its row of ones; the first is shared by all runs: `[1, inputs + 1, samples]`.
    pub(super) inputs: Vec<Tensor>,
    /// φ' of each hidden layer.
    pub(super) slopes: Vec<Tensor>,
    /// ∂loss/∂(activation) of each hidden layer.
    pub(super) errors: Vec<Tensor>,
    /// ∂loss/∂(pre-activation) of each layer.
    pub(super) deltas: Vec<Tensor>,
    pub(super) output: Tensor,
}

impl Pass {
    pub(super) fn gradient(&self) -> Result<Tensor, TchError> {
        let layers = self.deltas.iter().zip(&self.inputs);
        flat(&layers.map(|(delta, input)| outer(delta, input)).collect::<Result<Vec<_>, _>>()?)
    }
}

/// A network's shape: widths (inputs, hidden layers, outputs), activation and loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    widths: Vec<i64>,
    activation: Activation,
    loss: Loss,
}

impl Network {
    /// Creates a network of these widths.
    pub fn new(widths: &[i64], activation: Activation, loss: Loss) -> Result<Self, TchError> {
        if widths.len() < 2 || widths.iter().any(|&w| w < 1) {
            return Err(TchError::Shape(format!(
                "a network needs an input and an output width, all positive; got {widths:?}"
            )));
        }
        Ok(Self { widths: widths.to_vec(), activation, loss })
    }

    /// Returns the widths: inputs, hidden layers, outputs.
    pub fn widths(&self) -> &[i64] {
        &self.widths
    }

    /// Returns the number of parameters of one run: Σ (in + 1) · out.
    pub fn parameter_count(&self) -> i64 {
        self.widths.windows(2).map(|w| (w[0] + 1) * w[1]).sum()
    }

    /// Returns where each layer starts among the parameters, with its number of outputs and its number of inputs + 1.
    pub fn layers(&self) -> Vec<(i64, i64, i64)> {
        let mut start = 0;
        self.widths
            .windows(2)
            .map(|w| {
                let here = (start, w[1], w[0] + 1);
                start += w[1] * (w[0] + 1);
                here
            })
            .collect()
    }

    /// Returns the loss of each run: `[runs]`.
    pub fn losses(&self, parameters: &Tensor, samples: &Samples) -> Result<Tensor, TchError> {
        let (_, _, output) = self.forward(parameters, samples)?;
        self.loss_of(&output, samples)
    }

    /// Returns the outputs of each run: `[runs, outputs, samples]`.
    pub fn outputs(&self, parameters: &Tensor, samples: &Samples) -> Result<Tensor, TchError> {
        Ok(self.forward(parameters, samples)?.2)
    }

    /// Returns loss `[runs]` and gradient `[runs, parameters]` of each run.
    pub fn gradient(&self, parameters: &Tensor, samples: &Samples) -> Result<(Tensor, Tensor), TchError> {
        let pass = self.pass(parameters, samples)?;
        Ok((self.loss_of(&pass.output, samples)?, pass.gradient()?))
    }

    /// Prepares several products with the Hessian at these parameters: each then costs a third less than
    /// [`Network::hessian_vector`].
    pub fn at<'a>(&'a self, parameters: &Tensor, samples: &'a Samples) -> Result<At<'a>, TchError> {
        Ok(At { network: self, samples, pass: self.pass(parameters, samples)? })
    }

    /// Returns the layers' weights of each run as views: `[runs, out, in + 1]`.
    pub(super) fn weights(&self, parameters: &Tensor) -> Result<Vec<Tensor>, TchError> {
        let count = self.parameter_count();
        if parameters.dim() != 2 || parameters.size()[1] != count {
            return Err(TchError::Shape(format!(
                "the network {:?} has {count} parameters a run, got {:?}",
                self.widths,
                parameters.size()
            )));
        }
        matrices(parameters, &self.widths)
    }

    /// Returns weights, the input of each layer with its row of ones, and the outputs.
    pub(super) fn forward(
        &self,
        parameters: &Tensor,
        samples: &Samples,
    ) -> Result<(Vec<Tensor>, Vec<Tensor>, Tensor), TchError> {
        let weights = self.weights(parameters)?;
        let runs = parameters.size()[0];
        let mut inputs = vec![samples.x.f_unsqueeze(0)?];
        let last = weights.len() - 1;
        for (l, weight) in weights[..last].iter().enumerate() {
            let rows = Tensor::f_ones(
                [runs, self.widths[l + 1] + 1, samples.count()],
                (parameters.kind(), parameters.device()),
            )?;
            let mut active = rows.f_narrow(1, 0, self.widths[l + 1])?;
            active.f_copy_(&apply(weight, &inputs[l])?)?;
            match self.activation {
                Activation::Tanh => active.f_tanh_().map(drop)?,
                Activation::Relu => active.f_relu_().map(drop)?,
            }
            inputs.push(rows);
        }
        let output = apply(&weights[last], &inputs[last])?;
        Ok((weights, inputs, output))
    }

    pub(super) fn pass(&self, parameters: &Tensor, samples: &Samples) -> Result<Pass, TchError> {
        let (weights, inputs, output) = self.forward(parameters, samples)?;
        let last = weights.len() - 1;
        let mut delta = self.output_delta(&output, samples)?;
        let (mut slopes, mut errors, mut deltas) = (Vec::new(), Vec::new(), Vec::new());
        for l in (0..last).rev() {
            let error = back(&weights[l + 1], &delta)?;
            let slope = self.slope(&inputs[l + 1].f_narrow(1, 0, self.widths[l + 1])?)?;
            let below = error.f_mul(&slope)?;
            deltas.push(std::mem::replace(&mut delta, below));
            errors.push(error);
            slopes.push(slope);
        }
        deltas.push(delta);
        deltas.reverse();
        errors.reverse();
        slopes.reverse();
        Ok(Pass { weights, inputs, slopes, errors, deltas, output })
    }

    /// Computes φ' from the activations.
    pub(super) fn slope(&self, active: &Tensor) -> Result<Tensor, TchError> {
        match self.activation {
            Activation::Tanh => active.f_square()?.f_neg()?.f_add_scalar_(1.0),
            Activation::Relu => active.f_gt(0.0)?.f_to_kind(active.kind()),
        }
    }

    /// Computes φ'' from the activations and φ'; `None` if it is 0 everywhere.
    pub(super) fn bend(&self, active: &Tensor, slope: &Tensor) -> Result<Option<Tensor>, TchError> {
        match self.activation {
            Activation::Tanh => Ok(Some(active.f_mul(slope)?.f_mul_scalar_(-2.0)?)),
            Activation::Relu => Ok(None),
        }
    }

    fn loss_of(&self, output: &Tensor, samples: &Samples) -> Result<Tensor, TchError> {
        match self.loss {
            Loss::MeanSquared => {
                output.f_sub(&samples.y)?.f_square_()?.f_mean_dim([1_i64, 2].as_slice(), false, None::<Kind>)
            }
            Loss::CrossEntropy => {
                let own = output.f_mul(&samples.y)?.f_sum_dim_intlist([1_i64].as_slice(), false, None)?;
                output.f_logsumexp([1_i64].as_slice(), false)?.f_sub(&own)?.f_mean_dim(
                    [1_i64].as_slice(),
                    false,
                    None::<Kind>,
                )
            }
        }
    }

    /// Computes ∂loss/∂outputs.
    fn output_delta(&self, output: &Tensor, samples: &Samples) -> Result<Tensor, TchError> {
        match self.loss {
            Loss::MeanSquared => output.f_sub(&samples.y)?.f_mul_scalar_(self.square_weight(samples)),
            Loss::CrossEntropy => {
                let chance = output.f_softmax(1, None::<Kind>)?;
                chance.f_sub(&samples.y)?.f_div_scalar_(samples.count() as f64)
            }
        }
    }

    /// Returns the second derivative of the mean squared error with respect to one output of one sample.
    fn square_weight(&self, samples: &Samples) -> f64 {
        2.0 / (samples.count() * self.widths[self.widths.len() - 1]) as f64
    }

    /// Computes ∂²loss/∂outputs² for each sample: `[runs, outputs, outputs, samples]`.
    pub(super) fn output_curvature(&self, pass: &Pass, samples: &Samples) -> Result<Tensor, TchError> {
        let size = pass.output.size();
        match self.loss {
            Loss::MeanSquared => {
                let mut eye = Tensor::f_eye(size[1], (pass.output.kind(), pass.output.device()))?;
                eye.f_mul_scalar_(self.square_weight(samples))?
                    .f_view([1, size[1], size[1], 1])?
                    .f_expand([size[0], size[1], size[1], size[2]], false)?
                    .f_contiguous()
            }
            Loss::CrossEntropy => {
                let chance = pass.output.f_softmax(1, None::<Kind>)?;
                let products = chance.f_unsqueeze(2)?.f_mul(&chance.f_unsqueeze(1)?)?;
                diagonal(&chance)?.f_sub(&products)?.f_div_scalar_(samples.count() as f64)
            }
        }
    }

    /// Applies [`Network::output_curvature`] to a change of the outputs.
    pub(super) fn curve_output(
        &self,
        pass: &Pass,
        samples: &Samples,
        change: &Tensor,
    ) -> Result<Tensor, TchError> {
        match self.loss {
            Loss::MeanSquared => change.f_mul_scalar(self.square_weight(samples)),
            Loss::CrossEntropy => {
                let chance = pass.output.f_softmax(1, None::<Kind>)?;
                let weighted = chance.f_mul(change)?;
                let total = weighted.f_sum_dim_intlist([1_i64].as_slice(), true, None)?;
                weighted.f_sub(&chance.f_mul(&total)?)?.f_div_scalar_(samples.count() as f64)
            }
        }
    }
}

/// A network at its parameters. See [`Network::at`].
pub struct At<'a> {
    pub(super) network: &'a Network,
    pub(super) samples: &'a Samples,
    pub(super) pass: Pass,
}

/// Computes `W a` for each run; inputs shared by all runs need only one large product.
pub(super) fn apply(weight: &Tensor, input: &Tensor) -> Result<Tensor, TchError> {
    let (size, samples) = (weight.size(), input.size()[2]);
    if input.size()[0] == 1 && size[0] > 1 {
        let rows = weight.f_reshape([size[0] * size[1], size[2]])?;
        rows.f_mm(&input.f_squeeze_dim(0)?)?.f_view([size[0], size[1], samples])
    } else {
        weight.f_bmm(input)
    }
}

/// Computes `Wᵀ d` without the bias.
pub(super) fn back(weight: &Tensor, delta: &Tensor) -> Result<Tensor, TchError> {
    weight.f_narrow(2, 0, weight.size()[2] - 1)?.f_transpose(1, 2)?.f_bmm(delta)
}

/// Computes `d aᵀ` summed over samples: the gradient of a layer.
pub(super) fn outer(delta: &Tensor, input: &Tensor) -> Result<Tensor, TchError> {
    let (size, rows) = (delta.size(), input.size()[1]);
    if input.size()[0] == 1 && size[0] > 1 {
        let deltas = delta.f_reshape([size[0] * size[1], size[2]])?;
        deltas.f_mm(&input.f_squeeze_dim(0)?.f_transpose(0, 1)?)?.f_view([size[0], size[1], rows])
    } else {
        delta.f_bmm(&input.f_transpose(1, 2)?)
    }
}

/// Concatenates layers `[runs, out, in + 1]`: `[runs, parameters]`.
pub(super) fn flat(layers: &[Tensor]) -> Result<Tensor, TchError> {
    let rows =
        layers.iter().map(|layer| layer.f_reshape([layer.size()[0], -1])).collect::<Result<Vec<_>, _>>()?;
    Tensor::f_cat(&rows, 1)
}

/// Converts `[runs, width, samples]` to diagonal matrices `[runs, width, width, samples]`.
pub(super) fn diagonal(values: &Tensor) -> Result<Tensor, TchError> {
    let size = values.size();
    let full = Tensor::f_zeros([size[0], size[1], size[1], size[2]], (values.kind(), values.device()))?;
    full.f_diagonal(0, 1, 2)?.f_copy_(&values.f_transpose(1, 2)?)?;
    Ok(full)
}
