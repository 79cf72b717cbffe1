//! The networks and their data.

use std::path::Path as FilePath;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::{Instruments, Reading};
use gradtop_toolkit::mlp::{Activation, Evaluator, Loss, Mlp, Samples};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use tch::Kind;

use super::OptimizationPath;
use super::path::Path;
use gradtop_toolkit::parameters::invalid;
use gradtop_toolkit::settings::{hidden, images, rule};

const FILE: &str = "training.safetensors";
const NAME: &str = "runs";

/// All runs, and the sets they learn from and are measured on.
pub(super) struct Training {
    pub(super) ensemble: Ensemble,
    pub(super) train_set: Evaluator,
    pub(super) test: Evaluator,
    pub(super) rule: Rule,
    /// Name of the data for people.
    pub(super) data: &'static str,
    pub(super) samples: i64,
    train: Samples,
    pub(super) instruments: Option<Instruments>,
}

impl Training {
    pub(super) fn new(params: &OptimizationPath, seed: u64, device: tch::Device) -> Result<Self> {
        let (train, test, data) = images(&params.data, params.train_samples, seed, device)?;
        let mut widths = hidden(&params.hidden)?;
        widths.insert(0, train.input_width());
        widths.push(gradtop_toolkit::data::CLASSES);
        if params.layer >= widths.len() as i64 {
            return Err(invalid(format!(
                "parameter `layer` is {}, the network has {} layers",
                params.layer,
                widths.len() - 1
            )));
        }
        let mut mlp =
            Mlp::zeros(&widths, params.runs, Kind::Float, device)?.with(Activation::Relu, Loss::CrossEntropy);
        mlp.init_uniform(seed, Stream::named("optimization-path/init"))?;
        let rule = rule(&params.optimizer, params.lr, params.momentum);
        let optimizer = Optimizer::new(rule, mlp.parameters())?.fused();
        let stream = Stream::named("optimization-path/batches");
        let ensemble = Ensemble::new(mlp, optimizer, &train, params.batch, seed, stream)?;
        Ok(Self {
            train_set: Evaluator::new(&ensemble.mlp, &train)?,
            test: Evaluator::new(&ensemble.mlp, &test)?,
            instruments: Instruments::new(&ensemble.mlp, params.instruments)?,
            ensemble,
            rule,
            data,
            samples: train.count(),
            train,
        })
    }

    /// One update of every run, and what the instruments read of it, if they do.
    pub(super) fn advance(&mut self) -> Result<Option<Reading>> {
        match &mut self.instruments {
            Some(instruments) if instruments.due(self.ensemble.step()) => {
                Ok(Some(instruments.advance(&mut self.ensemble, &self.train)?))
            }
            _ => Ok(self.ensemble.advance(&self.train).map(|()| None)?),
        }
    }
}

/// Writes everything that [`restore`] needs.
pub(super) fn save(dir: &FilePath, training: &Training, path: &Path) -> Result<()> {
    let mut saving = Saving::default();
    training.ensemble.save(NAME, &mut saving)?;
    if let Some(instruments) = &training.instruments {
        saving.tensor("instruments.start", instruments.start())?;
    }
    path.save(&mut saving)?;
    Ok(saving.write(&dir.join(FILE))?)
}

/// Goes back to what [`save`] wrote.
pub(super) fn restore(dir: &FilePath, training: &mut Training, path: &mut Path) -> Result<()> {
    let saved = Saved::read(&dir.join(FILE))?;
    training.ensemble.restore(NAME, &saved)?;
    if let Some(instruments) = &mut training.instruments {
        instruments.restore(saved.tensor("instruments.start")?)?;
    }
    path.restore(&saved)
}
