//! Tables of metrics: CSV, JSON lines, and the state of a Hugging Face trainer.

mod columns;
mod csv;
pub(crate) mod json;
mod json_lines;
mod trainer_state;

/// Maximum number of lines per call.
const BUDGET: usize = 4_096;

pub(crate) use columns::is_place;
pub(crate) use csv::Csv;
pub(crate) use json_lines::JsonLines;
pub(crate) use trainer_state::{FILE as STATE, TrainerState};
