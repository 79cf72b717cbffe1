//! Experiments on what happens while a network trains.

pub mod error_surface;
pub mod gradient_norm;
pub mod minimal_ratio;
pub mod optimization_path;

gradtop_sdk::export_experiments![
    error_surface::ErrorSurface,
    gradient_norm::GradientNorm,
    minimal_ratio::MinimalRatio,
    optimization_path::OptimizationPath
];
