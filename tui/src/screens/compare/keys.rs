//! The keys of the comparison. Charts have the same keys as on the screen of a run.

use super::Action;
use super::settings::Pane;
use crate::screens::keys::{Binding, Kind, Mode, bind};
use crate::screens::meanings as key;
use crate::widgets::Move;

pub(crate) const VIEW: Mode<Action> = Mode::new("Comparison", Kind::Runs, ROWS);

/// The keys when only the table is shown.
pub(crate) const TABLE: Mode<Action> = Mode::new("Comparison, only the table", Kind::Runs, TABLE_ROWS);

const TABLE_ROWS: &[Binding<Action>] = &[
    bind(&[key::LEFT, key::COLUMN_LEFT], Action::Column(false), "column", "the column to the left"),
    bind(&[key::RIGHT, key::COLUMN_RIGHT], Action::Column(true), "", "the column to the right"),
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "the run above"),
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "the run below"),
    bind(&[key::FIRST], Action::Go(Move::First), "", "the first run of the table"),
    bind(&[key::LAST], Action::Go(Move::Last), "", "the last run of the table"),
    bind(&[key::ENTER, key::OPEN], Action::Open, "open", "open the run"),
    bind(&[key::SORT], Action::Sort, "sort", "sort by the column; again: in the order of the list"),
    bind(&[key::REVERSE], Action::Reverse, "", "reverse the order"),
    bind(&[key::GROUP], Action::Group(true), "group", "group by the next parameter"),
    bind(&[key::GROUP_BACK], Action::Group(false), "", "group by the previous parameter"),
    bind(&[key::PARTS], Action::NextPane, "charts/table", "charts and table, only charts, only the table"),
    bind(&[key::PART_1], Action::Show(Pane::Charts), "", "only charts"),
    bind(&[key::PART_2], Action::Show(Pane::Table), "", "only the table"),
    bind(&[key::PART_3], Action::Show(Pane::Both), "", "charts and table"),
];

const ROWS: &[Binding<Action>] = &[
    bind(&[key::LEFT], Action::Cursor(-1), "cursor", "cursor to the left, on all charts"),
    bind(&[key::RIGHT], Action::Cursor(1), "", "cursor to the right"),
    bind(&[key::FAR_LEFT], Action::Cursor(-10), "", "cursor to the left, ten times as far"),
    bind(&[key::FAR_RIGHT], Action::Cursor(10), "", "cursor to the right, ten times as far"),
    bind(&[key::START], Action::CursorEnd(false), "", "cursor to the left end"),
    bind(&[key::END], Action::CursorEnd(true), "", "cursor to the right end"),
    bind(&[key::NEXT], Action::Chart(1), "next", "next chart"),
    bind(&[key::PREVIOUS], Action::Chart(-1), "", "the previous chart"),
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "the run above"),
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "the run below"),
    bind(&[key::FIRST], Action::Go(Move::First), "", "the first run of the table"),
    bind(&[key::LAST], Action::Go(Move::Last), "", "the last run of the table"),
    bind(&[key::PAGE_DOWN], Action::Page(1), "", "the next page of charts"),
    bind(&[key::PAGE_UP], Action::Page(-1), "", "the previous page of charts"),
    bind(&[key::ENTER], Action::Expand, "expand", "maximize the chart, or show all"),
    bind(&[key::SMOOTH], Action::Smooth(true), "smooth", "smooth more"),
    bind(&[key::ROUGH], Action::Smooth(false), "", "smooth less"),
    bind(&[key::ZOOM_X], Action::Zoom(true), "zoom", "zoom in along x, at the cursor"),
    bind(&[key::WIDEN_X], Action::Zoom(false), "", "zoom out along x"),
    bind(&[key::STEP_LEFT], Action::Pan(false), "", "move the window to the left"),
    bind(&[key::STEP_RIGHT], Action::Pan(true), "", "move the window to the right"),
    bind(&[key::RESET], Action::Reset, "", "show all of x again"),
    bind(&[key::LOG_Y], Action::LogY, "log or linear", "logarithmic y: as declared, always, never"),
    bind(&[key::AXIS], Action::Align, "axis", "next x axis: step, epoch, time, clock, share of the run"),
    bind(
        &[key::GROUP],
        Action::Group(true),
        "group",
        "group by the next parameter: mean, and a band from lowest to highest",
    ),
    bind(&[key::GROUP_BACK], Action::Group(false), "", "group by the previous parameter"),
    bind(&[key::COLUMN_LEFT], Action::Column(false), "", "column of the table to the left"),
    bind(&[key::COLUMN_RIGHT], Action::Column(true), "", "column of the table to the right"),
    bind(&[key::SORT], Action::Sort, "sort", "sort by the column; again: in the order of the list"),
    bind(&[key::REVERSE], Action::Reverse, "", "reverse the order of the table"),
    bind(&[key::ONLY], Action::Focus, "focus", "highlight only the run under the cursor"),
    bind(&[key::MARK], Action::Hide, "hide", "hide or show the run's lines"),
    bind(&[key::OPEN], Action::Open, "open", "open the run"),
    bind(&[key::WRITE], Action::Write, "", "write this chart, as it is seen, to a file: PNG, SVG or CSV")
        .changing(),
    bind(&[key::PARTS], Action::NextPane, "charts/table", "charts and table, only charts, only the table"),
    bind(&[key::PART_1], Action::Show(Pane::Charts), "", "only charts"),
    bind(&[key::PART_2], Action::Show(Pane::Table), "", "only the table"),
    bind(&[key::PART_3], Action::Show(Pane::Both), "", "charts and table"),
    bind(
        &[key::BACK],
        Action::Back,
        "",
        "hide the cursor, close the large chart, reset the zoom; else go back",
    ),
];
