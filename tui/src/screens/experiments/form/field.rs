//! A field of the form: its text, the values it accepts, and what is wrong with it.

use gradtop_host::{DeviceChoice, ParamDesc, ParamKind, parse_param};

use crate::widgets::{Input, Way};

/// Ends the description of the values that a logarithmic field takes.
pub(super) const LOG_SCALE: &str = ", log scale";

/// The option or parameter that a field sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    /// The preset, from which the others get their values.
    Preset,
    /// The program and its arguments.
    Command,
    /// A parameter of the experiment.
    Param(Box<ParamDesc>),
    /// The name of the run.
    Name,
    Seed,
    Device,
    Threads,
    /// Seconds between checkpoints.
    CheckpointEvery,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) role: Role,
    /// The choices, if there are only a few. Devices may also be typed.
    pub(crate) choices: Vec<String>,
    /// The value from the preset, else the default.
    pub(crate) base: String,
    pub(crate) line: Input,
    /// Why the value is invalid.
    pub(crate) error: Option<String>,
    /// The value when the form was opened.
    began: String,
}

impl Field {
    /// Creates a field with its base value.
    pub(crate) fn new(role: Role, choices: Vec<String>, base: &str) -> Self {
        let (line, base) = (Input::new(base), base.to_owned());
        let mut field = Self { role, choices, line, error: None, began: base.clone(), base };
        field.check();
        field
    }

    /// The name, as in `run.toml` and `--set`.
    pub(crate) fn key(&self) -> &str {
        match &self.role {
            Role::Preset => "preset",
            Role::Command => "command",
            Role::Param(p) => &p.key,
            Role::Name => "name",
            Role::Seed => "seed",
            Role::Device => "device",
            Role::Threads => "threads",
            Role::CheckpointEvery => "checkpoint every",
        }
    }

    pub(crate) fn help(&self) -> &str {
        match &self.role {
            Role::Preset => "a set of values to start from; your own changes stay",
            Role::Command => "as in a shell; {NAME} becomes the value of that parameter, {seed} the seed",
            Role::Param(p) => &p.help,
            Role::Name => {
                "name of the run and its folder; empty: the experiment's name with the next free number"
            }
            Role::Seed => "random seed; empty: drawn and recorded",
            Role::Device => {
                "auto: a GPU if one can be used, for a command all it sees; small networks may be slower there: `gradtop selftest` times both"
            }
            Role::Threads => "number of threads; empty: as many as this machine has cores, at most 8",
            Role::CheckpointEvery => "seconds between checkpoints; 0: only on request and at the end",
        }
    }

    pub(crate) fn unit(&self) -> &str {
        match &self.role {
            Role::Param(p) => p.unit.as_deref().unwrap_or_default(),
            Role::CheckpointEvery => "s",
            _ => "",
        }
    }

    /// The accepted values in words: type, range, scale.
    pub(crate) fn takes(&self) -> String {
        match &self.role {
            Role::Preset | Role::Command => String::new(),
            Role::Param(p) if p.kind == ParamKind::Choice => p.choices.join(" | "),
            Role::Param(p) => {
                let range = p.range().map(|r| format!(" {r}")).unwrap_or_default();
                format!("{}{range}{}", p.kind.word(), if p.log { LOG_SCALE } else { "" })
            }
            Role::Name => "a letter, then letters, digits, . _ -".to_owned(),
            Role::Seed => "integer ≥ 0".to_owned(),
            Role::Device => "auto | cpu | cuda:N".to_owned(),
            Role::Threads => "integer [1, 4096]".to_owned(),
            Role::CheckpointEvery => "number [0, 1e9]".to_owned(),
        }
    }

    /// Returns whether its value is chosen from a list instead of typed.
    pub(crate) fn is_choice(&self) -> bool {
        !self.choices.is_empty() && self.role != Role::Device
    }

    /// Returns whether its value differs from the base value, however it is written.
    pub(crate) fn is_changed(&self) -> bool {
        !self.is_same(&self.base)
    }

    /// Returns whether the user has changed it since the form was opened.
    pub(crate) fn is_edited(&self) -> bool {
        !self.is_same(&self.began)
    }

    /// Records the current value as the one that the form was opened with.
    pub(crate) fn begin(&mut self) {
        self.began = self.line.text();
    }

    /// Records the base value as the one that the form was opened with.
    pub(crate) fn begin_at_base(&mut self) {
        self.began.clone_from(&self.base);
    }

    /// `1e-3` and `0.001` are the same value.
    fn is_same(&self, other: &str) -> bool {
        let text = self.line.text();
        let parsed = |p: &ParamDesc, text: &str| parse_param(p, text).ok();
        text == other
            || matches!(&self.role, Role::Param(p) if parsed(p, &text).is_some_and(|v| parsed(p, other) == Some(v)))
    }

    /// The error, prefixed by the name of the field.
    pub(crate) fn error_message(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        Some(if error.contains(self.key()) { error.clone() } else { format!("{}: {error}", self.key()) })
    }

    pub(crate) fn value(&self) -> String {
        self.line.text()
    }

    /// Restores the base value.
    pub(crate) fn reset(&mut self) {
        self.line.set(&self.base.clone());
        self.check();
    }

    /// Selects the next or previous choice, wrapping around.
    pub(crate) fn cycle(&mut self, way: Way) {
        let n = self.choices.len();
        if n == 0 {
            return;
        }
        let text = self.line.text();
        let next = match self.choices.iter().position(|c| *c == text) {
            Some(at) => way.around(at, n),
            None => 0,
        };
        let next = self.choices[next].clone();
        self.line.set(&next);
        self.check();
    }

    /// Selects the next choice that begins with a letter.
    pub(crate) fn jump(&mut self, letter: char) {
        let text = self.line.text();
        let at = self.choices.iter().position(|c| *c == text).unwrap_or(0);
        let n = self.choices.len();
        let begins = |c: &str| c.chars().next().is_some_and(|f| f.eq_ignore_ascii_case(&letter));
        let next = (1..=n).map(|i| (at + i) % n).find(|i| begins(&self.choices[*i]));
        if let Some(next) = next.map(|i| self.choices[i].clone()) {
            self.line.set(&next);
            self.check();
        }
    }

    /// Steps to the next larger or smaller round value: 1, 2, 5, 10 and so on for a logarithmic parameter, the neighbour for an
    /// integer, otherwise a tenth of the value's power of ten. Steps out of range do nothing.
    pub(crate) fn nudge(&mut self, way: Way) {
        if self.is_choice() {
            return self.cycle(way);
        }
        let (integer, log) = match &self.role {
            Role::Param(p) if matches!(p.kind, ParamKind::I64 | ParamKind::F64) => {
                (p.kind == ParamKind::I64, p.log)
            }
            Role::Seed | Role::Threads => (true, false),
            Role::CheckpointEvery => (true, true),
            _ => return,
        };
        let Ok(now) = self.line.text().trim().parse::<f64>() else { return };
        // Beyond 2^53, a float cannot represent every integer.
        if !now.is_finite() || (integer && now.abs() >= 9e15) {
            return;
        }
        let next = if log && now > 0.0 {
            next_round(now, way)
        } else {
            next_linear(now, way, if integer { 1.0 } else { tenth(now) })
        };
        let next = if integer { next.round() } else { next };
        let before = self.line.clone();
        self.line.set(&tidy(next));
        self.check();
        if self.error.is_some() {
            self.line = before;
            self.check();
        }
    }

    /// Validates the value.
    pub(crate) fn check(&mut self) {
        self.error = self.problem().map(|e| crate::print::clean(&e));
    }

    pub(super) fn problem(&self) -> Option<String> {
        let text = self.line.text();
        let trimmed = text.trim();
        match &self.role {
            Role::Preset => None,
            Role::Command => match shell_words::split(&text).as_deref() {
                Err(_) => Some("a quote is not closed".to_owned()),
                Ok([]) => Some("no command".to_owned()),
                Ok(_) => None,
            },
            Role::Param(p) => parse_param(p, &text).err().map(|e| e.to_string()),
            Role::Name if text.is_empty() => None,
            Role::Name => gradtop_store::validate_name(&text).err().map(|e| e.to_string()),
            Role::Seed | Role::Threads if trimmed.is_empty() => None,
            Role::Seed if trimmed.parse::<u64>().is_ok() => None,
            Role::Seed => Some(format!("seed = {text:?}: expected an integer from 0 to {}", u64::MAX)),
            Role::Device => trimmed.parse::<DeviceChoice>().err(),
            Role::Threads if trimmed.parse().is_ok_and(|n| (1..=4096).contains(&n)) => None,
            Role::Threads => Some(format!("threads = {text:?}: must be a whole number from 1 to 4096")),
            Role::CheckpointEvery => crate::config::seconds(trimmed).err(),
        }
    }

    /// The position of the value within its range, from 0 to 1 on the parameter's scale. `None` if there is no number or no
    /// complete range.
    pub(crate) fn position(&self) -> Option<f64> {
        let Role::Param(p) = &self.role else { return None };
        let (min, max) = (p.min?, p.max?);
        let v: f64 = self.line.text().trim().parse().ok()?;
        let log = p.log && min > 0.0;
        let at = |v: f64| if log { v.ln() } else { v };
        let share = (at(v) - at(min)) / (at(max) - at(min));
        (share.is_finite() && (0.0..=1.0).contains(&share)).then_some(share)
    }
}

/// The next of 1, 2, 5, 10, … above or below a positive value.
fn next_round(v: f64, way: Way) -> f64 {
    let power = 10f64.powf(v.log10().floor());
    // A small tolerance, since 0.3 / 0.1 is not quite 3.
    let rounds = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0].map(|m| m * power);
    let next = match way {
        Way::On => rounds.into_iter().find(|r| *r > v * (1.0 + 1e-9)),
        Way::Back => rounds.into_iter().rev().find(|r| *r < v * (1.0 - 1e-9)),
    };
    next.unwrap_or(v)
}

/// A tenth of the power of ten of a value.
fn tenth(v: f64) -> f64 {
    if v == 0.0 { 0.1 } else { 10f64.powf(v.abs().log10().floor() - 1.0) }
}

/// The next multiple of a step above or below a value: 0.95, 1, 1.1.
fn next_linear(v: f64, way: Way, step: f64) -> f64 {
    let steps = match way {
        Way::On => (v / step + 1e-9).floor() + 1.0,
        Way::Back => (v / step - 1e-9).ceil() - 1.0,
    };
    steps * step
}

/// The shortest text of a value without rounding noise.
fn tidy(v: f64) -> String {
    let rounded: f64 = format!("{v:.12e}").parse().unwrap_or(v);
    if rounded != 0.0 && (rounded.abs() < 1e-3 || rounded.abs() >= 1e16) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}
