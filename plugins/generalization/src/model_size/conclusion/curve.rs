//! Describes the shape of a curve of squared test errors over sizes.

use gradtop_toolkit::conclusion::significant;
use gradtop_toolkit::stats::mean;

use super::super::results::Model;

/// Minimum ratio of a peak to the values on both sides.
const PEAK: f64 = 1.1;
/// The same as a caution.
pub(super) const RISE: &str = "a rise or fall by less than a tenth does not count";

/// The trials of one size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) width: i64,
    pub(super) parameters: i64,
    pub(super) train: [f64; 2],
    pub(super) test: [f64; 2],
    pub(super) trials: usize,
}

/// Returns the sizes by number of parameters, each with the mean of its trials.
pub(super) fn sizes(models: &[Model], noise: f64) -> Vec<Size> {
    let chosen: Vec<Model> = models.iter().filter(|m| m.noise == noise).copied().collect();
    let mean = |same: &[Model], of: fn(&Model) -> f64| mean(&same.iter().map(of).collect::<Vec<_>>());
    chosen
        .chunk_by(|a, b| a.parameters == b.parameters)
        .map(|same| Size {
            width: same[0].width,
            parameters: same[0].parameters,
            train: [mean(same, |m| m.train[0]), mean(same, |m| m.train[1])],
            test: [mean(same, |m| m.test[0]), mean(same, |m| m.test[1])],
            trials: same.len(),
        })
        .collect()
}

/// The shape of a curve: the minimum before its largest rise, the maximum, and the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// It never rises by a tenth above an earlier minimum.
    Falls,
    /// It rises to its end.
    Rises { low: usize, high: usize },
    /// It rises, and falls again by at least a tenth.
    Peak { low: usize, high: usize },
}

/// Finds the largest rise of a curve relative to the lowest value before it, and what follows.
pub(super) fn shape(values: &[f64]) -> Shape {
    let mut best: Option<(usize, usize, f64)> = None;
    let mut low = 0;
    for (i, value) in values.iter().enumerate() {
        if *value < values[low] {
            low = i;
        }
        let rise = value / values[low];
        if rise >= PEAK && best.is_none_or(|(.., most)| rise > most) {
            best = Some((low, i, rise));
        }
    }
    match best {
        None => Shape::Falls,
        Some((low, high, _)) => {
            let after = values[high..].iter().copied().fold(f64::INFINITY, f64::min);
            if values[high] >= PEAK * after { Shape::Peak { low, high } } else { Shape::Rises { low, high } }
        }
    }
}

pub(super) fn errors(sizes: &[Size]) -> Vec<f64> {
    sizes.iter().map(|size| size.test[0]).collect()
}

/// Describes a curve of squared test errors; `name` is the size's symbol, such as `h`.
pub(super) fn in_words(sizes: &[Size], name: &str) -> String {
    let errors = errors(sizes);
    let at = |i: usize| format!("{} at {name} = {}", significant(errors[i], 3), sizes[i].width);
    let last = errors.len() - 1;
    match shape(&errors) {
        Shape::Falls => match lowest(&errors) {
            best if best == last => format!("squared test error has no peak: {}, lowest {}", at(0), at(last)),
            best => format!("squared test error has no peak: {}, lowest {}, {}", at(0), at(best), at(last)),
        },
        Shape::Rises { low: 0, high } => {
            format!("squared test error rises from {} to {} and does not fall again", at(0), at(high))
        }
        Shape::Rises { low, high } => {
            format!(
                "squared test error falls to {}, then rises to {} and does not fall again",
                at(low),
                at(high)
            )
        }
        Shape::Peak { low, high } => {
            let again = high + lowest(&errors[high..]);
            let deeper = if errors[again] < errors[low] {
                "below the first minimum"
            } else {
                "not as low as the first minimum"
            };
            let begins = if low == 0 { "begins at" } else { "falls to" };
            format!(
                "squared test error {begins} {}, rises to {} ({} times as high), and falls again to {}, {deeper}",
                at(low),
                at(high),
                significant(errors[high] / errors[low], 2),
                at(again)
            )
        }
    }
}

fn lowest(values: &[f64]) -> usize {
    (0..values.len()).min_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

/// Minimum number of sizes to determine the shape of a curve.
pub(super) const SHAPED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_curves() {
        assert_eq!(shape(&[5.0, 3.0, 2.0, 2.1]), Shape::Falls);
        assert_eq!(shape(&[5.0, 2.0, 3.0, 4.0]), Shape::Rises { low: 1, high: 3 });
        assert_eq!(shape(&[5.0, 2.0, 40.0, 4.0, 1.0]), Shape::Peak { low: 1, high: 2 });
        assert_eq!(shape(&[1.0]), Shape::Falls);
    }
}
