//! Comparison: several runs over each other in every chart, and a table of how they differ and what became of them.

pub(crate) mod keys;
mod made;
mod table;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeSet, HashSet};

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use serde::{Deserialize, Serialize};

use crate::app::keys::{Binding, Context};
use crate::app::{Effect, Message, Open, Shared};
use crate::widgets::ChartCache;
use gradtop_view::compare::sheet::Sort;
use gradtop_view::compare::{Align, GroupBy};
use gradtop_view::live::{SeriesFilter, WatchRequest};
use gradtop_view::runs::RunId;
use made::Made;

/// What is kept between starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// What is seen.
    pub(crate) pane: Pane,
    /// What runs along x.
    pub(crate) align: Align,
    /// Place in [`SMOOTHING`].
    pub(crate) smoothing: usize,
    /// Logarithmic y; none: as declared.
    pub(crate) log: Option<bool>,
}

/// What is seen of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pane {
    /// Charts, and the table below.
    #[default]
    Both,
    /// Charts.
    Charts,
    /// The table.
    Table,
}

/// Weights of the moving average that keys go through.
const SMOOTHING: [f64; 8] = [0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99];

impl Settings {
    fn weight(&self) -> f64 {
        SMOOTHING[self.smoothing.min(SMOOTHING.len() - 1)]
    }
}

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The next pane.
    Pane,
    /// Only charts.
    Charts,
    /// Only the table.
    Table,
    /// Charts and table.
    Both,
    /// The run above.
    Up,
    /// The run below.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// A page of charts back.
    PageUp,
    /// A page of charts on.
    PageDown,
    /// One chart alone, or all.
    Expand,
    /// The next x axis.
    Align,
    /// The next grouping.
    Group,
    /// The grouping before.
    GroupBack,
    /// Sort by the column.
    Sort,
    /// The column to the left.
    ColumnLeft,
    /// The column to the right.
    ColumnRight,
    /// Only one run in colour.
    Focus,
    /// Hide or show a run.
    Hide,
    /// Open a run.
    Open,
    /// Logarithmic y or not.
    LogY,
    /// More smoothing.
    Smoother,
    /// Less smoothing.
    Rougher,
    /// A cursor in the charts, or none.
    Cursor,
    /// Zoom in.
    ZoomIn,
    /// Zoom out.
    ZoomOut,
    /// Move what is seen to the left.
    PanLeft,
    /// Move what is seen to the right.
    PanRight,
    /// No zoom, no cursor.
    Reset,
    /// One step back.
    Back,
}

/// What the keys mean at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Looking.
    View,
}

impl Mode {
    /// All of them, in the order of the documentation.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[Self::View];

    /// The heading in help and documentation.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::View => "Comparison",
        }
    }

    /// Its keys.
    pub(crate) fn keys(self) -> &'static [Binding] {
        match self {
            Self::View => keys::KEYS,
        }
    }

    /// Characters are text.
    pub(crate) fn typing(self) -> bool {
        match self {
            Self::View => false,
        }
    }
}

/// Comparison.
#[derive(Debug)]
pub(crate) struct Compare {
    runs: Vec<RunId>,
    /// The experiment whose runs are all compared: new ones join.
    whole: Option<String>,
    by: GroupBy,
    /// The chart under the cursor.
    chart: usize,
    expanded: bool,
    /// The name of the team under the cursor.
    at: Option<String>,
    /// The column under the cursor: parameters, then numbers.
    column: usize,
    sort: Sort,
    reverse: bool,
    focus: bool,
    hidden: BTreeSet<String>,
    zoom: Option<(f64, f64)>,
    cursor: Option<f64>,
    made: Made,
    cache: ChartCache,
}

impl Compare {
    /// Of these runs; of a whole experiment also of those that it will have.
    pub(crate) fn open(shared: &Shared, runs: Vec<RunId>, whole: Option<String>) -> Self {
        let mut screen = Self {
            runs,
            whole,
            by: GroupBy::Nothing,
            chart: 0,
            expanded: false,
            at: None,
            column: 0,
            sort: Sort::Given,
            reverse: false,
            focus: false,
            hidden: BTreeSet::new(),
            zoom: None,
            cursor: None,
            made: Made::default(),
            cache: ChartCache::default(),
        };
        screen.make(shared);
        screen
    }

    /// The runs that actions mean: of the row under the cursor.
    pub(crate) fn targets(&self) -> Vec<RunId> {
        let team = self.made.teams.get(self.team());
        let members = team.into_iter().flat_map(|t| &t.members);
        members.filter_map(|i| self.made.subjects.get(*i)).map(|s| s.row.id.clone()).collect()
    }

    /// What keys mean now.
    #[expect(clippy::unused_self, reason = "other screens have several modes")]
    pub(crate) fn context(&self) -> Context {
        Context::Compare(Mode::View)
    }

    /// The team under the cursor, as a place in the list of teams.
    fn team(&self) -> usize {
        let at = self.at.as_ref();
        let found = at.and_then(|at| self.made.teams.iter().position(|t| t.name == *at));
        found.or_else(|| self.made.order.first().copied()).unwrap_or(0)
    }

    /// Works everything out anew.
    fn make(&mut self, shared: &Shared) {
        self.made = Made::new(shared, &self.runs, &self.by, self.sort, self.reverse);
        self.chart = self.chart.min(self.made.facets.len().saturating_sub(1));
        self.column = self.column.min(self.columns().saturating_sub(1));
    }

    fn columns(&self) -> usize {
        self.made.sheet.params.len() + self.made.sheet.columns.len()
    }

    /// A key of the table was pressed.
    pub(crate) fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        let pane = shared.settings.compare.pane;
        match action {
            Action::Pane => {
                shared.settings.compare.pane = match pane {
                    Pane::Both => Pane::Charts,
                    Pane::Charts => Pane::Table,
                    Pane::Table => Pane::Both,
                }
            }
            Action::Charts => shared.settings.compare.pane = Pane::Charts,
            Action::Table => shared.settings.compare.pane = Pane::Table,
            Action::Both => shared.settings.compare.pane = Pane::Both,
            Action::Up | Action::Down => self.go(action == Action::Down),
            Action::Left | Action::Right => {
                let right = action == Action::Right;
                match (pane, self.cursor) {
                    (Pane::Table, _) => self.go_column(right),
                    (_, Some(x)) => self.cursor = Some(self.moved(shared, x, if right { 2 } else { -2 })),
                    (_, None) => self.go_chart(if right { 1 } else { -1 }),
                }
            }
            Action::ColumnLeft | Action::ColumnRight => self.go_column(action == Action::ColumnRight),
            Action::PageUp | Action::PageDown => {
                let page = if self.expanded { 1 } else { view::page(shared, self) } as isize;
                self.go_chart(if action == Action::PageDown { page } else { -page });
            }
            Action::Expand if pane == Pane::Table => return self.open_run(),
            Action::Expand => self.expanded = !self.expanded,
            Action::Align => {
                shared.settings.compare.align = shared.settings.compare.align.next();
                (self.zoom, self.cursor) = (None, None);
            }
            Action::Group | Action::GroupBack => return self.group(shared, action == Action::Group),
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
            Action::Smoother => {
                let next = shared.settings.compare.smoothing + 1;
                shared.settings.compare.smoothing = next.min(SMOOTHING.len() - 1);
            }
            Action::Rougher => {
                let own = &mut shared.settings.compare.smoothing;
                *own = own.saturating_sub(1).min(SMOOTHING.len() - 1);
            }
            Action::Cursor => {
                self.cursor = match self.cursor {
                    Some(_) => None,
                    None => self.seen(shared).map(|(low, high)| f64::midpoint(low, high)),
                }
            }
            Action::ZoomIn | Action::ZoomOut => self.zoom(shared, action == Action::ZoomIn, self.cursor),
            Action::PanLeft | Action::PanRight => self.pan(shared, action == Action::PanRight),
            Action::Reset => (self.zoom, self.cursor) = (None, None),
            Action::Back if self.expanded => self.expanded = false,
            Action::Back => return vec![Effect::Close],
        }
        self.make(shared);
        Vec::new()
    }

    fn go(&mut self, down: bool) {
        let order = &self.made.order;
        let here = order.iter().position(|t| *t == self.team()).unwrap_or(0);
        let to = if down { here + 1 } else { here.saturating_sub(1) };
        let team = order.get(to.min(order.len().saturating_sub(1)));
        self.at = team.and_then(|t| self.made.teams.get(*t)).map(|t| t.name.clone());
    }

    fn go_chart(&mut self, by: isize) {
        let last = self.made.facets.len().saturating_sub(1);
        self.chart = self.chart.saturating_add_signed(by).min(last);
    }

    fn go_column(&mut self, right: bool) {
        let last = self.columns().saturating_sub(1);
        self.column = if right { (self.column + 1).min(last) } else { self.column.saturating_sub(1) };
    }

    fn group(&mut self, shared: &Shared, forward: bool) -> Vec<Effect> {
        let all = GroupBy::all(&self.made.subjects);
        if all.len() < 2 {
            let text = "no parameter puts any of these runs together";
            return vec![Effect::Say(Message::failure(text))];
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
        let params = self.made.sheet.params.len();
        let wanted = match self.column.checked_sub(params) {
            None => Sort::Param(self.column),
            Some(value) => Sort::Value(value),
        };
        if self.columns() == 0 {
            self.reverse = !self.reverse;
        } else if self.sort == wanted {
            // The other way round, then as they were given.
            (self.sort, self.reverse) = if self.reverse { (Sort::Given, false) } else { (wanted, true) };
        } else {
            (self.sort, self.reverse) = (wanted, false);
        }
    }

    fn hide(&mut self) {
        let name = self.made.teams.get(self.team()).map(|t| t.name.clone());
        if let Some(name) = name
            && !self.hidden.remove(&name)
        {
            self.hidden.insert(name);
        }
    }

    fn open_run(&self) -> Vec<Effect> {
        match self.targets().as_slice() {
            [one] => vec![Effect::Open(Open::Run(one.clone()))],
            [] => Vec::new(),
            _ => vec![Effect::Say(Message::failure("this is a group of runs: b shows them one by one"))],
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

    /// A key was pressed while typing, which the table does not have.
    #[expect(clippy::unused_self, reason = "other screens have text to type")]
    pub(crate) fn text(&mut self, _shared: &mut Shared, _key: KeyEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// The mouse did something, in coordinates of the terminal; `shared.area` is ours.
    pub(crate) fn mouse(&mut self, shared: &mut Shared, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position { x: mouse.column, y: mouse.row };
        let chart = view::chart_at(shared, self, at);
        match (mouse.kind, chart) {
            (MouseEventKind::ScrollUp | MouseEventKind::ScrollDown, Some((_, x))) => {
                self.zoom(shared, mouse.kind == MouseEventKind::ScrollUp, x);
            }
            (MouseEventKind::ScrollUp, None) => self.go(false),
            (MouseEventKind::ScrollDown, None) => self.go(true),
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
                    self.at = self.made.teams.get(team).map(|t| t.name.clone());
                }
            }
            _ => return Vec::new(),
        }
        self.make(shared);
        Vec::new()
    }

    /// Runs, plugins, live data, the size or the second have changed: keep the cursor on something that exists, ask for more.
    pub(crate) fn changed(&mut self, shared: &mut Shared) -> Vec<Effect> {
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

    /// The series it needs now: of the charts seen, and for the table all that were declared.
    pub(crate) fn watches(&self, shared: &Shared) -> Vec<WatchRequest> {
        let pane = shared.settings.compare.pane;
        let mut metrics: BTreeSet<String> = BTreeSet::new();
        if pane != Pane::Table {
            metrics.extend(
                view::visible(shared, self).filter_map(|i| Some(self.made.facets.get(i)?.metric.clone())),
            );
        }
        if pane != Pane::Charts {
            metrics.extend(self.made.sheet.columns.iter().map(|c| c.facet.metric.clone()));
        }
        let request = |s: &gradtop_view::compare::Subject| WatchRequest {
            series: if metrics.is_empty() {
                SeriesFilter::None
            } else {
                SeriesFilter::Metrics(metrics.clone())
            },
            smoothing: shared.settings.compare.weight(),
            ..WatchRequest::of(s.row.id.clone(), s.row.live())
        };
        self.made.subjects.iter().map(request).collect()
    }
}
