//! The screen of a run: charts, console, events, parameters, tables, and its use of the machine.

pub(crate) mod console;
mod events;
mod header;
pub(crate) mod keys;
mod log;
pub(crate) mod pane;
mod params;
pub(crate) mod settings;
mod tables;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

use super::Screen;
use super::charts::{self, Charts, Look, Scene, Shown};
use super::effect::{Answer, Effect, Task};
use super::keys::Mode;
use super::shared::Shared;
use crate::widgets::{Edit, Move, Scroll, Way};
use events::Events;
use gradtop_view::chart_spec::ChartSpec;
use gradtop_view::live::{RunData, WatchRequest};
use gradtop_view::runs::{RunId, RunRow};
use gradtop_view::why::Verdict;
use log::Log;
use pane::{Content, PaneRequest, PaneSnapshot, What};
use tables::Tables;

/// What happened to a run that is no longer there.
const GONE: &str = "its folder was deleted, moved or renamed";

/// Time between two diagnoses of a run.
const JUDGED_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// A pane of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    /// Figures and metrics.
    #[default]
    Charts,
    Log,
    Events,
    Params,
    Tables,
    /// The resources that the process uses.
    System,
}

impl Pane {
    /// All panes in the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::Charts, Self::Log, Self::Events, Self::Params, Self::Tables, Self::System];

    /// The name of the pane.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Charts => "charts",
            Self::Log => "log",
            Self::Events => "events",
            Self::Params => "params",
            Self::Tables => "tables",
            Self::System => "system",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Show(Pane),
    /// Closes what is open, else the screen.
    Leave,
    /// An action on the charts.
    Chart(charts::Action),
    /// Scrolls, or moves the cursor in a list.
    Go(Move),
    /// Scrolls to the right.
    Sideways(i8),
    /// Begins to type a search.
    Find,
    /// Goes to the match above or below.
    FindNext(Way),
    /// Starts the typed search.
    Accept,
    /// Cancels the typed search.
    Cancel,
    Follow,
    Wrap,
    /// Switches to another table.
    Turn(i8),
    Write,
}

#[derive(Debug)]
pub(crate) struct RunScreen {
    id: RunId,
    /// The run as last seen; it stays on the screen when its folder is deleted.
    row: Option<Arc<RunRow>>,
    data: Option<Arc<RunData>>,
    pane: Pane,
    charts: Charts,
    system: Charts,
    log: Log,
    events: Events,
    params: Scroll,
    tables: Tables,
    /// Why a pane could not be read.
    error: Option<(Pane, String)>,
    /// The request in progress.
    reading: Option<What>,
    /// Whether it waits for the console to grow; then other requests are possible.
    waiting: bool,
    /// The length of the console at the last answer.
    heard: Option<u64>,
    /// The verdict about the run, if any.
    verdict: Option<Verdict>,
    /// When the run was last diagnosed, and whether it was in progress.
    judged: Option<(Timestamp, bool)>,
    /// When the panes were last updated, and the state of the run's files at that time.
    looked: (Timestamp, u64),
}

impl RunScreen {
    /// Opens the screen of a run.
    pub(crate) fn open(shared: &Shared, id: RunId) -> Self {
        let mut screen = Self {
            id,
            row: None,
            data: None,
            pane: Pane::default(),
            charts: Charts::default(),
            system: Charts::default(),
            log: Log::default(),
            events: Events::default(),
            params: Scroll::default(),
            tables: Tables::default(),
            error: None,
            reading: None,
            waiting: false,
            heard: None,
            verdict: None,
            judged: None,
            looked: (Timestamp::UNIX_EPOCH, 0),
        };
        screen.refresh(shared);
        screen
    }

    fn mode(&self) -> &'static Mode<Action> {
        if let Some(mode) = self.charts().and_then(|charts| charts.mode(&keys::SEARCH, &keys::SERIES)) {
            return mode;
        }
        match self.pane {
            Pane::Charts | Pane::System => &keys::CHARTS,
            Pane::Log if self.log.typing() => &keys::FIND,
            Pane::Log => &keys::LOG,
            Pane::Events | Pane::Params => &keys::LINES,
            Pane::Tables => &keys::TABLES,
        }
    }

    /// Updates the run and its data.
    fn refresh(&mut self, shared: &Shared) {
        if let Some(row) = shared.runs.get(&self.id) {
            self.row = Some(row.clone());
        }
        if self.is_deleted(shared) {
            self.data.iter_mut().for_each(freeze);
        } else if let Some(data) = shared.live.run(&self.id) {
            self.data = Some(data.clone());
        }
        let look = self.look(shared);
        if let Some(data) = &self.data {
            self.charts.refresh(Shown::Run(data), &look);
            self.system.refresh(Shown::System(data), &look);
        }
    }

    /// Returns whether the run's folder was deleted.
    fn is_deleted(&self, shared: &Shared) -> bool {
        shared.runs.loaded && shared.runs.get(&self.id).is_none() && self.row.is_some()
    }

    /// Returns whether the run may still write.
    fn live(&self, shared: &Shared) -> bool {
        !self.is_deleted(shared) && self.row.as_ref().is_some_and(|r| r.live())
    }

    fn experiment(&self) -> &str {
        self.row.as_ref().map_or("", |r| r.experiment())
    }

    /// How its charts are displayed.
    fn look(&self, shared: &Shared) -> Look {
        shared.settings.run.of(self.experiment())
    }

    /// Handles data for a pane.
    fn pane(&mut self, shared: &Shared, pane: PaneSnapshot) -> Vec<Effect> {
        if pane.run != self.id {
            return Vec::new();
        }
        if self.reading.as_ref() == Some(&pane.what) {
            self.reading = None;
        }
        if let What::More(_) = pane.what {
            self.waiting = false;
            match pane.content {
                Ok(Content::Length(now)) => self.heard = Some(now),
                Ok(_) => {}
                Err(error) => self.error = Some((Pane::Log, error)),
            }
            let grown = self.heard.is_some_and(|now| now != self.log.total());
            return if self.pane == Pane::Log { self.ask(shared, grown) } else { Vec::new() };
        }
        let size = self.size(shared);
        let of = match pane.what {
            What::Console(_) | What::Find(_) | What::More(_) => Pane::Log,
            What::Events => Pane::Events,
            What::Table(_) => Pane::Tables,
        };
        match (pane.content, pane.what) {
            (Ok(content), what) => {
                if self.error.as_ref().is_some_and(|(p, _)| *p == of) {
                    self.error = None;
                }
                match (content, what) {
                    (Content::Console(chunk), What::Console(wanted)) => self.log.take(wanted, chunk, size),
                    (Content::Found(hit), What::Find(search)) => self.log.hit(&search, hit, size),
                    (Content::Events(lines, before), _) => self.events.take(lines, before),
                    (Content::Table(rows), _) => self.tables.take(rows),
                    _ => {}
                }
                self.ask(shared, false)
            }
            (Err(error), _) => {
                self.log.fail();
                self.error = Some((of, error));
                Vec::new()
            }
        }
    }

    /// Requests the data of the current pane; `news`: the run may have written more.
    fn ask(&mut self, shared: &Shared, news: bool) -> Vec<Effect> {
        if self.reading.is_some() || self.is_deleted(shared) || self.row.is_none() {
            return Vec::new();
        }
        let size = self.size(shared);
        let what = match self.pane {
            Pane::Log => self.log.wants(size, news),
            Pane::Events => (news || !self.events.loaded).then_some(What::Events),
            Pane::Tables => {
                if news {
                    self.tables.refresh();
                }
                self.tables.wants(size.1).map(What::Table)
            }
            Pane::Charts | Pane::Params | Pane::System => None,
        };
        let Some(what) = what.or_else(|| self.wait(shared)) else { return Vec::new() };
        match what {
            What::More(_) => self.waiting = true,
            _ => self.reading = Some(what.clone()),
        }
        vec![Effect::Do(Task::Pane(PaneRequest { run: self.id.clone(), what }))]
    }

    /// Requests a diagnosis, at intervals while there is news.
    fn judge(&mut self, shared: &Shared, news: bool) -> Option<Effect> {
        let live = self.live(shared);
        let over = |then| shared.now.duration_since(then) >= JUDGED_EVERY;
        let due = self.judged.is_none_or(|(then, lived)| lived != live || over(then));
        if !(news && due) || self.is_deleted(shared) || self.row.is_none() {
            return None;
        }
        self.judged = Some((shared.now, live));
        Some(Effect::Do(Task::Why(self.id.clone())))
    }

    /// Once everything has been read, waits for the console of a run in progress to grow.
    fn wait(&self, shared: &Shared) -> Option<What> {
        let follows = self.pane == Pane::Log && self.log.loaded() && self.error.is_none();
        (follows && !self.waiting && self.live(shared))
            .then(|| What::More(self.heard.unwrap_or(self.log.total())))
    }

    fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        match action {
            Action::Show(pane) => {
                self.pane = pane;
                // The run has ended meanwhile: reads the rest.
                return self.ask(shared, true);
            }
            Action::Write => return vec![super::write(self, shared)],
            Action::Leave => {
                let away = self.on_charts(shared, Charts::put_away);
                return if away == Some(true) { Vec::new() } else { vec![Effect::Close] };
            }
            Action::Chart(action) => return self.update_charts(shared, action),
            _ => {}
        }
        let (width, height) = self.size(shared);
        match self.pane {
            Pane::Charts | Pane::System => {}
            Pane::Log => self.update_log(action, (width, height)),
            Pane::Events | Pane::Params => {
                let len = self.lines_of(shared, width).len();
                let follow = self.pane == Pane::Events;
                let scroll = if follow { &mut self.events.scroll } else { &mut self.params };
                if let Action::Go(to) = action {
                    scroll.go(to, len, height, follow);
                }
            }
            Pane::Tables => match action {
                Action::Go(to) => self.tables.go(to, (width, height)),
                Action::Sideways(by) => self.tables.sideways(by.into(), width),
                Action::Turn(by) => self.tables.turn(by.into()),
                _ => {}
            },
        }
        self.ask(shared, false)
    }

    fn update_log(&mut self, action: Action, size: (usize, usize)) {
        match action {
            Action::Go(to) => self.log.go(to, size),
            Action::Sideways(by) => self.log.sideways(isize::from(by) * 8),
            Action::Find => self.log.type_search(),
            Action::FindNext(way) => self.log.next(way),
            Action::Accept => self.log.accept(),
            Action::Cancel => self.log.cancel(),
            Action::Follow => self.log.toggle_follow(size),
            Action::Wrap => self.log.toggle_wrap(),
            _ => {}
        }
    }

    fn charts(&self) -> Option<&Charts> {
        match self.pane {
            Pane::Charts => Some(&self.charts),
            Pane::System => Some(&self.system),
            _ => None,
        }
    }

    fn update_charts(&mut self, shared: &mut Shared, action: charts::Action) -> Vec<Effect> {
        let Some((look, effect)) = self.on_charts(shared, |charts, scene| charts.update(scene, action))
        else {
            return Vec::new();
        };
        shared.settings.run.keep(self.experiment(), look);
        effect.into_iter().collect()
    }

    /// Does something to the charts of the pane, if it has any.
    fn on_charts<T>(&mut self, shared: &Shared, act: impl FnOnce(&mut Charts, &Scene<'_>) -> T) -> Option<T> {
        let (look, data) = (self.look(shared), self.data.clone()?);
        let scene = self.scene(shared, &data, &look)?;
        let charts = if self.pane == Pane::System { &mut self.system } else { &mut self.charts };
        Some(act(charts, &scene))
    }

    /// What the charts of the pane show.
    fn scene<'a>(&self, shared: &'a Shared, data: &'a RunData, look: &'a Look) -> Option<Scene<'a>> {
        let shown = match self.pane {
            Pane::Charts => Shown::Run(data),
            Pane::System => Shown::System(data),
            _ => return None,
        };
        // The bottom line is the status line.
        let area = self.body(shared);
        Some(Scene { shared, shown, look, area: Rect { height: area.height.saturating_sub(1), ..area } })
    }

    /// The size of the pane.
    fn size(&self, shared: &Shared) -> (usize, usize) {
        let body = self.body(shared);
        (usize::from(body.width), usize::from(body.height))
    }

    fn tabs(shared: &Shared) -> Rect {
        let area = shared.area;
        let height = u16::from(!view::is_low(area));
        Rect { y: area.y + 1.min(area.height), height, ..area }
    }

    /// The area of the pane, below the lines about the run.
    fn body(&self, shared: &Shared) -> Rect {
        let area = shared.area;
        let text = !matches!(self.pane, Pane::Charts | Pane::System);
        let more = 1 + self.banner(shared).len() as u16 + u16::from(text);
        let above = 1 + if view::is_low(area) { 0 } else { more };
        let above = above.min(area.height);
        Rect { y: area.y + above, height: area.height - above, ..area }
    }
}

impl Screen for RunScreen {
    super::by_mode!();

    fn on_moved(&mut self, moved: &dyn Fn(&mut RunId)) {
        moved(&mut self.id);
    }

    fn window_title(&self) -> Option<String> {
        Some(self.id.dir().name())
    }

    fn edit(&mut self, shared: &mut Shared, edit: Edit) -> Vec<Effect> {
        match self.pane {
            Pane::Log => self.log.edit(edit),
            _ => drop(self.on_charts(shared, |charts, scene| charts.edit(scene, edit))),
        }
        Vec::new()
    }

    fn answer(&mut self, shared: &mut Shared, answer: &Answer) -> Option<Vec<Effect>> {
        match answer {
            Answer::Pane(pane) => Some(self.pane(shared, pane.clone())),
            Answer::Why(id, verdict) if *id == self.id => {
                self.verdict.clone_from(verdict);
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn targets(&self) -> Vec<RunId> {
        vec![self.id.clone()]
    }

    fn mouse(&mut self, shared: &mut Shared, mouse: MouseEvent) -> Vec<Effect> {
        let tabs = Self::tabs(shared);
        if mouse.kind == MouseEventKind::Down(MouseButton::Left)
            && tabs.contains((mouse.column, mouse.row).into())
        {
            let (shown, column) = (self.chart_facts(shared), usize::from(mouse.column - tabs.x));
            return match view::tab_at(self.pane, &shown, tabs.width.into(), column) {
                Some(pane) => self.update(shared, Action::Show(pane)),
                None => Vec::new(),
            };
        }
        match self.pane {
            Pane::Charts | Pane::System => {
                self.on_charts(shared, |charts, scene| charts.mouse(scene, mouse));
                Vec::new()
            }
            _ => match mouse.kind {
                MouseEventKind::ScrollDown => self.update(shared, Action::Go(Move::By(3))),
                MouseEventKind::ScrollUp => self.update(shared, Action::Go(Move::By(-3))),
                MouseEventKind::ScrollLeft => self.update(shared, Action::Sideways(-1)),
                MouseEventKind::ScrollRight => self.update(shared, Action::Sideways(1)),
                _ => Vec::new(),
            },
        }
    }

    fn on_change(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let ended_before = self.row.as_ref().is_some_and(|r| !r.live());
        self.refresh(shared);
        let looked = (shared.now, self.data.as_ref().map_or(0, |d| d.generation));
        // An ended run may still be written to by others; a tick alone is no news.
        let written = looked.1 != self.looked.1;
        let news = looked != self.looked && (self.live(shared) || !ended_before || written);
        self.looked = looked;
        let mut effects = self.ask(shared, news);
        effects.extend(self.judge(shared, news));
        effects
    }

    fn chart_spec(&self, shared: &Shared) -> Option<ChartSpec> {
        let (data, look) = (self.data.as_deref()?, self.look(shared));
        let (content, view) = self.charts()?.chart_spec(&self.scene(shared, data, &look)?)?;
        Some(ChartSpec { runs: vec![self.id.dir().path().to_owned()], content, view })
    }

    fn is_bare(&self) -> bool {
        match self.pane {
            Pane::Charts | Pane::System => self.charts().is_some_and(Charts::is_empty),
            Pane::Log => self.log.is_empty() && !self.log.typing(),
            Pane::Tables => self.tables.is_empty(),
            Pane::Events | Pane::Params => false,
        }
    }

    fn watches(&self, shared: &Shared) -> Vec<WatchRequest> {
        if self.is_deleted(shared) {
            return Vec::new();
        }
        let mut request = WatchRequest::of(self.id.clone(), self.live(shared));
        let look = self.look(shared);
        if let (Some(charts), Some(data)) = (self.charts(), &self.data)
            && let Some(scene) = self.scene(shared, data, &look)
        {
            charts.watch(&scene, data, &mut request);
        }
        vec![request]
    }
}

/// Ends what was read of a run whose folder is gone: nothing follows.
fn freeze(data: &mut Arc<RunData>) {
    if data.error.as_deref() == Some(GONE) {
        return;
    }
    let data = Arc::make_mut(data);
    data.error = Some(GONE.to_owned());
    (data.alive, data.progress.reading) = (false, false);
    data.generation += 1;
}
