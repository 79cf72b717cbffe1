//! What training needs of a network, whatever its kind.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::instruments::{Instruments, Name, Probe};
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::weights::Weights;
use tch::{Device, Tensor};

/// The settings common to all networks of a run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Samples per step.
    pub batch: i64,
    /// Optimizer.
    pub rule: Rule,
    /// The seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

/// The sets of one network: training and test inputs `f32 [n, 784]`, test labels `i64 [n]`.
#[derive(Debug)]
pub struct Sets {
    /// Training inputs.
    pub train: Tensor,
    /// Test inputs.
    pub test: Tensor,
    /// Test labels.
    pub test_labels: Tensor,
}

/// A network with its optimizer and its data.
pub trait Learner: Send {
    /// Returns the number of updates done.
    fn step(&self) -> i64;
    /// Returns the number of updates per epoch; the last batch is shorter if the samples do not divide evenly.
    fn steps_per_epoch(&self) -> i64;
    /// Sets the labels of the training inputs. Only between epochs.
    fn set_labels(&mut self, labels: &[u8]) -> Result<()>;
    /// Returns the labels it currently learns, read back from the device.
    fn labels(&self) -> Result<Vec<u8>>;
    /// Makes one update.
    fn advance(&mut self) -> Result<()>;
    /// Creates a probe of it, before its first update.
    fn watch(&self, ctx: &Ctx, instruments: &mut Instruments, name: Name) -> Result<Probe>;
    /// Returns the probe that makes the updates, to be replaced by that of a network with the same initial values.
    fn probe(&mut self) -> &mut Probe;
    /// Returns the mean cross entropy and accuracy on the whole training set, by its current labels.
    fn on_train(&mut self) -> Result<[f64; 2]>;
    /// Returns the mean cross entropy and accuracy on the test set, by its true labels.
    fn on_test(&mut self) -> Result<[f64; 2]>;
    /// Saves everything that [`Learner::restore`] needs, under this name, except labels.
    fn save(&self, name: &str, saving: &mut Saving) -> Result<()>;
    /// Adds its weights under this name.
    fn keep(&self, name: &str, weights: &mut Weights) -> Result<()>;
    /// Restores what [`Learner::save`] saved.
    fn restore(&mut self, name: &str, saved: &Saved) -> Result<()>;
}
