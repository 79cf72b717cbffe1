//! The interface between instruments and networks.

use tch::{TchError, Tensor};

use super::Subset;
use crate::cnn::Cnn;
use crate::curvature::{autograd, network};
use crate::mlp::Mlp;
use crate::tensors::layers;

/// A Hessian's products with one vector per trial: `[trials, parameters]` to `[trials, parameters]`.
pub type Product<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor, TchError>;

/// A network, or an ensemble of equal and independent ones, that can be measured.
pub trait Watched {
    /// Returns the number of networks.
    fn trials(&self) -> i64;

    /// Returns all parameters, flat: layer by layer, and within a layer trial by trial.
    fn parameters(&self) -> &Tensor;

    /// Returns the gradient for the next update, in the same layout.
    fn gradients(&self) -> &Tensor;

    /// Returns the number of parameters of each layer of one trial.
    fn layer_parameter_counts(&self) -> Vec<i64>;

    /// Calls `work` with the Hessian of each trial's loss on a subset, at the current parameters.
    fn hessian(
        &self,
        subset: &Subset,
        work: &mut dyn FnMut(Product<'_>) -> Result<(), TchError>,
    ) -> Result<(), TchError>;

    /// Returns a tensor in the layout of the parameters as one row per trial: `[trials, parameters]`. A copy.
    fn rows(&self, flat: &Tensor) -> Result<Tensor, TchError> {
        Tensor::f_cat(&layers(flat, &self.layer_parameter_counts(), self.trials())?, 1)
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
