//! Networks in training.

mod convolutional;
mod interface;
mod perceptron;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::rng::Stream;

use self::convolutional::Convolutional;
pub use self::interface::{Learner, Sets, Setting};
use self::perceptron::Perceptron;
use super::plan::Network;

/// Creates a network of this kind at step 0. Its initial values and the order of its batches depend only on seed, kind and trial.
pub fn new(
    network: &Network,
    trial: i64,
    setting: Setting,
    sets: Sets,
    labels: &[u8],
) -> Result<Box<dyn Learner>> {
    let stream =
        |purpose: &str| Stream::named(&format!("random-labels/{purpose}/{}/{trial}", network.name()));
    let streams = [stream("init"), stream("batches")];
    Ok(match network {
        Network::Mlp(widths) => Box::new(Perceptron::new(widths, setting, sets, labels, streams)?),
        Network::Cnn(spec) => Box::new(Convolutional::new(spec, setting, sets, labels, streams)?),
    })
}
