//! Curvature of a loss: Hessians, their products with vectors, their spectra.
//!
//! Parameters of several runs are in one tensor `[runs, parameters]`; every function here handles all runs at once. There are two
//! ways to compute derivatives. [`network`] has hand-written passes of fully connected networks, an order of magnitude faster
//! than autograd on small ones. [`autograd`] accepts any loss as a closure, through libtorch's graph.
//!
//! Counting signs of eigenvalues requires double precision: in single precision, the eigenvalues near zero, which are
//! most of them, have the sign of their rounding errors.

pub mod autograd;
pub mod hutchinson;
pub mod jacobian;
pub mod lanczos;
pub mod network;
mod second_order;
pub mod spectrum;

/// Maximum number of values in a temporary: samples or runs are processed in groups so that it stays in a cache.
fn limit(device: tch::Device) -> i64 {
    if device == tch::Device::Cpu { 1 << 18 } else { 1 << 26 }
}
