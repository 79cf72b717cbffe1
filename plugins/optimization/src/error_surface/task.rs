//! The tasks trained before their surfaces are drawn.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::counted;
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::data;
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::functions::{grid, sinc};
use gradtop_toolkit::mlp::{self, Activation, Loss, Mlp};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::tensors::column;
use tch::{Device, Kind};

use super::ErrorSurface;

/// Number of points of the function.
const POINTS: usize = 128;

/// The available tasks.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
pub enum TaskName {
    /// A function of one variable.
    Function,
    /// Handwritten digits.
    Mnist,
}

/// A network, its data, and the samples on which its surface is evaluated.
pub struct Task {
    /// `function` or `mnist`.
    pub name: &'static str,
    /// Description of data, network and training for captions.
    pub words: String,
    /// Shape and loss.
    pub shape: Network,
    /// Single or double precision.
    pub kind: Kind,
    /// Number of updates.
    pub steps: i64,
    /// Samples of the training set on which the surfaces are evaluated.
    pub train: Samples,
    /// The same number of samples of the test set, if there is one.
    pub test: Option<Samples>,
    activation: Activation,
    loss: Loss,
    samples: mlp::Samples,
    batch: i64,
    lr: f64,
    device: Device,
}

impl Task {
    /// Returns the task of fitting sin(5πx)/(5πx) with 1-10-10-1 and tanh, full batch, in double precision.
    pub(super) fn function(params: &ErrorSurface, device: Device) -> Result<Self> {
        let x = grid(1e-4, 1.0, POINTS);
        let y: Vec<f64> = x.iter().copied().map(sinc).collect();
        let (x, y) = (column(&x, device)?, column(&y, device)?);
        let (activation, loss) = (Activation::Tanh, Loss::MeanSquared);
        let shape = Network::new(&[1, 10, 10, 1], activation, loss)?;
        Ok(Self {
            name: "function",
            words: format!(
                "sin(5πx)/(5πx) at {POINTS} points of [1e-4, 1], tanh 1-10-10-1 ({} parameters), double precision, mean \
                 squared error; Adam, lr {}, full batch, {} steps",
                shape.parameter_count(),
                params.function_lr,
                params.function_steps
            ),
            kind: Kind::Double,
            steps: params.function_steps,
            train: Samples::new(&x, &y)?,
            test: None,
            samples: mlp::Samples::new(&x, &y, Kind::Double, device)?,
            batch: POINTS as i64,
            lr: params.function_lr,
            activation,
            loss,
            shape,
            device,
        })
    }

    /// Returns the task of classifying MNIST with 784-15-30-10 and ReLU, in single precision.
    pub(super) fn mnist(params: &ErrorSurface, seed: u64, device: Device) -> Result<Self> {
        let set = data::mnist().context("the task mnist")?;
        let train = set.train.subset(params.mnist_images as usize, seed);
        let evaluated = |split: &data::Split| -> Result<Samples> {
            let split = split.subset(params.mnist_evaluated as usize, seed);
            Ok(Samples::classes(&split.features(device)?, &split.labels(device)?, data::CLASSES)?)
        };
        let (activation, loss) = (Activation::Relu, Loss::CrossEntropy);
        let shape = Network::new(&[data::PIXELS, 15, 30, data::CLASSES], activation, loss)?;
        let samples = mlp::Samples::classes(
            &train.features(device)?,
            1.0,
            &train.labels(device)?,
            data::CLASSES,
            Kind::Float,
            device,
        )?;
        // Batches per epoch, of which the last may be shorter.
        let steps =
            params.mnist_epochs * (samples.count() + params.mnist_batch - 1).div_euclid(params.mnist_batch);
        Ok(Self {
            name: "mnist",
            words: format!(
                "{} images of MNIST, ReLU 784-15-30-10 ({} parameters), single precision, cross-entropy on {} of them; Adam, \
                 lr {}, batch {}, {}",
                train.len(),
                shape.parameter_count(),
                params.mnist_evaluated.min(params.mnist_images),
                params.mnist_lr,
                params.mnist_batch,
                counted(params.mnist_epochs, "epoch")
            ),
            kind: Kind::Float,
            steps,
            train: evaluated(&train)?,
            test: Some(evaluated(&set.test)?),
            samples,
            batch: params.mnist_batch,
            lr: params.mnist_lr,
            activation,
            loss,
            shape,
            device,
        })
    }

    /// Returns the network with its initial values, ready to train.
    pub(super) fn begin(&self, seed: u64) -> Result<Ensemble> {
        let mut mlp =
            Mlp::zeros(self.shape.widths(), 1, self.kind, self.device)?.with(self.activation, self.loss);
        mlp.init_uniform(seed, Stream::named(&format!("error-surface/init/{}", self.name)))?;
        let optimizer = Optimizer::new(Rule::Adam { lr: self.lr }, mlp.parameters())?;
        let batches = Stream::named(&format!("error-surface/batches/{}", self.name));
        Ok(Ensemble::new(mlp, optimizer, &self.samples, self.batch, seed, batches)?)
    }

    /// Returns whether its loss has kinks.
    pub(super) fn is_rectified(&self) -> bool {
        self.activation == Activation::Relu
    }

    /// Returns what it learns.
    pub fn samples(&self) -> &mlp::Samples {
        &self.samples
    }
}
