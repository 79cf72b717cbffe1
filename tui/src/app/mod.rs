//! The monitor as a pure state machine: [`update`] takes a message and returns tasks, [`view`] draws. Neither does I/O, reads
//! the clock or knows about channels; `runtime` does all that.

mod frame;
pub(crate) mod keys;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, MouseEvent};
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(crate) use frame::view;

use crate::print::clean;
use crate::screens::Screen;
use crate::screens::actions::{Act as _, RunAction};
use crate::screens::compare::Compare;
use crate::screens::confirm::Confirm;
use crate::screens::effect::{Answer, Effect, Mark, Message, Open, Task};
use crate::screens::experiments::Experiments;
use crate::screens::help::Help;
use crate::screens::home::Home;
use crate::screens::keys::{Kind, name};
use crate::screens::run::RunScreen;
use crate::screens::save::Save;
use crate::screens::settings::Settings;
use crate::screens::shared::{Machine, PluginsSnapshot, Shared};
use crate::screens::tags::Tags;
use crate::screens::views::Views;
use crate::widgets::Edit;
use gradtop_chart::cells::theme::Theme;
use gradtop_view::live::{LiveSnapshot, WatchRequest};
use gradtop_view::runs::{RunId, RunsSnapshot};
use keys::Action;

/// A message to the application.
#[derive(Debug)]
pub(crate) enum Msg {
    Key(KeyEvent),
    Mouse(MouseEvent),
    /// Pasted text.
    Paste(String),
    /// The terminal was resized to this many columns and rows.
    Resize(u16, u16),
    /// The current time, sent once a second while something runs and once a minute otherwise.
    Tick(Timestamp),
    /// A new snapshot of the runs.
    Runs(Arc<RunsSnapshot>),
    /// A new snapshot of the plugins.
    Plugins(Arc<PluginsSnapshot>),
    /// New data of the watched series.
    Live(Arc<LiveSnapshot>),
    /// New measurements of the machine.
    Machine(Machine),
    /// The result of a task.
    Answer(Answer),
    /// A signal asks the program to quit.
    Quit,
}

/// How long news are shown.
const NEWS_SHOWN: SignedDuration = SignedDuration::from_secs(6);
/// How long failures, and the welcome message, are shown.
const FAILURE_SHOWN: SignedDuration = SignedDuration::from_secs(20);

const NONE_SELECTED: &str = "no run selected";

/// The state of the monitor.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) shared: Shared,
    home: Home,
    /// The screens opened on top of the list of runs.
    stack: Vec<Box<dyn Screen>>,
    /// The message shown in the last line, and when it expires.
    message: Option<(Message, Timestamp)>,
    watched: Vec<WatchRequest>,
    saved: Settings,
    size: Rect,
    started: Timestamp,
}

impl App {
    /// Creates the state before anything has been read.
    pub(crate) fn new(theme: Theme, settings: Settings, read_only: bool, now: Timestamp) -> Self {
        let theme = Theme { name: settings.theme, ..theme };
        let shared = Shared { theme, settings: settings.clone(), now, read_only, ..Shared::default() };
        let new = if read_only { "" } else { "n starts a run, " };
        let welcome = Message::news(format!("first time here? {new}enter opens one, ? shows all keys"));
        Self {
            shared,
            home: Home::default(),
            stack: Vec::new(),
            message: (!settings.welcomed).then(|| (welcome, now + FAILURE_SHOWN)),
            watched: Vec::new(),
            saved: settings,
            size: Rect::default(),
            started: now,
        }
    }

    /// The screen that receives the keys.
    fn top(&self) -> &dyn Screen {
        self.stack.last().map_or(&self.home, AsRef::as_ref)
    }

    fn with_top<T>(&mut self, act: impl FnOnce(&mut dyn Screen, &mut Shared) -> T) -> T {
        let top = self.stack.last_mut().map_or(&mut self.home as &mut dyn Screen, AsMut::as_mut);
        act(top, &mut self.shared)
    }

    /// The visible screens from bottom to top: the topmost full screen and the overlays on it.
    fn visible(&self) -> impl Iterator<Item = &dyn Screen> {
        let below = self.stack.iter().rposition(|s| !s.is_overlay());
        let home = below.is_none().then_some(&self.home as &dyn Screen);
        home.into_iter().chain(self.stack[below.unwrap_or(0)..].iter().map(AsRef::as_ref))
    }

    /// The title of the terminal window.
    pub(crate) fn title(&self) -> String {
        let name = self.visible().next().and_then(Screen::window_title);
        name.map_or_else(|| "gradtop".to_owned(), |name| format!("{} - gradtop", clean(&name)))
    }

    /// Messages of the alerts that runs raised since the previous snapshot, oldest first. Alerts from before the start are
    /// skipped.
    fn alerts(&self, now: &RunsSnapshot) -> Vec<String> {
        let mut raised = Vec::new();
        for row in &now.rows {
            let before = self.shared.runs.get(&row.id).and_then(|row| row.view.alert.as_ref());
            if let Some(alert) = &row.view.alert
                && Some(alert) != before
                && alert.time > self.started
            {
                raised.push((alert.time, clean(&format!("{}: {}", row.name(), alert.message))));
            }
        }
        raised.sort_by_key(|(time, _)| *time);
        raised.into_iter().map(|(_, text)| text).collect()
    }

    /// Tells every screen that shared state has changed.
    fn on_change(&mut self) -> Vec<Effect> {
        let mut effects = self.home.on_change(&mut self.shared);
        for screen in &mut self.stack {
            effects.extend(screen.on_change(&mut self.shared));
        }
        effects
    }

    /// Returns how long until the passage of time alone changes the screen: a second while something runs or a message is
    /// shown, otherwise until the next displayed age grows.
    pub(crate) fn next_tick(&self) -> Duration {
        if self.message.is_some() || self.shared.runs.rows.iter().any(|r| r.live()) {
            return Duration::from_secs(1);
        }
        let soonest = self.visible().map(|screen| screen.valid_for(&self.shared)).min();
        soonest.unwrap_or(Duration::MAX).clamp(Duration::from_millis(100), Duration::from_mins(1))
    }
}

/// Handles a message and returns the tasks for the runtime.
pub(crate) fn update(app: &mut App, msg: Msg) -> Vec<Task> {
    let wanted = app.handle(msg);
    let mut tasks = app.settle(wanted);
    // A message of several lines takes room from the screens.
    let area = frame::body(app, app.size);
    if std::mem::replace(&mut app.shared.area, area) != area {
        let more = app.on_change();
        tasks.extend(app.settle(more));
    }
    tasks.extend(app.watch());
    tasks.extend(app.save());
    tasks
}

impl App {
    fn handle(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Key(key) => return self.key(key),
            Msg::Mouse(mouse) => return self.with_top(|top, shared| top.mouse(shared, mouse)),
            Msg::Paste(text) => return self.paste(&text),
            Msg::Runs(runs) => return self.update_runs(runs),
            Msg::Answer(answer) => return self.answer(answer),
            Msg::Quit => return vec![Effect::Do(Task::Quit)],
            Msg::Resize(width, height) => {
                self.size = Rect::new(0, 0, width, height);
                return Vec::new();
            }
            Msg::Machine(machine) => {
                self.shared.machine = Some(machine);
                return Vec::new();
            }
            Msg::Tick(now) => {
                self.shared.now = now;
                self.message.take_if(|(_, until)| *until <= now);
            }
            Msg::Plugins(plugins) => self.shared.plugins = plugins,
            Msg::Live(live) => {
                self.shared.live = live;
                self.shared.live.update(&mut self.shared.runs);
            }
        }
        self.on_change()
    }

    fn update_runs(&mut self, runs: Arc<RunsSnapshot>) -> Vec<Effect> {
        let alerts = self.alerts(&runs);
        let moved = runs.moved_since(&self.shared.runs);
        let update = |id: &mut RunId| {
            if let Some(now) = moved.get(id) {
                *id = now.clone();
            }
        };
        self.home.on_moved(&update);
        self.stack.iter_mut().for_each(|screen| screen.on_moved(&update));
        self.shared.runs = runs;
        self.shared.live.update(&mut self.shared.runs);
        let mut effects = self.on_change();
        if let Some(last) = alerts.last() {
            effects.push(Effect::failure(last.clone()));
            effects.push(Effect::Do(Task::Alert(alerts)));
        }
        effects
    }

    /// Asks for the series of what is visible, if they have changed. Overlays watch nothing themselves.
    fn watch(&mut self) -> Option<Task> {
        let watches = self.visible().next().map(|screen| screen.watches(&self.shared)).unwrap_or_default();
        (watches != self.watched).then(|| {
            self.watched.clone_from(&watches);
            Task::Watch(watches)
        })
    }

    /// Saves the settings, with the current chart as the last one, if they have changed.
    fn save(&mut self) -> Option<Task> {
        if let Some(spec) = self.top().chart_spec(&self.shared) {
            self.shared.settings.last = Some(spec);
        }
        (self.shared.settings != self.saved).then(|| {
            self.saved = self.shared.settings.clone();
            Task::SaveSettings(Box::new(self.saved.clone()))
        })
    }

    /// Applies the effects that concern the application itself and returns the remaining tasks.
    fn settle(&mut self, wanted: Vec<Effect>) -> Vec<Task> {
        let mut out = Vec::new();
        for effect in wanted {
            match effect {
                Effect::Open(open) => {
                    self.open(open);
                    let more = self.on_change();
                    out.extend(self.settle(more));
                }
                Effect::Close => drop(self.stack.pop()),
                Effect::Say(message) => self.show_message(message),
                Effect::Do(task) if task.changes() && self.shared.read_only => {
                    self.show_message(Message::read_only());
                }
                Effect::Do(task) => out.push(task),
            }
        }
        out
    }

    fn show_message(&mut self, message: Message) {
        let shown = if message.failed { FAILURE_SHOWN } else { NEWS_SHOWN };
        let until = self.shared.now + shown;
        self.message = Some((message, until));
    }

    fn open(&mut self, open: Open) {
        let shared = &self.shared;
        let screen: Box<dyn Screen> = match open {
            Open::Run(id) => Box::new(RunScreen::open(shared, id)),
            Open::Compare(runs, of) => Box::new(Compare::open(shared, runs, of)),
            Open::Experiments => Box::new(Experiments::default()),
            Open::Restart(id) => Box::new(Experiments::restart(id)),
            Open::Help => Box::new(Help::new(keys::sections(&self.top().keys()))),
            Open::Save(spec) => Box::new(Save::of(spec)),
            Open::Tags(runs) => Box::new(Tags::of(shared, runs)),
            Open::Confirm(action, runs, left_out) => Box::new(Confirm { action, runs, left_out }),
            Open::Views(now) => Box::new(Views::of(now)),
            Open::Listed(view) => {
                self.stack.clear();
                let said = self.home.apply_view(&mut self.shared, view);
                return self.show_message(said);
            }
            Open::Home(run) => {
                self.stack.clear();
                return run.into_iter().for_each(|id| self.home.go_to(id));
            }
        };
        self.stack.push(screen);
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        self.message = None;
        self.shared.settings.welcomed = true;
        let Some(name) = name(&key) else { return Vec::new() };
        let keys = self.top().keys();
        let own = keys.find(&name);
        let global = keys::lookup(keys.kind, &name);
        let changes = own.map_or(global.is_some_and(|b| b.changes), |b| b.changes);
        if changes && self.shared.read_only {
            return vec![Effect::Say(Message::read_only())];
        }
        if let Some(effects) = self.with_top(|top, shared| top.press(shared, &name)) {
            return effects;
        }
        match (global, Edit::of(&key)) {
            (Some(binding), _) => self.act(binding.action),
            (None, Some(edit)) if keys.kind == Kind::Typing => {
                self.with_top(|top, shared| top.edit(shared, edit))
            }
            _ => Vec::new(),
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        vec![match action {
            Action::Runs(action) => self.runs_action(action),
            Action::Restart => match self.target("only one run at a time can be restarted") {
                Ok(id) => Effect::Open(Open::Restart(id)),
                Err(why) => Effect::failure(why),
            },
            Action::Note => match self.target("a note is about one run at a time") {
                Ok(id) => Effect::Do(Task::Note(id)),
                Err(why) => Effect::failure(why),
            },
            Action::Tag | Action::Star | Action::Query => match (self.top().targets(), action) {
                (runs, _) if runs.is_empty() => Effect::failure(NONE_SELECTED),
                (runs, Action::Query) => Effect::Do(Task::Query(runs)),
                (runs, Action::Tag) => Effect::Open(Open::Tags(runs)),
                (runs, _) => {
                    let starred = |id| self.shared.runs.get(id).is_some_and(|row| row.view.notes.starred);
                    let star = !runs.iter().all(starred);
                    Effect::Do(Task::Mark(Mark::Star(star), runs))
                }
            },
            Action::Quit => Effect::Do(Task::Quit),
            Action::Back => Effect::Close,
            Action::Help => Effect::Open(Open::Help),
            Action::Theme => {
                let next = self.shared.settings.theme.next();
                self.shared.settings.theme = next;
                self.shared.theme.name = next;
                Effect::news(format!("theme: {}", next.word()))
            }
            Action::Experiments => Effect::Open(Open::Experiments),
            Action::Mouse => {
                let select = &mut self.shared.settings.select;
                *select = !*select;
                let text = if *select {
                    "the terminal has the mouse: text can be selected; m gives it back"
                } else {
                    "the monitor has the mouse; with shift held, text can be selected all the same"
                };
                return vec![Effect::Do(Task::Mouse(!*select)), Effect::news(text)];
            }
            Action::Redraw => Effect::Do(Task::Redraw),
            Action::Suspend => Effect::Do(Task::Suspend),
        }]
    }

    /// Returns the targeted run, or a message: `several` if there are several.
    fn target(&self, several: &'static str) -> Result<RunId, &'static str> {
        match self.top().targets().as_slice() {
            [id] => Ok(id.clone()),
            [] => Err(NONE_SELECTED),
            _ => Err(several),
        }
    }

    fn runs_action(&mut self, action: RunAction) -> Effect {
        let targets = self.top().targets();
        let rows = || targets.iter().filter_map(|id| self.shared.runs.get(id));
        let left_out: Vec<String> = rows().filter_map(|row| action.refused(row)).collect();
        let runs: Vec<RunId> =
            rows().filter(|row| action.refused(row).is_none()).map(|row| row.id.clone()).collect();
        match (runs.is_empty(), left_out.into_iter()) {
            (true, mut reasons) => Effect::failure(match (reasons.next(), targets.len()) {
                (None, _) => NONE_SELECTED.to_owned(),
                (Some(why), ..=1) => why,
                (Some(why), n) => format!("cannot {} any of the {n} selected runs: {why}", action.verb()),
            }),
            (false, reasons) if action.asks() => Effect::Open(Open::Confirm(action, runs, reasons.collect())),
            (false, _) => Effect::Do(Task::Act(action, runs)),
        }
    }

    /// Inserts pasted text. It is never taken for keys.
    fn paste(&mut self, text: &str) -> Vec<Effect> {
        if self.top().keys().kind != Kind::Typing {
            return Vec::new();
        }
        let typed = text.chars().filter_map(|c| Edit::of(&KeyCode::Char(c).into()));
        typed.flat_map(|edit| self.with_top(|top, shared| top.edit(shared, edit))).collect()
    }

    /// Offers an answer to the screens. One that no screen takes is shown as a message; the cursor moves to a run that was
    /// started.
    fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        let mut said = None;
        for screen in &mut self.stack {
            if let Some(effects) = screen.answer(&mut self.shared, &answer) {
                said.get_or_insert_with(Vec::new).extend(effects);
            }
        }
        said.unwrap_or_else(|| match answer {
            Answer::Done(message, started) => {
                let open = started.map(|run| Effect::Open(Open::Home(Some(run))));
                std::iter::once(Effect::Say(message)).chain(open).collect()
            }
            _ => Vec::new(),
        })
    }
}
