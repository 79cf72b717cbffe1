//! Products that compute sixteen neighbouring columns at a time: for each row of the result, numbers of `a` times rows of `b`.

use super::{Matrix, Product};
use crate::lanes::{Group, LANES, Lanes};

/// Number of rows computed at once.
pub(super) const ROWS: usize = 5;

/// If `b` has at most this many elements, the outer loop is over the rows of the result.
const FEW: usize = 4096;
/// With this many rows and terms, `b` is copied so that it is read sequentially.
const COPIED: usize = 64;

#[inline(always)]
pub(super) fn multiply<L: Lanes>(lanes: L, product: &mut Product<'_>, scratch: &mut Vec<f32>) {
    let &mut Product { b, rows, columns, depth, .. } = product;
    let width = LANES * if L::WIDE { 4 } else { 1 };
    let (panels, tops) = (columns.div_ceil(width), rows.div_ceil(ROWS));
    let copied = if b.column_step != 1 || (rows >= COPIED && depth >= COPIED) {
        0
    } else if columns.is_multiple_of(LANES) {
        panels
    } else {
        panels - 1
    };
    let by_rows = columns * depth <= FEW;
    let size = width * depth;
    // If the outer loop is over columns, each copy is used up before the next is made.
    let slot = |i: usize| if by_rows { (i - copied) * size } else { 0 };
    if scratch.len() < slot(panels) + size {
        scratch.resize(slot(panels) + size, 0.0);
    }
    let (outer, inner) = if by_rows { (tops, panels) } else { (panels, tops) };
    for outer in 0..outer {
        for inner in 0..inner {
            let (top, i) = if by_rows { (outer, inner) } else { (inner, outer) };
            let (start, length) = (i * width, width.min(columns - i * width));
            let panel = if i < copied {
                Panel { values: &b.values[start..], step: b.row_step, start, length }
            } else {
                let copy = &mut scratch[slot(i)..];
                if top == 0 {
                    pack(b, start, length, depth, copy);
                }
                Panel { values: copy, step: length.next_multiple_of(LANES), start, length }
            };
            match length.div_ceil(LANES) {
                4 => rows_of::<L, 4>(lanes, product, &panel, top * ROWS),
                3 => rows_of::<L, 3>(lanes, product, &panel, top * ROWS),
                2 => rows_of::<L, 2>(lanes, product, &panel, top * ROWS),
                _ => rows_of::<L, 1>(lanes, product, &panel, top * ROWS),
            }
        }
    }
}

/// A panel of columns of `b`, in whole groups, in rows that are `step` apart.
struct Panel<'a> {
    values: &'a [f32],
    step: usize,
    /// First column in `b`, and number of columns.
    start: usize,
    length: usize,
}

/// Copies columns of `b` as rows of whole groups, padded with 0.
#[inline(always)]
fn pack(b: Matrix<'_>, start: usize, length: usize, depth: usize, into: &mut [f32]) {
    let width = length.next_multiple_of(LANES);
    let into = &mut into[..depth * width];
    if b.column_step == 1 {
        for (k, row) in into.chunks_exact_mut(width).enumerate() {
            row[..length].copy_from_slice(&b.values[k * b.row_step + start..][..length]);
            row[length..].fill(0.0);
        }
        return;
    }
    // A few rows at a time, so that whole cache lines of each column are read.
    for (part, rows) in into.chunks_mut(LANES * width).enumerate() {
        for c in 0..width {
            let column = rows[c..].iter_mut().step_by(width);
            if c < length {
                let from = &b.values[(start + c) * b.column_step + part * LANES * b.row_step..];
                column.zip(from.iter().step_by(b.row_step)).for_each(|(into, from)| *into = *from);
            } else {
                column.for_each(|into| *into = 0.0);
            }
        }
    }
}

#[inline(always)]
fn rows_of<L: Lanes, const V: usize>(lanes: L, product: &mut Product<'_>, panel: &Panel<'_>, top: usize) {
    match product.rows - top {
        1 => block::<L, 1, V>(lanes, product, panel, top),
        2 => block::<L, 2, V>(lanes, product, panel, top),
        3 => block::<L, 3, V>(lanes, product, panel, top),
        4 => block::<L, 4, V>(lanes, product, panel, top),
        _ => block::<L, ROWS, V>(lanes, product, panel, top),
    }
}

#[inline(always)]
fn block<L: Lanes, const R: usize, const V: usize>(
    lanes: L,
    product: &mut Product<'_>,
    panel: &Panel<'_>,
    top: usize,
) {
    let (a, depth) = (product.a, product.depth);
    let sums = if a.column_step == 1 {
        let mut rows: [&[f32]; R] = [&[]; R];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = &a.values[(top + i) * a.row_step..][..depth];
        }
        tile::<L, R, V>(lanes, &Rows(rows), panel, depth)
    } else {
        tile::<L, R, V>(lanes, &Columns(&a.values[top * a.row_step..], a.column_step), panel, depth)
    };
    let whole = panel.length == V * LANES;
    for (i, sums) in sums.iter().enumerate() {
        let row = &mut product.out[(top + i) * product.out_step + panel.start..][..panel.length];
        if whole {
            store(lanes, sums, row.as_chunks_mut().0);
        } else {
            let mut groups = [[0.0; LANES]; V];
            store(lanes, sums, &mut groups);
            row.copy_from_slice(&groups.as_flattened()[..panel.length]);
        }
    }
}

#[inline(always)]
fn store<L: Lanes, const V: usize>(lanes: L, sums: &[L::Vector; V], into: &mut [Group]) {
    for (group, &sum) in into.iter_mut().zip(sums) {
        lanes.store(sum, group);
    }
}

/// Access to `R` rows of a matrix, column by column.
trait Left<const R: usize> {
    fn column(&self, k: usize) -> [f32; R];
}

/// Rows with contiguous elements.
struct Rows<'a, const R: usize>([&'a [f32]; R]);

/// Columns with contiguous elements, and their distance.
struct Columns<'a>(&'a [f32], usize);

impl<const R: usize> Left<R> for Rows<'_, R> {
    #[inline(always)]
    fn column(&self, k: usize) -> [f32; R] {
        let mut column = [0.0; R];
        for (value, row) in column.iter_mut().zip(&self.0) {
            *value = row[k];
        }
        column
    }
}

impl<const R: usize> Left<R> for Columns<'_> {
    #[inline(always)]
    fn column(&self, k: usize) -> [f32; R] {
        let mut column = [0.0; R];
        column.copy_from_slice(&self.0[k * self.1..][..R]);
        column
    }
}

#[inline(always)]
fn tile<L: Lanes, const R: usize, const V: usize>(
    lanes: L,
    a: &impl Left<R>,
    panel: &Panel<'_>,
    depth: usize,
) -> [[L::Vector; V]; R] {
    let mut sums = [[lanes.all(0.0); V]; R];
    for k in 0..depth {
        let groups: &[Group] = panel.values[k * panel.step..][..V * LANES].as_chunks().0;
        let mut b = [lanes.all(0.0); V];
        for (b, group) in b.iter_mut().zip(groups) {
            *b = lanes.load(group);
        }
        for (sums, value) in sums.iter_mut().zip(a.column(k)) {
            let value = lanes.all(value);
            for (sum, &b) in sums.iter_mut().zip(&b) {
                *sum = lanes.add_product(*sum, value, b);
            }
        }
    }
    sums
}
