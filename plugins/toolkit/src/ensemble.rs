//! Networks of equal shape trained together on one data set, each in its own order.

use tch::{TchError, Tensor};

use crate::checkpoint::{Saved, Saving};
use crate::mlp::{Batch, Mlp, Samples, Shuffle, Workspace};
use crate::optim::{Optimizer, Rule};
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
    /// The batch that [`Ensemble::mlp`]'s gradient belongs to.
    loaded: usize,
}

impl Ensemble {
    /// Creates an ensemble at step 0 that iterates over `samples` in batches of `size`, in the orders of `stream`.
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

    /// Creates an ensemble at step 0 with initial values drawn from the first of two streams, iterating over `samples`
    /// in batches of `size` in the orders of the second.
    pub fn drawn(
        mut mlp: Mlp,
        rule: Rule,
        (samples, size): (&Samples, i64),
        seed: u64,
        [init, batches]: [Stream; 2],
    ) -> Result<Self, TchError> {
        mlp.init_uniform(seed, init)?;
        let optimizer = Optimizer::new(rule, mlp.parameters())?.fused();
        Self::new(mlp, optimizer, samples, size, seed, batches)
    }

    /// Returns the number of updates done.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Returns the optimizer.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Returns the number of updates per epoch.
    pub fn steps_per_epoch(&self) -> i64 {
        self.shuffle.batches() as i64
    }

    /// Returns the number of epochs that the updates done amount to.
    pub fn epoch(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch() as f64
    }

    /// Computes the gradient on the next batch, into [`Mlp::gradients`], without changing the parameters.
    pub fn gradient(&mut self, samples: &Samples) -> Result<(), TchError> {
        let steps = self.steps_per_epoch();
        let (epoch, index) = ((self.step / steps) as u32, (self.step % steps) as usize);
        let batch = self.shuffle.load(samples, epoch, index)?;
        self.mlp.gradient(space(&self.whole, self.rest.as_ref(), batch), batch)?;
        self.loaded = index;
        Ok(())
    }

    /// Returns the loss of each network on the batch of the last [`Ensemble::gradient`], at the parameters it used.
    /// Call it before the next one.
    pub fn batch_loss(&self) -> Result<Vec<f64>, TchError> {
        let batch = self.shuffle.loaded(self.loaded);
        self.mlp.batch_loss(space(&self.whole, self.rest.as_ref(), batch), batch)
    }

    /// Changes the learning rate, see [`Optimizer::set_rate`].
    pub fn set_rate(&mut self, rate: f64) -> Result<(), TchError> {
        self.optimizer.set_rate(rate)
    }

    /// Updates the parameters along the last gradient.
    pub fn update(&mut self) -> Result<(), TchError> {
        self.update_by(|_, mlp, optimizer, _| optimizer.update(mlp.parameters(), mlp.gradients()))
    }

    /// Makes an update by a function of the number of updates before, the networks, their optimizer, and what returns the
    /// trace of the covariance of single samples' gradients for each network, and the size of the batch.
    pub(crate) fn update_by<T>(
        &mut self,
        update: impl FnOnce(i64, &Mlp, &mut Optimizer, Noise<'_>) -> Result<T, TchError>,
    ) -> Result<T, TchError> {
        let (mlp, batch) = (&self.mlp, self.shuffle.loaded(self.loaded));
        let space = space(&self.whole, self.rest.as_ref(), batch);
        let noise = || Ok((mlp.gradient_variance(space, batch)?, space.samples()));
        let found = update(self.step, mlp, &mut self.optimizer, &noise)?;
        self.step += 1;
        Ok(found)
    }

    /// Computes one gradient and makes one update.
    pub fn advance(&mut self, samples: &Samples) -> Result<(), TchError> {
        self.gradient(samples)?;
        self.update()
    }

    /// Copies networks of another ensemble of the same shape, one for each index in `chosen`, with their optimizer's
    /// state and step. Future batches are in this ensemble's own orders.
    ///
    /// # Errors
    /// The networks have another shape, or their number differs from this ensemble's.
    pub fn copy_from(&mut self, other: &Self, chosen: &[i64]) -> Result<(), TchError> {
        let pick = |flat: &Tensor| other.mlp.of_trials(flat, chosen);
        let [(_, first), (_, second)] = other.optimizer.state();
        let (parameters, mut own) = (pick(other.mlp.parameters())?, self.mlp.parameters().shallow_clone());
        if parameters.size() != own.size() {
            return Err(TchError::Shape(format!(
                "{} networks of {:?} cannot become {} of {:?}",
                self.mlp.trials(),
                self.mlp.widths(),
                chosen.len(),
                other.mlp.widths()
            )));
        }
        own.f_copy_(&parameters)?;
        self.optimizer.restore(other.optimizer.step(), &pick(first)?, &pick(second)?)?;
        self.step = other.step;
        Ok(())
    }

    /// Saves everything that [`Ensemble::restore`] needs, under this name.
    pub fn save(&self, name: &str, saving: &mut Saving) -> Result<(), TchError> {
        saving.integers(&format!("{name}.step"), &[self.step])?;
        saving.parameters(name, self.mlp.parameters(), &self.optimizer)
    }

    /// Restores what [`Ensemble::save`] saved.
    pub fn restore(&mut self, name: &str, saved: &Saved) -> Result<(), TchError> {
        let [step] = saved.exactly(&format!("{name}.step"))?;
        saved.restore(name, self.mlp.parameters(), &mut self.optimizer)?;
        self.step = step;
        Ok(())
    }
}

/// Computes the noise of a batch.
type Noise<'a> = &'a dyn Fn() -> Result<(Vec<f64>, i64), TchError>;

/// Returns the buffers for a batch, which may be the shorter one at the end of an epoch.
fn space<'a>(whole: &'a Workspace, rest: Option<&'a Workspace>, batch: &Batch) -> &'a Workspace {
    rest.filter(|rest| rest.samples() == batch.samples()).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::{Device, Kind};

    use super::*;
    use crate::optim::Rule;

    /// A copy that goes on in the same order is its original; in another order it is not.
    #[test]
    fn copies_go_on_as_their_original() {
        let values = |n: i64| Tensor::arange(n, (Kind::Float, Device::Cpu)).f_sin().unwrap();
        let samples =
            Samples::new(&values(30).view([10, 3]), &values(20).view([10, 2]), Kind::Float, Device::Cpu)
                .unwrap();
        let ensemble = |trials: i64, stream: &str| {
            let mut mlp = Mlp::zeros(&[3, 4, 2], trials, Kind::Float, Device::Cpu).unwrap();
            mlp.init_uniform(1, Stream::named("init")).unwrap();
            let optimizer = Optimizer::new(Rule::Adam { lr: 0.1 }, mlp.parameters()).unwrap().fused();
            Ensemble::new(mlp, optimizer, &samples, 4, 1, Stream::named(stream)).unwrap()
        };
        let mut original = ensemble(2, "a");
        (0..5).for_each(|_| original.advance(&samples).unwrap());
        let (mut same, mut other) = (ensemble(2, "a"), ensemble(3, "b"));
        same.copy_from(&original, &[0, 1]).unwrap();
        other.copy_from(&original, &[1, 1, 0]).unwrap();
        let of = |ensemble: &Ensemble, trial: i64| ensemble.mlp.trial_parameters(trial).unwrap();
        assert_eq!((other.step(), of(&other, 0), of(&other, 2)), (5, of(&original, 1), of(&original, 0)));
        for _ in 0..5 {
            original.advance(&samples).unwrap();
            same.advance(&samples).unwrap();
            other.advance(&samples).unwrap();
        }
        assert_eq!((of(&same, 0), of(&same, 1)), (of(&original, 0), of(&original, 1)));
        assert_ne!(of(&other, 0), of(&original, 1));
        assert_ne!(of(&other, 0), of(&other, 1));
        let error = same.copy_from(&original, &[0]).unwrap_err().to_string();
        assert!(error.contains("2 networks of [3, 4, 2] cannot become 1"), "{error}");
    }
}
