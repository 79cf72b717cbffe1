//! Experiments on what happens while a network trains.

pub mod gradient_norm;

gradtop_sdk::export_experiments![gradient_norm::GradientNorm];
