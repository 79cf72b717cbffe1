//! The state of a run as a word, a symbol and a colour.

use std::collections::BTreeMap;

use gradtop_chart::cells::theme::Ink;
use gradtop_chart::colour::Paint;
use gradtop_store::{State, View};

/// Returns the symbol of a state.
pub fn glyph(state: State) -> char {
    match state {
        State::Running | State::Stopping => '●',
        State::Paused => '◐',
        State::Finished => '✓',
        State::Stopped => '■',
        State::Failed => '✗',
        State::Crashed => '☠',
        State::Queued | State::Starting => '…',
    }
}

/// Returns the symbol of a state, in ASCII if requested.
pub fn glyph_in(state: State, ascii: bool) -> char {
    if ascii { gradtop_chart::ascii::substitute(glyph(state)) } else { glyph(state) }
}

/// Returns the colour of a state.
pub fn ink(state: State) -> Ink {
    match state {
        State::Running | State::Stopping => Ink::Series(Paint::Slot(2)),
        State::Paused => Ink::Wait,
        State::Failed | State::Crashed => Ink::Alert,
        State::Finished => Ink::Text,
        State::Stopped | State::Queued | State::Starting => Ink::Dim,
    }
}

/// Returns the mark of a state that may have changed unseen on another machine.
fn uncertainty_mark(certain: bool) -> &'static str {
    if certain { "" } else { "?" }
}

/// Returns `●`, or `●?` if uncertain.
pub fn sign(state: State, certain: bool, ascii: bool) -> String {
    format!("{}{}", glyph_in(state, ascii), uncertainty_mark(certain))
}

/// Returns `running`, or `running?` if uncertain.
pub fn word(state: State, certain: bool) -> String {
    format!("{state}{}", uncertainty_mark(certain))
}

/// Returns `● running`, or `● running?` if uncertain.
pub fn label_in(view: &View, ascii: bool) -> String {
    format!("{} {}", glyph_in(view.state, ascii), word(view.state, view.certain))
}

/// Like [`label_in`] without ASCII, for text that is converted later if necessary.
pub fn label(view: &View) -> String {
    label_in(view, false)
}

/// Counts the runs in each state, active states first; uncertain ones are counted separately.
pub fn counts<'a>(views: impl IntoIterator<Item = &'a View>) -> Vec<(State, bool, usize)> {
    let mut counts = BTreeMap::new();
    for view in views {
        *counts.entry((view.state, !view.certain)).or_insert(0) += 1;
    }
    counts.into_iter().map(|((state, doubt), n)| (state, !doubt, n)).collect()
}
