//! The experiments screen: all plugins with their experiments, rejected ones with the reason, and the form for a new run.

pub(crate) mod form;
pub(crate) mod keys;
mod rows;
#[cfg(test)]
mod tests;
mod view;

use std::path::PathBuf;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use gradtop_host::{PluginDesc, Refusal};
use gradtop_store::Manifest;
use ratatui::layout::Position;

use super::Screen;
use super::effect::{Answer, Effect, Message, Task};
use super::keys::Mode;
use super::shared::Shared;
use crate::widgets::{Edit, Move, Scroll, Way};
use form::{Form, FormRequest};
use gradtop_view::runs::RunId;
use rows::{Key, Row, rows};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Opens the form of the experiment under the cursor.
    Open,
    /// Moves the cursor, in the list or between fields.
    Go(Move),
    /// Scrolls the details by so many pages.
    Details(i8),
    /// Moves to the next field or the start button; there, starts the run.
    Enter,
    Start,
    /// Increases or decreases the value.
    Nudge(Way),
    /// Restores the default of the field.
    Reset,
    Close,
}

/// A requested form for a run like another.
#[derive(Debug)]
enum Like {
    /// Waiting for the list of plugins.
    Waiting(RunId),
    /// No plugin has the experiment any more, so the run's own copy is being described.
    Asked(PathBuf, Box<Manifest>),
    /// Why there cannot be a form.
    Impossible(String),
}

/// The list of experiments, and the form on top of it.
#[derive(Debug, Default)]
pub(crate) struct Experiments {
    /// The line under the cursor, and its index in case it disappears.
    at: Option<Key>,
    cursor: usize,
    details: Scroll,
    form: Option<Form>,
    like: Option<Like>,
    /// The screen was opened for the form and closes with it.
    only_form: bool,
}

impl Experiments {
    /// Opens the form with the parameters of a run.
    pub(crate) fn restart(like: RunId) -> Self {
        Self { like: Some(Like::Waiting(like)), only_form: true, ..Self::default() }
    }

    fn mode(&self) -> &'static Mode<Action> {
        if self.form.is_some() || self.like.is_some() { &keys::FORM } else { &keys::LIST }
    }

    fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        let effects = self.act(shared, action);
        self.with_question(effects)
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        if action == Action::Close {
            // A form with edits is kept as a draft.
            shared.drafts.extend(self.form.take().filter(Form::is_edited));
            self.like = None;
            return if self.only_form { vec![Effect::Close] } else { Vec::new() };
        }
        match &mut self.form {
            Some(form) => in_form(form, shared, action),
            None if self.like.is_some() => Vec::new(),
            None => self.in_list(shared, action),
        }
    }

    fn in_list(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        let rows = rows(&shared.plugins);
        let to = match action {
            Action::Go(to) => to.from(self.cursor, rows.len(), rows.len()),
            Action::Details(by) => {
                let (lines, height) = view::details_size(shared, rows.get(self.cursor));
                self.details.go(Move::By(by * 5), lines, height, false);
                return Vec::new();
            }
            Action::Open if shared.read_only => return vec![Effect::Say(Message::read_only())],
            Action::Open => {
                return match rows.get(self.cursor) {
                    Some(Row::Ready(plugin, e)) => {
                        let form = Form::new(&plugin.path, e).with(&shared.launch);
                        self.form = Some(form.or_draft(&mut shared.drafts));
                        Vec::new()
                    }
                    Some(Row::Shadowed(_, e, _)) => {
                        message(format!("{} is taken from the plugin that comes first", e.id))
                    }
                    Some(Row::Refused(..)) => message("this plugin cannot be used".to_owned()),
                    Some(Row::Pending(_)) => message("this plugin is being looked at".to_owned()),
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
            self.details = Scroll::default();
        }
        self.cursor = to;
        self.at = rows.get(to).map(Row::key);
    }

    /// Opens the form for a run like this one as soon as possible.
    fn like(&mut self, shared: &mut Shared, id: &RunId) -> Vec<Effect> {
        let Some(run) = shared.runs.get(id) else {
            self.like = Some(Like::Impossible(format!("the run {} is gone", id.dir().name())));
            return Vec::new();
        };
        let manifest = &run.view.manifest;
        if let Some(command) = &manifest.command {
            let form = Form::of_command(&shared.runs.folder, manifest, command);
            self.form = Some(form.or_draft(&mut shared.drafts));
            self.like = None;
        } else if let Some((plugin, e)) = shared.plugins.found.experiment(manifest.experiment.plugin_id()) {
            self.form = Some(Form::of_run(&plugin.path, e, manifest).or_draft(&mut shared.drafts));
            self.like = None;
        } else if shared.plugins.loaded && shared.plugins.pending.is_empty() {
            let own = run.view.dir.plugin();
            self.like = Some(Like::Asked(own.clone(), Box::new(manifest.clone())));
            return vec![Effect::Do(Task::Describe(own))];
        }
        Vec::new()
    }

    /// Handles the description of a plugin.
    fn described(&mut self, shared: &mut Shared, path: &PathBuf, answer: &Result<PluginDesc, Refusal>) {
        let Some(Like::Asked(own, manifest)) = &self.like else { return };
        if own != path {
            return;
        }
        let id = manifest.experiment.plugin_id();
        match answer.as_ref().map(|desc| desc.experiment(id)) {
            Ok(Some((_, e))) => {
                let mut form = Form::of_run(path, e, manifest);
                form.notes.insert(0, format!("no plugin has {id} now: this is the run's own copy"));
                self.form = Some(form.or_draft(&mut shared.drafts));
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

    /// Adds a request to validate the form, if it has changed.
    fn with_question(&mut self, mut effects: Vec<Effect>) -> Vec<Effect> {
        let question = self.form.as_mut().and_then(Form::question);
        effects.extend(question.map(|question| Effect::Do(Task::Judge(Box::new(question)))));
        effects
    }

    /// Handles the result of an action, which may be our start.
    fn done(&mut self, result: &Message) {
        if let Some(form) = self.form.as_mut().filter(|f| f.busy) {
            form.busy = false;
            if result.failed {
                form.refuse(&result.text);
            }
        }
    }
}

impl Screen for Experiments {
    super::by_mode!();

    fn edit(&mut self, shared: &mut Shared, edit: Edit) -> Vec<Effect> {
        if let Some(form) = &mut self.form {
            form.edit(edit);
            form.check_name(&shared.runs.rows);
        }
        self.with_question(Vec::new())
    }

    fn mouse(&mut self, shared: &mut Shared, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position { x: mouse.column, y: mouse.row };
        match (mouse.kind, &mut self.form) {
            (MouseEventKind::ScrollUp, Some(form)) => form.go(-1),
            (MouseEventKind::ScrollDown, Some(form)) => form.go(1),
            (MouseEventKind::ScrollUp, None) => return self.in_list(shared, Action::Go(Move::By(-1))),
            (MouseEventKind::ScrollDown, None) => return self.in_list(shared, Action::Go(Move::By(1))),
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

    /// Keeps the cursor on an existing line.
    fn on_change(&mut self, shared: &mut Shared) -> Vec<Effect> {
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
        let effects = match &self.like {
            Some(Like::Waiting(id)) => {
                let id = id.clone();
                self.like(shared, &id)
            }
            _ => Vec::new(),
        };
        self.with_question(effects)
    }

    fn answer(&mut self, shared: &mut Shared, answer: &Answer) -> Option<Vec<Effect>> {
        match answer {
            Answer::Described(path, desc) => self.described(shared, path, desc),
            Answer::Validation(question, why) => {
                if let Some(form) = &mut self.form {
                    form.judged(question, why.as_deref());
                }
            }
            Answer::Done(result, _) => {
                let ours = self.form.as_ref().is_some_and(|f| f.busy) && result.failed;
                self.done(result);
                return ours.then(Vec::new);
            }
            Answer::Pane(_) | Answer::Why(..) | Answer::Views(_) => {}
        }
        None
    }
}

fn message(text: String) -> Vec<Effect> {
    vec![Effect::failure(text)]
}

fn in_form(form: &mut Form, shared: &Shared, action: Action) -> Vec<Effect> {
    match action {
        Action::Go(Move::By(by)) => form.go(by.into()),
        Action::Go(Move::Page(by)) => form.go(isize::from(by) * 10),
        Action::Enter if form.field().is_some() => form.go(1),
        Action::Enter | Action::Start => {
            return match form.start(&shared.runs.folder) {
                FormRequest::Start(launch) => vec![Effect::Do(Task::Launch(launch))],
                FormRequest::Exec(exec) => vec![Effect::Do(Task::Exec(exec))],
                FormRequest::Wrong(field) => message(format!("not started: {field} has an error")),
                FormRequest::Nothing => Vec::new(),
            };
        }
        Action::Nudge(way) => form.nudge(way),
        Action::Reset => form.reset(),
        Action::Go(_) | Action::Open | Action::Details(_) | Action::Close => {}
    }
    Vec::new()
}
