//! Products that add sixteen terms of each sum at a time: rows of `a` times columns of `b`, both contiguous.

use super::Product;
use crate::lanes::{Group, LANES, Lanes};

#[inline(always)]
pub(super) fn multiply<L: Lanes>(lanes: L, product: &mut Product<'_>) {
    let most = if L::WIDE { 4 } else { 2 };
    for top in (0..product.rows).step_by(most) {
        match (product.rows - top).min(most) {
            1 => strip::<L, 1>(lanes, product, most, top),
            2 => strip::<L, 2>(lanes, product, most, top),
            3 => strip::<L, 3>(lanes, product, most, top),
            _ => strip::<L, 4>(lanes, product, most, top),
        }
    }
}

#[inline(always)]
fn strip<L: Lanes, const R: usize>(lanes: L, product: &mut Product<'_>, most: usize, top: usize) {
    for left in (0..product.columns).step_by(most) {
        match (product.columns - left).min(most) {
            1 => block::<L, R, 1>(lanes, product, top, left),
            2 => block::<L, R, 2>(lanes, product, top, left),
            3 => block::<L, R, 3>(lanes, product, top, left),
            _ => block::<L, R, 4>(lanes, product, top, left),
        }
    }
}

#[inline(always)]
fn block<L: Lanes, const R: usize, const C: usize>(
    lanes: L,
    product: &mut Product<'_>,
    top: usize,
    left: usize,
) {
    let (a, b, depth) = (product.a, product.b, product.depth);
    let (rows, row_rests) = lines::<R>(a.values, a.row_step, top, depth);
    let (columns, column_rests) = lines::<C>(b.values, b.column_step, left, depth);
    let mut sums = [[lanes.all(0.0); C]; R];
    for k in 0..depth / LANES {
        let mut factors = [lanes.all(0.0); C];
        for (factor, column) in factors.iter_mut().zip(&columns) {
            *factor = lanes.load(&column[k]);
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            add(lanes, sums, &row[k], &factors);
        }
    }
    if depth % LANES > 0 {
        let mut factors = [lanes.all(0.0); C];
        for (factor, column) in factors.iter_mut().zip(&column_rests) {
            *factor = lanes.load(column);
        }
        for (sums, row) in sums.iter_mut().zip(&row_rests) {
            add(lanes, sums, row, &factors);
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        let out = &mut product.out[(top + i) * product.out_step + left..][..C];
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = lanes.total(sum);
        }
    }
}

/// Adds sixteen products to each sum.
#[inline(always)]
fn add<L: Lanes, const C: usize>(lanes: L, sums: &mut [L::Vector; C], row: &Group, factors: &[L::Vector; C]) {
    let row = lanes.load(row);
    for (sum, &factor) in sums.iter_mut().zip(factors) {
        *sum = lanes.add_product(*sum, row, factor);
    }
}

/// Returns rows or columns that are `step` apart, from number `first` on: their whole groups, and the remainder padded
/// with zeros.
#[inline(always)]
fn lines<const N: usize>(
    values: &[f32],
    step: usize,
    first: usize,
    length: usize,
) -> ([&[Group]; N], [Group; N]) {
    let (mut lines, mut rests) = ([&[][..]; N], [[0.0; LANES]; N]);
    for (i, (line, rest)) in lines.iter_mut().zip(&mut rests).enumerate() {
        let (groups, left) = values[(first + i) * step..][..length].as_chunks();
        *line = &groups[..length / LANES];
        rest[..left.len()].copy_from_slice(left);
    }
    (lines, rests)
}
