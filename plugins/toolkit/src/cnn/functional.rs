//! The loss as a function of the parameters, for derivatives through libtorch's graph.

use tch::{Kind, TchError, Tensor};

use super::{Spec, as_images, convolved};

impl Spec {
    /// Returns the mean cross entropy of images `x` `[n, 784]` with the probabilities `y` `[n, 10]`, as a function of
    /// the flat parameters of one network in the layout of [`super::Cnn::parameters`]. Made of libtorch's functions, so
    /// it can be differentiated repeatedly; for training, [`super::Cnn::gradient`] is several times faster.
    pub fn loss(&self, parameters: &Tensor, x: &Tensor, y: &Tensor) -> Result<Tensor, TchError> {
        let mut at = 0;
        let mut take = |length: i64| {
            at += length;
            parameters.f_narrow(0, at - length, length)
        };
        let mut h = as_images(x)?;
        for (conv, shape) in self.convs.iter().zip(self.shapes()) {
            let (k, channels) = (conv.kernel, conv.channels);
            let kernel = take(channels * k * k * shape.channels)?.f_view([channels, k, k, shape.channels])?;
            let (kernel, bias) = (kernel.f_permute([0, 3, 1, 2])?, take(channels)?);
            h = convolved(*conv, &h, &kernel, Some(&bias))?.f_relu()?;
        }
        h = h.f_permute([0, 2, 3, 1])?.f_flatten(1, -1)?;
        let mut inputs = self.features();
        for (i, &width) in self.dense.iter().enumerate() {
            let weight = take(width * inputs)?.f_view([width, inputs])?;
            h = h.f_linear(&weight, Some(&take(width)?))?;
            if i + 1 < self.dense.len() {
                h = h.f_relu()?;
            }
            inputs = width;
        }
        h.f_log_softmax(1, None)?
            .f_mul(y)?
            .f_sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>)?
            .f_mean(None::<Kind>)?
            .f_neg()
    }
}
