//! The tables pane, which reads a page at a time.

use gradtop_store::ColumnData;
use ratatui::text::{Line, Span};

use super::pane::{Page, Rows};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::{Move, Scroll};
use gradtop_chart::cells::align::{Align, align, pad};
use gradtop_chart::cells::text::{fit, fit_ends, width_of};
use gradtop_chart::number;

/// The widest cell while others need the room.
const CELL: usize = 40;
/// Lines above the rows: names of tables, a blank line, headings, units.
const HEAD: usize = 4;

/// The state of the pane.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    rows: Rows,
    pub(crate) loaded: bool,
    /// The table; if there is none of this name, the first one.
    name: String,
    scroll: Scroll,
    /// The first visible column after the step.
    left: usize,
    /// Whether the run has written since the page was read.
    stale: bool,
}

impl Tables {
    /// The number of visible rows.
    fn height(area: usize) -> usize {
        area.saturating_sub(HEAD + 1).max(1)
    }

    /// Handles a page that was read.
    pub(crate) fn take(&mut self, rows: Rows) {
        if self.name != rows.name {
            self.name.clone_from(&rows.name);
        }
        self.rows = rows;
        self.loaded = true;
        self.left = self.left.min(self.rows.table.columns.len().saturating_sub(2));
    }

    /// Marks the page as outdated.
    pub(crate) fn refresh(&mut self) {
        self.stale = true;
    }

    /// Returns the page to read, unless all visible rows are loaded.
    pub(crate) fn wants(&mut self, area: usize) -> Option<Page> {
        let height = Self::height(area);
        let here = self.rows.from..self.rows.from + self.rows.table.rows();
        let end = (self.top() + height).min(self.rows.total);
        let whole = self.loaded
            && self.rows.name == self.name
            && here.start <= self.top()
            && end <= here.end.max(here.start);
        if whole && !std::mem::take(&mut self.stale) {
            return None;
        }
        // Includes a screen above and one below, so that scrolling does not wait.
        Some(Page { table: self.name.clone(), from: self.top().saturating_sub(height), count: 3 * height })
    }

    /// The first visible row.
    fn top(&self) -> usize {
        self.scroll.top(self.rows.total, 1)
    }

    /// Scrolls.
    pub(crate) fn go(&mut self, to: Move, area: usize) {
        self.scroll.go(to, self.rows.total, Self::height(area), false);
    }

    /// Scrolls by columns to the right, or to the left if `by` is negative.
    pub(crate) fn sideways(&mut self, by: isize) {
        let last = self.rows.table.columns.len().saturating_sub(2);
        self.left = self.left.saturating_add_signed(by).min(last);
    }

    /// Switches to the next or previous table.
    pub(crate) fn turn(&mut self, by: isize) {
        let count = self.rows.tables.len();
        if count < 2 {
            return;
        }
        let at = self.rows.tables.iter().position(|t| *t == self.name).unwrap_or(0);
        let next = (at as isize + by).rem_euclid(count as isize) as usize;
        self.name.clone_from(&self.rows.tables[next]);
        (self.scroll, self.left) = (Scroll::default(), 0);
    }

    /// The lines of the pane.
    pub(crate) fn lines(&self, shared: &Shared, width: usize, area: usize) -> Vec<Line<'static>> {
        let theme = shared.theme;
        let height = Self::height(area);
        let mut out = vec![self.names(shared, width), Line::default()];
        let table = &self.rows.table;
        if self.rows.name != self.name {
            out.push(Line::styled(" reading…", theme.dim()));
            return out;
        }
        let skip = self.top().saturating_sub(self.rows.from);
        let count = table.rows().saturating_sub(skip).min(height);
        let mut columns = Vec::new();
        let (mut used, mut more) = (1, false);
        for (i, (name, unit, data)) in table.columns.iter().enumerate() {
            if i > 0 && i <= self.left {
                continue;
            }
            let (mut cells, how) = cells(data, skip, count);
            for (row, cell) in cells.iter_mut().enumerate() {
                if table.absent.contains(&(i, skip + row)) {
                    cell.clear();
                }
            }
            let head = clean(name);
            let unit = unit.as_deref().map(clean).unwrap_or_default();
            let aligned = align(&cells, how, usize::MAX, theme.ascii());
            let whole =
                [&head, &unit].into_iter().chain(aligned.first()).map(|t| width_of(t)).max().unwrap_or(0);
            let wide = whole.min(CELL);
            if used + wide > width && i > 0 {
                more = true;
                break;
            }
            used += wide + 2;
            columns.push((head, unit, cells, how, whole, wide));
        }
        let mut spare = (width + 2).saturating_sub(used);
        let mut heads = vec![Span::raw(" ")];
        let mut units = vec![Span::raw(" ")];
        let mut rows = vec![vec![Span::raw(" ")]; count];
        for (i, (head, unit, cells, how, whole, wide)) in columns.into_iter().enumerate() {
            // What is cut has the room that is left.
            let wider = (whole - wide).min(spare);
            let wide = wide + wider;
            spare -= wider;
            heads.push(Span::styled(pad(&fit_ends(&head, wide, theme.ascii()), wide + 2), theme.bold()));
            units.push(Span::styled(pad(&fit(&unit, wide, theme.ascii()), wide + 2), theme.dim()));
            for (row, cell) in rows.iter_mut().zip(&align(&cells, how, wide, theme.ascii())) {
                let style = if i == 0 { theme.dim() } else { theme.text() };
                row.push(Span::styled(pad(cell, wide + 2), style));
            }
        }
        out.push(Line::from(heads));
        out.push(Line::from(units));
        out.extend(rows.into_iter().map(Line::from));
        out.push(self.foot(shared, count, more));
        out
    }

    fn names(&self, shared: &Shared, width: usize) -> Line<'static> {
        let theme = shared.theme;
        let mut spans = Vec::new();
        let mut used = 0;
        let at = self.rows.tables.iter().position(|t| *t == self.name).unwrap_or(0);
        // If there is no room for all names, those before the current table are left out.
        let all: usize = self.rows.tables.iter().map(|t| width_of(t) + 3).sum();
        for name in self.rows.tables.iter().skip(if all > width { at } else { 0 }) {
            let text = clean(name);
            used += width_of(&text) + 3;
            if used > width {
                spans.push(Span::styled(shared.signs("…"), theme.dim()));
                break;
            }
            // Without colours, brackets mark the current table.
            let (open, close, style) =
                if *name == self.name { ("[", "]", theme.accent()) } else { (" ", " ", theme.dim()) };
            spans.push(Span::styled(format!("{open}{text}{close} "), style));
        }
        Line::from(spans)
    }

    fn foot(&self, shared: &Shared, count: usize, more: bool) -> Line<'static> {
        let rows = match self.rows.total {
            0 => "no rows".to_owned(),
            total => {
                let digits = total.to_string().len();
                format!("rows {:>digits$} to {:>digits$} of {total}", self.top() + 1, self.top() + count)
            }
        };
        let sides = match (self.left > 0, more) {
            (true, true) => "   more columns: ← →",
            (true, false) => "   more columns: ←",
            (false, true) => "   more columns: →",
            (false, false) => "",
        };
        Line::styled(shared.signs(&format!(" {rows}{sides}")), shared.theme.dim())
    }

    /// Returns whether the run has no table, as far as known.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.tables.is_empty()
    }
}

/// The cells of a column, and their alignment.
fn cells(data: &ColumnData, skip: usize, count: usize) -> (Vec<String>, Align) {
    fn window<T>(values: &[T], skip: usize, count: usize) -> &[T] {
        let from = skip.min(values.len());
        &values[from..(from + count).min(values.len())]
    }
    match data {
        ColumnData::I64(v) => {
            (window(v, skip, count).iter().map(ToString::to_string).collect(), Align::Point)
        }
        ColumnData::F64(v) => {
            (window(v, skip, count).iter().map(|v| number::value(*v)).collect(), Align::Point)
        }
        ColumnData::Utf8(v) => (window(v, skip, count).iter().map(|t| clean(t)).collect(), Align::Left),
        ColumnData::Bytes { width, .. } => (vec![format!("{width} bytes"); count], Align::Left),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::Table;

    use super::*;

    fn page(from: usize, rows: usize, total: usize) -> Rows {
        let steps = (from..from + rows).map(|i| i as i64).collect();
        Rows {
            tables: vec!["a".to_owned(), "b".to_owned()],
            name: "a".to_owned(),
            from,
            total,
            table: Table {
                columns: vec![("step".to_owned(), None, ColumnData::I64(steps))],
                ..Table::default()
            },
        }
    }

    #[test]
    fn only_what_is_not_here_is_read() {
        let mut tables = Tables::default();
        let first = tables.wants(25).unwrap();
        assert_eq!((first.from, first.count), (0, 60));
        tables.take(page(0, 60, 1000));
        assert_eq!(tables.wants(25), None);
        tables.go(Move::By(30), 25);
        assert_eq!(tables.wants(25), None, "40 rows are ahead of the screen");
        tables.go(Move::Page(1), 25);
        assert_eq!(tables.wants(25), Some(Page { table: "a".to_owned(), from: 29, count: 60 }));
        tables.go(Move::Last, 25);
        assert_eq!(tables.wants(25).unwrap().from, 960);
        tables.take(page(960, 40, 1000));
        assert_eq!(tables.wants(25), None);
        tables.refresh();
        assert!(tables.wants(25).is_some());
        assert_eq!(tables.wants(25), None);
        tables.turn(1);
        assert_eq!(tables.wants(25).unwrap().table, "b");
        tables.turn(1);
        assert_eq!(tables.name, "a");
    }

    #[test]
    fn an_absent_number_is_none_and_a_number_that_is_none_is_nan() {
        let mut rows = page(0, 2, 2);
        rows.table.columns.push(("number".to_owned(), None, ColumnData::F64(vec![f64::NAN; 2])));
        rows.table.absent.insert((1, 1));
        let mut tables = Tables::default();
        tables.take(rows);
        let bench = crate::app::testing::Bench::new();
        let lines = tables.lines(&bench.app.shared, 60, 20);
        let shown: Vec<String> = lines.iter().map(|line| line.to_string().trim().to_owned()).collect();
        assert_eq!(shown[4..6], ["0     NaN", "1"], "{shown:#?}");
    }

    #[test]
    fn words_take_the_room_there_is() {
        let sentence = "test error falls to 0.303 at h = 25, rises to 0.447, and falls again".to_owned();
        let words = |text: &str| ColumnData::Utf8(vec![text.to_owned()]);
        let mut rows = page(0, 1, 1);
        let part = "p".repeat(50);
        rows.table.columns.push(("part".to_owned(), None, words(&part)));
        rows.table.columns.push(("statement".to_owned(), None, words(&sentence)));
        let mut tables = Tables::default();
        tables.take(rows);
        let bench = crate::app::testing::Bench::new();
        let shown = |tables: &Tables, width| {
            let lines = tables.lines(&bench.app.shared, width, 20);
            lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        for (width, whole) in
            [(200, [true, true]), (120, [true, false]), (80, [true, false]), (40, [false, false])]
        {
            let shown = shown(&tables, width);
            assert_eq!([shown.contains(&part), shown.contains(&sentence)], whole, "{width}: {shown}");
        }
        tables.sideways(1);
        assert!(shown(&tables, 100).contains(&sentence), "alone it has the room");
    }

    #[test]
    fn a_run_without_tables_is_asked_once() {
        let mut tables = Tables::default();
        assert!(tables.wants(20).is_some());
        tables.take(Rows::default());
        assert_eq!(tables.wants(20), None);
        tables.go(Move::By(5), 20);
        tables.sideways(3);
        tables.turn(1);
        assert!(tables.is_empty() && tables.wants(20).is_none());
    }
}
