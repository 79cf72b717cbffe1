//! The keys of the comparison. Charts have the same keys as on the screen of a run.

use super::Action;
use super::settings::Pane;
use crate::screens::keys::{Binding, Kind, Mode, bind};
use crate::widgets::Move;

pub(crate) const VIEW: Mode<Action> = Mode::new("Comparison", Kind::Runs, ROWS);

/// The keys when only the table is shown.
pub(crate) const TABLE: Mode<Action> = Mode::new("Comparison, only the table", Kind::Runs, TABLE_ROWS);

const TABLE_ROWS: &[Binding<Action>] = &[
    bind(&["left", "h", "<"], Action::Column(false), "column", "the column to the left"),
    bind(&["right", "l", ">"], Action::Column(true), "", "the column to the right"),
    bind(&["up", "k"], Action::Go(Move::By(-1)), "", "the run above"),
    bind(&["down", "j"], Action::Go(Move::By(1)), "", "the run below"),
    bind(&["enter", "O"], Action::Open, "open", "open the run"),
    bind(&["s"], Action::Sort, "sort", "sort by the column; again to reverse"),
    bind(&["b"], Action::Group(true), "group", "group by the next parameter"),
    bind(&["B"], Action::Group(false), "", "group by the previous parameter"),
    bind(&["v"], Action::NextPane, "charts/table", "charts and table, only charts, only the table"),
    bind(&["1"], Action::Show(Pane::Charts), "", "only charts"),
    bind(&["2"], Action::Show(Pane::Table), "", "only the table"),
    bind(&["3"], Action::Show(Pane::Both), "", "charts and table"),
    bind(&["esc"], Action::Back, "", "go back"),
];

const ROWS: &[Binding<Action>] = &[
    bind(&["left", "h"], Action::Cursor(-1), "cursor", "cursor to the left, on all charts"),
    bind(&["right", "l"], Action::Cursor(1), "", "cursor to the right"),
    bind(&["ctrl-left", "alt-left"], Action::Cursor(-10), "", "cursor to the left, ten times as far"),
    bind(&["ctrl-right", "alt-right"], Action::Cursor(10), "", "cursor to the right, ten times as far"),
    bind(&["home"], Action::CursorEnd(false), "", "cursor to the left end"),
    bind(&["end"], Action::CursorEnd(true), "", "cursor to the right end"),
    bind(&["tab"], Action::Chart(1), "next", "next chart"),
    bind(&["shift-tab"], Action::Chart(-1), "", "the previous chart"),
    bind(&["up", "k"], Action::Go(Move::By(-1)), "", "the run above"),
    bind(&["down", "j"], Action::Go(Move::By(1)), "", "the run below"),
    bind(&["pagedown", "]"], Action::Page(1), "", "the next page of charts"),
    bind(&["pageup", "["], Action::Page(-1), "", "the previous page of charts"),
    bind(&["enter"], Action::Expand, "expand", "maximize the chart, or show all"),
    bind(&["+", "="], Action::Smooth(true), "smooth", "smooth more"),
    bind(&["-"], Action::Smooth(false), "", "smooth less"),
    bind(&["z"], Action::Zoom(true), "zoom", "zoom in along x, at the cursor"),
    bind(&["Z"], Action::Zoom(false), "", "zoom out along x"),
    bind(&["shift-left", ","], Action::Pan(false), "", "move the window to the left"),
    bind(&["shift-right", "."], Action::Pan(true), "", "move the window to the right"),
    bind(&["0"], Action::Reset, "", "show all of x again"),
    bind(&["y"], Action::LogY, "log or linear", "logarithmic y: as declared, always, never"),
    bind(&["a"], Action::Align, "axis", "next x axis: step, epoch, time, clock, share of the run"),
    bind(
        &["b"],
        Action::Group(true),
        "group",
        "group by the next parameter: mean, and a band from lowest to highest",
    ),
    bind(&["B"], Action::Group(false), "", "group by the previous parameter"),
    bind(&["<"], Action::Column(false), "", "column of the table to the left"),
    bind(&[">"], Action::Column(true), "", "column of the table to the right"),
    bind(&["s"], Action::Sort, "sort", "sort by the column; again to reverse"),
    bind(&["f"], Action::Focus, "focus", "highlight only the run under the cursor"),
    bind(&["space"], Action::Hide, "hide", "hide or show the run's lines"),
    bind(&["O"], Action::Open, "open", "open the run"),
    bind(&["w"], Action::Write, "", "write this chart, as it is seen, to a file: PNG, SVG or CSV").changing(),
    bind(&["v"], Action::NextPane, "charts/table", "charts and table, only charts, only the table"),
    bind(&["1"], Action::Show(Pane::Charts), "", "only charts"),
    bind(&["2"], Action::Show(Pane::Table), "", "only the table"),
    bind(&["3"], Action::Show(Pane::Both), "", "charts and table"),
    bind(&["esc"], Action::Back, "", "hide the cursor, close the large chart, reset the zoom; else go back"),
];
