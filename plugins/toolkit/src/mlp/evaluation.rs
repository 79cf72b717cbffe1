//! Evaluates ensembles on whole sets.

use tch::{Kind, TchError, Tensor};

use super::{Batch, Loss, Mlp, Samples, Workspace};
use crate::tensors::numbers;

/// Loss and accuracy of each trial on a whole set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean over all samples.
    pub loss: Vec<f64>,
    /// Fraction of samples whose largest output is their class; empty if targets are not classes.
    pub accuracy: Vec<f64>,
}

/// A set divided into chunks, with buffers to evaluate an ensemble on it.
pub struct Evaluator {
    chunks: Vec<Chunk>,
    whole: Workspace,
    rest: Option<Workspace>,
    samples: i64,
    /// Sum of the chunks' gradients, allocated when first needed.
    sum: Option<Tensor>,
}

struct Chunk {
    batch: Batch,
    /// `[samples]` or `[trials, samples]`.
    labels: Option<Tensor>,
}

impl Chunk {
    fn new(samples: &Samples, start: i64, length: i64) -> Result<Self, TchError> {
        let labels = samples.labels().map(|labels| labels.f_narrow(-1, start, length)).transpose()?;
        Ok(Self { batch: samples.chunk(start, length)?, labels })
    }
}

/// Number of samples per chunk, so that an ensemble's activations stay in a cache.
const CHUNK: i64 = 500;

impl Evaluator {
    /// Prepares a set for networks of this shape. Inputs given as bytes are converted here, once.
    pub fn new(mlp: &Mlp, samples: &Samples) -> Result<Self, TchError> {
        let count = samples.count();
        let size = CHUNK.min(count);
        let chunks = (0..count)
            .step_by(size as usize)
            .map(|start| Chunk::new(samples, start, size.min(count - start)))
            .collect::<Result<_, TchError>>()?;
        let rest = (count % size > 0).then(|| mlp.workspace(count % size)).transpose()?;
        Ok(Self { chunks, whole: mlp.workspace(size)?, rest, samples: count, sum: None })
    }

    fn space(&self, batch: &Batch) -> &Workspace {
        self.rest.as_ref().filter(|rest| rest.samples() == batch.samples()).unwrap_or(&self.whole)
    }

    /// Returns loss and accuracy. Waits for the device once.
    pub fn evaluate(&self, mlp: &Mlp) -> Result<Evaluation, TchError> {
        let mut sums = Sums::default();
        for chunk in &self.chunks {
            let space = self.space(&chunk.batch);
            mlp.forward(space, &chunk.batch)?;
            sums.add_chunk(mlp, space, chunk)?;
        }
        sums.evaluation(self.samples)
    }

    /// Computes the gradient of each trial's loss over the whole set, into [`Mlp::gradients`], and returns the evaluation.
    pub fn gradient(&mut self, mlp: &mut Mlp) -> Result<Evaluation, TchError> {
        let sum = self.sum.get_or_insert(mlp.gradients().f_zeros_like()?).shallow_clone();
        sum.shallow_clone().f_zero_().map(drop)?;
        let mut sums = Sums::default();
        for chunk in &self.chunks {
            let space = self.space(&chunk.batch);
            mlp.gradient(space, &chunk.batch)?;
            let weight = chunk.batch.samples() as f64 / self.samples as f64;
            let weight = Tensor::f_full([], weight, (sum.kind(), sum.device()))?;
            sum.shallow_clone().f_addcmul_(mlp.gradients(), &weight).map(drop)?;
            sums.add_chunk(mlp, space, chunk)?;
        }
        mlp.gradients().shallow_clone().f_copy_(&sum)?;
        sums.evaluation(self.samples)
    }
}

impl Mlp {
    /// Returns loss and accuracy on a whole set in chunks that are created as needed: the same numbers as an
    /// [`Evaluator`], without its copy of the set.
    pub fn evaluate(&self, samples: &Samples) -> Result<Evaluation, TchError> {
        let count = samples.count();
        let size = CHUNK.min(count);
        let mut space = self.workspace(size)?;
        let mut sums = Sums::default();
        for start in (0..count).step_by(size as usize) {
            let chunk = Chunk::new(samples, start, size.min(count - start))?;
            if chunk.batch.samples() < size {
                space = self.workspace(chunk.batch.samples())?;
            }
            self.forward(&space, &chunk.batch)?;
            sums.add_chunk(self, &space, &chunk)?;
        }
        sums.evaluation(count)
    }
}

/// Sums over chunks, kept on the device: `[trials]` each.
#[derive(Default)]
pub(super) struct Sums {
    loss: Option<Tensor>,
    correct: Option<Tensor>,
}

impl Sums {
    fn add_chunk(&mut self, mlp: &Mlp, space: &Workspace, chunk: &Chunk) -> Result<(), TchError> {
        let output = space.output().f_view([mlp.trials(), mlp.widths()[mlp.widths().len() - 1], -1])?;
        self.add(mlp.loss(), &output, &chunk.batch.y, chunk.labels.as_ref())
    }

    /// Adds a chunk's outputs, `[trials, outputs, samples]`.
    pub(super) fn add(
        &mut self,
        loss: Loss,
        output: &Tensor,
        y: &Tensor,
        labels: Option<&Tensor>,
    ) -> Result<(), TchError> {
        let terms = match loss {
            Loss::MeanSquared => {
                output.f_sub(y)?.f_square_()?.f_mul_scalar_(1.0 / output.size()[1] as f64)?
            }
            Loss::CrossEntropy => output.f_log_softmax(1, None)?.f_mul_(y)?.f_neg_()?,
        };
        let add = |sum: &mut Option<Tensor>, more: Tensor| -> Result<(), TchError> {
            *sum = Some(match sum.take() {
                Some(sum) => sum.f_add(&more)?,
                None => more,
            });
            Ok(())
        };
        add(&mut self.loss, terms.f_sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Double)?)?;
        if let Some(labels) = labels {
            let hits = output.f_argmax(1, false)?.f_eq_tensor(labels)?;
            add(&mut self.correct, hits.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)?)?;
        }
        Ok(())
    }

    pub(super) fn evaluation(self, samples: i64) -> Result<Evaluation, TchError> {
        let mean = |sum: Option<Tensor>| -> Result<Vec<f64>, TchError> {
            let Some(sum) = sum else { return Ok(Vec::new()) };
            Ok(numbers(&sum)?.into_iter().map(|sum| sum / samples as f64).collect())
        };
        Ok(Evaluation { loss: mean(self.loss)?, accuracy: mean(self.correct)? })
    }
}
