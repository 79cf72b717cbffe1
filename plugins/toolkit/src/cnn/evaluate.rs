//! Evaluates loss and accuracy of a network on a whole set.

use tch::{Kind, TchError, Tensor};

use super::{Cnn, Workspace};

/// The result of evaluating a network on a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean cross entropy, in nats.
    pub loss: f64,
    /// Fraction of samples whose largest logit is that of their label.
    pub accuracy: f64,
    /// Cross entropy of each sample.
    pub losses: Vec<f32>,
    /// Class of the largest logit for each sample.
    pub predictions: Vec<u8>,
}

impl Cnn {
    /// Evaluates the network on all of `features` (`[n, 784]`) with `labels` (`i64 [n]`), in batches of the size of `space`.
    pub fn evaluate(
        &self,
        space: &mut Workspace,
        features: &Tensor,
        labels: &Tensor,
    ) -> Result<Evaluation, TchError> {
        let whole = self.evaluate_unless(space, features, labels, &mut || false)?;
        whole.ok_or_else(|| TchError::Shape("an evaluation was stopped that nobody stops".to_owned()))
    }

    /// Like [`Cnn::evaluate`], but returns `None` once `stop` returns true, which is called before each batch.
    pub fn evaluate_unless(
        &self,
        space: &mut Workspace,
        features: &Tensor,
        labels: &Tensor,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Evaluation>, TchError> {
        let n = features.size()[0];
        let options = (features.kind(), features.device());
        let losses = Tensor::f_zeros([n], options)?;
        let predictions = Tensor::f_zeros([n], (Kind::Int64, features.device()))?;
        let size = space.samples().min(n);
        let mut start = 0;
        while start < n {
            if stop() {
                return Ok(None);
            }
            // The last batch overlaps the previous one, so that all have the same size; the overlap gives the same numbers again.
            let from = start.min((n - size).max(0));
            space.images().f_narrow(0, 0, size)?.f_copy_(&features.f_narrow(0, from, size)?)?;
            self.forward(space)?;
            let log = space.log_probabilities()?.f_narrow(0, 0, size)?;
            let label = labels.f_narrow(0, from, size)?.f_unsqueeze(1)?;
            let own = log.f_gather(1, &label, false)?.f_squeeze_dim(1)?;
            losses.f_narrow(0, from, size)?.f_copy_(&own.f_neg()?)?;
            predictions.f_narrow(0, from, size)?.f_copy_(&log.f_argmax(1, false)?)?;
            start += size;
        }
        let loss = losses.f_mean(Kind::Double)?.f_double_value(&[])?;
        let right = predictions.f_eq_tensor(labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        let (losses, predictions) = (Vec::try_from(&losses)?, Vec::try_from(&predictions)?);
        Ok(Some(Evaluation { loss, accuracy: right as f64 / n as f64, losses, predictions }))
    }
}
