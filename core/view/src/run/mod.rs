//! What is said of a single run, in words, symbols, table cells and JSON.

pub mod events;
pub mod facts;
pub mod headline;
pub mod json;
pub mod notes;
pub mod param;
pub mod progress;
pub mod remark;
pub mod state;

#[cfg(test)]
mod tests;
