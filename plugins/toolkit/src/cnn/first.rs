//! A convolution of one-channel images followed by 2 by 2 max pooling, as one matrix product.
//!
//! Pooling takes the largest of four neighbours of the convolution. Each of the four is the same kernel shifted by a pixel, so
//! for an odd kernel of k by k, all four are one convolution with stride 2, kernels of (k + 1) by (k + 1) with a row and a column
//! of zeros, and four times the channels. As a matrix product this needs a quarter of the rows, so the buffer of windows shrinks
//! from 784 · k² to 196 · (k + 1)² numbers per image, and the product is wide enough to run near peak speed. The image is stored
//! with its 2 by 2 blocks as four channels, which makes the windows contiguous.

use tch::{Device, Kind, TchError, Tensor};

use super::spec::{Conv, Shape};
use crate::data::{PIXELS, SIDE};

/// Number of images at a time on a CPU, so that the output of a product stays in the second-level cache.
const CHUNK: i64 = 16;
/// Number of neighbours in a pooling window, row by row.
const PHASES: i64 = 4;

/// The constant part: the mapping of a kernel to the wide matrix.
pub(super) struct First {
    channels: i64,
    kernel: i64,
    padding: i64,
    /// Rows and columns after pooling.
    out: i64,
    /// For each entry of the wide matrix `[(k+1)², 4 · channels]`, its index in `[k², channels]` followed by a 0.
    places: Tensor,
    /// For each weight `[channels, k²]`, its four indices in the wide matrix: `[4 · channels · k²]`.
    origins: Tensor,
}

/// Buffers for a fixed number of images.
pub(super) struct Space {
    chunks: Vec<Chunk>,
    /// The weights followed by a 0, `[channels · k² + 1]`.
    weights: Tensor,
    /// `[(k+1)², 4 · channels]`.
    wide: Tensor,
    wide_gradient: Tensor,
    gathered: Tensor,
}

/// A part of the images; the large buffers are shared by all chunks of the same size.
struct Chunk {
    /// For each of a block's four pixels, its views of the block image and of the image.
    fill: Vec<(Tensor, Tensor)>,
    /// `[n, out, out, (k+1)²]`, written from the view `windows` of the block image.
    columns: Tensor,
    windows: Tensor,
    /// The same as a matrix, and transposed.
    matrix: Tensor,
    transposed: Tensor,
    /// `[n · out², 4 · channels]` and the same as images of one row of four.
    product: Tensor,
    neighbours: Tensor,
    /// `[n, channels, out², 1]`: a part of the activations, and the neighbour each came from.
    pooled: Tensor,
    indices: Tensor,
    /// A part of the gradient of the pooled values, like `pooled`.
    delta: Tensor,
}

impl First {
    /// Returns `None` if a general convolution is needed.
    pub(super) fn new(conv: Conv, shape: Shape, device: Device) -> Result<Option<Self>, TchError> {
        let fits = conv.pool && conv.kernel % 2 == 1 && shape.channels == 1 && shape.convolved % 2 == 0;
        if !fits {
            return Ok(None);
        }
        let (k, channels) = (conv.kernel, conv.channels);
        let span = (k + 1) / 2;
        let zero = channels * k * k;
        let mut places = vec![zero; ((k + 1) * (k + 1) * PHASES * channels) as usize];
        let mut origins = vec![0; (PHASES * zero) as usize];
        for (phase, (a, b)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
            for (channel, row, column) in
                (0..channels).flat_map(|c| (0..k * k).map(move |at| (c, at / k, at % k)))
            {
                // The position of the shifted kernel's weight: block by block, and within a block row by row.
                let (u, v) = (row + a, column + b);
                let at = ((u / 2 * span + v / 2) * 2 + u % 2) * 2 + v % 2;
                let wide = (at * PHASES + phase as i64) * channels + channel;
                let weight = (channel * k + row) * k + column;
                places[wide as usize] = weight;
                origins[(phase as i64 * zero + weight) as usize] = wide;
            }
        }
        let index = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(device);
        Ok(Some(Self {
            channels,
            kernel: k,
            padding: conv.padding,
            out: shape.out,
            places: index(&places)?,
            origins: index(&origins)?,
        }))
    }

    /// Creates buffers for the images `x` (`[n, 784]`). Pooled values are written to `pooled` and their gradients read
    /// from `delta`, both `[n, channels, out, out]`, channels last.
    pub(super) fn space(&self, x: &Tensor, pooled: &Tensor, delta: &Tensor) -> Result<Space, TchError> {
        let options = (x.kind(), x.device());
        let n = x.size()[0];
        let chunk = if x.device() == Device::Cpu { CHUNK.min(n) } else { n };
        let size = (self.kernel + 1) * (self.kernel + 1);
        let positions = self.out * self.out;
        let product = Tensor::f_zeros([chunk * positions, PHASES * self.channels], options)?;
        let side = SIDE / 2 + self.padding;
        let blocks = Tensor::f_zeros([chunk, side, side, 2, 2], options)?;
        let columns = Tensor::f_zeros([n, self.out, self.out, size], options)?;
        let flat = |image: &Tensor| -> Result<Tensor, TchError> {
            image.f_permute([0, 2, 3, 1])?.f_view([n, positions, 1, self.channels])?.f_permute([0, 3, 1, 2])
        };
        let (pooled, delta) = (flat(pooled)?, flat(delta)?);
        let indices = Tensor::f_zeros([n, positions, 1, self.channels], (Kind::Int64, x.device()))?
            .f_permute([0, 3, 1, 2])?;
        let chunks = (0..n)
            .step_by(chunk as usize)
            .map(|start| {
                let length = chunk.min(n - start);
                let part = |all: &Tensor| all.f_narrow(0, start, length);
                let blocks = blocks.f_narrow(0, 0, length)?;
                let columns = part(&columns)?;
                let matrix = columns.f_view([length * positions, size])?;
                let product = product.f_narrow(0, 0, length * positions)?;
                Ok(Chunk {
                    fill: self.fill(&blocks, &part(x)?)?,
                    windows: self.windows(&blocks)?,
                    columns,
                    transposed: matrix.f_transpose(0, 1)?,
                    matrix,
                    neighbours: product
                        .f_view([length, positions, PHASES, self.channels])?
                        .f_permute([0, 3, 1, 2])?,
                    product,
                    pooled: part(&pooled)?,
                    indices: part(&indices)?,
                    delta: part(&delta)?,
                })
            })
            .collect::<Result<_, TchError>>()?;
        let wide = Tensor::f_zeros([size, PHASES * self.channels], options)?;
        Ok(Space {
            chunks,
            weights: Tensor::f_zeros([self.channels * self.kernel * self.kernel + 1], options)?,
            wide_gradient: wide.f_zeros_like()?,
            gathered: Tensor::f_zeros([PHASES * self.channels * self.kernel * self.kernel], options)?,
            wide,
        })
    }

    /// Returns views that copy an image into the block image, one for each pixel of a block.
    fn fill(&self, blocks: &Tensor, x: &Tensor) -> Result<Vec<(Tensor, Tensor)>, TchError> {
        let image = x.f_view([-1, SIDE, SIDE])?;
        [(0, 0), (0, 1), (1, 0), (1, 1)]
            .into_iter()
            .map(|(a, b)| {
                // Pixel r of the image is row r + padding of the padded one, so its phase is (r + padding) mod 2.
                let first = |phase: i64| (phase + self.padding) % 2;
                let block = |phase: i64| (first(phase) + self.padding - phase) / 2;
                let into = blocks.f_select(4, b)?.f_select(3, a)?.f_narrow(1, block(a), SIDE / 2)?.f_narrow(
                    2,
                    block(b),
                    SIDE / 2,
                )?;
                let from = image.f_slice(1, first(a), SIDE, 2)?.f_slice(2, first(b), SIDE, 2)?;
                Ok((into, from))
            })
            .collect()
    }

    /// Returns all windows of the block image as `[n, out, out, span, span · 4]`, overlapping in memory.
    fn windows(&self, blocks: &Tensor) -> Result<Tensor, TchError> {
        let size = blocks.size();
        let span = (self.kernel + 1) / 2;
        let (row, image) = (size[2] * PHASES, size[1] * size[2] * PHASES);
        blocks.f_as_strided(
            [size[0], self.out, self.out, span, span * PHASES],
            [image, row, PHASES, row, 1],
            0,
        )
    }

    /// Computes convolution and pooling with `weight` (`[channels, k²]`), without bias and ReLU.
    pub(super) fn forward(&self, space: &Space, weight: &Tensor) -> Result<(), TchError> {
        let count = weight.numel() as i64;
        space.weights.f_narrow(0, 0, count)?.f_copy_(&weight.f_view([count])?)?;
        let wide = space.wide.f_view([-1])?;
        space.weights.f_index_select_out(&wide, 0, &self.places).map(drop)?;
        for chunk in &space.chunks {
            for (into, from) in &chunk.fill {
                into.shallow_clone().f_copy_(from)?;
            }
            chunk.columns.f_view(chunk.windows.size().as_slice())?.f_copy_(&chunk.windows)?;
            chunk.matrix.f_mm_out(&chunk.product, &space.wide).map(drop)?;
            chunk
                .neighbours
                .f_max_pool2d_with_indices_out(
                    &chunk.pooled,
                    &chunk.indices,
                    [1, PHASES],
                    [1, PHASES],
                    [0, 0],
                    [1, 1],
                    false,
                )
                .map(drop)?;
        }
        Ok(())
    }

    /// Computes the gradient of the weights (`[channels, k²]`) from that of the pooled values, after [`First::forward`].
    pub(super) fn backward(&self, space: &Space, gradient: &Tensor) -> Result<(), TchError> {
        let mut wide = space.wide_gradient.shallow_clone();
        wide.f_zero_().map(drop)?;
        for chunk in &space.chunks {
            chunk
                .neighbours
                .f_max_pool2d_with_indices_backward_grad_input(
                    &chunk.neighbours,
                    &chunk.delta,
                    [1, PHASES],
                    [1, PHASES],
                    [0, 0],
                    [1, 1],
                    false,
                    &chunk.indices,
                )
                .map(drop)?;
            wide.f_addmm_(&chunk.transposed, &chunk.product).map(drop)?;
        }
        wide.f_view([-1])?.f_index_select_out(&space.gathered, 0, &self.origins).map(drop)?;
        let four = space.gathered.f_view([PHASES, -1])?;
        let into = gradient.f_view([-1])?;
        four.f_sum_intlist_out(&into, [0_i64].as_slice(), false, None::<Kind>).map(drop)
    }
}

/// Converts rows of features to images.
pub(super) fn as_images(x: &Tensor) -> Result<Tensor, TchError> {
    debug_assert_eq!(x.size()[1], PIXELS);
    x.f_view([-1, 1, SIDE, SIDE])
}
