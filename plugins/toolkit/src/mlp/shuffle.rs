//! Batches without replacement, in a separate order for each trial.

use tch::{Kind, TchError, Tensor};

use super::{Batch, Samples};
use crate::rng::{Rng, Stream};

/// The batches of an epoch: every trial goes through all samples once, in an order that is a pure function of seed,
/// stream, trial and epoch. The last batch of an epoch is shorter if `size` does not divide the number of samples.
pub struct Shuffle {
    seed: u64,
    stream: Stream,
    trials: i64,
    size: i64,
    epoch: Option<u32>,
    /// Indices of the samples: batch by batch, and within a batch trial by trial.
    order: Tensor,
    /// `[trials, outputs, samples]` in this epoch's order.
    targets: Tensor,
    whole: Slot,
    rest: Option<Slot>,
    /// The batches, as views of `whole` or `rest` and of `targets`.
    batches: Vec<Batch>,
}

/// Buffers into which the inputs of a batch are gathered.
struct Slot {
    picked: Tensor,
    /// `[trials · samples, inputs + 1]`, last column ones.
    rows: Tensor,
}

impl Slot {
    fn new(samples: &Samples, trials: i64, size: i64) -> Result<Self, TchError> {
        let options = (samples.kind(), samples.device());
        Ok(Self {
            picked: samples.picked(trials * size)?,
            rows: Tensor::f_ones([trials * size, samples.input_width() + 1], options)?,
        })
    }

    fn inputs(&self, trials: i64) -> Result<Tensor, TchError> {
        let width = self.rows.size()[1];
        self.rows.f_view([trials, -1, width])?.f_transpose(1, 2)
    }
}

impl Shuffle {
    /// Creates batches of `size` of these samples, at most all of them; trial `t` draws its orders from member `t` of `stream`.
    pub fn new(
        samples: &Samples,
        trials: i64,
        size: i64,
        seed: u64,
        stream: Stream,
    ) -> Result<Self, TchError> {
        let count = samples.count();
        let size = size.min(count);
        if size < 1 || trials < 1 {
            return Err(TchError::Shape(format!("batches of {size} for {trials} trials are not possible")));
        }
        if samples.trials().is_some_and(|own| own != trials) {
            return Err(TchError::Shape(format!(
                "samples with targets of {} trials are given to {trials}",
                samples.trials().unwrap_or(0)
            )));
        }
        let options = (samples.kind(), samples.device());
        let targets = Tensor::f_empty([trials, samples.target_width(), count], options)?;
        let whole = Slot::new(samples, trials, size)?;
        let rest = (count % size > 0).then(|| Slot::new(samples, trials, count % size)).transpose()?;
        let batches = (0..count)
            .step_by(size as usize)
            .map(|start| {
                let length = size.min(count - start);
                let slot = rest.as_ref().filter(|_| length < size).unwrap_or(&whole);
                Batch::new(&slot.inputs(trials)?, &targets.f_narrow(2, start, length)?)
            })
            .collect::<Result<_, TchError>>()?;
        let order = Tensor::f_empty([trials * count], (Kind::Int64, samples.device()))?;
        Ok(Self { seed, stream, trials, size, epoch: None, order, targets, whole, rest, batches })
    }

    /// Returns the number of batches per epoch.
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Returns the number of samples in a batch.
    pub fn samples_of(&self, index: usize) -> i64 {
        self.batches[index].samples()
    }

    /// Returns the batch that the last [`Shuffle::load`] with this index gathered.
    pub(crate) fn loaded(&self, index: usize) -> &Batch {
        &self.batches[index]
    }

    /// Gathers the batch `index` of an epoch from `samples`, which must be those given to [`Shuffle::new`]. It is valid
    /// until the next call.
    pub fn load(&mut self, samples: &Samples, epoch: u32, index: usize) -> Result<&Batch, TchError> {
        if self.epoch != Some(epoch) {
            self.shuffle(samples, epoch)?;
            self.epoch = Some(epoch);
        }
        let batch = &self.batches[index];
        let length = batch.samples();
        let slot = self.rest.as_ref().filter(|_| length < self.size).unwrap_or(&self.whole);
        let order = self.order.f_narrow(0, index as i64 * self.size * self.trials, length * self.trials)?;
        samples.gather(&order, &slot.picked, &slot.rows)?;
        Ok(batch)
    }

    fn shuffle(&mut self, samples: &Samples, epoch: u32) -> Result<(), TchError> {
        let (count, size, trials) = (samples.count() as usize, self.size as usize, self.trials as usize);
        let mut order = vec![0_i64; count];
        let mut all = vec![0_i64; count * trials];
        for trial in 0..trials {
            Rng::new(self.seed, self.stream.member(trial as u32), epoch).permute(&mut order);
            for (batch, part) in order.chunks(size).enumerate() {
                let start = batch * size * trials + trial * part.len();
                all[start..start + part.len()].copy_from_slice(part);
            }
            let order = Tensor::f_from_slice(&order)?.f_to_device(samples.device())?;
            let own = self.targets.f_select(0, trial as i64)?;
            samples.targets_of(trial as i64)?.f_index_select_out(&own, 1, &order).map(drop)?;
        }
        self.order.f_copy_(&Tensor::f_from_slice(&all)?)
    }
}
