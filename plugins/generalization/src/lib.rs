//! Experiments on why networks that could memorise still generalise.

pub mod labels;
pub mod random_labels;

gradtop_sdk::export_experiments![random_labels::RandomLabels];
