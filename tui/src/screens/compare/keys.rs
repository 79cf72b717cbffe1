//! The keys of this screen.

use super::Action;
use crate::app::keys::{self, Binding};

const fn row(
    keys: &'static [&'static str],
    action: Action,
    hint: &'static str,
    what: &'static str,
) -> Binding {
    Binding { keys, action: keys::Action::Compare(action), hint, what }
}

/// The keys.
pub(crate) const KEYS: &[Binding] = &[
    row(&["tab"], Action::Pane, "charts/table", "charts and table, only charts, only the table"),
    row(&["1"], Action::Charts, "", "only charts"),
    row(&["2"], Action::Table, "", "only the table"),
    row(&["3"], Action::Both, "", "charts and table"),
    row(&["up", "k"], Action::Up, "", "run above"),
    row(&["down", "j"], Action::Down, "", "run below"),
    row(&["left", "h"], Action::Left, "", "chart (or column of the table, or cursor) to the left"),
    row(&["right", "l"], Action::Right, "", "chart (or column of the table, or cursor) to the right"),
    row(&["pageup"], Action::PageUp, "", "charts before"),
    row(&["pagedown"], Action::PageDown, "", "next charts"),
    row(&["enter"], Action::Expand, "expand", "the chart alone, or all again"),
    row(&["a"], Action::Align, "x axis", "next x axis: step, epoch, time, clock, share of the run"),
    row(
        &["b"],
        Action::Group,
        "group",
        "group by the next parameter: mean, and a band from lowest to highest",
    ),
    row(&["B"], Action::GroupBack, "", "group by the parameter before"),
    row(&["s"], Action::Sort, "sort", "sort by the column; once more: the other way round"),
    row(&["<", ","], Action::ColumnLeft, "", "column of the table to the left"),
    row(&[">", "."], Action::ColumnRight, "", "column of the table to the right"),
    row(&["f"], Action::Focus, "focus", "only the run under the cursor in its colour"),
    row(&["space"], Action::Hide, "hide", "hide or show the run's lines"),
    row(&["o"], Action::Open, "open", "open the run"),
    row(&["y"], Action::LogY, "", "logarithmic y axis: as declared, always, never"),
    row(&["+", "="], Action::Smoother, "", "smooth more"),
    row(&["-"], Action::Rougher, "", "smooth less"),
    row(&["c"], Action::Cursor, "cursor", "a cursor with every line's value at its x"),
    row(&["z"], Action::ZoomIn, "zoom", "zoom into x, at the cursor"),
    row(&["Z"], Action::ZoomOut, "", "zoom out of x"),
    row(&["{"], Action::PanLeft, "", "move the stretch seen to the left"),
    row(&["}"], Action::PanRight, "", "move the stretch seen to the right"),
    row(&["0"], Action::Reset, "", "all of x, without cursor"),
    row(&["esc"], Action::Back, "back", "all charts again; then back to the screen before"),
];
