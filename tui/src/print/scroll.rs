//! Finds rows that moved up or down between two frames, which the terminal can scroll itself.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use ratatui::buffer::Cell;

use super::rows::{Rows, same};

/// Scrolling for fewer changed rows costs more than it saves.
const FEWEST: usize = 2;

/// A scroll of a region of whole rows; both ends are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scroll {
    pub(super) top: u16,
    pub(super) bottom: u16,
    /// Blank rows that enter at the bottom.
    pub(super) up: u16,
    /// Blank rows that enter at the top.
    pub(super) down: u16,
}

impl Scroll {
    /// Finds the scroll that puts the most changed rows in place.
    pub(super) fn between(before: Rows<'_>, after: Rows<'_>) -> Option<Self> {
        let (first, height) = (after.top, after.height());
        let changed: Vec<bool> = before.each().zip(after.each()).map(|(old, new)| !same(old, new)).collect();
        if changed.iter().filter(|c| **c).count() < FEWEST {
            return None;
        }
        // Rows are compared by a hash of their text, since their colours may differ.
        let texts = |rows: Rows<'_>| rows.each().map(text).collect::<Vec<u64>>();
        let (old, new) = (texts(before), texts(after));
        let mut best = (FEWEST - 1, None);
        for by in 1..height {
            for up in [true, false] {
                // Counts rows around `y` that were `by` rows further down, or up, in the old frame.
                let like = |y: u16| {
                    let from = if up { Some(y + by) } else { y.checked_sub(by) };
                    from.and_then(|from| old.get(usize::from(from))) == new.get(usize::from(y))
                };
                let mut y = 0;
                while y < height {
                    let start = y;
                    let mut gain = 0;
                    while y < height && like(y) {
                        gain += usize::from(changed[usize::from(y)]);
                        y += 1;
                    }
                    if gain > best.0 {
                        let (top, bottom) = if up { (start, y - 1 + by) } else { (start - by, y - 1) };
                        let (top, bottom) = (first + top, first + bottom);
                        let (up, down) = if up { (by, 0) } else { (0, by) };
                        best = (gain, Some(Self { top, bottom, up, down }));
                    }
                    y += 1;
                }
            }
        }
        best.1
    }

    /// The cells that the terminal shows after scrolling.
    pub(super) fn of(self, before: Rows<'_>) -> Vec<Cell> {
        let mut moved = before.cells.to_vec();
        let row = |y: u16| usize::from(y - before.top) * before.width;
        let region = &mut moved[row(self.top)..row(self.bottom + 1)];
        let (up, down) = (usize::from(self.up) * before.width, usize::from(self.down) * before.width);
        region.rotate_left(up);
        region.rotate_right(down);
        let length = region.len();
        region[length - up..].fill(Cell::default());
        region[..down].fill(Cell::default());
        moved
    }

    /// The control codes. Setting a scroll region is understood by every terminal; scrolling by a number is not. Afterwards the
    /// region is the whole screen and the position of the cursor is undefined.
    pub(super) fn codes(self) -> String {
        let Self { top, bottom, up, down } = self;
        let (first, last) = (top + 1, bottom + 1);
        let lines = "\n".repeat(usize::from(up)) + &"\x1bM".repeat(usize::from(down));
        let edge = if up > 0 { last } else { first };
        format!("\x1b[{first};{last}r\x1b[{edge}H{lines}\x1b[r")
    }
}

/// A hash of the text of a row.
fn text(row: &[Cell]) -> u64 {
    let text: String = row.iter().map(Cell::symbol).collect();
    BuildHasherDefault::<DefaultHasher>::default().hash_one(text)
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn page(rows: &[&str]) -> Buffer {
        Buffer::with_lines(rows.iter().copied())
    }

    fn between(before: &Buffer, after: &Buffer) -> Option<Scroll> {
        Scroll::between(Rows::of(before), Rows::of(after))
    }

    fn moved(scroll: Scroll, before: &Buffer) -> Buffer {
        Buffer { area: before.area, content: scroll.of(Rows::of(before)) }
    }

    #[test]
    fn a_line_further_is_a_move_of_the_rows_below_the_title() {
        let before = page(&["title", "a", "b", "c", "d", "foot"]);
        let after = page(&["title", "b", "c", "d", "e", "foot"]);
        let scroll = Scroll { top: 1, bottom: 4, up: 1, down: 0 };
        assert_eq!(between(&before, &after), Some(scroll));
        assert_eq!(moved(scroll, &before), page(&["title", "b", "c", "d", "     ", "foot"]));
        let back = Scroll { top: 1, bottom: 4, up: 0, down: 1 };
        assert_eq!(between(&after, &before), Some(back));
        assert_eq!(moved(back, &after), page(&["title", "     ", "b", "c", "d", "foot"]));
    }

    #[test]
    fn what_has_not_moved_is_not_moved() {
        let before = page(&["a", "b", "c"]);
        assert_eq!(between(&before, &before), None);
        assert_eq!(between(&before, &page(&["x", "y", "z"])), None);
        assert_eq!(between(&before, &page(&["a", "b", "x"])), None);
    }
}
