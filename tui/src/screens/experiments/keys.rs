//! The keys of this screen.

use super::Action;
use crate::app::keys::{self, AppAction, Binding};

const fn row(
    keys: &'static [&'static str],
    action: Action,
    hint: &'static str,
    what: &'static str,
) -> Binding {
    Binding { keys, action: keys::Action::Experiments(action), hint, what }
}

/// In the list.
pub(crate) const LIST: &[Binding] = &[
    row(&["enter", "n"], Action::Open, "set up a run", "set up a run of the experiment"),
    row(&["up", "k"], Action::Up, "", "up"),
    row(&["down", "j"], Action::Down, "", "down"),
    row(&["home", "g"], Action::First, "", "to the first"),
    row(&["end", "G"], Action::Last, "", "to the last"),
    row(&["pageup"], Action::PageUp, "", "scroll the details up"),
    row(&["pagedown"], Action::PageDown, "", "scroll the details down"),
];

/// In the form.
pub(crate) const FORM: &[Binding] = &[
    row(&["ctrl-s"], Action::Start, "start", "start the run, from any field"),
    row(&["enter"], Action::Enter, "next", "next field; on the last line: start the run"),
    row(&["up", "shift-tab"], Action::Up, "", "field above"),
    row(&["down", "tab"], Action::Down, "", "field below"),
    row(&["left"], Action::Left, "", "cursor left, or the choice before"),
    row(&["right"], Action::Right, "", "cursor right, or the next choice"),
    row(&["shift-up", "ctrl-up", "alt-up"], Action::More, "", "the next greater round value"),
    row(&["shift-down", "ctrl-down", "alt-down"], Action::Less, "", "the next smaller round value"),
    row(&["ctrl-r"], Action::Reset, "reset", "the field's default again; on the preset: of all fields"),
    row(&["home", "ctrl-a"], Action::First, "", "to the beginning of the text"),
    row(&["end", "ctrl-e"], Action::Last, "", "to the end of the text"),
    row(&["backspace", "ctrl-h"], Action::Backspace, "", "delete the character before the cursor"),
    row(&["delete"], Action::Delete, "", "delete the character at the cursor"),
    row(&["ctrl-w"], Action::DeleteWord, "", "delete the word before the cursor"),
    row(&["ctrl-u"], Action::DeleteToStart, "", "delete all before the cursor"),
    row(&["pageup"], Action::PageUp, "", "ten fields up"),
    row(&["pagedown"], Action::PageDown, "", "ten fields down"),
    row(&["esc"], Action::Close, "back", "leave the form; nothing is started"),
    Binding { keys: &["f1"], action: keys::Action::App(AppAction::Help), hint: "help", what: "all keys" },
];
