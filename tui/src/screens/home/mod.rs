//! The list of all runs, grouped by experiment: the first screen.

mod candidates;
mod cells;
#[cfg(test)]
mod column_tests;
mod columns;
pub(crate) mod keys;
mod list;
mod pane;
mod row;
pub(crate) mod settings;
#[cfg(test)]
mod tests;
mod view;
mod what;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::Screen;
use super::effect::{Effect, Message, Open, Task};
use super::keys::Mode;
use super::shared::Shared;
use crate::list_view::ListView;
use crate::print::clean;
use crate::widgets::{ChartCache, Edit, Input, Move};
use gradtop_chart::number;
use gradtop_view::list::column;
use gradtop_view::list::filter::{self, Filter, FilterError};
use gradtop_view::list::order::Sort;
use gradtop_view::live::WatchRequest;
use gradtop_view::runs::{RunId, RunRow};
use list::{Line, List, Spot};
use settings::Pane;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Opens the run under the cursor, or folds the experiment.
    Open,
    New,
    /// Selects or deselects a run.
    Select,
    /// Selects all visible runs, or none.
    SelectAll,
    Compare,
    Filter,
    Sort,
    Reverse,
    Views,
    /// Moves the pane to its next place.
    Pane,
    Go(Move),
    Fold,
    Unfold,
    /// Clears the selection, then the filter.
    Clear,
    /// Keeps the new filter.
    Keep,
    /// Restores the previous filter.
    Cancel,
}

/// A filter that is being typed.
#[derive(Debug)]
struct Typing {
    input: Input,
    /// Its error; meanwhile the last valid filter applies.
    error: Option<FilterError>,
    /// The previous filter.
    before: (String, Filter),
    /// What the cursor was moved to; it returns there once the filter shows it again.
    spot: Option<Spot>,
}

#[derive(Debug, Default)]
pub(crate) struct Home {
    list: List,
    /// The line of the cursor.
    line: usize,
    /// What the cursor is on; it stays there when lines are added or removed.
    spot: Option<Spot>,
    /// The first visible line.
    top: usize,
    selected: BTreeSet<RunId>,
    filter: (String, Filter),
    /// The columns of the current view; if empty, the default ones.
    columns: Vec<String>,
    /// Experiments that are folded while a filter is set.
    folded_found: BTreeSet<String>,
    /// Fields of the filter that no run has.
    unknown: Vec<String>,
    typing: Option<Typing>,
    /// A run that the cursor moves to as soon as it appears.
    expected: Option<RunId>,
    charts: ChartCache,
}

impl Screen for Home {
    super::by_mode!();

    /// A valid filter applies at once.
    fn edit(&mut self, shared: &mut Shared, edit: Edit) -> Vec<Effect> {
        let Some(typing) = &mut self.typing else { return Vec::new() };
        typing.input.edit(edit);
        let text = typing.input.text();
        match Filter::parse(&text) {
            Ok(filter) => (self.filter, typing.error) = ((text, filter), None),
            Err(error) => typing.error = Some(error),
        }
        self.spot.clone_from(&typing.spot);
        self.refresh(shared);
        Vec::new()
    }

    fn mouse(&mut self, shared: &mut Shared, mouse: MouseEvent) -> Vec<Effect> {
        let areas = self.areas(shared);
        let at = Position { x: mouse.column, y: mouse.row };
        match mouse.kind {
            MouseEventKind::ScrollUp => self.go(self.list.stepped(self.line, -3)),
            MouseEventKind::ScrollDown => self.go(self.list.stepped(self.line, 3)),
            MouseEventKind::Down(MouseButton::Left) if areas.list.contains(at) => {
                let row = usize::from(at.y - areas.list.y);
                let line = self.visible(areas.list).get(row).copied().unwrap_or(usize::MAX);
                if let Some(Line::Titles { group }) = self.list.lines.get(line) {
                    let columns = columns::Columns::by_group(self, shared, areas.list);
                    let columns = columns.get(group);
                    let title = columns.and_then(|c| c.at(at.x - areas.list.x, self.list.groups.get(*group)));
                    let effect = title.map(|by| self.sort(shared, Some(by)));
                    self.refresh(shared);
                    return effect.into_iter().collect();
                }
                if self.list.spot(line).is_some() {
                    let marks = at.x < areas.list.x + cells::MARKS;
                    let again = line == self.line;
                    self.go(line);
                    if marks || mouse.modifiers.contains(KeyModifiers::CONTROL) {
                        self.toggle();
                    } else if again {
                        return self.update(shared, Action::Open);
                    }
                }
            }
            _ => {}
        }
        self.refresh(shared);
        Vec::new()
    }

    /// Returns the time until the displayed age of the next visible run changes.
    fn valid_for(&self, shared: &Shared) -> Duration {
        let age = |row: &RunRow| shared.now.duration_since(row.view.manifest.created).as_secs_f64();
        let shown = self.visible(self.areas(shared).list);
        let lasts = shown.into_iter().filter_map(|line| match &self.list.lines[line] {
            Line::Run { row, .. } => Some(number::age_lasts(age(row))),
            _ => None,
        });
        lasts.min().unwrap_or(Duration::MAX)
    }

    fn on_change(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.refresh(shared);
        Vec::new()
    }

    /// The selection and the cursor stay on their runs.
    fn on_moved(&mut self, moved: &dyn Fn(&mut RunId)) {
        let mut selected = Vec::from_iter(std::mem::take(&mut self.selected));
        selected.iter_mut().for_each(moved);
        self.selected.extend(selected);
        let typed = self.typing.as_mut().and_then(|typing| typing.spot.as_mut());
        for spot in self.spot.as_mut().into_iter().chain(typed) {
            if let Spot::Run(id) = spot {
                moved(id);
            }
        }
    }

    /// Returns the selected visible runs, else the one under the cursor.
    fn targets(&self) -> Vec<RunId> {
        let chosen = self.chosen();
        match self.here() {
            Some(Spot::Run(id)) if chosen.is_empty() => vec![id],
            _ => chosen,
        }
    }

    fn is_bare(&self) -> bool {
        self.list.lines.is_empty() && self.typing.is_none()
    }

    fn watches(&self, shared: &Shared) -> Vec<WatchRequest> {
        self.wanted(shared)
    }
}

/// The areas of the screen.
struct Areas {
    filter: Option<Rect>,
    list: Rect,
    pane: Option<Rect>,
}

impl Home {
    fn mode(&self) -> &'static Mode<Action> {
        if self.typing.is_some() { &keys::FILTER } else { &keys::LIST }
    }

    /// What the cursor is on, among what is shown.
    fn here(&self) -> Option<Spot> {
        self.list.spot(self.line)
    }

    /// The run under the cursor; on an experiment, its first run.
    fn current(&self) -> Option<&Arc<RunRow>> {
        match self.list.lines.get(self.line)? {
            Line::Run { row, .. } => Some(row),
            Line::Group { group, .. } => self.list.groups.get(*group)?.rows.first(),
            Line::Blank | Line::Note(_) | Line::Titles { .. } => None,
        }
    }

    /// Moves the cursor to a run, now or once it appears.
    pub(crate) fn go_to(&mut self, id: RunId) {
        self.expected = Some(id);
    }

    /// Applies a view. Returns a message about it.
    pub(crate) fn apply_view(&mut self, shared: &mut Shared, view: ListView) -> Message {
        let filter = match Filter::parse(&view.filter) {
            Ok(filter) => filter,
            Err(e) => return Message::failure(format!("cannot read the filter of the view: {}", e.message)),
        };
        self.filter = (view.filter, filter);
        if let Some(sort) = view.sort {
            shared.settings.home.sort = sort;
        }
        let runs = shared.runs.rows.iter().map(|row| &row.view);
        let known = |name: String| column::named(&name, runs.clone()).ok_or(name);
        let (columns, unknown): (Vec<_>, Vec<_>) =
            view.columns.into_iter().map(known).partition(Result::is_ok);
        self.columns = columns.into_iter().flatten().collect();
        self.refresh(shared);
        match unknown.into_iter().find_map(Result::err) {
            Some(name) => {
                let why = filter::why_unknown(&name, shared.runs.rows.iter().map(|row| &row.view));
                Message::failure(why.unwrap_or_else(|| format!("no run has a {}", clean(&name))))
            }
            None => Message::news(words(&shared.settings.home.sort)),
        }
    }

    /// Performs an action.
    fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        let page = self.areas(shared).list.height.saturating_sub(1).max(1);
        let mut effects = Vec::new();
        match action {
            Action::Go(to) => self.go(self.list.moved(self.line, to, page.into())),
            Action::Open => effects = self.open(shared),
            Action::New => effects.push(Effect::Open(Open::Experiments)),
            Action::Select => self.select(),
            Action::SelectAll => {
                let all: BTreeSet<RunId> = self.list.rows().map(|r| r.id.clone()).collect();
                self.selected = if all.is_subset(&self.selected) { BTreeSet::new() } else { all };
            }
            Action::Compare => effects.push(self.compare()),
            Action::Filter => {
                let input = Input::new(&self.filter.0);
                let (before, spot) = (self.filter.clone(), self.spot.clone());
                self.typing = Some(Typing { input, error: None, before, spot });
            }
            Action::Sort => effects.push(self.sort(shared, None)),
            Action::Reverse => {
                let sort = &mut shared.settings.home.sort;
                sort.reversed = !sort.reversed;
                effects.push(Effect::news(words(sort)));
            }
            Action::Views => {
                let sort = Some(shared.settings.home.sort.clone());
                let now = ListView { filter: self.filter.0.clone(), sort, columns: self.columns.clone() };
                effects.extend([Effect::Open(Open::Views(now)), Effect::Do(Task::Views(None))]);
            }
            Action::Pane => {
                let pane = &mut shared.settings.home.pane;
                *pane = match pane {
                    Pane::Below => Pane::Beside,
                    Pane::Beside => Pane::Off,
                    Pane::Off => Pane::Below,
                };
            }
            Action::Fold | Action::Unfold => {
                if let Some(group) = self.list.group_at(self.line).map(|g| g.experiment.clone()) {
                    self.fold(shared, group, action == Action::Fold);
                }
            }
            Action::Clear if !self.selected.is_empty() => self.selected.clear(),
            Action::Clear => {
                self.filter = <_>::default();
                self.columns.clear();
            }
            Action::Keep | Action::Cancel => {
                if let Some(typing) = self.typing.take() {
                    self.spot = typing.spot;
                    if action == Action::Cancel || typing.error.is_some() {
                        self.filter = typing.before;
                    }
                    if let Some(error) = typing.error.filter(|_| action == Action::Keep) {
                        effects.push(Effect::failure(format!("the filter was not kept: {}", error.message)));
                    }
                }
            }
        }
        self.refresh(shared);
        effects
    }

    /// Rebuilds the list and keeps the cursor in place.
    fn refresh(&mut self, shared: &mut Shared) {
        self.relist(shared);
        let views: Vec<_> = shared.runs.rows.iter().map(|row| &row.view).collect();
        self.unknown = self.filter.1.unknown(&views);
        self.selected.retain(|id| shared.runs.get(id).is_some());
        if let Some(row) = self.expected.as_ref().and_then(|id| shared.runs.get(id)) {
            let (id, experiment) = (row.id.clone(), row.experiment().to_owned());
            if self.folds(shared).remove(&experiment) {
                self.relist(shared);
            }
            self.expected = None;
            self.spot = Some(Spot::Run(id));
        }
        // The cursor stays on its run, else on its line; at first it is on the newest run.
        let start = || self.list.lines.iter().position(|l| matches!(l, Line::Run { .. }));
        let line = match &self.spot {
            Some(spot @ Spot::Run(_)) => self.list.line_of(spot).or_else(|| self.list.nearest_run(self.line)),
            Some(spot) => self.list.line_of(spot).or_else(|| self.list.nearest(self.line)),
            None => start(),
        };
        self.put(line.unwrap_or(0));
        self.reveal(usize::from(self.areas(shared).list.height));
    }

    fn relist(&mut self, shared: &mut Shared) {
        let folded = self.folds(shared).clone();
        self.list = List::new(shared, &self.filter.1, &folded);
    }

    /// The folded experiments. A filter reveals its matches in all experiments, so it has its own set.
    fn folds<'a>(&'a mut self, shared: &'a mut Shared) -> &'a mut BTreeSet<String> {
        if self.filter.0.is_empty() {
            self.folded_found.clear();
            &mut shared.settings.home.folded
        } else {
            &mut self.folded_found
        }
    }

    /// Moves the cursor on behalf of a key or the mouse.
    fn go(&mut self, line: usize) {
        self.put(line);
        if let Some(typing) = &mut self.typing {
            typing.spot.clone_from(&self.spot);
        }
    }

    fn put(&mut self, line: usize) {
        self.line = line;
        if let Some(spot) = self.list.spot(line) {
            self.spot = Some(spot);
        }
    }

    /// The lines on the screen.
    fn visible(&self, area: Rect) -> Vec<usize> {
        self.list.visible(self.top, area.height.into())
    }

    /// Scrolls until the cursor is visible, and no further than to the end.
    fn reveal(&mut self, height: usize) {
        let shows = |top, line| self.list.visible(top, height).contains(&line);
        self.top = self.top.min(self.line);
        // The headings that stay above take up to two rows.
        while self.top < self.line && !shows(self.top, self.line) {
            self.top = (self.top + 1).max((self.line + 1).saturating_sub(height));
        }
        let last = self.list.lines.len().saturating_sub(1);
        while self.top > 0 && shows(self.top - 1, last) {
            self.top -= 1;
        }
    }

    fn open(&mut self, shared: &mut Shared) -> Vec<Effect> {
        match self.here() {
            Some(Spot::Run(id)) => vec![Effect::Open(Open::Run(id))],
            Some(Spot::Group(group)) => {
                let folded = self.folds(shared).contains(&group);
                self.fold(shared, group, !folded);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn fold(&mut self, shared: &mut Shared, group: String, fold: bool) {
        if fold {
            self.spot = Some(Spot::Group(group.clone()));
            self.folds(shared).insert(group);
        } else {
            self.folds(shared).remove(&group);
        }
    }

    fn select(&mut self) {
        self.toggle();
        if matches!(self.here(), Some(Spot::Run(_))) {
            self.go(self.list.stepped(self.line, 1));
        }
    }

    fn toggle(&mut self) {
        match self.here() {
            Some(Spot::Run(id)) if self.selected.remove(&id) => {}
            Some(Spot::Run(id)) => {
                self.selected.insert(id);
            }
            Some(Spot::Group(_)) => {
                let Some(group) = self.list.group_at(self.line) else { return };
                let ids: Vec<RunId> = group.rows.iter().map(|r| r.id.clone()).collect();
                if ids.iter().all(|id| self.selected.contains(id)) {
                    self.selected.retain(|id| !ids.contains(id));
                } else {
                    self.selected.extend(ids);
                }
            }
            None => {}
        }
    }

    /// The selected runs in list order.
    fn chosen(&self) -> Vec<RunId> {
        self.list.rows().map(|r| &r.id).filter(|id| self.selected.contains(id)).cloned().collect()
    }

    fn compare(&self) -> Effect {
        let mut runs = self.chosen();
        let mut whole = None;
        if runs.is_empty()
            && let Some(group) = self.list.group_at(self.line)
        {
            runs = group.rows.iter().map(|r| r.id.clone()).collect();
            // Filtered runs are a deliberate choice, so new runs are not added.
            whole = self.filter.0.is_empty().then(|| group.experiment.clone());
        }
        if runs.is_empty() {
            Effect::failure("there is nothing to compare yet")
        } else {
            Effect::Open(Open::Compare(runs, whole))
        }
    }

    /// Sorts by a column, or by the next one; sorting by the same column reverses the order.
    fn sort(&mut self, shared: &mut Shared, by: Option<String>) -> Effect {
        let keys = self.sort_keys(shared);
        let sort = &mut shared.settings.home.sort;
        match by {
            Some(by) if by == sort.by => sort.reversed = !sort.reversed,
            Some(by) => *sort = Sort { by, reversed: false },
            None => {
                let at = keys.iter().position(|k| *k == sort.by).map_or(0, |i| (i + 1) % keys.len());
                *sort = Sort { by: keys[at].clone(), reversed: false };
            }
        }
        Effect::news(words(sort))
    }

    /// What the columns on the screen are sorted by, after the usual order.
    fn sort_keys(&self, shared: &Shared) -> Vec<String> {
        let mut keys = vec![Sort::default().by];
        for (group, columns) in columns::Columns::by_group(self, shared, self.areas(shared).list) {
            let group = &self.list.groups[group];
            let shown = columns.0.iter().filter(|column| !column.what.is_empty(group, shared.now));
            for key in shown.filter_map(|column| column.what.sorts(group)) {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// Returns whether the hosts of runs are shown.
    fn hosts(&self) -> bool {
        column::several_hosts(self.list.rows().map(|row| &row.view))
    }

    fn areas(&self, shared: &Shared) -> Areas {
        let mut rest = shared.area;
        let height = (self.filter_lines(shared).len() as u16).min(rest.height);
        let filter = (height > 0).then_some(Rect { height, ..rest });
        (rest.y, rest.height) = (rest.y + height, rest.height - height);
        let pane = match shared.settings.home.pane {
            _ if self.list.lines.is_empty() || rest.height < 15 => None,
            Pane::Off => None,
            Pane::Beside if rest.width >= 150 => {
                let width = rest.width * 2 / 5;
                let pane = Rect { x: rest.right() - width, width, ..rest };
                rest.width -= width + 1;
                Some(pane)
            }
            Pane::Below | Pane::Beside => {
                // Two fifths, or what a short list leaves; with ten lines the chart has a line for its title.
                let blank = rest.height.saturating_sub(self.list.lines.len() as u16 + 1);
                let least = if rest.height < 20 { 8 } else { 10 };
                let height = (rest.height * 2 / 5).max(blank.min(rest.height / 2)).clamp(least, 18);
                let pane = Rect { y: rest.bottom() - height, height, ..rest };
                rest.height -= height;
                Some(pane)
            }
        };
        Areas { filter, list: rest, pane }
    }
}

fn words(sort: &Sort) -> String {
    let by = column::title(&sort.by);
    format!("sorted by {by}{}", if sort.reversed { ", the other way round" } else { "" })
}
