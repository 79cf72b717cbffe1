//! Keys: their names, and the tables of bindings, from which dispatch, footer, help and docs/keys.md are derived.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A row of a table of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding<A> {
    /// The keys, such as `q`, `ctrl-c`, `space`, `left`, `f1`; the first is shown in the footer.
    pub(crate) keys: &'static [&'static str],
    pub(crate) action: A,
    /// One or two words for the footer; not shown there if empty.
    pub(crate) hint: &'static str,
    /// The description in the help.
    pub(crate) what: &'static str,
    /// Whether it changes or starts runs, which `--read-only` forbids.
    pub(crate) changes: bool,
}

/// Creates a binding that changes no run.
pub(crate) const fn bind<A>(
    keys: &'static [&'static str],
    action: A,
    hint: &'static str,
    what: &'static str,
) -> Binding<A> {
    Binding { keys, action, hint, what, changes: false }
}

impl<A: Copy> Binding<A> {
    /// Marks a binding as one that changes or starts runs.
    pub(crate) const fn changing(self) -> Self {
        Self { changes: true, ..self }
    }

    fn shown(&self) -> Binding<()> {
        let Self { keys, hint, what, changes, .. } = *self;
        Binding { keys, action: (), hint, what, changes }
    }
}

/// The keys of a screen in one of its modes.
#[derive(Debug)]
pub(crate) struct Mode<A: 'static> {
    /// The heading in help and documentation.
    pub(crate) title: &'static str,
    pub(crate) bindings: &'static [Binding<A>],
    /// Which other keys work.
    pub(crate) kind: Kind,
    /// The syntax of what is typed, for the help.
    pub(crate) syntax: &'static [Binding<()>],
}

/// Which keys work besides those of the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that act on runs, and the global ones.
    Runs,
    /// The global ones, except the one that leads here.
    Experiments,
    /// Text input: characters are text.
    Typing,
    /// An overlay: only keys that always work.
    Overlay,
}

impl<A> Mode<A> {
    /// Creates a mode without a syntax.
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

    /// Finds the action of a key.
    pub(crate) fn find(&self, key: &str) -> Option<A> {
        find(self.bindings, key).map(|b| b.action)
    }
}

/// The keys of a mode, independent of the type of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The heading in help and documentation.
    pub(crate) title: &'static str,
    pub(crate) bindings: Vec<Binding<()>>,
    /// Which other keys work.
    pub(crate) kind: Kind,
    /// The syntax of what is typed.
    pub(crate) syntax: &'static [Binding<()>],
}

impl Keys {
    /// The keys of a table.
    pub(crate) fn of<A: Copy>(title: &'static str, bindings: &[Binding<A>]) -> Self {
        let bindings = bindings.iter().map(Binding::shown).collect();
        Self { title, bindings, kind: Kind::Overlay, syntax: &[] }
    }
}

/// Finds the binding of a key.
pub(crate) fn find<'a, A>(bindings: &'a [Binding<A>], key: &str) -> Option<&'a Binding<A>> {
    bindings.iter().find(|b| b.keys.contains(&key))
}

/// A key as shown to people.
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

/// The name of a key as in the tables.
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
    // Shift is already part of a character.
    if key.modifiers.contains(KeyModifiers::SHIFT) && !plain {
        name.push_str("shift-");
    }
    Some(name + &base)
}
