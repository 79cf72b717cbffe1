//! The form for a new run, with a field for each parameter and option.
//!
//! The form does no I/O: its methods handle keys and return a [`Launch`], or an [`Exec`] for a command.

mod field;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gradtop_host::{
    DEFAULT_CHECKPOINT_EVERY, Exec, ExperimentDesc, Launch, ParamDesc, ParamError, ParamKind, filled, place,
    resolve_params,
};
use gradtop_store::{CommandInfo, Manifest, ParamValue, shell_words};
use gradtop_view::runs::RunRow;

use crate::config::{LaunchDefaults, seconds};
use crate::screens::effect::Question;
use crate::widgets::{Edit, Way};
pub(crate) use field::{Field, Role};

/// The name for "no preset".
const DEFAULT: &str = "default";

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Form {
    /// The plugin; empty for a command.
    pub(crate) plugin: PathBuf,
    /// The command, if it starts one.
    pub(crate) command: Option<Box<Exec>>,
    pub(crate) experiment: ExperimentDesc,
    /// The run that it was filled from.
    pub(crate) of: Option<String>,
    /// What could not be taken from that run.
    pub(crate) notes: Vec<String>,
    /// The preset, the parameters, then the options.
    pub(crate) fields: Vec<Field>,
    /// The field under the cursor; one beyond the last is the start button.
    pub(crate) cursor: usize,
    /// Whether the run is being started.
    pub(crate) busy: bool,
    /// Why it could not be started.
    pub(crate) failed: Option<String>,
    /// The parameters last sent to the experiment for validation, and its reason for rejecting them, if it has answered.
    asked: Option<(Params, Option<String>)>,
}

type Params = Vec<(String, ParamValue)>;

/// The result of a key.
#[derive(Clone, Debug)]
pub(crate) enum FormRequest {
    Nothing,
    /// Says that this field is invalid.
    Wrong(String),
    /// Starts this run.
    Start(Box<Launch>),
    /// Starts this command.
    Exec(Box<Exec>),
}

/// The devices offered.
fn devices() -> Vec<String> {
    ["auto", "cpu", "cuda:0"].map(str::to_owned).to_vec()
}

impl Form {
    /// Creates a form with the experiment's defaults.
    pub(crate) fn new(plugin: &Path, experiment: &ExperimentDesc) -> Self {
        let mut presets: Vec<String> = experiment.presets.iter().map(|p| p.name.clone()).collect();
        if !presets.iter().any(|p| p == DEFAULT) {
            presets.insert(0, DEFAULT.to_owned());
        }
        let mut fields = vec![Field::new(Role::Preset, presets, DEFAULT)];
        for param in &experiment.params {
            let choices = match param.kind {
                ParamKind::Choice => param.choices.clone(),
                ParamKind::Bool => vec!["true".to_owned(), "false".to_owned()],
                _ => Vec::new(),
            };
            fields.push(Field::new(Role::Param(Box::new(param.clone())), choices, &param.default));
        }
        fields.push(Field::new(Role::Name, Vec::new(), ""));
        fields.push(Field::new(Role::Seed, Vec::new(), ""));
        if experiment.uses_device {
            fields.push(Field::new(Role::Device, devices(), "auto"));
        }
        fields.push(Field::new(Role::Threads, Vec::new(), ""));
        if experiment.resumable {
            let every = DEFAULT_CHECKPOINT_EVERY.as_secs().to_string();
            fields.push(Field::new(Role::CheckpointEvery, Vec::new(), &every));
        }
        let (plugin, experiment) = (plugin.to_owned(), experiment.clone());
        let mut form = Self { plugin, experiment, fields, ..Self::default() };
        // A declared preset `default` may differ from the parameters' own defaults.
        form.take_preset();
        // The author's own values need no validation.
        form.asked = form.params().ok().map(|params| (params, None));
        form
    }

    /// Applies the user's default options.
    pub(crate) fn with(mut self, usual: &LaunchDefaults) -> Self {
        for (role, text) in [
            (Role::Device, usual.device.map(|device| device.to_string())),
            (Role::Threads, usual.threads.map(|threads| threads.to_string())),
            (Role::CheckpointEvery, usual.checkpoint_every.map(|seconds| seconds.to_string())),
        ] {
            if let Some(field) = text.and_then(|text| self.set(&role, &text)) {
                field.begin();
            }
        }
        self
    }

    /// Fills a form from a run, including its seed, so that only deliberate changes differ.
    pub(crate) fn of_run(plugin: &Path, experiment: &ExperimentDesc, run: &Manifest) -> Self {
        let mut form = Self::new(plugin, experiment);
        form.of = Some(run.run.clone());
        if let Some(preset) = &run.preset {
            if form.fields[0].choices.contains(preset) {
                form.fields[0].line.set(preset);
                form.take_preset();
            } else {
                form.notes.push(format!("its preset {preset:?} no longer exists"));
            }
        }
        for (key, value) in &run.params {
            let field = form.fields.iter_mut().find(|f| matches!(&f.role, Role::Param(p) if p.key == *key));
            let Some(field) = field else {
                form.notes.push(format!("its parameter {key} = {value} no longer exists"));
                continue;
            };
            // 1e-3 and 0.001 are the same value; the preset's text is the more readable one.
            let Role::Param(param) = &field.role else { continue };
            let same = gradtop_host::parse_param(param, &field.base).is_ok_and(|base| base == *value);
            let text = if same { field.base.clone() } else { text_of(value) };
            field.line.set(&text);
            field.check();
        }
        for field in &form.fields {
            if matches!(&field.role, Role::Param(p) if run.params.iter().all(|(k, _)| *k != p.key)) {
                form.notes.push(format!("the parameter {} is new", field.key()));
            }
        }
        form.set(&Role::Seed, &seed_text(run));
        form.set(&Role::Device, run.device.as_deref().unwrap_or_default());
        form.set(&Role::Threads, &run.threads.map(|threads| threads.to_string()).unwrap_or_default());
        form.set(&Role::CheckpointEvery, &run.checkpoint_every_s.to_string());
        form.fields.iter_mut().for_each(Field::begin);
        form
    }

    /// Sets the text of a field.
    fn set(&mut self, role: &Role, text: &str) -> Option<&mut Field> {
        let field = self.fields.iter_mut().find(|f| f.role == *role)?;
        field.line.set(text);
        field.check();
        Some(field)
    }

    /// Fills a form from a run of a command.
    pub(crate) fn of_command(runs: &Path, run: &Manifest, command: &CommandInfo) -> Self {
        let words = if command.template.is_empty() { &command.argv } else { &command.template };
        let mut fields = vec![Field::new(Role::Command, Vec::new(), &shell_words(words))];
        // In the recorded order, with the texts that were given.
        for (key, text) in run.params.iter().filter_map(|(key, _)| command.given.get_key_value(key)) {
            let place = place(key);
            let help = if words.iter().any(|word| word.contains(&place)) {
                format!("its value replaces {place} in the command")
            } else {
                format!("only recorded: the command does not contain {place}")
            };
            let param = ParamDesc { help, default: text.clone(), ..ParamDesc::text(key) };
            fields.push(Field::new(Role::Param(Box::new(param)), Vec::new(), text));
        }
        fields.push(Field::new(Role::Name, Vec::new(), ""));
        fields.push(Field::new(Role::Seed, Vec::new(), &seed_text(run)));
        fields.push(Field::new(Role::Device, devices(), run.device.as_deref().unwrap_or("auto")));
        if run.experiment.resumable {
            fields.push(Field::new(Role::CheckpointEvery, Vec::new(), &run.checkpoint_every_s.to_string()));
        }
        let exec = Exec {
            runs: runs.to_owned(),
            experiment: Some(run.experiment.id.clone()),
            dir: PathBuf::from(&command.dir),
            metrics: run.metrics.clone(),
            total: command.total,
            resumable: run.experiment.resumable,
            grace: command.grace_s.and_then(|s| Duration::try_from_secs_f64(s).ok()),
            logs: command.logs.clone(),
            // If git was not asked, --no-diff was given.
            no_diff: run.git_commit.is_some() && command.git_dirty.is_none(),
            ..Exec::default()
        };
        let experiment = ExperimentDesc {
            id: run.experiment.id.clone(),
            name: run.experiment.name.clone(),
            summary: format!("in {}, with the environment of this monitor", command.dir),
            resumable: run.experiment.resumable,
            ..ExperimentDesc::default()
        };
        let of = Some(run.run.clone());
        Self { command: Some(Box::new(exec)), experiment, of, fields, ..Self::default() }
    }

    /// Restores the draft of a form for the same experiment or command, if there is one.
    pub(crate) fn or_draft(self, drafts: &mut Vec<Self>) -> Self {
        let same =
            |d: &Self| (&d.plugin, &d.experiment.id, &d.of) == (&self.plugin, &self.experiment.id, &self.of);
        let Some(at) = drafts.iter().position(same) else { return self };
        let mut form = drafts.remove(at);
        let note = "as you left it; ctrl-r on the preset resets all".to_owned();
        if !form.notes.contains(&note) {
            form.notes.insert(0, note);
        }
        (form.busy, form.failed) = (false, None);
        if self.command.is_none() && form.experiment != self.experiment {
            form.renew(&self.experiment);
        }
        form
    }

    /// Renews the fields after the plugin was rebuilt, keeping what was typed.
    pub(crate) fn renew(&mut self, experiment: &ExperimentDesc) {
        let before = std::mem::replace(self, Self::new(&self.plugin, experiment));
        (self.of, self.busy, self.failed) = (before.of, before.busy, before.failed);
        self.notes = before.notes;
        let note = "the plugin was rebuilt".to_owned();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        if self.fields[0].choices.contains(&before.fields[0].value()) {
            self.fields[0].line.set(&before.fields[0].value());
            self.take_preset();
        }
        let here = before.fields.get(before.cursor).map(|f| f.key().to_owned());
        for old in before.fields.into_iter().skip(1).filter(Field::is_changed) {
            if let Some(new) = self.fields.iter_mut().skip(1).find(|f| f.key() == old.key()) {
                new.line = old.line;
                new.check();
            }
        }
        let at = self.fields.iter().position(|f| Some(f.key()) == here.as_deref());
        self.cursor = match here {
            Some(_) => at.unwrap_or(0),
            None => self.fields.len(),
        };
    }

    /// The field under the cursor, unless that is the start button.
    pub(crate) fn field(&self) -> Option<&Field> {
        self.fields.get(self.cursor)
    }

    /// Returns whether the current field is a text input, so that letters are text.
    pub(crate) fn is_typing(&self) -> bool {
        self.field().is_some_and(|f| !f.is_choice())
    }

    /// The names of the invalid fields.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.fields.iter().filter(|f| f.error.is_some()).map(Field::key).collect()
    }

    /// The number of changed parameters.
    pub(crate) fn changed(&self) -> usize {
        self.fields.iter().filter(|f| matches!(f.role, Role::Param(_)) && f.is_edited()).count()
    }

    /// Returns whether anything was typed or chosen.
    pub(crate) fn is_edited(&self) -> bool {
        self.fields.iter().any(Field::is_edited)
    }

    /// Checks whether the name is free.
    pub(crate) fn check_name(&mut self, runs: &[Arc<RunRow>]) {
        let experiment = &self.experiment.id;
        let Some(field) = self.fields.iter_mut().find(|f| f.role == Role::Name) else { return };
        let name = field.value();
        field.check();
        let taken = |r: &Arc<RunRow>| r.name() == name && r.experiment() == experiment;
        if field.error.is_none() && runs.iter().any(taken) {
            field.error = Some(format!("there is a run {name} already"));
        }
    }

    /// Returns new parameters for the experiment to validate, unless a field is invalid.
    pub(crate) fn question(&mut self) -> Option<Question> {
        // A command has no validation.
        let params = self.params().ok().filter(|_| self.command.is_none())?;
        if self.asked.as_ref().is_some_and(|(asked, _)| *asked == params) {
            return None;
        }
        self.asked = Some((params.clone(), None));
        Some(Question { plugin: self.plugin.clone(), experiment: self.experiment.clone(), params })
    }

    /// Handles the result of a validation, unless the form has changed since.
    pub(crate) fn judged(&mut self, question: &Question, why: Option<&str>) {
        let ours = (&question.plugin, &question.experiment) == (&self.plugin, &self.experiment);
        if let Some((_, refusal)) = self.asked.as_mut().filter(|(asked, _)| ours && *asked == question.params)
        {
            *refusal = why.map(crate::print::clean);
            self.check();
        }
    }

    /// Validates every parameter, and applies the experiment's verdict about exactly these values.
    fn check(&mut self) {
        self.fields.iter_mut().filter(|f| matches!(f.role, Role::Param(_))).for_each(Field::check);
        let refusal = self.asked.clone().and_then(|(asked, why)| Some((asked, why?)));
        let Some((asked, why)) = refusal else { return };
        match self.params() {
            Ok(params) if params == asked => {
                self.show_at_field(why);
            }
            // A new validation will follow.
            Ok(_) => {}
            // No validation happens while another field is invalid, so the previous error stays at an unchanged field, unless
            // it was about one that did change.
            Err(_) => {
                let same = |f: &Field| {
                    let Role::Param(param) = &f.role else { return false };
                    let value = asked.iter().find(|(key, _)| *key == param.key).map(|(_, value)| value);
                    gradtop_host::parse_param(param, &f.value()).ok().as_ref() == value
                };
                let changed =
                    |f: &Field| matches!(f.role, Role::Param(_)) && why.contains(f.key()) && !same(f);
                if !self.fields.iter().any(changed)
                    && let Some(at) = self.named_parameter(&why, same)
                {
                    self.fields[at].error = Some(why);
                }
            }
        }
    }

    /// Shows why the run could not be started, and moves the cursor there.
    pub(crate) fn refuse(&mut self, why: &str) {
        if let Some(at) = self.show_at_field(crate::print::clean(why)) {
            self.go_to(at);
        }
    }

    /// Shows an error at the field that it names, if any.
    fn show_at_field(&mut self, why: String) -> Option<usize> {
        let at = self.named_parameter(&why, |_| true);
        match at {
            Some(at) => self.fields[at].error = Some(why),
            None => self.failed = Some(why),
        }
        at
    }

    /// The parameter that an error names; of several, the one under the cursor.
    fn named_parameter(&self, why: &str, these: impl Fn(&Field) -> bool) -> Option<usize> {
        let mut words = why.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')));
        let named = |f: &Field, word: &str| {
            matches!(f.role, Role::Param(_)) && f.key() == word.trim_end_matches('.') && these(f)
        };
        let here = self.field().filter(|f| words.clone().any(|w| named(f, w))).map(|_| self.cursor);
        here.or_else(|| words.find_map(|w| self.fields.iter().position(|f| named(f, w))))
    }

    /// Moves the cursor by `by` fields, without wrapping.
    pub(crate) fn go(&mut self, by: isize) {
        self.go_to(self.cursor.saturating_add_signed(by));
    }

    /// Moves the cursor to a field, or to the start button.
    pub(crate) fn go_to(&mut self, at: usize) {
        let leave = |f: &mut Field| f.line.deselect();
        self.fields.iter_mut().for_each(leave);
        self.cursor = at.min(self.fields.len());
        if let Some(field) = self.fields.get_mut(self.cursor).filter(|f| !f.is_choice()) {
            field.line.select();
        }
    }

    /// Edits the text or changes the choice: the arrows go to its neighbours, a letter to the next choice that begins with it,
    /// and space to the next one.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let typed = self.is_typing();
        self.choose(|field| match edit {
            _ if typed => {
                field.line.edit(edit);
                field.check();
            }
            Edit::Left => field.cycle(Way::Back),
            Edit::Right | Edit::Insert(' ') => field.cycle(Way::On),
            Edit::Insert(c) => field.jump(c),
            _ => {}
        });
    }

    /// Steps the value up or down.
    pub(crate) fn nudge(&mut self, way: Way) {
        self.choose(|f| if f.choices.is_empty() { f.nudge(way) } else { f.cycle(way) });
    }

    /// Restores the base value of the current field; on the preset, of all fields.
    pub(crate) fn reset(&mut self) {
        match self.cursor {
            0 => {
                self.fields[0].reset();
                self.take_preset();
                self.fields.iter_mut().for_each(Field::reset);
                self.failed = None;
            }
            // What is typed next replaces it.
            at => {
                self.choose(Field::reset);
                self.go_to(at);
            }
        }
    }

    fn choose(&mut self, change: impl FnOnce(&mut Field)) {
        let Some(field) = self.fields.get_mut(self.cursor) else { return };
        change(field);
        self.failed = None;
        if self.cursor == 0 {
            self.take_preset();
        }
        self.check();
    }

    /// Applies the preset to all unchanged fields.
    fn take_preset(&mut self) {
        let name = self.fields[0].value();
        let preset = self.experiment.presets.iter().find(|p| p.name == name);
        let own = self.of.is_none();
        for field in &mut self.fields {
            let Role::Param(param) = &field.role else { continue };
            let set = preset.and_then(|p| p.values.iter().find(|(k, _)| *k == param.key));
            let base = set.map_or(&param.default, |(_, v)| v).clone();
            let changed = field.is_changed();
            field.base = base;
            if own {
                field.begin_at_base();
            }
            if !changed {
                field.reset();
                field.begin();
            }
        }
    }

    /// Returns the run to start. If a field is invalid, the cursor moves to the first such field instead.
    pub(crate) fn start(&mut self, runs: &Path) -> FormRequest {
        if self.busy {
            return FormRequest::Nothing;
        }
        // Rejected parameters are validated again: the plugin may have changed.
        let bad = |f: &Field| f.problem().is_some() || f.role == Role::Name && f.error.is_some();
        if let Some(bad) = self.fields.iter().position(bad) {
            self.go_to(bad);
            return FormRequest::Wrong(self.fields[bad].key().to_owned());
        }
        let asked = match &self.command {
            Some(base) => Ok(FormRequest::Exec(Box::new(self.exec(base)))),
            None => self.launch(runs).map(|launch| FormRequest::Start(Box::new(launch))),
        };
        match asked {
            Ok(asked) => {
                (self.busy, self.failed) = (true, None);
                asked
            }
            // Happens only if form and host disagree; the host is right.
            Err(e) => {
                self.failed = Some(crate::print::clean(&e.to_string()));
                FormRequest::Nothing
            }
        }
    }

    /// The preset, if the experiment declares it.
    fn preset(&self) -> Option<String> {
        let preset = self.fields[0].value();
        self.experiment.presets.iter().any(|p| p.name == preset).then_some(preset)
    }

    /// The parameters, as the host parses them.
    fn params(&self) -> Result<Params, ParamError> {
        let set = |f: &Field| match &f.role {
            Role::Param(p) if f.is_changed() => Some((p.key.clone(), f.value())),
            _ => None,
        };
        let sets: Vec<(String, String)> = self.fields.iter().filter_map(set).collect();
        resolve_params(&self.experiment, self.preset().as_deref(), &sets)
    }

    fn launch(&self, runs: &Path) -> Result<Launch, ParamError> {
        Ok(Launch {
            runs: runs.to_owned(),
            plugin: self.plugin.clone(),
            experiment: self.experiment.id.clone(),
            params: self.params()?,
            preset: self.preset(),
            name: self.text_of(&Role::Name),
            seed: self.read(&Role::Seed),
            device: self.read(&Role::Device).unwrap_or_default(),
            threads: self.read(&Role::Threads),
            checkpoint_every: self.checkpoint_every(),
        })
    }

    fn exec(&self, base: &Exec) -> Exec {
        let params = self.fields.iter().filter(|f| matches!(f.role, Role::Param(_)));
        let params: Vec<(&str, String)> = params.map(|f| (f.key(), f.value())).collect();
        let seed: Option<u64> = self.read(&Role::Seed);
        let mut places: Vec<_> = params.iter().map(|(key, text)| (place(key), text.clone())).collect();
        places.extend(seed.map(|seed| (place("seed"), seed.to_string())));
        let template = shell_words::split(&self.fields[0].value()).unwrap_or_default();
        Exec {
            argv: filled(&template, &places),
            template,
            params: params.into_iter().map(|(key, text)| (key.to_owned(), text)).collect(),
            name: self.text_of(&Role::Name),
            seed,
            device: self.read(&Role::Device).unwrap_or_default(),
            checkpoint_every: self.checkpoint_every(),
            ..base.clone()
        }
    }

    /// The text of a field, unless empty.
    fn text_of(&self, role: &Role) -> Option<String> {
        let field = self.fields.iter().find(|f| f.role == *role)?;
        Some(field.value().trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The parsed value of a field.
    fn read<T: std::str::FromStr>(&self, role: &Role) -> Option<T> {
        self.text_of(role)?.parse().ok()
    }

    fn checkpoint_every(&self) -> Duration {
        let every = self.text_of(&Role::CheckpointEvery).and_then(|text| seconds(&text).ok());
        let every = every.and_then(|s| Duration::try_from_secs_f64(s).ok());
        every.unwrap_or(DEFAULT_CHECKPOINT_EVERY)
    }
}

/// The text of a value.
fn text_of(value: &ParamValue) -> String {
    match value {
        // In the usual notation: 1e-5 instead of 0.00001.
        ParamValue::Float(v) if *v != 0.0 && (v.abs() < 1e-3 || v.abs() >= 1e16) => format!("{v:e}"),
        other => other.to_string(),
    }
}

/// The seed of a run; empty if it is not known.
fn seed_text(run: &Manifest) -> String {
    run.seed.map(|seed| seed.to_string()).unwrap_or_default()
}
