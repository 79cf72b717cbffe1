//! Comparison: several runs over each other in every chart, and a table of how they differ and what became of them.

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
use gradtop_view::compare::GroupBy;
use gradtop_view::compare::table::Sort;
use gradtop_view::figure::view::ChartView;
use gradtop_view::live::{SeriesFilter, WatchRequest};
use gradtop_view::picture::{Picture, What};
use gradtop_view::runs::RunId;
use settings::{Pane, SMOOTHING};

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The next pane.
    NextPane,
    /// What is seen.
    Show(Pane),
    /// To another run.
    Go(Move),
    /// The cursor of the charts to the right by columns of dots; in the table alone, another column.
    Cursor(i8),
    /// Cursor to an end: the right one.
    CursorEnd(bool),
    /// The next chart, or the one before.
    Chart(i8),
    /// The next page of charts, or the one before.
    Page(i8),
    /// One chart alone, or all; in the table alone, the run is opened.
    Expand,
    /// The next x axis.
    Align,
    /// The next grouping.
    Group(bool),
    /// Sort by the column.
    Sort,
    /// The column to the right, or left.
    Column(bool),
    /// Only one run in colour.
    Focus,
    /// Hide or show a run.
    Hide,
    /// Open a run.
    Open,
    /// Logarithmic y or not.
    LogY,
    /// More smoothing.
    Smooth(bool),
    /// Zoom in.
    Zoom(bool),
    /// Move what is seen to the right.
    Pan(bool),
    /// All of x again.
    Reset,
    /// Write the chart to a file.
    Write,
    /// One step back.
    Back,
}

/// Comparison.
#[derive(Debug, Default)]
pub(crate) struct Compare {
    runs: Vec<RunId>,
    /// The experiment whose runs are all compared: new ones join.
    whole: Option<String>,
    by: GroupBy,
    /// The chart under the cursor.
    chart: usize,
    expanded: bool,
    /// The name of the team under the cursor; the first if there is none.
    at: Option<String>,
    /// The column under the cursor; the first if there is none.
    column: Option<Sort>,
    sort: Sort,
    reverse: bool,
    focus: bool,
    /// What is shown, and so which keys there are.
    pane: Pane,
    hidden: BTreeSet<String>,
    zoom: Option<(f64, f64)>,
    cursor: Option<f64>,
    compared: Compared,
    cache: ChartCache,
}

impl Compare {
    /// Of these runs; of a whole experiment also of those that it will have.
    pub(crate) fn open(shared: &Shared, runs: Vec<RunId>, whole: Option<String>) -> Self {
        let mut screen = Self { runs, whole, ..Self::default() };
        screen.make(shared);
        screen
    }

    fn mode(&self) -> &'static Mode<Action> {
        if self.pane == Pane::Table { &keys::TABLE } else { &keys::VIEW }
    }

    /// The team under the cursor, as a place in the list of teams.
    fn team(&self) -> usize {
        let at = self.at.as_ref();
        at.and_then(|at| self.compared.teams.iter().position(|t| t.name == *at)).unwrap_or(0)
    }

    /// The row of the team under the cursor.
    fn row(&self) -> usize {
        let team = self.team();
        self.compared.order.iter().position(|t| *t == team).unwrap_or(0)
    }

    /// The place of the column under the cursor: parameters, then numbers.
    fn column(&self) -> usize {
        self.compared.sheet.places().position(|place| Some(place) == self.column).unwrap_or(0)
    }

    /// Works everything out anew. The cursors and the order stay on what they were on, wherever that is now.
    fn make(&mut self, shared: &Shared) {
        self.pane = shared.settings.compare.pane;
        let row = self.row();
        let old = std::mem::replace(&mut self.compared, Compared::new(shared, &self.runs, &self.by));
        let new = &mut self.compared;
        let chart = old.facets.get(self.chart).and_then(|old| new.facets.iter().position(|f| f == old));
        self.chart = chart.unwrap_or(self.chart).min(new.facets.len().saturating_sub(1));
        self.column = self.column.and_then(|column| new.sheet.same(&old.sheet, column));
        self.sort = new.sheet.same(&old.sheet, self.sort).unwrap_or_default();
        new.order = new.sheet.sorted(self.sort, self.reverse);
        if !new.teams.iter().any(|t| Some(&t.name) == self.at.as_ref()) {
            let row = if self.at.is_some() { row.min(new.order.len().saturating_sub(1)) } else { 0 };
            self.at = new.order.get(row).map(|team| new.teams[*team].name.clone());
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
                    // It begins at the right end, where the newest values are.
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
        self.make(shared);
        Vec::new()
    }

    fn go(&mut self, to: Move) {
        let order = &self.compared.order;
        let team = order.get(to.from(self.row(), order.len(), order.len()));
        self.at = team.and_then(|t| self.compared.teams.get(*t)).map(|t| t.name.clone());
    }

    fn go_chart(&mut self, by: isize) {
        let last = self.compared.facets.len().saturating_sub(1);
        self.chart = self.chart.saturating_add_signed(by).min(last);
    }

    fn go_column(&mut self, right: bool) {
        let at = self.column();
        let to = if right { at + 1 } else { at.saturating_sub(1) };
        let sheet = &self.compared.sheet;
        self.column = sheet.places().nth(to).or(sheet.places().last());
    }

    fn group(&mut self, shared: &Shared, forward: bool) -> Vec<Effect> {
        let all = GroupBy::all(&self.compared.subjects);
        if all.len() < 2 {
            let text = "no parameter puts any of these runs together";
            return vec![Effect::failure(text)];
        }
        let at = all.iter().position(|by| *by == self.by).unwrap_or(0);
        let to = if forward { at + 1 } else { at + all.len() - 1 };
        self.by = all[to % all.len()].clone();
        // Other lines, with other names.
        (self.at, self.focus) = (None, false);
        self.hidden.clear();
        self.make(shared);
        Vec::new()
    }

    fn sort(&mut self) {
        let Some(wanted) = self.compared.sheet.places().nth(self.column()) else {
            self.reverse = !self.reverse;
            return;
        };
        if self.sort == wanted {
            // The other way round, then as they were given.
            (self.sort, self.reverse) = if self.reverse { (Sort::Given, false) } else { (wanted, true) };
        } else {
            (self.sort, self.reverse) = (wanted, false);
        }
    }

    fn hide(&mut self) {
        if let Some(team) = self.compared.teams.get(self.team()) {
            super::toggle(&mut self.hidden, &team.name);
        }
    }

    fn open_run(&self) -> Vec<Effect> {
        match self.targets().as_slice() {
            [one] => vec![Effect::Open(Open::Run(one.clone()))],
            [] => Vec::new(),
            _ => vec![Effect::failure("this is a group of runs: b shows them one by one")],
        }
    }

    /// The stretch of x that is seen.
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
        // So close that neighbours can no longer be told apart.
        if b - a <= (a.abs() + b.abs()) * 1e-9 {
            return;
        }
        let whole = self.whole(shared);
        self.zoom = match whole {
            Some((first, last)) if !closer && a <= first && b >= last => None,
            Some((first, last)) => Some((a.max(first), b.min(last))),
            None => Some((a, b)),
        };
    }

    fn pan(&mut self, shared: &Shared, right: bool) {
        let (Some((low, high)), Some((first, last))) = (self.zoom, self.whole(shared)) else { return };
        let by = (high - low) / 4.0;
        let by = if right { by.min(last - high) } else { -by.min(low - first) };
        self.zoom = Some((low + by, high + by));
    }

    /// All of x.
    fn whole(&self, shared: &Shared) -> Option<(f64, f64)> {
        view::whole(shared, self).map(|p| (p.x.low, p.x.high))
    }
}

impl Screen for Compare {
    super::by_mode!();

    /// Of the row under the cursor.
    fn targets(&self) -> Vec<RunId> {
        let team = self.compared.teams.get(self.team());
        let members = team.into_iter().flat_map(|t| &t.members);
        members.filter_map(|i| self.compared.subjects.get(*i)).map(|s| s.row.id.clone()).collect()
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
                if let Some(team) = view::row_at(shared, self, at) {
                    self.at = self.compared.teams.get(team).map(|t| t.name.clone());
                }
            }
            _ => return Vec::new(),
        }
        self.make(shared);
        Vec::new()
    }

    fn changed(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if let Some(experiment) = &self.whole {
            let known: HashSet<&RunId> = self.runs.iter().collect();
            let own = shared.runs.rows.iter().filter(|r| r.experiment() == experiment);
            // The rows are sorted newest first.
            let new: Vec<RunId> =
                own.rev().map(|r| &r.id).filter(|id| !known.contains(id)).cloned().collect();
            self.runs.extend(new);
        }
        self.make(shared);
        Vec::new()
    }

    fn picture(&self, shared: &Shared) -> Option<Picture> {
        let facet = self.compared.facets.get(self.chart).filter(|_| self.pane != Pane::Table)?.clone();
        let runs = self.compared.subjects.iter().map(|s| s.row.id.dir().path().to_owned()).collect();
        let view = ChartView { cursor: None, ..view::view_of(shared, self) };
        Some(Picture { runs, what: What::Compared { facet, by: self.by.clone() }, view })
    }

    fn is_bare(&self) -> bool {
        self.compared.subjects.is_empty() || self.pane == Pane::Charts && self.compared.facets.is_empty()
    }

    fn watches(&self, shared: &Shared) -> Vec<WatchRequest> {
        let pane = shared.settings.compare.pane;
        let mut metrics: BTreeSet<String> = BTreeSet::new();
        if pane != Pane::Table {
            let facets = view::visible(shared, self).filter_map(|i| self.compared.facets.get(i));
            metrics.extend(facets.map(|facet| facet.metric.clone()));
        }
        if pane != Pane::Charts {
            metrics.extend(self.compared.sheet.columns.iter().map(|c| c.facet.metric.clone()));
        }
        let series = if metrics.is_empty() { SeriesFilter::None } else { SeriesFilter::Metrics(metrics) };
        let request = |s: &gradtop_view::compare::Subject| WatchRequest {
            series: series.clone(),
            smoothing: shared.settings.compare.weight(),
            ..WatchRequest::of(s.row.id.clone(), s.row.live())
        };
        self.compared.subjects.iter().map(request).collect()
    }
}
