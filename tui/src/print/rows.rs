//! Rows of cells, and how they differ from those shown.

use std::ops::Range;

use gradtop_chart::cells::text::width_of;
use ratatui::buffer::{Buffer, Cell};

#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) cells: &'a [Cell],
    pub(super) width: usize,
    /// The row of the screen that the first one is on.
    pub(super) top: u16,
}

impl<'a> Rows<'a> {
    pub(super) fn of(buffer: &'a Buffer) -> Self {
        Self { cells: &buffer.content, width: usize::from(buffer.area.width).max(1), top: 0 }
    }

    pub(super) fn some(self, rows: Range<usize>) -> Self {
        let cells = &self.cells[rows.start * self.width..rows.end * self.width];
        Self { cells, top: self.top + rows.start as u16, ..self }
    }

    pub(super) fn each(self) -> impl DoubleEndedIterator<Item = &'a [Cell]> + ExactSizeIterator {
        self.cells.chunks(self.width)
    }

    pub(super) fn height(self) -> u16 {
        (self.cells.len() / self.width) as u16
    }

    /// The cells to write, with their positions, where the terminal shows `before`. The columns after an overwritten wide
    /// character are included, since terminals differ in what they leave there, and those over which joined characters reach
    /// where they are not joined.
    pub(super) fn unlike(self, before: &[Cell]) -> Vec<(u16, u16, &'a Cell)> {
        let mut found = Vec::new();
        for (row, (old, new)) in before.chunks(self.width).zip(self.each()).enumerate() {
            let (mut x, mut unknown) = (0, 0);
            while x < new.len() {
                if x >= unknown && alike(&old[x], &new[x]) {
                    x += width_of(new[x].symbol()).max(1);
                    continue;
                }
                found.push((x as u16, self.top + row as u16, &new[x]));
                unknown = unknown.max(x + width_of(old[x].symbol()).max(unjoined(new[x].symbol())));
                x += width_of(new[x].symbol()).max(1);
            }
        }
        found
    }
}

/// The columns of a symbol on a terminal that does not join characters.
pub(super) fn unjoined(symbol: &str) -> usize {
    if symbol.len() <= 3 {
        return width_of(symbol);
    }
    symbol.char_indices().map(|(at, c)| width_of(&symbol[at..at + c.len_utf8()])).sum()
}

/// Returns whether two cells look the same. Most are equal, and most hold a letter or a Braille character.
fn alike(a: &Cell, b: &Cell) -> bool {
    let text = match (a.symbol().as_bytes(), b.symbol().as_bytes()) {
        ([a], [b]) => a == b,
        ([a, b, c], [d, e, f]) => (a, b, c) == (d, e, f),
        (a, b) => a == b,
    };
    text && (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)
}

/// Returns whether two rows look the same.
pub(super) fn same(a: &[Cell], b: &[Cell]) -> bool {
    a.iter().zip(b).all(|(a, b)| alike(a, b))
}
