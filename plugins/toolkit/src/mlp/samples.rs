//! The data set of an ensemble.

use tch::{Device, Kind, TchError, Tensor};

use super::Batch;

/// Samples with their targets. Inputs are sample-major, so that a batch is gathered by whole rows; targets are
/// feature-major, as the passes need them.
pub struct Samples {
    /// `[samples, inputs]`: numbers of the ensemble's kind, or bytes to be multiplied by `scale`.
    inputs: Tensor,
    scale: f64,
    /// `[outputs, samples]`, or `[trials, outputs, samples]`.
    targets: Tensor,
    /// `[samples]` or `[trials, samples]`, for accuracies.
    labels: Option<Tensor>,
    kind: Kind,
}

impl Samples {
    /// Creates samples with numbers as targets: `inputs` is `[samples, inputs]`, `targets` is `[samples, outputs]`.
    /// Both are copied.
    pub fn new(inputs: &Tensor, targets: &Tensor, kind: Kind, device: Device) -> Result<Self, TchError> {
        let targets = targets.f_to_device(device)?.f_to_kind(kind)?.f_transpose(0, 1)?.f_contiguous()?;
        Self::made(inputs, 1.0, targets, None, kind, device)
    }

    /// Creates samples with classes as targets: `labels` is `[samples]` of integers in `0..classes`, or `[trials,
    /// samples]` if each trial of an ensemble has its own labels for the same inputs. Inputs given as bytes stay bytes,
    /// which need a quarter of the memory, and are multiplied by `scale`, such as 1/255.
    pub fn classes(
        inputs: &Tensor,
        scale: f64,
        labels: &Tensor,
        classes: i64,
        kind: Kind,
        device: Device,
    ) -> Result<Self, TchError> {
        let labels = labels.f_to_device(device)?.f_to_kind(Kind::Int64)?;
        // The labels of a single trial are shared.
        let labels =
            if labels.size().len() == 2 && labels.size()[0] == 1 { labels.f_squeeze_dim(0)? } else { labels };
        let (low, high) = (labels.f_min()?.f_int64_value(&[])?, labels.f_max()?.f_int64_value(&[])?);
        if low < 0 || high >= classes {
            return Err(TchError::Shape(format!(
                "labels go from {low} to {high}, they must lie in 0..{classes}"
            )));
        }
        let targets = labels.f_one_hot(classes)?.f_to_kind(kind)?.f_transpose(-1, -2)?.f_contiguous()?;
        Self::made(inputs, scale, targets, Some(labels), kind, device)
    }

    fn made(
        inputs: &Tensor,
        scale: f64,
        targets: Tensor,
        labels: Option<Tensor>,
        kind: Kind,
        device: Device,
    ) -> Result<Self, TchError> {
        let bytes = inputs.kind() == Kind::Uint8;
        let inputs = inputs.f_to_device(device)?.f_to_kind(if bytes { Kind::Uint8 } else { kind })?;
        let (inputs, samples) = (inputs.f_contiguous()?, targets.size().last().copied().unwrap_or(0));
        if inputs.size().len() != 2 || inputs.size()[0] != samples || samples < 1 {
            return Err(TchError::Shape(format!(
                "inputs are {:?} for {samples} targets; they must be [samples, inputs], at least one",
                inputs.size()
            )));
        }
        Ok(Self { inputs, scale, targets, labels, kind })
    }

    /// Returns the number of samples.
    pub fn count(&self) -> i64 {
        self.inputs.size()[0]
    }

    /// Returns the size of one input.
    pub fn input_width(&self) -> i64 {
        self.inputs.size()[1]
    }

    /// Returns the targets, `[outputs, samples]`, or `[trials, outputs, samples]` if trials have their own.
    pub fn targets(&self) -> &Tensor {
        &self.targets
    }

    /// Returns the number of trials that have their own targets, if any.
    pub fn trials(&self) -> Option<i64> {
        (self.targets.size().len() == 3).then(|| self.targets.size()[0])
    }

    /// Returns the targets of a trial, `[outputs, samples]`.
    pub(super) fn targets_of(&self, trial: i64) -> Result<Tensor, TchError> {
        if self.trials().is_some() {
            self.targets.f_select(0, trial)
        } else {
            Ok(self.targets.shallow_clone())
        }
    }

    pub(super) fn target_width(&self) -> i64 {
        let size = self.targets.size();
        size[size.len() - 2]
    }

    /// Returns the labels, `[samples]` or `[trials, samples]`, if the targets are classes.
    pub fn labels(&self) -> Option<&Tensor> {
        self.labels.as_ref()
    }

    /// Returns the kind of the batches.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the device of all tensors.
    pub fn device(&self) -> Device {
        self.inputs.device()
    }

    /// Copies the samples `order` into the rows of `out`, `[samples, inputs + 1]`, whose last column is unchanged.
    /// `picked` is a buffer `[samples, inputs]` of the inputs' own kind.
    pub(super) fn gather(&self, order: &Tensor, picked: &Tensor, out: &Tensor) -> Result<(), TchError> {
        self.inputs.f_index_select_out(picked, 0, order).map(drop)?;
        self.convert(picked, &out.f_narrow(1, 0, self.input_width())?)
    }

    fn convert(&self, picked: &Tensor, out: &Tensor) -> Result<(), TchError> {
        if self.inputs.kind() == Kind::Uint8 {
            let scale = Tensor::f_full([], self.scale, (self.kind, self.device()))?;
            picked.f_mul_out(out, &scale).map(drop)
        } else {
            out.shallow_clone().f_copy_(picked)
        }
    }

    /// Returns a copy of the inputs of the samples `order` (`[n]`) as numbers: `[n, inputs]`.
    pub fn pick(&self, order: &Tensor) -> Result<Tensor, TchError> {
        let picked = self.inputs.f_index_select(0, order)?;
        let out = Tensor::f_empty(picked.size().as_slice(), (self.kind, self.device()))?;
        self.convert(&picked, &out)?;
        Ok(out)
    }

    /// Returns an empty buffer for [`Samples::gather`].
    pub(super) fn picked(&self, samples: i64) -> Result<Tensor, TchError> {
        Tensor::f_empty([samples, self.input_width()], (self.inputs.kind(), self.device()))
    }

    /// Returns the first `count` samples, sharing their memory.
    pub fn first(&self, count: i64) -> Result<Self, TchError> {
        self.narrow(0, count)
    }

    /// Returns the last `count` samples, sharing their memory.
    pub fn last(&self, count: i64) -> Result<Self, TchError> {
        self.narrow(self.count() - count, count)
    }

    fn narrow(&self, start: i64, count: i64) -> Result<Self, TchError> {
        Ok(Self {
            inputs: self.inputs.f_narrow(0, start, count)?,
            scale: self.scale,
            targets: self.targets.f_narrow(-1, start, count)?,
            labels: self.labels.as_ref().map(|labels| labels.f_narrow(-1, start, count)).transpose()?,
            kind: self.kind,
        })
    }

    /// Returns a copy of `length` samples from `start` on, for all trials of an ensemble at once.
    pub fn chunk(&self, start: i64, length: i64) -> Result<Batch, TchError> {
        let rows = Tensor::f_ones([length, self.input_width() + 1], (self.kind, self.device()))?;
        self.convert(&self.inputs.f_narrow(0, start, length)?, &rows.f_narrow(1, 0, self.input_width())?)?;
        Batch::shared(&rows.f_transpose(0, 1)?, &self.targets.f_narrow(-1, start, length)?)
    }
}
