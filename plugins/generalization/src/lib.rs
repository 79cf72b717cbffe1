//! Experiments on why networks that could memorise still generalise.

pub mod interpolation;
pub mod labels;
pub mod model_size;
pub mod random_labels;
pub mod sensitivity;

gradtop_sdk::export_experiments![
    interpolation::Interpolation,
    model_size::ModelSize,
    random_labels::RandomLabels,
    sensitivity::Sensitivity
];
