//! What can be run: all plugins with their experiments, what is refused and why, and the form a run is started from.

pub(crate) mod form;
pub(crate) mod keys;
mod rows;
#[cfg(test)]
mod tests;
mod view;

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use gradtop_host::{PluginDesc, Refusal};
use gradtop_store::Manifest;
use ratatui::layout::Position;
use serde::{Deserialize, Serialize};

use crate::app::actions::ActionResult;
use crate::app::keys::{Binding, Context};
use crate::app::{Effect, Message, Shared};
use form::{Asked, Form, Line};
use gradtop_view::live::WatchRequest;
use gradtop_view::runs::RunId;
use rows::{Key, Row, rows};

/// What is kept between starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {}

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open the form of the cursor's experiment.
    Open,
    /// Up.
    Up,
    /// Down.
    Down,
    /// To the first, or the beginning of the text.
    First,
    /// To the last, or the end of the text.
    Last,
    /// Several up.
    PageUp,
    /// Several down.
    PageDown,
    /// The next field, or the start.
    Enter,
    /// Start the run.
    Start,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// The next greater value.
    More,
    /// The next smaller value.
    Less,
    /// The field's default again.
    Reset,
    /// Delete backwards.
    Backspace,
    /// Delete forwards.
    Delete,
    /// Delete a word.
    DeleteWord,
    /// Delete all before the cursor.
    DeleteToStart,
    /// Leave the form.
    Close,
}

impl Action {
    /// Whether it starts or changes runs.
    pub(crate) fn changes(self) -> bool {
        self == Self::Start
    }
}

/// What the keys mean at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The list.
    List,
    /// The form.
    Form,
}

impl Mode {
    /// All of them, in the order of the documentation.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[Self::List, Self::Form];

    /// The heading in help and documentation.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::List => "Experiments",
            Self::Form => "Setting up a run",
        }
    }

    /// Its keys.
    pub(crate) fn keys(self) -> &'static [Binding] {
        match self {
            Self::List => keys::LIST,
            Self::Form => keys::FORM,
        }
    }

    /// Characters are text.
    pub(crate) fn typing(self) -> bool {
        self == Self::Form
    }
}

/// A form for a run like another.
#[derive(Debug)]
enum Like {
    /// The plugins are not known yet.
    Waiting(RunId),
    /// No plugin has its experiment any more: its own copy is being described.
    Asked(PathBuf, Box<Manifest>),
    /// Why there cannot be one.
    Impossible(String),
}

/// The list, and the form above it.
#[derive(Debug, Default)]
pub(crate) struct Experiments {
    /// The line under the cursor, and where it was, should it go.
    at: Option<Key>,
    cursor: usize,
    /// Lines of the details scrolled away.
    details: u16,
    form: Option<Form>,
    like: Option<Like>,
    /// The screen was opened for the form, and closes with it.
    only_form: bool,
}

impl Experiments {
    /// The list.
    pub(crate) fn open(_shared: &Shared) -> Self {
        Self::default()
    }

    /// The form, filled with the parameters of a run.
    pub(crate) fn restart(_shared: &Shared, like: RunId) -> Self {
        Self { like: Some(Like::Waiting(like)), only_form: true, ..Self::default() }
    }

    /// What keys mean now.
    pub(crate) fn context(&self) -> Context {
        Context::Experiments(if self.form.is_some() || self.like.is_some() { Mode::Form } else { Mode::List })
    }

    /// A key of the table was pressed.
    pub(crate) fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        if action == Action::Close {
            (self.form, self.like) = (None, None);
            return if self.only_form { vec![Effect::Close] } else { Vec::new() };
        }
        match &mut self.form {
            Some(form) => in_form(form, shared, action),
            None if self.like.is_some() => Vec::new(),
            None => self.in_list(shared, action),
        }
    }

    fn in_list(&mut self, shared: &Shared, action: Action) -> Vec<Effect> {
        let rows = rows(&shared.plugins);
        let last = rows.len().saturating_sub(1);
        let to = match action {
            Action::Up => self.cursor.saturating_sub(1),
            Action::Down => (self.cursor + 1).min(last),
            Action::First => 0,
            Action::Last => last,
            Action::PageUp => {
                self.details = self.details.saturating_sub(5);
                return Vec::new();
            }
            Action::PageDown => {
                // The view stops at the end of the details.
                self.details = (self.details + 5).min(view::details_overflow(shared, rows.get(self.cursor)));
                return Vec::new();
            }
            Action::Open => {
                return match rows.get(self.cursor) {
                    Some(Row::Ready(plugin, e)) => {
                        self.form = Some(Form::new(&plugin.path, e).with(&shared.launch));
                        Vec::new()
                    }
                    Some(Row::Shadowed(_, e, _)) => {
                        say(format!("{} is taken from the plugin that comes first", e.id))
                    }
                    Some(Row::Refused(..)) => say("this plugin cannot be used".to_owned()),
                    Some(Row::Pending(_)) => say("this plugin is being looked at".to_owned()),
                    None => Vec::new(),
                };
            }
            _ => return Vec::new(),
        };
        self.go(&rows, to);
        Vec::new()
    }

    fn go(&mut self, rows: &[Row<'_>], to: usize) {
        if to != self.cursor {
            self.details = 0;
        }
        self.cursor = to;
        self.at = rows.get(to).map(Row::key);
    }

    /// A key was pressed while typing, which the table does not have.
    pub(crate) fn text(&mut self, _shared: &mut Shared, key: KeyEvent) -> Vec<Effect> {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        if let (Some(form), KeyCode::Char(c), true) = (&mut self.form, key.code, plain) {
            form.insert(c);
        }
        Vec::new()
    }

    /// The mouse did something, in coordinates of the terminal; `shared.area` is ours.
    pub(crate) fn mouse(&mut self, shared: &mut Shared, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position { x: mouse.column, y: mouse.row };
        match (mouse.kind, &mut self.form) {
            (MouseEventKind::ScrollUp, Some(form)) => form.go(-1),
            (MouseEventKind::ScrollDown, Some(form)) => form.go(1),
            (MouseEventKind::ScrollUp, None) => return self.in_list(shared, Action::Up),
            (MouseEventKind::ScrollDown, None) => return self.in_list(shared, Action::Down),
            (MouseEventKind::Down(MouseButton::Left), Some(form)) => {
                match form::view::field_at(form, shared.area, at) {
                    Some(field) if field == form.cursor => return in_form(form, shared, Action::Enter),
                    Some(field) => form.go_to(field),
                    None => {}
                }
            }
            (MouseEventKind::Down(MouseButton::Left), None) => {
                let rows = rows(&shared.plugins);
                match view::row_at(self, shared, at).filter(|row| *row < rows.len()) {
                    Some(row) if row == self.cursor => return self.in_list(shared, Action::Open),
                    Some(row) => self.go(&rows, row),
                    None => {}
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// Runs, plugins, live data, the size or the second have changed: keep the cursor on something that exists, ask for more.
    pub(crate) fn changed(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let rows = rows(&shared.plugins);
        let same = self.at.as_ref().and_then(|at| rows.iter().position(|r| r.key() == *at));
        let to = same.unwrap_or(self.cursor).min(rows.len().saturating_sub(1));
        self.go(&rows, to);
        if let Some(form) = &mut self.form {
            let same = |p: &&gradtop_host::FoundPlugin| p.path == form.plugin;
            let plugin = shared.plugins.found.plugins.iter().find(same);
            if let Some((_, e)) = plugin.and_then(|p| p.desc.experiment(&form.experiment.id))
                && *e != form.experiment
            {
                form.renew(e);
            }
        }
        if let Some(Like::Waiting(id)) = &self.like {
            let id = id.clone();
            return self.like(shared, &id);
        }
        Vec::new()
    }

    /// Makes the form for a run like this one, as soon as that is possible.
    fn like(&mut self, shared: &Shared, id: &RunId) -> Vec<Effect> {
        let Some(run) = shared.runs.get(id) else {
            self.like = Some(Like::Impossible(format!("the run {} is gone", id.dir().name())));
            return Vec::new();
        };
        let manifest = &run.view.manifest;
        if let Some((plugin, e)) = shared.plugins.found.experiment(manifest.experiment.plugin_id()) {
            self.form = Some(Form::of_run(&plugin.path, e, manifest));
            self.like = None;
        } else if shared.plugins.loaded && shared.plugins.pending.is_empty() {
            let own = run.view.dir.plugin();
            self.like = Some(Like::Asked(own.clone(), Box::new(manifest.clone())));
            return vec![Effect::Describe(own)];
        }
        Vec::new()
    }

    /// A plugin was described.
    pub(crate) fn described(&mut self, path: &PathBuf, answer: &Result<PluginDesc, Refusal>) {
        let Some(Like::Asked(own, manifest)) = &self.like else { return };
        if own != path {
            return;
        }
        let id = manifest.experiment.plugin_id();
        match answer.as_ref().map(|desc| desc.experiment(id)) {
            Ok(Some((_, e))) => {
                let mut form = Form::of_run(path, e, manifest);
                form.notes.insert(0, format!("no plugin has {id} now: this is the run's own copy"));
                self.form = Some(form);
                self.like = None;
            }
            Ok(None) => {
                self.like = Some(Like::Impossible(format!("the run's plugin has no experiment {id}")));
            }
            Err(refusal) => {
                let why = format!("no plugin has {id}, and the run's own copy {refusal}");
                self.like = Some(Like::Impossible(why));
            }
        }
    }

    /// A worker did something; perhaps it was our start.
    pub(crate) fn done(&mut self, result: &ActionResult) {
        if let Some(form) = self.form.as_mut().filter(|f| f.busy) {
            form.busy = false;
            form.failed = result.failed.then(|| crate::print::clean(&result.text));
        }
    }

    /// The series it needs now.
    #[expect(clippy::unused_self, reason = "all screens have it")]
    pub(crate) fn watches(&self, _shared: &Shared) -> Vec<WatchRequest> {
        Vec::new()
    }
}

fn say(text: String) -> Vec<Effect> {
    vec![Effect::Say(Message::failure(text))]
}

fn in_form(form: &mut Form, shared: &Shared, action: Action) -> Vec<Effect> {
    match action {
        Action::Up => form.go(-1),
        Action::Down => form.go(1),
        Action::PageUp => form.go(-10),
        Action::PageDown => form.go(10),
        Action::Enter if form.field().is_some() => form.go(1),
        Action::Enter | Action::Start if shared.read_only => {
            return say("this is --read-only: nothing can be started".to_owned());
        }
        Action::Enter | Action::Start => {
            return match form.start(&shared.runs.folder) {
                Asked::Start(launch) => vec![Effect::Launch(launch)],
                Asked::Nothing => Vec::new(),
            };
        }
        Action::Left => form.left(),
        Action::Right => form.right(),
        Action::More => form.nudge(true),
        Action::Less => form.nudge(false),
        Action::Reset => form.reset(),
        Action::First => form.edit(Line::home),
        Action::Last => form.edit(Line::end),
        Action::Backspace => form.edit(Line::backspace),
        Action::Delete => form.edit(Line::delete),
        Action::DeleteWord => form.edit(Line::delete_word),
        Action::DeleteToStart => form.edit(Line::delete_to_start),
        Action::Open | Action::Close => {}
    }
    Vec::new()
}
