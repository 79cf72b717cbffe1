//! The form that a run is started from: a field for every parameter an experiment declares, and for how it is run.
//!
//! Pure: keys come as method calls, what is to be started goes out as a [`Launch`], or an [`Exec`] where it is a command.

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

use crate::config::LaunchDefaults;
use crate::screens::effect::Question;
use crate::widgets::Edit;
pub(crate) use field::{Field, Role};

/// The preset that is none.
const DEFAULT: &str = "default";

/// A form being filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Form {
    /// The plugin it starts runs of; empty for a command.
    pub(crate) plugin: PathBuf,
    /// What is started, if that is a command.
    pub(crate) command: Option<Box<Exec>>,
    pub(crate) experiment: ExperimentDesc,
    /// The run whose values it began with.
    pub(crate) of: Option<String>,
    /// What could not be taken over from that run.
    pub(crate) notes: Vec<String>,
    /// Preset, parameters, then how to run.
    pub(crate) fields: Vec<Field>,
    /// The field that keys act on; one beyond the last is the start.
    pub(crate) cursor: usize,
    /// The run is being started.
    pub(crate) busy: bool,
    /// Why it was not.
    pub(crate) failed: Option<String>,
    /// Parameters that the experiment was asked about, and why it refuses them, as soon as it has said so.
    asked: Option<(Params, Option<String>)>,
}

type Params = Vec<(String, ParamValue)>;

/// What a key asked the form to do, beyond editing.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// Nothing: it was edited.
    Nothing,
    /// To start this run.
    Start(Box<Launch>),
    /// To start this command.
    Exec(Box<Exec>),
}

/// Devices to choose from.
fn devices() -> Vec<String> {
    ["auto", "cpu", "cuda:0"].map(str::to_owned).to_vec()
}

impl Form {
    /// With the experiment's defaults.
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
        // Its author's own values need no judging.
        form.asked = form.params().ok().map(|params| (params, None));
        form
    }

    /// With what the user's settings say of every run.
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

    /// With the values of a run, its seed included, so that only what is changed differs.
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
            // 1e-3 and 0.001 are the same value; the text of the preset is the nicer one.
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
        form.set(&Role::Seed, &run.seed.to_string());
        form.set(&Role::Device, &run.device);
        form.set(&Role::Threads, &run.threads.to_string());
        form.set(&Role::CheckpointEvery, &run.checkpoint_every_s.to_string());
        form.fields.iter_mut().for_each(Field::begin);
        form
    }

    /// The field of a role, with this text.
    fn set(&mut self, role: &Role, text: &str) -> Option<&mut Field> {
        let field = self.fields.iter_mut().find(|f| f.role == *role)?;
        field.line.set(text);
        field.check();
        Some(field)
    }

    /// Of a command, with all that it was started with.
    pub(crate) fn of_command(runs: &Path, run: &Manifest, command: &CommandInfo) -> Self {
        let words = if command.template.is_empty() { &command.argv } else { &command.template };
        let mut fields = vec![Field::new(Role::Command, Vec::new(), &shell_words(words))];
        // In the order of the record, by the texts that the command was given.
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
        fields.push(Field::new(Role::Seed, Vec::new(), &run.seed.to_string()));
        let device = if run.device.is_empty() { "auto" } else { &run.device };
        fields.push(Field::new(Role::Device, devices(), device));
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
            // Where git was not asked, that was so wanted.
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

    /// As it was left the last time, if it was one for the same.
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

    /// Its plugin was built anew: the fields as it declares them now, with what was typed so far.
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

    /// The field that keys act on; none at the start.
    pub(crate) fn field(&self) -> Option<&Field> {
        self.fields.get(self.cursor)
    }

    /// Whether the field under the cursor is typed into, so that letters are text.
    pub(crate) fn is_typing(&self) -> bool {
        self.field().is_some_and(|f| !f.is_choice())
    }

    /// How many fields cannot be used as they are.
    pub(crate) fn errors(&self) -> usize {
        self.fields.iter().filter(|f| f.error.is_some()).count()
    }

    /// How many parameters somebody changed in this form.
    pub(crate) fn changed(&self) -> usize {
        self.fields.iter().filter(|f| matches!(f.role, Role::Param(_)) && f.is_edited()).count()
    }

    /// Whether anything was typed or chosen.
    pub(crate) fn is_edited(&self) -> bool {
        self.fields.iter().any(Field::is_edited)
    }

    /// Looks whether the name is free among the runs there are.
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

    /// What to ask the experiment about what it was not asked about yet; nothing while a field cannot be used.
    pub(crate) fn question(&mut self) -> Option<Question> {
        // A command has nobody to ask.
        let params = self.params().ok().filter(|_| self.command.is_none())?;
        if self.asked.as_ref().is_some_and(|(asked, _)| *asked == params) {
            return None;
        }
        self.asked = Some((params.clone(), None));
        Some(Question { plugin: self.plugin.clone(), experiment: self.experiment.clone(), params })
    }

    /// The experiment has judged what is in the form, unless that is something else by now.
    pub(crate) fn judged(&mut self, question: &Question, why: Option<&str>) {
        let ours = (&question.plugin, &question.experiment) == (&self.plugin, &self.experiment);
        if let Some((_, refusal)) = self.asked.as_mut().filter(|(asked, _)| ours && *asked == question.params)
        {
            *refusal = why.map(crate::print::clean);
            self.check();
        }
    }

    /// Looks anew at every parameter, with what the experiment said of these very ones.
    fn check(&mut self) {
        self.fields.iter_mut().filter(|f| matches!(f.role, Role::Param(_))).for_each(Field::check);
        let refusal = self.asked.clone().and_then(|(asked, why)| Some((asked, why?)));
        let Some((asked, why)) = refusal else { return };
        match self.params() {
            Ok(params) if params == asked => {
                self.blame(why);
            }
            // It is asked anew.
            Ok(_) => {}
            // It is not asked while another field cannot be used: a field that is as it was is still refused, unless for the sake of
            // one that is not.
            Err(_) => {
                let same = |f: &Field| {
                    let Role::Param(param) = &f.role else { return false };
                    let value = asked.iter().find(|(key, _)| *key == param.key).map(|(_, value)| value);
                    gradtop_host::parse_param(param, &f.value()).ok().as_ref() == value
                };
                let changed =
                    |f: &Field| matches!(f.role, Role::Param(_)) && why.contains(f.key()) && !same(f);
                if !self.fields.iter().any(changed)
                    && let Some(at) = self.about(&why, same)
                {
                    self.fields[at].error = Some(why);
                }
            }
        }
    }

    /// It could not be started: the cursor goes where that is said.
    pub(crate) fn refuse(&mut self, why: &str) {
        if let Some(at) = self.blame(crate::print::clean(why)) {
            self.go_to(at);
        }
    }

    /// Says what is wrong at the field that the reason names, if it names one.
    fn blame(&mut self, why: String) -> Option<usize> {
        let at = self.about(&why, |_| true);
        match at {
            Some(at) => self.fields[at].error = Some(why),
            None => self.failed = Some(why),
        }
        at
    }

    /// Which of these parameters a reason names: of several, the one under the cursor.
    fn about(&self, why: &str, these: impl Fn(&Field) -> bool) -> Option<usize> {
        let mut words = why.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')));
        let named = |f: &Field, word: &str| {
            matches!(f.role, Role::Param(_)) && f.key() == word.trim_end_matches('.') && these(f)
        };
        let here = self.field().filter(|f| words.clone().any(|w| named(f, w))).map(|_| self.cursor);
        here.or_else(|| words.find_map(|w| self.fields.iter().position(|f| named(f, w))))
    }

    /// Moves the cursor by so many fields, not around.
    pub(crate) fn go(&mut self, by: isize) {
        self.go_to(self.cursor.saturating_add_signed(by));
    }

    /// Moves the cursor to a field, or to the start behind the last.
    pub(crate) fn go_to(&mut self, at: usize) {
        let leave = |f: &mut Field| f.line.deselect();
        self.fields.iter_mut().for_each(leave);
        self.cursor = at.min(self.fields.len());
        if let Some(field) = self.fields.get_mut(self.cursor).filter(|f| !f.is_choice()) {
            field.line.select();
        }
    }

    /// Does what a key does to a text, or to what is chosen: to the left and right of the choices; a letter is the next one that
    /// begins with it, blank the next of all.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let typed = self.is_typing();
        self.choose(|field| match edit {
            _ if typed => {
                field.line.edit(edit);
                field.check();
            }
            Edit::Left => field.cycle(false),
            Edit::Right | Edit::Insert(' ') => field.cycle(true),
            Edit::Insert(c) => field.jump(c),
            _ => {}
        });
    }

    /// A step up or down in value.
    pub(crate) fn nudge(&mut self, up: bool) {
        self.choose(|f| if f.choices.is_empty() { f.nudge(up) } else { f.cycle(up) });
    }

    /// Gives the field under the cursor the value of its preset, or its default, back; all of them if it is the preset.
    pub(crate) fn reset(&mut self) {
        match self.cursor {
            0 => {
                self.fields[0].reset();
                self.take_preset();
                self.fields.iter_mut().for_each(Field::reset);
                self.failed = None;
            }
            _ => self.choose(Field::reset),
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

    /// Takes over the values of the preset, but for what was changed by hand.
    fn take_preset(&mut self) {
        let name = self.fields[0].value();
        let preset = self.experiment.presets.iter().find(|p| p.name == name);
        let own = self.of.is_none();
        for field in &mut self.fields {
            let Role::Param(param) = &field.role else { continue };
            let set = preset.and_then(|p| p.values.iter().find(|(k, _)| *k == param.key));
            let base = set.map_or(&param.default, |(_, v)| v).clone();
            let changed = field.is_changed();
            field.rebase(base, own);
            if !changed {
                field.reset();
                field.begin();
            }
        }
    }

    /// What starting it now would start. The first field that cannot be used gets the cursor.
    pub(crate) fn start(&mut self, runs: &Path) -> Asked {
        if self.busy {
            return Asked::Nothing;
        }
        // Whether the experiment still refuses it is asked again: its plugin may be another by now.
        let bad = |f: &Field| f.problem().is_some() || f.role == Role::Name && f.error.is_some();
        if let Some(bad) = self.fields.iter().position(bad) {
            self.go_to(bad);
            return Asked::Nothing;
        }
        let asked = match &self.command {
            Some(base) => Ok(Asked::Exec(Box::new(self.exec(base)))),
            None => self.launch(runs).map(|launch| Asked::Start(Box::new(launch))),
        };
        match asked {
            Ok(asked) => {
                (self.busy, self.failed) = (true, None);
                asked
            }
            // Cannot be while every field can be used, unless the fields and the host disagree: then the host is right.
            Err(e) => {
                self.failed = Some(crate::print::clean(&e.to_string()));
                Asked::Nothing
            }
        }
    }

    /// The preset, if it is one that the experiment declares.
    fn preset(&self) -> Option<String> {
        let preset = self.fields[0].value();
        self.experiment.presets.iter().any(|p| p.name == preset).then_some(preset)
    }

    /// The parameters, as the host understands them.
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
            name: self.said(&Role::Name),
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
            name: self.said(&Role::Name),
            seed,
            device: self.read(&Role::Device).unwrap_or_default(),
            checkpoint_every: self.checkpoint_every(),
            ..base.clone()
        }
    }

    /// What a field has, if it has anything.
    fn said(&self, role: &Role) -> Option<String> {
        let field = self.fields.iter().find(|f| f.role == *role)?;
        Some(field.value().trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The same, as what it says.
    fn read<T: std::str::FromStr>(&self, role: &Role) -> Option<T> {
        self.said(role)?.parse().ok()
    }

    fn checkpoint_every(&self) -> Duration {
        let every = self.read(&Role::CheckpointEvery).and_then(|s| Duration::try_from_secs_f64(s).ok());
        every.unwrap_or(DEFAULT_CHECKPOINT_EVERY)
    }
}

/// A value as its parameter's text.
fn text_of(value: &ParamValue) -> String {
    match value {
        // As people write it: 1e-5 rather than 0.00001.
        ParamValue::Float(v) if *v != 0.0 && (v.abs() < 1e-3 || v.abs() >= 1e16) => format!("{v:e}"),
        other => other.to_string(),
    }
}
