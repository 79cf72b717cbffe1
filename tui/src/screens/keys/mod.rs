//! Keys: their names, and the tables of bindings, from which dispatch, footer, help and docs/keys.md are derived.

pub(crate) mod meanings;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use self::meanings::Key;

/// A row of a table of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding<A> {
    pub(crate) keys: &'static [Key],
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
    keys: &'static [Key],
    action: A,
    hint: &'static str,
    what: &'static str,
) -> Binding<A> {
    Binding { keys, action, hint, what, changes: false }
}

impl<A> Binding<A> {
    /// Marks a binding as one that changes or starts runs.
    pub(crate) const fn changing(self) -> Self
    where
        A: Copy,
    {
        Self { changes: true, ..self }
    }

    /// The names of its keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().flat_map(|key| key.names()).copied()
    }

    /// What is shown of it.
    pub(crate) fn row(&self) -> Row {
        Row { names: self.names().collect(), hint: self.hint, what: self.what, changes: self.changes }
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
    pub(crate) syntax: &'static [Syntax],
}

/// What can be typed, and what it means.
pub(crate) type Syntax = (&'static [&'static str], &'static str);

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

impl Kind {
    /// Whether this key is text to be inserted.
    fn is_text(self, key: &str) -> bool {
        self == Self::Typing && (key == "space" || key.chars().nth(1).is_none())
    }
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
        let mut keys = Keys { kind: self.kind, syntax: self.syntax, ..Keys::of(self.title, self.bindings) };
        keys.bindings.iter_mut().for_each(|row| row.names.retain(|name| !self.kind.is_text(name)));
        keys
    }

    /// Finds the action of a key.
    pub(crate) fn find(&self, key: &str) -> Option<A> {
        find(self.bindings, key).filter(|_| !self.kind.is_text(key)).map(|b| b.action)
    }
}

/// The keys of a mode, independent of the type of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The heading in help and documentation.
    pub(crate) title: &'static str,
    pub(crate) bindings: Vec<Row>,
    /// Which other keys work.
    pub(crate) kind: Kind,
    /// The syntax of what is typed.
    pub(crate) syntax: &'static [Syntax],
}

/// A binding as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) names: Vec<&'static str>,
    pub(crate) hint: &'static str,
    pub(crate) what: &'static str,
    pub(crate) changes: bool,
}

impl Keys {
    /// The keys of a table.
    pub(crate) fn of<A>(title: &'static str, bindings: &[Binding<A>]) -> Self {
        let bindings = bindings.iter().map(Binding::row).collect();
        Self { title, bindings, kind: Kind::Overlay, syntax: &[] }
    }

    /// The syntax of what is typed, as a section of the help.
    pub(crate) fn of_syntax(&self) -> Self {
        let row = |(names, what): &Syntax| Row { names: names.to_vec(), hint: "", what, changes: false };
        let bindings = self.syntax.iter().map(row).collect();
        Self { title: "What can be typed", bindings, kind: Kind::Overlay, syntax: &[] }
    }

    /// Finds the row of a key.
    pub(crate) fn find(&self, key: &str) -> Option<&Row> {
        self.bindings.iter().find(|row| row.names.contains(&key))
    }
}

/// Finds the binding of a key.
pub(crate) fn find<'a, A>(bindings: &'a [Binding<A>], key: &str) -> Option<&'a Binding<A>> {
    bindings.iter().find(|b| b.names().any(|name| name == key))
}

/// Joins tables of keys.
pub(crate) const fn join<const N: usize, A: Copy>(parts: &[&[Binding<A>]]) -> [Binding<A>; N] {
    let mut out = [parts[0][0]; N];
    let (mut part, mut n) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            out[n] = parts[part][i];
            (n, i) = (n + 1, i + 1);
        }
        part += 1;
    }
    assert!(n == N, "the length of the joined table is wrong");
    out
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
