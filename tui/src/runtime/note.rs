//! A note about a run, written in the user's editor.

use anyhow::Result;
use gradtop_store::{RunDir, change_notes, read_notes};

use super::terminal;
use crate::editor;
use crate::screens::actions::ActionResult;

/// Has the note edited and keeps it; the terminal must not be ours. Says what came of it.
pub(super) fn write(run: &RunDir) -> ActionResult {
    let name = run.name();
    match edit(run) {
        Ok(true) => ActionResult::done(format!("note kept: {name}")),
        Ok(false) => ActionResult::done(format!("note unchanged: {name}")),
        Err(error) => ActionResult::failed(format!("{name}: {error:#}")),
    }
}

/// False: it is as before.
fn edit(run: &RunDir) -> Result<bool> {
    let before = read_notes(run)?.note;
    // It stops by itself on a Ctrl-Z; the shell waits for both of us.
    let text = editor::edit(&run.name(), &before, || drop(terminal::stop()))?;
    Ok(change_notes(run, |notes| notes.note = text)?.note != before)
}
