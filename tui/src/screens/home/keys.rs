//! The keys of the list of runs.

use super::Action;
use crate::screens::keys::{Binding, Kind, Mode, bind as row};
use crate::widgets::Move;

/// In the list.
pub(crate) const LIST: Mode<Action> = Mode { title: "Runs", bindings: ROWS, kind: Kind::Runs };

const ROWS: &[Binding<Action>] = &[
    row(&["enter"], Action::Open, "open", "open the run, or fold and unfold the experiment"),
    row(&["n"], Action::New, "new run", "start a new run").changing(),
    row(&["space"], Action::Select, "select", "select the run, or all of the experiment"),
    row(&["c"], Action::Compare, "compare", "compare the runs selected, else those of the experiment"),
    row(&["/"], Action::Filter, "filter", "filter the list: state:running lr<0.01 flat*"),
    row(&["s"], Action::Sort, "sort", "sort by the next column"),
    row(&["o"], Action::Reverse, "", "sort the other way round"),
    row(&["a"], Action::SelectAll, "", "select all runs shown, or none"),
    row(&["v"], Action::Pane, "", "show the cursor's run below, beside, or not"),
    row(&["up", "k"], Action::Go(Move::By(-1)), "", "up"),
    row(&["down", "j"], Action::Go(Move::By(1)), "", "down"),
    row(&["pageup"], Action::Go(Move::Page(-1)), "", "a page up"),
    row(&["pagedown"], Action::Go(Move::Page(1)), "", "a page down"),
    row(&["home", "g"], Action::Go(Move::First), "", "to the first run"),
    row(&["end", "G"], Action::Go(Move::Last), "", "to the last run"),
    row(&["left", "h"], Action::Fold, "", "fold the experiment"),
    row(&["right", "l"], Action::Unfold, "", "unfold the experiment"),
    row(&["esc"], Action::Clear, "", "clear the selection, then the filter"),
];

/// While a filter is typed.
pub(crate) const FILTER: Mode<Action> =
    Mode { title: "Runs: typing a filter", bindings: FILTER_ROWS, kind: Kind::Typing };

const FILTER_ROWS: &[Binding<Action>] = &[
    row(&["enter"], Action::Keep, "keep", "keep the filter"),
    row(&["esc"], Action::Cancel, "cancel", "back to the filter before"),
    row(&["up"], Action::Go(Move::By(-1)), "", "up in the list"),
    row(&["down"], Action::Go(Move::By(1)), "", "down in the list"),
];
