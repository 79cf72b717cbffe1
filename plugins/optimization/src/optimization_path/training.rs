//! The networks and their data.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::mlp::{Activation, Evaluator, Loss, Mlp, Samples};
use gradtop_toolkit::optim::Rule;
use gradtop_toolkit::rng::Stream;
use tch::Kind;

use super::OptimizationPath;
use gradtop_toolkit::settings::{images, rule};

/// All runs, with their training and test sets.
pub(super) struct Training {
    pub(super) ensemble: Ensemble,
    pub(super) train_set: Evaluator,
    pub(super) test: Evaluator,
    pub(super) rule: Rule,
    /// Title of the data for display.
    pub(super) data: &'static str,
    pub(super) samples: i64,
    pub(super) train: Samples,
}

impl Training {
    pub(super) fn new(params: &OptimizationPath, seed: u64, device: tch::Device) -> Result<Self> {
        let (train, test, data) = images(&params.dataset, params.train_samples, seed, device)?;
        let widths = [&[train.input_width()], &params.hidden[..], &[gradtop_toolkit::data::CLASSES]].concat();
        if params.layer >= widths.len() as i64 {
            return Err(Error::invalid(format!(
                "parameter `layer` is {}, the network has {} layers",
                params.layer,
                widths.len() - 1
            )));
        }
        let mlp =
            Mlp::zeros(&widths, params.runs, Kind::Float, device)?.with(Activation::Relu, Loss::CrossEntropy);
        let rule = rule(params.optimizer, params.lr, params.momentum);
        let streams = ["optimization-path/init", "optimization-path/batches"].map(Stream::named);
        let ensemble = Ensemble::drawn(mlp, rule, (&train, params.batch), seed, streams)?;
        Ok(Self {
            train_set: Evaluator::new(&ensemble.mlp, &train)?,
            test: Evaluator::new(&ensemble.mlp, &test)?,
            ensemble,
            rule,
            data,
            samples: train.count(),
            train,
        })
    }
}
