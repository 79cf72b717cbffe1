//! `tables/run/`: one row that says what the run was and how it ended, for SQL.

use crate::error::Result;
use crate::run_dir::RunDir;
use crate::view::View;

/// Writes the run's row: name, state, seed, device, times, every parameter as `param.<key>`, and of each declared metric
/// the last and best value over models, splits and trials.
pub fn write_run_table(_run: &RunDir, _view: &View) -> Result<()> {
    Err(crate::not_yet())
}
