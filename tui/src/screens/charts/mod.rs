//! A grid of charts, of a run or of a comparison: search, focus, cursor, and visible ranges.

mod draw;
mod items;
pub(crate) mod keys;
mod layout;
mod look;
mod mouse;
mod plot;
mod search;
mod series;
mod status;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ratatui::layout::Rect;

use super::effect::Effect;
use super::keys::Mode;
use super::toggle;
use crate::widgets::{ChartCache, Edit, Input, Move, Way};
use gradtop_view::compare::Align;
use gradtop_view::figure::own_range;
use gradtop_view::figure::prepared::PreparedChart;
use gradtop_view::live::{RunData, SeriesFilter, WatchRequest, Window};
use items::{Content, Item, items};
pub(crate) use items::{Scene, Shown};
use layout::Layout;
pub(crate) use look::Look;
use look::one_more;
use mouse::Drag;
use plot::Plot;
use search::Search;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Moves the cursor by columns of dots.
    Cursor(i8),
    /// Moves the cursor to the left or right end.
    CursorEnd(Way),
    /// Moves the focus to another chart: right, down.
    Focus(i8, i8),
    /// Moves to another page of charts.
    Page(i8),
    /// Shows one chart on the whole screen.
    Expand,
    /// Smooths more or less.
    Smooth(Way),
    ZoomX(Way),
    ZoomY(Way),
    /// Pans to the right or left.
    PanX(Way),
    /// Pans up or down.
    PanY(Way),
    /// Undoes zooming and panning.
    Reset,
    LogY,
    LogX,
    Axis,
    Clip,
    /// Toggles a common range of y.
    SameY,
    Columns,
    Rows,
    /// Toggles names and values of series.
    Legend,
    Series,
    /// Pins the chart to the top, or unpins it.
    Pin,
    /// Moves to the next or previous section of charts.
    Section(Way),
    /// Shows or hides the series under the cursor.
    Toggle,
    /// Shows only the series under the cursor.
    Only,
    All,
    /// Moves the focus, or the cursor in the list of series.
    Go(Move),
    /// Begins to type a search.
    Find,
    /// Keeps the typed search.
    Accept,
    /// Cancels the typed search.
    Cancel,
}

/// An axis that can be zoomed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Zoomed {
    /// The x axis of all charts that have this one.
    X(Align),
    /// The x axis of a single chart.
    OwnX(String),
    /// The y axis of a single chart.
    Y(String),
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

#[derive(Debug, Default)]
pub(crate) struct Charts {
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
    cursor: Option<(Align, f64)>,
    /// The visible ranges of axes that are not shown whole.
    zooms: BTreeMap<Zoomed, (f64, f64)>,
    drag: Option<Drag>,
    /// The series under the cursor of the list, while that is open; if there is none of this name, the first.
    list: Option<String>,
    cache: ChartCache,
}

impl Charts {
    /// Updates the list of charts.
    pub(crate) fn refresh(&mut self, shown: Shown<'_>, look: &Look) {
        let new = items(shown);
        if new != self.all {
            self.all = new;
            self.arrange(shown, look, None);
        }
    }

    /// Orders and filters the charts; the focus moves to `chart`, or stays on its chart.
    fn arrange(&mut self, shown: Shown<'_>, look: &Look, chart: Option<&str>) {
        let (_, search) = &self.search;
        let found = self.all.iter().filter(|i| search.is_empty() || search.takes(&i.name(shown)));
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

    /// The keys while something other than the charts is used: the search, or the list of series.
    pub(crate) fn mode<A>(
        &self,
        search: &'static Mode<A>,
        series: &'static Mode<A>,
    ) -> Option<&'static Mode<A>> {
        if self.typing.is_some() {
            return Some(search);
        }
        self.list.as_ref().map(|_| series)
    }

    /// Edits the search; a valid one applies at once.
    pub(crate) fn edit(&mut self, scene: &Scene<'_>, edit: Edit) {
        let Some(typing) = &mut self.typing else { return };
        typing.input.edit(edit);
        let text = typing.input.text();
        match Search::parse(&text) {
            Ok(search) => (self.search, typing.error) = ((text, search), None),
            Err(why) => typing.error = Some(why),
        }
        let chart = typing.chart.clone();
        self.arrange(scene.shown, scene.look, chart.as_deref());
    }

    /// Begins, accepts or cancels a search; returns why it was not kept.
    fn update_search(&mut self, scene: &Scene<'_>, action: Action) -> Option<Effect> {
        let Some(typing) = self.typing.take() else {
            let (input, before) = (Input::new(&self.search.0), self.search.clone());
            let chart = self.items.get(self.focus).map(|item| item.id.clone());
            self.typing = Some(Typing { input, error: None, before, chart });
            return None;
        };
        if action == Action::Cancel || typing.error.is_some() {
            self.search = typing.before;
        }
        self.arrange(scene.shown, scene.look, typing.chart.as_deref());
        let wrong = typing.error.filter(|_| action == Action::Accept)?;
        Some(Effect::failure(format!("the search was not kept: {wrong}")))
    }

    /// Returns whether there are no charts.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The x axis of the focused chart, or `None` if it is a column of a table.
    fn axis(&self, scene: &Scene<'_>) -> Option<Align> {
        self.items.get(self.focus)?.axis(scene)
    }

    /// The focused chart as last drawn.
    pub(crate) fn focused(&self) -> Option<Rc<PreparedChart>> {
        self.cache.built(self.focus as u64).filter(|_| !self.items.is_empty())
    }

    /// The name of the focused chart.
    pub(crate) fn name(&self, shown: Shown<'_>) -> Option<String> {
        self.items.get(self.focus).map(|item| item.name(shown))
    }

    /// Closes what was opened last. Returns false if nothing is open.
    pub(crate) fn put_away(&mut self, scene: &Scene<'_>) -> bool {
        if self.cursor.take().is_some() {
            return true;
        }
        if std::mem::take(&mut self.expanded) {
            return true;
        }
        let zoomed = !std::mem::take(&mut self.zooms).is_empty();
        if !zoomed && std::mem::take(&mut self.search).0.is_empty() {
            return false;
        }
        self.arrange(scene.shown, scene.look, None);
        true
    }

    /// The layout: a single cell while a chart is expanded.
    fn layout(&self, scene: &Scene<'_>) -> Layout {
        let (look, area, count) = (scene.look, self.room(scene), self.items.len());
        let one = self.expanded.then_some(1);
        Layout::new(area, count, one.or(look.columns), one.or(look.rows))
    }

    /// The visible charts with their cells.
    fn cells(&self, scene: &Scene<'_>) -> Vec<(usize, Rect)> {
        let layout = self.layout(scene);
        layout.cells(layout.page_of(self.focus))
    }

    /// Adds what the visible charts show of a run to the request.
    pub(crate) fn watch(&self, scene: &Scene<'_>, data: &RunData, request: &mut WatchRequest) {
        let visible: Vec<&Item> = self.cells(scene).iter().map(|(i, _)| &self.items[*i]).collect();
        for item in &visible {
            if let Content::Figure(figure, _) = item.content {
                request.figures.extend(data.figures.get(figure).map(|f| f.id.clone()));
            }
        }
        let metrics: BTreeSet<String> =
            visible.iter().filter_map(|i| i.metric()).map(str::to_owned).collect();
        for (zoomed, range) in &self.zooms {
            let Zoomed::X(axis) = zoomed else { continue };
            let range = own_range(data, *axis == Align::Fraction, axis.native(), *range);
            let window = |metric| Window { metric, x: axis.native(), range };
            if request.figures.is_empty() {
                request.windows.extend(metrics.iter().cloned().map(Some).map(window));
            } else {
                request.windows.push(window(None));
            }
        }
        match &mut request.series {
            SeriesFilter::Metrics(own) => own.extend(metrics),
            own => *own = SeriesFilter::of(metrics),
        }
        request.smoothing = scene.look.smoothing;
    }

    /// Performs an action; returns the look after it.
    pub(crate) fn update(&mut self, scene: &Scene<'_>, action: Action) -> (Look, Option<Effect>) {
        let mut look = scene.look.clone();
        if self.list.is_some() {
            self.update_list(&self.names(scene), &mut look, action);
            return (look, None);
        }
        let effect = match action {
            Action::Find | Action::Accept | Action::Cancel => self.update_search(scene, action),
            Action::Axis => self.next_axis(scene, &mut look),
            Action::Legend => self.show_legend(scene, &mut look),
            Action::Cursor(_) | Action::CursorEnd(_) if !self.items.is_empty() && !self.has_cursor(scene) => {
                Some(Effect::news("what is shown here is from tables and has no cursor"))
            }
            _ => {
                match action {
                    Action::Focus(..) | Action::Go(_) | Action::Page(_) | Action::Section(_) => {
                        self.move_focus(&self.layout(scene), action);
                    }
                    Action::Expand => self.expanded = !self.expanded && !self.items.is_empty(),
                    Action::Series => self.list = Some(String::new()),
                    Action::Columns | Action::Rows => self.change_grid(scene, &mut look, action),
                    Action::Pin => self.pin(scene, &mut look),
                    Action::Smooth(way) => look.smooth(way),
                    Action::Clip => look.clip = !look.clip,
                    Action::SameY => look.same_y = !look.same_y,
                    Action::LogX => {
                        look.log_x = !look.log_x;
                        self.forget_x();
                    }
                    _ => self.update_focused(scene, &mut look, action),
                }
                None
            }
        };
        (look, effect)
    }

    /// Moves the focus to another chart.
    fn move_focus(&mut self, layout: &Layout, action: Action) {
        let (at, last) = (self.focus, self.items.len().saturating_sub(1));
        let begins = |i: &usize| *i == 0 || self.items[*i].section() != self.items[*i - 1].section();
        self.focus = match action {
            Action::Focus(right, down) => layout.step(at, right.into(), down.into()),
            Action::Go(to) => to.from(at, self.items.len(), layout.per_page()),
            Action::Page(by) => {
                let by = isize::from(by) * layout.per_page() as isize;
                let next = at.saturating_add_signed(by).min(last);
                // There is no page before the first or after the last.
                if layout.page_of(next) == layout.page_of(at) { at } else { next }
            }
            Action::Section(Way::On) => (at + 1..=last).find(begins).unwrap_or(at),
            Action::Section(Way::Back) => (0..at).rev().find(begins).unwrap_or(at),
            _ => at,
        };
    }

    fn next_axis(&mut self, scene: &Scene<'_>, look: &mut Look) -> Option<Effect> {
        let several = matches!(scene.shown, Shown::Compared { .. });
        look.next_axis(self.axis(scene), several, |axis| scene.shown.has_axis(axis));
        self.forget_x();
        (look.x == scene.look.x).then(|| Effect::news("what is shown was logged with steps only"))
    }

    fn change_grid(&mut self, scene: &Scene<'_>, look: &mut Look, action: Action) {
        let layout = self.layout(scene);
        self.expanded = false;
        match action {
            Action::Columns => one_more(&mut look.columns, layout.columns),
            _ => one_more(&mut look.rows, layout.rows),
        }
    }

    /// Shows or hides the list of series, which is beside an expanded chart only.
    fn show_legend(&mut self, scene: &Scene<'_>, look: &mut Look) -> Option<Effect> {
        look.legend = !self.expanded || !look.legend;
        self.expanded |= !self.items.is_empty();
        let least = draw::LEGEND_FROM;
        (look.legend && scene.area.width < least).then(|| {
            Effect::news(format!("the list of series needs {least} columns; L lists them over the charts"))
        })
    }

    fn pin(&mut self, scene: &Scene<'_>, look: &mut Look) {
        if let Some(item) = self.items.get(self.focus) {
            toggle(&mut look.pinned, &item.id);
        }
        self.arrange(scene.shown, look, None);
    }

    /// Returns whether a cursor moves over a visible chart, as over none that is from a table.
    fn has_cursor(&self, scene: &Scene<'_>) -> bool {
        self.cells(scene).iter().any(|(i, _)| self.items[*i].axis(scene).is_some())
    }

    /// Performs an action on the focused chart.
    fn update_focused(&mut self, scene: &Scene<'_>, look: &mut Look, action: Action) {
        let cells = self.cells(scene);
        let of_cursor = matches!(action, Action::Cursor(_) | Action::CursorEnd(_));
        // A chart of a table has no cursor, so it moves over the other charts.
        let shared_axis = |i: &usize| self.items[*i].axis(scene).is_some();
        let meant =
            cells.iter().find(|(i, _)| *i == self.focus).filter(|(i, _)| !of_cursor || shared_axis(i));
        let meant = meant.or_else(|| cells.iter().find(|(i, _)| of_cursor && shared_axis(i)));
        let Some(plot) = meant.and_then(|(i, cell)| self.plot(scene, *i, *cell)) else { return };
        let [x, y] = self.axes(scene, self.focus);
        match action {
            Action::LogY => {
                let id = self.items[self.focus].id.clone();
                look.log_y.insert(id.clone(), !plot.is_log_y());
                self.zooms.remove(&Zoomed::Y(id));
            }
            Action::Cursor(by) => self.move_cursor(&plot, by.into()),
            Action::CursorEnd(way) => {
                let (low, high) = plot.x.shown;
                self.cursor = plot.axis.map(|axis| (axis, if way == Way::On { high } else { low }));
            }
            Action::ZoomX(way) => {
                let about = self
                    .cursor
                    .filter(|(axis, _)| Some(*axis) == plot.axis)
                    .and_then(|(_, x)| plot.share_of(x));
                self.zoom(x, plot.x.zoom(about.unwrap_or(0.5), way));
            }
            Action::ZoomY(way) => self.zoom(y, plot.y.zoom(0.5, way)),
            Action::PanX(way) if self.zooms.contains_key(&x) => self.zoom(x, plot.x.step(way)),
            Action::PanY(way) if self.zooms.contains_key(&y) => self.zoom(y, plot.y.step(way)),
            Action::Reset => {
                let undone = [x, y].map(|axis| self.zooms.remove(&axis).is_some());
                if undone == [false; 2] {
                    self.zooms.clear();
                }
            }
            _ => {}
        }
    }

    fn move_cursor(&mut self, plot: &Plot, by: i64) {
        let Some(axis) = plot.axis else { return };
        let inside = self.cursor.filter(|(own, x)| *own == axis && plot.share_of(*x).is_some());
        // The cursor starts at the right end, with the newest values.
        let x = match inside {
            Some((_, x)) => plot.built.moved(x, by),
            None => plot.built.moved(plot.x.shown.1, 0),
        };
        self.cursor = Some((axis, x));
    }

    fn forget_x(&mut self) {
        self.cursor = None;
        self.zooms.retain(|axis, _| matches!(axis, Zoomed::Y(_)));
    }

    /// The axes of a chart: x, which others may share, and y.
    fn axes(&self, scene: &Scene<'_>, chart: usize) -> [Zoomed; 2] {
        let item = &self.items[chart];
        let x = item.axis(scene).map_or_else(|| Zoomed::OwnX(item.id.clone()), Zoomed::X);
        [x, Zoomed::Y(item.id.clone())]
    }

    /// Sets the visible range of an axis; `None` for all of it.
    fn zoom(&mut self, axis: Zoomed, range: Option<(f64, f64)>) {
        match range {
            Some(range) => drop(self.zooms.insert(axis, range)),
            None => drop(self.zooms.remove(&axis)),
        }
    }
}
