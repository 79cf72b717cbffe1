//! The keys of this screen.

use super::Action;
use crate::app::keys::{self, Binding};

/// The keys.
pub(crate) const KEYS: &[Binding] = &[Binding {
    keys: &["space"],
    action: keys::Action::Compare(Action::Nothing),
    hint: "",
    what: "nothing yet",
}];
