//! The backward pass, limited to what pooling and ReLU pass on.

use super::form::{Form, PHASES, Scratch};
use crate::lanes::{Group, Job, LANES, Lanes};

pub(super) struct Backward<'a> {
    pub(super) kernels: &'a [f32],
    pub(super) images: &'a [f32],
    pub(super) active: &'a [f32],
    pub(super) phases: &'a [u8],
    /// On input the gradient of the layer's output, on output that of the pooled values.
    pub(super) delta: &'a mut [f32],
    /// Receives the gradient of the images, if needed.
    pub(super) below: Option<&'a mut [f32]>,
    /// The gradient of the kernels, in the layout of `Space::kernels` or, for a first convolution, `Space::taps`; then
    /// of the biases.
    pub(super) gradient: &'a mut [f32],
}

pub(super) struct BackwardJob<
    'a,
    const K: usize,
    const IN: usize,
    const OUT: usize,
    const G: usize,
    const ROW: usize,
> {
    pub(super) form: &'a Form,
    pub(super) scratch: &'a mut Scratch,
    pub(super) part: Backward<'a>,
}

impl<const K: usize, const IN: usize, const OUT: usize, const G: usize, const ROW: usize> Job
    for BackwardJob<'_, K, IN, OUT, G, ROW>
{
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { form, scratch, mut part } = self;
        let (gradient, biases) = part.gradient.split_at_mut(part.gradient.len() - G * LANES);
        let gradient = gradient.as_chunks_mut::<LANES>().0;
        let mut sums = [0.0; OUT];
        let mut below = part.below.take().map(|below| below.chunks_exact_mut(form.image()));
        let images = part.images.chunks_exact(form.image());
        let around = images
            .zip(part.active.chunks_exact(form.pooled()))
            .zip(part.delta.chunks_exact_mut(form.pooled()));
        for (i, ((image, active), delta)) in around.enumerate() {
            scratch.pad(form, image);
            let delta = delta.as_chunks_mut::<OUT>().0;
            for (delta, active) in delta.iter_mut().zip(active.as_chunks::<OUT>().0) {
                let through = *delta;
                for channel in 0..OUT {
                    // ReLU passes nothing on where its output is 0.
                    let value = if active[channel] <= 0.0 { 0.0 } else { through[channel] };
                    delta[channel] = value;
                    sums[channel] += value;
                }
            }
            let phases = &part.phases[i * form.pooled()..];
            if IN == 1 {
                scratch.neighbours(form);
                // One row of the kernel at a time, or all.
                let rows = gradient.chunks_exact_mut(if L::WIDE { K * K } else { K });
                for (row, gradient) in rows.enumerate() {
                    if L::WIDE {
                        first_kernel::<L, K, OUT, K>(lanes, form, scratch, row, delta, phases, gradient);
                    } else {
                        first_kernel::<L, K, OUT, 1>(lanes, form, scratch, row, delta, phases, gradient);
                    }
                }
            } else {
                let kernels = part.kernels.as_chunks::<LANES>().0;
                let counts = if L::WIDE {
                    image_gradient::<L, K, IN, OUT, G, ROW, K>(lanes, form, scratch, kernels, delta, phases)
                } else {
                    image_gradient::<L, K, IN, OUT, G, ROW, 1>(lanes, form, scratch, kernels, delta, phases)
                };
                if L::WIDE {
                    kernel_gradient::<L, K, IN, OUT, ROW, K>(lanes, form, scratch, &counts, gradient);
                } else {
                    kernel_gradient::<L, K, IN, OUT, ROW, 1>(lanes, form, scratch, &counts, gradient);
                }
                if let Some(below) = below.as_mut().and_then(Iterator::next) {
                    let row = form.side * IN;
                    let start = (form.padding * form.padded() + form.padding) * IN;
                    let from = scratch.below[start..].chunks(form.padded() * IN);
                    for (into, from) in below.chunks_exact_mut(row).zip(from) {
                        into.copy_from_slice(&from[..row]);
                    }
                }
            }
        }
        biases[..OUT].copy_from_slice(&sums);
    }
}

/// Adds to the gradient of the kernels of a first convolution (`[ROWS · k]` groups of channels, from `row` of the
/// kernel on): for each pooled value, each weight gets the pixel it was multiplied with.
#[inline(always)]
fn first_kernel<L: Lanes, const K: usize, const OUT: usize, const ROWS: usize>(
    lanes: L,
    form: &Form,
    scratch: &Scratch,
    row: usize,
    delta: &[[f32; OUT]],
    phases: &[u8],
    gradient: &mut [Group],
) {
    let side = form.padded();
    let mut sums = [[lanes.all(0.0); K]; ROWS];
    for (sums, gradient) in sums.iter_mut().zip(gradient.as_chunks::<K>().0) {
        for (sum, gradient) in sums.iter_mut().zip(gradient) {
            *sum = lanes.load(gradient);
        }
    }
    for y in 0..form.out {
        for x in 0..form.out {
            let at = y * form.out + x;
            let mut all = [0.0; LANES];
            all[..OUT].copy_from_slice(&delta[at]);
            let all = lanes.load(&all);
            let Some(places) = phases[at * OUT..].first_chunk() else { return };
            let places = lanes.places(places);
            for (k, sums) in sums.iter_mut().enumerate() {
                let Some(fours) = scratch.fours[(2 * y + row + k) * side + 2 * x..].first_chunk::<K>() else {
                    return;
                };
                for (sum, four) in sums.iter_mut().zip(fours) {
                    *sum = lanes.add_product(*sum, all, lanes.pick(four, places));
                }
            }
        }
    }
    for (sums, gradient) in sums.iter().zip(gradient.as_chunks_mut::<K>().0) {
        for (&sum, gradient) in sums.iter().zip(gradient) {
            lanes.store(sum, gradient);
        }
    }
}

/// Computes the gradient of the padded image into `scratch.below`, `ROWS` rows of the window at a time, and the nonzero
/// entries of the gradient into `scratch.entries`, by channel. Returns the number of entries of each channel.
#[inline(always)]
fn image_gradient<
    L: Lanes,
    const K: usize,
    const IN: usize,
    const OUT: usize,
    const G: usize,
    const ROW: usize,
    const ROWS: usize,
>(
    lanes: L,
    form: &Form,
    scratch: &mut Scratch,
    kernels: &[Group],
    delta: &[[f32; OUT]],
    phases: &[u8],
) -> [usize; OUT] {
    let (side, places) = (form.padded(), form.out * form.out);
    let kernels = kernels.as_chunks::<ROW>().0.as_chunks::<K>().0;
    let mut counts = [0; OUT];
    scratch.below.fill(0.0);
    for (at, delta) in delta.iter().enumerate() {
        let (y, x) = (2 * (at / form.out), 2 * (at % form.out));
        let phases = phases[at * OUT..].as_chunks::<LANES>().0;
        for phase in 0..PHASES {
            let mut left = 0;
            for (group, values) in delta.as_chunks::<LANES>().0.iter().enumerate() {
                let bits = lanes.not_zero(lanes.load(values)) & lanes.are(&phases[group], phase);
                left |= bits << (group * LANES);
            }
            if left == 0 {
                continue;
            }
            let start = ((y + usize::from(phase / 2)) * side + x + usize::from(phase % 2)) * IN;
            for first in (0..K).step_by(ROWS) {
                let mut sums = [[lanes.all(0.0); ROW]; ROWS];
                for (k, sums) in sums.iter_mut().enumerate() {
                    let row = &scratch.below[start + (first + k) * side * IN..][..ROW * LANES];
                    for (sum, values) in sums.iter_mut().zip(row.as_chunks().0) {
                        *sum = lanes.load(values);
                    }
                }
                let mut bits = left;
                while bits != 0 {
                    let channel = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let value = delta[channel];
                    if first == 0 {
                        scratch.entries[channel * places + counts[channel]] = (start as u32, value);
                        counts[channel] += 1;
                    }
                    let value = lanes.all(value);
                    for (k, sums) in sums.iter_mut().enumerate() {
                        for (sum, weights) in sums.iter_mut().zip(&kernels[channel][first + k]) {
                            *sum = lanes.add_product(*sum, value, lanes.load(weights));
                        }
                    }
                }
                for (k, sums) in sums.iter().enumerate() {
                    let row = &mut scratch.below[start + (first + k) * side * IN..][..ROW * LANES];
                    for (&sum, values) in sums.iter().zip(row.as_chunks_mut().0) {
                        lanes.store(sum, values);
                    }
                }
            }
        }
    }
    counts
}

/// Adds the windows of the entries in `scratch` to the gradient of the kernels (`[channels, k, ROW]` groups).
#[inline(always)]
fn kernel_gradient<
    L: Lanes,
    const K: usize,
    const IN: usize,
    const OUT: usize,
    const ROW: usize,
    const ROWS: usize,
>(
    lanes: L,
    form: &Form,
    scratch: &Scratch,
    counts: &[usize; OUT],
    gradient: &mut [Group],
) {
    let (side, places) = (form.padded(), form.out * form.out);
    let gradient = gradient.as_chunks_mut::<ROW>().0;
    for (i, gradient) in gradient.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        let (channel, first) = (i * ROWS / K, i * ROWS % K);
        let mut sums = [[lanes.all(0.0); ROW]; ROWS];
        for (sums, gradient) in sums.iter_mut().zip(gradient.iter()) {
            for (sum, gradient) in sums.iter_mut().zip(gradient) {
                *sum = lanes.load(gradient);
            }
        }
        for &(start, value) in &scratch.entries[channel * places..][..counts[channel]] {
            let value = lanes.all(value);
            for (k, sums) in sums.iter_mut().enumerate() {
                let row = &scratch.image[start as usize + (first + k) * side * IN..][..ROW * LANES];
                for (sum, pixels) in sums.iter_mut().zip(row.as_chunks().0) {
                    *sum = lanes.add_product(*sum, value, lanes.load(pixels));
                }
            }
        }
        for (sums, gradient) in sums.iter().zip(gradient) {
            for (&sum, gradient) in sums.iter().zip(gradient) {
                lanes.store(sum, gradient);
            }
        }
    }
}
