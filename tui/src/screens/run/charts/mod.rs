//! The grid of charts: focus, cursor, and visible ranges.

mod draw;
pub(crate) mod items;
pub(crate) mod layout;
mod legend;
pub(crate) mod search;
pub(crate) mod window;

use std::collections::{BTreeMap, BTreeSet};

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::Action;
use super::settings::Look;
use super::settings::next_axis;
use crate::screens::shared::Shared;
use crate::screens::toggle;
use crate::widgets::{ChartCache, Edit, Input};
pub(crate) use draw::LEGEND_FROM;
use draw::Plot;
use gradtop_view::live::{RunData, SeriesFilter, WatchRequest, Window, XAxis};
use items::{Item, Source, items};
use layout::Layout;
use search::Search;
use window::Axis;

/// The visible part of a chart's axes; `None` for a whole axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Part {
    x: Option<(f64, f64)>,
    y: Option<(f64, f64)>,
}

/// A search being typed.
#[derive(Debug)]
struct Typing {
    input: Input,
    /// Its error; meanwhile the last valid search applies.
    error: Option<String>,
    /// The previous search.
    before: (String, Search),
    /// The chart that had the focus, and gets it back once the search shows it.
    chart: Option<String>,
}

/// A chart is being dragged with the mouse.
#[derive(Clone, Debug, PartialEq)]
struct Drag {
    chart: usize,
    from: (u16, u16),
    /// The visible ranges when it began.
    x: (f64, f64),
    y: (f64, f64),
    moved: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Charts {
    system: bool,
    /// All charts.
    all: Vec<Item>,
    /// The charts that match the search, pinned ones first.
    items: Vec<Item>,
    /// The search, as text and compiled.
    search: (String, Search),
    typing: Option<Typing>,
    focus: usize,
    expanded: bool,
    /// The position of the cursor, on all charts with this axis.
    cursor: Option<(XAxis, f64)>,
    /// The visible range of that axis.
    x: Option<(XAxis, (f64, f64))>,
    /// Individual ranges of single charts.
    parts: BTreeMap<String, Part>,
    drag: Option<Drag>,
    /// The series under the cursor of the list, while that is open; if there is none of this name, the first.
    list: Option<String>,
    cache: ChartCache,
}

impl Charts {
    /// The charts of system metrics, or all others.
    pub(crate) fn new(system: bool) -> Self {
        Self { system, ..Self::default() }
    }

    /// Updates the list of charts.
    pub(crate) fn refresh(&mut self, data: Option<&RunData>, look: &Look) {
        let Some(data) = data else { return };
        let new = items(data, self.system);
        if new != self.all {
            self.all = new;
            self.arrange(data, look, None);
        }
    }

    /// Orders and filters the charts; the focus moves to `chart`, or stays on its chart.
    fn arrange(&mut self, data: &RunData, look: &Look, chart: Option<&str>) {
        let (_, search) = &self.search;
        let found = self.all.iter().filter(|i| search.is_empty() || search.takes(&i.name(data)));
        let (mut new, others): (Vec<Item>, Vec<Item>) =
            found.cloned().partition(|i| look.pinned.contains(&i.id));
        new.extend(others);
        let wanted = chart.or_else(|| Some(self.items.get(self.focus)?.id.as_str()));
        let again = wanted.and_then(|id| new.iter().position(|i| i.id == id));
        if new == self.items {
            self.focus = again.unwrap_or(self.focus);
            return;
        }
        self.focus = again.unwrap_or(self.focus).min(new.len().saturating_sub(1));
        self.items = new;
        self.cache.clear();
    }

    /// Returns whether a search is being typed.
    pub(crate) fn typing(&self) -> bool {
        self.typing.is_some()
    }

    /// The error of the search that is being typed.
    pub(crate) fn wrong(&self) -> Option<String> {
        self.typing.as_ref()?.error.clone()
    }

    /// Edits the search; a valid one applies at once.
    pub(crate) fn edit(&mut self, data: &RunData, look: &Look, edit: Edit) {
        let Some(typing) = &mut self.typing else { return };
        typing.input.edit(edit);
        let text = typing.input.text();
        match Search::parse(&text) {
            Ok(search) => (self.search, typing.error) = ((text, search), None),
            Err(why) => typing.error = Some(why),
        }
        let chart = typing.chart.clone();
        self.arrange(data, look, chart.as_deref());
    }

    /// Begins, accepts or cancels a search.
    fn update_search(&mut self, data: &RunData, look: &Look, action: Action) {
        let Some(typing) = self.typing.take() else {
            let (input, before) = (Input::new(&self.search.0), self.search.clone());
            let chart = self.items.get(self.focus).map(|item| item.id.clone());
            self.typing = Some(Typing { input, error: None, before, chart });
            return;
        };
        if action == Action::Cancel || typing.error.is_some() {
            self.search = typing.before;
        }
        self.arrange(data, look, typing.chart.as_deref());
    }

    /// Returns whether there are no charts.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The x axis of the focused chart, or `None` if it is a column of a table.
    pub(crate) fn axis(&self, data: &RunData, look: &Look) -> Option<XAxis> {
        self.items.get(self.focus)?.kind(data, look)
    }

    /// Returns whether the list of series is open.
    pub(crate) fn listing(&self) -> bool {
        self.list.is_some()
    }

    /// Closes what was opened last. Returns false if nothing is open.
    pub(crate) fn put_away(&mut self) -> bool {
        if self.cursor.take().is_some() {
            return true;
        }
        if std::mem::take(&mut self.expanded) {
            return true;
        }
        let zoomed = self.x.take().is_some() || !self.parts.is_empty();
        self.parts.clear();
        zoomed || !std::mem::take(&mut self.search).0.is_empty()
    }

    /// The layout: a single cell while a chart is expanded. The bottom line is the status line.
    fn layout(&self, look: &Look, area: Rect) -> Layout {
        let area = self.room(look, Rect { height: area.height.saturating_sub(1), ..area });
        if self.expanded {
            Layout::new(area, self.items.len(), Some(1), Some(1))
        } else {
            Layout::new(area, self.items.len(), look.columns, look.rows)
        }
    }

    /// The visible charts with their cells.
    fn cells(&self, look: &Look, area: Rect) -> Vec<(usize, Rect)> {
        let layout = self.layout(look, area);
        layout.cells(layout.page_of(self.focus))
    }

    /// Adds the series of the visible charts to the request.
    pub(crate) fn watch(&self, data: &RunData, look: &Look, area: Rect, request: &mut WatchRequest) {
        let mut metrics = BTreeSet::new();
        let cells = self.cells(look, area);
        for (i, _) in &cells {
            match &self.items[*i].source {
                Source::Metric(name) => {
                    metrics.insert(name.clone());
                }
                Source::Figure(figure, _) => {
                    request.figures.extend(data.figures.get(*figure).map(|f| f.id.clone()));
                }
            }
        }
        if !metrics.is_empty() {
            request.series = SeriesFilter::Metrics(metrics);
        }
        request.smoothing = look.smoothing;
        if let Some((x, range)) = self.x {
            request.windows.push(Window { metric: None, x, range });
        }
    }

    /// Performs an action.
    pub(crate) fn update(
        &mut self,
        shared: &Shared,
        data: &RunData,
        look: &mut Look,
        area: Rect,
        action: Action,
    ) {
        if self.list.is_some() {
            let names = self.names(look, area);
            self.update_list(&names, look, action);
            return;
        }
        let layout = self.layout(look, area);
        let last = self.items.len().saturating_sub(1);
        match action {
            Action::Focus(right, down) => {
                self.focus = layout.step(self.focus, right.into(), down.into());
            }
            Action::Go(to) => self.focus = to.from(self.focus, self.items.len(), layout.per_page()),
            Action::Page(by) => {
                let by = isize::from(by) * layout.per_page() as isize;
                let next = self.focus.saturating_add_signed(by).min(last);
                // There is no page before the first or after the last.
                if layout.page_of(next) != layout.page_of(self.focus) {
                    self.focus = next;
                }
            }
            Action::Expand => self.expanded = !self.expanded && !self.items.is_empty(),
            Action::Smooth(more) => look.smooth(more),
            Action::LogX => {
                look.log_x = !look.log_x;
                self.forget_x();
            }
            Action::Axis => {
                let shown = self.axis(data, look);
                look.x = next_axis(look.x, shown);
                self.forget_x();
            }
            Action::Clip => look.clip = !look.clip,
            Action::SameY => look.same_y = !look.same_y,
            Action::Columns => {
                self.expanded = false;
                look.next_columns(layout.columns);
            }
            Action::Rows => {
                self.expanded = false;
                look.next_rows(layout.rows);
            }
            // The list of series is shown beside an expanded chart only.
            Action::Legend if !self.expanded => (self.expanded, look.legend) = (!self.items.is_empty(), true),
            Action::Legend => look.legend = !look.legend,
            Action::Series => self.list = Some(String::new()),
            Action::Find | Action::Accept | Action::Cancel => self.update_search(data, look, action),
            // What was put away may have been a search.
            Action::Leave => self.arrange(data, look, None),
            Action::Pin => {
                if let Some(item) = self.items.get(self.focus) {
                    toggle(&mut look.pinned, &item.id);
                }
                self.arrange(data, look, None);
            }
            Action::Section(on) => {
                let begins = |i: &usize| *i == 0 || self.items[*i].section() != self.items[*i - 1].section();
                let next = if on {
                    (self.focus + 1..=last).find(begins)
                } else {
                    (0..self.focus).rev().find(begins)
                };
                self.focus = next.unwrap_or(self.focus);
            }
            _ => self.update_focused(shared, data, look, area, action),
        }
    }

    /// Performs an action on the focused chart.
    fn update_focused(
        &mut self,
        shared: &Shared,
        data: &RunData,
        look: &mut Look,
        area: Rect,
        action: Action,
    ) {
        let cells = self.cells(look, area);
        let of_cursor = matches!(action, Action::Cursor(_) | Action::CursorEnd(_));
        // A chart of a table has no cursor, so it moves over the other charts.
        let shared_axis = |i: &usize| self.items[*i].kind(data, look).is_some();
        let meant =
            cells.iter().find(|(i, _)| *i == self.focus).filter(|(i, _)| !of_cursor || shared_axis(i));
        let meant = meant.or_else(|| cells.iter().find(|(i, _)| of_cursor && shared_axis(i)));
        let Some(plot) = meant.and_then(|(i, cell)| self.plot(shared, data, look, *i, *cell)) else { return };
        match action {
            Action::LogY => {
                let id = self.items[self.focus].id.clone();
                look.log_y.insert(id.clone(), !plot.log_y());
                if let Some(part) = self.parts.get_mut(&id) {
                    part.y = None;
                }
            }
            Action::Cursor(by) => self.move_cursor(&plot, by.into()),
            Action::CursorEnd(right) => {
                let (low, high) = plot.x.shown;
                self.cursor = plot.kind.map(|kind| (kind, if right { high } else { low }));
            }
            Action::ZoomX(inwards) => {
                let about =
                    self.cursor.filter(|(k, _)| Some(*k) == plot.kind).and_then(|(_, x)| plot.share_of(x));
                self.set_x(data, look, plot.x.zoom(about.unwrap_or(0.5), inwards));
            }
            Action::ZoomY(inwards) => self.set_y(plot.y.zoom(0.5, inwards)),
            Action::PanX(right) if self.x_part(data, look).is_some() => {
                self.set_x(data, look, plot.x.step(right));
            }
            Action::PanY(up) if self.part().y.is_some() => self.set_y(plot.y.step(up)),
            Action::Reset => {
                let id = self.items[self.focus].id.clone();
                let had = self.parts.remove(&id).is_some() | (plot.kind.is_some() && self.x.take().is_some());
                if !had {
                    self.parts.clear();
                    self.x = None;
                }
            }
            _ => {}
        }
    }

    fn move_cursor(&mut self, plot: &Plot, by: i64) {
        let Some(kind) = plot.kind else { return };
        let inside = self.cursor.filter(|(k, x)| *k == kind && plot.share_of(*x).is_some());
        // The cursor starts at the right end, with the newest values.
        self.cursor = Some((
            kind,
            match inside {
                Some((_, x)) => plot.moved(x, by),
                None => plot.moved(plot.x.shown.1, 0),
            },
        ));
    }

    fn forget_x(&mut self) {
        (self.x, self.cursor) = (None, None);
        self.parts.values_mut().for_each(|p| p.x = None);
    }

    /// The individual ranges of the focused chart.
    fn part(&self) -> Part {
        self.items.get(self.focus).and_then(|i| self.parts.get(&i.id)).copied().unwrap_or_default()
    }

    fn x_part(&self, data: &RunData, look: &Look) -> Option<(f64, f64)> {
        match self.items.get(self.focus)?.kind(data, look) {
            Some(kind) => self.x.filter(|(k, _)| *k == kind).map(|(_, x)| x),
            None => self.part().x,
        }
    }

    /// Sets the visible range of x, for all charts of metrics or only this one.
    fn set_x(&mut self, data: &RunData, look: &Look, x: Option<(f64, f64)>) {
        let Some(item) = self.items.get(self.focus) else { return };
        match item.kind(data, look) {
            Some(kind) => self.x = x.map(|x| (kind, x)),
            None => self.parts.entry(item.id.clone()).or_default().x = x,
        }
        self.tidy();
    }

    fn set_y(&mut self, y: Option<(f64, f64)>) {
        let Some(item) = self.items.get(self.focus) else { return };
        self.parts.entry(item.id.clone()).or_default().y = y;
        self.tidy();
    }

    fn tidy(&mut self) {
        self.parts.retain(|_, p| *p != Part::default());
    }

    /// Handles the mouse: the wheel zooms, dragging pans, a click sets focus and cursor.
    pub(crate) fn mouse(
        &mut self,
        shared: &Shared,
        data: &RunData,
        look: &Look,
        area: Rect,
        mouse: MouseEvent,
    ) {
        if self.list.is_some() {
            return;
        }
        let place = (mouse.column, mouse.row);
        let layout = self.layout(look, area);
        let page = layout.page_of(self.focus);
        match mouse.kind {
            MouseEventKind::Drag(MouseButton::Left) => self.dragged(shared, data, look, area, place),
            MouseEventKind::Up(MouseButton::Left) => {
                if let Some(drag) = self.drag.take().filter(|d| !d.moved)
                    && let Some((_, cell)) =
                        layout.at(page, place.0, place.1).filter(|(i, _)| *i == drag.chart)
                {
                    let plot = self.plot(shared, data, look, drag.chart, cell);
                    let place = plot.and_then(|p| Some((p.kind?, p.x_at(place.0)?)));
                    self.cursor = place.or(self.cursor);
                }
            }
            kind => {
                let Some((chart, cell)) = layout.at(page, place.0, place.1) else { return };
                let Some(plot) = self.plot(shared, data, look, chart, cell) else { return };
                match kind {
                    MouseEventKind::Down(MouseButton::Left) => {
                        self.focus = chart;
                        let (x, y) = (plot.x.shown, plot.y.shown);
                        self.drag = Some(Drag { chart, from: place, x, y, moved: false });
                    }
                    MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                        self.focus = chart;
                        let inwards = kind == MouseEventKind::ScrollUp;
                        let vertical =
                            mouse.modifiers.intersects(KeyModifiers::SHIFT | KeyModifiers::CONTROL);
                        let (across, up) = plot.share_at(place);
                        if vertical {
                            self.set_y(plot.y.zoom(up, inwards));
                        } else {
                            self.set_x(data, look, plot.x.zoom(across, inwards));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn dragged(&mut self, shared: &Shared, data: &RunData, look: &Look, area: Rect, place: (u16, u16)) {
        let Some(mut drag) = self.drag.take() else { return };
        let cells = self.cells(look, area);
        let Some((_, cell)) = cells.iter().find(|(i, _)| *i == drag.chart) else { return };
        let Some(plot) = self.plot(shared, data, look, drag.chart, *cell) else { return };
        let (across, up) = plot.shares(drag.from, place);
        if drag.moved || place != drag.from {
            drag.moved = true;
            if self.x_part(data, look).is_some() {
                self.set_x(data, look, Axis { shown: drag.x, ..plot.x }.pan(-across));
            }
            if self.part().y.is_some() {
                self.set_y(Axis { shown: drag.y, ..plot.y }.pan(-up));
            }
        }
        self.drag = Some(drag);
    }
}
