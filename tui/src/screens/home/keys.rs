//! The keys of the list of runs.

use super::Action;
use crate::screens::keys::{Binding, Kind, Mode, bind as row};
use crate::widgets::Move;

/// In the list.
pub(crate) const LIST: Mode<Action> =
    Mode { title: "Runs", bindings: ROWS, kind: Kind::Runs, syntax: SYNTAX };

const ROWS: &[Binding<Action>] = &[
    row(&["enter"], Action::Open, "open", "open the run, or fold and unfold the experiment"),
    row(&["n"], Action::New, "new run", "start a new run").changing(),
    row(&["space"], Action::Select, "select", "select the run, or all of the experiment"),
    row(&["c"], Action::Compare, "compare", "compare the selected runs, else those of the experiment"),
    row(&["/"], Action::Filter, "filter", "filter the list: state:running lr<0.01 flat*"),
    row(&["s"], Action::Sort, "sort", "sort by the next column"),
    row(&["o"], Action::Reverse, "", "reverse the order"),
    row(
        &["V"],
        Action::Views,
        "",
        "views of the list by name: pick one, or keep this filter, order and columns",
    ),
    row(&["a"], Action::SelectAll, "", "select all or none"),
    row(&["v"], Action::Pane, "", "show details below, at the side, or not"),
    row(&["up", "k"], Action::Go(Move::By(-1)), "", "up"),
    row(&["down", "j"], Action::Go(Move::By(1)), "", "down"),
    row(&["pageup"], Action::Go(Move::Page(-1)), "", "a page up"),
    row(&["pagedown"], Action::Go(Move::Page(1)), "", "a page down"),
    row(&["home", "g"], Action::Go(Move::First), "", "to the first run"),
    row(&["end", "G"], Action::Go(Move::Last), "", "to the last run"),
    row(&["left", "h"], Action::Fold, "", "fold the experiment"),
    row(&["right", "l"], Action::Unfold, "", "unfold the experiment"),
    row(&["esc"], Action::Clear, "", "clear the selection, then the filter and the columns of a view"),
];

/// The keys while a filter is typed.
pub(crate) const FILTER: Mode<Action> =
    Mode { title: "Runs: editing the filter", bindings: FILTER_ROWS, kind: Kind::Typing, syntax: SYNTAX };

const FILTER_ROWS: &[Binding<Action>] = &[
    row(&["enter"], Action::Keep, "keep", "keep the filter"),
    row(&["esc"], Action::Cancel, "cancel", "restore the previous filter"),
    row(&["up"], Action::Go(Move::By(-1)), "", "up in the list"),
    row(&["down"], Action::Go(Move::By(1)), "", "down in the list"),
];

/// The syntax of filters, for the help.
const SYNTAX: &[Binding<()>] = &[
    row(&["flat"], (), "", "runs whose name or experiment has these letters"),
    row(
        &["fit-*-3"],
        (),
        "",
        "runs whose whole name or experiment is like this: * is any text, ? any character",
    ),
    row(
        &["state:running"],
        (),
        "",
        "a state: queued, starting, running, paused, stopping, finished, stopped, failed, crashed; live or ended",
    ),
    row(
        &["device:cpu"],
        (),
        "",
        "text of name, experiment, device, host, preset, phase, cause, note, or of a parameter; * and ? as above",
    ),
    row(
        &["tag:best"],
        (),
        "",
        "a tag; is:starred, is:tagged and is:noted find what has a star, a tag, a note",
    ),
    row(&["lr<0.01"], (), "", "a number: < <= > >= = != with a parameter or a headline metric"),
    row(
        &["age<2h"],
        (),
        "",
        "step, epoch, progress, rate, eta, age, took, seed, threads, rows, trials; times in s, m, h, d",
    ),
    row(&["a b"], (), "", "both hold"),
    row(&["a OR b"], (), "", "one of them holds"),
    row(&["NOT a", "-a"], (), "", "it does not hold"),
    row(&["(a OR b) c"], (), "", "parentheses keep together, as quotes do: name:\"my run\""),
];
