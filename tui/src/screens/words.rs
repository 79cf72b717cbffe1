//! The state of a run as words and styles.

use gradtop_store::State;
use ratatui::style::Style;

use crate::screens::shared::Shared;
use gradtop_view::run::state;

pub(crate) fn glyph(shared: &Shared, state: State) -> char {
    state::glyph_in(state, shared.theme.ascii())
}

/// The style of a state.
pub(crate) fn state_style(shared: &Shared, state: State) -> Style {
    shared.theme.ink(state::ink(state))
}

/// Replaces signs and mathematical symbols that the terminal cannot show.
pub(crate) fn signs(shared: &Shared, text: &str) -> String {
    if shared.theme.ascii() { crate::print::plain(text) } else { text.to_owned() }
}
