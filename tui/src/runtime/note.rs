//! Edits the note of a run in the user's editor.

use anyhow::Result;
use gradtop_store::{change_notes, read_notes};
use gradtop_view::runs::{RunId, RunsSnapshot};

use super::terminal;
use crate::editor;
use crate::failure::with_causes;
use crate::screens::effect::Message;

/// Edits and saves the note, while the terminal is lent. Returns the result.
pub(super) fn write(runs: &RunsSnapshot, run: &RunId) -> Message {
    let name = run.dir().name();
    match edit(runs, run) {
        Ok(true) => Message::news(format!("note kept: {name}")),
        Ok(false) => Message::news(format!("note unchanged: {name}")),
        Err(error) => Message::failure(format!("{name}: {}", with_causes(&error))),
    }
}

/// Returns false if nothing changed.
fn edit(runs: &RunsSnapshot, run: &RunId) -> Result<bool> {
    let before = runs.follow(run, read_notes)?.note;
    // The editor stops by itself on Ctrl-Z; the shell waits for both of us.
    let text = editor::edit(&run.dir().name(), &before, || drop(terminal::stop()))?;
    let now = runs.follow(run, |run| change_notes(run, |notes| notes.note.clone_from(&text)))?;
    Ok(now.note != before)
}
