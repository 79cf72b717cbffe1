//! The variance of single samples' gradients, after a backward pass.

use tch::{Kind, TchError, Tensor};

use super::{Cnn, Conv, Workspace, as_images, convolved, kernel};

/// Number of samples at a time, because their windows are many times as large as the samples.
const CHUNK: i64 = 64;

impl Cnn {
    /// Returns the trace of the covariance of single samples' gradients over the batch of the last [`Cnn::gradient`],
    /// Σᵢ ‖gᵢ − g‖² / (samples − 1), and the number of samples; NaN for a single sample. In a dense layer a sample's
    /// gradient is the outer product of its delta and its input, whose norm is the product of their norms; in a
    /// convolution it is a sum over the positions of the kernel, so it must be computed.
    pub fn gradient_variance(&self, space: &Workspace) -> Result<(Vec<f64>, i64), TchError> {
        let n = space.samples();
        let mut sum = space.dense.squared_gradients(&space.features)?;
        for i in 0..self.convs.len() {
            for start in (0..n).step_by(CHUNK as usize) {
                sum += self.squared_of_convolution(space, i, start, CHUNK.min(n - start))?;
            }
        }
        let samples = n as f64;
        let mean = self.gradients.f_to_kind(Kind::Double)?.f_square()?.f_sum(Kind::Double)?;
        let mean = mean.f_double_value(&[])?;
        // Deltas are those of the mean: a sample's own are larger by the number of samples.
        Ok((vec![(sum * samples * samples - samples * mean) / (samples - 1.0)], n))
    }

    /// Returns Σ ‖gradient of the convolution's kernel and bias‖² over the individual samples from `start` on.
    fn squared_of_convolution(
        &self,
        space: &Workspace,
        index: usize,
        start: i64,
        length: i64,
    ) -> Result<f64, TchError> {
        let (conv, shape) = (self.spec.convs[index], self.spec.shapes()[index]);
        let input = match index {
            0 => as_images(&space.images)?,
            _ => space.blocks[index - 1].active.shallow_clone(),
        };
        let input = input.f_narrow(0, start, length)?;
        let pooled = space.blocks[index].delta.f_narrow(0, start, length)?;
        let delta = if conv.pool {
            let weight = kernel(&self.convs[index].weight, conv, shape)?;
            let output = convolved(Conv { pool: false, ..conv }, &input, &weight, None)?;
            let (_, places) = output.f_max_pool2d_with_indices([2, 2], [2, 2], [0, 0], [1, 1], false)?;
            output.f_max_pool2d_with_indices_backward(
                &pooled,
                [2, 2],
                [2, 2],
                [0, 0],
                [1, 1],
                false,
                &places,
            )?
        } else {
            pooled.shallow_clone()
        };
        let delta = delta.f_reshape([length, conv.channels, -1])?;
        let windows = input.f_im2col([conv.kernel; 2], [1, 1], [conv.padding; 2], [1, 1])?;
        let kernels = delta.f_bmm(&windows.f_transpose(1, 2)?)?;
        let biases = delta.f_sum_dim_intlist([2_i64].as_slice(), false, None::<Kind>)?;
        let total = |tensor: Tensor| tensor.f_square()?.f_sum(Kind::Double)?.f_double_value(&[]);
        Ok(total(kernels)? + total(biases)?)
    }
}
