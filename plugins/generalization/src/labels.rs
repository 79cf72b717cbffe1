//! Partly or completely random labels.

use gradtop_toolkit::data::CLASSES;
use gradtop_toolkit::rng::Rng;
use tch::{Device, Kind, TchError, Tensor};

/// Replaces a fraction `p` of the labels, exact up to half a label, each by a class drawn uniformly from all ten:
/// Zhang, Bengio, Hardt, Recht and Vinyals, "Understanding deep learning requires rethinking generalization" (ICLR
/// 2017). The drawn class may be the true one, so about 0.9 p become wrong. There are two draws per label whatever `p`
/// is: labels replaced at one `p` are replaced by the same classes at any higher one; 0 keeps all, 1 replaces all.
pub fn corrupted(truth: &[u8], p: f64, mut rng: Rng) -> Vec<u8> {
    let drawn: Vec<(f64, u8)> =
        truth.iter().map(|_| (rng.uniform(), rng.below(CLASSES as u32) as u8)).collect();
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| drawn[a].0.total_cmp(&drawn[b].0));
    order.truncate((p * truth.len() as f64).round() as usize);
    let mut labels = truth.to_vec();
    for i in order {
        labels[i] = drawn[i].1;
    }
    labels
}

/// Returns labels as a tensor: `i64 [n]`.
pub(crate) fn tensor(labels: &[u8], device: Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(labels)?.f_to_kind(Kind::Int64)?.f_to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradtop_toolkit::rng::Stream;

    fn rng(seed: u64) -> Rng {
        Rng::new(seed, Stream::named("test"), 0)
    }

    fn truth() -> Vec<u8> {
        (0..20_000_u32).map(|i| (i % 7 % 10) as u8).collect()
    }

    /// Chi-squared with 9 degrees of freedom: 27.9 is passed by chance once in a thousand; the seeds are fixed.
    #[test]
    fn random_labels_are_uniform_and_independent_of_the_truth() {
        let truth = truth();
        for seed in 0..3 {
            let labels = corrupted(&truth, 1.0, rng(seed));
            let mut counts = [0.0_f64; 10];
            for &label in &labels {
                counts[usize::from(label)] += 1.0;
            }
            let expected = truth.len() as f64 / 10.0;
            let chi: f64 = counts.iter().map(|n| (n - expected).powi(2) / expected).sum();
            assert!(chi < 27.9, "seed {seed}: chi-squared {chi}, {counts:?}");
            let agree = labels.iter().zip(&truth).filter(|(a, b)| a == b).count() as f64;
            let (mean, three_sigma) = (expected, 3.0 * (expected * 0.9).sqrt());
            assert!((agree - mean).abs() < three_sigma, "seed {seed}: {agree} of {} agree", truth.len());
        }
    }

    #[test]
    fn higher_corruption_keeps_what_a_lower_one_replaced() {
        let truth = truth();
        assert_eq!(corrupted(&truth, 0.0, rng(1)), truth);
        let (low, high) = (corrupted(&truth, 0.2, rng(1)), corrupted(&truth, 0.6, rng(1)));
        let random = corrupted(&truth, 1.0, rng(1));
        for i in 0..truth.len() {
            assert!(low[i] == truth[i] || (low[i] == high[i] && low[i] == random[i]));
        }
        let wrong = |labels: &[u8]| labels.iter().zip(&truth).filter(|(a, b)| a != b).count() as f64;
        // 0.9 p of the labels become wrong, within three standard deviations.
        for (p, labels) in [(0.2, &low), (0.6, &high)] {
            let (n, share) = (truth.len() as f64, 0.9 * p);
            let sigma = (n * share * (1.0 - share)).sqrt();
            assert!((wrong(labels) - n * share).abs() < 3.0 * sigma, "{p}: {}", wrong(labels));
        }
    }

    /// Of labels that the draw never gives, each replaced one shows.
    #[test]
    fn the_share_is_exact() {
        let truth = vec![255_u8; 200];
        for seed in 0..20 {
            for (p, replaced) in [(0.0, 0), (0.2, 40), (0.5, 100), (0.503, 101), (1.0, 200)] {
                let labels = corrupted(&truth, p, rng(seed));
                assert_eq!(labels.iter().filter(|label| **label != 255).count(), replaced, "{p}");
            }
        }
    }

    #[test]
    fn equal_addresses_give_equal_labels() {
        let truth = truth();
        assert_eq!(corrupted(&truth, 1.0, rng(5)), corrupted(&truth, 1.0, rng(5)));
        assert_ne!(corrupted(&truth, 1.0, rng(5)), corrupted(&truth, 1.0, rng(6)));
    }
}
