//! The forward and backward passes.

use tch::{Kind, TchError, Tensor};

use super::direct::{self, Around};
use super::{Cnn, as_images, convolved, dense, kernel};
use crate::data::PIXELS;

/// Buffers for a fixed number of samples, used by [`Cnn::forward`] and [`Cnn::gradient`].
pub struct Workspace {
    pub(super) images: Tensor,
    pub(super) blocks: Vec<Block>,
    /// The input of the first dense layer, `[n, features]`, and its gradient.
    pub(super) features: Tensor,
    features_delta: Tensor,
    pub(super) dense: dense::Space,
}

/// A convolution with what follows it.
pub(super) struct Block {
    /// After pooling, bias and ReLU: `[n, channels, out, out]`, channels last.
    pub(super) active: Tensor,
    /// The same memory as the next convolution's input, with respect to which libtorch differentiates.
    leaf: Tensor,
    /// The gradient of the pooled values.
    pub(super) delta: Tensor,
    /// The pooled values with their graph, between forward and backward.
    graph: Option<Graph>,
    /// Buffers of the vector code, if used.
    direct: Option<direct::Space>,
    /// The memory of `active` and `delta`: `[n, out, out, channels]`.
    memory: Tensor,
    delta_memory: Tensor,
}

struct Graph {
    pooled: Tensor,
    input: Option<Tensor>,
    weight: Tensor,
}

impl Cnn {
    /// Creates buffers for batches of `n` samples.
    pub fn workspace(&self, n: i64) -> Result<Workspace, TchError> {
        let options = (self.parameters.kind(), self.parameters.device());
        let mut blocks = Vec::new();
        for ((conv, shape), code) in self.spec.convs.iter().zip(self.spec.shapes()).zip(&self.direct) {
            let buffer = || Tensor::f_zeros([n, shape.out, shape.out, conv.channels], options);
            let [memory, delta_memory] = [buffer()?, buffer()?];
            let as_torch = |memory: &Tensor| memory.f_permute([0, 3, 1, 2]);
            let (active, delta) = (as_torch(&memory)?, as_torch(&delta_memory)?);
            let leaf = active.f_detach()?.f_set_requires_grad(true)?;
            let direct = code.as_ref().map(|code| code.space(n as usize));
            blocks.push(Block { leaf, delta, active, graph: None, direct, memory, delta_memory });
        }
        let images = Tensor::f_zeros([n, PIXELS], options)?;
        let flat = |tensor: &Tensor| -> Result<Tensor, TchError> {
            tensor.f_permute([0, 2, 3, 1])?.f_view([n, self.spec.features()])
        };
        let (features, features_delta) = match blocks.last() {
            Some(block) => (flat(&block.active)?, flat(&block.delta)?),
            None => (images.shallow_clone(), images.f_zeros_like()?),
        };
        let dense = dense::Space::new(&self.dense, n)?;
        Ok(Workspace { images, blocks, features, features_delta, dense })
    }

    /// Evaluates the network on [`Workspace::images`]; the result is [`Workspace::logits`].
    pub fn forward(&self, space: &mut Workspace) -> Result<(), TchError> {
        self.through(space, false)
    }

    fn through(&self, space: &mut Workspace, graph: bool) -> Result<(), TchError> {
        for (i, shape) in self.spec.shapes().into_iter().enumerate() {
            let (before, rest) = space.blocks.split_at_mut(i);
            let (conv, layer, block) = (self.spec.convs[i], &self.convs[i], &mut rest[0]);
            if let (Some(code), Some(buffers)) = (&self.direct[i], &mut block.direct) {
                let images = before.last().map_or(&space.images, |below| &below.memory);
                code.forward(buffers, images, [&layer.weight, &layer.bias], &mut block.memory)?;
                continue;
            }
            let input = before.last().map(|below| &below.leaf);
            let images = as_images(&space.images)?;
            let weight = kernel(&layer.weight.f_detach()?, conv, shape)?.f_set_requires_grad(graph)?;
            let run = || convolved(conv, input.unwrap_or(&images), &weight, None);
            let pooled = if graph { tch::with_grad(run) } else { tch::no_grad(run) }?;
            block.active.f_copy_(&pooled.f_detach()?)?;
            block.graph = graph.then(|| Graph { pooled, input: input.map(Tensor::shallow_clone), weight });
            let bias = layer.bias.f_view([1, -1, 1, 1])?;
            block.active.f_add_(&bias)?.f_relu_().map(drop)?;
        }
        space.dense.forward(&self.dense, &space.features)
    }

    /// Computes forward and backward passes: fills [`Cnn::gradients`] with the gradient of the mean cross entropy of
    /// [`Workspace::images`] with these labels (`i64 [n]`).
    pub fn gradient(&mut self, space: &mut Workspace, labels: &Tensor) -> Result<(), TchError> {
        self.through(space, true)?;
        space.dense.loss_gradient(labels)?;
        let delta = (!self.convs.is_empty()).then_some(&space.features_delta);
        space.dense.backward(&self.dense, &space.features, delta)?;
        let shapes = self.spec.shapes();
        for i in (0..self.convs.len()).rev() {
            let (before, rest) = space.blocks.split_at_mut(i);
            let (layer, block) = (&mut self.convs[i], &mut rest[0]);
            if let (Some(code), Some(buffers)) = (&self.direct[i], &mut block.direct) {
                let (images, below) = match before.last_mut() {
                    Some(Block { memory, delta_memory, .. }) => (&*memory, Some(delta_memory)),
                    None => (&space.images, None),
                };
                let around = Around {
                    images,
                    below,
                    active: &block.memory,
                    delta: &mut block.delta_memory,
                    weight: &layer.weight,
                    weight_gradient: &mut layer.weight_gradient,
                    bias_gradient: &mut layer.bias_gradient,
                };
                code.backward(buffers, around)?;
                continue;
            }
            // The gradient of the pooled values before bias and ReLU is 0 where ReLU returned 0.
            block.active.f_threshold_backward_grad_input(&block.delta, &block.delta, 0.0).map(drop)?;
            block
                .delta
                .f_sum_intlist_out(&layer.bias_gradient, [0_i64, 2, 3].as_slice(), false, None::<Kind>)
                .map(drop)?;
            if let Some(graph) = block.graph.take() {
                // The gradient of Σ pooled · delta with constant delta, which is what delta propagates to.
                let root = tch::with_grad(|| graph.pooled.f_mul(&block.delta))?;
                let mut wanted = vec![&graph.weight];
                wanted.extend(&graph.input);
                let mut found = Tensor::f_run_backward(&[root], &wanted, false, false)?.into_iter();
                if let Some(gradient) = found.next() {
                    kernel(&layer.weight_gradient, self.spec.convs[i], shapes[i])?.f_copy_(&gradient)?;
                }
                if let (Some(gradient), Some(below)) = (found.next(), before.last_mut()) {
                    below.delta.f_copy_(&gradient)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the mean cross entropy at the parameters and the batch of the last [`Cnn::gradient`]. Waits for the device.
    pub fn batch_loss(&self, space: &Workspace, labels: &Tensor) -> Result<f64, TchError> {
        let chosen = space.dense.log_probabilities().f_gather(1, &labels.f_unsqueeze(1)?, false)?;
        Ok(-chosen.f_mean(Kind::Double)?.f_double_value(&[])?)
    }
}

impl Workspace {
    /// Returns the input images, `[n, 784]` features, to be filled before a pass.
    pub fn images(&self) -> &Tensor {
        &self.images
    }

    /// Returns the logits of the last pass, `[n, 10]`.
    pub fn logits(&self) -> &Tensor {
        self.dense.logits()
    }

    /// Returns log softmax of the logits of the last forward pass, `[n, 10]`.
    pub fn log_probabilities(&self) -> Result<&Tensor, TchError> {
        self.dense.log_softmax()?;
        Ok(self.dense.log_probabilities())
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> i64 {
        self.images.size()[0]
    }
}
