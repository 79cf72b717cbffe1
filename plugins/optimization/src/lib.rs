//! Experiments on what happens while a network trains.

pub mod edge_of_stability;
pub mod error_surface;
pub mod gradient_norm;
pub mod minimal_ratio;
pub mod optimization_path;

gradtop_sdk::export_experiments![
    edge_of_stability::EdgeOfStability,
    error_surface::ErrorSurface,
    gradient_norm::GradientNorm,
    minimal_ratio::MinimalRatio,
    optimization_path::OptimizationPath
];
