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
    row(&["enter"], Action::Open, "open", "open the run"),
    row(&["up", "k"], Action::Up, "", "up"),
    row(&["down", "j"], Action::Down, "", "down"),
];

/// While a filter is typed.
pub(crate) const FILTER: &[Binding] = &[];
