//! Networks of equal shape trained at once on one data set, each in its own order.

use tch::TchError;

use crate::checkpoint::{Saved, Saving};
use crate::mlp::{Mlp, Samples, Shuffle, Workspace};
use crate::optim::Optimizer;
use crate::rng::Stream;

/// An ensemble, its optimizer and its batches.
pub struct Ensemble {
    /// The networks.
    pub mlp: Mlp,
    optimizer: Optimizer,
    shuffle: Shuffle,
    whole: Workspace,
    /// For the shorter batch at the end of an epoch.
    rest: Option<Workspace>,
    step: i64,
    /// Which batch [`Ensemble::mlp`]'s gradient belongs to.
    loaded: usize,
}

impl Ensemble {
    /// An ensemble at step 0 that goes through `samples` in batches of `size`, in the orders of `stream`.
    pub fn new(
        mlp: Mlp,
        optimizer: Optimizer,
        samples: &Samples,
        size: i64,
        seed: u64,
        stream: Stream,
    ) -> Result<Self, TchError> {
        let shuffle = Shuffle::new(samples, mlp.trials(), size, seed, stream)?;
        let whole = mlp.workspace(shuffle.samples_of(0))?;
        let last = shuffle.samples_of(shuffle.batches() - 1);
        let rest = (last < whole.samples()).then(|| mlp.workspace(last)).transpose()?;
        Ok(Self { mlp, optimizer, shuffle, whole, rest, step: 0, loaded: 0 })
    }

    /// Updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// What makes the updates.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Updates in an epoch.
    pub fn steps_per_epoch(&self) -> i64 {
        self.shuffle.batches() as i64
    }

    /// Passes over the data that the updates done amount to.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch() as f64
    }

    fn space(&self, index: usize) -> &Workspace {
        let short = self.shuffle.samples_of(index) < self.whole.samples();
        self.rest.as_ref().filter(|_| short).unwrap_or(&self.whole)
    }

    /// Computes the gradient on the next batch, into [`Mlp::gradients`]. The parameters do not change.
    pub fn gradient(&mut self, samples: &Samples) -> Result<(), TchError> {
        let steps = self.steps_per_epoch();
        let (epoch, index) = ((self.step / steps) as u32, (self.step % steps) as usize);
        let batch = self.shuffle.load(samples, epoch, index)?;
        let short = batch.samples() < self.whole.samples();
        let space = self.rest.as_ref().filter(|_| short).unwrap_or(&self.whole);
        self.mlp.gradient(space, batch)?;
        self.loaded = index;
        Ok(())
    }

    /// The loss of each network on the batch of the last [`Ensemble::gradient`], at the parameters it used; before the next.
    pub fn batch_loss(&self) -> Result<Vec<f64>, TchError> {
        self.mlp.batch_loss(self.space(self.loaded), self.shuffle.loaded(self.loaded))
    }

    /// The trace of the covariance of single samples' gradients in the batch of the last [`Ensemble::gradient`], of each
    /// network, and the samples of that batch; before the update.
    pub fn gradient_variance(&self) -> Result<(Vec<f64>, i64), TchError> {
        let space = self.space(self.loaded);
        Ok((self.mlp.gradient_variance(space, self.shuffle.loaded(self.loaded))?, space.samples()))
    }

    /// Changes the learning rate, see [`Optimizer::set_rate`].
    pub fn set_rate(&mut self, rate: f64) -> Result<(), TchError> {
        self.optimizer.set_rate(rate)
    }

    /// Changes the parameters along the last gradient.
    pub fn update(&mut self) -> Result<(), TchError> {
        self.optimizer.update(self.mlp.parameters(), self.mlp.gradients())?;
        self.step += 1;
        Ok(())
    }

    /// One gradient and one update.
    pub fn advance(&mut self, samples: &Samples) -> Result<(), TchError> {
        self.gradient(samples)?;
        self.update()
    }

    /// Adds everything that [`Ensemble::restore`] needs, under this name.
    pub fn save(&self, name: &str, saving: &mut Saving) -> Result<(), TchError> {
        saving.integers(&format!("{name}.step"), &[self.step])?;
        saving.model(name, &self.mlp, &self.optimizer)
    }

    /// Goes back to what [`Ensemble::save`] saved.
    pub fn restore(&mut self, name: &str, saved: &Saved) -> Result<(), TchError> {
        let key = format!("{name}.step");
        let [step] = saved.integers(&key)?[..] else {
            return Err(TchError::FileFormat(format!("the checkpoint has no single number in `{key}`")));
        };
        saved.restore(name, &self.mlp, &mut self.optimizer)?;
        self.step = step;
        Ok(())
    }
}
