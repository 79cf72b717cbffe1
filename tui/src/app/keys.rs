//! The global keys, which work on every screen. Those of a single screen are in its own `keys.rs`.

use crate::screens::actions::RunAction;
use crate::screens::keys::meanings::{self as key, Key};
use crate::screens::keys::{Binding, Keys, Kind, bind, find};

/// An action of a global key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Acts on the targeted runs: the selected ones, else the one under the cursor.
    Runs(RunAction),
    /// Opens a form for a new run with the parameters of the targeted one.
    Restart,
    /// Opens the user's editor for a note about the targeted run.
    Note,
    /// Opens the input line for tags.
    Tag,
    /// Opens an SQL prompt over the targeted runs.
    Query,
    /// Adds or removes the star of the targeted runs.
    Star,
    /// Quits; the runs continue.
    Quit,
    /// Returns to the previous screen.
    Back,
    Help,
    Theme,
    Experiments,
    /// Gives the mouse to the terminal, or takes it back.
    Mouse,
    Redraw,
    /// Suspends to the shell, until `fg`.
    Suspend,
}

/// Keys that act on runs, on every screen without a text input.
pub(crate) const RUNS: &[Binding<Action>] = &[
    runs(&[key::PAUSE], RunAction::Pause, "pause", "pause the run after its current step"),
    runs(
        &[key::RESUME],
        RunAction::Resume,
        "resume",
        "continue a paused run, or an ended one from its last checkpoint",
    ),
    runs(&[key::CHECKPOINT], RunAction::Checkpoint, "", "save a checkpoint now"),
    runs(&[key::STOP], RunAction::Stop, "stop", "stop the run: it finishes its step and saves a checkpoint"),
    runs(&[key::KILL], RunAction::Kill, "", "kill the run, without waiting for a checkpoint"),
    bind(&[key::RESTART], Action::Restart, "", "restart with different parameters").changing(),
    bind(&[key::STAR], Action::Star, "", "star the run, or remove its star").changing(),
    bind(&[key::TAG], Action::Tag, "", "add or remove tags").changing(),
    bind(&[key::NOTE], Action::Note, "", "write a note about the run, in $EDITOR").changing(),
    bind(&[key::QUERY], Action::Query, "", "ask about the runs in SQL, at DuckDB's prompt; .exit comes back")
        .changing(),
    runs(&[key::DELETE], RunAction::Delete, "", "delete the run and everything it recorded"),
];

const fn runs(
    keys: &'static [Key],
    action: RunAction,
    hint: &'static str,
    what: &'static str,
) -> Binding<Action> {
    bind(keys, Action::Runs(action), hint, what).changing()
}

/// Keys that work on every screen without a text input.
pub(crate) const EVERYWHERE: &[Binding<Action>] = &[
    bind(&[key::EXPERIMENTS], Action::Experiments, "experiments", "list the experiments"),
    bind(&[key::HELP], Action::Help, "help", "all keys"),
    bind(&[key::BACK], Action::Back, "", "back to the previous screen"),
    bind(&[key::THEME], Action::Theme, "", "next theme: dark, light, high contrast"),
    bind(
        &[key::MOUSE],
        Action::Mouse,
        "",
        "free the mouse so that text can be selected, or take it again; shift and dragging selects always",
    ),
    bind(&[key::REDRAW], Action::Redraw, "", "redraw the screen"),
    bind(&[key::QUIT], Action::Quit, "quit (runs continue)", "quit; runs continue"),
];

/// Keys that work everywhere, even while typing.
pub(crate) const ALWAYS: &[Binding<Action>] = &[
    bind(&[key::F1], Action::Help, "help", "all keys"),
    bind(&[key::END_NOW], Action::Quit, "", "quit; runs continue"),
    bind(&[key::SUSPEND], Action::Suspend, "", "back to the shell, until `fg`"),
];

/// The global key tables, with their headings, that apply besides those of a screen of this kind.
pub(crate) fn tables(kind: Kind) -> &'static [(&'static str, &'static [Binding<Action>])] {
    const RUN: (&str, &[Binding<Action>]) = ("The run under the cursor, or all selected", RUNS);
    const EVERY: (&str, &[Binding<Action>]) = ("Everywhere", EVERYWHERE);
    // The experiments screen has no key that leads to itself.
    const OTHERS: (&str, &[Binding<Action>]) = ("Everywhere", EVERYWHERE.split_at(1).1);
    // Overlays have no help of their own.
    const OVERLAY: (&str, &[Binding<Action>]) = ("Always", ALWAYS.split_at(1).1);
    match kind {
        Kind::Runs => &[RUN, EVERY, ("Always", ALWAYS)],
        Kind::Experiments => &[OTHERS, ("Always", ALWAYS)],
        Kind::Typing => &[("Always", ALWAYS)],
        Kind::Overlay => &[OVERLAY],
    }
}

/// Finds the global binding of a key.
pub(crate) fn lookup(kind: Kind, key: &str) -> Option<&'static Binding<Action>> {
    tables(kind).iter().find_map(|(_, table)| find(table, key))
}

/// The sections of the help: the screen's keys, then the global ones that it leaves as they are.
pub(crate) fn sections(keys: &Keys) -> Vec<Keys> {
    let global = tables(keys.kind).iter().map(|(title, table)| {
        let mut global = Keys::of(title, table);
        global.bindings.retain(|row| !row.names.iter().all(|name| keys.find(name).is_some()));
        global
    });
    let syntax = (!keys.syntax.is_empty()).then(|| keys.of_syntax());
    std::iter::once(keys.clone()).chain(syntax).chain(global).collect()
}
