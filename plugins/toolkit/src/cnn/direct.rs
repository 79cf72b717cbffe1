//! Convolution, 2 by 2 max pooling, bias and ReLU of f32 images on a CPU, image by image, with vector instructions.
//!
//! The forward pass computes two rows of the convolution in registers, directly from the image, and pools them at once.
//! In the backward pass, pooling passes on only one of four positions and ReLU not all of those: seven of eight entries
//! of the gradient of a convolution are 0. Only the others are computed, so a backward pass costs less than the
//! equivalent matrix product. Images are distributed to threads in parts of a fixed size, whose gradients are added in
//! order: the result does not depend on the number of threads.

#![expect(clippy::inline_always, reason = "these become part of functions compiled for a kind of processor")]

mod backward;
mod form;
mod forward;

use std::thread;

use tch::{TchError, Tensor};

use super::spec::{Conv, Shape};
use crate::lanes::{LANES, Processor, with_memory};
use backward::{Backward, BackwardJob};
use form::{Buffer, Form, Scratch};
use forward::{Forward, ForwardJob};

/// Number of images per part.
const PART: usize = 8;
/// A convolution with pooling for which there is compiled code.
pub(super) struct Direct {
    processor: Processor,
    code: Code,
    form: Form,
}

/// The code compiled for one kind of convolution.
#[derive(Clone, Copy)]
struct Code {
    forward: fn(Processor, &Form, &mut Scratch, Forward<'_>),
    backward: fn(Processor, &Form, &mut Scratch, Backward<'_>),
}

/// Buffers for a fixed number of images.
pub(super) struct Space {
    /// `[k · k · inputs, channels]`, with channels padded with zeros to whole groups.
    taps: Buffer,
    /// `[channels, k, k · inputs]`, with rows padded in the same way.
    kernels: Buffer,
    /// Which of the four neighbours each pooled value came from, with some padding.
    phases: Vec<u8>,
    /// Gradients of the kernels and biases, part by part.
    gradients: Buffer,
    scratch: Vec<Scratch>,
}

/// The tensors around a convolution while its gradient is computed.
pub(super) struct Around<'a> {
    /// `[n, side, side, inputs]`.
    pub(super) images: &'a Tensor,
    /// `[n, out, out, channels]`, from [`Direct::forward`].
    pub(super) active: &'a Tensor,
    /// The gradient of `active` on input; that of the pooled values on output.
    pub(super) delta: &'a mut Tensor,
    /// Receives the gradient of `images`, if needed.
    pub(super) below: Option<&'a mut Tensor>,
    /// `[channels, k · k · inputs]`.
    pub(super) weight: &'a Tensor,
    pub(super) weight_gradient: &'a mut Tensor,
    pub(super) bias_gradient: &'a mut Tensor,
}

impl Direct {
    /// Returns `None` if there is no code for such a convolution.
    pub(super) fn new(processor: Processor, conv: Conv, shape: Shape) -> Option<Self> {
        let number = |value: i64| usize::try_from(value).ok();
        let form = Form {
            kernel: number(conv.kernel)?,
            padding: number(conv.padding)?,
            inputs: number(shape.channels)?,
            channels: number(conv.channels)?,
            side: number(shape.side)?,
            out: number(shape.out)?,
        };
        let code = code(&form).filter(|_| conv.pool)?;
        Some(Self { processor, code, form })
    }

    pub(super) fn space(&self, n: usize) -> Space {
        let form = &self.form;
        let taps = form.kernel * form.run() * Form::groups(form.channels) * LANES;
        let kernels = form.channels * form.kernel * Form::groups(form.run()) * LANES;
        Space {
            taps: Buffer::new(taps),
            kernels: Buffer::new(kernels),
            phases: vec![0; n * form.pooled() + LANES],
            gradients: Buffer::new(n.div_ceil(PART) * self.gradient_length()),
            scratch: Vec::new(),
        }
    }

    /// Returns the size of the gradient of one part.
    fn gradient_length(&self) -> usize {
        let form = &self.form;
        let (taps, kernels) = (form.kernel * form.run(), form.channels * form.kernel);
        let weights = if form.inputs == 1 { taps } else { kernels * Form::groups(form.run()) };
        (weights + Form::groups(form.channels)) * LANES
    }

    /// Computes `active` (`[n, out, out, channels]`) from `images` (`[n, side, side, inputs]`).
    pub(super) fn forward(
        &self,
        space: &mut Space,
        images: &Tensor,
        [weight, bias]: [&Tensor; 2],
        active: &mut Tensor,
    ) -> Result<(), TchError> {
        let form = &self.form;
        let Space { taps, phases, scratch, .. } = space;
        with_memory([images, weight, bias], [active], |[images, weight, bias], [active]| {
            let width = Form::groups(form.channels) * LANES;
            for (channel, kernel) in weight.chunks_exact(form.kernel * form.run()).enumerate() {
                for (tap, &value) in taps.chunks_exact_mut(width).zip(kernel) {
                    tap[channel] = value;
                }
            }
            let taps: &[f32] = taps;
            let parts = images
                .chunks(PART * form.image())
                .zip(active.chunks_mut(PART * form.pooled()))
                .zip(phases.chunks_mut(PART * form.pooled()))
                .map(|((images, active), phases)| Forward { taps, bias, images, active, phases })
                .collect();
            side_by_side(form, scratch, parts, |scratch, part| {
                (self.code.forward)(self.processor, form, scratch, part);
            });
        })
    }

    /// Computes the gradients, after [`Direct::forward`].
    pub(super) fn backward(&self, space: &mut Space, around: Around<'_>) -> Result<(), TchError> {
        let form = &self.form;
        let Space { kernels, phases, gradients, scratch, .. } = space;
        let Around { images, active, delta, below, weight, weight_gradient, bias_gradient } = around;
        let run = form.run();
        let filled = Form::groups(run) * LANES;
        let mut work = |[images, active, weight]: [&[f32]; 3],
                        [delta, weight_gradient, bias_gradient]: [&mut [f32]; 3],
                        below: Option<&mut [f32]>| {
            for (row, values) in kernels.chunks_exact_mut(filled).zip(weight.chunks_exact(run)) {
                row[..run].copy_from_slice(values);
            }
            let kernels: &[f32] = kernels;
            gradients.fill(0.0);
            let mut below = below.map(|below| below.chunks_mut(PART * form.image()));
            let parts = images
                .chunks(PART * form.image())
                .zip(active.chunks(PART * form.pooled()))
                .zip(delta.chunks_mut(PART * form.pooled()))
                .zip(gradients.chunks_exact_mut(self.gradient_length()))
                .enumerate()
                .map(|(i, (((images, active), delta), gradient))| Backward {
                    kernels,
                    images,
                    active,
                    phases: &phases[i * PART * form.pooled()..],
                    delta,
                    below: below.as_mut().and_then(Iterator::next),
                    gradient,
                })
                .collect();
            side_by_side(form, scratch, parts, |scratch, part| {
                (self.code.backward)(self.processor, form, scratch, part);
            });
            let mut parts = gradients.chunks_exact(self.gradient_length());
            let Some(mut sum) = parts.next().map(<[f32]>::to_vec) else { return };
            for part in parts {
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            let (weights, biases) = sum.split_at(sum.len() - Form::groups(form.channels) * LANES);
            bias_gradient.copy_from_slice(&biases[..form.channels]);
            if form.inputs == 1 {
                for (channel, kernel) in weight_gradient.chunks_exact_mut(form.kernel * run).enumerate() {
                    for (value, tap) in kernel.iter_mut().zip(weights.chunks_exact(LANES)) {
                        *value = tap[channel];
                    }
                }
            } else {
                for (values, row) in weight_gradient.chunks_exact_mut(run).zip(weights.chunks_exact(filled)) {
                    values.copy_from_slice(&row[..run]);
                }
            }
        };
        let read = [images, active, weight];
        match below {
            Some(below) => {
                with_memory(read, [delta, weight_gradient, bias_gradient, below], |read, [d, w, b, below]| {
                    work(read, [d, w, b], Some(below));
                })
            }
            None => with_memory(read, [delta, weight_gradient, bias_gradient], |read, write| {
                work(read, write, None);
            }),
        }
    }
}

/// Processes all parts, on as many threads as libtorch would use.
fn side_by_side<P: Send>(
    form: &Form,
    scratch: &mut Vec<Scratch>,
    parts: Vec<P>,
    work: impl Fn(&mut Scratch, P) + Sync,
) {
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).min(parts.len()).max(1);
    scratch.resize_with(threads, || Scratch::new(form));
    if let [alone] = scratch.as_mut_slice() {
        for part in parts {
            work(alone, part);
        }
        return;
    }
    let each = parts.len().div_ceil(threads);
    let (mut parts, work) = (parts.into_iter(), &work);
    thread::scope(|scope| {
        for scratch in scratch {
            let own: Vec<P> = parts.by_ref().take(each).collect();
            scope.spawn(move || {
                for part in own {
                    work(scratch, part);
                }
            });
        }
    });
}

/// Returns the code for a convolution. The parameters are the kernel, channels in and out, groups of channels out,
/// groups in a row of the kernel, and how many positions of a row are computed at once with 32 registers and with 16.
fn code(form: &Form) -> Option<Code> {
    macro_rules! table {
        ($(($k:literal, $in:literal, $out:literal, $groups:literal, $row:literal, $wide:literal, $narrow:literal)),* $(,)?) => {
            match (form.kernel, form.inputs, form.channels) {
                $(($k, $in, $out) if 2 * form.out >= $wide => Some(Code {
                    forward: |processor, form, scratch, part| {
                        processor.run(ForwardJob::<$k, $in, $out, $groups, $wide, $narrow> { form, scratch, part });
                    },
                    backward: |processor, form, scratch, part| {
                        processor.run(BackwardJob::<$k, $in, $out, $groups, $row> { form, scratch, part });
                    },
                }),)*
                _ => None,
            }
        };
    }
    table!(
        (5, 1, 16, 1, 1, 7, 4),
        (5, 1, 13, 1, 1, 7, 4),
        (5, 1, 8, 1, 1, 7, 4),
        (3, 1, 8, 1, 1, 7, 4),
        (5, 16, 32, 2, 5, 10, 2),
        (5, 8, 16, 1, 3, 10, 5),
        (3, 8, 16, 1, 2, 14, 4),
        (3, 16, 32, 2, 3, 6, 2),
    )
}

#[cfg(test)]
mod tests;
