//! Character cells: what a chart is in a terminal, before anyone decides how to print it.

use unicode_width::UnicodeWidthChar as _;

use crate::colour::Paint;

/// The role of a cell's colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// The terminal's own.
    #[default]
    Text,
    /// Frames, axes, hints.
    Dim,
    /// Titles.
    Bold,
    /// What went wrong.
    Alert,
    /// A series.
    Series(Paint),
    /// The faint band behind a series.
    Faint(Paint),
    /// Exactly this colour: heatmaps and pictures.
    Rgb([u8; 3]),
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its character; `None` for the second half of a wide one.
    pub ch: Option<char>,
    /// The character's colour.
    pub ink: Ink,
    /// The colour behind it.
    pub ground: Option<[u8; 3]>,
}

const BLANK: Cell = Cell { ch: Some(' '), ink: Ink::Text, ground: None };

/// A rectangle of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

impl Grid {
    /// Blank cells.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, cells: vec![BLANK; width * height] }
    }

    /// Cells across.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Cells down.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The cells of a row.
    pub fn row(&self, y: usize) -> &[Cell] {
        let start = (y * self.width).min(self.cells.len());
        let end = (start + self.width).min(self.cells.len());
        &self.cells[start..end]
    }

    /// Sets a cell; outside does nothing.
    pub fn set(&mut self, x: usize, y: usize, cell: Cell) {
        if x < self.width && y < self.height {
            self.cells[y * self.width + x] = cell;
        }
    }

    /// Sets a character in a colour, on whatever colour is behind.
    pub fn put(&mut self, x: usize, y: usize, ch: char, ink: Ink) {
        let ground = self.row(y).get(x).and_then(|c| c.ground);
        self.set(x, y, Cell { ch: Some(ch), ink, ground });
    }

    /// Writes text, cut at the right edge; gives the column after it. Characters without width are left out.
    pub fn text(&mut self, mut x: usize, y: usize, text: &str, ink: Ink) -> usize {
        for ch in text.chars() {
            let wide = ch.width().unwrap_or(0);
            if wide == 0 || x + wide > self.width {
                continue;
            }
            self.put(x, y, ch, ink);
            if wide == 2 {
                self.set(x + 1, y, Cell { ch: None, ink, ground: None });
            }
            x += wide;
        }
        x
    }

    /// Copies another grid in, its top left corner at (x, y).
    pub fn paste(&mut self, x: usize, y: usize, other: &Self) {
        for row in 0..other.height {
            for (i, cell) in other.row(row).iter().enumerate() {
                self.set(x + i, y + row, *cell);
            }
        }
    }

    /// The rows as plain text without trailing blanks.
    pub fn plain(&self) -> String {
        (0..self.height)
            .map(|y| self.row(y).iter().filter_map(|c| c.ch).collect::<String>().trim_end().to_owned() + "\n")
            .collect()
    }
}

/// Columns a text takes in a terminal.
pub fn width_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text cut to at most `width` columns, with an ellipsis where something was cut.
pub fn fit(text: &str, width: usize, ascii: bool) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mark = if ascii { "~" } else { "…" };
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > width {
            break;
        }
        used += w;
        out.push(c);
    }
    if width > 0 {
        out.push_str(mark);
    }
    out
}

/// The text cut to at most `width` columns in its middle: where several begin alike, their ends tell them apart.
pub fn fit_ends(text: &str, width: usize, ascii: bool) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let behind = width.saturating_sub(1) / 2;
    let mut from = text.len();
    for (at, _) in text.char_indices().rev() {
        if width_of(&text[at..]) > behind {
            break;
        }
        from = at;
    }
    let end = &text[from..];
    fit(text, width - width_of(end), ascii) + end
}

/// Breaks text into lines of at most `width` columns, at blanks where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let need = width_of(word) + usize::from(!line.is_empty());
        if !line.is_empty() && width_of(&line) + need > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_end_or_in_its_middle() {
        let text = "loss batch 64, lr 0.001 · test";
        assert_eq!(fit(text, 16, false), "loss batch 64, …");
        assert_eq!(fit_ends(text, 16, false), "loss bat… · test");
        assert_eq!(fit_ends(text, 30, false), text);
        assert_eq!(fit_ends("長長長長", 5, true), "長~長");
        assert_eq!((fit_ends("abc", 1, true).as_str(), fit_ends("abc", 0, true).as_str()), ("~", ""));
    }
}
