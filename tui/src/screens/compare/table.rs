//! The table: a row for each run or group. Names and marks are always visible, the other columns as space permits.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::Compare;
use crate::print::clean;
use crate::screens::pen::Pen;
use crate::screens::shared::Shared;
use crate::widgets::around;
use gradtop_chart::cells::align::{Align, align};
use gradtop_chart::cells::text::{fit_apart, fit_ends, width_of};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::colour::marker;
use gradtop_chart::number;
use gradtop_view::compare::table::{Row, Sort};
use gradtop_view::figure::prepared::CursorValue;
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
    numbers: bool,
}

/// The columns on the screen, and their positions.
struct Shown<'a> {
    columns: &'a [Column],
    range: Range<usize>,
    cursor: usize,
    /// The width of name and state before them.
    fixed: usize,
    /// How many of them show values at the cursor of the charts.
    shifted: usize,
}

impl Column {
    fn new(group: String, title: String, cells: &[String], best: Vec<bool>, numbers: bool) -> Self {
        let (how, most) = if numbers { (Align::Point, usize::MAX) } else { (Align::Left, 28) };
        let cells = align(cells, how, most, false);
        let widest = cells.iter().map(|c| width_of(c)).max().unwrap_or(0);
        // Leaves room for the mark of the best value.
        let width = widest.max(width_of(&title)) + if numbers { 2 } else { 0 };
        Self { group, title, cells, best, width, numbers }
    }
}

/// The value of a group at the cursor, and its number as text.
pub(super) type AtCursor = (CursorValue, String);

/// The columns, and how many of them show values at the cursor.
fn columns(screen: &Compare, at_cursor: Option<&[Option<AtCursor>]>, theme: Theme) -> (Vec<Column>, usize) {
    let compared = &screen.compared;
    let table = &compared.table;
    let rows: Vec<&Row> = compared.order.iter().filter_map(|i| table.rows.get(*i)).collect();
    let none = theme.glyph("–", "-");
    let text = |v: Option<f64>| v.map_or_else(|| none.to_owned(), number::value);
    let mut out = Vec::new();
    for key in table.sort_keys() {
        out.push(match key {
            Sort::Param(i) => {
                let cell = |r: &&Row| r.params.get(i).cloned().unwrap_or_default();
                let cells: Vec<String> = rows.iter().map(cell).collect();
                Column::new(String::new(), clean(&table.params[i]), &cells, Vec::new(), false)
            }
            Sort::Value(i) => {
                let column = &table.columns[i];
                let cells: Vec<String> = rows.iter().map(|r| text(r.values[i])).collect();
                let best = rows.iter().map(|r| r.best[i]).collect();
                Column::new(clean(&column.facet.title()), column.short(), &cells, best, true)
            }
            Sort::Given => continue,
        });
    }
    let before = out.len();
    if let Some(values) = at_cursor {
        let shown = compared.shown(&screen.by, None);
        let facet = screen.charts.name(shown).map(|name| clean(&name)).unwrap_or_default();
        let of = |r: &&Row| values.get(r.group).and_then(Option::as_ref);
        let cells: Vec<String> =
            rows.iter().map(|r| of(r).map_or_else(|| none.to_owned(), |(_, words)| words.clone())).collect();
        out.insert(0, Column::new(facet.clone(), "at cursor".to_owned(), &cells, Vec::new(), true));
        let mut all = rows.iter().filter_map(of);
        let first = all.next();
        if all.any(|at| first.is_some_and(|first| !first.0.has_same_description(&at.0))) {
            let brief = |r| of(r).map(|(at, _)| at.steps_text().replace('–', none)).unwrap_or_default();
            let cells: Vec<String> = rows.iter().map(brief).collect();
            out.insert(1, Column::new(facet, "of step".to_owned(), &cells, Vec::new(), false));
        }
    }
    let at_cursor = out.len() - before;
    for own in out.chunk_by_mut(|a, b| a.group == b.group) {
        let used: usize = own.iter().map(|c| c.width + 2).sum::<usize>() - 2;
        let missing = width_of(&own[0].group).min(TITLE).saturating_sub(used);
        let count = own.len();
        for (i, column) in own.iter_mut().enumerate() {
            column.width += (missing + i) / count;
        }
    }
    (out, at_cursor)
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

pub(super) fn draw(
    screen: &Compare,
    shared: &Shared,
    at_cursor: Option<&[Option<AtCursor>]>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = shared.theme;
    let compared = &screen.compared;
    let (mut columns, shifted) = columns(screen, at_cursor, theme);
    let cursor = if columns.is_empty() { 0 } else { screen.column() + shifted };
    let longest = compared.groups.iter().map(|t| width_of(&t.name)).max().unwrap_or(0).max(4);
    let mut name = longest.min((usize::from(area.width) / 3).max(12));
    let state =
        compared.groups.iter().map(|t| width_of(&words(screen, t, theme, area.width))).max().unwrap_or(0);
    let room = usize::from(area.width).saturating_sub(10 + name + state);
    // On a phone, a heading is cut rather than its values left out.
    for column in &mut columns {
        column.width = column.width.min(room);
    }
    let first = first_column(&columns, cursor, room);
    let mut shown = 0;
    let mut used = 0;
    for c in &columns[first.min(columns.len())..] {
        if used + c.width > room {
            break;
        }
        used += c.width + 2;
        shown += 1;
    }
    let shown = first..first + shown;
    // The room that is left goes to names, then to headings.
    let mut spare = (room + 2).saturating_sub(used.max(2));
    let more = (longest - name).min(spare);
    (name, spare) = (name + more, spare - more);
    for own in columns[shown.clone()].chunk_by_mut(|a, b| a.group == b.group) {
        let used: usize = own.iter().map(|c| c.width + 2).sum::<usize>() - 2;
        let more = width_of(&own[0].group).saturating_sub(used).min(spare);
        spare -= more;
        if let Some(column) = own.last_mut() {
            column.width += more;
        }
    }
    let fixed = 2 + 2 + name + 2 + state + 2;
    let of = Shown { columns: &columns, range: shown.clone(), cursor, fixed, shifted };
    head(screen, shared, &of, frame, area);
    let height = usize::from(area.height.saturating_sub(HEADING));
    let here = screen.row();
    let names: Vec<&str> = compared.groups.iter().map(|t| t.name.as_str()).collect();
    let names = fit_apart(&names, name, theme.ascii());
    let top = around(here, compared.order.len(), height);
    for (i, group) in compared.order.iter().enumerate().skip(top).take(height) {
        let Some(t) = compared.groups.get(*group) else { continue };
        let hidden = screen.hidden.contains(&t.name);
        let mut pen = Pen::row(frame.buffer_mut(), theme, area, (i - top) as u16 + HEADING);
        pen.left(if i == here { theme.glyph("›", ">") } else { "" }, 2, theme.accent());
        let mark = if hidden { ' ' } else { marker(t.look.1, theme.ascii()) };
        pen.left(&mark.to_string(), 2, theme.paint(t.look.0));
        let style = if hidden { theme.dim() } else { theme.bold() };
        pen.left(names.get(*group).map_or("", String::as_str), name + 2, style);
        pen.left(&words(screen, t, theme, area.width), state + 2, theme.dim());
        for (at, column) in columns.iter().enumerate().take(shown.end).skip(shown.start) {
            let text = column.cells.get(i).map_or("", String::as_str);
            let best = column.best.get(i).copied().unwrap_or(false);
            let style = if best { theme.good() } else { theme.text() };
            let style = if at == cursor { style.patch(theme.bold()) } else { style };
            if column.numbers {
                let mark = if best { theme.glyph(" ◂", " <") } else { "  " };
                let text = format!("{text}{mark}");
                pen.right(&text, column.width, style).skip(2);
            } else {
                pen.left(text, column.width + 2, style);
            }
        }
        if i == here {
            pen.tint(area, theme.cursor());
        }
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

fn head(screen: &Compare, shared: &Shared, of: &Shown<'_>, frame: &mut Frame<'_>, area: Rect) {
    let Shown { columns, range: ref shown, cursor, fixed, shifted } = *of;
    let theme = shared.theme;
    let buffer = frame.buffer_mut();
    let mut pen = Pen::row(buffer, theme, area, 0);
    let left = if shown.start > 0 { theme.glyph("‹", "<") } else { "" };
    pen.skip(fixed.saturating_sub(2)).left(left, 2, theme.dim());
    let mut at = shown.start;
    while at < shown.end {
        let group = &columns[at].group;
        let mut width = 0;
        while at < shown.end && columns[at].group == *group {
            width += columns[at].width + 2;
            at += 1;
        }
        pen.left(&fit_ends(group, width.saturating_sub(2), theme.ascii()), width, theme.bold());
    }
    if shown.end < columns.len() {
        buffer.set_string(area.right().saturating_sub(1), area.y, theme.glyph("›", ">"), theme.dim());
    }
    let mut pen = Pen::row(buffer, theme, area, 1);
    let what = if screen.compared.groups.len() == screen.compared.runs.len() { "run" } else { "group" };
    pen.skip(4).left(what, fixed.saturating_sub(4), theme.dim());
    for at in shown.clone() {
        let column = &columns[at];
        let own = at.checked_sub(shifted).and_then(|at| screen.compared.table.sort_keys().nth(at));
        let sorted = own == Some(screen.sort);
        let arrow = match (sorted, screen.reverse) {
            (false, _) => "",
            (true, false) => theme.glyph("↓", "v"),
            (true, true) => theme.glyph("↑", "^"),
        };
        let style = if at == cursor { theme.accent() } else { theme.dim() };
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
