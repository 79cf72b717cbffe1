//! The keys of the comparison. Charts have the same keys as on the screen of a run.

use super::Action;
use super::settings::Pane;
use crate::screens::charts::keys as charts;
use crate::screens::keys::meanings as key;
use crate::screens::keys::{Binding, Kind, Mode, bind, join};
use crate::widgets::{Move, Way};

pub(crate) const VIEW: Mode<Action> = Mode {
    syntax: charts::SYNTAX,
    ..Mode::new(
        "Comparison",
        Kind::Runs,
        &join::<{ ROWS.len() + CHART.len() + CHART_ONLY.len() }, _>(&[ROWS, CHART, CHART_ONLY]),
    )
};

/// While a search among charts is typed.
pub(crate) const SEARCH: Mode<Action> = charts::search(charts::lifted!(charts::SEARCH, Action::Chart));

/// While series are chosen.
pub(crate) const SERIES: Mode<Action> = charts::series(charts::lifted!(charts::SERIES, Action::Chart));

const CHART: &[Binding<Action>] = charts::lifted!(charts::CHARTS, Action::Chart);

/// With the charts, beside those of the table.
const CHART_ONLY: &[Binding<Action>] = &[
    bind(&[key::COLUMN_LEFT], Action::Column(Way::Back), "", "column of the table to the left"),
    bind(&[key::COLUMN_RIGHT], Action::Column(Way::On), "", "column of the table to the right"),
    bind(&[key::ONLY], Action::Focus, "focus", "highlight only the run under the cursor"),
    bind(&[key::MARK], Action::Hide, "hide", "hide or show the run's lines"),
    bind(&[key::OPEN], Action::Open, "open", "open the run"),
    bind(&[key::WRITE], Action::Write, "", "write this chart, as it is seen, to a file: PNG, SVG or CSV")
        .changing(),
    bind(
        &[key::BACK],
        Action::Back,
        "",
        "hide the cursor, close the large chart, undo the zoom and the search; else go back",
    ),
];

/// The keys when only the table is shown.
pub(crate) const TABLE: Mode<Action> = Mode::new(
    "Comparison, only the table",
    Kind::Runs,
    &join::<{ TABLE_ONLY.len() + ROWS.len() }, _>(&[TABLE_ONLY, ROWS]),
);

const TABLE_ONLY: &[Binding<Action>] = &[
    bind(&[key::LEFT, key::COLUMN_LEFT], Action::Column(Way::Back), "column", "the column to the left"),
    bind(&[key::RIGHT, key::COLUMN_RIGHT], Action::Column(Way::On), "", "the column to the right"),
    bind(&[key::ENTER, key::OPEN], Action::Open, "open", "open the run"),
];

/// Those of the table.
const ROWS: &[Binding<Action>] = &[
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "the run above"),
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "the run below"),
    bind(&[key::FIRST], Action::Go(Move::First), "", "the first run of the table"),
    bind(&[key::LAST], Action::Go(Move::Last), "", "the last run of the table"),
    bind(
        &[key::GROUP],
        Action::Group(Way::On),
        "group",
        "group by the next parameter: mean, and a band from lowest to highest",
    ),
    bind(&[key::GROUP_BACK], Action::Group(Way::Back), "", "group by the previous parameter"),
    bind(&[key::SORT], Action::Sort, "sort", "sort by the column; again: in the order of the list"),
    bind(&[key::REVERSE], Action::Reverse, "", "reverse the order of the table"),
    bind(&[key::PARTS], Action::NextPane, "parts", "charts and table, only charts, only the table"),
    bind(&[key::PART_1], Action::Show(Pane::Charts), "", "only charts"),
    bind(&[key::PART_2], Action::Show(Pane::Table), "", "only the table"),
    bind(&[key::PART_3], Action::Show(Pane::Both), "", "charts and table"),
];
