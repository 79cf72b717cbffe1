//! The table: a row for each run or group. Names and marks are always visible, the other columns as space permits.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::Compare;
use crate::print::clean;
use crate::screens::pen::Pen;
use crate::widgets::around;
use gradtop_chart::cells::align::{Align, align};
use gradtop_chart::cells::text::{fit_distinct, fit_ends, width_of};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::colour::marker;
use gradtop_chart::number;
use gradtop_store::Average;
use gradtop_view::compare::table::{Row, Sort};
use gradtop_view::figure::prepared::{Cursor, CursorValue};
use gradtop_view::run::state;

pub(super) const HEADING: u16 = 2;

/// A metric's columns are widened up to this width so that its name can be read.
const TITLE: usize = 34;

/// A column as it is drawn.
struct Column {
    /// The heading shared with its neighbours: the metric.
    group: String,
    title: String,
    cells: Vec<String>,
    best: Vec<bool>,
    width: usize,
    /// The width at which its cells are whole.
    least: usize,
    numbers: bool,
}

impl Column {
    fn new(group: String, title: String, cells: &[String], best: Vec<bool>, numbers: bool) -> Self {
        let (how, most) = if numbers { (Align::Point, usize::MAX) } else { (Align::Left, 28) };
        let cells = align(cells, how, most, false);
        let widest = cells.iter().map(|c| width_of(c)).max().unwrap_or(0);
        // Leaves room for the mark of the best value.
        let mark = if numbers { 2 } else { 0 };
        let (least, width) = (widest + mark, widest.max(width_of(&title)) + mark);
        Self { group, title, cells, best, width, least, numbers }
    }

    /// Adds words behind the cells, which say what the heading does not.
    fn followed_by(mut self, words: &[String]) -> Self {
        if words.iter().any(|words| !words.is_empty()) {
            let words = align(words, Align::Left, usize::MAX, false);
            self.least += words.first().map_or(0, |words| 1 + width_of(words));
            self.width = self.width.max(self.least);
            self.cells.iter_mut().zip(words).for_each(|(cell, words)| cell.extend([" ", words.as_str()]));
        }
        self
    }
}

/// The value of a group at the cursor.
pub(super) struct AtCursor {
    pub(super) at: CursorValue,
    /// Its number.
    pub(super) value: String,
    /// Its unit, if not all have it.
    pub(super) unit: Option<String>,
}

/// The text of a value that a run does not have.
fn none(theme: Theme) -> &'static str {
    theme.glyph("–", "-")
}

/// The rows in their order.
fn rows(screen: &Compare) -> Vec<&Row> {
    let compared = &screen.compared;
    compared.order.iter().filter_map(|i| compared.table.rows.get(*i)).collect()
}

/// The columns with parameters and values.
fn columns(screen: &Compare, theme: Theme) -> Vec<Column> {
    let table = &screen.compared.table;
    let rows = rows(screen);
    let text = |v: Option<f64>| v.map_or_else(|| none(theme).to_owned(), number::value);
    let of = |key| match key {
        Sort::Param(i) => {
            let cells: Vec<String> =
                rows.iter().map(|r| r.params.get(i).cloned().unwrap_or_default()).collect();
            Some(Column::new(String::new(), clean(&table.params[i]), &cells, Vec::new(), false))
        }
        Sort::Value(i) => {
            let column = &table.columns[i];
            let cells: Vec<String> = rows.iter().map(|r| text(r.values[i])).collect();
            let best = rows.iter().map(|r| r.best[i]).collect();
            let words = |row: &&Row| {
                let unit = table.other_unit(row, i).map(clean);
                let mean = table.other_average(row, i).map(|mean| mean.short().to_owned());
                unit.into_iter().chain(mean).collect::<Vec<_>>().join(" ")
            };
            let words: Vec<String> = rows.iter().map(words).collect();
            let shown = Column::new(clean(&column.title()), column.short(), &cells, best, true);
            Some(shown.followed_by(&words))
        }
        Sort::Given => None,
    };
    table.sort_keys().filter_map(of).collect()
}

/// The columns with the values at the cursor of the charts, and their steps where these differ.
fn cursor_columns(screen: &Compare, values: &[Option<AtCursor>], theme: Theme) -> Vec<Column> {
    let rows = rows(screen);
    let shown = screen.compared.shown(&screen.by, None);
    let facet = screen.charts.name(shown).map(|name| clean(&name)).unwrap_or_default();
    let of = |r: &&Row| values.get(r.group).and_then(Option::as_ref);
    let words = |r| of(r).map_or_else(|| none(theme).to_owned(), |own| own.value.clone());
    let cells: Vec<String> = rows.iter().map(words).collect();
    // The heading of the screen says what these are.
    let most = screen.charts.focused().and_then(|built| Cursor::most_common_value(&built.lines));
    let said = most.and_then(|at| at.mean());
    let words = |row: &&Row| {
        let own = of(row);
        let mean = own.and_then(|own| own.at.mean()).filter(|mean| said != Some(*mean));
        let unit = own.and_then(|own| own.unit.as_deref());
        unit.into_iter().chain(mean.map(Average::short)).collect::<Vec<_>>().join(" ")
    };
    let words: Vec<String> = rows.iter().map(words).collect();
    let shown = Column::new(facet.clone(), "at cursor".to_owned(), &cells, Vec::new(), true);
    let mut out = vec![shown.followed_by(&words)];
    let mut all = rows.iter().filter_map(of);
    let first = all.next();
    if all.any(|at| first.is_some_and(|first| !first.at.is_of_same_steps(&at.at))) {
        let brief = |r| of(r).map(|own| own.at.steps_text().replace('–', none(theme))).unwrap_or_default();
        let cells: Vec<String> = rows.iter().map(brief).collect();
        out.push(Column::new(facet, "of step".to_owned(), &cells, Vec::new(), false));
    }
    out
}

/// Widens the columns of each metric so that its name can be read.
fn widen(columns: &mut [Column]) {
    for own in columns.chunk_by_mut(|a, b| a.group == b.group) {
        let missing = width_of(&own[0].group).min(TITLE).saturating_sub(width(own));
        let count = own.len();
        for (i, column) in own.iter_mut().enumerate() {
            column.width += (missing + i) / count;
        }
    }
}

/// The width of columns side by side.
fn width(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width + 2).sum::<usize>().saturating_sub(2)
}

/// The group drawn at a position.
pub(super) fn row_at(screen: &Compare, area: Rect, at: Position) -> Option<usize> {
    let height = usize::from(area.height.saturating_sub(HEADING));
    let inside = area.contains(at) && at.y >= area.y + HEADING;
    let top = around(screen.row(), screen.compared.order.len(), height);
    inside.then(|| screen.compared.order.get(top + usize::from(at.y - area.y - HEADING)).copied())?
}

/// The first visible column, such that the one under the cursor is visible.
fn first_column(columns: &[Column], cursor: usize, room: usize) -> usize {
    let mut used = 0;
    let mut first = cursor.min(columns.len().saturating_sub(1));
    for at in (0..=first).rev() {
        used += columns.get(at).map_or(0, |c| c.width + 2);
        if used > room {
            break;
        }
        first = at;
    }
    first
}

/// The table as it is laid out for a width.
struct Sheet<'a> {
    screen: &'a Compare,
    theme: Theme,
    columns: Vec<Column>,
    /// The columns on the screen.
    shown: Range<usize>,
    /// The column under the cursor.
    cursor: usize,
    /// How many columns show values at the cursor of the charts.
    shifted: usize,
    /// The names of the groups, and their width.
    names: Vec<String>,
    name: usize,
    /// The states of the groups, and their width.
    states: Vec<String>,
    state: usize,
}

impl<'a> Sheet<'a> {
    fn new(screen: &'a Compare, at_cursor: Option<&[Option<AtCursor>]>, theme: Theme, wide: u16) -> Self {
        let mut columns = columns(screen, theme);
        let own = at_cursor.map(|values| cursor_columns(screen, values, theme)).unwrap_or_default();
        let shifted = own.len();
        columns.splice(..0, own);
        widen(&mut columns);
        let cursor = if columns.is_empty() { 0 } else { screen.column() + shifted };
        let groups = &screen.compared.groups;
        let states: Vec<String> = groups.iter().map(|t| words(screen, t, theme, wide)).collect();
        let state = states.iter().map(|words| width_of(words)).max().unwrap_or(0);
        let longest = groups.iter().map(|t| width_of(&t.name)).max().unwrap_or(0).max(4);
        let name = longest.min((usize::from(wide) / 3).max(12));
        let room = usize::from(wide).saturating_sub(10 + name + state);
        // Before a column is chosen, those of the charts' cursor come first.
        let seen = if screen.column() == 0 { 0 } else { cursor };
        let shown = fitting(&mut columns, seen, room, longest - name);
        // The room that is left goes to names, then to headings.
        let mut spare = room.saturating_sub(width(&columns[shown.clone()]));
        let more = (longest - name).min(spare);
        spare -= more;
        for own in columns[shown.clone()].chunk_by_mut(|a, b| a.group == b.group) {
            let more = width_of(&own[0].group).saturating_sub(width(own)).min(spare);
            spare -= more;
            if let Some(column) = own.last_mut() {
                column.width += more;
            }
        }
        let name = name + more;
        let names: Vec<&str> = groups.iter().map(|t| t.name.as_str()).collect();
        let names = fit_distinct(&names, name, theme.ascii());
        Self { screen, theme, columns, shown, cursor, shifted, names, name, states, state }
    }

    /// The width before the columns.
    fn fixed(&self) -> usize {
        2 + 2 + self.name + 2 + self.state + 2
    }

    /// Draws the row of a group.
    fn row(&self, row: usize, group: usize, pen: &mut Pen<'_>, area: Rect) {
        let Self { screen, theme, .. } = *self;
        let Some(t) = screen.compared.groups.get(group) else { return };
        let hidden = screen.hidden.contains(&t.name);
        let here = row == screen.row();
        pen.left(if here { theme.glyph("›", ">") } else { "" }, 2, theme.accent());
        let mark = if hidden { ' ' } else { marker(t.look.1, theme.ascii()) };
        pen.left(&mark.to_string(), 2, theme.paint(t.look.0));
        pen.left(&self.names[group], self.name + 2, if hidden { theme.dim() } else { theme.bold() });
        pen.left(&self.states[group], self.state + 2, theme.dim());
        for (at, column) in self.columns.iter().enumerate().take(self.shown.end).skip(self.shown.start) {
            let text = column.cells.get(row).map_or("", String::as_str);
            let best = column.best.get(row).copied().unwrap_or(false);
            let style = if best { theme.good() } else { theme.text() };
            let style = if at == self.cursor { style.patch(theme.bold()) } else { style };
            if column.numbers {
                let mark = if best { theme.glyph(" ◂", " <") } else { "  " };
                pen.right(&format!("{text}{mark}"), column.width, style).skip(2);
            } else {
                pen.left(text, column.width + 2, style);
            }
        }
        if here {
            pen.tint(area, theme.cursor());
        }
    }

    /// Draws the metrics, and below them the titles of the columns.
    fn head(&self, frame: &mut Frame<'_>, area: Rect) {
        let Self { columns, shown, theme, .. } = self;
        let buffer = frame.buffer_mut();
        let mut pen = Pen::row(buffer, *theme, area, 0);
        let left = if shown.start > 0 { theme.glyph("‹", "<") } else { "" };
        pen.skip(self.fixed().saturating_sub(2)).left(left, 2, theme.dim());
        for own in columns[shown.clone()].chunk_by(|a, b| a.group == b.group) {
            let width = width(own);
            pen.left(&fit_ends(&own[0].group, width, theme.ascii()), width + 2, theme.bold());
        }
        if shown.end < columns.len() {
            buffer.set_string(area.right().saturating_sub(1), area.y, theme.glyph("›", ">"), theme.dim());
        }
        let compared = &self.screen.compared;
        let mut pen = Pen::row(buffer, *theme, area, 1);
        let (count, row) = (compared.groups.len(), self.screen.row() + 1);
        let what = if count == compared.runs.len() { "run" } else { "group" };
        let room = self.fixed().saturating_sub(4);
        // A table that goes on says which row this is.
        let goes_on = count > usize::from(area.height.saturating_sub(HEADING));
        let places = [format!("{what} {row} of {count}"), format!("{what} {row}/{count}")];
        let place = places.iter().find(|words| goes_on && width_of(words) + 2 <= room);
        pen.skip(4).left(place.map_or(what, String::as_str), room, theme.dim());
        for at in shown.clone() {
            self.title(at, &mut pen);
        }
    }

    /// Draws the title of a column, with an arrow if it decides the order.
    fn title(&self, at: usize, pen: &mut Pen<'_>) {
        let Self { screen, theme, .. } = *self;
        let column = &self.columns[at];
        let own = at.checked_sub(self.shifted).and_then(|at| screen.compared.table.sort_keys().nth(at));
        let sorted = own == Some(screen.sort);
        let arrow = match (sorted, screen.reverse) {
            (false, _) => "",
            (true, false) => theme.glyph("↓", "v"),
            (true, true) => theme.glyph("↑", "^"),
        };
        let style = if at == self.cursor { theme.accent() } else { theme.dim() };
        let title = format!("{}{arrow}", column.title);
        if column.numbers {
            // Placed above the digits, not above the mark of the best value.
            let title = if sorted { format!("{title} ") } else { format!("{title}  ") };
            pen.right(&title, column.width, style).skip(2);
        } else {
            pen.left(&title, column.width + 2, style);
        }
    }
}

/// The columns that fit, with the one under the cursor. If that is all, its heading gives way to what `names` lack.
fn fitting(columns: &mut [Column], cursor: usize, room: usize, names: usize) -> Range<usize> {
    // On a phone, a heading is cut rather than its values left out.
    for column in columns.iter_mut() {
        column.width = column.width.min(room);
    }
    let first = first_column(columns, cursor, room);
    let fits = |end: &usize| width(&columns[first..*end]) <= room;
    let end = (first..=columns.len()).take_while(fits).last().unwrap_or(first);
    if let [column] = &mut columns[first..end] {
        column.width = column.width.saturating_sub(names).max(column.least.min(column.width));
    }
    first..end
}

/// Draws the table.
pub(super) fn draw(
    screen: &Compare,
    theme: Theme,
    at_cursor: Option<&[Option<AtCursor>]>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let sheet = Sheet::new(screen, at_cursor, theme, area.width);
    sheet.head(frame, area);
    let order = &screen.compared.order;
    let height = usize::from(area.height.saturating_sub(HEADING));
    let top = around(screen.row(), order.len(), height);
    for (row, group) in order.iter().enumerate().skip(top).take(height) {
        let mut pen = Pen::row(frame.buffer_mut(), theme, area, (row - top) as u16 + HEADING);
        sheet.row(row, *group, &mut pen, area);
    }
}

/// The state of a run or the size of a group.
fn words(screen: &Compare, group: &gradtop_view::compare::RunGroup, theme: Theme, width: u16) -> String {
    let grouped = screen.by != gradtop_view::compare::GroupBy::Nothing;
    match group.members.as_slice() {
        [_] if grouped => number::counted(1, "run"),
        [one] => screen.compared.runs.get(*one).map_or_else(String::new, |s| {
            let view = &s.row.view;
            // On a narrow terminal, its sign is enough.
            if width < 60 {
                return state::sign(view.state, view.certain, theme.ascii());
            }
            state::label_in(view, theme.ascii())
        }),
        many => format!("{} runs", many.len()),
    }
}
