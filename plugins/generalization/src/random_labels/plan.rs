//! Determines what is trained on which data.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::cnn::{self, Spec};
use gradtop_toolkit::data::{CLASSES, PIXELS};
use gradtop_toolkit::mlp;
use gradtop_toolkit::settings::shape;

use super::RandomLabels;

/// What is learnt.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Images and labels as they are.
    True,
    /// Random labels.
    Random,
    /// Random labels, others in each epoch.
    Redrawn,
    /// Images with their pixels in one random order.
    ShuffledPixels,
    /// Images with their pixels in random orders.
    RandomPixels,
    /// Noise.
    Gaussian,
}

/// A kind of network.
#[derive(Clone, Debug, PartialEq)]
pub enum Network {
    /// A ReLU perceptron of these widths, including inputs and outputs.
    Mlp(Vec<i64>),
    /// A convolutional network.
    Cnn(&'static Spec),
}

/// The labels of the training images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Labels {
    /// Each replaced by a random class with this probability, once, before training.
    Fixed(f64),
    /// All random and redrawn in each epoch, so that nothing can be learnt.
    Redrawn,
}

/// The images of the training and the test set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pixels {
    /// Unchanged.
    Natural,
    /// With pixels in one random order for all images.
    Shuffled,
    /// With pixels in a different random order for each image.
    Random,
    /// Noise with the mean and the standard deviation of the training set.
    Gaussian,
}

/// Networks of one kind under one condition, which differ by their trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Index of the kind of network.
    pub network: usize,
    /// Labels of the training images.
    pub labels: Labels,
    /// The images.
    pub pixels: Pixels,
    /// Number of training images.
    pub samples: i64,
    /// Whether it belongs to `conditions`, which have curves, rather than to a sweep, which only needs the number of epochs.
    pub has_curves: bool,
    /// Name of its series, such as `mlp random`.
    pub name: String,
}

impl Group {
    /// Returns whether all labels of natural images are random and fixed.
    pub(crate) fn is_random(&self) -> bool {
        self.pixels == Pixels::Natural && self.labels == Labels::Fixed(1.0)
    }

    /// Returns whether some labels, but not all, are random.
    pub(crate) fn is_partly(&self) -> bool {
        matches!(self.labels, Labels::Fixed(p) if p > 0.0 && p < 1.0)
    }
}

impl Network {
    /// Returns a short name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Cnn(spec) => spec.name,
        }
    }

    /// Computes the number of weights and biases.
    pub fn parameter_count(&self) -> i64 {
        match self {
            Self::Mlp(widths) => mlp::parameter_count(widths),
            Self::Cnn(spec) => spec.parameter_count(),
        }
    }

    /// Returns its layers in the usual notation.
    pub fn shape(&self) -> String {
        match self {
            Self::Mlp(widths) => shape(widths),
            Self::Cnn(spec) => spec.to_string(),
        }
    }

    /// Returns the cost of a sample relative to other kinds, to start with the most expensive.
    pub(super) fn weight(&self) -> i64 {
        match self {
            Self::Mlp(_) => self.parameter_count(),
            // Kernels are applied at many positions.
            Self::Cnn(_) => 12 * self.parameter_count(),
        }
    }
}

impl RandomLabels {
    pub(super) fn kinds(&self) -> Result<Vec<Network>> {
        self.networks
            .iter()
            .map(|name| {
                if name == "mlp" {
                    return Ok(Network::Mlp([&[PIXELS], &self.hidden[..], &[CLASSES]].concat()));
                }
                cnn::named(name).map(Network::Cnn).ok_or_else(|| {
                    let known: Vec<&str> = cnn::SPECS.iter().map(|spec| spec.name).collect();
                    Error::invalid(format!(
                        "parameter `networks` names `{name}`, but must be a list of mlp, {}",
                        known.join(", ")
                    ))
                })
            })
            .collect()
    }

    /// Returns the number of training images for the curves of this kind of network.
    pub(super) fn samples_of(&self, network: &Network) -> i64 {
        match network {
            Network::Mlp(_) => self.mlp_samples,
            Network::Cnn(_) => self.cnn_samples,
        }
    }

    /// Returns all groups in training order. Different networks alternate, so that networks trained at the same time
    /// differ in cost.
    pub(super) fn plan(&self, networks: &[Network]) -> Result<Vec<Group>> {
        let of_each: Vec<Vec<Group>> = networks
            .iter()
            .enumerate()
            .map(|(index, network)| self.groups(index, network))
            .collect::<Result<_>>()?;
        let longest = of_each.iter().map(Vec::len).max().unwrap_or(0);
        let by_turns = (0..longest).flat_map(|i| of_each.iter().filter_map(move |groups| groups.get(i)));
        Ok(by_turns.cloned().collect())
    }

    fn groups(&self, index: usize, network: &Network) -> Result<Vec<Group>> {
        let whole = self.samples_of(network);
        let group = |labels, pixels, samples, name: String| Group {
            network: index,
            labels,
            pixels,
            samples,
            has_curves: false,
            name: format!("{} {name}", network.name()),
        };
        let mut groups = Vec::new();
        for condition in &self.conditions {
            let (labels, pixels) = match condition {
                Condition::True => (Labels::Fixed(0.0), Pixels::Natural),
                Condition::Random => (Labels::Fixed(1.0), Pixels::Natural),
                Condition::ShuffledPixels => (Labels::Fixed(0.0), Pixels::Shuffled),
                Condition::RandomPixels => (Labels::Fixed(0.0), Pixels::Random),
                Condition::Gaussian => (Labels::Fixed(0.0), Pixels::Gaussian),
                Condition::Redrawn => (Labels::Redrawn, Pixels::Natural),
            };
            let name = condition.name().to_owned();
            groups.push(Group { has_curves: true, ..group(labels, pixels, whole, name) });
        }
        let partly = &self.corruptions;
        // Written out in the names of series, which have a maximum length.
        if let Some(p) = partly.iter().find(|p| **p > 0.0 && **p < 1e-12) {
            return Err(Error::invalid(format!(
                "parameter `corruptions` names {p:e}, but must be 0 or at least 1e-12"
            )));
        }
        let there = |groups: &[Group], labels, samples| {
            groups.iter().any(|g| g.pixels == Pixels::Natural && g.labels == labels && g.samples == samples)
        };
        let few = self.corruption_samples.min(whole);
        // The ends of their curves: true and random labels for the same number of images.
        let ends = [0.0, 1.0].into_iter().filter(|_| !partly.is_empty() && few < whole);
        for p in ends.chain(partly.iter().copied()) {
            let labels = Labels::Fixed(p);
            if !there(&groups, labels, few) {
                let what = match p {
                    0.0 => "true".to_owned(),
                    1.0 => "random".to_owned(),
                    p => format!("corrupted {p}"),
                };
                let name = if few < whole { format!("{what} {few} images") } else { what };
                groups.push(group(labels, Pixels::Natural, few, name));
            }
        }
        for &samples in &self.sizes {
            let labels = Labels::Fixed(1.0);
            if samples < whole && !there(&groups, labels, samples) {
                groups.push(group(labels, Pixels::Natural, samples, format!("random {samples} images")));
            }
        }
        Ok(groups)
    }
}
