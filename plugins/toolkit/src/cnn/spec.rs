//! Specifications of convolutional networks.

use std::fmt;

use crate::mlp::parameter_count;
use crate::settings::shape;

/// A convolution with stride 1 and one bias per channel, then optional max pooling by 2, then ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Number of output channels.
    pub channels: i64,
    /// Rows and columns of its kernel.
    pub kernel: i64,
    /// Rows and columns of zeros around its input.
    pub padding: i64,
    /// Whether 2 by 2 max pooling follows; a last odd row or column is dropped, as in torch.
    pub pool: bool,
}

/// A network for 28 by 28 grey images and 10 classes: convolutions, then dense layers with ReLU between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// The convolutions, from the image on.
    pub convs: &'static [Conv],
    /// Widths of the dense layers, the last one the 10 logits.
    pub dense: &'static [i64],
}

const fn conv(channels: i64, kernel: i64, padding: i64) -> Conv {
    Conv { channels, kernel, padding, pool: true }
}

/// The networks available in experiments: three of equal size and different depth, and the report's LeNet.
///
/// The report's 32·5·5 inputs of the first dense layer follow from 28 by 28 images only if the first convolution is padded by 2.
pub static SPECS: [Spec; 4] = [
    Spec { name: "shallow", convs: &[conv(13, 5, 2)], dense: &[10] },
    Spec { name: "middle", convs: &[conv(8, 5, 2), conv(16, 5, 0)], dense: &[54, 10] },
    Spec { name: "deep", convs: &[conv(8, 3, 1), conv(16, 3, 1), conv(32, 3, 1)], dense: &[66, 10] },
    Spec { name: "lenet", convs: &[conv(16, 5, 2), conv(32, 5, 0)], dense: &[50, 10] },
];

/// Returns the network of this name in [`SPECS`].
pub fn named(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name)
}

/// Formats `28x28, conv 5x5 x16 pad 2, pool 2, conv 5x5 x32, pool 2, dense 50-10`.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("28x28")?;
        for conv in self.convs {
            write!(f, ", conv {0}x{0} x{1}", conv.kernel, conv.channels)?;
            if conv.padding > 0 {
                write!(f, " pad {}", conv.padding)?;
            }
            if conv.pool {
                f.write_str(", pool 2")?;
            }
        }
        write!(f, ", dense {}", shape(self.dense))
    }
}

/// The dimensions of a convolution's input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Input channels.
    pub channels: i64,
    /// Rows and columns of the input.
    pub side: i64,
    /// Rows and columns after the convolution, and pooling if any.
    pub out: i64,
}

impl Spec {
    /// Returns the dimensions of each convolution.
    pub fn shapes(&self) -> Vec<Shape> {
        let (mut channels, mut side) = (1, crate::data::SIDE);
        self.convs
            .iter()
            .map(|conv| {
                let convolved = side + 2 * conv.padding - conv.kernel + 1;
                let out = if conv.pool { convolved / 2 } else { convolved };
                let shape = Shape { channels, side, out };
                (channels, side) = (conv.channels, out);
                shape
            })
            .collect()
    }

    /// Returns the number of inputs of the first dense layer.
    pub fn features(&self) -> i64 {
        match (self.convs.last(), self.shapes().last()) {
            (Some(conv), Some(shape)) => conv.channels * shape.out * shape.out,
            _ => crate::data::PIXELS,
        }
    }

    /// Computes the number of weights and biases: Σ (k² · in + 1) · out over the convolutions and Σ (in + 1) · out over
    /// the dense layers.
    pub fn parameter_count(&self) -> i64 {
        let convs: i64 = self
            .convs
            .iter()
            .zip(self.shapes())
            .map(|(conv, shape)| (conv.kernel * conv.kernel * shape.channels + 1) * conv.channels)
            .sum();
        convs + parameter_count(&[&[self.features()], self.dense].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shapes() {
        let counts: Vec<i64> = SPECS.iter().map(Spec::parameter_count).collect();
        assert_eq!(counts, [25_828, 25_628, 25_632, 53_808]);
        let outs = |name| -> Vec<i64> {
            named(name).map(|spec| spec.shapes().iter().map(|s| s.out).collect()).unwrap_or_default()
        };
        assert_eq!(outs("lenet"), [14, 5]);
        assert_eq!(outs("deep"), [14, 7, 3]);
        assert_eq!(named("lenet").map(Spec::features), Some(32 * 5 * 5));
        let text = SPECS[3].to_string();
        assert_eq!(text, "28x28, conv 5x5 x16 pad 2, pool 2, conv 5x5 x32, pool 2, dense 50-10");
    }
}
