//! Edits the note of a run in the user's editor.

use anyhow::Result;
use gradtop_store::{RunDir, change_notes, read_notes};

use super::terminal;
use crate::editor;
use crate::screens::actions::ActionResult;

/// Edits and saves the note, while the terminal is lent. Returns the result.
pub(super) fn write(run: &RunDir) -> ActionResult {
    let name = run.name();
    match edit(run) {
        Ok(true) => ActionResult::done(format!("note kept: {name}")),
        Ok(false) => ActionResult::done(format!("note unchanged: {name}")),
        Err(error) => ActionResult::failed(format!("{name}: {error:#}")),
    }
}

/// Returns false if nothing changed.
fn edit(run: &RunDir) -> Result<bool> {
    let before = read_notes(run)?.note;
    // The editor stops by itself on Ctrl-Z; the shell waits for both of us.
    let text = editor::edit(&run.name(), &before, || drop(terminal::stop()))?;
    Ok(change_notes(run, |notes| notes.note = text)?.note != before)
}
