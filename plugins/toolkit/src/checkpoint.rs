//! Saves tensors to a checkpoint's folder, bit for bit, as safetensors files (no pickle; readable with Python's `safetensors`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::kind::Element;
use tch::{Device, TchError, Tensor};

use crate::optim::Optimizer;

/// The file of a run's checkpoint in its folder.
const FILE: &str = "training.safetensors";

/// A value saved as floats; [`record!`](crate::record) implements it for a struct.
pub trait Numbers: Sized {
    /// Appends its numbers.
    fn put(&self, to: &mut Vec<f64>);
    /// Takes its numbers from the front; `None` if they are too few.
    fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self>;
}

/// Declares the fields of a struct that are saved, in this order: `record!(Point { step, loss });`.
#[macro_export]
macro_rules! record {
    ($record:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::checkpoint::Numbers for $record {
            fn put(&self, to: &mut Vec<f64>) {
                $($crate::checkpoint::Numbers::put(&self.$field, to);)+
            }

            fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self> {
                Some(Self { $($field: $crate::checkpoint::Numbers::take(from)?),+ })
            }
        }
    };
}

impl Numbers for f64 {
    fn put(&self, to: &mut Vec<f64>) {
        to.push(*self);
    }

    fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self> {
        from.next()
    }
}

impl Numbers for i64 {
    fn put(&self, to: &mut Vec<f64>) {
        to.push(*self as f64);
    }

    fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self> {
        Some(from.next()? as i64)
    }
}

/// A step or epoch that may be missing, saved as -1.
impl Numbers for Option<i64> {
    fn put(&self, to: &mut Vec<f64>) {
        self.unwrap_or(-1).put(to);
    }

    fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self> {
        i64::take(from).map(|step| (step >= 0).then_some(step))
    }
}

impl<T: Numbers, const N: usize> Numbers for [T; N] {
    fn put(&self, to: &mut Vec<f64>) {
        for one in self {
            one.put(to);
        }
    }

    fn take(from: &mut impl Iterator<Item = f64>) -> Option<Self> {
        let all: Option<Vec<T>> = (0..N).map(|_| T::take(from)).collect();
        all?.try_into().ok()
    }
}

/// Named tensors to be written to a file.
#[derive(Default)]
pub struct Saving {
    tensors: Vec<(String, Tensor)>,
}

impl Saving {
    /// Adds a tensor, copied to the CPU.
    pub fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<(), TchError> {
        let copy = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
        self.tensors.push((name.to_owned(), copy));
        Ok(())
    }

    /// Adds integers, such as a step or flags.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> Result<(), TchError> {
        self.tensor(name, &Tensor::f_from_slice(values)?)
    }

    /// Adds floats.
    pub fn numbers(&mut self, name: &str, values: &[f64]) -> Result<(), TchError> {
        self.tensor(name, &Tensor::f_from_slice(values)?)
    }

    /// Adds records.
    pub fn records<T: Numbers>(&mut self, name: &str, records: &[T]) -> Result<(), TchError> {
        let mut numbers = Vec::new();
        for record in records {
            record.put(&mut numbers);
        }
        self.numbers(name, &numbers)
    }

    /// Adds the flat parameters of a network and everything needed to continue its optimizer exactly.
    pub fn parameters(
        &mut self,
        name: &str,
        parameters: &Tensor,
        optimizer: &Optimizer,
    ) -> Result<(), TchError> {
        self.tensor(&format!("{name}.parameters"), parameters)?;
        for (part, tensor) in optimizer.state() {
            self.tensor(&format!("{name}.optimizer.{part}"), tensor)?;
        }
        self.integers(&format!("{name}.optimizer.step"), &[optimizer.step()])
    }

    /// Returns the tensor added under this name.
    #[cfg(test)]
    pub(crate) fn named(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor)
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<(), TchError> {
        Tensor::write_safetensors(&self.tensors, path)
    }

    /// Writes the file of a run's checkpoint into its folder.
    pub fn checkpoint(&self, dir: &Path) -> gradtop_sdk::Result<()> {
        Ok(self.write(&dir.join(FILE))?)
    }
}

/// Named tensors read from a file.
pub struct Saved {
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

impl Saved {
    /// Reads a file that [`Saving::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, TchError> {
        let tensors = Tensor::read_safetensors(path)?.into_iter().collect();
        Ok(Self { path: path.to_owned(), tensors })
    }

    /// Reads what [`Saving::checkpoint`] wrote.
    pub fn checkpoint(dir: &Path) -> Result<Self, TchError> {
        Self::read(&dir.join(FILE))
    }

    /// Returns the tensor of this name.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, TchError> {
        self.tensors.get(name).ok_or_else(|| self.wrong(&format!("has no tensor `{name}`")))
    }

    /// Returns the floats of this name, saved as a tensor of f64.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, TchError> {
        self.values(name, "numbers")
    }

    fn values<T: Element + Copy>(&self, name: &str, what: &str) -> Result<Vec<T>, TchError> {
        let tensor = self.tensor(name)?;
        if tensor.kind() != T::KIND || tensor.size().len() != 1 {
            return Err(self.wrong(&format!("has other values than {what} in `{name}`")));
        }
        Vec::try_from(tensor)
    }

    /// Returns the records of this name.
    pub fn records<T: Numbers>(&self, name: &str) -> Result<Vec<T>, TchError> {
        let mut numbers = self.numbers(name)?.into_iter().peekable();
        let mut records = Vec::new();
        while numbers.peek().is_some() {
            records.push(T::take(&mut numbers).ok_or_else(|| self.misfit())?);
        }
        Ok(records)
    }

    /// Returns the integers of this name.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>, TchError> {
        self.values(name, "whole numbers")
    }

    /// Returns the integers of this name, of which there must be exactly `N`.
    pub fn exactly<const N: usize>(&self, name: &str) -> Result<[i64; N], TchError> {
        let values = self.integers(name)?;
        let wrong =
            |values: Vec<i64>| self.wrong(&format!("has {} numbers in `{name}`, not {N}", values.len()));
        values.try_into().map_err(wrong)
    }

    /// Restores flat parameters and their optimizer from what [`Saving::parameters`] saved under this name.
    pub fn restore(
        &self,
        name: &str,
        parameters: &Tensor,
        optimizer: &mut Optimizer,
    ) -> Result<(), TchError> {
        let saved = self.tensor(&format!("{name}.parameters"))?;
        let mut own = parameters.shallow_clone();
        if saved.size() != own.size() || saved.kind() != own.kind() {
            return Err(self.wrong(&format!(
                "has {:?} {:?} as `{name}.parameters`, the model here has {:?} {:?}",
                saved.kind(),
                saved.size(),
                own.kind(),
                own.size()
            )));
        }
        own.f_copy_(saved)?;
        let [step] = self.exactly(&format!("{name}.optimizer.step"))?;
        let first = self.tensor(&format!("{name}.optimizer.first"))?;
        let second = self.tensor(&format!("{name}.optimizer.second"))?;
        optimizer.restore(step, first, second)
    }

    /// Returns the error for a file of another run or of other parameters.
    pub fn misfit(&self) -> TchError {
        self.wrong("does not fit this run")
    }

    fn wrong(&self, what: &str) -> TchError {
        TchError::FileFormat(format!("checkpoint {} {what}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::Kind;

    use super::*;
    use crate::mlp::Mlp;
    use crate::optim::Rule;
    use crate::rng::Stream;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("gradtop-toolkit-{}-{name}", std::process::id()))
    }

    fn bits(tensor: &Tensor) -> Vec<u32> {
        let mut values = vec![0.0_f32; tensor.numel()];
        tensor.copy_data(&mut values, tensor.numel());
        values.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn every_bit_comes_back() {
        let path = file("bits.safetensors");
        let mut mlp = Mlp::zeros(&[1, 3, 1], 2, Kind::Float, Device::Cpu).unwrap();
        mlp.init_uniform(7, Stream::named("test")).unwrap();
        mlp.fill_trial(1, f64::NAN).unwrap();
        let mut optimizer = Optimizer::new(Rule::Adam { lr: 0.1 }, mlp.parameters()).unwrap();
        let gradients = mlp.parameters().f_square().unwrap();
        for _ in 0..3 {
            optimizer.update(mlp.parameters(), &gradients).unwrap();
        }
        let mut saving = Saving::default();
        saving.parameters("deep", mlp.parameters(), &optimizer).unwrap();
        saving.write(&path).unwrap();

        let other = Mlp::zeros(&[1, 3, 1], 2, Kind::Float, Device::Cpu).unwrap();
        let mut restored = Optimizer::new(Rule::Adam { lr: 0.1 }, other.parameters()).unwrap();
        let saved = Saved::read(&path).unwrap();
        saved.restore("deep", other.parameters(), &mut restored).unwrap();
        assert_eq!(bits(other.parameters()), bits(mlp.parameters()));
        assert_eq!(restored.step(), 3);
        for ((_, a), (_, b)) in restored.state().iter().zip(optimizer.state()) {
            assert_eq!(bits(a), bits(b));
        }

        let larger = Mlp::zeros(&[1, 4, 1], 2, Kind::Float, Device::Cpu).unwrap();
        let mut wrong = Optimizer::new(Rule::Adam { lr: 0.1 }, larger.parameters()).unwrap();
        let error = saved.restore("deep", larger.parameters(), &mut wrong).unwrap_err().to_string();
        assert!(
            error.contains("bits.safetensors") && error.contains("[20]") && error.contains("[26]"),
            "{error}"
        );
        let error = saved.tensor("wide.parameters").unwrap_err().to_string();
        assert!(error.contains("no tensor `wide.parameters`"), "{error}");
        let error = saved.exactly::<2>("deep.optimizer.step").unwrap_err().to_string();
        assert!(error.contains("has 1 numbers in `deep.optimizer.step`, not 2"), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let path = file("damaged.safetensors");
        let mut saving = Saving::default();
        saving.integers("step", &[5]).unwrap();
        saving.write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 4, 8, 20, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Saved::read(&path).is_err(), "{length} bytes were accepted");
        }
        std::fs::remove_file(path).unwrap();
    }
}
