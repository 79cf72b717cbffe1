//! The keys of the list of runs.

use super::Action;
use crate::screens::keys::meanings as key;
use crate::screens::keys::{Binding, Kind, Mode, Syntax, bind as row};
use crate::widgets::Move;

/// In the list.
pub(crate) const LIST: Mode<Action> =
    Mode { title: "Runs", bindings: ROWS, kind: Kind::Runs, syntax: SYNTAX };

const ROWS: &[Binding<Action>] = &[
    row(&[key::ENTER], Action::Open, "open", "open the run, or fold and unfold the experiment"),
    row(&[key::NEW], Action::New, "new run", "start a new run").changing(),
    row(&[key::MARK], Action::Select, "select", "select the run, or all of the experiment"),
    row(
        &[key::COMPARE],
        Action::Compare,
        "compare",
        "compare the selected runs, else those of the experiment",
    ),
    row(&[key::FIND], Action::Filter, "filter", "filter the list: state:running lr<0.01 flat*"),
    row(&[key::SORT], Action::Sort, "sort", "sort by the next column on the screen"),
    row(&[key::REVERSE], Action::Reverse, "", "reverse the order"),
    row(
        &[key::VIEWS],
        Action::Views,
        "",
        "views of the list by name: pick one, or keep this filter, order and columns",
    ),
    row(&[key::ALL_OF_THEM], Action::SelectAll, "", "select all or none"),
    row(&[key::PARTS], Action::Pane, "", "show details below, at the side, or not"),
    row(&[key::UP], Action::Go(Move::By(-1)), "", "up"),
    row(&[key::DOWN], Action::Go(Move::By(1)), "", "down"),
    row(&[key::PAGE_UP], Action::Go(Move::Page(-1)), "", "a page up"),
    row(&[key::PAGE_DOWN], Action::Go(Move::Page(1)), "", "a page down"),
    row(&[key::START, key::FIRST], Action::Go(Move::First), "", "to the first run"),
    row(&[key::END, key::LAST], Action::Go(Move::Last), "", "to the last run"),
    row(&[key::LEFT], Action::Fold, "", "fold the experiment"),
    row(&[key::RIGHT], Action::Unfold, "", "unfold the experiment"),
    row(&[key::BACK], Action::Clear, "", "clear the selection, then the filter and the columns of a view"),
];

/// The keys while a filter is typed.
pub(crate) const FILTER: Mode<Action> =
    Mode { title: "Runs: editing the filter", bindings: FILTER_ROWS, kind: Kind::Typing, syntax: SYNTAX };

const FILTER_ROWS: &[Binding<Action>] = &[
    row(&[key::ENTER], Action::Keep, "keep", "keep the filter"),
    row(&[key::BACK], Action::Cancel, "cancel", "restore the previous filter"),
    row(&[key::UP], Action::Go(Move::By(-1)), "", "up in the list"),
    row(&[key::DOWN], Action::Go(Move::By(1)), "", "down in the list"),
];

/// The syntax of filters, for the help.
const SYNTAX: &[Syntax] = &[
    (&["flat"], "runs whose name or experiment has these letters"),
    (&["fit-*-3"], "runs whose whole name or experiment is like this: * is any text, ? any character"),
    (
        &["state:running"],
        "a state: queued, starting, running, paused, stopping, finished, stopped, failed, crashed; live or ended",
    ),
    (
        &["device:cpu"],
        "text of name, experiment, device, host, preset, phase, cause, note, or of a parameter; * and ? as above",
    ),
    (&["tag:best"], "a tag; is:starred, is:tagged and is:noted find what has a star, a tag, a note"),
    (&["lr<0.01"], "a number: < <= > >= = != with a parameter or a headline metric"),
    (
        &["age<2h"],
        "step, epoch, progress, rate, eta, age, took, seed, threads, rows, trials; times in s, m, h, d",
    ),
    (&["a b"], "both hold"),
    (&["a OR b"], "one of them holds"),
    (&["NOT a", "-a"], "it does not hold"),
    (&["(a OR b) c"], "parentheses keep together, as quotes do: name:\"my run\""),
];
