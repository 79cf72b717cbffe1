//! Opens DuckDB's prompt over runs.

use anyhow::{Context as _, Result};
use gradtop_view::runs::RunId;

use super::terminal;
use crate::screens::actions::ActionResult;
use crate::setup::duckdb;
use crate::sql::lake::Lake;

/// Runs the prompt, while the terminal is lent. Returns an error message, if any.
pub(super) fn ask(runs: &[RunId]) -> Option<ActionResult> {
    let error = prompt(runs).err()?;
    Some(ActionResult::failed(format!("no query: {error:#}")))
}

fn prompt(runs: &[RunId]) -> Result<i32> {
    let program = duckdb::find_or_ask()?;
    let look = |id: &RunId| {
        let run = id.dir();
        gradtop_host::look(&run).with_context(|| run.name())
    };
    let lake = Lake::new(&runs.iter().map(look).collect::<Result<Vec<_>>>()?, None)?;
    lake.prompt(&program, || drop(terminal::stop()))
}
