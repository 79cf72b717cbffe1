//! The monitor as a pure machine: [`update`] takes what happened and says what to do, [`view`] draws. Neither does I/O, asks
//! the clock or knows a channel; `runtime` does all that.

pub(crate) mod actions;
mod frame;
pub(crate) mod keys;

pub(crate) mod settings;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use gradtop_host::{Discovery, Launch, Origin, PluginDesc, Refusal};
use jiff::Timestamp;
use ratatui::layout::Rect;

pub(crate) use frame::view;

use crate::config::LaunchDefaults;
use crate::screens::compare::Compare;
use crate::screens::confirm::{self, Confirm};
use crate::screens::experiments::Experiments;
use crate::screens::help::{self, Help};
use crate::screens::home::Home;
use crate::screens::run::RunScreen;
use crate::screens::run::pane::{PaneRequest, PaneSnapshot};
use crate::screens::toosmall;
use actions::{Act as _, ActionResult, RunAction};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::number;
use gradtop_view::live::{LiveSnapshot, WatchRequest};
use gradtop_view::runs::{RunId, RunRow, RunsSnapshot};
use keys::{Action, AppAction, Context};
use settings::Settings;

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Msg {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and lines now.
    Resize(u16, u16),
    /// The clock: once a second while something runs, once a minute otherwise.
    Tick(Timestamp),
    /// The runs.
    Runs(Arc<RunsSnapshot>),
    /// The plugins.
    Plugins(Arc<PluginsSnapshot>),
    /// The data that is watched.
    Live(Arc<LiveSnapshot>),
    /// What a pane asked for.
    Pane(PaneSnapshot),
    /// A plugin was described, as [`Effect::Describe`] asked.
    Described(PathBuf, Box<Result<PluginDesc, Refusal>>),
    /// What the machine does.
    Machine(Machine),
    /// A worker did what it was asked for, or failed.
    Done(ActionResult),
    /// Leave: a signal came.
    Quit,
}

/// Everything to be done about it. Those of the second group never leave [`update`].
#[derive(Debug)]
pub(crate) enum Effect {
    /// Watch these series from now on, and no others.
    Watch(Vec<WatchRequest>),
    /// Do something to runs.
    Act(RunAction, Vec<RunId>),
    /// Start a run.
    Launch(Box<Launch>),
    /// Say what a plugin offers that is on no search path.
    Describe(PathBuf),
    /// Read something for a pane.
    Pane(PaneRequest),
    /// Keep the settings for the next start.
    SaveSettings(Box<Settings>),
    /// Draw everything again.
    Redraw,
    /// Back to the shell, until `fg`.
    Suspend,
    /// Leave.
    Quit,

    /// Show another screen.
    Open(Open),
    /// Back to the screen before.
    Close,
    /// Say something in the last line.
    Say(Message),
}

/// A screen to go to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Open {
    /// A run.
    Run(RunId),
    /// Several runs; if they are all of an experiment, those that it will have too.
    Compare(Vec<RunId>, Option<String>),
    /// The experiments.
    Experiments,
    /// The form for a new run like this one.
    Restart(RunId),
    /// The list of runs, with the cursor on this one.
    Home(Option<RunId>),
}

/// A sentence in the last line, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What to say.
    pub(crate) text: String,
    /// Whether something went wrong.
    pub(crate) failed: bool,
}

impl Message {
    /// News.
    pub(crate) fn news(text: impl Into<String>) -> Self {
        Self { text: text.into(), failed: false }
    }

    /// Something went wrong, or cannot be done.
    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self { text: text.into(), failed: true }
    }
}

/// The plugins at one moment.
#[derive(Debug, Default)]
pub(crate) struct PluginsSnapshot {
    /// False until they have been looked for.
    pub(crate) loaded: bool,
    /// What was found. A file that changed keeps its old description until it has a new one.
    pub(crate) found: Discovery,
    /// New and changed files that are being looked at.
    pub(crate) pending: Vec<(PathBuf, Origin)>,
    /// Where they are looked for.
    pub(crate) folders: Vec<PathBuf>,
}

/// What the machine does, all its processes together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    /// Processor time, in percent of one core.
    pub(crate) cpu_percent: f64,
    /// Memory in use, in bytes.
    pub(crate) memory_used: f64,
    /// Memory there is, in bytes.
    pub(crate) memory_total: f64,
    /// Use of the GPUs that runs of this machine are on, in percent, as far as it is known.
    pub(crate) gpu_percent: Vec<f64>,
}

/// What every screen may read; only settings are theirs to change.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The runs.
    pub(crate) runs: Arc<RunsSnapshot>,
    /// The plugins.
    pub(crate) plugins: Arc<PluginsSnapshot>,
    /// The data that is watched.
    pub(crate) live: Arc<LiveSnapshot>,
    /// How things look.
    pub(crate) theme: Theme,
    /// How the viewer likes things.
    pub(crate) settings: Settings,
    /// The time, as of the last tick.
    pub(crate) now: Timestamp,
    /// What the machine does, while something runs.
    pub(crate) machine: Option<Machine>,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// What a run is started with.
    pub(crate) launch: LaunchDefaults,
    /// Where the screen is drawn, between header and footer.
    pub(crate) area: Rect,
}

/// The screens above the list of runs.
#[derive(Debug)]
enum Screen {
    Run(Box<RunScreen>),
    Compare(Box<Compare>),
    Experiments(Box<Experiments>),
}

/// What lies above a screen and has the keys.
#[derive(Debug)]
enum Overlay {
    Help(Help),
    Confirm(Confirm),
}

/// The whole state of the monitor.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) shared: Shared,
    home: Home,
    stack: Vec<Screen>,
    overlay: Option<Overlay>,
    message: Option<Message>,
    watched: Vec<WatchRequest>,
    saved: Settings,
    size: Rect,
}

impl App {
    /// Before anything is known; the name of the theme is the settings'.
    pub(crate) fn new(theme: Theme, settings: Settings, read_only: bool, now: Timestamp) -> Self {
        let shared = Shared {
            runs: Arc::default(),
            plugins: Arc::default(),
            live: Arc::default(),
            theme: Theme { name: settings.theme, ..theme },
            settings: settings.clone(),
            now,
            machine: None,
            read_only,
            launch: LaunchDefaults::default(),
            area: Rect::default(),
        };
        let hint = "first time here? n starts a run, enter opens one, ? shows all keys";
        let welcome = (!settings.welcomed).then(|| Message::news(hint));
        Self {
            shared,
            home: Home::default(),
            stack: Vec::new(),
            overlay: None,
            message: welcome,
            watched: Vec::new(),
            saved: settings,
            size: Rect::default(),
        }
    }

    /// What keys mean now.
    pub(crate) fn context(&self) -> Context {
        match &self.overlay {
            Some(Overlay::Help(_)) => Context::Help,
            Some(Overlay::Confirm(_)) => Context::Confirm,
            None => self.screen_context(),
        }
    }

    fn screen_context(&self) -> Context {
        match self.stack.last() {
            None => self.home.context(),
            Some(Screen::Run(s)) => s.context(),
            Some(Screen::Compare(s)) => s.context(),
            Some(Screen::Experiments(s)) => s.context(),
        }
    }

    /// The runs that actions mean here.
    pub(crate) fn targets(&self) -> Vec<RunId> {
        match self.stack.last() {
            None => self.home.targets(&self.shared),
            Some(Screen::Run(s)) => s.targets(),
            Some(Screen::Compare(s)) => s.targets(),
            Some(Screen::Experiments(_)) => Vec::new(),
        }
    }

    /// Something all screens look at has changed.
    fn changed(&mut self) -> Vec<Effect> {
        let mut effects = self.home.changed(&mut self.shared);
        for screen in &mut self.stack {
            effects.extend(match screen {
                Screen::Run(s) => s.changed(&mut self.shared),
                Screen::Compare(s) => s.changed(&mut self.shared),
                Screen::Experiments(s) => s.changed(&mut self.shared),
            });
        }
        effects
    }

    /// How long until the time itself changes what is shown: each second while something runs, else when the next run grows
    /// older by what its age is shown in.
    pub(crate) fn next_tick(&self) -> Duration {
        let rows = &self.shared.runs.rows;
        if rows.iter().any(|r| r.live()) {
            return Duration::from_secs(1);
        }
        let age = |row: &RunRow| self.shared.now.duration_since(row.view.manifest.created).as_secs_f64();
        let soonest = rows.iter().map(|row| number::age_lasts(age(row))).min();
        soonest.unwrap_or(Duration::MAX).clamp(Duration::from_millis(100), Duration::from_mins(1))
    }

    fn watches(&self) -> Vec<WatchRequest> {
        match self.stack.last() {
            None => self.home.watches(&self.shared),
            Some(Screen::Run(s)) => s.watches(&self.shared),
            Some(Screen::Compare(s)) => s.watches(&self.shared),
            Some(Screen::Experiments(s)) => s.watches(&self.shared),
        }
    }
}

/// Takes what happened; gives what is to be done.
pub(crate) fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    let wanted = match msg {
        Msg::Key(key) => app.key(key),
        Msg::Mouse(mouse) => app.mouse(mouse),
        Msg::Paste(text) => app.paste(&text),
        Msg::Resize(width, height) => {
            app.size = Rect::new(0, 0, width, height);
            app.shared.area = frame::body(app.size);
            app.changed()
        }
        Msg::Tick(now) => {
            app.shared.now = now;
            app.changed()
        }
        Msg::Runs(runs) => {
            app.shared.runs = runs;
            app.changed()
        }
        Msg::Plugins(plugins) => {
            app.shared.plugins = plugins;
            app.changed()
        }
        Msg::Live(live) => {
            app.shared.live = live;
            app.changed()
        }
        Msg::Pane(pane) => match app.stack.iter_mut().rev().find_map(|s| match s {
            Screen::Run(run) => Some(run),
            _ => None,
        }) {
            Some(run) => run.pane(&mut app.shared, pane),
            None => Vec::new(),
        },
        Msg::Described(path, answer) => {
            if let Some(Screen::Experiments(s)) = app.stack.last_mut() {
                s.described(&path, &answer);
            }
            Vec::new()
        }
        Msg::Machine(machine) => {
            app.shared.machine = Some(machine);
            Vec::new()
        }
        Msg::Done(result) => app.done(result),
        Msg::Quit => vec![Effect::Quit],
    };
    let mut effects = app.settle(wanted);
    let watches = app.watches();
    if watches != app.watched {
        app.watched.clone_from(&watches);
        effects.push(Effect::Watch(watches));
    }
    if app.shared.settings != app.saved {
        app.saved = app.shared.settings.clone();
        effects.push(Effect::SaveSettings(Box::new(app.saved.clone())));
    }
    effects
}

impl App {
    /// Does what is the program's own to do, and hands on the rest.
    fn settle(&mut self, wanted: Vec<Effect>) -> Vec<Effect> {
        let mut out = Vec::new();
        for effect in wanted {
            match effect {
                Effect::Open(open) => {
                    self.open(open);
                    let more = self.changed();
                    out.extend(self.settle(more));
                }
                Effect::Close => drop(self.stack.pop()),
                Effect::Say(message) => self.message = Some(message),
                Effect::Act(..) | Effect::Launch(_) if self.shared.read_only => self.refuse(),
                other => out.push(other),
            }
        }
        out
    }

    fn refuse(&mut self) {
        self.message = Some(Message::failure("this is --read-only: nothing can be changed"));
    }

    fn open(&mut self, open: Open) {
        let shared = &self.shared;
        match open {
            Open::Run(id) => self.stack.push(Screen::Run(Box::new(RunScreen::open(shared, id)))),
            Open::Compare(runs, of) => {
                self.stack.push(Screen::Compare(Box::new(Compare::open(shared, runs, of))));
            }
            Open::Experiments => self.stack.push(Screen::Experiments(Box::new(Experiments::open(shared)))),
            Open::Restart(id) => {
                self.stack.push(Screen::Experiments(Box::new(Experiments::restart(shared, id))));
            }
            Open::Home(run) => {
                self.stack.clear();
                if let Some(id) = run {
                    self.home.go_to(id);
                }
            }
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.kind == crossterm::event::KeyEventKind::Release {
            return Vec::new();
        }
        self.message = None;
        self.shared.settings.welcomed = true;
        let context = self.context();
        if toosmall::too_small(self.size) {
            // Nothing can be seen: only leaving makes sense.
            return match keys::lookup(Context::Home, &key) {
                Some(Action::App(action @ (AppAction::Quit | AppAction::Suspend | AppAction::Redraw))) => {
                    self.app_action(action)
                }
                _ => Vec::new(),
            };
        }
        match keys::lookup(context, &key) {
            Some(action) if action.changes() && self.shared.read_only => {
                self.refuse();
                Vec::new()
            }
            Some(action) => self.act(action),
            None if context.typing() => self.text(key),
            None => Vec::new(),
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        match (action, self.stack.last_mut()) {
            (Action::App(action), _) => self.app_action(action),
            (Action::Runs(action), _) => self.runs_action(action),
            (Action::Restart, _) => match self.targets().as_slice() {
                [id] => vec![Effect::Open(Open::Restart(id.clone()))],
                [] => vec![Effect::Say(Message::failure("no run is meant here"))],
                _ => vec![Effect::Say(Message::failure("one run at a time can be started anew"))],
            },
            (Action::Help(action), _) => {
                match &mut self.overlay {
                    Some(Overlay::Help(help)) if action != help::Action::Close => {
                        help.update(&self.shared, action);
                    }
                    _ => self.overlay = None,
                }
                Vec::new()
            }
            (Action::Confirm(answer), _) => match (self.overlay.take(), answer) {
                (Some(Overlay::Confirm(c)), confirm::Action::Yes) => vec![Effect::Act(c.action, c.runs)],
                _ => Vec::new(),
            },
            (Action::Home(action), None) => self.home.update(&mut self.shared, action),
            (Action::Run(action), Some(Screen::Run(s))) => s.update(&mut self.shared, action),
            (Action::Compare(action), Some(Screen::Compare(s))) => s.update(&mut self.shared, action),
            (Action::Experiments(action), Some(Screen::Experiments(s))) => s.update(&mut self.shared, action),
            _ => Vec::new(),
        }
    }

    fn app_action(&mut self, action: AppAction) -> Vec<Effect> {
        match action {
            AppAction::Quit => return vec![Effect::Quit],
            AppAction::Back => return vec![Effect::Close],
            AppAction::Help => self.overlay = Some(Overlay::Help(Help::new(self.screen_context()))),
            AppAction::Theme => {
                let next = self.shared.settings.theme.next();
                self.shared.settings.theme = next;
                self.shared.theme.name = next;
                return vec![Effect::Say(Message::news(format!("theme: {}", next.word())))];
            }
            AppAction::Experiments => {
                if !matches!(self.stack.last(), Some(Screen::Experiments(_))) {
                    return vec![Effect::Open(Open::Experiments)];
                }
            }
            AppAction::Redraw => return vec![Effect::Redraw],
            AppAction::Suspend => return vec![Effect::Suspend],
        }
        Vec::new()
    }

    fn runs_action(&mut self, action: RunAction) -> Vec<Effect> {
        let targets = self.targets();
        let rows: Vec<_> = targets.iter().filter_map(|id| self.shared.runs.get(id)).collect();
        if rows.is_empty() {
            return vec![Effect::Say(Message::failure(format!("no run to {}", action.verb())))];
        }
        let refusals: Vec<String> = rows.iter().filter_map(|row| action.refused(row)).collect();
        let able: Vec<RunId> =
            rows.iter().filter(|row| action.refused(row).is_none()).map(|row| row.id.clone()).collect();
        if able.is_empty() {
            return vec![Effect::Say(Message::failure(refusals.into_iter().next().unwrap_or_default()))];
        }
        if action.asks() {
            self.overlay = Some(Overlay::Confirm(Confirm { action, runs: able, left_out: refusals }));
            return Vec::new();
        }
        vec![Effect::Act(action, able)]
    }

    fn text(&mut self, key: KeyEvent) -> Vec<Effect> {
        match self.stack.last_mut() {
            None => self.home.text(&mut self.shared, key),
            Some(Screen::Run(s)) => s.text(&mut self.shared, key),
            Some(Screen::Compare(s)) => s.text(&mut self.shared, key),
            Some(Screen::Experiments(s)) => s.text(&mut self.shared, key),
        }
    }

    /// Pasted text is text, never keys.
    fn paste(&mut self, text: &str) -> Vec<Effect> {
        use crossterm::event::{KeyCode, KeyModifiers};
        if !self.context().typing() || self.overlay.is_some() {
            return Vec::new();
        }
        let typed = text.chars().filter(|c| !gradtop_host::text::is_harmful(*c));
        typed.flat_map(|c| self.text(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))).collect()
    }

    fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        if self.overlay.is_some() || toosmall::too_small(self.size) {
            return Vec::new();
        }
        match self.stack.last_mut() {
            None => self.home.mouse(&mut self.shared, mouse),
            Some(Screen::Run(s)) => s.mouse(&mut self.shared, mouse),
            Some(Screen::Compare(s)) => s.mouse(&mut self.shared, mouse),
            Some(Screen::Experiments(s)) => s.mouse(&mut self.shared, mouse),
        }
    }

    /// Says what came of it; the cursor goes to a run that was started.
    fn done(&mut self, result: ActionResult) -> Vec<Effect> {
        if let Some(Screen::Experiments(s)) = self.stack.last_mut() {
            s.done(&result);
        }
        let mut effects = vec![Effect::Say(Message { text: result.text, failed: result.failed })];
        if result.started.is_some() {
            effects.push(Effect::Open(Open::Home(result.started)));
        }
        effects
    }
}
