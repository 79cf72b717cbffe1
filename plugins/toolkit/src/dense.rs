//! Building blocks of dense layers in single precision on a CPU: matrix products and tanh, with vector instructions.
//!
//! Libtorch delegates both to a library optimized for the processors of one manufacturer: on others, its products use
//! half of the vector unit, and its tanh takes ten times as long. It also targets matrices larger than those of small
//! networks. Here, all processors give the same bits: each number is a sum in an order that depends only on shapes, not
//! on the vector unit or the number of threads. No autograd graph is recorded. Other devices and kinds use libtorch.

#![expect(clippy::inline_always, reason = "these become part of functions compiled for a kind of processor")]

mod across;
mod along;

use std::cell::RefCell;
use std::ops::Range;
use std::thread;

use tch::{TchError, Tensor};

use crate::lanes::{Form, Job, Lanes, Processor, with_forms};

/// Number of multiplications from which on a product is distributed to threads.
const MANY: usize = 1 << 24;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Computes the product of two matrices, `[rows, depth] · [depth, columns]`, or of a batch of pairs, into `out`. In `a`
/// and `b` either axis may be contiguous.
///
/// # Errors
/// The shapes do not fit.
pub fn product(out: &Tensor, a: &Tensor, b: &Tensor) -> Result<(), TchError> {
    if let (Some(processor), Some(forms)) = (Processor::best(), Forms::of(out, a, b)) {
        return forms.multiply(processor);
    }
    if out.dim() == 3 { a.f_bmm_out(out, b) } else { a.f_mm_out(out, b) }.map(drop)
}

/// Computes tanh of `from` into `into`, which may be the same tensor.
///
/// # Errors
/// The shapes do not fit.
pub(crate) fn tanh(from: &Tensor, into: &Tensor) -> Result<(), TchError> {
    let Some((processor, source, target)) = alike(from, into) else {
        return from.f_tanh_out(into).map(drop);
    };
    if from.data_ptr() == into.data_ptr() {
        return with_forms([], [&target], |[], [into]| {
            ranges(target).for_each(|own| processor.run(Tanh(&mut into[own])));
        });
    }
    with_forms([&source], [&target], |[from], [into]| {
        for (source, target) in ranges(source).zip(ranges(target)) {
            into[target.clone()].copy_from_slice(&from[source]);
            processor.run(Tanh(&mut into[target]));
        }
    })
}

/// Converts `delta`, the gradient of the output of tanh, to that of its input. `active` is the output.
///
/// # Errors
/// The shapes do not fit.
pub(crate) fn tanh_backward(delta: &Tensor, active: &Tensor) -> Result<(), TchError> {
    let Some((processor, source, target)) = alike(active, delta) else {
        return Tensor::f_tanh_backward_grad_input(delta, delta, active).map(drop);
    };
    with_forms([&source], [&target], |[active], [delta]| {
        for (source, target) in ranges(source).zip(ranges(target)) {
            processor.run(TanhBackward(&mut delta[target], &active[source]));
        }
    })
}

/// Returns the forms of two tensors of one shape whose matrices have no gaps; `None` if libtorch must be used.
fn alike<'a>(from: &'a Tensor, into: &'a Tensor) -> Option<(Processor, Form<'a>, Form<'a>)> {
    let (source, target) = (Form::of(from)?, Form::of(into)?);
    let whole = |form: &Form<'_>| form.row_step == form.columns && form.column_step == 1;
    let same = (source.parts, source.rows, source.columns) == (target.parts, target.rows, target.columns);
    let processor = Processor::best().filter(|_| same && whole(&source) && whole(&target))?;
    Some((processor, source, target))
}

/// Returns the range of each matrix, if they have no gaps.
fn ranges(form: Form<'_>) -> impl Iterator<Item = Range<usize>> {
    (0..form.parts).map(move |i| i * form.part_step..i * form.part_step + form.rows * form.columns)
}

/// The forms of a product and its factors.
struct Forms<'a> {
    out: Form<'a>,
    a: Form<'a>,
    b: Form<'a>,
}

impl<'a> Forms<'a> {
    /// Returns `None` if libtorch must be used.
    fn of(out: &'a Tensor, a: &'a Tensor, b: &'a Tensor) -> Option<Self> {
        let forms = Self { out: Form::of(out)?, a: Form::of(a)?, b: Form::of(b)? };
        let Self { out, a, b } = &forms;
        let fit = out.parts == a.parts
            && out.parts == b.parts
            && (out.rows, out.columns, a.columns) == (a.rows, b.columns, b.rows);
        let neighbours = a.column_step == 1 || a.row_step == 1 || a.rows == 1;
        let apart = out.column_step == 1 && out.row_step >= out.columns;
        let apart = apart && (out.parts == 1 || out.part_step >= out.rows * out.row_step);
        (fit && neighbours && apart).then_some(forms)
    }

    /// # Errors
    /// If `out` shares memory with a factor.
    fn multiply(&self, processor: Processor) -> Result<(), TchError> {
        with_forms([&self.a, &self.b], [&self.out], |[a, b], [out]| self.work(processor, a, b, out))
    }

    fn work(&self, processor: Processor, a: &[f32], b: &[f32], out: &mut [f32]) {
        let Self { out: form, a: left, b: right } = self;
        let depth = left.columns;
        // The across method may have to transpose `b` first, which pays off for many rows.
        let few = form.columns < 32 || form.rows < if depth < 256 { 32 } else { 256 };
        let along = left.column_step == 1 && (right.row_step == 1 || depth == 1) && few;
        let work = form.parts * form.rows * form.columns * depth;
        let threads =
            if work < MANY { 1 } else { usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1) };
        let rows = if form.parts > 1 { form.rows } else { form.rows.div_ceil(threads) };
        let rows = rows.next_multiple_of(across::ROWS);
        let part_step = if form.parts > 1 { form.part_step } else { out.len() };
        let pieces = out.chunks_mut(part_step).take(form.parts).enumerate().flat_map(|(part, out)| {
            let tops = (0..form.rows).step_by(rows);
            tops.zip(out.chunks_mut(rows * form.row_step)).map(move |(top, out)| Product {
                a: Matrix {
                    values: &a[part * left.part_step + top * left.row_step..],
                    row_step: left.row_step,
                    column_step: left.column_step,
                },
                b: Matrix {
                    values: &b[part * right.part_step..],
                    row_step: right.row_step,
                    column_step: right.column_step,
                },
                out,
                out_step: form.row_step,
                rows: rows.min(form.rows - top),
                columns: form.columns,
                depth,
                along,
            })
        });
        let run = |piece: Product<'_>| {
            SCRATCH.with_borrow_mut(|scratch| processor.run(ProductJob { piece, scratch }));
        };
        if threads == 1 {
            pieces.for_each(run);
            return;
        }
        let mut pieces: Vec<_> = pieces.collect();
        let each = pieces.len().div_ceil(threads);
        thread::scope(|scope| {
            while pieces.len() > each {
                let own = pieces.split_off(pieces.len() - each);
                scope.spawn(move || own.into_iter().for_each(run));
            }
            pieces.into_iter().for_each(run);
        });
    }
}

/// A matrix in memory.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    row_step: usize,
    column_step: usize,
}

/// `[rows, depth]` times `[depth, columns]`.
struct Product<'a> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    out: &'a mut [f32],
    out_step: usize,
    rows: usize,
    columns: usize,
    depth: usize,
    /// Whether to use the along method.
    along: bool,
}

struct ProductJob<'a, 's> {
    piece: Product<'a>,
    scratch: &'s mut Vec<f32>,
}

impl Job for ProductJob<'_, '_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { mut piece, scratch } = self;
        if piece.along {
            along::multiply(lanes, &mut piece);
        } else {
            across::multiply(lanes, &mut piece, scratch);
        }
    }
}

struct Tanh<'a>(&'a mut [f32]);

impl Job for Tanh<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        // The compiler vectorizes this.
        self.0.iter_mut().for_each(|x| *x = tanh_of(*x));
    }
}

struct TanhBackward<'a>(&'a mut [f32], &'a [f32]);

impl Job for TanhBackward<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        self.0.iter_mut().zip(self.1).for_each(|(delta, &y)| *delta *= (-y).mul_add(y, 1.0));
    }
}

/// Computes tanh to 2.4 units in the last place: e / (e + 2) with e = exp(2|x|) − 1, whose argument is n ln 2 + r with
/// |r| ≤ ½ ln 2.
#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    // Adding it leaves an integer in the last bits.
    const SHIFT: f32 = 12_582_912.0;
    // 1/k!, from k = 7 to 2.
    const SERIES: [f32; 5] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    // ln 2 as a number with few bits, and the rest.
    const LN_2: (f32, f32) = (355.0 / 512.0, -2.121_944_4e-4);
    let size = x.abs();
    // Larger arguments round to 1; NaN is preserved.
    let y = if size > 10.0 { 20.0 } else { size + size };
    let shifted = y.mul_add(std::f32::consts::LOG2_E, SHIFT);
    let n = shifted - SHIFT;
    let r = n.mul_add(-LN_2.1, n.mul_add(-LN_2.0, y));
    let sum = SERIES.iter().fold(1.0 / 5040.0_f32, |sum, &term| sum.mul_add(r, term));
    let small = (r * r).mul_add(sum, r);
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    let e = small.mul_add(scale, scale - 1.0);
    (e / (e + 2.0)).copysign(x)
}

#[cfg(test)]
mod tests;
