//! Draws the comparison.

use gradtop_store::figures::Figure;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Widget as _;

use super::Compare;
use super::settings::Pane;
use super::table::{self, AtCursor};
use crate::print::clean;
use crate::screens::pen::Pen;
use crate::screens::shared::Shared;
use crate::widgets::ChartCell;
use gradtop_chart::cells::text::{width_of, wrap};
use gradtop_chart::number::counted;
use gradtop_view::compare::{Align, Facet, GroupBy, overlay, why_none};
use gradtop_view::figure::chart::build;
use gradtop_view::figure::prepared::{Cursor, Plot, PreparedChart};
use gradtop_view::figure::view::{ChartView, Subject};

/// With several charts, each is at least this wide and high.
const LEAST: (u16, u16) = (52, 11);

/// Below this width, what is shown takes precedence over its source.
const NARROW: u16 = 60;

/// The areas of the parts.
struct Layout {
    charts: Rect,
    table: Rect,
}

fn layout(shared: &Shared, screen: &Compare, area: Rect) -> Layout {
    let (top, height) = (area.y + 1.min(area.height), area.height.saturating_sub(1));
    let whole = Rect { y: top, height, ..area };
    let none = Rect { height: 0, ..whole };
    match shared.settings.compare.pane {
        Pane::Charts => Layout { charts: whole, table: none },
        Pane::Table => Layout { charts: none, table: whole },
        Pane::Both => {
            let wanted = screen.compared.groups.len() as u16 + table::HEADING + 1;
            let most = (height * 2 / 5).max(table::HEADING + 3);
            let rows = wanted.min(most).min(height);
            let charts = Rect { height: height - rows, ..whole };
            Layout { charts, table: Rect { y: charts.bottom(), height: rows, ..whole } }
        }
    }
}

/// Columns and rows of charts on a page.
fn grid(screen: &Compare, area: Rect) -> (u16, u16) {
    if screen.expanded {
        return (1, 1);
    }
    let count = screen.compared.facets.len().max(1) as u16;
    let columns = (area.width / LEAST.0).clamp(1, 4).min(count);
    let rows = (area.height / LEAST.1).clamp(1, 4).min(count.div_ceil(columns));
    (columns, rows)
}

/// The number of charts on a page.
pub(super) fn page(shared: &Shared, screen: &Compare) -> usize {
    let (columns, rows) = grid(screen, layout(shared, screen, shared.area).charts);
    usize::from(columns * rows).max(1)
}

/// The visible charts.
pub(super) fn visible(shared: &Shared, screen: &Compare) -> std::ops::Range<usize> {
    let page = page(shared, screen);
    let first = screen.chart / page * page;
    first..(first + page).min(screen.compared.facets.len())
}

/// The cell of a chart on its page.
fn cell(area: Rect, (columns, rows): (u16, u16), at: u16) -> Rect {
    let (width, height) = (area.width / columns, area.height / rows);
    let (column, row) = (at % columns, at / columns);
    // One blank column between neighbours.
    let gap = u16::from(columns > 1);
    Rect {
        x: area.x + column * width + 1,
        y: area.y + row * height,
        width: width.saturating_sub(1 + gap),
        height,
    }
}

/// The chart at a position, and the x there if it lies in the plot.
pub(super) fn chart_at(shared: &Shared, screen: &Compare, at: Position) -> Option<(usize, Option<f64>)> {
    let area = layout(shared, screen, shared.area).charts;
    let places = grid(screen, area);
    for (i, chart) in visible(shared, screen).enumerate() {
        let cell = cell(area, places, i as u16);
        if cell.contains(at) {
            let plot = screen.cache.plot(chart as u64);
            let inside = plot.filter(|p| p.y_at(usize::from(at.y - cell.y)).is_some());
            return Some((chart, inside.and_then(|p| p.x_at(usize::from(at.x - cell.x)))));
        }
    }
    None
}

/// The group whose row is drawn at a position.
pub(super) fn row_at(shared: &Shared, screen: &Compare, at: Position) -> Option<usize> {
    table::row_at(screen, layout(shared, screen, shared.area).table, at)
}

pub(super) fn view_of(shared: &Shared, screen: &Compare) -> ChartView {
    let settings = &shared.settings.compare;
    let focus = screen.focus.then(|| screen.current_group());
    ChartView {
        log_y: settings.log,
        zoom_x: screen.zoom,
        smoothing: settings.weight(),
        hidden: screen.hidden.clone(),
        cursor: screen.cursor,
        ..overlay::view(settings.align, &screen.compared.groups, focus)
    }
}

fn figure_of(shared: &Shared, screen: &Compare, facet: &Facet) -> Figure {
    let mut figure = overlay::figure(&screen.compared.runs, &screen.compared.groups, facet);
    if shared.theme.ascii() {
        figure.title = crate::print::plain(&figure.title);
    }
    figure
}

fn built_of(shared: &Shared, screen: &Compare, view: &ChartView) -> Option<PreparedChart> {
    let area = layout(shared, screen, shared.area).charts;
    let places = grid(screen, area);
    let facet = screen.compared.facets.get(screen.chart)?;
    let cell = cell(area, places, 0);
    let figure = figure_of(shared, screen, facet);
    let sources = overlay::sources(&screen.compared.runs, &screen.compared.groups);
    let size = (usize::from(cell.width), usize::from(cell.height));
    Some(build(&sources, Subject::Panel(&figure, 0), view, size, shared.theme))
}

/// The chart under the cursor.
pub(super) fn built(shared: &Shared, screen: &Compare) -> Option<PreparedChart> {
    built_of(shared, screen, &view_of(shared, screen))
}

/// The plot of the chart under the cursor.
pub(super) fn plot(shared: &Shared, screen: &Compare) -> Option<Plot> {
    built(shared, screen)?.plot
}

/// The same for the whole range of x.
pub(super) fn whole_plot(shared: &Shared, screen: &Compare) -> Option<Plot> {
    built_of(shared, screen, &ChartView { zoom_x: None, ..view_of(shared, screen) })?.plot
}

impl Compare {
    pub(super) fn draw(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let compared = &self.compared;
        if compared.runs.is_empty() {
            let (theme, gone) = (shared.theme, !self.runs.is_empty());
            let what = if gone { "The compared runs no longer exist" } else { "No runs to compare" };
            let how = "Select runs with space in the list, then press c.  esc: back";
            for (row, text, style) in [(1, what, theme.bold()), (2, how, theme.dim())] {
                Pen::row(frame.buffer_mut(), theme, area, row).skip(2).put(text, style);
            }
            return;
        }
        let place = layout(shared, self, area);
        if place.charts.height > 0 {
            self.charts(shared, frame, place.charts);
        }
        self.heading(shared, frame, area);
        if place.table.height > 0 {
            let at_cursor = self.at_cursor(shared, place.charts.height > 0);
            table::draw(self, shared, at_cursor.as_deref(), frame, place.table);
        }
    }

    fn heading(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let theme = shared.theme;
        let settings = &shared.settings.compare;
        let compared = &self.compared;
        let experiments: std::collections::BTreeSet<&str> =
            compared.runs.iter().map(|s| s.row.experiment()).collect();
        let of = match experiments.iter().next() {
            Some(one) if experiments.len() == 1 => clean(one),
            _ => format!("{} experiments, the metrics they share", experiments.len()),
        };
        let mut pen = Pen::row(frame.buffer_mut(), theme, area, 0);
        pen.skip(1).put(&counted(compared.runs.len(), "run"), theme.dim());
        // The table names them, too.
        if area.width >= NARROW {
            pen.put(" of ", theme.dim()).put(&of, theme.bold());
        }
        let fact = |pen: &mut Pen<'_>, name: &str, value: &str| {
            pen.skip(3).put(name, theme.dim()).skip(1).put(value, theme.text());
        };
        if self.by != GroupBy::Nothing {
            fact(&mut pen, "grouped by:", &self.by.word());
        }
        fact(&mut pen, "x:", settings.align.word());
        if settings.weight() > 0.0 {
            fact(&mut pen, "smooth:", &format!("{:.2}", settings.weight()));
        }
        match settings.log {
            Some(true) => fact(&mut pen, "y:", "log"),
            Some(false) => fact(&mut pen, "y:", "linear"),
            None => {}
        }
        if let Some(x) = self.cursor {
            let built = self.cache.built(self.chart as u64);
            let at = built.as_ref().and_then(|b| b.cursor).map_or(x, |c| c.x);
            // If the lines have different steps there, the table shows the step of each.
            let words = match (settings.align, built.and_then(|b| Cursor::common_value(&b.lines))) {
                (Align::Step, Some(common_value)) => common_value.words(),
                (align, Some(common_value)) => format!("{}, {}", align.place(at), common_value.words()),
                (align, None) => align.place(at),
            };
            fact(&mut pen, "cursor:", &words);
        }
        if self.zoom.is_some() {
            pen.skip(3).put("zoomed", theme.wait());
        }
        if compared.gone > 0 {
            pen.skip(3).put(&format!("{} gone", compared.gone), theme.alert());
        }
        let reading = compared.runs.iter().any(|s| s.data.progress.reading);
        if reading {
            pen.skip(3).put("reading …", theme.dim());
        }
        if settings.pane != Pane::Table && !compared.facets.is_empty() {
            let shown = visible(shared, self);
            let text = match shown.len() {
                1 => format!("chart {} of {}", shown.start + 1, compared.facets.len()),
                _ => format!("charts {}-{} of {}", shown.start + 1, shown.end, compared.facets.len()),
            };
            let free = pen.room().saturating_sub(width_of(&text) + 1);
            if free > 2 {
                pen.skip(free).put(&text, theme.dim());
            }
        }
    }

    fn charts(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let compared = &self.compared;
        let theme = shared.theme;
        if compared.facets.is_empty() {
            // Until something has been read, the data has generation 0.
            let unread = compared.runs.iter().any(|s| s.data.progress.reading || s.data.generation == 0);
            let text = if unread { "reading …" } else { why_none(&compared.runs) };
            for (row, line) in (1..).zip(wrap(text, usize::from(area.width.saturating_sub(4)))) {
                Pen::row(frame.buffer_mut(), theme, area, row).skip(2).put(&line, theme.dim());
            }
            return;
        }
        let places = grid(self, area);
        let view = view_of(shared, self);
        let sources = overlay::sources(&compared.runs, &compared.groups);
        for (i, chart) in visible(shared, self).enumerate() {
            let figure = figure_of(shared, self, &compared.facets[chart]);
            let cell = ChartCell {
                sources: &sources,
                subject: Subject::Panel(&figure, 0),
                view: &view,
                theme,
                focused: chart == self.chart,
                cache: &self.cache,
                slot: chart as u64,
                page: visible(shared, self).len(),
                turns: &shared.turns,
            };
            cell.render(self::cell(area, places, i as u16), frame.buffer_mut());
        }
    }

    /// The value of each group at the cursor.
    fn at_cursor(&self, shared: &Shared, charts: bool) -> Option<Vec<Option<AtCursor>>> {
        self.cursor.filter(|_| charts && visible(shared, self).contains(&self.chart))?;
        let built = self.cache.built(self.chart as u64)?;
        let of = |name: &str| {
            let line = built.lines.iter().find(|l| l.name == name)?;
            line.at_cursor.map(|at| (at, line.words(at.shown)))
        };
        Some(self.compared.groups.iter().map(|t| of(&t.name)).collect())
    }
}
