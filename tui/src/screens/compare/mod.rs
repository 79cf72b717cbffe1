//! The comparison: several runs in every chart, and a table of their differences and results.

mod compared;
pub(crate) mod keys;
pub(crate) mod settings;
mod table;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeSet, HashSet};

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::Screen;
use super::effect::{Effect, Open};
use super::keys::Mode;
use super::shared::Shared;
use crate::widgets::{ChartCache, Move};
use compared::Compared;
use gradtop_view::chart_spec::{ChartContent, ChartSpec};
use gradtop_view::compare::GroupBy;
use gradtop_view::compare::table::Sort;
use gradtop_view::figure::view::ChartView;
use gradtop_view::live::{SeriesFilter, WatchRequest};
use gradtop_view::runs::RunId;
use settings::{Pane, SMOOTHING};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    NextPane,
    Show(Pane),
    /// Moves to another run.
    Go(Move),
    /// Moves the cursor of the charts to the right by columns of dots; in the table alone, by columns.
    Cursor(i8),
    /// Moves the cursor to an end; true is the right one.
    CursorEnd(bool),
    /// Moves to the next or previous chart.
    Chart(i8),
    /// Moves to the next or previous page of charts.
    Page(i8),
    /// Shows one chart or all; in the table alone, opens the run.
    Expand,
    Align,
    /// Changes the grouping, forwards or backwards.
    Group(bool),
    Sort,
    Reverse,
    /// Moves to the next or previous column.
    Column(bool),
    /// Dims all runs except the one under the cursor.
    Focus,
    Hide,
    Open,
    LogY,
    Smooth(bool),
    Zoom(bool),
    Pan(bool),
    /// Shows all of x.
    Reset,
    Write,
    /// Goes back one level.
    Back,
}

/// The comparison screen.
#[derive(Debug, Default)]
pub(crate) struct Compare {
    runs: Vec<RunId>,
    /// The experiment that is compared as a whole: new runs are added.
    whole: Option<String>,
    by: GroupBy,
    chart: usize,
    expanded: bool,
    /// The name of the group under the cursor; `None` means the first.
    at: Option<String>,
    /// The column under the cursor; `None` means the first.
    column: Option<Sort>,
    sort: Sort,
    reverse: bool,
    focus: bool,
    /// The visible parts, which also decide the keys.
    pane: Pane,
    hidden: BTreeSet<String>,
    zoom: Option<(f64, f64)>,
    cursor: Option<f64>,
    compared: Compared,
    cache: ChartCache,
}

impl Compare {
    /// Compares these runs; with `whole`, also future runs of that experiment.
    pub(crate) fn open(shared: &Shared, runs: Vec<RunId>, whole: Option<String>) -> Self {
        let mut screen = Self { runs, whole, ..Self::default() };
        screen.rebuild(shared);
        screen
    }

    fn mode(&self) -> &'static Mode<Action> {
        if self.pane == Pane::Table { &keys::TABLE } else { &keys::VIEW }
    }

    /// The index of the group under the cursor.
    fn current_group(&self) -> usize {
        let at = self.at.as_ref();
        at.and_then(|at| self.compared.groups.iter().position(|t| t.name == *at)).unwrap_or(0)
    }

    /// The row of the group under the cursor.
    fn row(&self) -> usize {
        let group = self.current_group();
        self.compared.order.iter().position(|t| *t == group).unwrap_or(0)
    }

    /// The index of the column under the cursor: parameters, then numbers.
    fn column(&self) -> usize {
        self.compared.table.sort_keys().position(|key| Some(key) == self.column).unwrap_or(0)
    }

    /// Recomputes everything. Cursors and order follow what they refer to.
    fn rebuild(&mut self, shared: &Shared) {
        self.pane = shared.settings.compare.pane;
        let row = self.row();
        let old = std::mem::replace(&mut self.compared, Compared::new(shared, &self.runs, &self.by));
        let new = &mut self.compared;
        let chart = old.facets.get(self.chart).and_then(|old| new.facets.iter().position(|f| f == old));
        self.chart = chart.unwrap_or(self.chart).min(new.facets.len().saturating_sub(1));
        self.column = self.column.and_then(|column| new.table.find_same(&old.table, column));
        self.sort = new.table.find_same(&old.table, self.sort).unwrap_or_default();
        new.order = new.table.sorted(self.sort, self.reverse);
        if !new.groups.iter().any(|t| Some(&t.name) == self.at.as_ref()) {
            let row = if self.at.is_some() { row.min(new.order.len().saturating_sub(1)) } else { 0 };
            self.at = new.order.get(row).map(|group| new.groups[*group].name.clone());
        }
    }

    fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        let pane = shared.settings.compare.pane;
        match action {
            Action::NextPane => {
                shared.settings.compare.pane = match pane {
                    Pane::Both => Pane::Charts,
                    Pane::Charts => Pane::Table,
                    Pane::Table => Pane::Both,
                }
            }
            Action::Show(pane) => shared.settings.compare.pane = pane,
            Action::Go(to) => self.go(to),
            Action::Cursor(by) => {
                self.cursor = match self.cursor {
                    Some(x) => Some(self.moved(shared, x, i64::from(by) * 2)),
                    // The cursor starts at the right end, with the newest values.
                    None => self.seen(shared).map(|(_, high)| high),
                }
            }
            Action::CursorEnd(right) => {
                self.cursor = self.seen(shared).map(|(low, high)| if right { high } else { low });
            }
            Action::Chart(by) => self.go_chart(by.into()),
            Action::Column(right) => self.go_column(right),
            Action::Page(by) => {
                let page = if self.expanded { 1 } else { view::page(shared, self) } as isize;
                self.go_chart(isize::from(by) * page);
            }
            Action::Expand => self.expanded = !self.expanded,
            Action::Align => {
                shared.settings.compare.align = shared.settings.compare.align.next();
                (self.zoom, self.cursor) = (None, None);
            }
            Action::Group(forward) => return self.group(shared, forward),
            Action::Sort => self.sort(),
            Action::Reverse => self.reverse = !self.reverse,
            Action::Focus => self.focus = !self.focus,
            Action::Hide => self.hide(),
            Action::Open => return self.open_run(),
            Action::LogY => {
                let log = &mut shared.settings.compare.log;
                *log = match *log {
                    None => Some(true),
                    Some(true) => Some(false),
                    Some(false) => None,
                };
            }
            Action::Smooth(more) => {
                let own = &mut shared.settings.compare.smoothing;
                *own = own.saturating_add_signed(if more { 1 } else { -1 }).min(SMOOTHING.len() - 1);
            }
            Action::Zoom(inwards) => self.zoom(shared, inwards, self.cursor),
            Action::Pan(right) => self.pan(shared, right),
            Action::Reset => self.zoom = None,
            Action::Write => return vec![super::write(self, shared)],
            Action::Back if self.cursor.take().is_some() => {}
            Action::Back if self.expanded => self.expanded = false,
            Action::Back if self.zoom.take().is_some() => {}
            Action::Back => return vec![Effect::Close],
        }
        self.rebuild(shared);
        Vec::new()
    }

    fn go(&mut self, to: Move) {
        let order = &self.compared.order;
        let group = order.get(to.from(self.row(), order.len(), order.len()));
        self.at = group.and_then(|t| self.compared.groups.get(*t)).map(|t| t.name.clone());
    }

    fn go_chart(&mut self, by: isize) {
        let last = self.compared.facets.len().saturating_sub(1);
        self.chart = self.chart.saturating_add_signed(by).min(last);
    }

    fn go_column(&mut self, right: bool) {
        let at = self.column();
        let to = if right { at + 1 } else { at.saturating_sub(1) };
        let table = &self.compared.table;
        self.column = table.sort_keys().nth(to).or(table.sort_keys().last());
    }

    fn group(&mut self, shared: &Shared, forward: bool) -> Vec<Effect> {
        let all = GroupBy::all(&self.compared.runs);
        if all.len() < 2 {
            let text = "no parameter puts any of these runs together";
            return vec![Effect::failure(text)];
        }
        let at = all.iter().position(|by| *by == self.by).unwrap_or(0);
        let to = if forward { at + 1 } else { at + all.len() - 1 };
        self.by = all[to % all.len()].clone();
        // The new lines have other names.
        (self.at, self.focus) = (None, false);
        self.hidden.clear();
        self.rebuild(shared);
        Vec::new()
    }

    fn sort(&mut self) {
        let wanted = self.compared.table.sort_keys().nth(self.column());
        self.sort = wanted.filter(|wanted| *wanted != self.sort).unwrap_or(Sort::Given);
    }

    fn hide(&mut self) {
        if let Some(group) = self.compared.groups.get(self.current_group()) {
            super::toggle(&mut self.hidden, &group.name);
        }
    }

    fn open_run(&self) -> Vec<Effect> {
        match self.targets().as_slice() {
            [one] => vec![Effect::Open(Open::Run(one.clone()))],
            [] => Vec::new(),
            _ => vec![Effect::failure("this is a group of runs: b shows them one by one")],
        }
    }

    /// The visible range of x.
    fn seen(&self, shared: &Shared) -> Option<(f64, f64)> {
        self.zoom.or_else(|| view::plot(shared, self).map(|p| (p.x.low, p.x.high)))
    }

    fn moved(&self, shared: &Shared, x: f64, dots: i64) -> f64 {
        view::built(shared, self).map_or(x, |built| built.moved(x, dots))
    }

    fn zoom(&mut self, shared: &Shared, closer: bool, around: Option<f64>) {
        let Some((low, high)) = self.seen(shared) else { return };
        let around = around.unwrap_or(f64::midpoint(low, high)).clamp(low, high);
        let factor = if closer { 0.5 } else { 2.0 };
        let (a, b) = (around - (around - low) * factor, around + (high - around) * factor);
        // Too small to distinguish neighbouring values.
        if b - a <= (a.abs() + b.abs()) * 1e-9 {
            return;
        }
        let whole = self.whole_x(shared);
        self.zoom = match whole {
            Some((first, last)) if !closer && a <= first && b >= last => None,
            Some((first, last)) => Some((a.max(first), b.min(last))),
            None => Some((a, b)),
        };
    }

    fn pan(&mut self, shared: &Shared, right: bool) {
        let (Some((low, high)), Some((first, last))) = (self.zoom, self.whole_x(shared)) else { return };
        let by = (high - low) / 4.0;
        let by = if right { by.min(last - high) } else { -by.min(low - first) };
        self.zoom = Some((low + by, high + by));
    }

    /// The whole range of x.
    fn whole_x(&self, shared: &Shared) -> Option<(f64, f64)> {
        view::whole_plot(shared, self).map(|p| (p.x.low, p.x.high))
    }
}

impl Screen for Compare {
    super::by_mode!();

    fn on_moved(&mut self, moved: &dyn Fn(&mut RunId)) {
        self.runs.iter_mut().for_each(moved);
    }

    /// The runs of the row under the cursor.
    fn targets(&self) -> Vec<RunId> {
        let group = self.compared.groups.get(self.current_group());
        let members = group.into_iter().flat_map(|t| &t.members);
        members.filter_map(|i| self.compared.runs.get(*i)).map(|s| s.row.id.clone()).collect()
    }

    fn mouse(&mut self, shared: &mut Shared, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position { x: mouse.column, y: mouse.row };
        let chart = view::chart_at(shared, self, at);
        match (mouse.kind, chart) {
            (MouseEventKind::ScrollUp | MouseEventKind::ScrollDown, Some((_, x))) => {
                self.zoom(shared, mouse.kind == MouseEventKind::ScrollUp, x);
            }
            (MouseEventKind::ScrollUp, None) => self.go(Move::By(-1)),
            (MouseEventKind::ScrollDown, None) => self.go(Move::By(1)),
            (MouseEventKind::Down(MouseButton::Left), Some((chart, x))) => {
                if chart == self.chart && x.is_none() {
                    self.expanded = !self.expanded;
                } else if chart == self.chart {
                    self.cursor = x;
                }
                self.chart = chart;
            }
            (MouseEventKind::Drag(MouseButton::Left), Some((_, Some(x)))) => self.cursor = Some(x),
            (MouseEventKind::Down(MouseButton::Left), None) => {
                if let Some(group) = view::row_at(shared, self, at) {
                    self.at = self.compared.groups.get(group).map(|t| t.name.clone());
                }
            }
            _ => return Vec::new(),
        }
        self.rebuild(shared);
        Vec::new()
    }

    fn on_change(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if let Some(experiment) = &self.whole {
            let known: HashSet<&RunId> = self.runs.iter().collect();
            let own = shared.runs.rows.iter().filter(|r| r.experiment() == experiment);
            // The rows are sorted newest first.
            let new: Vec<RunId> =
                own.rev().map(|r| &r.id).filter(|id| !known.contains(id)).cloned().collect();
            self.runs.extend(new);
        }
        self.rebuild(shared);
        Vec::new()
    }

    fn chart_spec(&self, shared: &Shared) -> Option<ChartSpec> {
        let facet = self.compared.facets.get(self.chart).filter(|_| self.pane != Pane::Table)?.clone();
        let runs = self.compared.runs.iter().map(|s| s.row.id.dir().path().to_owned()).collect();
        let view = ChartView { cursor: None, ..view::view_of(shared, self) };
        Some(ChartSpec { runs, content: ChartContent::Compared { facet, by: self.by.clone() }, view })
    }

    fn is_bare(&self) -> bool {
        self.compared.runs.is_empty() || self.pane == Pane::Charts && self.compared.facets.is_empty()
    }

    fn watches(&self, shared: &Shared) -> Vec<WatchRequest> {
        let pane = shared.settings.compare.pane;
        let mut metrics: BTreeSet<String> = BTreeSet::new();
        if pane != Pane::Table {
            let facets = view::visible(shared, self).filter_map(|i| self.compared.facets.get(i));
            metrics.extend(facets.map(|facet| facet.metric.clone()));
        }
        if pane != Pane::Charts {
            metrics.extend(self.compared.table.columns.iter().map(|c| c.facet.metric.clone()));
        }
        let series = if metrics.is_empty() { SeriesFilter::None } else { SeriesFilter::Metrics(metrics) };
        let request = |s: &gradtop_view::compare::ComparedRun| WatchRequest {
            series: series.clone(),
            smoothing: shared.settings.compare.weight(),
            ..WatchRequest::of(s.row.id.clone(), s.row.live())
        };
        self.compared.runs.iter().map(request).collect()
    }
}
