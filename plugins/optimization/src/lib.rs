//! Experiments on what happens while a network trains.

pub mod gradient_norm;
pub mod minimal_ratio;
pub mod optimization_path;
mod settings;

gradtop_sdk::export_experiments![
    gradient_norm::GradientNorm,
    minimal_ratio::MinimalRatio,
    optimization_path::OptimizationPath
];
