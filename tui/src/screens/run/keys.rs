//! The keys of this screen.

use super::charts::search::SYNTAX;
use super::{Action, Pane};
use crate::screens::keys::{Binding, Kind, Mode, bind};
use crate::screens::meanings as key;
use crate::widgets::Move;

/// Joins tables of keys.
const fn join<const N: usize>(parts: &[&[Binding<Action>]]) -> [Binding<Action>; N] {
    let mut out = [bind(&[], Action::Leave, "", ""); N];
    let (mut part, mut n) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            out[n] = parts[part][i];
            (n, i) = (n + 1, i + 1);
        }
        part += 1;
    }
    assert!(n == N, "the length of the joined table is wrong");
    out
}

/// Every mode, in the order of the documentation.
#[cfg(test)]
pub(crate) const ALL: [&Mode<Action>; 7] = [&CHARTS, &SEARCH, &SERIES, &LOG, &FIND, &LINES, &TABLES];

/// Creates a mode with the keys that all panes share.
const fn mode(title: &'static str, bindings: &'static [Binding<Action>]) -> Mode<Action> {
    Mode::new(title, Kind::Runs, bindings)
}

const PANES: &[Binding<Action>] = &[
    bind(&[key::PART_1], Action::Show(Pane::Charts), "", "the charts"),
    bind(&[key::PART_2], Action::Show(Pane::Log), "", "the run's output"),
    bind(&[key::PART_3], Action::Show(Pane::Events), "", "events: states, checkpoints, warnings"),
    bind(&[key::PART_4], Action::Show(Pane::Params), "", "parameters and settings"),
    bind(&[key::PART_5], Action::Show(Pane::Tables), "", "the tables"),
    bind(&[key::PART_6], Action::Show(Pane::System), "", "processor, memory and GPU of the run's process"),
];

const CHART: &[Binding<Action>] = &[
    bind(&[key::LEFT], Action::Cursor(-1), "cursor", "cursor to the left, on all charts"),
    bind(&[key::RIGHT], Action::Cursor(1), "", "cursor to the right"),
    bind(&[key::FAR_LEFT], Action::Cursor(-10), "", "cursor to the left, ten times as far"),
    bind(&[key::FAR_RIGHT], Action::Cursor(10), "", "cursor to the right, ten times as far"),
    bind(&[key::START], Action::CursorEnd(false), "", "cursor to the left end"),
    bind(&[key::END], Action::CursorEnd(true), "", "cursor to the right end"),
    bind(&[key::FIRST], Action::Go(Move::First), "", "the first chart"),
    bind(&[key::LAST], Action::Go(Move::Last), "", "the last chart"),
    bind(&[key::NEXT], Action::Focus(1, 0), "next", "the next chart"),
    bind(&[key::PREVIOUS], Action::Focus(-1, 0), "", "the previous chart"),
    bind(&[key::DOWN], Action::Focus(0, 1), "", "the chart below"),
    bind(&[key::UP], Action::Focus(0, -1), "", "the chart above"),
    bind(&[key::PAGE_DOWN], Action::Page(1), "", "the next page of charts"),
    bind(&[key::PAGE_UP], Action::Page(-1), "", "the previous page of charts"),
    bind(&[key::ENTER], Action::Expand, "expand", "maximize the chart, or show all"),
    bind(
        &[key::SMOOTH],
        Action::Smooth(true),
        "smooth",
        "smooth more (moving average; raw values stay visible)",
    ),
    bind(&[key::ROUGH], Action::Smooth(false), "", "smooth less"),
    bind(&[key::ZOOM_X], Action::ZoomX(true), "zoom", "zoom in along x, at the cursor; in all charts"),
    bind(&[key::WIDEN_X], Action::ZoomX(false), "", "zoom out along x"),
    bind(&[key::ZOOM_Y], Action::ZoomY(true), "", "zoom in along y, in this chart"),
    bind(&[key::WIDEN_Y], Action::ZoomY(false), "", "zoom out along y"),
    bind(&[key::STEP_LEFT], Action::PanX(false), "", "move the window to the left"),
    bind(&[key::STEP_RIGHT], Action::PanX(true), "", "move the window to the right"),
    bind(&[key::STEP_DOWN, key::PAN_DOWN], Action::PanY(false), "", "move the window down"),
    bind(&[key::STEP_UP, key::PAN_UP], Action::PanY(true), "", "move the window up"),
    bind(&[key::RESET], Action::Reset, "", "reset this chart; press twice for all charts"),
    bind(&[key::LOG_Y], Action::LogY, "log or linear", "logarithmic y in this chart, or linear"),
    bind(&[key::LOG_X], Action::LogX, "", "logarithmic x, or linear"),
    bind(&[key::AXIS], Action::Axis, "axis", "next x axis: step, epoch, time since start, time of day"),
    bind(&[key::EXTREMES], Action::Clip, "", "clip extremes"),
    bind(&[key::SAME_Y], Action::SameY, "", "same y range for charts of the same unit"),
    bind(&[key::COLUMNS], Action::Columns, "grid", "one more column of charts; after six, one"),
    bind(&[key::ROWS], Action::Rows, "", "one more row of charts; after six, one"),
    bind(&[key::LEGEND], Action::Legend, "", "show or hide names and values of series"),
    bind(&[key::SERIES], Action::Series, "series", "choose which series are shown"),
    bind(
        &[key::FIND],
        Action::Find,
        "find",
        "find charts by their names: words, globs, /regular expressions/",
    ),
    bind(&[key::WRITE], Action::Write, "", "write this chart, as it is seen, to a file: PNG, SVG or CSV")
        .changing(),
    bind(&[key::PIN], Action::Pin, "", "this chart comes first, or no longer"),
    bind(&[key::SECTION], Action::Section(true), "", "the next section: metrics whose names begin alike"),
    bind(&[key::SECTION_BACK], Action::Section(false), "", "the section before"),
    bind(
        &[key::BACK],
        Action::Leave,
        "",
        "hide the cursor, close the large chart, undo the zoom and the search; else go back to the list",
    ),
];

const SCROLL: &[Binding<Action>] = &[
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "a line down"),
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "a line up"),
    bind(&[key::PAGE_DOWN], Action::Go(Move::Page(1)), "", "a page down"),
    bind(&[key::PAGE_UP], Action::Go(Move::Page(-1)), "", "a page up"),
    bind(&[key::START, key::FIRST], Action::Go(Move::First), "top", "to the start"),
    bind(&[key::END, key::LAST], Action::Go(Move::Last), "bottom", "to the end"),
];

const LOG_ONLY: &[Binding<Action>] = &[
    bind(&[key::FIND], Action::Find, "find", "search, from the end upwards"),
    bind(&[key::NEXT_MATCH, key::NEXT], Action::FindNext(true), "", "the next match, further up"),
    bind(
        &[key::PREVIOUS_MATCH, key::PREVIOUS],
        Action::FindNext(false),
        "",
        "the previous match, further down",
    ),
    bind(&[key::FOLLOW], Action::Follow, "follow", "follow the end, or stop following"),
    bind(&[key::WRAP], Action::Wrap, "wrap", "wrap long lines, or cut them"),
    bind(&[key::LEFT], Action::Sideways(-1), "", "to the left, where lines are cut"),
    bind(&[key::RIGHT], Action::Sideways(1), "", "to the right, where lines are cut"),
];

const TABLE_ONLY: &[Binding<Action>] = &[
    bind(&[key::NEXT], Action::Turn(1), "next table", "the next table"),
    bind(&[key::PREVIOUS], Action::Turn(-1), "", "the previous table"),
    bind(&[key::LEFT], Action::Sideways(-1), "", "columns to the left"),
    bind(&[key::RIGHT], Action::Sideways(1), "columns", "columns to the right"),
];

/// The charts pane.
pub(crate) const CHARTS: Mode<Action> = Mode {
    syntax: SYNTAX,
    ..mode("A run: charts and system", &join::<{ CHART.len() + PANES.len() }>(&[CHART, PANES]))
};
/// The console pane.
pub(crate) const LOG: Mode<Action> =
    mode("A run: log", &join::<{ LOG_ONLY.len() + SCROLL.len() + PANES.len() }>(&[LOG_ONLY, SCROLL, PANES]));
/// The tables pane.
pub(crate) const TABLES: Mode<Action> = mode(
    "A run: tables",
    &join::<{ TABLE_ONLY.len() + SCROLL.len() + PANES.len() }>(&[TABLE_ONLY, SCROLL, PANES]),
);
/// Panes that are lists of lines.
pub(crate) const LINES: Mode<Action> =
    mode("A run: events and parameters", &join::<{ SCROLL.len() + PANES.len() }>(&[SCROLL, PANES]));

/// While a search among charts is typed.
pub(crate) const SEARCH: Mode<Action> =
    Mode { title: "A run: finding charts", bindings: SEARCH_ROWS, kind: Kind::Typing, syntax: SYNTAX };

const SEARCH_ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Accept, "keep", "keep to what was found; esc then shows all again"),
    bind(&[key::BACK], Action::Cancel, "cancel", "back to what was shown before"),
];

/// While a search in the console is typed.
pub(crate) const FIND: Mode<Action> = Mode::new("A run: typing words to be found", Kind::Typing, FIND_ROWS);

const FIND_ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Accept, "find", "find them"),
    bind(&[key::BACK], Action::Cancel, "cancel", "forget it"),
];

/// The list of series.
pub(crate) const SERIES: Mode<Action> = mode("A run: choosing series", SERIES_ROWS);

const SERIES_ROWS: &[Binding<Action>] = &[
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "the next series"),
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "the previous series"),
    bind(&[key::PAGE_DOWN], Action::Go(Move::Page(1)), "", "a page down"),
    bind(&[key::PAGE_UP], Action::Go(Move::Page(-1)), "", "a page up"),
    bind(&[key::START, key::FIRST], Action::Go(Move::First), "", "the first series"),
    bind(&[key::END, key::LAST], Action::Go(Move::Last), "", "the last series"),
    bind(&[key::MARK], Action::Toggle, "show or hide", "show or hide it"),
    bind(&[key::ONLY], Action::Only, "only this", "show only this one, or all"),
    bind(&[key::ALL_OF_THEM], Action::All, "all", "show all"),
    bind(&[key::BACK, key::SERIES, key::ENTER], Action::Series, "done", "close the list"),
];
