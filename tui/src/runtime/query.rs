//! Opens DuckDB's prompt over runs.

use anyhow::{Context as _, Result};
use gradtop_view::runs::{RunId, RunsSnapshot};

use super::terminal;
use crate::failure::with_causes;
use crate::screens::effect::Message;
use crate::setup::duckdb;
use crate::sql::lake::Lake;

/// Runs the prompt, while the terminal is lent. Returns an error message, if any.
pub(super) fn ask(runs: &RunsSnapshot, asked: &[RunId]) -> Option<Message> {
    let error = prompt(runs, asked).err()?;
    Some(Message::failure(format!("no query: {}", with_causes(&error))))
}

fn prompt(runs: &RunsSnapshot, asked: &[RunId]) -> Result<i32> {
    let program = duckdb::find_or_ask()?;
    let look = |id: &RunId| runs.follow(id, gradtop_host::look).with_context(|| id.dir().name());
    let lake = Lake::new(&asked.iter().map(look).collect::<Result<Vec<_>>>()?, None)?;
    lake.prompt(&program, || drop(terminal::stop()))
}
