//! The final weights of a run's networks, saved in its folder so that anyone can recreate the networks and verify the claims.

use std::fs;

use gradtop_sdk::{Column, Ctx, Result};
use tch::{TchError, Tensor};

use crate::checkpoint::Saving;
use crate::cnn::Cnn;
use crate::mlp::Mlp;
use crate::tensors::matrices;

/// The folder of the files, within the run's.
pub const FOLDER: &str = "weights";

/// Networks to be written to a file: tensors `<network>.<layer>.weight` and `.bias`, layers from 0 on, in the shapes of
/// torch's `nn.Linear` and `nn.Conv2d`, and the table `weights`, which names them.
#[derive(Default)]
pub struct Weights {
    saving: Saving,
    networks: Vec<String>,
    tensors: Vec<String>,
    shapes: Vec<String>,
}

impl Weights {
    /// Adds a trial of an ensemble.
    pub fn mlp(&mut self, network: &str, mlp: &Mlp, trial: i64) -> Result<()> {
        self.flat(network, mlp.widths(), &mlp.trial_parameters(trial)?)
    }

    /// Adds every trial of an ensemble, as `<network>.<trial>`.
    pub fn ensemble(&mut self, network: &str, mlp: &Mlp) -> Result<()> {
        (0..mlp.trials()).try_for_each(|trial| self.mlp(&format!("{network}.{trial}"), mlp, trial))
    }

    /// Adds a fully connected network of these widths from its flat parameters: layer by layer `[out, in + 1]`, the bias last.
    pub fn flat(&mut self, network: &str, widths: &[i64], parameters: &Tensor) -> Result<()> {
        for (layer, both) in matrices(parameters, widths)?.into_iter().enumerate() {
            let inputs = widths[layer];
            self.layer(network, layer, &both.f_narrow(1, 0, inputs)?, &both.f_select(1, inputs)?)?;
        }
        Ok(())
    }

    /// Adds a convolutional network: convolutions first, then the dense layers, the first of which expects channels,
    /// rows and columns in the order in which torch flattens them.
    pub fn cnn(&mut self, network: &str, cnn: &Cnn) -> Result<()> {
        for layer in 0..cnn.layers() {
            let (weight, bias) = cnn.torch_layer(layer)?;
            let convolution = layer < cnn.spec().convs.len();
            let weight = if convolution { weight } else { weight.f_flatten(1, -1)? };
            self.layer(network, layer, &weight, &bias)?;
        }
        Ok(())
    }

    fn layer(&mut self, network: &str, layer: usize, weight: &Tensor, bias: &Tensor) -> Result<(), TchError> {
        for (part, tensor) in [("weight", weight), ("bias", bias)] {
            let name = format!("{network}.{layer}.{part}");
            self.saving.tensor(&name, tensor)?;
            let shape: Vec<String> = tensor.size().iter().map(ToString::to_string).collect();
            self.networks.push(network.to_owned());
            self.tensors.push(name);
            self.shapes.push(shape.join("x"));
        }
        Ok(())
    }

    /// Writes them to the file of this name in the run's folder, and rows to the table `weights`: network, tensor,
    /// shape, file. Does nothing without networks.
    pub fn write(&self, ctx: &Ctx, step: i64, name: &str) -> Result<()> {
        if self.tensors.is_empty() {
            return Ok(());
        }
        let stem: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
        let file = format!("{FOLDER}/{stem}.safetensors");
        // Renamed when complete, so that the file is never seen incomplete.
        let part = ctx.run_dir().join(format!("{file}.part"));
        fs::create_dir_all(ctx.run_dir().join(FOLDER))?;
        self.saving.write(&part)?;
        fs::rename(&part, ctx.run_dir().join(&file))?;
        ctx.info(format!("final weights: {file} in the run's folder, named by the table weights"))?;
        ctx.table(
            "weights",
            step,
            &[
                Column::utf8("network", &self.networks),
                Column::utf8("tensor", &self.tensors),
                Column::utf8("shape", &self.shapes),
                Column::utf8("file", &vec![file; self.tensors.len()]),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::{Device, Kind};

    use super::*;
    use crate::cnn;
    use crate::rng::Stream;

    /// A layer's matrix and bias are those that torch's own layers take.
    #[test]
    fn tensors_are_torchs() {
        let mut mlp = Mlp::zeros(&[3, 4, 2], 2, Kind::Double, Device::Cpu).unwrap();
        mlp.init_uniform(3, Stream::named("test")).unwrap();
        let mut weights = Weights::default();
        weights.ensemble("net", &mlp).unwrap();
        weights
            .cnn("lenet", &cnn::Cnn::zeros(cnn::named("lenet").unwrap(), Kind::Float, Device::Cpu).unwrap())
            .unwrap();
        let named: Vec<(&str, &str)> = weights
            .tensors
            .iter()
            .map(String::as_str)
            .zip(weights.shapes.iter().map(String::as_str))
            .collect();
        assert_eq!(
            named[4..8],
            [
                ("net.1.0.weight", "4x3"),
                ("net.1.0.bias", "4"),
                ("net.1.1.weight", "2x4"),
                ("net.1.1.bias", "2")
            ]
        );
        assert_eq!(named[8], ("lenet.0.weight", "16x1x5x5"));
        assert_eq!(named[12], ("lenet.2.weight", "50x800"));
        let layer = mlp.trial_layer(1, 0).unwrap();
        let saved = weights.saving.named("net.1.0.weight").unwrap();
        assert_eq!(saved.double_value(&[3, 2]), layer.double_value(&[3, 2]));
        assert_eq!(
            weights.saving.named("net.1.0.bias").unwrap().double_value(&[3]),
            layer.double_value(&[3, 3])
        );
    }
}
