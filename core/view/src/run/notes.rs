//! A user's notes on a run as text.

use gradtop_host::text::clean;
use gradtop_store::View;

/// The symbol of a starred run.
pub const STAR: &str = "★";

/// Summarizes a user's notes in a line: star, tags, and the first line of the note.
pub fn in_words(view: &View) -> String {
    let notes = &view.notes;
    let star = notes.starred.then(|| STAR.to_owned());
    let marks: Vec<String> = star.into_iter().chain(notes.tags.iter().map(|tag| clean(tag))).collect();
    let parts = [marks.join(" "), clean(notes.headline())];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}
