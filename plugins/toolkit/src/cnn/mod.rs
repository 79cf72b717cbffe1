//! Convolutional networks for 28 by 28 grey images, with passes made for speed on a CPU and equally valid on a GPU.
//!
//! All parameters lie in one flat tensor, gradients in a second of the same layout, so one optimizer update is a few operations whatever
//! the network. Kernels lie as `[out, k, k, in]` (channels last, which is how libtorch's convolutions are fastest on a CPU), dense
//! weights as `[out, in]` with the inputs ordered as rows, columns, channels; each is followed by its bias. ReLU and bias
//! come after pooling: max(relu(x + b)) is relu(max(x) + b), on a quarter of the numbers. Forward and backward are
//! written by hand into buffers made once. In single precision on a CPU, convolutions of the sizes offered here are vector code
//! (`direct.rs`). Elsewhere they go through libtorch's own gradient, because `tch` offers it no other way.

mod dense;
mod direct;
mod evaluate;
mod functional;
mod passes;
mod spec;
mod variance;

pub use evaluate::Evaluation;
pub use passes::Workspace;
pub use spec::{Conv, SPECS, Shape, Spec, named};

use tch::{Device, Kind, TchError, Tensor};

use crate::data::SIDE;
use crate::lanes::Processor;
use crate::rng::{Rng, Stream};
use direct::Direct;

/// Weights and biases of one layer, and their gradients: views of the flat tensors.
struct Layer {
    /// `[out, in]`, for kernels `[out, k · k · in]`.
    weight: Tensor,
    bias: Tensor,
    weight_gradient: Tensor,
    bias_gradient: Tensor,
}

/// One network.
pub struct Cnn {
    spec: &'static Spec,
    parameters: Tensor,
    gradients: Tensor,
    convs: Vec<Layer>,
    dense: Vec<Layer>,
    /// For each convolution the code for it on this processor, if there is any.
    direct: Vec<Option<Direct>>,
}

impl Cnn {
    /// A network whose parameters are all zero.
    pub fn zeros(spec: &'static Spec, kind: Kind, device: Device) -> Result<Self, TchError> {
        let parameters = Tensor::f_zeros([spec.parameter_count()], (kind, device))?;
        let gradients = parameters.f_zeros_like()?;
        let mut at = 0;
        let mut layer = |outputs: i64, inputs: i64| -> Result<Layer, TchError> {
            let views = |flat: &Tensor| -> Result<(Tensor, Tensor), TchError> {
                let weight = flat.f_narrow(0, at, outputs * inputs)?.f_view([outputs, inputs])?;
                Ok((weight, flat.f_narrow(0, at + outputs * inputs, outputs)?))
            };
            let (weight, bias) = views(&parameters)?;
            let (weight_gradient, bias_gradient) = views(&gradients)?;
            at += outputs * (inputs + 1);
            Ok(Layer { weight, bias, weight_gradient, bias_gradient })
        };
        let shapes = spec.shapes();
        let convs = spec
            .convs
            .iter()
            .zip(&shapes)
            .map(|(conv, shape)| layer(conv.channels, conv.kernel * conv.kernel * shape.channels))
            .collect::<Result<_, _>>()?;
        let mut inputs = spec.features();
        let dense = spec
            .dense
            .iter()
            .map(|&width| {
                let made = layer(width, inputs);
                inputs = width;
                made
            })
            .collect::<Result<_, _>>()?;
        let single = device == Device::Cpu && kind == Kind::Float;
        let processor = Processor::best().filter(|_| single);
        let direct: Vec<Option<Direct>> = spec
            .convs
            .iter()
            .zip(&shapes)
            .map(|(&conv, &shape)| Direct::new(processor?, conv, shape))
            .collect();
        Ok(Self { spec, parameters, gradients, convs, dense, direct })
    }

    /// Draws every weight and bias of every layer uniformly from ±1/√inputs, as torch's `nn.Conv2d` and `nn.Linear` do; the inputs
    /// of a convolution are those of one window.
    pub fn init_uniform(&mut self, seed: u64, stream: Stream) -> Result<(), TchError> {
        let mut rng = Rng::new(seed, stream, 0);
        for layer in self.convs.iter().chain(&self.dense) {
            let bound = 1.0 / (layer.weight.size()[1] as f64).sqrt();
            for tensor in [&layer.weight, &layer.bias] {
                let draws: Vec<f64> = (0..tensor.numel()).map(|_| rng.uniform_in(-bound, bound)).collect();
                tensor.shallow_clone().f_copy_(&Tensor::f_from_slice(&draws)?.f_view_as(tensor)?)?;
            }
        }
        Ok(())
    }

    /// What it was made from.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// Number of weights and biases, counted from the real tensors.
    pub fn parameter_count(&self) -> i64 {
        self.layer_parameter_counts().iter().sum()
    }

    /// Weights and biases of each layer, first layer first.
    pub fn layer_parameter_counts(&self) -> Vec<i64> {
        let layers = self.convs.iter().chain(&self.dense);
        layers.map(|layer| (layer.weight.numel() + layer.bias.numel()) as i64).collect()
    }

    /// All parameters, flat.
    pub fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// The gradient of the last [`Cnn::gradient`], laid out as the parameters.
    pub fn gradients(&self) -> &Tensor {
        &self.gradients
    }

    /// Number of layers with weights.
    pub fn layers(&self) -> usize {
        self.convs.len() + self.dense.len()
    }

    /// Weight and bias of a layer in torch's order: `[out, in, k, k]` for a convolution, `[out, in]` for a dense layer, the first of
    /// which is `[out, channels, rows, columns]`: flattened, that is torch's. Views: writing into them changes the network.
    pub fn torch_layer(&self, index: usize) -> Result<(Tensor, Tensor), TchError> {
        let missing = || TchError::Shape(format!("{} has no layer {index}", self.spec.name));
        let layer = self.convs.iter().chain(&self.dense).nth(index).ok_or_else(missing)?;
        let shapes = self.spec.shapes();
        let weight = if let Some(conv) = self.spec.convs.get(index) {
            kernel(&layer.weight, *conv, shapes[index])?
        } else if let (true, Some(conv), Some(shape)) =
            (index == self.convs.len(), self.spec.convs.last(), shapes.last())
        {
            // A view cannot be flat in another order: four axes, which hold the same numbers in torch's order.
            layer.weight.f_view([-1, shape.out, shape.out, conv.channels])?.f_permute([0, 3, 1, 2])?
        } else {
            layer.weight.shallow_clone()
        };
        Ok((weight, layer.bias.shallow_clone()))
    }
}

/// A kernel `[out, k · k · in]` as torch's `[out, in, k, k]`.
fn kernel(weight: &Tensor, conv: Conv, shape: Shape) -> Result<Tensor, TchError> {
    weight.f_view([conv.channels, conv.kernel, conv.kernel, shape.channels])?.f_permute([0, 3, 1, 2])
}

/// Converts rows of features `[n, 784]` to images.
fn as_images(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_view([-1, 1, SIDE, SIDE])
}

/// Returns a convolution of images, pooled if that follows, with a kernel in torch's order.
fn convolved(
    conv: Conv,
    images: &Tensor,
    kernel: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor, TchError> {
    let padding = [conv.padding; 2];
    let output = images.f_convolution(kernel, bias, [1, 1], padding, [1, 1], false, [0, 0], 1)?;
    if conv.pool { output.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false) } else { Ok(output) }
}
