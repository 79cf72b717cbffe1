//! The keys of this screen.

use super::{Action, Pane};
use crate::screens::charts::{Action as Chart, keys as charts};
use crate::screens::keys::meanings as key;
use crate::screens::keys::{Binding, Kind, Mode, bind, join};
use crate::widgets::{Move, Way};

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

const CHART: &[Binding<Action>] = charts::lifted!(charts::CHARTS, Action::Chart);

/// With these keys, the comparison has its table.
const CHART_ONLY: &[Binding<Action>] = &[
    bind(&[key::FIRST], Action::Chart(Chart::Go(Move::First)), "", "the first chart"),
    bind(&[key::LAST], Action::Chart(Chart::Go(Move::Last)), "", "the last chart"),
    bind(&[key::DOWN], Action::Chart(Chart::Focus(0, 1)), "", "the chart below"),
    bind(&[key::UP], Action::Chart(Chart::Focus(0, -1)), "", "the chart above"),
    bind(&[key::WRITE], Action::Write, "", "write this chart, as it is seen, to a file: PNG, SVG or CSV")
        .changing(),
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
    bind(&[key::NEXT_MATCH, key::NEXT], Action::FindNext(Way::Back), "", "the next match, further up"),
    bind(
        &[key::PREVIOUS_MATCH, key::PREVIOUS],
        Action::FindNext(Way::On),
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
    syntax: charts::SYNTAX,
    ..mode(
        "A run: charts and system",
        &join::<{ CHART.len() + CHART_ONLY.len() + PANES.len() }, _>(&[CHART, CHART_ONLY, PANES]),
    )
};
/// The console pane.
pub(crate) const LOG: Mode<Action> = mode(
    "A run: log",
    &join::<{ LOG_ONLY.len() + SCROLL.len() + PANES.len() }, _>(&[LOG_ONLY, SCROLL, PANES]),
);
/// The tables pane.
pub(crate) const TABLES: Mode<Action> = mode(
    "A run: tables",
    &join::<{ TABLE_ONLY.len() + SCROLL.len() + PANES.len() }, _>(&[TABLE_ONLY, SCROLL, PANES]),
);
/// Panes that are lists of lines.
pub(crate) const LINES: Mode<Action> =
    mode("A run: events and parameters", &join::<{ SCROLL.len() + PANES.len() }, _>(&[SCROLL, PANES]));

/// While a search among charts is typed.
pub(crate) const SEARCH: Mode<Action> = charts::search(charts::lifted!(charts::SEARCH, Action::Chart));

/// While series are chosen.
pub(crate) const SERIES: Mode<Action> = charts::series(charts::lifted!(charts::SERIES, Action::Chart));

/// While a search in the console is typed.
pub(crate) const FIND: Mode<Action> = Mode::new("A run: typing words to be found", Kind::Typing, FIND_ROWS);

const FIND_ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Accept, "find", "find them"),
    bind(&[key::BACK], Action::Cancel, "cancel", "forget it"),
];
