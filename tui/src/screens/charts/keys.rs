//! The keys of charts, for every screen that has charts.

use super::Action;
pub(crate) use super::search::SYNTAX;
use crate::screens::keys::meanings as key;
use crate::screens::keys::{Binding, Kind, Mode, bind};
use crate::widgets::{Move, Way};

/// The table of a screen whose actions wrap those of charts.
macro_rules! lifted {
    ($rows:expr, $wrap:path) => {{
        const ROWS: &[Binding<$crate::screens::charts::Action>] = $rows;
        const LIFTED: [Binding<Action>; ROWS.len()] = {
            let mut out = [bind(&[], $wrap(ROWS[0].action), "", ""); ROWS.len()];
            let mut i = 0;
            while i < ROWS.len() {
                let Binding { keys, action, hint, what, changes } = ROWS[i];
                out[i] = Binding { keys, action: $wrap(action), hint, what, changes };
                i += 1;
            }
            out
        };
        &LIFTED
    }};
}
pub(crate) use lifted;

/// While a search among charts is typed.
pub(crate) const fn search<A>(bindings: &'static [Binding<A>]) -> Mode<A> {
    Mode { title: "Finding charts", bindings, kind: Kind::Typing, syntax: SYNTAX }
}

/// While series are chosen.
pub(crate) const fn series<A>(bindings: &'static [Binding<A>]) -> Mode<A> {
    Mode::new("Choosing series", Kind::Runs, bindings)
}

/// Those of the charts themselves.
pub(crate) const CHARTS: &[Binding<Action>] = &[
    bind(&[key::LEFT], Action::Cursor(-1), "cursor", "cursor to the left, on all charts"),
    bind(&[key::RIGHT], Action::Cursor(1), "", "cursor to the right"),
    bind(&[key::FAR_LEFT], Action::Cursor(-10), "", "cursor to the left, ten times as far"),
    bind(&[key::FAR_RIGHT], Action::Cursor(10), "", "cursor to the right, ten times as far"),
    bind(&[key::START], Action::CursorEnd(Way::Back), "", "cursor to the left end"),
    bind(&[key::END], Action::CursorEnd(Way::On), "", "cursor to the right end"),
    bind(&[key::NEXT], Action::Focus(1, 0), "next", "the next chart"),
    bind(&[key::PREVIOUS], Action::Focus(-1, 0), "", "the previous chart"),
    bind(&[key::PAGE_DOWN], Action::Page(1), "", "the next page of charts"),
    bind(&[key::PAGE_UP], Action::Page(-1), "", "the previous page of charts"),
    bind(&[key::ENTER], Action::Expand, "expand", "expand the chart to the whole screen, or show all"),
    bind(
        &[key::SMOOTH],
        Action::Smooth(Way::On),
        "smooth",
        "smooth more (moving average; raw values stay visible)",
    ),
    bind(&[key::ROUGH], Action::Smooth(Way::Back), "", "smooth less"),
    bind(&[key::ZOOM_X], Action::ZoomX(Way::On), "zoom", "zoom in along x, at the cursor; in all charts"),
    bind(&[key::WIDEN_X], Action::ZoomX(Way::Back), "", "zoom out along x"),
    bind(&[key::ZOOM_Y], Action::ZoomY(Way::On), "", "zoom in along y, in this chart"),
    bind(&[key::WIDEN_Y], Action::ZoomY(Way::Back), "", "zoom out along y"),
    bind(&[key::STEP_LEFT], Action::PanX(Way::Back), "", "move the window to the left"),
    bind(&[key::STEP_RIGHT], Action::PanX(Way::On), "", "move the window to the right"),
    bind(&[key::STEP_DOWN, key::PAN_DOWN], Action::PanY(Way::Back), "", "move the window down"),
    bind(&[key::STEP_UP, key::PAN_UP], Action::PanY(Way::On), "", "move the window up"),
    bind(&[key::RESET], Action::Reset, "", "reset this chart; press twice for all charts"),
    bind(&[key::LOG_Y], Action::LogY, "log or linear", "logarithmic y in this chart, or linear"),
    bind(&[key::LOG_X], Action::LogX, "", "logarithmic x, or linear"),
    bind(
        &[key::AXIS],
        Action::Axis,
        "axis",
        "next x axis: step, epoch, time since start, time of day; of several runs, share of the run",
    ),
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
    bind(&[key::PIN], Action::Pin, "", "this chart comes first, or no longer"),
    bind(&[key::SECTION], Action::Section(Way::On), "", "the next section: metrics whose names begin alike"),
    bind(&[key::SECTION_BACK], Action::Section(Way::Back), "", "the section before"),
];

/// Those of [`search`].
pub(crate) const SEARCH: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Accept, "keep", "keep to what was found; esc then shows all again"),
    bind(&[key::BACK], Action::Cancel, "cancel", "back to what was shown before"),
];

/// Those of [`series`].
pub(crate) const SERIES: &[Binding<Action>] = &[
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
