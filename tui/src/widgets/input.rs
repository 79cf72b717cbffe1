//! A text input of one line.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::Span;

use gradtop_chart::cells::text::width_of;
use gradtop_chart::cells::theme::Theme;

/// The most characters accepted.
const LONGEST: usize = 4096;

/// An edit of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    Insert(char),
    Left,
    Right,
    Home,
    End,
    /// Deletes the character before the cursor.
    Backspace,
    /// Deletes the character at the cursor.
    Delete,
    /// Deletes the word before the cursor.
    DeleteWord,
    /// Deletes everything before the cursor.
    DeleteToStart,
}

impl Edit {
    /// The edit of a key.
    pub(crate) fn of(key: &KeyEvent) -> Option<Self> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        Some(match key.code {
            KeyCode::Char('a') if control => Self::Home,
            KeyCode::Char('e') if control => Self::End,
            KeyCode::Char('h') if control => Self::Backspace,
            KeyCode::Char('w') if control => Self::DeleteWord,
            KeyCode::Char('u') if control => Self::DeleteToStart,
            KeyCode::Char(c)
                if !control
                    && !key.modifiers.contains(KeyModifiers::ALT)
                    && !gradtop_host::text::is_harmful(c) =>
            {
                Self::Insert(c)
            }
            KeyCode::Left => Self::Left,
            KeyCode::Right => Self::Right,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            KeyCode::Backspace => Self::Backspace,
            KeyCode::Delete => Self::Delete,
            _ => return None,
        })
    }
}

/// A text with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    chars: Vec<char>,
    cursor: usize,
    /// Whether the whole text is selected, so that the next character replaces it.
    selected: bool,
}

impl Input {
    /// Creates an input with this text and the cursor at its end.
    pub(crate) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self { cursor: chars.len(), chars, selected: false }
    }

    pub(crate) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// Returns whether the whole text is selected.
    pub(crate) fn is_selected(&self) -> bool {
        self.selected && !self.chars.is_empty()
    }

    pub(crate) fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Selects the whole text.
    pub(crate) fn select(&mut self) {
        self.cursor = self.chars.len();
        self.selected = true;
    }

    /// Deselects the text.
    pub(crate) fn deselect(&mut self) {
        self.selected = false;
    }

    /// Applies an edit.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let to = match edit {
            Edit::Insert(c) => return self.insert(c),
            Edit::Backspace => return self.backspace(),
            Edit::Delete => return self.delete(),
            Edit::DeleteWord => return self.delete_word(),
            Edit::DeleteToStart => return self.delete_to_start(),
            Edit::Left if self.is_selected() => 0,
            Edit::Left => self.cursor.saturating_sub(1),
            Edit::Right => (self.cursor + 1).min(self.chars.len()),
            Edit::Home => 0,
            Edit::End => self.chars.len(),
        };
        (self.cursor, self.selected) = (to, false);
    }

    /// Inserts a character, unless it is a control character.
    fn insert(&mut self, c: char) {
        if c.is_control() {
            return;
        }
        self.drop_selected();
        if self.chars.len() < LONGEST {
            self.chars.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    fn backspace(&mut self) {
        if !self.drop_selected() && self.cursor > 0 {
            self.cursor -= 1;
            self.chars.remove(self.cursor);
        }
    }

    fn delete(&mut self) {
        if !self.drop_selected() && self.cursor < self.chars.len() {
            self.chars.remove(self.cursor);
        }
    }

    fn delete_word(&mut self) {
        if self.drop_selected() {
            return;
        }
        let word = |c: char| c.is_alphanumeric();
        let mut start = self.cursor;
        while start > 0 && !word(self.chars[start - 1]) {
            start -= 1;
        }
        while start > 0 && word(self.chars[start - 1]) {
            start -= 1;
        }
        self.chars.drain(start..self.cursor);
        self.cursor = start;
    }

    fn delete_to_start(&mut self) {
        if !self.drop_selected() {
            self.chars.drain(..self.cursor);
            self.cursor = 0;
        }
    }

    fn drop_selected(&mut self) -> bool {
        let all = self.is_selected();
        if all {
            self.chars.clear();
            self.cursor = 0;
        }
        self.selected = false;
        all
    }

    /// The visible part of the text in `width` columns, with the cursor or the selection.
    pub(crate) fn spans(&self, width: usize, theme: Theme) -> Vec<Span<'static>> {
        let (text, cursor) = self.window(width);
        if self.is_selected() {
            return vec![Span::styled(text, theme.caret())];
        }
        let at = text.char_indices().nth(cursor).map_or(text.len(), |(i, _)| i);
        let mut after = text[at..].chars();
        let under = after.next().unwrap_or(' ').to_string();
        vec![
            Span::styled(text[..at].to_owned(), theme.text()),
            Span::styled(under, theme.caret()),
            Span::styled(after.as_str().to_owned(), theme.text()),
        ]
    }

    /// The visible part of the text and the cursor's position in it. Characters of no width are shown as `�`.
    fn window(&self, width: usize) -> (String, usize) {
        let columns = |c: char| width_of(c.encode_utf8(&mut [0; 4]));
        let shown = |c: char| if columns(c) == 0 { '\u{fffd}' } else { c };
        let wide = |c: char| columns(shown(c));
        // Leaves a column for the cursor after the text.
        let room = width.saturating_sub(1);
        let mut start = self.cursor;
        let mut before = 0;
        while start > 0 && before + wide(self.chars[start - 1]) <= room {
            start -= 1;
            before += wide(self.chars[start]);
        }
        let mut used = 0;
        let fits = |c: &&char| {
            used += wide(**c);
            used <= width
        };
        (self.chars[start..].iter().take_while(fits).map(|c| shown(*c)).collect(), self.cursor - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(line: &mut Input, text: &str) {
        text.chars().for_each(|c| line.insert(c));
    }

    #[test]
    fn what_is_typed_replaces_what_was_selected() {
        let mut line = Input::new("0.001");
        line.select();
        typed(&mut line, "0.5");
        assert_eq!(line.text(), "0.5");
        line.select();
        line.edit(Edit::Left);
        line.insert('1');
        assert_eq!(line.text(), "10.5");
        line.select();
        line.backspace();
        assert!(line.is_empty());
    }

    #[test]
    fn words_and_beginnings_are_deleted() {
        let mut line = Input::new("sinc,custom  sine");
        line.delete_word();
        assert_eq!(line.text(), "sinc,custom  ");
        line.delete_word();
        assert_eq!(line.text(), "sinc,");
        line.edit(Edit::Left);
        line.delete_to_start();
        assert_eq!(line.text(), ",");
        line.insert('\u{1b}');
        assert_eq!(line.text(), ",");
    }

    #[test]
    fn the_window_follows_the_cursor() {
        let mut line = Input::new("abcdefghij");
        assert_eq!(line.window(6), ("fghij".to_owned(), 5));
        line.edit(Edit::Home);
        assert_eq!(line.window(6), ("abcdef".to_owned(), 0));
        assert_eq!(Input::new("日本語").window(4), ("語".to_owned(), 1));
        assert_eq!(Input::new("a\u{301}").window(9), ("a\u{fffd}".to_owned(), 2));
    }

    proptest! {
        #[test]
        fn no_editing_leaves_the_text(keys in prop::collection::vec((0u8..12, any::<char>()), 0..200), width in 0usize..40) {
            let mut line = Input::default();
            for (key, c) in keys {
                match key {
                    0..=3 => line.insert(c),
                    4 => line.backspace(),
                    5 => line.delete(),
                    6 => line.delete_word(),
                    7 => line.edit(Edit::Left),
                    8 => line.edit(Edit::Right),
                    9 => line.edit(Edit::Home),
                    10 => line.select(),
                    _ => line.delete_to_start(),
                }
                prop_assert!(line.cursor <= line.chars.len());
                prop_assert!(!line.text().contains(char::is_control));
                let (text, cursor) = line.window(width);
                prop_assert!(width_of(&text) <= width && cursor <= text.chars().count());
            }
        }
    }
}
