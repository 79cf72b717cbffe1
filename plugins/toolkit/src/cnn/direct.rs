//! Convolution, 2 by 2 max pooling, bias and ReLU of f32 images on a CPU, image by image, with vector instructions.
//!
//! Forward, two rows of the convolution are computed in registers, straight from the image, and pooled at once. Backward, pooling
//! lets through one of four places, and ReLU not even that everywhere: seven of eight entries of the gradient of a
//! convolution are 0. Only the others are worked on, so a backward pass costs less than the product of matrices it stands for.
//! Images are shared out among threads in parts of a fixed size, whose gradients are added in their order: the result does
//! not depend on the number of threads.

#![expect(clippy::inline_always, reason = "these become part of functions compiled for a kind of processor")]

use std::ops::{Deref, DerefMut};
use std::thread;

use tch::{TchError, Tensor};

use super::lanes::{Group, Job, LANES, Lanes, Processor, with_memory};
use super::spec::{Conv, Shape};

/// Images of one part.
const PART: usize = 8;
/// Neighbours of a pooling window, row by row.
const PHASES: u8 = 4;

/// A convolution with pooling for which there is compiled code.
pub(super) struct Direct {
    processor: Processor,
    code: Code,
    form: Form,
}

/// Numbers of one convolution.
#[derive(Clone, Copy, Debug)]
struct Form {
    kernel: usize,
    padding: usize,
    inputs: usize,
    channels: usize,
    /// Rows and columns that go in.
    side: usize,
    /// Rows and columns after pooling.
    out: usize,
}

impl Form {
    /// Rows and columns with the padding.
    fn padded(&self) -> usize {
        self.side + 2 * self.padding
    }

    fn image(&self) -> usize {
        self.side * self.side * self.inputs
    }

    fn pooled(&self) -> usize {
        self.out * self.out * self.channels
    }

    /// Numbers in a row of a kernel, which lie next to each other in an image too.
    fn run(&self) -> usize {
        self.kernel * self.inputs
    }

    /// Groups for as many numbers.
    fn groups(numbers: usize) -> usize {
        numbers.div_ceil(LANES)
    }
}

/// What is compiled for one kind of convolution.
#[derive(Clone, Copy)]
struct Code {
    forward: fn(Processor, &Form, &mut Scratch, Forward<'_>),
    backward: fn(Processor, &Form, &mut Scratch, Backward<'_>),
}

/// Buffers for one number of images.
pub(super) struct Space {
    /// `[k · k · inputs, channels]`, channels filled up to whole groups with 0.
    taps: Buffer,
    /// `[channels, k, k · inputs]`, rows filled up in the same way.
    kernels: Buffer,
    /// Which of the four neighbours each pooled value came from, and some more.
    phases: Vec<u8>,
    /// Gradients of the kernels and the biases, part by part.
    gradients: Buffer,
    scratch: Vec<Scratch>,
}

/// Numbers that begin at a line of the cache: what crosses two takes twice as long to load.
struct Buffer {
    memory: Vec<f32>,
    start: usize,
    length: usize,
}

impl Buffer {
    /// Zeros.
    fn new(length: usize) -> Self {
        let memory = vec![0.0; length + LANES];
        let start = memory.as_ptr().align_offset(size_of::<Group>()).min(LANES);
        Self { memory, start, length }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.length]
    }
}

/// What one thread works with.
struct Scratch {
    /// The image with its padding, and a group more.
    image: Buffer,
    /// The gradient of that.
    below: Buffer,
    /// Two rows of the convolution.
    rows: [Buffer; 2],
    /// Each pixel with those right of it, below it and right below it.
    fours: Vec<[f32; 4]>,
    /// For each channel the entries of its gradient that are not 0, with the place of the window in the image.
    entries: Vec<(u32, f32)>,
}

struct Forward<'a> {
    taps: &'a [f32],
    bias: &'a [f32],
    images: &'a [f32],
    active: &'a mut [f32],
    phases: &'a mut [u8],
}

struct Backward<'a> {
    kernels: &'a [f32],
    images: &'a [f32],
    active: &'a [f32],
    phases: &'a [u8],
    /// In: the gradient of what the layer gives. Out: that of the pooled values.
    delta: &'a mut [f32],
    /// Where the gradient of the images goes, if it is wanted.
    below: Option<&'a mut [f32]>,
    /// Of the kernels, as they lie in [`Space::kernels`] or, of a first convolution, in [`Space::taps`]; then of the biases.
    gradient: &'a mut [f32],
}

/// What lies around a convolution when its gradient is computed.
pub(super) struct Around<'a> {
    /// `[n, side, side, inputs]`.
    pub(super) images: &'a Tensor,
    /// `[n, out, out, channels]`, from [`Direct::forward`].
    pub(super) active: &'a Tensor,
    /// The gradient of `active`; becomes that of the pooled values.
    pub(super) delta: &'a mut Tensor,
    /// Where the gradient of `images` goes, if it is wanted.
    pub(super) below: Option<&'a mut Tensor>,
    /// `[channels, k · k · inputs]`.
    pub(super) weight: &'a Tensor,
    pub(super) weight_gradient: &'a mut Tensor,
    pub(super) bias_gradient: &'a mut Tensor,
}

impl Direct {
    /// `None` if there is no code for such a convolution.
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

    /// Numbers in the gradient of one part.
    fn gradient_length(&self) -> usize {
        let form = &self.form;
        let (taps, kernels) = (form.kernel * form.run(), form.channels * form.kernel);
        let weights = if form.inputs == 1 { taps } else { kernels * Form::groups(form.run()) };
        (weights + Form::groups(form.channels)) * LANES
    }

    /// Writes `active` (`[n, out, out, channels]`) from `images` (`[n, side, side, inputs]`).
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

    /// Writes the gradients, after [`Direct::forward`].
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

/// Works on all parts, on as many threads as libtorch would.
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

impl Scratch {
    fn new(form: &Form) -> Self {
        let image = form.padded() * form.padded() * form.inputs + LANES;
        let row = 2 * form.out * Form::groups(form.channels) * LANES;
        Self {
            image: Buffer::new(image),
            below: Buffer::new(image),
            rows: [Buffer::new(row), Buffer::new(row)],
            fours: vec![[0.0; 4]; form.padded() * form.padded()],
            entries: vec![(0, 0.0); form.pooled()],
        }
    }

    /// Puts an image into the padded one.
    #[inline(always)]
    fn pad(&mut self, form: &Form, image: &[f32]) {
        let row = form.side * form.inputs;
        let start = (form.padding * form.padded() + form.padding) * form.inputs;
        let into = self.image[start..].chunks_mut(form.padded() * form.inputs);
        for (into, from) in into.zip(image.chunks_exact(row)) {
            into[..row].copy_from_slice(from);
        }
    }
}

/// The code for a convolution: kernel, channels in and out, groups of channels out, groups in a row of the kernel, and how many
/// places of a row are computed at once with 32 registers and with 16.
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

struct ForwardJob<
    'a,
    const K: usize,
    const IN: usize,
    const OUT: usize,
    const G: usize,
    const WIDE: usize,
    const NARROW: usize,
> {
    form: &'a Form,
    scratch: &'a mut Scratch,
    part: Forward<'a>,
}

impl<
    const K: usize,
    const IN: usize,
    const OUT: usize,
    const G: usize,
    const WIDE: usize,
    const NARROW: usize,
> Job for ForwardJob<'_, K, IN, OUT, G, WIDE, NARROW>
{
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { form, scratch, part } = self;
        let (side, width) = (form.padded(), 2 * form.out);
        let taps = part.taps.as_chunks::<LANES>().0.as_chunks::<G>().0;
        let Some(bias) = part.bias.first_chunk::<OUT>() else { return };
        let pooled = part.active.as_chunks_mut::<OUT>().0.chunks_exact_mut(form.out);
        let phases = part.phases.as_chunks_mut::<OUT>().0.chunks_exact_mut(form.out);
        let mut pooled = pooled.zip(phases);
        for image in part.images.chunks_exact(form.image()) {
            scratch.pad(form, image);
            for y in 0..form.out {
                for (below, row) in scratch.rows.iter_mut().enumerate() {
                    let (image, row) =
                        (&scratch.image, row.as_chunks_mut::<LANES>().0.as_chunks_mut::<G>().0);
                    let start = (2 * y + below) * side;
                    if L::WIDE {
                        convolve_row::<L, K, IN, G, WIDE>(lanes, image, side, start, taps, &mut row[..width]);
                    } else {
                        convolve_row::<L, K, IN, G, NARROW>(
                            lanes,
                            image,
                            side,
                            start,
                            taps,
                            &mut row[..width],
                        );
                    }
                }
                let Some((active, phases)) = pooled.next() else { return };
                let [above, below] = &scratch.rows;
                let above = above.as_chunks::<LANES>().0.as_chunks::<G>().0;
                let below = below.as_chunks::<LANES>().0.as_chunks::<G>().0;
                let blocks = above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
                for ((above, below), (active, phases)) in blocks.zip(active.iter_mut().zip(phases)) {
                    let four =
                        [&above[0], &above[1], &below[0], &below[1]].map(|groups| groups.as_flattened());
                    pool(four, bias, active, phases);
                }
            }
        }
    }
}

/// One row of a convolution: of the windows from pixel `start` of the padded image on.
#[inline(always)]
fn convolve_row<L: Lanes, const K: usize, const IN: usize, const G: usize, const TILE: usize>(
    lanes: L,
    image: &[f32],
    side: usize,
    start: usize,
    taps: &[[Group; G]],
    row: &mut [[Group; G]],
) {
    let mut next = 0;
    while next < row.len() {
        // The last tile reaches back into the one before.
        let x = next.min(row.len() - TILE);
        next += TILE;
        let mut sums = [[lanes.all(0.0); G]; TILE];
        for (k, taps) in taps.chunks_exact(K * IN).enumerate() {
            let pixels = &image[(start + k * side + x) * IN..][..(TILE - 1 + K) * IN];
            for (at, tap) in taps.iter().enumerate() {
                for (place, sums) in sums.iter_mut().enumerate() {
                    let pixel = lanes.all(pixels[place * IN + at]);
                    for (sum, weight) in sums.iter_mut().zip(tap) {
                        *sum = lanes.add_product(*sum, pixel, lanes.load(weight));
                    }
                }
            }
        }
        for (sums, into) in sums.iter().zip(&mut row[x..]) {
            for (&sum, into) in sums.iter().zip(into) {
                lanes.store(sum, into);
            }
        }
    }
}

/// The largest of four, as torch chooses it: the first of equal ones, and what is no number before all. Then bias and ReLU.
#[inline(always)]
fn pool<const OUT: usize>(
    four: [&[f32]; PHASES as usize],
    bias: &[f32; OUT],
    active: &mut [f32; OUT],
    phases: &mut [u8; OUT],
) {
    for channel in 0..OUT {
        let (mut largest, mut phase) = (four[0][channel], 0);
        for other in 1..PHASES {
            let value = four[usize::from(other)][channel];
            let larger = (value > largest) | value.is_nan();
            largest = if larger { value } else { largest };
            phase = if larger { other } else { phase };
        }
        let value = largest + bias[channel];
        active[channel] = if value < 0.0 { 0.0 } else { value };
        phases[channel] = phase;
    }
}

struct BackwardJob<'a, const K: usize, const IN: usize, const OUT: usize, const G: usize, const ROW: usize> {
    form: &'a Form,
    scratch: &'a mut Scratch,
    part: Backward<'a>,
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
                    // ReLU lets nothing through where it gave 0.
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

impl Scratch {
    /// Fills `fours` from the padded image of one channel.
    #[inline(always)]
    fn neighbours(&mut self, form: &Form) {
        let side = form.padded();
        for y in 0..side - 1 {
            let (above, below) = (&self.image[y * side..][..side], &self.image[(y + 1) * side..][..side]);
            let into = &mut self.fours[y * side..][..side - 1];
            for (x, four) in into.iter_mut().enumerate() {
                *four = [above[x], above[x + 1], below[x], below[x + 1]];
            }
        }
    }
}

/// Adds to the gradient of the kernels of a first convolution (`[ROWS · k]` groups of channels, from `row` of the kernel on): for
/// each pooled value, each weight gets the pixel that it met where the value came from.
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

/// The gradient of the padded image into `scratch.below`, `ROWS` rows of the window at a time; and the entries of the gradient that are not
/// 0, channel by channel, into `scratch.entries`. Gives how many each channel has.
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

/// Adds to the gradient of the kernels (`[channels, k, ROW]` groups) the windows of the entries in `scratch`.
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

#[cfg(test)]
mod tests;
