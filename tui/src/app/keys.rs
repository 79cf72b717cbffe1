//! The table of keys: dispatch, footer, help and docs/keys.md all come from it.
//!
//! Each screen declares its own rows in its `keys.rs`; the rows here work everywhere.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::actions::RunAction;
use crate::screens::{compare, confirm, experiments, help, home, run};

/// What keys mean depends on where one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// The list of runs.
    Home,
    /// Typing a filter of the list of runs.
    HomeFilter,
    /// A run.
    Run(run::Mode),
    /// A comparison.
    Compare(compare::Mode),
    /// The experiments.
    Experiments(experiments::Mode),
    /// The help.
    Help,
    /// A question.
    Confirm,
}

impl Context {
    /// The heading in help and documentation.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Home => "Runs",
            Self::HomeFilter => "Runs: typing a filter",
            Self::Run(mode) => mode.title(),
            Self::Compare(mode) => mode.title(),
            Self::Experiments(mode) => mode.title(),
            Self::Help => "Help",
            Self::Confirm => "A question",
        }
    }

    /// The keys that work here besides those that work everywhere.
    pub(crate) fn own(self) -> &'static [Binding] {
        match self {
            Self::Home => home::keys::LIST,
            Self::HomeFilter => home::keys::FILTER,
            Self::Run(mode) => mode.keys(),
            Self::Compare(mode) => mode.keys(),
            Self::Experiments(mode) => mode.keys(),
            Self::Help => help::KEYS,
            Self::Confirm => confirm::KEYS,
        }
    }

    /// Characters are text here; only keys of the own table and Ctrl-C mean something else.
    pub(crate) fn typing(self) -> bool {
        match self {
            Self::HomeFilter => true,
            Self::Run(mode) => mode.typing(),
            Self::Compare(mode) => mode.typing(),
            Self::Experiments(mode) => mode.typing(),
            _ => false,
        }
    }

    /// Whether the keys that act on runs work here.
    fn acts_on_runs(self) -> bool {
        !self.typing() && !matches!(self, Self::Help | Self::Confirm | Self::Experiments(_))
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Something of the program.
    App(AppAction),
    /// Something done to the runs meant: those selected, else the cursor's.
    Runs(RunAction),
    /// A new run with the parameters of the run meant, to be changed first.
    Restart,
    /// Something of the list of runs.
    Home(home::Action),
    /// Something of the run screen.
    Run(run::Action),
    /// Something of the comparison.
    Compare(compare::Action),
    /// Something of the experiments.
    Experiments(experiments::Action),
    /// Something of the help.
    Help(help::Action),
    /// An answer.
    Confirm(confirm::Action),
}

impl Action {
    /// Whether it changes runs or starts one: refused and hidden with `--read-only`.
    pub(crate) fn changes(self) -> bool {
        match self {
            Self::Runs(_) | Self::Restart => true,
            Self::Home(a) => a.changes(),
            Self::Experiments(a) => a.changes(),
            _ => false,
        }
    }
}

/// Actions of the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppAction {
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
    /// Draw everything again.
    Redraw,
    /// Back to the shell, until `fg`.
    Suspend,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    /// Keys that do it, such as `q`, `ctrl-c`, `space`, `left`, `f1`; the first is shown in the footer.
    pub(crate) keys: &'static [&'static str],
    /// What they do.
    pub(crate) action: Action,
    /// One or two words for the footer; empty keeps it out of there.
    pub(crate) hint: &'static str,
    /// A line for the help.
    pub(crate) what: &'static str,
}

/// Keys that act on runs, on every screen where nothing is typed.
pub(crate) const RUNS: &[Binding] = &[
    Binding {
        keys: &["p"],
        action: Action::Runs(RunAction::Pause),
        hint: "pause",
        what: "pause the run after its step",
    },
    Binding {
        keys: &["r"],
        action: Action::Runs(RunAction::Resume),
        hint: "resume",
        what: "let a paused run go on, or continue an ended one from its last checkpoint",
    },
    Binding {
        keys: &["K"],
        action: Action::Runs(RunAction::Checkpoint),
        hint: "",
        what: "save a checkpoint now",
    },
    Binding {
        keys: &["S"],
        action: Action::Runs(RunAction::Stop),
        hint: "stop",
        what: "stop the run: it ends its step and saves a checkpoint",
    },
    Binding {
        keys: &["ctrl-k"],
        action: Action::Runs(RunAction::Kill),
        hint: "",
        what: "kill the run, without a checkpoint",
    },
    Binding {
        keys: &["R"],
        action: Action::Restart,
        hint: "",
        what: "start it anew with changed parameters",
    },
    Binding {
        keys: &["D", "delete"],
        action: Action::Runs(RunAction::Delete),
        hint: "",
        what: "delete the run and everything it recorded",
    },
];

/// Keys that work on every screen where nothing is typed.
pub(crate) const EVERYWHERE: &[Binding] = &[
    Binding {
        keys: &["x"],
        action: Action::App(AppAction::Experiments),
        hint: "experiments",
        what: "the experiments: what can be started",
    },
    Binding { keys: &["?", "f1"], action: Action::App(AppAction::Help), hint: "help", what: "all keys" },
    Binding {
        keys: &["esc"],
        action: Action::App(AppAction::Back),
        hint: "",
        what: "back to the screen before",
    },
    Binding {
        keys: &["T"],
        action: Action::App(AppAction::Theme),
        hint: "",
        what: "next theme: dark, light, high contrast",
    },
    Binding {
        keys: &["ctrl-l"],
        action: Action::App(AppAction::Redraw),
        hint: "",
        what: "draw the screen again",
    },
    Binding {
        keys: &["q"],
        action: Action::App(AppAction::Quit),
        hint: "quit (runs go on)",
        what: "quit; runs go on",
    },
];

/// Keys that work even while something is typed.
pub(crate) const ALWAYS: &[Binding] = &[
    Binding { keys: &["ctrl-c"], action: Action::App(AppAction::Quit), hint: "", what: "quit; runs go on" },
    Binding {
        keys: &["ctrl-z"],
        action: Action::App(AppAction::Suspend),
        hint: "",
        what: "back to the shell, until `fg`",
    },
];

/// The tables that hold in a context, the more particular first.
pub(crate) fn tables(context: Context) -> Vec<&'static [Binding]> {
    let mut tables = vec![context.own()];
    if context.acts_on_runs() {
        tables.push(RUNS);
    }
    // What lies above a screen has its own keys only: there is nothing to go to from there.
    if !context.typing() && !matches!(context, Context::Confirm | Context::Help) {
        tables.push(EVERYWHERE);
    }
    tables.push(ALWAYS);
    tables
}

/// What a key does here.
pub(crate) fn lookup(context: Context, key: &KeyEvent) -> Option<Action> {
    let name = name(key)?;
    tables(context)
        .into_iter()
        .flatten()
        .find(|binding| binding.keys.contains(&name.as_str()))
        .map(|binding| binding.action)
}

/// The tables of a context under their headings, for the help and the documentation.
pub(crate) fn sections(context: Context) -> Vec<(&'static str, &'static [Binding])> {
    let mut sections = vec![(context.title(), context.own())];
    if context.acts_on_runs() {
        sections.push(("The run meant, or all selected", RUNS));
    }
    if !context.typing() && context != Context::Confirm {
        sections.push(("Everywhere", EVERYWHERE));
    }
    sections.push(("Always", ALWAYS));
    sections
}

/// A key as it is shown to people.
pub(crate) fn label(name: &'static str, ascii: bool) -> &'static str {
    match (name, ascii) {
        ("up", false) => "↑",
        ("down", false) => "↓",
        ("left", false) => "←",
        ("right", false) => "→",
        ("enter", false) => "↵",
        _ => name,
    }
}

/// A key's name as written in the table.
pub(crate) fn name(key: &KeyEvent) -> Option<String> {
    let base = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => "shift-tab".to_owned(),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Delete => "delete".to_owned(),
        KeyCode::Insert => "insert".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        KeyCode::F(n) => format!("f{n}"),
        _ => return None,
    };
    let plain = matches!(key.code, KeyCode::Char(_) | KeyCode::BackTab);
    let mut name = String::new();
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        name.push_str("ctrl-");
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        name.push_str("alt-");
    }
    // A shifted character is another character already.
    if key.modifiers.contains(KeyModifiers::SHIFT) && !plain {
        name.push_str("shift-");
    }
    Some(name + &base)
}
