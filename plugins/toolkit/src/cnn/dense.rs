//! The dense layers and the loss of a convolutional network.

use tch::{Kind, TchError, Tensor};

use super::Layer;

/// Buffers of the dense layers for `n` samples.
pub(super) struct Space {
    /// Outputs of each layer, `[n, width]`; the last are the logits.
    outputs: Vec<Tensor>,
    /// Gradients of the outputs before ReLU.
    deltas: Vec<Tensor>,
    transposed_deltas: Vec<Tensor>,
    log_probabilities: Tensor,
    /// `[n, 1]`, filled with −1/n.
    share: Tensor,
    /// The identity matrix: its rows are the one-hot labels.
    one_hot: Tensor,
    targets: Tensor,
}

impl Space {
    pub(super) fn new(layers: &[Layer], n: i64) -> Result<Self, TchError> {
        let last =
            layers.last().ok_or_else(|| TchError::Shape("a network needs a dense layer".to_owned()))?;
        let options = (last.weight.kind(), last.weight.device());
        let buffer = |layer: &Layer| Tensor::f_zeros([n, layer.weight.size()[0]], options);
        let deltas: Vec<Tensor> = layers.iter().map(buffer).collect::<Result<_, _>>()?;
        Ok(Self {
            outputs: layers.iter().map(buffer).collect::<Result<_, _>>()?,
            transposed_deltas: deltas
                .iter()
                .map(|delta| delta.f_transpose(0, 1))
                .collect::<Result<_, _>>()?,
            deltas,
            log_probabilities: buffer(last)?,
            share: Tensor::f_full([n, 1], -1.0 / n as f64, options)?,
            one_hot: Tensor::f_eye(last.weight.size()[0], options)?,
            targets: buffer(last)?,
        })
    }

    /// `[n, 10]`.
    pub(super) fn logits(&self) -> &Tensor {
        &self.outputs[self.outputs.len() - 1]
    }

    /// Returns log softmax of the logits, `[n, 10]`, after [`Space::loss_gradient`] or [`Space::log_softmax`].
    pub(super) fn log_probabilities(&self) -> &Tensor {
        &self.log_probabilities
    }

    pub(super) fn forward(&self, layers: &[Layer], input: &Tensor) -> Result<(), TchError> {
        let mut input = input;
        for (i, (layer, output)) in layers.iter().zip(&self.outputs).enumerate() {
            layer.bias.f_addmm_out(output, input, &layer.weight.f_transpose(0, 1)?).map(drop)?;
            if i + 1 < layers.len() {
                output.shallow_clone().f_relu_().map(drop)?;
            }
            input = output;
        }
        Ok(())
    }

    pub(super) fn log_softmax(&self) -> Result<(), TchError> {
        self.logits().f_internal_log_softmax_out(&self.log_probabilities, 1, false).map(drop)
    }

    /// Computes the gradient of the mean cross entropy with respect to the logits: (softmax − one-hot) / n.
    pub(super) fn loss_gradient(&self, labels: &Tensor) -> Result<(), TchError> {
        self.log_softmax()?;
        let delta = &self.deltas[self.deltas.len() - 1];
        self.one_hot.f_index_select_out(&self.targets, 0, labels).map(drop)?;
        self.log_probabilities.f_exp_out(delta).map(drop)?;
        self.targets.f_sub_out(delta, delta).map(drop)?;
        delta.shallow_clone().f_mul_(&self.share).map(drop)
    }

    /// Returns Σ ‖gradient of all dense layers‖² over the individual samples of the last backward pass.
    pub(super) fn squared_gradients(&self, input: &Tensor) -> Result<f64, TchError> {
        let squares =
            |rows: &Tensor| rows.f_square()?.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double);
        let mut sum = 0.0;
        for (i, delta) in self.deltas.iter().enumerate() {
            let below = if i == 0 { input } else { &self.outputs[i - 1] };
            // The bias has the input 1.
            let inputs = squares(below)?.f_add_scalar(1.0)?;
            sum += squares(delta)?.f_mul(&inputs)?.f_sum(Kind::Double)?.f_double_value(&[])?;
        }
        Ok(sum)
    }

    /// Computes the gradients of all dense layers from [`Space::loss_gradient`], and that of the input into `input_delta`.
    pub(super) fn backward(
        &self,
        layers: &[Layer],
        input: &Tensor,
        input_delta: Option<&Tensor>,
    ) -> Result<(), TchError> {
        for i in (0..layers.len()).rev() {
            let (layer, delta) = (&layers[i], &self.deltas[i]);
            let below = if i == 0 { input } else { &self.outputs[i - 1] };
            self.transposed_deltas[i].f_mm_out(&layer.weight_gradient, below).map(drop)?;
            delta
                .f_sum_intlist_out(&layer.bias_gradient, [0_i64].as_slice(), false, None::<Kind>)
                .map(drop)?;
            if i > 0 {
                let into = &self.deltas[i - 1];
                delta.f_mm_out(into, &layer.weight).map(drop)?;
                below.f_threshold_backward_grad_input(into, into, 0.0).map(drop)?;
            } else if let Some(into) = input_delta {
                delta.f_mm_out(into, &layer.weight).map(drop)?;
            }
        }
        Ok(())
    }
}
