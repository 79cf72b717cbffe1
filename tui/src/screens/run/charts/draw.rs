//! Draws the grid of charts, and the lines above and below it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::super::settings::Look;
use super::super::words::signs;
use super::items::{SYSTEM, Source as Shown};
use super::window::Axis;
use super::{Charts, Typing};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::{self, ChartCell};
use gradtop_chart::cells::text::{fit, fit_distinct, width_of};
use gradtop_chart::number;
use gradtop_chart::scale::{Scale, Span as Range};
use gradtop_view::chart_spec::ChartContent;
use gradtop_view::figure::chart::{build, y_range};
use gradtop_view::figure::prepared::{Cursor, CursorValue, LineInfo, PreparedChart};
use gradtop_view::figure::view::{ChartView, Source};
use gradtop_view::live::{RunData, XAxis};
use gradtop_view::natural;

/// The width of the list of series beside a large chart.
const LEGEND: u16 = 40;
/// The minimal width of a terminal for that list.
pub(crate) const LEGEND_FROM: u16 = 100;

/// A chart in its cell, for conversions between positions and values.
#[derive(Debug)]
pub(crate) struct Plot {
    built: PreparedChart,
    cell: Rect,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) kind: Option<XAxis>,
}

impl Plot {
    fn area(&self) -> Option<gradtop_view::figure::prepared::Plot> {
        self.built.plot
    }

    /// Returns whether y is logarithmic.
    pub(crate) fn log_y(&self) -> bool {
        self.built.chart.y.scale != Scale::Linear
    }

    /// The position of x in the plot, from 0 at the left to 1 at the right.
    pub(crate) fn share_of(&self, x: f64) -> Option<f64> {
        self.area().map(|p| p.x.unit(x)).filter(|t| (0.0..=1.0).contains(t))
    }

    /// Moves the cursor from `x` by so many dots, at least to the next visible sample.
    pub(crate) fn moved(&self, x: f64, dots: i64) -> f64 {
        self.built.moved(x, dots)
    }

    /// The position in the plot, as shares from the left and from the bottom.
    pub(crate) fn share_at(&self, (x, y): (u16, u16)) -> (f64, f64) {
        let Some(plot) = self.area() else { return (0.5, 0.5) };
        let share = |at: u16, from: u16, inner: usize, of: usize| {
            ((f64::from(at) + 0.5 - f64::from(from) - inner as f64) / of.max(1) as f64).clamp(0.0, 1.0)
        };
        let a = plot.area;
        (share(x, self.cell.x, a.left, a.width), 1.0 - share(y, self.cell.y, a.top, a.height))
    }

    /// The distance between two positions, as shares to the right and up.
    pub(crate) fn shares(&self, from: (u16, u16), to: (u16, u16)) -> (f64, f64) {
        let Some(plot) = self.area() else { return (0.0, 0.0) };
        let share = |a: u16, b: u16, of: usize| (f64::from(b) - f64::from(a)) / of.max(1) as f64;
        (share(from.0, to.0, plot.area.width), -share(from.1, to.1, plot.area.height))
    }

    /// The value of x at a column of the terminal, if it is in the plot.
    pub(crate) fn x_at(&self, column: u16) -> Option<f64> {
        self.area()?.x_at(usize::from(column.checked_sub(self.cell.x)?))
    }
}

impl Charts {
    /// How a chart is displayed.
    fn view_of(&self, data: &RunData, look: &Look, chart: usize) -> ChartView {
        let item = &self.items[chart];
        let part = self.parts.get(&item.id).copied().unwrap_or_default();
        let kind = item.kind(data, look);
        let of_kind = |place: Option<(XAxis, f64)>| place.filter(|(k, _)| Some(*k) == kind).map(|(_, x)| x);
        ChartView {
            x: look.x,
            log_x: look.log_x,
            log_y: look.log_y.get(&item.id).copied(),
            zoom_x: match kind {
                Some(kind) => self.x.filter(|(k, _)| *k == kind).map(|(_, x)| x),
                None => part.x,
            },
            zoom_y: part.y,
            smoothing: look.smoothing,
            clip: look.clip,
            hidden: look.hidden.clone(),
            cursor: of_kind(self.cursor),
            ..ChartView::default()
        }
    }

    /// The focused chart and how it is displayed, independent of its neighbours.
    pub(crate) fn chart_spec(&self, data: &RunData, look: &Look) -> Option<(ChartContent, ChartView)> {
        let item = self.items.get(self.focus)?;
        let what = match (&item.source, item.figure(data)) {
            (Shown::Metric(name), _) => ChartContent::Metric(name.clone()),
            (_, figure) => {
                figure.map(|(figure, panel)| ChartContent::Figure { id: figure.id.clone(), panel })?
            }
        };
        Some((what, ChartView { cursor: None, ..self.view_of(data, look, self.focus) }))
    }

    /// The plot of a chart in its cell.
    pub(super) fn plot(
        &self,
        shared: &Shared,
        data: &RunData,
        look: &Look,
        chart: usize,
        cell: Rect,
    ) -> Option<Plot> {
        let item = &self.items[chart];
        let subject = item.subject(data)?;
        let sources = [Source { data, label: None }];
        let size = (usize::from(cell.width), usize::from(cell.height));
        let view = self.view_of(data, look, chart);
        let free = ChartView { zoom_x: None, zoom_y: None, ..view.clone() };
        let built = build(&sources, subject, &view, size, shared.theme);
        let whole =
            if free == view { built.plot } else { build(&sources, subject, &free, size, shared.theme).plot };
        let whole = whole?;
        let axis = |whole: Range, shown: Option<Range>| {
            let shown = shown.unwrap_or(whole);
            Axis { whole, shown: (shown.low, shown.high) }
        };
        let x = axis(whole.x, built.plot.map(|plot| plot.x));
        let y = axis(whole.y, built.plot.map(|plot| plot.y));
        Some(Plot { built, cell, x, y, kind: item.kind(data, look) })
    }

    /// The area of the charts, beside the list of series if there is one.
    pub(super) fn room(&self, look: &Look, area: Rect) -> Rect {
        if self.expanded && look.legend && area.width >= LEGEND_FROM {
            Rect { width: area.width - LEGEND - 2, ..area }
        } else {
            area
        }
    }

    /// Draws the charts of the page, and the status line below.
    pub(crate) fn view(
        &self,
        shared: &Shared,
        data: &RunData,
        look: &Look,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        let cells = self.cells(look, area);
        let sources = [Source { data, label: None }];
        let mut views: Vec<ChartView> = cells.iter().map(|(i, _)| self.view_of(data, look, *i)).collect();
        if look.same_y {
            self.same_y(data, &cells, &mut views);
        }
        for ((i, cell), view) in cells.iter().zip(&views) {
            let Some(subject) = self.items[*i].subject(data) else { continue };
            let chart = ChartCell {
                sources: &sources,
                subject,
                view,
                theme: shared.theme,
                focused: *i == self.focus && cells.len() > 1,
                cache: &self.cache,
                slot: *i as u64,
                page: cells.len(),
                turns: &shared.turns,
            };
            chart.render(*cell, frame.buffer_mut());
        }
        if self.items.is_empty() && area.height > 2 {
            let text = format!(" no chart is called like {}", clean(&self.search.0));
            let line = Line::styled(text, shared.theme.dim());
            widgets::lines([line], shared.theme, frame, Rect { y: area.y + 1, height: 1, ..area });
        }
        let focused = self.cache.built(self.focus as u64).filter(|_| !self.items.is_empty());
        let lines = focused.as_ref().map_or(&[][..], |b| &b.lines);
        // A chart of a table has no values at the cursor, so the first chart that has some is used.
        let read = |b: &PreparedChart| b.lines.iter().any(|l| l.at_cursor.is_some());
        let other = cells.iter().filter_map(|(i, _)| self.cache.built(*i as u64)).find(|b| read(b));
        let (told, at) = match (&focused, &other) {
            (Some(own), Some(other)) if !read(own) => (&other.lines[..], other.cursor),
            (own, _) => (lines, own.as_ref().and_then(|own| own.cursor)),
        };
        let at = at.map(|c| c.x);
        let status = self.status(shared, data, (look, area), (told, at));
        // A status that is too long for one line covers part of the charts.
        let height = (status.len() as u16).min(area.height);
        let place = Rect { y: area.bottom() - height, height, ..area };
        frame.render_widget(ratatui::widgets::Clear, place);
        widgets::lines(status, shared.theme, frame, place);
        if self.room(look, area) != area {
            let place = Rect { x: area.right() - LEGEND, width: LEGEND, ..area };
            legend(shared, lines, (self.cursor.is_some(), look.smoothing > 0.0), frame, place);
        }
        if let Some(here) = &self.list {
            Self::list_view(shared, look, &self.names(look, area), here, frame, area);
        }
    }

    /// The names of the lines on this page, as last drawn.
    pub(super) fn names(&self, look: &Look, area: Rect) -> Vec<String> {
        let mut names = std::collections::BTreeSet::new();
        for built in self.cells(look, area).iter().filter_map(|(i, _)| self.cache.built(*i as u64)) {
            names.extend(built.lines.iter().map(|l| l.name.clone()));
        }
        // Hidden series remain in the list, so that they can be shown again.
        names.extend(look.hidden.iter().cloned());
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_by(|a, b| natural::order(a, b));
        names
    }

    /// Gives charts with equal unit and scale the same range of y, unless they are zoomed.
    fn same_y(&self, data: &RunData, cells: &[(usize, Rect)], views: &mut [ChartView]) {
        /// Unit and scale.
        type Kind = (Option<String>, Option<bool>);
        let sources = [Source { data, label: None }];
        let mut ranges: Vec<(Kind, (f64, f64))> = Vec::new();
        let key = |i: usize, view: &ChartView| -> Kind {
            (self.items[i].unit(data), view.log_y.or(self.items[i].log(data)))
        };
        for ((i, _), view) in cells.iter().zip(views.iter()) {
            let subject = self.items[*i].subject(data);
            let Some((low, high)) = subject.and_then(|s| y_range(&sources, s, view)) else { continue };
            let own = key(*i, view);
            match ranges.iter_mut().find(|(k, _)| *k == own) {
                Some((_, r)) => *r = (r.0.min(low), r.1.max(high)),
                None => ranges.push((own, (low, high))),
            }
        }
        for ((i, _), view) in cells.iter().zip(views.iter_mut()) {
            let own = key(*i, view);
            if view.zoom_y.is_none() {
                view.zoom_y = ranges.iter().find(|(k, r)| *k == own && r.0 < r.1).map(|(_, r)| *r);
            }
        }
    }

    /// The status line: the values at the cursor in the focused chart, or which charts these are.
    fn status(
        &self,
        shared: &Shared,
        data: &RunData,
        (look, area): (&Look, Rect),
        (lines, at): (&[LineInfo], Option<f64>),
    ) -> Vec<Line<'static>> {
        let theme = shared.theme;
        let width = usize::from(area.width);
        if let Some(Typing { input, error, .. }) = &self.typing {
            let found = format!("{} of {}", self.items.len(), self.all.len());
            let error = error.as_deref().map(clean);
            let said = error.as_deref().map_or((&*found, theme.dim()), |error| (error, theme.alert()));
            return widgets::typed(Span::styled(" find ", theme.accent()), input, said, width, theme);
        }
        if let Some((kind, x)) = self.cursor.filter(|_| !self.items.is_empty()) {
            let smooth = look.smoothing > 0.0;
            let told = |detail| at_cursor(shared, lines, (kind, at.unwrap_or(x)), smooth, detail);
            let wide = |spans: &[Span<'_>]| spans.iter().map(|s| width_of(&s.content)).sum::<usize>();
            // As much of each line as lets all of them fit.
            let all = Detail::ALL.into_iter().map(told).find(|spans| wide(spans) <= width);
            let spans = all.unwrap_or_else(|| {
                let mut spans = told(Detail::Values);
                while wide(&spans) + 2 > width && spans.len() > 1 {
                    spans.truncate(spans.len() - 2);
                }
                spans.push(Span::styled(signs(shared, " …"), theme.dim()));
                spans
            });
            return vec![Line::from(spans)];
        }
        let layout = self.layout(look, area);
        let mut parts = Vec::new();
        if layout.pages > 1 {
            let digits = layout.pages.to_string().len();
            parts.push(format!("page {:>digits$} of {}", layout.page_of(self.focus) + 1, layout.pages));
        }
        if self.system {
            parts.extend(measured(data));
        }
        let (count, counted) = (self.items.len(), parts.len());
        parts.push(match (self.search.0.as_str(), count) {
            ("", 1) => "1 chart".to_owned(),
            ("", _) => format!("{count} charts"),
            (text, _) => format!("{} finds {count} of {}: esc shows all", clean(text), self.all.len()),
        });
        if let Some(item) = self.items.get(self.focus) {
            if look.pinned.contains(&item.id) {
                parts.push("pinned".to_owned());
            }
            if !item.section().is_empty() {
                let own = self.items.iter().filter(|i| i.section() == item.section()).count();
                // Where all are of one section, their number is said already.
                if own < count {
                    parts.push(format!("{own} of them {}", clean(item.section())));
                }
            }
        }
        if self.x.is_some() || !self.parts.is_empty() {
            parts.push("zoomed: 0 resets".to_owned());
        }
        if data.progress.reading {
            parts.push(format!("reading: {} so far", number::counted(data.progress.rows as usize, "value")));
        }
        let said = |parts: &[String]| signs(shared, &format!(" {}", parts.join(" · ")));
        // The number of charts matters least.
        if layout.pages > 1 && self.search.0.is_empty() && width_of(&said(&parts)) > width {
            parts.remove(counted);
        }
        vec![Line::styled(fit(&said(&parts), width, theme.ascii()), theme.dim())]
    }
}

/// The last measurements of the run's process, in readable units.
fn measured(data: &RunData) -> Vec<String> {
    let names = [("cpu", "cpu"), ("memory", "memory"), ("gpu", "gpu"), ("gpu_memory", "memory of the gpu")];
    let told = |(metric, words): (&str, &str)| {
        let last = data.of_metric(&format!("{SYSTEM}{metric}")).find_map(|s| s.last())?.value;
        let bytes = metric.ends_with("memory").then(|| number::amount(last.max(0.0)));
        Some(format!("{words} {}", bytes.unwrap_or_else(|| format!("{last:.0} %"))))
    };
    names.into_iter().filter_map(told).collect()
}

/// The minimum and maximum of averaged values at the cursor.
fn range(shared: &Shared, line: &LineInfo, at: CursorValue) -> String {
    format!(" [{} {} {}]", line.words(at.low), shared.theme.glyph("…", ".."), line.words(at.high))
}

/// How much the status line shows of each chart line.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Detail {
    /// Values with their range, and the raw value if smoothed.
    Whole,
    /// Values, and their steps if they differ.
    Steps,
    /// Names and values.
    Names,
    /// Markers and values.
    Values,
}

impl Detail {
    const ALL: [Self; 4] = [Self::Whole, Self::Steps, Self::Names, Self::Values];
}

/// The position of the cursor, then two spans for each line.
fn at_cursor(
    shared: &Shared,
    lines: &[LineInfo],
    (kind, x): (XAxis, f64),
    smooth: bool,
    detail: Detail,
) -> Vec<Span<'static>> {
    let theme = shared.theme;
    let most = Cursor::most_common_value(lines);
    let words = |at: &CursorValue| {
        if detail < Detail::Names { at.words() } else { format!("step {}", at.steps_text()) }
    };
    let place = match most.as_ref().map(words) {
        Some(words) if kind == XAxis::Step => format!(" {words}"),
        Some(words) if detail < Detail::Names => format!(" {}, {words}", kind.place(x)),
        _ => format!(" {}", kind.place(x)),
    };
    let mut spans = vec![Span::styled(signs(shared, &place), theme.accent())];
    for line in lines.iter().filter(|l| !l.hidden) {
        let Some(at) = line.at_cursor else { continue };
        let name = match detail {
            Detail::Values => format!("  {} ", gradtop_chart::colour::marker(line.marker, theme.ascii())),
            Detail::Names => format!("  {} ", line.name),
            _ => format!("   {} ", line.name),
        };
        let mut value = match detail {
            Detail::Values => line.axis.brief(at.shown).trim().to_owned(),
            _ => line.words(at.shown),
        };
        if detail == Detail::Whole {
            if smooth && at.raw.is_finite() {
                value.extend([" raw ", &line.words(at.raw)]);
            }
            if at.low < at.high {
                value += &range(shared, line, at);
            }
        }
        if detail < Detail::Names && most.as_ref().map(CursorValue::words) != Some(at.words()) {
            value.extend([" (", &at.words(), ")"]);
        }
        spans.push(Span::styled(name, theme.dim()));
        spans.push(Span::styled(signs(shared, &value), theme.paint(line.paint)));
    }
    spans
}

/// The list of series beside a large chart, with the latest values or those at the cursor.
fn legend(
    shared: &Shared,
    lines: &[LineInfo],
    (cursor, smooth): (bool, bool),
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let theme = shared.theme;
    let width = usize::from(area.width);
    let head = match (cursor, smooth) {
        (true, _) => "at cursor",
        (false, true) => "latest, smoothed",
        (false, false) => "latest",
    };
    let text = |line: &LineInfo| match if cursor { line.at_cursor.map(|c| c.shown) } else { line.last } {
        _ if line.hidden => "hidden".to_owned(),
        Some(v) => line.axis.steady(v),
        None => theme.glyph("–", "-").to_owned(),
    };
    let value_width = lines.iter().map(|line| width_of(&text(line))).max().unwrap_or(0).max(11);
    let name_width = width.saturating_sub(value_width + 3);
    let most = Cursor::words(lines);
    let mut rows = vec![Line::from(vec![Span::styled(format!("{head:>width$}"), theme.dim())])];
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    for (line, name) in lines.iter().zip(fit_distinct(&names, name_width, theme.ascii())) {
        let glyph = gradtop_chart::colour::marker(line.marker, theme.ascii());
        let style = if line.hidden { theme.dim() } else { theme.paint(line.paint) };
        let name = gradtop_chart::cells::align::pad(&name, name_width);
        rows.push(Line::from(vec![
            Span::styled(format!("{} ", if line.hidden { ' ' } else { glyph }), style),
            Span::styled(name, if line.hidden { theme.dim() } else { theme.text() }),
            Span::styled(format!(" {:>value_width$}", text(line)), style),
        ]));
        if let Some(at) = line.at_cursor.filter(|_| cursor && !line.hidden) {
            let raw = if smooth { format!("raw {}", line.words(at.raw)) } else { String::new() };
            let band = if at.low < at.high { range(shared, line, at) } else { String::new() };
            let told = |text: String| {
                Line::styled(format!("{:>width$}", fit(&text, width, theme.ascii())), theme.dim())
            };
            if !(raw.is_empty() && band.is_empty()) {
                rows.push(told(format!("{raw}{band}")));
            }
            if most != Some(at.words()) {
                rows.push(told(signs(shared, &at.words())));
            }
        }
    }
    widgets::lines(rows, theme, frame, Rect { height: area.height.saturating_sub(1), ..area });
}
