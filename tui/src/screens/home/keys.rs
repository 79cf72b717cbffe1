//! The keys of the list of runs.

use super::Action;
use crate::app::keys::{self, Binding};

const fn row(
    keys: &'static [&'static str],
    action: Action,
    hint: &'static str,
    what: &'static str,
) -> Binding {
    Binding { keys, action: keys::Action::Home(action), hint, what }
}

/// In the list.
pub(crate) const LIST: &[Binding] = &[
    row(&["enter"], Action::Open, "open", "open the run, or fold and unfold the experiment"),
    row(&["n"], Action::New, "new run", "start a new run"),
    row(&["space"], Action::Select, "select", "select the run, or all of the experiment"),
    row(&["c"], Action::Compare, "compare", "compare the runs selected, else those of the experiment"),
    row(&["/"], Action::Filter, "filter", "filter the list: state:running lr<0.01 flat*"),
    row(&["s"], Action::Sort, "sort", "sort by the next column"),
    row(&["o"], Action::Reverse, "", "sort the other way round"),
    row(&["a"], Action::SelectAll, "", "select all runs shown, or none"),
    row(&["v"], Action::Pane, "", "show the cursor's run below, beside, or not"),
    row(&["up", "k"], Action::Up, "", "up"),
    row(&["down", "j"], Action::Down, "", "down"),
    row(&["pageup"], Action::PageUp, "", "a page up"),
    row(&["pagedown"], Action::PageDown, "", "a page down"),
    row(&["home", "g"], Action::Top, "", "to the first run"),
    row(&["end", "G"], Action::Bottom, "", "to the last run"),
    row(&["left", "h"], Action::Fold, "", "fold the experiment"),
    row(&["right", "l"], Action::Unfold, "", "unfold the experiment"),
    row(&["esc"], Action::Clear, "", "clear the selection, then the filter"),
];

/// While a filter is typed.
pub(crate) const FILTER: &[Binding] = &[
    row(&["enter"], Action::Keep, "keep", "keep the filter"),
    row(&["esc"], Action::Cancel, "cancel", "back to the filter before"),
    row(&["left"], Action::Caret(-1), "", "a character back"),
    row(&["right"], Action::Caret(1), "", "a character on"),
    row(&["home", "ctrl-a"], Action::Caret(i16::MIN), "", "to the beginning"),
    row(&["end", "ctrl-e"], Action::Caret(i16::MAX), "", "to the end"),
    row(&["backspace"], Action::Erase, "", "erase the character before"),
    row(&["delete"], Action::EraseNext, "", "erase the character at the cursor"),
    row(&["ctrl-u"], Action::EraseAll, "erase all", "erase everything"),
    row(&["up"], Action::Up, "", "up in the list"),
    row(&["down"], Action::Down, "", "down in the list"),
];
