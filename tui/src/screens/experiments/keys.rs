//! The keys of this screen.

use super::Action;
use crate::screens::keys::meanings as key;
use crate::screens::keys::{Binding, Kind, Mode, bind};
use crate::widgets::{Move, Way};

/// In the list.
pub(crate) const LIST: Mode<Action> = Mode::new("Experiments", Kind::Experiments, LIST_ROWS);

const LIST_ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER, key::NEW], Action::Open, "set up a run", "set up a run of the experiment").changing(),
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "up"),
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "down"),
    bind(&[key::START, key::FIRST], Action::Go(Move::First), "", "to the first"),
    bind(&[key::END, key::LAST], Action::Go(Move::Last), "", "to the last"),
    bind(&[key::PAGE_UP], Action::Details(-1), "", "scroll the details up"),
    bind(&[key::PAGE_DOWN], Action::Details(1), "", "scroll the details down"),
];

pub(crate) const FORM: Mode<Action> = Mode::new("Setting up a run", Kind::Typing, FORM_ROWS);

const FORM_ROWS: &[Binding<Action>] = &[
    bind(&[key::START_RUN], Action::Start, "start", "start the run, from any field").changing(),
    bind(&[key::ENTER], Action::Enter, "next", "next field; on the last line: start the run"),
    bind(&[key::UP, key::PREVIOUS], Action::Go(Move::By(-1)), "", "field above"),
    bind(&[key::DOWN, key::NEXT], Action::Go(Move::By(1)), "", "field below"),
    bind(&[key::PAGE_UP], Action::Go(Move::Page(-1)), "", "ten fields up"),
    bind(&[key::PAGE_DOWN], Action::Go(Move::Page(1)), "", "ten fields down"),
    bind(&[key::STEP_UP, key::MORE], Action::Nudge(Way::On), "", "increase to the next round value"),
    bind(&[key::STEP_DOWN, key::LESS], Action::Nudge(Way::Back), "", "decrease to the next round value"),
    bind(&[key::RESET_FIELD], Action::Reset, "reset", "reset the field; on the preset: reset all fields"),
    bind(&[key::BACK], Action::Close, "close", "leave the form"),
];
