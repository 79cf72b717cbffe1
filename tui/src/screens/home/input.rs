//! A line of text being typed.

/// The text and where the next character goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: Vec<char>,
    caret: usize,
}

impl Input {
    /// With a text, the caret after it.
    pub(crate) fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        Self { caret: text.len(), text }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// The caret's place, in characters.
    pub(crate) fn caret(&self) -> usize {
        self.caret
    }

    /// Types a character.
    pub(crate) fn insert(&mut self, c: char) {
        self.text.insert(self.caret, c);
        self.caret += 1;
    }

    /// Moves the caret.
    pub(crate) fn go(&mut self, by: i16) {
        self.caret = self.caret.saturating_add_signed(isize::from(by)).min(self.text.len());
    }

    /// Erases the character before the caret.
    pub(crate) fn erase(&mut self) {
        if self.caret > 0 {
            self.caret -= 1;
            self.text.remove(self.caret);
        }
    }

    /// Erases the character at the caret.
    pub(crate) fn erase_next(&mut self) {
        if self.caret < self.text.len() {
            self.text.remove(self.caret);
        }
    }

    /// Erases everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
