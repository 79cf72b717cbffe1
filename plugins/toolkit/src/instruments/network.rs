//! What instruments need of a network.

use tch::{TchError, Tensor};

use super::Subset;
use crate::cnn::Cnn;
use crate::curvature::{autograd, network};
use crate::mlp::Mlp;

/// A Hessian's products with vectors, one a trial: `[trials, parameters]` to `[trials, parameters]`.
pub type Product<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor, TchError>;

/// What instruments read of a network, or of an ensemble of equal ones that never interact.
pub trait Watched {
    /// Networks in it.
    fn trials(&self) -> i64;

    /// All parameters, flat: layer by layer, in it trial by trial.
    fn parameters(&self) -> &Tensor;

    /// The gradient that the next update follows, laid out alike.
    fn gradients(&self) -> &Tensor;

    /// Parameters of each layer of one trial.
    fn layer_parameter_counts(&self) -> Vec<i64>;

    /// Lends `work` the Hessian of each trial's loss on a subset, at the present parameters.
    fn hessian(
        &self,
        subset: &Subset,
        work: &mut dyn FnMut(Product<'_>) -> Result<(), TchError>,
    ) -> Result<(), TchError>;

    /// Any tensor that is laid out as the parameters, as a row a trial: `[trials, parameters]`. A copy.
    fn rows(&self, flat: &Tensor) -> Result<Tensor, TchError> {
        let (mut start, trials) = (0, self.trials());
        let layers = self.layer_parameter_counts().into_iter().map(|count| {
            start += count * trials;
            flat.f_narrow(0, start - count * trials, count * trials)?.f_view([trials, count])
        });
        Tensor::f_cat(&layers.collect::<Result<Vec<_>, _>>()?, 1)
    }
}

impl Watched for Mlp {
    fn trials(&self) -> i64 {
        self.trials()
    }

    fn parameters(&self) -> &Tensor {
        self.parameters()
    }

    fn gradients(&self) -> &Tensor {
        self.gradients()
    }

    fn layer_parameter_counts(&self) -> Vec<i64> {
        self.layer_parameter_counts()
    }

    fn hessian(
        &self,
        subset: &Subset,
        work: &mut dyn FnMut(Product<'_>) -> Result<(), TchError>,
    ) -> Result<(), TchError> {
        let shape = network::Network::new(self.widths(), self.activation(), self.loss())?;
        let samples = network::Samples::new(&subset.inputs, &subset.targets)?;
        let here = shape.at(&self.rows(self.parameters())?, &samples)?;
        work(&|vector| here.hessian_vector(vector))
    }
}

impl Watched for Cnn {
    fn trials(&self) -> i64 {
        1
    }

    fn parameters(&self) -> &Tensor {
        self.parameters()
    }

    fn gradients(&self) -> &Tensor {
        self.gradients()
    }

    fn layer_parameter_counts(&self) -> Vec<i64> {
        self.layer_parameter_counts()
    }

    fn hessian(
        &self,
        subset: &Subset,
        work: &mut dyn FnMut(Product<'_>) -> Result<(), TchError>,
    ) -> Result<(), TchError> {
        let loss = |parameters: &Tensor| {
            self.spec().loss(&parameters.f_squeeze_dim(0)?, &subset.inputs, &subset.targets)
        };
        let products = autograd::Products::new(loss, &self.parameters().f_unsqueeze(0)?)?;
        work(&|vector| products.with(vector))
    }
}
