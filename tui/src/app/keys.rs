//! The keys of the program itself, on every screen; those of a screen are in its own `keys.rs`.

use crate::screens::actions::RunAction;
use crate::screens::keys::{Binding, Keys, Kind, bind, find};

/// What a key does that is no screen's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Something done to the runs meant: those selected, else the cursor's.
    Runs(RunAction),
    /// A new run with the parameters of the run meant, to be changed first.
    Restart,
    /// Write a note about the run meant, in the user's editor.
    Note,
    /// Type tags of the runs meant.
    Tag,
    /// Ask about the runs meant in SQL.
    Query,
    /// Star the runs meant, or no longer.
    Star,
    /// Leave; runs go on.
    Quit,
    /// To the screen before.
    Back,
    /// Show the help.
    Help,
    /// The next theme.
    Theme,
    /// Show the experiments.
    Experiments,
    /// The mouse is the terminal's, or ours again.
    Mouse,
    /// Draw everything again.
    Redraw,
    /// Back to the shell, until `fg`.
    Suspend,
}

/// Keys that act on runs, on every screen where nothing is typed.
pub(crate) const RUNS: &[Binding<Action>] = &[
    runs(&["p"], RunAction::Pause, "pause", "pause the run after its current step"),
    runs(
        &["r"],
        RunAction::Resume,
        "resume",
        "continue a paused run, or an ended one from its last checkpoint",
    ),
    runs(&["K"], RunAction::Checkpoint, "", "save a checkpoint now"),
    runs(&["S"], RunAction::Stop, "stop", "stop the run: it finishes its step and saves a checkpoint"),
    runs(&["ctrl-k"], RunAction::Kill, "", "kill the run, without a checkpoint"),
    bind(&["R"], Action::Restart, "", "restart with different parameters").changing(),
    bind(&["*"], Action::Star, "", "star the run, or remove its star").changing(),
    bind(&["t"], Action::Tag, "", "add or remove tags").changing(),
    bind(&["e"], Action::Note, "", "write a note about the run, in $EDITOR").changing(),
    bind(&["Q"], Action::Query, "", "ask about the runs in SQL, at DuckDB's prompt; .exit comes back")
        .changing(),
    runs(&["D", "delete"], RunAction::Delete, "", "delete the run and everything it recorded"),
];

const fn runs(
    keys: &'static [&'static str],
    action: RunAction,
    hint: &'static str,
    what: &'static str,
) -> Binding<Action> {
    bind(keys, Action::Runs(action), hint, what).changing()
}

/// Keys that work on every screen where nothing is typed.
pub(crate) const EVERYWHERE: &[Binding<Action>] = &[
    bind(&["x"], Action::Experiments, "experiments", "list the experiments"),
    bind(&["?"], Action::Help, "help", "all keys"),
    bind(&["esc"], Action::Back, "", "back to the previous screen"),
    bind(&["T"], Action::Theme, "", "next theme: dark, light, high contrast"),
    bind(
        &["m"],
        Action::Mouse,
        "",
        "free the mouse so that text can be selected, or take it again; shift and dragging selects always",
    ),
    bind(&["ctrl-l"], Action::Redraw, "", "redraw the screen"),
    bind(&["q"], Action::Quit, "quit (runs continue)", "quit; runs continue"),
];

/// Keys that work even while something is typed.
pub(crate) const ALWAYS: &[Binding<Action>] = &[
    bind(&["f1"], Action::Help, "help", "all keys"),
    bind(&["ctrl-c"], Action::Quit, "", "quit; runs continue"),
    bind(&["ctrl-z"], Action::Suspend, "", "back to the shell, until `fg`"),
];

/// The program's own tables that hold besides a screen's keys.
pub(crate) fn tables(kind: Kind) -> &'static [(&'static str, &'static [Binding<Action>])] {
    const RUN: (&str, &[Binding<Action>]) = ("The run under the cursor, or all selected", RUNS);
    const EVERY: (&str, &[Binding<Action>]) = ("Everywhere", EVERYWHERE);
    // Where the experiments are shown, nothing leads to them.
    const OTHERS: (&str, &[Binding<Action>]) = ("Everywhere", EVERYWHERE.split_at(1).1);
    // And what lies above a screen has no help of its own.
    const ABOVE: (&str, &[Binding<Action>]) = ("Always", ALWAYS.split_at(1).1);
    match kind {
        Kind::Runs => &[RUN, EVERY, ("Always", ALWAYS)],
        Kind::Experiments => &[OTHERS, ("Always", ALWAYS)],
        Kind::Typing => &[("Always", ALWAYS)],
        Kind::Above => &[ABOVE],
    }
}

/// What a key does that is none of the screen's.
pub(crate) fn lookup(kind: Kind, key: &str) -> Option<&'static Binding<Action>> {
    tables(kind).iter().find_map(|(_, table)| find(table, key))
}

/// A screen's keys and the program's under their headings, for the help.
pub(crate) fn sections(keys: &Keys) -> Vec<Keys> {
    let own = tables(keys.kind).iter().map(|(title, table)| Keys::of(title, table));
    let syntax = (!keys.syntax.is_empty()).then(|| Keys::of("What can be typed", keys.syntax));
    std::iter::once(keys.clone()).chain(syntax).chain(own).collect()
}
