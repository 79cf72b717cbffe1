//! One line of text being edited.

use unicode_width::UnicodeWidthChar as _;

/// The longest text taken, in characters: nothing in a form needs more.
const LONGEST: usize = 4096;

/// A text and a cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    chars: Vec<char>,
    cursor: usize,
    /// All of it is selected, as after coming to it: the next character replaces it.
    selected: bool,
}

impl Line {
    /// With this text, the cursor at its end.
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

    /// Whether the next character replaces all of it.
    pub(crate) fn is_selected(&self) -> bool {
        self.selected && !self.chars.is_empty()
    }

    /// Replaces the text.
    pub(crate) fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Selects all of it.
    pub(crate) fn select(&mut self) {
        self.cursor = self.chars.len();
        self.selected = true;
    }

    /// Ends the selection, if there is one.
    pub(crate) fn deselect(&mut self) {
        self.selected = false;
    }

    /// Types a character. Control characters are not text.
    pub(crate) fn insert(&mut self, c: char) {
        if c.is_control() {
            return;
        }
        self.drop_selected();
        if self.chars.len() < LONGEST {
            self.chars.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    /// Deletes the character before the cursor.
    pub(crate) fn backspace(&mut self) {
        if !self.drop_selected() && self.cursor > 0 {
            self.cursor -= 1;
            self.chars.remove(self.cursor);
        }
    }

    /// Deletes the character at the cursor.
    pub(crate) fn delete(&mut self) {
        if !self.drop_selected() && self.cursor < self.chars.len() {
            self.chars.remove(self.cursor);
        }
    }

    /// Deletes the word before the cursor.
    pub(crate) fn delete_word(&mut self) {
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

    /// Deletes all before the cursor.
    pub(crate) fn delete_to_start(&mut self) {
        if !self.drop_selected() {
            self.chars.drain(..self.cursor);
            self.cursor = 0;
        }
    }

    pub(crate) fn left(&mut self) {
        self.cursor = if self.is_selected() { 0 } else { self.cursor.saturating_sub(1) };
        self.selected = false;
    }

    pub(crate) fn right(&mut self) {
        self.cursor = (self.cursor + 1).min(self.chars.len());
        self.selected = false;
    }

    pub(crate) fn home(&mut self) {
        self.cursor = 0;
        self.selected = false;
    }

    pub(crate) fn end(&mut self) {
        self.cursor = self.chars.len();
        self.selected = false;
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

    /// What of it is seen in `width` columns, so that the cursor is among them, and the cursor's column in there.
    /// Characters without a width of their own are shown as `�`.
    pub(crate) fn window(&self, width: usize) -> (String, usize) {
        let shown = |c: char| if c.width().unwrap_or(0) == 0 { '\u{fffd}' } else { c };
        let wide = |c: char| shown(c).width().unwrap_or(1);
        // One column stays free behind the text, for the cursor.
        let room = width.saturating_sub(1);
        let mut start = self.cursor;
        let mut before = 0;
        while start > 0 && before + wide(self.chars[start - 1]) <= room {
            start -= 1;
            before += wide(self.chars[start]);
        }
        let mut used = 0;
        let mut text = String::new();
        for c in &self.chars[start..] {
            if used + wide(*c) > width {
                break;
            }
            used += wide(*c);
            text.push(shown(*c));
        }
        (text, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(line: &mut Line, text: &str) {
        text.chars().for_each(|c| line.insert(c));
    }

    #[test]
    fn what_is_typed_replaces_what_was_selected() {
        let mut line = Line::new("0.001");
        line.select();
        typed(&mut line, "0.5");
        assert_eq!(line.text(), "0.5");
        line.select();
        line.left();
        line.insert('1');
        assert_eq!(line.text(), "10.5");
        line.select();
        line.backspace();
        assert!(line.is_empty());
    }

    #[test]
    fn words_and_beginnings_are_deleted() {
        let mut line = Line::new("sinc,custom  sine");
        line.delete_word();
        assert_eq!(line.text(), "sinc,custom  ");
        line.delete_word();
        assert_eq!(line.text(), "sinc,");
        line.left();
        line.delete_to_start();
        assert_eq!(line.text(), ",");
        line.insert('\u{1b}');
        assert_eq!(line.text(), ",");
    }

    #[test]
    fn the_window_follows_the_cursor() {
        let mut line = Line::new("abcdefghij");
        assert_eq!(line.window(6), ("fghij".to_owned(), 5));
        line.home();
        assert_eq!(line.window(6), ("abcdef".to_owned(), 0));
        assert_eq!(Line::new("日本語").window(4), ("語".to_owned(), 2));
        assert_eq!(Line::new("a\u{301}").window(9), ("a\u{fffd}".to_owned(), 2));
    }

    proptest! {
        #[test]
        fn no_editing_leaves_the_text(keys in prop::collection::vec((0u8..12, any::<char>()), 0..200), width in 0usize..40) {
            let mut line = Line::default();
            for (key, c) in keys {
                match key {
                    0..=3 => line.insert(c),
                    4 => line.backspace(),
                    5 => line.delete(),
                    6 => line.delete_word(),
                    7 => line.left(),
                    8 => line.right(),
                    9 => line.home(),
                    10 => line.select(),
                    _ => line.delete_to_start(),
                }
                prop_assert!(line.cursor <= line.chars.len());
                prop_assert!(!line.text().contains(char::is_control));
                let (text, cursor) = line.window(width);
                let wide: usize = text.chars().map(|c| c.width().unwrap_or(0)).sum();
                prop_assert!(wide <= width && (cursor < width || width == 0));
            }
        }
    }
}
