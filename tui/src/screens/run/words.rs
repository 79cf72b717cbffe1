//! A run's state as words and styles.

use gradtop_store::State;
use ratatui::style::Style;

use crate::screens::shared::Shared;
use gradtop_view::state;

/// The sign of a state.
pub(crate) fn glyph(shared: &Shared, state: State) -> char {
    state::glyph_in(state, shared.theme.ascii())
}

/// The style of a state.
pub(crate) fn state_style(shared: &Shared, state: State) -> Style {
    shared.theme.ink(state::ink(state))
}

/// Signs of our own and of formulas as far as the terminal can show them.
pub(crate) fn signs(shared: &Shared, text: &str) -> String {
    if shared.theme.ascii() { crate::print::plain(text) } else { text.to_owned() }
}
