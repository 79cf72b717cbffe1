//! Interprets a line of output as a terminal would, and removes everything that could control one.
//!
//! Kept: text and its colours, carriage returns and backspaces (a progress bar shows its last state), tabs, the two sequences
//! that erase within a line and those that move along it. Removed: every other control sequence, titles, hyperlinks, clipboard
//! writes, bells. Lone control characters and bidirectional marks are shown as visible text.

use gradtop_host::text::is_harmful;
use unicode_width::UnicodeWidthChar as _;

use super::sgr::Look;

/// Longer lines are cut.
pub(crate) const LONGEST: usize = 16_384;
const TAB: usize = 8;

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The offset of its first byte.
    pub(crate) at: u64,
    /// The offset after its line break.
    pub(crate) end: u64,
    /// The text, safe to draw.
    pub(crate) text: String,
    /// Styles, each with the byte of the text that it ends at.
    pub(crate) looks: Vec<(usize, Look)>,
    /// The number of characters cut.
    pub(crate) cut: usize,
    /// Whether the line is complete.
    pub(crate) whole: bool,
    /// The style that it begins with, to parse it again when more has been written.
    pub(crate) before: Look,
}

impl Line {
    /// The parts of the line, each in a single style.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, Look)> {
        let starts = std::iter::once(0).chain(self.looks.iter().map(|(end, _)| *end));
        starts.zip(&self.looks).map(|(start, (end, look))| (&self.text[start..*end], *look))
    }
}

/// Parses the bytes of a line without its line break. `look` is the style after the previous line, and is updated.
pub(crate) fn parse(bytes: &[u8], look: &mut Look) -> Line {
    let text = String::from_utf8_lossy(bytes);
    let before = *look;
    let mut screen = Row { look: before, ..Row::default() };
    let mut rest = text.as_ref();
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\x1b' => screen.escape(after),
            // CSI as a single character.
            '\u{9b}' => screen.csi(after),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(after),
            _ => {
                screen.character(c);
                after
            }
        };
    }
    *look = screen.look;
    Line { before, ..screen.finish() }
}

/// A row of an infinitely wide terminal.
#[derive(Default)]
struct Row {
    cells: Vec<(char, Look)>,
    cursor: usize,
    look: Look,
    cut: usize,
}

impl Row {
    fn character(&mut self, c: char) {
        match c {
            '\r' => self.cursor = 0,
            '\x08' => self.cursor = self.cursor.saturating_sub(1),
            '\t' => {
                let next = (self.cursor / TAB + 1) * TAB;
                while self.cursor < next && self.cursor < LONGEST {
                    // A tab moves without erasing.
                    if self.cursor < self.cells.len() { self.cursor += 1 } else { self.put(' ') }
                }
            }
            // Bells and the NULs of an interrupted write are dropped.
            '\x07' | '\0' => {}
            c if is_harmful(c) => {
                for c in c.escape_default() {
                    self.put(c);
                }
            }
            // Combining marks: limits their number, so that a cell cannot grow without end.
            c if c.width().unwrap_or(0) == 0 => {
                let until = self.cursor.min(self.cells.len());
                let marks = self.cells[..until].iter().rev().take_while(|(c, _)| c.width() == Some(0));
                if self.cursor > 0 && marks.count() < 2 {
                    self.put(c);
                }
            }
            c => self.put(c),
        }
    }

    fn put(&mut self, c: char) {
        if self.cursor >= LONGEST {
            self.cut += 1;
            return;
        }
        while self.cells.len() < self.cursor {
            self.cells.push((' ', Look::default()));
        }
        match self.cells.get_mut(self.cursor) {
            Some(cell) => *cell = (c, self.look),
            None => self.cells.push((c, self.look)),
        }
        self.cursor += 1;
    }

    /// Handles an escape sequence. Returns what follows it.
    fn escape<'a>(&mut self, after: &'a str) -> &'a str {
        match after.chars().next() {
            Some('[') => self.csi(&after[1..]),
            Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&after[1..]),
            // Sequences such as `ESC ( B`: intermediate bytes and a final one.
            Some(' '..='/') => {
                let rest = after.trim_start_matches(|c| (' '..='/').contains(&c));
                match rest.chars().next() {
                    Some('0'..='~') => &rest[1..],
                    _ => rest,
                }
            }
            Some('0'..='~') => &after[1..],
            _ => after,
        }
    }

    /// Handles a CSI sequence: parameters, intermediate bytes and a final one.
    fn csi<'a>(&mut self, after: &'a str) -> &'a str {
        let body = after.trim_start_matches(|c| ('0'..='?').contains(&c));
        let parameters = &after[..after.len() - body.len()];
        let tail = body.trim_start_matches(|c| (' '..='/').contains(&c));
        let plain = tail.len() == body.len();
        let Some(last @ '@'..='~') = tail.chars().next() else { return tail };
        let number = |n: &str| n.parse::<usize>().unwrap_or(0);
        let by = number(parameters).max(1);
        match last {
            'm' if plain && !parameters.starts_with(['<', '=', '>', '?']) => self.look.apply(parameters),
            'K' => match number(parameters) {
                0 => self.cells.truncate(self.cursor),
                1 => {
                    let until = self.cursor.min(self.cells.len());
                    self.cells[..until].fill((' ', Look::default()));
                }
                _ => self.cells.clear(),
            },
            'C' => self.cursor = self.cursor.saturating_add(by).min(LONGEST),
            'D' => self.cursor = self.cursor.saturating_sub(by),
            'G' => self.cursor = (by - 1).min(LONGEST),
            _ => {}
        }
        &tail[1..]
    }

    fn finish(mut self) -> Line {
        let blank =
            |(c, look): &(char, Look)| *c == ' ' && look.back.is_none() && !look.reverse && !look.underline;
        while self.cells.last().is_some_and(blank) {
            self.cells.pop();
        }
        let mut line = Line { cut: self.cut, ..Line::default() };
        for (c, look) in self.cells {
            line.text.push(c);
            match line.looks.last_mut() {
                Some((end, last)) if *last == look => *end = line.text.len(),
                _ => line.looks.push((line.text.len(), look)),
            }
        }
        line
    }
}

/// Skips the string of an OSC, DCS or similar, which ends with BEL or ST, or is interrupted.
fn skip_string(after: &str) -> &str {
    let Some(end) = after.find(['\x07', '\x1b', '\u{9c}', '\x18', '\x1a']) else { return "" };
    match &after[end..] {
        rest if rest.starts_with("\x1b\\") => &rest[2..],
        // Another sequence begins.
        rest if rest.starts_with('\x1b') => rest,
        rest => &rest[rest.chars().next().map_or(0, char::len_utf8)..],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::super::sgr::Hue;
    use super::*;

    fn text(bytes: &[u8]) -> String {
        parse(bytes, &mut Look::default()).text
    }

    #[test]
    fn text_and_colours_are_kept() {
        let line = parse(b"a \x1b[1;31mred\x1b[0m b", &mut Look::default());
        let parts: Vec<_> = line.parts().collect();
        let red = Look { front: Some(Hue::Indexed(1)), bold: true, ..Look::default() };
        assert_eq!(parts, [("a ", Look::default()), ("red", red), (" b", Look::default())]);
    }

    #[test]
    fn a_colour_goes_on_into_the_next_line() {
        let mut look = Look::default();
        parse(b"\x1b[32mgreen", &mut look);
        let line = parse(b"still", &mut look);
        assert_eq!(line.looks[0].1.front, Some(Hue::Indexed(2)));
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        assert_eq!(text(b"\r 10 %|#   |\r 50 %|##  |\r100 %|####|"), "100 %|####|");
        assert_eq!(text(b"epoch 12 of 100\repoch 13"), "epoch 13 of 100");
        assert_eq!(text(b"epoch 12 of 100\r\x1b[Kepoch 13"), "epoch 13");
        assert_eq!(text(b"long words\x1b[2K\rshort"), "short");
        assert_eq!(text(b"|\x08/\x08-\x08done"), "done");
        assert_eq!(text(b"12\x1b[1Gab\x1b[3Cz\x1b[2Dy"), "ab  yz", "the cursor moves along the line");
        assert_eq!(text(b"text\r"), "text");
        assert_eq!(text(b"a\tb"), "a       b");
        assert_eq!(text(b"abcdefghij\r\tX"), "abcdefghXj");
    }

    #[test]
    fn nothing_that_commands_a_terminal_is_left() {
        let cases: [(&[u8], &str); 18] = [
            (b"\x1b]0;a title\x07x", "x"),
            (b"\x1b]52;c;aGVsbG8=\x07x", "x"),
            (b"\x1b]52;c;aGVsbG8=\x1b\\x", "x"),
            (b"\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1bP$qm\x1b\\x", "x"),
            (b"\x1b_APC\x1b\\x\x1b^PM\x1b\\y\x1bXSOS\x1b\\z", "xyz"),
            (b"\x1b[2J\x1b[H\x1b[?47h\x1b[?25lx", "x"),
            (b"\x1b[6n\x1b[c\x1b[>cx", "x"),
            (b"\x1b[>4;2m\x1b[?1mx", "x"),
            (b"\x1bcx\x1b7y\x1b(0z", "xyz"),
            (b"\x07\x07x\0", "x"),
            (b"\x1b]never ended", ""),
            (b"\x1b", ""),
            (b"\x1b[", ""),
            (b"\x1b[38;5", ""),
            (b"\x0e\x0f\x7fx", "\\u{e}\\u{f}\\u{7f}x"),
            ("\u{202e}evil\u{200b}".as_bytes(), "\\u{202e}evil\\u{200b}"),
            ("\u{9b}2Jx\u{9d}52;c;AAAA\u{9c}y\u{85}".as_bytes(), "xy\\u{85}"),
        ];
        for (bytes, clean) in cases {
            assert_eq!(text(bytes), clean, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        assert_eq!(text(b"a\xff\xfeb\xc3"), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(text(b"a\x9b2Jb"), "a\u{fffd}2Jb", "a lone byte of C1 is no sequence in UTF-8");
    }

    #[test]
    fn a_huge_line_is_cut_and_says_so() {
        let line = parse(&vec![b'x'; 1 << 20], &mut Look::default());
        assert_eq!((line.text.len(), line.cut), (LONGEST, (1 << 20) - LONGEST));
        let line = parse(b"\x1b[999999999Cx\x1b[99999999999999999999Gy", &mut Look::default());
        assert!(line.text.len() <= LONGEST);
        let marks: String = std::iter::once('e').chain(std::iter::repeat_n('\u{301}', 1000)).collect();
        assert_eq!(text(marks.as_bytes()).chars().count(), 3);
    }

    proptest! {
        #[test]
        fn no_bytes_leave_a_control_character(bytes in proptest::collection::vec(
            prop_oneof![
                any::<u8>(),
                Just(0x1b), Just(b'['), Just(b']'), Just(b';'), Just(b'm'), Just(b'\r'), Just(0x08), Just(b'K'),
                Just(0xc2), Just(0x9b), Just(0xe2), Just(0x80), Just(0xae),
            ], 0..200))
        {
            let line = parse(&bytes, &mut Look::default());
            prop_assert!(!line.text.chars().any(is_harmful), "{:?}", line.text);
            let parts: String = line.parts().map(|(t, _)| t).collect();
            prop_assert_eq!(parts, line.text.clone());
        }
    }
}
