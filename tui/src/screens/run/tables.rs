//! The tables pane, which reads a page at a time.

use gradtop_store::{ColumnData, Table};
use ratatui::text::{Line, Span};

use super::pane::{Page, Rows};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::{Move, Scroll, page};
use gradtop_chart::cells::align::{Align, align, pad};
use gradtop_chart::cells::text::{fit, fit_ends, width_of, wrap};
use gradtop_chart::cells::theme::Theme;
use gradtop_view::table::{cell, reading_order};

/// The widest cell while others need the room.
const CELL: usize = 40;
/// Lines above the rows: names of tables, a blank line, headings, units.
const HEAD: usize = 4;

/// Texts are wrapped to no less than this.
const LEAST: usize = 8;

/// Texts are shown in so many columns rather than left out.
const NARROWEST: usize = 16;

/// A visible column.
struct Column {
    head: String,
    unit: String,
    cells: Vec<String>,
    how: Align,
    /// The width at which nothing is cut.
    whole: usize,
    wide: usize,
}

impl Column {
    /// Some rows of a column of a table.
    fn of(table: &Table, column: usize, skip: usize, count: usize) -> Self {
        let (name, unit, data) = &table.columns[column];
        let rows = skip.min(data.len())..(skip + count).min(data.len());
        let text = |row| if table.absent.contains(&(column, row)) { String::new() } else { cell(data, row) };
        let cells: Vec<String> = rows.map(text).collect();
        let how = match data {
            ColumnData::I64(_) | ColumnData::F64(_) => Align::Point,
            ColumnData::Utf8(_) | ColumnData::Bytes { .. } => Align::Left,
        };
        let (head, unit) = (clean(name), unit.as_deref().map(clean).unwrap_or_default());
        let aligned = align(&cells, how, usize::MAX, false);
        let texts = [&head, &unit].into_iter().chain(aligned.first());
        let whole = texts.map(|text| width_of(text)).max().unwrap_or(0);
        Self { head, unit, cells, how, whole, wide: whole.min(CELL) }
    }

    /// Its cells in one line and in several.
    fn in_lines(&self, ascii: bool) -> Vec<Cell> {
        let cell = |(cell, aligned): (&String, String)| {
            let long = self.how == Align::Left && width_of(cell) > self.wide;
            let lines = if long { wrap(cell, self.wide) } else { vec![aligned.clone()] };
            Cell { whole: aligned, lines }
        };
        self.cells.iter().zip(align(&self.cells, self.how, self.wide, ascii)).map(cell).collect()
    }
}

/// A cell in one line and in several.
struct Cell {
    whole: String,
    lines: Vec<String>,
}

impl Cell {
    /// The line at an index, of at most so many; the last one ends with the rest, cut.
    fn line(&self, at: usize, most: usize, width: usize, ascii: bool) -> String {
        match self.lines.get(at) {
            None => String::new(),
            Some(_) if most == 1 => self.whole.clone(),
            Some(_) if at + 1 == most => fit(&self.lines[at..].join(" "), width, ascii),
            Some(line) => line.clone(),
        }
    }
}

/// The state of the pane.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    rows: Rows,
    pub(crate) loaded: bool,
    /// The table; if there is none of this name, the first one.
    name: String,
    scroll: Scroll,
    /// The first visible column after the first, which stays.
    left: usize,
    /// The first visible line of a row that is shown as one line a column.
    down: Scroll,
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
    pub(crate) fn go(&mut self, to: Move, (width, area): (usize, usize)) {
        if self.is_record(width) {
            let lines = self.record(Theme::default(), width).len();
            self.down.go(to, lines, Self::record_height(area), false);
        } else {
            self.scroll.go(to, self.rows.total, Self::height(area), false);
        }
    }

    /// Scrolls by columns to the right while there are more, or to the left if `by` is negative.
    pub(crate) fn sideways(&mut self, by: isize, width: usize) {
        let more = || self.columns(width, 0, self.rows.table.rows(), self.left).1;
        if !self.is_record(width) && (by < 0 || more()) {
            let last = self.rows.table.columns.len().saturating_sub(2);
            self.left = self.left.saturating_add_signed(by).min(last);
        }
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
        (self.scroll, self.left, self.down) = (Scroll::default(), 0, Scroll::default());
    }

    /// The lines of the pane.
    pub(crate) fn lines(&self, shared: &Shared, width: usize, area: usize) -> Vec<Line<'static>> {
        let mut out = vec![self.names(shared, width), Line::default()];
        if self.rows.name != self.name {
            out.push(Line::styled(" reading…", shared.theme.dim()));
        } else if self.is_record(width) {
            let lines = self.record(shared.theme, width);
            out.extend(page(lines, self.down, Self::record_height(area), shared.theme));
            out.push(self.foot(shared, 1, false));
        } else {
            out.extend(self.page(shared, width, Self::height(area)));
        }
        out
    }

    /// The headings, the visible rows, and which these are.
    fn page(&self, shared: &Shared, width: usize, height: usize) -> Vec<Line<'static>> {
        let theme = shared.theme;
        let ascii = theme.ascii();
        let skip = self.top().saturating_sub(self.rows.from);
        let count = self.rows.table.rows().saturating_sub(skip).min(height);
        let (mut columns, more) = self.columns(width, skip, count, self.left);
        widen(&mut columns, width);
        let headings = |text: &dyn Fn(&Column) -> String, style| {
            let cells = columns.iter().map(|c| Span::styled(pad(&text(c), c.wide + 2), style));
            std::iter::once(Span::raw(" ")).chain(cells).collect::<Line<'_>>()
        };
        let mut out = vec![
            headings(&|c| fit_ends(&c.head, c.wide, ascii), theme.bold()),
            headings(&|c| fit(&c.unit, c.wide, ascii), theme.dim()),
        ];
        let cells: Vec<Vec<Cell>> = columns.iter().map(|column| column.in_lines(ascii)).collect();
        let tall = |row: usize| cells.iter().map(|column| column[row].lines.len()).max().unwrap_or(1);
        // Lines that would be empty go to long texts, in all rows alike.
        let all = |most: usize| (0..count).map(|row| tall(row).min(most)).sum::<usize>();
        let most = (1..=height).rev().find(|most| all(*most) <= height).unwrap_or(1);
        for row in 0..count {
            for at in 0..tall(row).min(most) {
                let mut spans = vec![Span::raw(" ")];
                for (i, (column, cells)) in columns.iter().zip(&cells).enumerate() {
                    let text = cells[row].line(at, most, column.wide, ascii);
                    let style = if i == 0 { theme.dim() } else { theme.text() };
                    spans.push(Span::styled(pad(&text, column.wide + 2), style));
                }
                out.push(Line::from(spans));
            }
        }
        out.push(self.foot(shared, count, more));
        out
    }

    /// The columns that fit, as wide as their cells, and whether there are more: the first, then those from `left` on.
    fn columns(&self, width: usize, skip: usize, count: usize, left: usize) -> (Vec<Column>, bool) {
        let table = &self.rows.table;
        let order = reading_order(table);
        let (mut columns, mut used) = (Vec::new(), 1);
        for (at, i) in order.iter().enumerate().filter(|(at, _)| *at == 0 || *at > left) {
            let mut column = Column::of(table, *i, skip, count);
            // The first leaves room for others.
            let most = if at == 0 && order.len() > 1 { width / 2 } else { width.saturating_sub(used) };
            if column.wide > most && at > 0 && (column.how != Align::Left || most < NARROWEST) {
                return (columns, true);
            }
            column.wide = column.wide.min(most);
            used += column.wide + 2;
            columns.push(column);
        }
        (columns, false)
    }

    /// Returns whether the table is one row that is wider than the pane: then each column has a line.
    fn is_record(&self, width: usize) -> bool {
        let whole = || self.columns(usize::MAX, 0, 1, 0).0.iter().map(|c| c.whole + 2).sum::<usize>();
        self.rows.total == 1 && self.rows.table.rows() == 1 && whole() > width + 1
    }

    /// The lines of a record below the names of tables.
    fn record_height(area: usize) -> usize {
        area.saturating_sub(3).max(1)
    }

    /// The columns of a single row, one below the other: name, value and unit.
    fn record(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let columns = self.columns(usize::MAX, 0, 1, 0).0;
        let name = columns.iter().map(|column| width_of(&column.head)).max().unwrap_or(0).min(width / 2);
        let room = width.saturating_sub(name + 4).max(LEAST);
        let mut lines = Vec::new();
        for Column { head, unit, cells, .. } in columns {
            let value = format!("{} {unit}", cells.first().map_or("", String::as_str));
            let mut values = wrap(&value, room).into_iter();
            let head = pad(&fit_ends(&head, name, theme.ascii()), name + 2);
            let first = Span::raw(values.next().unwrap_or_default());
            lines.push(Line::from(vec![Span::styled(format!(" {head}"), theme.dim()), first]));
            lines.extend(values.map(|value| Line::raw(format!("{}{value}", " ".repeat(name + 3)))));
        }
        lines
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

/// Gives the room that is left to columns whose cells are cut.
fn widen(columns: &mut [Column], width: usize) {
    let used: usize = columns.iter().map(|column| column.wide + 2).sum();
    let mut spare = (width + 1).saturating_sub(used);
    for column in columns {
        let more = (column.whole - column.wide).min(spare);
        column.wide += more;
        spare -= more;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

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
        tables.go(Move::By(30), (60, 25));
        assert_eq!(tables.wants(25), None, "40 rows are ahead of the screen");
        tables.go(Move::Page(1), (60, 25));
        assert_eq!(tables.wants(25), Some(Page { table: "a".to_owned(), from: 29, count: 60 }));
        tables.go(Move::Last, (60, 25));
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
        // One row that does not fit has a line for each column, and nothing is cut.
        for width in [200, 120, 80, 40] {
            let shown = shown(&tables, width);
            let read: String = shown.split_whitespace().collect();
            let whole = read.contains(&part) && read.contains(&sentence.replace(' ', ""));
            let beside = shown.lines().any(|line| line.contains("part") && line.contains("statement"));
            assert!(whole && beside == (width == 200), "{width}: {shown}");
        }
        let low = tables.lines(&bench.app.shared, 40, 7);
        let low: Vec<String> = low.iter().map(|line| line.to_string().trim().to_owned()).collect();
        assert!(low[5].ends_with("more lines: PgDn") && low[6] == "rows 1 to 1 of 1", "{low:?}");
        // Of several rows, texts have the lines that would be empty.
        let end = |i: usize| format!("ends with word-{i}");
        let texts = |what: &str| (0..3).map(|i| format!("{what} {sentence} {}", end(i))).collect();
        let mut rows = page(0, 3, 3);
        rows.table.columns.push(("statement".to_owned(), None, ColumnData::Utf8(texts("one"))));
        rows.table.columns.push(("evidence".to_owned(), None, ColumnData::Utf8(texts("two"))));
        tables.take(rows);
        let whole = shown(&tables, 90);
        assert!(
            !whole.contains('…') && (0..3).all(|i| whole.matches(&format!("word-{i}")).count() == 2),
            "{whole}"
        );
        let lines = tables.lines(&bench.app.shared, 90, 9);
        let low = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(lines.len() <= 9 && low.contains('…') && low.contains("rows 1 to 3 of 3"), "{low}");
        tables.sideways(1, 90);
        assert_eq!(shown(&tables, 90), whole, "all of it is on the screen");
        tables.sideways(1, 60);
        // What a row is of stays.
        let right = shown(&tables, 60);
        assert!(right.contains("one test") && !right.contains("two test"), "{right}");
    }

    #[test]
    fn a_run_without_tables_is_asked_once() {
        let mut tables = Tables::default();
        assert!(tables.wants(20).is_some());
        tables.take(Rows::default());
        assert_eq!(tables.wants(20), None);
        tables.go(Move::By(5), (60, 20));
        tables.sideways(3, 60);
        tables.turn(1);
        assert!(tables.is_empty() && tables.wants(20).is_none());
    }
}
