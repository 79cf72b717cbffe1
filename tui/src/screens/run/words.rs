//! A run's state and times as words and styles.

use gradtop_store::State;
use ratatui::style::Style;

use crate::screens::shared::Shared;

/// The sign of a state.
pub(crate) fn glyph(shared: &Shared, state: State) -> char {
    let (fine, plain) = match state {
        State::Running | State::Stopping => ('●', '*'),
        State::Paused => ('◐', '='),
        State::Finished => ('✓', '+'),
        State::Stopped => ('■', '#'),
        State::Failed => ('✗', 'x'),
        State::Crashed => ('☠', '!'),
        State::Queued | State::Starting => ('…', '.'),
    };
    shared.theme.glyph(fine, plain)
}

/// The style of a state.
pub(crate) fn state_style(shared: &Shared, state: State) -> Style {
    let theme = shared.theme;
    match state {
        State::Running | State::Stopping => theme.good(),
        State::Paused => theme.wait(),
        State::Failed | State::Crashed => theme.alert(),
        State::Finished => theme.text(),
        State::Stopped | State::Queued | State::Starting => theme.dim(),
    }
}

/// Signs of our own and of formulas as far as the terminal can show them.
pub(crate) fn signs(shared: &Shared, text: &str) -> String {
    if shared.theme.ascii() { crate::print::plain(text) } else { text.to_owned() }
}
