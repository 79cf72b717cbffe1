//! The forward pass: two rows of the convolution in registers, pooled at once.

use super::form::{Form, PHASES, Scratch};
use crate::lanes::{Group, Job, LANES, Lanes};

pub(super) struct Forward<'a> {
    pub(super) taps: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) images: &'a [f32],
    pub(super) active: &'a mut [f32],
    pub(super) phases: &'a mut [u8],
}

pub(super) struct ForwardJob<
    'a,
    const K: usize,
    const IN: usize,
    const OUT: usize,
    const G: usize,
    const WIDE: usize,
    const NARROW: usize,
> {
    pub(super) form: &'a Form,
    pub(super) scratch: &'a mut Scratch,
    pub(super) part: Forward<'a>,
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

/// Computes one row of a convolution, for the windows from pixel `start` of the padded image on.
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
        // The last tile overlaps the previous one.
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

/// Returns the largest of four as torch chooses it (the first of equal ones, NaN before all), then adds the bias and
/// applies ReLU.
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
