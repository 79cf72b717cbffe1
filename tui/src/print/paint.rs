//! Converts frames to terminal output, in as few bytes as possible.

use std::borrow::Cow;

use gradtop_host::text::is_harmful;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::rows::{Rows, same, unjoined};
use super::scroll::Scroll;
use gradtop_chart::cells::text::width_of;

/// Collects the output of a frame.
#[derive(Debug, Default)]
pub(crate) struct Painter {
    bytes: Vec<u8>,
    /// The cells that the terminal shows.
    shown: Buffer,
    /// The position of the terminal's cursor, if known.
    cursor: Option<(u16, u16)>,
    /// The current style; the default style between frames.
    style: Look,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Look {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// The style needed to write a cell after this style: of a blank, only the background shows.
    fn enough_for(self, cell: &Cell) -> Self {
        let shown = Modifier::REVERSED | Modifier::UNDERLINED;
        let blank = cell.symbol() == " " && !(cell.modifier | self.modifier).intersects(shown);
        if blank { Self { bg: cell.bg, ..self } } else { Self::of(cell) }
    }
}

/// Modifiers and their SGR codes.
const MODIFIERS: [(Modifier, &str); 6] = [
    (Modifier::BOLD, "1"),
    (Modifier::DIM, "2"),
    (Modifier::ITALIC, "3"),
    (Modifier::UNDERLINED, "4"),
    (Modifier::REVERSED, "7"),
    (Modifier::CROSSED_OUT, "9"),
];

/// The symbol of a cell, with control characters escaped once more.
fn harmless(symbol: &str) -> Cow<'_, str> {
    if !symbol.contains(is_harmful) {
        return Cow::Borrowed(symbol);
    }
    let kept: String = symbol.chars().filter(|c| !is_harmful(*c)).collect();
    Cow::Owned(if kept.is_empty() { "?".to_owned() } else { kept })
}

/// A text in a style, followed by a reset.
pub(crate) fn styled(text: &str, style: Style) -> String {
    let mut painter = Painter::default();
    painter.look(Look {
        fg: style.fg.unwrap_or_default(),
        bg: style.bg.unwrap_or_default(),
        modifier: style.add_modifier,
    });
    painter.put(text);
    painter.look(Look::default());
    painter.text()
}

/// The rows of a buffer as coloured text, each ending with a reset.
pub(crate) fn lines(buffer: &Buffer) -> String {
    let mut painter = Painter::default();
    for y in 0..buffer.area.height {
        let blank = |x: &u16| buffer[(*x, y)].symbol() == " " && buffer[(*x, y)].bg == Color::Reset;
        let end = (0..buffer.area.width).rev().find(|x| !blank(x)).map_or(0, |x| x + 1);
        let mut x = 0;
        while x < end {
            let cell = &buffer[(x, y)];
            painter.look(painter.style.enough_for(cell));
            painter.put(&harmless(cell.symbol()));
            x += (width_of(cell.symbol()) as u16).max(1);
        }
        painter.look(Look::default());
        painter.put("\n");
    }
    painter.text()
}

/// The prefix of a symbol that is no wider than its columns even on a terminal that does not join characters.
fn within(symbol: &str, width: usize) -> &str {
    let mut used = 0;
    let end = symbol.char_indices().find(|(at, c)| {
        used += width_of(&symbol[*at..*at + c.len_utf8()]);
        used > width
    });
    let kept = &symbol[..end.map_or(symbol.len(), |(at, _)| at)];
    if end.is_some() { kept.trim_end_matches('\u{200d}') } else { kept }
}

impl Painter {
    fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Creates a painter for a blank terminal.
    pub(crate) fn new((width, height): (u16, u16)) -> Self {
        Self { shown: Buffer::empty(Rect::new(0, 0, width, height)), ..Self::default() }
    }

    /// Clears a terminal of this size, which may show anything.
    pub(crate) fn clear(&mut self, size: (u16, u16)) {
        *self = Self { bytes: self.take(), ..Self::new(size) };
        self.put("\x1b[0m\x1b[2J");
    }

    /// Takes the output of the frame.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// A copy without output, to try a way of drawing.
    fn branch(&self) -> Self {
        Self { cursor: self.cursor, style: self.style, ..Self::default() }
    }

    /// Draws a frame; the previous frame is left in its place.
    pub(crate) fn show(&mut self, next: &mut Buffer) {
        let (before, after) = (Rows::of(&self.shown), Rows::of(next));
        let rows = before.each().zip(after.each()).enumerate();
        let mut changed = rows.filter(|(_, (old, new))| !same(old, new)).map(|(row, _)| row);
        let Some(top) = changed.next() else { return };
        let end = changed.next_back().unwrap_or(top) + 1;
        drop(changed);
        // Only these rows are compared, cell by cell and with each other.
        let mut best = self.branch();
        best.paint(before.some(top..end), after.some(top..end));
        self.bytes.append(&mut best.bytes);
        self.cursor = best.cursor;
        std::mem::swap(&mut self.shown, next);
    }

    /// Draws rows over others in the shorter of two ways: cell by cell, or by scrolling first.
    fn paint(&mut self, before: Rows<'_>, next: Rows<'_>) {
        let mut best = self.branch();
        best.differences(before.cells, next);
        if let Some(scroll) = Scroll::between(before, next) {
            let mut moved = self.branch();
            moved.put(&scroll.codes());
            moved.cursor = None;
            moved.differences(&scroll.of(before), next);
            if moved.bytes.len() < best.bytes.len() {
                best = moved;
            }
        }
        self.bytes.append(&mut best.bytes);
        self.cursor = best.cursor;
    }

    fn differences(&mut self, before: &[Cell], next: Rows<'_>) {
        let mut cells = next.unlike(before);
        if cells.is_empty() {
            return;
        }
        let mut across = self.branch();
        across.cells(&cells);
        // Terminals differ in what remains of an overwritten wide character, so those are written in order.
        if cells.iter().all(|(_, _, cell)| unjoined(cell.symbol()) <= 1) {
            // Curves of several colours cross each other: writing style by style sets each style once.
            let mut styles: Vec<Look> = Vec::new();
            cells.sort_by_cached_key(|(_, _, cell)| {
                let look = Look::of(cell);
                styles.iter().position(|s| *s == look).unwrap_or_else(|| {
                    styles.push(look);
                    styles.len() - 1
                })
            });
            let mut grouped = self.branch();
            grouped.cells(&cells);
            if grouped.bytes.len() < across.bytes.len() {
                across = grouped;
            }
        }
        self.bytes.append(&mut across.bytes);
        self.cursor = across.cursor;
    }

    /// Writes cells in the given order, then resets the style.
    fn cells(&mut self, cells: &[(u16, u16, &Cell)]) {
        for (i, (x, y, cell)) in cells.iter().enumerate() {
            let symbol = cell.symbol();
            let (width, single) = (width_of(symbol), symbol.chars().nth(1).is_none());
            self.go(*x, *y);
            self.look(self.style.enough_for(cell));
            if !single {
                // Terminals differ in how wide such a symbol is: all its columns are cleared first.
                self.put(&" ".repeat(width));
                self.cursor = None;
                self.go(*x, *y);
            }
            // What does not join reaches into columns that are written next.
            let end = x + unjoined(symbol) as u16;
            let next = || cells[i + 1..].iter().take_while(|(_, row, _)| row == y);
            let covered =
                single || next().any(|(x, _, cell)| x + (width_of(cell.symbol()) as u16).max(1) >= end);
            self.put(&harmless(if covered { symbol } else { within(symbol, width) }));
            // They also differ in where the cursor is after the last column.
            self.cursor = (single && width == 1).then_some((x + 1, *y));
        }
        self.look(Look::default());
    }

    fn put(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn go(&mut self, x: u16, y: u16) {
        match self.cursor {
            Some(at) if at == (x, y) => return,
            // In the same row, a relative move is shorter than an address.
            Some((cx, cy)) if cy == y && cx < x => match x - cx {
                1 => self.put("\x1b[C"),
                n => self.put(&format!("\x1b[{n}C")),
            },
            // So is the next row, but never below the last one, where it would scroll.
            Some((_, cy)) if cy + 1 == y && x == 0 => self.put("\r\n"),
            Some((_, cy)) if cy + 1 == y => self.put(&format!("\n\x1b[{}G", x + 1)),
            _ if x == 0 => self.put(&format!("\x1b[{}H", y + 1)),
            _ => self.put(&format!("\x1b[{};{}H", y + 1, x + 1)),
        }
        self.cursor = Some((x, y));
    }

    fn look(&mut self, look: Look) {
        if look == self.style {
            return;
        }
        let mut codes = String::new();
        let mut from = self.style;
        // There is no short code to remove a modifier.
        if !look.modifier.contains(from.modifier) {
            codes.push('0');
            from = Look::default();
        }
        let mut code = |text: &str| {
            if !codes.is_empty() {
                codes.push(';');
            }
            codes.push_str(text);
        };
        for (modifier, text) in MODIFIERS {
            if look.modifier.contains(modifier) && !from.modifier.contains(modifier) {
                code(text);
            }
        }
        if look.fg != from.fg {
            code(&colour(look.fg, false));
        }
        if look.bg != from.bg {
            code(&colour(look.bg, true));
        }
        self.put(&format!("\x1b[{codes}m"));
        self.style = look;
    }
}

fn colour(c: Color, back: bool) -> String {
    let base = if back { 40 } else { 30 };
    match c {
        Color::Indexed(n @ 0..8) => (base + n).to_string(),
        Color::Indexed(n @ 8..16) => (base + 60 + n - 8).to_string(),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
        // The theme uses no named colours, whose appearance differs between terminals.
        _ => (base + 9).to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_cell_commands_the_terminal() {
        let symbols = [
            "\u{1b}]52;c;eA==\u{7}",
            "\u{9b}2J",
            "\u{202e}",
            "a\u{2066}",
            "\r",
            "\u{85}",
            "é",
            "👩\u{200d}🔬",
        ];
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width: symbols.len() as u16 * 2, height: 1 });
        for (x, symbol) in (0..).step_by(2).zip(symbols) {
            buffer[(x, 0)].set_symbol(symbol);
        }
        let mut painter = Painter::default();
        let cells: Vec<_> = (0..buffer.area.width).map(|x| (x, 0, &buffer[(x, 0)])).collect();
        painter.cells(&cells);
        for text in [String::from_utf8(painter.take()).unwrap(), lines(&buffer)] {
            // The remaining escape sequences are the painter's own: positions and colours.
            let own = |rest: &str| {
                let end = rest.find(|c: char| c.is_ascii_alphabetic());
                rest.starts_with('[') && end.is_some_and(|n| matches!(rest.as_bytes()[n], b'H' | b'C' | b'm'))
            };
            assert!(text.split('\u{1b}').skip(1).all(own), "{text:?}");
            assert!(!text.contains(|c| is_harmful(c) && !matches!(c, '\u{1b}' | '\n')), "{text:?}");
            assert!(text.contains("👩"), "{text:?}");
        }
    }

    #[test]
    fn joined_letters_are_written_whole_where_what_follows_covers_them() {
        let painted = |line: &str| {
            let mut painter = Painter::new((9, 1));
            painter.show(&mut Buffer::with_lines([line]));
            String::from_utf8(painter.take()).unwrap()
        };
        let all = ["👨\u{200d}👩\u{200d}👧", "👍🏽"];
        for letters in all {
            assert!(painted(&format!("a{letters}      ")).contains(letters));
            assert!(painted(&format!("a{letters}b     ")).contains(letters));
            // At the edge there is nothing to cover the rest.
            let cut = painted(&format!("abcdefg{letters}"));
            assert!(!cut.contains(letters) && cut.contains(letters.chars().next().unwrap()), "{cut:?}");
        }
    }

    const SIZE: Rect = Rect { x: 0, y: 0, width: 20, height: 6 };

    fn colour() -> impl Strategy<Value = Color> {
        prop_oneof![
            Just(Color::Reset),
            any::<u8>().prop_map(Color::Indexed),
            any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
        ]
    }

    fn writes() -> impl Strategy<Value = Vec<(u16, u16, String, Style)>> {
        let modifiers = prop::sample::select(vec![
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::REVERSED,
            Modifier::BOLD | Modifier::UNDERLINED,
        ]);
        let style = (colour(), colour(), modifiers)
            .prop_map(|(fg, bg, m)| Style::new().fg(fg).bg(bg).add_modifier(m))
            .boxed();
        let text =
            prop::sample::select(vec!["a", "loss 3.1e-6", "⣀⡠⠤⠒", "│─", "   ", "é", "e\u{301}x", "a\u{338}"]);
        let one = (0u16..20, 0u16..5, text.prop_map(str::to_owned), style.clone());
        // Terminals differ in what remains of a half overwritten wide character, so these do not overlap.
        let odd = ["日本", "👩\u{200d}🔬x", "السلام", "한글"];
        let wide = (Just(4), Just(5), prop::sample::select(odd.map(str::to_owned).to_vec()), style);
        let one = prop_oneof![9 => one, 1 => wide];
        prop::collection::vec(one, 0..12)
    }

    fn shown(c: Color) -> vt100::Color {
        match c {
            Color::Indexed(i) => vt100::Color::Idx(i),
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            _ => vt100::Color::Default,
        }
    }

    /// A change from one frame to the next.
    #[derive(Clone, Debug)]
    enum Change {
        /// The whole frame is rewritten.
        Writes(Vec<(u16, u16, String, Style)>),
        /// Some rows move up or down, then something is written.
        Moves(u16, u16, i16, Vec<(u16, u16, String, Style)>),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            writes().prop_map(Change::Writes),
            // The last row may hold wide characters and stays.
            (0u16..3, 2u16..5, -3i16..4, writes()).prop_map(|(top, bottom, by, mut writes)| {
                writes.truncate(2);
                Change::Moves(top, bottom, by, writes)
            }),
        ]
    }

    fn changed(before: &Buffer, change: Change) -> Buffer {
        let (mut buffer, writes) = match change {
            Change::Writes(writes) => (Buffer::empty(SIZE), writes),
            Change::Moves(top, bottom, by, writes) => {
                let (up, down) = (by.max(0).unsigned_abs(), by.min(0).unsigned_abs());
                let rows = bottom.saturating_sub(top) + 1;
                let scroll = Scroll { top, bottom: top + rows - 1, up: up.min(rows), down: down.min(rows) };
                (Buffer { content: scroll.of(Rows::of(before)), area: SIZE }, writes)
            }
        };
        for (x, y, text, style) in writes {
            buffer.set_string(x, y, text, style);
        }
        buffer
    }

    proptest! {
        /// After any number of incremental frames, a terminal shows what the buffer holds.
        #[test]
        fn a_terminal_shows_the_buffer(frames in prop::collection::vec(change(), 1..8)) {
            let mut terminal = vt100::Parser::new(SIZE.height, SIZE.width, 0);
            terminal.process(b"\x1b[?7l");
            let mut before = Buffer::empty(SIZE);
            let mut painter = Painter::new((SIZE.width, SIZE.height));
            for frame in frames {
                let buffer = changed(&before, frame);
                painter.show(&mut buffer.clone());
                terminal.process(&painter.take());
                before = buffer;
                for y in 0..SIZE.height {
                    for x in 0..SIZE.width {
                        let (wanted, found) = (&before[(x, y)], terminal.screen().cell(y, x).unwrap());
                        if found.is_wide_continuation() {
                            continue;
                        }
                        // It joins no characters.
                        let text = if found.has_contents() { found.contents() } else { " " };
                        let text = text.trim_end_matches('\u{200d}');
                        let symbol = within(wanted.symbol(), width_of(wanted.symbol()));
                        prop_assert_eq!(text, symbol, "at {},{}", x, y);
                        // A blank has no foreground colour.
                        if text != " " || wanted.modifier.contains(Modifier::REVERSED) {
                            prop_assert_eq!(found.fgcolor(), shown(wanted.fg), "at {},{}", x, y);
                        }
                        prop_assert_eq!(found.bgcolor(), shown(wanted.bg), "at {},{}", x, y);
                        if text != " " {
                            prop_assert_eq!(found.bold(), wanted.modifier.contains(Modifier::BOLD));
                        }
                        prop_assert_eq!(found.inverse(), wanted.modifier.contains(Modifier::REVERSED));
                    }
                }
            }
            // Drawing the same frame again costs nothing.
            painter.show(&mut before);
            prop_assert!(painter.take().is_empty());
        }
    }

    #[test]
    fn a_line_of_a_log_costs_a_line() {
        let size = (100, 30);
        let page = |first: usize| {
            let lines = (first..first + 30).map(|n| format!("{n:>5}  step {n}: loss {:>90}", n * 7919));
            Buffer::with_lines(lines.map(|line| line[..100].to_owned()))
        };
        let mut painter = Painter::new(size);
        let mut terminal = vt100::Parser::new(size.1, size.0, 0);
        let mut before = Buffer::empty(page(0).area);
        for first in [0, 1, 2, 1, 4, 0] {
            let next = page(first);
            painter.show(&mut next.clone());
            let bytes = painter.take();
            terminal.process(&bytes);
            let moved = before != Buffer::empty(before.area);
            assert!(!moved || bytes.len() < 500, "{} bytes", bytes.len());
            for (y, row) in terminal.screen().rows(0, size.0).enumerate() {
                let line: String = (0..size.0).map(|x| next[(x, y as u16)].symbol()).collect();
                assert_eq!(row.trim_end(), line.trim_end(), "from {first}");
            }
            before = next;
        }
    }
}
