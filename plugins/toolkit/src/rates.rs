//! Networks of one kind at several learning rates: which rate is best, and whether a better one may lie beyond those tried.

use gradtop_sdk::{Error, Result};

/// Checks that the further learning rates, the parameter `name`, do not name the common one.
pub fn check(name: &str, further: &[f64], common: f64) -> Result<()> {
    if further.contains(&common) {
        return Err(Error::invalid(format!("parameter `{name}` names {common}, which is `lr` already")));
    }
    Ok(())
}

/// Returns the rates to compare, the common one first; none if there are no further ones.
pub fn compared(further: &[f64], common: f64) -> Vec<f64> {
    let common = (!further.is_empty()).then_some(common);
    common.into_iter().chain(further.iter().copied()).collect()
}

/// Returns how many of the first training images are enough to rank rates, and how many of the last choose between them.
pub fn shared(images: i64) -> [i64; 2] {
    let choosing = 5000.min(images / 5);
    [20_000.min(images - choosing), choosing]
}

/// Returns the network with the lowest loss on validation data, the earlier one if two are equal. Non-finite losses are
/// ignored: `None` if all are.
pub fn own<T>(networks: &[T], loss: impl Fn(&T) -> f64) -> Option<&T> {
    networks.iter().filter(|at| loss(at).is_finite()).min_by(|a, b| loss(a).total_cmp(&loss(b)))
}

/// Returns whether a rate is the lowest or the highest of those tried.
pub fn is_end(rate: f64, tried: impl Iterator<Item = f64>) -> bool {
    let (low, high) =
        tried.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
    rate == low || rate == high
}

/// Returns a remark about a rate that [`is_end`]; else an empty text.
pub fn end_in_words(rate: f64, tried: impl Iterator<Item = f64>) -> String {
    if is_end(rate, tried) {
        format!("{rate} is the end of the rates tried: a better one may lie beyond")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_own_rate() {
        let tried = [(1e-3, 0.5), (3e-4, f64::NAN), (3e-3, 0.2), (1e-2, 0.2)];
        assert_eq!(own(&tried, |at| at.1), Some(&tried[2]));
        assert_eq!(own(&tried[1..2], |at| at.1), None);
        let rates = || tried.iter().map(|at| at.0);
        assert_eq!([3e-4, 1e-3, 3e-3, 1e-2].map(|rate| is_end(rate, rates())), [true, false, false, true]);
        assert!(
            end_in_words(1e-2, rates()).starts_with("0.01 is the end")
                && end_in_words(1e-3, rates()).is_empty()
        );
    }
}
