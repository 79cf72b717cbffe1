//! The keys of this screen.

use super::charts::search::SYNTAX;
use super::{Action, Pane};
use crate::screens::keys::{Binding, Kind, Mode, bind};
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
    bind(&["1"], Action::Show(Pane::Charts), "", "the charts"),
    bind(&["2"], Action::Show(Pane::Log), "", "the run's output"),
    bind(&["3"], Action::Show(Pane::Events), "", "events: states, checkpoints, warnings"),
    bind(&["4"], Action::Show(Pane::Params), "", "parameters and settings"),
    bind(&["5"], Action::Show(Pane::Tables), "", "the tables"),
    bind(&["6"], Action::Show(Pane::System), "", "processor, memory and GPU of the run's process"),
    bind(&["esc"], Action::Leave, "", "hide the cursor, close the large chart, reset the zoom; else go back"),
];

const CHART: &[Binding<Action>] = &[
    bind(&["left", "h"], Action::Cursor(-1), "cursor", "cursor to the left, on all charts"),
    bind(&["right", "l"], Action::Cursor(1), "", "cursor to the right"),
    bind(&["ctrl-left", "alt-left"], Action::Cursor(-10), "", "cursor to the left, ten times as far"),
    bind(&["ctrl-right", "alt-right"], Action::Cursor(10), "", "cursor to the right, ten times as far"),
    bind(&["home"], Action::CursorEnd(false), "", "cursor to the left end"),
    bind(&["end"], Action::CursorEnd(true), "", "cursor to the right end"),
    bind(&["tab"], Action::Focus(1, 0), "next", "next chart"),
    bind(&["shift-tab"], Action::Focus(-1, 0), "", "previous chart"),
    bind(&["down", "j"], Action::Focus(0, 1), "", "the chart below"),
    bind(&["up", "k"], Action::Focus(0, -1), "", "the chart above"),
    bind(&["pagedown", "]"], Action::Page(1), "", "the next page of charts"),
    bind(&["pageup", "["], Action::Page(-1), "", "previous page of charts"),
    bind(&["enter"], Action::Expand, "expand", "maximize the chart, or show all"),
    bind(
        &["+", "="],
        Action::Smooth(true),
        "smooth",
        "smooth more (moving average; raw values stay visible)",
    ),
    bind(&["-"], Action::Smooth(false), "", "smooth less"),
    bind(&["z"], Action::ZoomX(true), "zoom", "zoom in along x, at the cursor; in all charts"),
    bind(&["Z"], Action::ZoomX(false), "", "zoom out along x"),
    bind(&["v"], Action::ZoomY(true), "", "zoom in along y, in this chart"),
    bind(&["V"], Action::ZoomY(false), "", "zoom out along y"),
    bind(&["shift-left", ","], Action::PanX(false), "", "move the window to the left"),
    bind(&["shift-right", "."], Action::PanX(true), "", "move the window to the right"),
    bind(&["shift-down", "{"], Action::PanY(false), "", "move the window down"),
    bind(&["shift-up", "}"], Action::PanY(true), "", "move the window up"),
    bind(&["0"], Action::Reset, "", "reset this chart; press twice for all charts"),
    bind(&["y"], Action::LogY, "log or linear", "logarithmic y in this chart, or linear"),
    bind(&["X"], Action::LogX, "", "logarithmic x, or linear"),
    bind(&["a"], Action::Axis, "axis", "next x axis: step, epoch, time since start, time of day"),
    bind(&["o"], Action::Clip, "", "clip outliers"),
    bind(&["Y"], Action::SameY, "", "same y range for charts of the same unit"),
    bind(&["g"], Action::Columns, "grid", "one more column of charts; after six, one"),
    bind(&["G"], Action::Rows, "", "one more row of charts; after six, one"),
    bind(&["i"], Action::Legend, "", "show or hide names and values of series"),
    bind(&["s"], Action::Series, "series", "choose which series are shown"),
    bind(&["/"], Action::Find, "find", "find charts by their names: words, globs, /regular expressions/"),
    bind(&["w"], Action::Write, "", "write this chart, as it is seen, to a file: PNG, SVG or CSV").changing(),
    bind(&["P"], Action::Pin, "", "this chart comes first, or no longer"),
    bind(&[")"], Action::Section(true), "", "the next section: metrics whose names begin alike"),
    bind(&["("], Action::Section(false), "", "the section before"),
];

const SCROLL: &[Binding<Action>] = &[
    bind(&["down", "j"], Action::Go(Move::By(1)), "", "a line down"),
    bind(&["up", "k"], Action::Go(Move::By(-1)), "", "a line up"),
    bind(&["pagedown", "space"], Action::Go(Move::Page(1)), "", "a screen down"),
    bind(&["pageup", "b"], Action::Go(Move::Page(-1)), "", "a screen up"),
    bind(&["home", "g"], Action::Go(Move::First), "top", "to the start"),
    bind(&["end", "G"], Action::Go(Move::Last), "bottom", "to the end"),
];

const LOG_ONLY: &[Binding<Action>] = &[
    bind(&["/"], Action::Find, "find", "search, from the end upwards"),
    bind(&["n"], Action::FindNext(true), "", "previous match"),
    bind(&["N"], Action::FindNext(false), "", "next match"),
    bind(&["f"], Action::Follow, "follow", "follow the end, or stop following"),
    bind(&["w"], Action::Wrap, "wrap", "toggle line wrap"),
    bind(&["left", "h"], Action::Sideways(-1), "", "to the left, where lines are cut"),
    bind(&["right", "l"], Action::Sideways(1), "", "to the right, where lines are cut"),
];

const TABLE_ONLY: &[Binding<Action>] = &[
    bind(&["tab"], Action::Turn(1), "next table", "the next table"),
    bind(&["shift-tab"], Action::Turn(-1), "", "previous table"),
    bind(&["left", "h"], Action::Sideways(-1), "", "columns to the left"),
    bind(&["right", "l"], Action::Sideways(1), "columns", "columns to the right"),
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
    bind(&["enter"], Action::Accept, "keep", "keep to what was found; esc then shows all again"),
    bind(&["esc"], Action::Cancel, "cancel", "back to what was shown before"),
];

/// While a search in the console is typed.
pub(crate) const FIND: Mode<Action> = Mode::new("A run: typing words to be found", Kind::Typing, FIND_ROWS);

const FIND_ROWS: &[Binding<Action>] = &[
    bind(&["enter"], Action::Accept, "find", "find them"),
    bind(&["esc"], Action::Cancel, "cancel", "forget it"),
];

/// The list of series.
pub(crate) const SERIES: Mode<Action> = mode("A run: choosing series", SERIES_ROWS);

const SERIES_ROWS: &[Binding<Action>] = &[
    bind(&["down", "j"], Action::Go(Move::By(1)), "", "the next series"),
    bind(&["up", "k"], Action::Go(Move::By(-1)), "", "the previous series"),
    bind(&["space"], Action::Toggle, "show or hide", "show or hide it"),
    bind(&["o"], Action::Only, "only this", "show only this one, or all"),
    bind(&["a"], Action::All, "all", "show all"),
    bind(&["esc", "s", "enter"], Action::Series, "done", "close the list"),
];
