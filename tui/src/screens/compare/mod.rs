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
use super::charts::{self, Charts, Look, Scene};
use super::effect::{Effect, Open};
use super::keys::Mode;
use super::shared::Shared;
use crate::widgets::{Edit, Move, Way};
use compared::Compared;
use gradtop_view::chart_spec::ChartSpec;
use gradtop_view::compare::table::Sort;
use gradtop_view::compare::{ComparedRun, GroupBy};
use gradtop_view::live::{SeriesFilter, WatchRequest};
use gradtop_view::runs::RunId;
use settings::Pane;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    NextPane,
    Show(Pane),
    /// Moves to another run.
    Go(Move),
    /// An action on the charts.
    Chart(charts::Action),
    /// Groups by the next or previous parameter.
    Group(Way),
    Sort,
    Reverse,
    /// Moves to the next or previous column.
    Column(Way),
    /// Dims all runs except the one under the cursor.
    Focus,
    Hide,
    Open,
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
    /// The name of the group under the cursor; `None` means the first.
    at: Option<String>,
    /// The column under the cursor; `None` means the first.
    column: Option<Sort>,
    sort: Sort,
    reverse: bool,
    focus: bool,
    /// The visible parts, which also decide the keys.
    pane: Pane,
    /// The groups that are not drawn.
    hidden: BTreeSet<String>,
    compared: Compared,
    charts: Charts,
}

impl Compare {
    /// Compares these runs; with `whole`, also future runs of that experiment.
    pub(crate) fn open(shared: &Shared, runs: Vec<RunId>, whole: Option<String>) -> Self {
        let mut screen = Self { runs, whole, ..Self::default() };
        screen.rebuild(shared);
        screen
    }

    fn mode(&self) -> &'static Mode<Action> {
        if self.pane == Pane::Table {
            return &keys::TABLE;
        }
        self.charts.mode(&keys::SEARCH, &keys::SERIES).unwrap_or(&keys::VIEW)
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
        self.column = self.column.and_then(|column| new.table.find_same(&old.table, column));
        self.sort = new.table.find_same(&old.table, self.sort).unwrap_or_default();
        new.order = new.table.sorted(self.sort, self.reverse);
        if !new.groups.iter().any(|t| Some(&t.name) == self.at.as_ref()) {
            let row = if self.at.is_some() { row.min(new.order.len().saturating_sub(1)) } else { 0 };
            self.at = new.order.get(row).map(|group| new.groups[*group].name.clone());
        }
        let look = self.look(shared);
        self.charts.refresh(self.compared.shown(&self.by, None), &look);
    }

    /// How the charts are displayed.
    fn look(&self, shared: &Shared) -> Look {
        Look { hidden: self.hidden.clone(), ..shared.settings.compare.look.clone() }
    }

    /// What the charts show.
    fn scene<'a>(&'a self, shared: &'a Shared, look: &'a Look) -> Scene<'a> {
        let focus = self.focus.then(|| self.current_group());
        let (shown, area) = (self.compared.shown(&self.by, focus), self.places(shared).charts);
        Scene { shared, shown, look, area }
    }

    /// Does something to the charts, which are taken out meanwhile as they are shown beside the rest of the screen.
    fn on_charts<T>(&mut self, shared: &Shared, act: impl FnOnce(&mut Charts, &Scene<'_>) -> T) -> T {
        let (look, mut charts) = (self.look(shared), std::mem::take(&mut self.charts));
        let done = act(&mut charts, &self.scene(shared, &look));
        self.charts = charts;
        done
    }

    fn update_charts(&mut self, shared: &mut Shared, action: charts::Action) -> Vec<Effect> {
        let (look, effect) = self.on_charts(shared, |charts, scene| charts.update(scene, action));
        self.hidden.clone_from(&look.hidden);
        shared.settings.compare.look = Look { hidden: BTreeSet::new(), ..look };
        self.rebuild(shared);
        effect.into_iter().collect()
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
            Action::Chart(action) => return self.update_charts(shared, action),
            Action::Column(way) => self.go_column(way),
            Action::Group(way) => return self.group(shared, way),
            Action::Sort => self.sort(),
            Action::Reverse => self.reverse = !self.reverse,
            Action::Focus => self.focus = !self.focus,
            Action::Hide => self.hide(),
            Action::Open => return self.open_run(),
            Action::Write => return vec![super::write(self, shared)],
            Action::Back => {
                let away = pane != Pane::Table && self.on_charts(shared, Charts::put_away);
                return if away { Vec::new() } else { vec![Effect::Close] };
            }
        }
        self.rebuild(shared);
        Vec::new()
    }

    fn go(&mut self, to: Move) {
        let order = &self.compared.order;
        let group = order.get(to.from(self.row(), order.len(), order.len()));
        self.at = group.and_then(|t| self.compared.groups.get(*t)).map(|t| t.name.clone());
    }

    fn go_column(&mut self, way: Way) {
        let at = self.column();
        let to = if way == Way::On { at + 1 } else { at.saturating_sub(1) };
        let table = &self.compared.table;
        self.column = table.sort_keys().nth(to).or(table.sort_keys().last());
    }

    fn group(&mut self, shared: &Shared, way: Way) -> Vec<Effect> {
        let all = GroupBy::all(&self.compared.runs);
        if all.len() < 2 {
            let text = "no parameter puts any of these runs together";
            return vec![Effect::failure(text)];
        }
        let at = all.iter().position(|by| *by == self.by).unwrap_or(0);
        self.by = all[way.around(at, all.len())].clone();
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
        let on_charts = self.on_charts(shared, |charts, scene| charts.mouse(scene, mouse));
        match mouse.kind {
            _ if on_charts => {}
            MouseEventKind::ScrollUp => self.go(Move::By(-1)),
            MouseEventKind::ScrollDown => self.go(Move::By(1)),
            MouseEventKind::Down(MouseButton::Left) => {
                let at = Position { x: mouse.column, y: mouse.row };
                if let Some(group) = table::row_at(self, self.places(shared).table, at) {
                    self.at = self.compared.groups.get(group).map(|t| t.name.clone());
                }
            }
            _ => return Vec::new(),
        }
        self.rebuild(shared);
        Vec::new()
    }

    fn edit(&mut self, shared: &mut Shared, edit: Edit) -> Vec<Effect> {
        self.on_charts(shared, |charts, scene| charts.edit(scene, edit));
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
        let look = self.look(shared);
        let scene = (self.pane != Pane::Table).then(|| self.scene(shared, &look))?;
        let (content, view) = self.charts.chart_spec(&scene)?;
        let runs = self.compared.runs.iter().map(|s| s.row.id.dir().path().to_owned()).collect();
        Some(ChartSpec { runs, content, view })
    }

    fn is_bare(&self) -> bool {
        self.compared.runs.is_empty() || self.pane == Pane::Charts && self.compared.facets.is_empty()
    }

    fn watches(&self, shared: &Shared) -> Vec<WatchRequest> {
        let (pane, look) = (shared.settings.compare.pane, self.look(shared));
        let scene = self.scene(shared, &look);
        let columns = &self.compared.table.columns;
        let in_table: BTreeSet<String> = match pane {
            Pane::Charts => BTreeSet::new(),
            Pane::Both | Pane::Table => columns.iter().map(|c| c.facet.metric.clone()).collect(),
        };
        let request = |run: &ComparedRun| {
            let mut request = WatchRequest {
                series: SeriesFilter::of(in_table.clone()),
                smoothing: look.smoothing,
                ..WatchRequest::of(run.row.id.clone(), run.row.live())
            };
            if pane != Pane::Table {
                self.charts.watch(&scene, &run.data, &mut request);
            }
            request
        };
        self.compared.runs.iter().map(request).collect()
    }
}
