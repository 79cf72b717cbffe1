//! Keys: their names, and tables of what they do, from which dispatch, footer, help and docs/keys.md come.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A row of a table of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding<A> {
    /// Keys that do it, such as `q`, `ctrl-c`, `space`, `left`, `f1`; the first is shown in the footer.
    pub(crate) keys: &'static [&'static str],
    /// What they do.
    pub(crate) action: A,
    /// One or two words for the footer; empty keeps it out of there.
    pub(crate) hint: &'static str,
    /// A line for the help.
    pub(crate) what: &'static str,
    /// It changes runs or starts one: refused and hidden with `--read-only`.
    pub(crate) changes: bool,
}

/// A row that changes no run.
pub(crate) const fn bind<A>(
    keys: &'static [&'static str],
    action: A,
    hint: &'static str,
    what: &'static str,
) -> Binding<A> {
    Binding { keys, action, hint, what, changes: false }
}

impl<A: Copy> Binding<A> {
    /// The row as one that changes runs or starts one.
    pub(crate) const fn changing(self) -> Self {
        Self { changes: true, ..self }
    }

    fn shown(&self) -> Binding<()> {
        let Self { keys, hint, what, changes, .. } = *self;
        Binding { keys, action: (), hint, what, changes }
    }
}

/// What the keys of a screen mean in one of its modes.
#[derive(Debug)]
pub(crate) struct Mode<A: 'static> {
    /// The heading in help and documentation.
    pub(crate) title: &'static str,
    /// Its keys.
    pub(crate) bindings: &'static [Binding<A>],
    /// What else works.
    pub(crate) kind: Kind,
    /// What can be typed: a language of its own, for the help.
    pub(crate) syntax: &'static [Binding<()>],
}

/// Which keys work besides a mode's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those of runs, and those that work everywhere.
    Runs,
    /// Those that work everywhere but the one that leads here.
    Experiments,
    /// Characters are text.
    Typing,
    /// It lies above a screen: there is nothing to go to from there.
    Above,
}

impl<A> Mode<A> {
    /// Where nothing has a syntax of its own.
    pub(crate) const fn new(title: &'static str, kind: Kind, bindings: &'static [Binding<A>]) -> Self {
        Self { title, bindings, kind, syntax: &[] }
    }
}

impl<A: Copy> Mode<A> {
    /// The mode without its actions.
    pub(crate) fn keys(&self) -> Keys {
        let bindings = self.bindings.iter().map(Binding::shown).collect();
        Keys { title: self.title, bindings, kind: self.kind, syntax: self.syntax }
    }

    /// What a key does.
    pub(crate) fn find(&self, key: &str) -> Option<A> {
        find(self.bindings, key).map(|b| b.action)
    }
}

/// A mode of any screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The heading in help and documentation.
    pub(crate) title: &'static str,
    /// Its keys.
    pub(crate) bindings: Vec<Binding<()>>,
    /// What else works.
    pub(crate) kind: Kind,
    /// What can be typed.
    pub(crate) syntax: &'static [Binding<()>],
}

impl Keys {
    /// The keys of a table of another kind.
    pub(crate) fn of<A: Copy>(title: &'static str, bindings: &[Binding<A>]) -> Self {
        let bindings = bindings.iter().map(Binding::shown).collect();
        Self { title, bindings, kind: Kind::Above, syntax: &[] }
    }
}

/// The row of a key.
pub(crate) fn find<'a, A>(bindings: &'a [Binding<A>], key: &str) -> Option<&'a Binding<A>> {
    bindings.iter().find(|b| b.keys.contains(&key))
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
