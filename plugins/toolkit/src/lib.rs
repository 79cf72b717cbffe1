//! The common parts of gradtop's own experiments, on libtorch through `tch`: data sets, counter-based random numbers,
//! ensembles trained together, optimizers with savable state, checkpoints, curvature.
//!
//! Everything works on `tch` tensors; only [`runtime`] knows of runs.

pub mod alignment;
pub mod checkpoint;
pub mod cnn;
pub mod conclusion;
pub mod curvature;
pub mod data;
pub mod dense;
pub mod ensemble;
pub mod functions;
pub mod instruments;
mod lanes;
pub mod levenberg_marquardt;
pub mod metrics;
pub mod mlp;
pub mod pca;
pub mod rates;
pub mod rng;
pub mod runtime;
pub mod settings;
pub mod sharpness;
pub mod stats;
pub mod tensors;
pub mod weights;
pub mod workers;

pub use gradtop_torch::optim;
