//! Experiments on what depth does when the number of parameters stays the same.

pub mod expression;
pub mod function_fit;
pub mod image_classification;

gradtop_sdk::export_experiments![function_fit::FunctionFit, image_classification::ImageClassification];
