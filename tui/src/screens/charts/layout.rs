//! The layout of charts on the screen.

use ratatui::layout::Rect;

/// The most columns and rows.
pub(crate) const MOST: u8 = 6;
/// Blank columns between charts.
const GAP: u16 = 2;
/// Smaller cells show nothing useful.
const LEAST: (u16, u16) = (24, 7);
/// The preferred minimal size of a cell.
const GOOD: (u16, u16) = (56, 12);

/// A page of charts in rows and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// The number of pages, at least one.
    pub(crate) pages: usize,
    area: Rect,
    count: usize,
}

impl Layout {
    /// Lays out `count` charts in the chosen number of columns and rows, else as many as fit well.
    pub(crate) fn new(area: Rect, count: usize, columns: Option<u8>, rows: Option<u8>) -> Self {
        let fit = |room: u16, one: u16| (room / one.max(1)).clamp(1, u16::from(MOST));
        // The choice is limited to what is readable, and to the number of charts.
        let most = (fit(area.width + GAP, LEAST.0 + GAP), fit(area.height, LEAST.1));
        let wide = columns.map_or_else(|| fit(area.width + GAP, GOOD.0 + GAP).min(3), u16::from);
        let columns = usize::from(wide.clamp(1, most.0)).min(count.max(1));
        let high = rows.map_or_else(|| fit(area.height, GOOD.1), u16::from);
        let rows = usize::from(high.clamp(1, most.1)).min(count.div_ceil(columns).max(1));
        Self { columns, rows, pages: count.div_ceil(columns * rows).max(1), area, count }
    }

    /// Charts per page.
    pub(crate) fn per_page(&self) -> usize {
        self.columns * self.rows
    }

    /// The page of a chart.
    pub(crate) fn page_of(&self, chart: usize) -> usize {
        (chart / self.per_page()).min(self.pages - 1)
    }

    /// The charts of a page with their cells, which fill the area; so does the last row.
    pub(crate) fn cells(&self, page: usize) -> Vec<(usize, Rect)> {
        // Remaining columns go to the first cells.
        let part = |room: u16, of: u16, i: u16| {
            (room / of * i + i.min(room % of), room / of + u16::from(i < room % of))
        };
        let first = page * self.per_page();
        let charts: Vec<usize> = (first..(first + self.per_page()).min(self.count)).collect();
        let rows = charts.chunks(self.columns);
        let high = rows.len() as u16;
        let mut cells = Vec::new();
        for (row, charts) in rows.enumerate() {
            let (y, height) = part(self.area.height, high, row as u16);
            let wide = charts.len() as u16;
            let room = self.area.width.saturating_sub(GAP * (wide - 1));
            for (column, chart) in (0..).zip(charts) {
                let (x, width) = part(room, wide, column);
                let (x, y) = (self.area.x + x + GAP * column, self.area.y + y);
                cells.push((*chart, Rect { x, y, width, height }));
            }
        }
        cells
    }

    /// The chart above, below, left or right of another, or the same one if there is none.
    pub(crate) fn step(&self, chart: usize, right: isize, down: isize) -> usize {
        let next = chart as isize + right + down * self.columns as isize;
        if next < 0 || next >= self.count as isize { chart } else { next as usize }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(width: u16, height: u16, count: usize, chosen: Option<(u8, u8)>) -> Layout {
        Layout::new(Rect::new(0, 2, width, height), count, chosen.map(|c| c.0), chosen.map(|c| c.1))
    }

    #[test]
    fn the_grid_fits_the_terminal_unless_chosen() {
        let grid = |w, h, n| {
            let l = layout(w, h, n, None);
            (l.columns, l.rows, l.pages)
        };
        assert_eq!(grid(80, 20, 7), (1, 1, 7));
        assert_eq!(grid(120, 36, 7), (2, 3, 2));
        assert_eq!(grid(200, 46, 7), (3, 3, 1));
        assert_eq!(grid(200, 46, 1), (1, 1, 1));
        assert_eq!(grid(200, 46, 0), (1, 1, 1));
        let chosen = layout(200, 48, 70, Some((6, 6)));
        assert_eq!((chosen.columns, chosen.rows), (6, 6));
        assert_eq!(layout(80, 20, 7, Some((6, 6))).columns, 3, "none narrower than can be read");
    }

    #[test]
    fn a_page_is_filled_however_few_charts_it_has() {
        let area = Rect::new(0, 2, 200, 48);
        assert_eq!(layout(200, 48, 1, Some((6, 6))).cells(0), [(0, area)]);
        let few = layout(200, 48, 5, Some((3, 3)));
        assert_eq!((few.columns, few.rows), (3, 2));
        assert_eq!(few.cells(0)[4].1, Rect::new(101, 26, 99, 24), "two in the last row share it");
        // The last page has a single chart.
        assert_eq!(layout(200, 48, 7, Some((3, 2))).cells(1), [(6, area)]);
    }

    #[test]
    fn one_moves_along_rows_and_columns() {
        let l = layout(200, 46, 7, None);
        assert_eq!((l.step(0, 1, 0), l.step(0, 0, 1), l.step(0, -1, 0)), (1, 3, 0));
        assert_eq!((l.step(6, 0, 1), l.step(6, 1, 0), l.step(6, 0, -1)), (6, 6, 3));
    }

    proptest! {
        #[test]
        fn cells_lie_inside_and_do_not_overlap(
            width in 24u16..300, height in 7u16..100, count in 0usize..80, chosen in prop::option::of((1u8..=6, 1u8..=6)),
        ) {
            let l = layout(width, height, count, chosen);
            let mut seen = 0;
            for page in 0..l.pages {
                let cells = l.cells(page);
                for (i, (chart, cell)) in cells.iter().enumerate() {
                    prop_assert_eq!(*chart, seen + i);
                    prop_assert!(cell.right() <= width && cell.bottom() <= height + 2 && cell.y >= 2);
                    prop_assert!(cell.width > 0 && cell.height > 0);
                    for (_, other) in &cells[..i] {
                        prop_assert!(!cell.intersects(*other));
                    }
                    prop_assert_eq!(l.page_of(*chart), page);
                }
                seen += cells.len();
            }
            prop_assert_eq!(seen, count);
        }
    }
}
