//! Matches the hidden units of two networks with each other.
//!
//! Reordering its hidden units does not change the function of a network, so two networks trained alike may differ only in that
//! order. Weight matching (Ainsworth, Hayase and Srinivasa, "Git re-basin: merging models modulo permutation symmetries", 2022)
//! orders the units of one network so that its weights come closest to the other's: the best assignment for each layer, found by
//! the Hungarian method, until none changes. With one hidden layer this is the optimum, with several a local one.

use tch::{Device, Kind, TchError, Tensor};

use crate::tensors::{matrices, numbers};

/// Maximum number of rounds over all hidden layers; a few are usually enough.
const ROUNDS: usize = 100;

/// Assigns a separate column to each row of a square matrix so that the sum of `gains` (`[rows, columns]`, row-major)
/// is largest: the Hungarian method with shortest augmenting paths, in O(n³) steps (Jonker and Volgenant 1987). Returns
/// the identity if a gain is not finite.
pub fn assignment(gains: &[f64], n: usize) -> Vec<usize> {
    if gains.iter().any(|gain| !gain.is_finite()) {
        return (0..n).collect();
    }
    // Rows and columns count from 1; column 0 holds the row that is being assigned.
    let (mut of_row, mut of_column, mut holder) = (vec![0.0; n + 1], vec![0.0; n + 1], vec![0; n + 1]);
    for row in 1..=n {
        holder[0] = row;
        let (mut least, mut before, mut seen) =
            (vec![f64::INFINITY; n + 1], vec![0; n + 1], vec![false; n + 1]);
        let mut column = 0;
        loop {
            seen[column] = true;
            let here = holder[column];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for j in (1..=n).filter(|&j| !seen[j]) {
                let slack = -gains[(here - 1) * n + j - 1] - of_row[here] - of_column[j];
                if slack < least[j] {
                    (least[j], before[j]) = (slack, column);
                }
                if least[j] < step {
                    (step, next) = (least[j], j);
                }
            }
            for j in 0..=n {
                if seen[j] {
                    of_row[holder[j]] += step;
                    of_column[j] -= step;
                } else {
                    least[j] -= step;
                }
            }
            column = next;
            if holder[column] == 0 {
                break;
            }
        }
        while column != 0 {
            holder[column] = holder[before[column]];
            column = before[column];
        }
    }
    let mut columns = vec![0; n];
    for j in 1..=n {
        columns[holder[j] - 1] = j - 1;
    }
    columns
}

/// Returns the fully connected network `b` with its hidden units in the order that brings its weights closest to those
/// of `a`. Both are flat, `[parameters]`: layer by layer `[out, in + 1]`, the bias last.
pub fn aligned(widths: &[i64], a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    let (own, other) = (layers(widths, a)?, layers(widths, b)?);
    let hidden = own.len().saturating_sub(1);
    let mut orders: Vec<Tensor> = widths
        .iter()
        .map(|&width| Tensor::f_arange(width, (Kind::Int64, Device::Cpu)))
        .collect::<Result<_, _>>()?;
    for _ in 0..ROUNDS {
        let mut changed = false;
        for layer in 0..hidden {
            let width = widths[layer + 1];
            // The gain of each unit of `other` at each position, given the order of the layers around it.
            let arriving = columns(&other[layer], &orders[layer])?;
            let leaving = other[layer + 1].f_index_select(0, &orders[layer + 2])?.f_narrow(1, 0, width)?;
            let gains = own[layer].f_matmul(&arriving.f_transpose(0, 1)?)?;
            let gains =
                gains.f_add(&own[layer + 1].f_narrow(1, 0, width)?.f_transpose(0, 1)?.f_matmul(&leaving)?)?;
            let found = assignment(&numbers(&gains)?, width as usize);
            let found: Vec<i64> = found.into_iter().map(|unit| unit as i64).collect();
            let found = Tensor::f_from_slice(&found)?;
            let sum = |order: &Tensor| -> Result<f64, TchError> {
                gains.f_gather(1, &order.f_unsqueeze(1)?, false)?.f_sum(Kind::Double)?.f_double_value(&[])
            };
            // Accept only a strictly better order, so that equal ones cannot alternate forever.
            let (before, after) = (sum(&orders[layer + 1])?, sum(&found)?);
            if after > before + 1e-12 * before.abs() {
                orders[layer + 1] = found;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let parts = other
        .iter()
        .enumerate()
        .map(|(layer, weights)| {
            columns(&weights.f_index_select(0, &orders[layer + 1])?, &orders[layer])?.f_reshape([-1])
        })
        .collect::<Result<Vec<_>, _>>()?;
    Tensor::f_cat(&parts, 0)?.f_to_kind(b.kind())?.f_to_device(b.device())
}

/// Returns a layer with its inputs in this order, the bias still last.
fn columns(layer: &Tensor, order: &Tensor) -> Result<Tensor, TchError> {
    let inputs = order.size()[0];
    Tensor::f_cat(&[layer.f_index_select(1, order)?, layer.f_narrow(1, inputs, 1)?], 1)
}

/// Returns each layer `[out, in + 1]`, in double precision on the CPU.
fn layers(widths: &[i64], flat: &Tensor) -> Result<Vec<Tensor>, TchError> {
    matrices(&flat.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?, widths)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::curvature::network::{Network, Samples};
    use crate::mlp::{Activation, Loss};
    use crate::rng::{Rng, Stream};

    fn normal(count: usize, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed, Stream::named("test"), 0);
        (0..count).map(|_| rng.normal()).collect()
    }

    fn sum(gains: &[f64], n: usize, columns: &[usize]) -> f64 {
        columns.iter().enumerate().map(|(row, column)| gains[row * n + column]).sum()
    }

    /// The largest sum over all orders, one after another.
    fn by_trying(gains: &[f64], n: usize, taken: &mut Vec<usize>) -> f64 {
        if taken.len() == n {
            return sum(gains, n, taken);
        }
        let mut best = f64::NEG_INFINITY;
        for column in 0..n {
            if !taken.contains(&column) {
                taken.push(column);
                best = best.max(by_trying(gains, n, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn no_assignment_is_better() {
        for (seed, n) in (0..40).flat_map(|seed| [(seed, 1), (seed, 2), (seed, 5), (seed, 7)]) {
            let gains = normal(n * n, seed);
            let found = assignment(&gains, n);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            let best = by_trying(&gains, n, &mut Vec::new());
            assert!((sum(&gains, n, &found) - best).abs() < 1e-12, "{n}: {found:?}");
        }
        assert_eq!(assignment(&[1.0, f64::NAN, 0.0, 2.0], 2), [0, 1]);
        assert!(assignment(&[], 0).is_empty());
    }

    const WIDTHS: [i64; 4] = [3, 8, 6, 2];
    const COUNT: usize = 4 * 8 + 9 * 6 + 7 * 2;

    /// The same function with units of both hidden layers in another order.
    fn shuffled(flat: &Tensor) -> Tensor {
        let order = |n: i64| Tensor::from_slice(&(0..n).map(|i| (5 * i + 3) % n).collect::<Vec<_>>());
        let (first, second) = (order(8), order(6).flip([0]));
        let layers = layers(&WIDTHS, flat).unwrap();
        let parts = [
            layers[0].index_select(0, &first),
            columns(&layers[1].index_select(0, &second), &first).unwrap(),
            columns(&layers[2], &second).unwrap(),
        ];
        Tensor::cat(&parts.map(|part| part.reshape([-1])), 0)
    }

    #[test]
    fn an_order_that_was_changed_is_found_again() {
        let a = Tensor::from_slice(&normal(COUNT, 1));
        let noisy = shuffled(&a) + 0.01 * Tensor::from_slice(&normal(COUNT, 2));
        let back = aligned(&WIDTHS, &a, &noisy).unwrap();
        let distance = |b: &Tensor| (&a - b).norm().double_value(&[]);
        assert!(distance(&noisy) > 5.0, "{}", distance(&noisy));
        assert!(distance(&back) < 0.2, "{}", distance(&back));
        assert_eq!(distance(&aligned(&WIDTHS, &a, &shuffled(&a)).unwrap()), 0.0);
    }

    #[test]
    fn the_function_stays_and_the_distance_never_grows() {
        let network = Network::new(&WIDTHS, Activation::Relu, Loss::MeanSquared).unwrap();
        let x = Tensor::from_slice(&normal(30, 3)).view([10, 3]);
        let samples = Samples::new(&x, &Tensor::from_slice(&normal(20, 4)).view([10, 2])).unwrap();
        for seed in 10..20 {
            let (a, b) =
                (Tensor::from_slice(&normal(COUNT, seed)), Tensor::from_slice(&normal(COUNT, seed + 100)));
            let found = aligned(&WIDTHS, &a, &b).unwrap();
            let outputs = |flat: &Tensor| network.outputs(&flat.unsqueeze(0), &samples).unwrap();
            assert!((outputs(&b) - outputs(&found)).abs().max().double_value(&[]) < 1e-12);
            assert!((&a - &found).norm().double_value(&[]) <= (&a - &b).norm().double_value(&[]));
        }
        // Without hidden layers there is nothing to order.
        let b = Tensor::from_slice(&normal(8, 1));
        assert_eq!(aligned(&[3, 2], &b.neg(), &b).unwrap(), b);
    }
}
