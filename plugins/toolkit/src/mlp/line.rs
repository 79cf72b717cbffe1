//! Evaluates networks on the straight lines between trained ones.

use tch::{TchError, Tensor};

use super::evaluation::Sums;
use super::{Activation, Evaluation, Mlp, Samples};
use crate::dense::tanh;
use crate::tensors::matrices;

/// Number of samples whose first layer is computed at once.
const CHUNK: i64 = 512;
/// Maximum size of the activations of one layer, so that they stay in a cache.
const LIMIT: i64 = 1 << 19;

/// Evaluates (1 − α) A + α B on a whole set, for each of `pairs` (indices A and B into `networks`, `[networks,
/// parameters]`, each in the layout of [`Mlp::trial_parameters`]) and each of `alphas`. Returns one evaluation per
/// pair, with an entry for each α. `mlp` gives the shape, activation and loss.
///
/// All α are evaluated as one ensemble. The output of a first layer before the activation is linear in its weights, so
/// it is computed once per network instead of once per α; the weights of every other layer are interpolated. At α = 0
/// and 1 the weights are exactly those of the ends.
///
/// # Errors
/// The parameters do not fit the shape, a pair names no network, or libtorch fails.
pub fn along(
    mlp: &Mlp,
    networks: &Tensor,
    pairs: &[(usize, usize)],
    alphas: &[f64],
    samples: &Samples,
) -> Result<Vec<Evaluation>, TchError> {
    let count = networks.size()[0];
    if networks.dim() != 2 || networks.size()[1] != mlp.parameter_count() || alphas.is_empty() {
        return Err(TchError::Shape(format!(
            "networks are {:?}, they must be [networks, {}], with at least one place on the line",
            networks.size(),
            mlp.parameter_count()
        )));
    }
    if let Some(pair) = pairs.iter().find(|pair| pair.0.max(pair.1) as i64 >= count) {
        return Err(TchError::Shape(format!("the pair {pair:?} is not among {count} networks")));
    }
    let layers = matrices(networks, mlp.widths())?;
    let layers = layers.iter().map(Tensor::f_contiguous).collect::<Result<Vec<_>, _>>()?;
    let alpha = Tensor::f_from_slice(alphas)?
        .f_to_kind(networks.kind())?
        .f_to_device(networks.device())?
        .f_view([-1, 1, 1])?;
    let mut lines =
        pairs.iter().map(|pair| Line::new(&layers, *pair, &alpha)).collect::<Result<Vec<_>, _>>()?;
    let widest = mlp.widths()[1..].iter().max().copied().unwrap_or(1);
    let part = (LIMIT / (alphas.len() as i64 * widest)).clamp(16, CHUNK);
    for start in (0..samples.count()).step_by(CHUNK as usize) {
        let length = CHUNK.min(samples.count() - start);
        let batch = samples.chunk(start, length)?;
        let labels = samples.labels().map(|labels| labels.f_narrow(0, start, length)).transpose()?;
        let first = layers[0].f_view([-1, layers[0].size()[2]])?.f_mm(&batch.x)?;
        let first = first.f_view([count, mlp.widths()[1], length])?;
        for from in (0..length).step_by(part as usize) {
            let length = part.min(length - from);
            let first = first.f_narrow(2, from, length)?;
            let y = batch.y.f_narrow(1, from, length)?;
            let labels = labels.as_ref().map(|labels| labels.f_narrow(0, from, length)).transpose()?;
            for line in &mut lines {
                line.add(mlp, &first, &y, labels.as_ref(), &alpha)?;
            }
        }
    }
    lines.into_iter().map(|line| line.sums.evaluation(samples.count())).collect()
}

/// A pair and its sums so far.
struct Line {
    pair: (usize, usize),
    /// Weights of the layers after the first, at every α: `[alphas, out, in + 1]`.
    mixed: Vec<Tensor>,
    /// `[alphas]` each.
    sums: Sums,
}

impl Line {
    fn new(layers: &[Tensor], pair: (usize, usize), alpha: &Tensor) -> Result<Self, TchError> {
        let mixed = layers[1..].iter().map(|layer| mix(layer, pair, alpha)).collect::<Result<_, _>>()?;
        Ok(Self { pair, mixed, sums: Sums::default() })
    }

    fn add(
        &mut self,
        mlp: &Mlp,
        first: &Tensor,
        y: &Tensor,
        labels: Option<&Tensor>,
        alpha: &Tensor,
    ) -> Result<(), TchError> {
        let mut output = mix(first, self.pair, alpha)?;
        for weight in &self.mixed {
            match mlp.activation() {
                Activation::Tanh => tanh(&output, &output)?,
                Activation::Relu => output.f_relu_().map(drop)?,
            }
            let inputs = weight.size()[2] - 1;
            let bias = weight.f_narrow(2, inputs, 1)?;
            output = bias.f_baddbmm(&weight.f_narrow(2, 0, inputs)?, &output, 1.0, 1.0)?;
        }
        self.sums.add(mlp.loss(), &output, y, labels)
    }
}

/// Interpolates between two of `all`, `[networks, …]`, at each α: `[alphas, …]`. libtorch's `lerp` is exact at both ends.
fn mix(all: &Tensor, pair: (usize, usize), alpha: &Tensor) -> Result<Tensor, TchError> {
    let end = |index: usize| all.f_narrow(0, index as i64, 1);
    end(pair.0)?.f_lerp_tensor(&end(pair.1)?, alpha)
}
