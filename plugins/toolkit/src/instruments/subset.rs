//! The fixed subset of the training data on which the curvature is measured.

use tch::{Kind, TchError, Tensor};

use crate::data::CLASSES;
use crate::mlp::Samples;
use crate::rng::{Rng, Stream};

/// Samples of the training set, the same for every reading and trial.
#[derive(Debug)]
pub struct Subset {
    /// `[samples, inputs]`.
    pub inputs: Tensor,
    /// `[samples, outputs]`: targets, or probabilities of classes. `[trials, samples, outputs]` if trials have their own.
    pub targets: Tensor,
}

/// Training data from which a subset can be drawn.
pub trait Data {
    /// Returns the number of samples.
    fn count(&self) -> i64;

    /// Returns `count` samples, or all if there are fewer, drawn by the seed alone.
    fn subset(&self, count: i64, seed: u64) -> Result<Subset, TchError>;
}

/// Returns the indices of the drawn samples, ascending.
fn drawn(of: i64, count: i64, seed: u64, device: tch::Device) -> Result<Tensor, TchError> {
    let mut order = vec![0_i64; of as usize];
    Rng::new(seed, Stream::named("instruments/subset"), 0).permute(&mut order);
    order.truncate(count as usize);
    order.sort_unstable();
    Tensor::f_from_slice(&order)?.f_to_device(device)
}

impl Data for Samples {
    fn count(&self) -> i64 {
        Samples::count(self)
    }

    fn subset(&self, count: i64, seed: u64) -> Result<Subset, TchError> {
        let chosen = drawn(self.count(), count, seed, self.device())?;
        let inputs = self.pick(&chosen)?;
        Ok(Subset { inputs, targets: self.targets().f_index_select(-1, &chosen)?.f_transpose(-1, -2)? })
    }
}

/// Inputs `[samples, inputs]`, and either targets `[samples, outputs]` (or `[trials, samples, outputs]`) or labels `[samples]` of one of ten classes.
impl Data for (&Tensor, &Tensor) {
    fn count(&self) -> i64 {
        self.0.size()[0]
    }

    fn subset(&self, count: i64, seed: u64) -> Result<Subset, TchError> {
        let (inputs, targets) = *self;
        let chosen = drawn(inputs.size()[0], count, seed, inputs.device())?;
        let inputs = inputs.f_index_select(0, &chosen)?;
        // The samples' axis is the only one of labels, and the second to last of targets.
        let axis = if targets.kind() == Kind::Int64 { 0 } else { -2 };
        let targets = targets.f_index_select(axis, &chosen)?;
        let targets = match targets.kind() {
            Kind::Int64 => targets.f_one_hot(CLASSES)?.f_to_kind(inputs.kind())?,
            _ => targets,
        };
        Ok(Subset { inputs, targets })
    }
}
