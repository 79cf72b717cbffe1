//! Lists of runs: their columns, filters, order and ranking.

pub mod column;
pub mod differing;
mod field;
pub mod filter;
mod key;
pub mod order;
pub mod ranking;
