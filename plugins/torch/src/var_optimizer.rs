//! An optimizer of the variables of a network.

use std::collections::BTreeMap;
use std::path::Path;

use tch::nn::VarStore;
use tch::{Device, TchError, Tensor};

use crate::optim::{Optimizer, Rule};

/// The checkpoint file that [`VarOptimizer::save`] writes (no pickle; readable with Python's `safetensors`).
const FILE: &str = "training.safetensors";

/// An optimizer of the trainable variables of a [`VarStore`]. It saves the whole training: the variables (including
/// untrained ones, such as a batch norm's running means), the moments, and the number of steps.
pub struct VarOptimizer {
    steps: i64,
    /// All variables by name, with the optimizers of the trained ones.
    variables: BTreeMap<String, (Tensor, Option<Optimizer>)>,
}

impl VarOptimizer {
    /// Creates an optimizer at step 0. Create the network first: variables added later are ignored.
    ///
    /// # Errors
    /// libtorch cannot allocate the moments.
    pub fn new(vars: &VarStore, rule: Rule) -> Result<Self, TchError> {
        let mut variables = BTreeMap::new();
        for (name, variable) in vars.variables() {
            let optimizer = if variable.requires_grad() {
                Some(tch::no_grad(|| Optimizer::new(rule, &variable))?.fused())
            } else {
                None
            };
            variables.insert(name, (variable, optimizer));
        }
        Ok(Self { steps: 0, variables })
    }

    /// Makes one step along the gradient of `loss`, which is computed anew. Variables on which the loss does not depend
    /// are unchanged.
    ///
    /// # Errors
    /// libtorch fails, for example if the loss is not a scalar or depends on no variable.
    pub fn backward_step(&mut self, loss: &Tensor) -> Result<(), TchError> {
        for (variable, _) in self.variables.values_mut() {
            variable.zero_grad();
        }
        loss.f_backward()?;
        self.step()
    }

    /// Makes one step along the variables' current gradients, for a loop that computes them itself.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn step(&mut self) -> Result<(), TchError> {
        tch::no_grad(|| {
            for (variable, optimizer) in self.variables.values_mut() {
                let gradient = variable.f_grad()?;
                if let Some(optimizer) = optimizer
                    && gradient.defined()
                {
                    optimizer.update(variable, &gradient.f_contiguous()?)?;
                }
            }
            self.steps += 1;
            Ok(())
        })
    }

    /// Returns the number of steps, including those before a resume.
    pub fn steps(&self) -> i64 {
        self.steps
    }

    /// Changes the learning rate of future steps. A schedule is a function of the step, so the rate is not saved.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn set_rate(&mut self, rate: f64) -> Result<(), TchError> {
        self.variables
            .values_mut()
            .filter_map(|(_, optimizer)| optimizer.as_mut())
            .try_for_each(|o| o.set_rate(rate))
    }

    /// Writes a file into the folder of a checkpoint.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), TchError> {
        let mut tensors = vec![("steps".to_owned(), Tensor::f_from_slice(&[self.steps])?)];
        for (name, (variable, optimizer)) in &self.variables {
            tensors.push((format!("variable.{name}"), variable.f_detach()?));
            let Some(optimizer) = optimizer else { continue };
            tensors.push((format!("steps.{name}"), Tensor::f_from_slice(&[optimizer.step()])?));
            for (moment, tensor) in optimizer.state() {
                tensors.push((format!("{moment}.{name}"), tensor.shallow_clone()));
            }
        }
        for (_, tensor) in &mut tensors {
            *tensor = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
        }
        Tensor::write_safetensors(&tensors, dir.join(FILE))
    }

    /// Restores the variables and this optimizer from what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// The file cannot be read or belongs to another network.
    pub fn restore(&mut self, dir: &Path) -> Result<(), TchError> {
        let path = dir.join(FILE);
        let saved: BTreeMap<String, Tensor> = Tensor::read_safetensors(&path)?.into_iter().collect();
        let wrong = |what: String| TchError::FileFormat(format!("checkpoint {} {what}", path.display()));
        let get = |key: String| saved.get(&key).ok_or_else(|| wrong(format!("has no `{key}`")));
        let count = |key: String| get(key)?.f_int64_value(&[0]);
        tch::no_grad(|| {
            for (name, (variable, optimizer)) in &mut self.variables {
                let values = get(format!("variable.{name}"))?;
                if values.size() != variable.size() || values.kind() != variable.kind() {
                    return Err(wrong(format!(
                        "has {:?} {:?} as `{name}`, the network here has {:?} {:?}",
                        values.kind(),
                        values.size(),
                        variable.kind(),
                        variable.size()
                    )));
                }
                variable.f_copy_(values)?;
                if let Some(optimizer) = optimizer {
                    let moments = [get(format!("first.{name}"))?, get(format!("second.{name}"))?];
                    optimizer.restore(count(format!("steps.{name}"))?, moments[0], moments[1])?;
                }
            }
            self.steps = count("steps".to_owned())?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::nn::{self, Module, OptimizerConfig};
    use tch::{Kind, Reduction};

    use super::*;

    /// A small network whose variables are the same each time, and one that its loss does not depend on.
    fn network() -> (VarStore, nn::Sequential) {
        let vars = VarStore::new(Device::Cpu);
        let root = vars.root();
        let net = nn::seq()
            .add(nn::linear(&root / "first", 3, 4, nn::LinearConfig::default()))
            .add_fn(Tensor::tanh)
            .add(nn::linear(&root / "second", 4, 1, nn::LinearConfig::default()));
        drop((root.zeros("unused", &[2]), root.zeros_no_train("seen", &[1])));
        tch::no_grad(|| {
            for (name, mut variable) in vars.variables() {
                let n = variable.numel() as i64;
                let values = Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.3 + name.len() as f64;
                variable.copy_(&values.sin().view_as(&variable));
            }
        });
        (vars, net)
    }

    fn loss(net: &nn::Sequential, step: i64) -> Tensor {
        let x = (Tensor::arange(30, (Kind::Float, Device::Cpu)) + step).sin().view([10, 3]);
        let y = x.square().sum_dim_intlist([1].as_slice(), true, Kind::Float);
        net.forward(&x).mse_loss(&y, Reduction::Mean)
    }

    fn bits(vars: &VarStore) -> Vec<(String, Vec<u32>)> {
        let named: BTreeMap<_, _> = vars.variables().into_iter().collect();
        let bits = |tensor: Tensor| {
            let mut values = vec![0.0_f32; tensor.numel()];
            tensor.copy_data(&mut values, tensor.numel());
            values.into_iter().map(f32::to_bits).collect()
        };
        named.into_iter().map(|(name, tensor)| (name, bits(tensor.detach()))).collect()
    }

    /// Against libtorch's own optimizers, which tch can use but not save.
    #[test]
    fn each_rule_is_torchs() {
        let adam: fn(&VarStore) -> nn::Optimizer = |vars| nn::Adam::default().build(vars, 0.05).unwrap();
        let adamw: fn(&VarStore) -> nn::Optimizer =
            |vars| nn::AdamW { wd: 0.1, ..Default::default() }.build(vars, 0.05).unwrap();
        let sgd: fn(&VarStore) -> nn::Optimizer =
            |vars| nn::Sgd { momentum: 0.9, ..Default::default() }.build(vars, 0.05).unwrap();
        for (rule, torchs) in [
            (Rule::Adam { lr: 0.05 }, adam),
            (Rule::AdamW { lr: 0.05, weight_decay: 0.1 }, adamw),
            (Rule::Sgd { lr: 0.05, momentum: 0.9 }, sgd),
        ] {
            let ((vars, net), (other_vars, other_net)) = (network(), network());
            let (mut own, mut other) = (VarOptimizer::new(&vars, rule).unwrap(), torchs(&other_vars));
            for step in 0..50 {
                own.backward_step(&loss(&net, step)).unwrap();
                other.backward_step(&loss(&other_net, step));
            }
            for (name, expected) in other_vars.variables() {
                let found = &vars.variables()[&name];
                let largest = (found - expected).abs().max().double_value(&[]);
                assert!(largest < 1e-5, "{rule:?}, {name}: {largest}");
            }
        }
    }

    #[test]
    fn what_is_restored_goes_on_to_the_last_bit() {
        let dir = std::env::temp_dir().join(format!("gradtop-torch-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for rule in [Rule::AdamW { lr: 0.05, weight_decay: 0.1 }, Rule::Sgd { lr: 0.05, momentum: 0.9 }] {
            let (vars, net) = network();
            let mut whole = VarOptimizer::new(&vars, rule).unwrap();
            for step in 0..20 {
                if step == 10 {
                    whole.save(&dir).unwrap();
                }
                whole.backward_step(&loss(&net, step)).unwrap();
            }
            let (resumed_vars, resumed_net) = network();
            let mut resumed = VarOptimizer::new(&resumed_vars, rule).unwrap();
            resumed.restore(&dir).unwrap();
            assert_eq!(resumed.steps(), 10);
            for step in resumed.steps()..20 {
                resumed.backward_step(&loss(&resumed_net, step)).unwrap();
            }
            assert_eq!(bits(&resumed_vars), bits(&vars), "{rule:?}");
        }

        let larger = VarStore::new(Device::Cpu);
        drop(larger.root().sub("first").zeros("weight", &[5, 3]));
        let error = VarOptimizer::new(&larger, Rule::Adam { lr: 0.1 }).unwrap().restore(&dir).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("training.safetensors") && text.contains("[4, 3]") && text.contains("[5, 3]"),
            "{text}"
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}
