//! The keys of this screen.

use super::Action;
use crate::screens::keys::{Binding, Kind, Mode, bind};
use crate::widgets::Move;

/// In the list.
pub(crate) const LIST: Mode<Action> = Mode::new("Experiments", Kind::Experiments, LIST_ROWS);

const LIST_ROWS: &[Binding<Action>] = &[
    bind(&["enter", "n"], Action::Open, "set up a run", "set up a run of the experiment"),
    bind(&["up", "k"], Action::Go(Move::By(-1)), "", "up"),
    bind(&["down", "j"], Action::Go(Move::By(1)), "", "down"),
    bind(&["home", "g"], Action::Go(Move::First), "", "to the first"),
    bind(&["end", "G"], Action::Go(Move::Last), "", "to the last"),
    bind(&["pageup"], Action::Details(-1), "", "scroll the details up"),
    bind(&["pagedown"], Action::Details(1), "", "scroll the details down"),
];

pub(crate) const FORM: Mode<Action> = Mode::new("Setting up a run", Kind::Typing, FORM_ROWS);

const FORM_ROWS: &[Binding<Action>] = &[
    bind(&["ctrl-s"], Action::Start, "start", "start the run, from any field").changing(),
    bind(&["enter"], Action::Enter, "next", "next field; on the last line: start the run"),
    bind(&["up", "shift-tab"], Action::Go(Move::By(-1)), "", "field above"),
    bind(&["down", "tab"], Action::Go(Move::By(1)), "", "field below"),
    bind(&["pageup"], Action::Go(Move::Page(-1)), "", "ten fields up"),
    bind(&["pagedown"], Action::Go(Move::Page(1)), "", "ten fields down"),
    bind(&["shift-up", "ctrl-up", "alt-up"], Action::Nudge(true), "", "increase to the next round value"),
    bind(
        &["shift-down", "ctrl-down", "alt-down"],
        Action::Nudge(false),
        "",
        "decrease to the next round value",
    ),
    bind(&["ctrl-r"], Action::Reset, "reset", "reset the field; on the preset: reset all fields"),
    bind(&["esc"], Action::Close, "close", "leave the form"),
];
