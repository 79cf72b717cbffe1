//! The description of an experiment: identity, metrics, presets, figures.

use gradtop_abi::metric_flag;

use crate::figure::{Figures, quoted};
use crate::params::ParamSpec;

/// Whether lower or higher values of a metric are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Goal {
    /// Neither is better.
    #[default]
    None,
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

/// Describes an experiment.
#[derive(Clone, Debug)]
pub struct Info {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) version: Option<String>,
    pub(crate) resumable: bool,
    pub(crate) uses_device: bool,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) presets: Vec<Preset>,
    pub(crate) figures: Option<String>,
}

impl Info {
    /// Creates a description. `id` is `[a-z][a-z0-9-]*` and names the experiment on the command line and in folders;
    /// `name` is its title; an empty `summary` means the doc comment of the parameter struct.
    pub fn new(id: &str, name: &str, summary: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            summary: summary.into(),
            version: None,
            resumable: false,
            uses_device: false,
            metrics: Vec::new(),
            presets: Vec::new(),
            figures: None,
        }
    }

    /// Sets the version of the experiment; by default the plugin crate's version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Declares that it writes checkpoints and can resume from one.
    #[must_use]
    pub fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }

    /// Declares that it uses the assigned device.
    #[must_use]
    pub fn uses_device(mut self) -> Self {
        self.uses_device = true;
        self
    }

    /// Declares a metric.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// Declares a named set of parameter values, as on the command line: `"steps=20 rates=0.1,0.2"`. `quick`, `default`
    /// and `full` are the usual names; parameters that it does not name keep their defaults.
    #[must_use]
    pub fn preset(mut self, name: &str, help: &str, values: impl Into<PresetValues>) -> Self {
        self.presets.push(Preset::new(name, help, values));
        self
    }

    /// Declares figures.
    #[must_use]
    pub fn figures(mut self, figures: impl Into<Figures>) -> Self {
        self.figures = Some(figures.into().toml().into());
        self
    }

    /// Returns the TOML of the figures, and of the splits that represent a run.
    pub(crate) fn figures_toml(&self) -> Option<String> {
        let split = |m: &Metric| {
            let split = m.headline_of.as_deref()?;
            Some(format!("{} = {}\n", quoted(&m.name), quoted(split)))
        };
        let splits: String = self.metrics.iter().filter_map(split).collect();
        if splits.is_empty() {
            return self.figures.clone();
        }
        // After the figures, so that line numbers in error messages match the author's text.
        Some(format!("{}\n[headline]\n{splits}", self.figures.as_deref().unwrap_or_default()))
    }

    /// Returns all texts of the description.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let own = [&self.name, &self.summary].into_iter().chain(&self.version).chain(&self.figures);
        let metrics = self
            .metrics
            .iter()
            .flat_map(|m| [&m.name, &m.help].into_iter().chain(&m.unit).chain(&m.headline_of));
        let presets = self.presets.iter().flat_map(|p| {
            [&p.name, &p.help].into_iter().chain(p.values.iter().flat_map(|(key, value)| [key, value]))
        });
        own.chain(metrics).chain(presets).map(String::as_str)
    }

    /// Returns the values in the description itself: the defaults and each preset, with a name.
    pub(crate) fn value_sets(&self) -> impl Iterator<Item = (String, Vec<(&str, &str)>)> {
        let presets = self.presets.iter().map(|preset| {
            let values = preset.values.iter().map(|(key, text)| (key.as_str(), text.as_str()));
            (format!("preset `{}`", preset.name), values.collect())
        });
        [("defaults".to_owned(), Vec::new())].into_iter().chain(presets)
    }

    /// Returns what is wrong with the description, if anything; `params` are the experiment's parameters.
    pub(crate) fn problem(&self, params: &[ParamSpec]) -> Option<String> {
        if !is_name(&self.id, '-') {
            return Some(format!(
                "experiment id `{}` must be [a-z][a-z0-9-]*, at most 64 characters",
                self.id.escape_debug()
            ));
        }
        let within = |what: String| Some(format!("experiment `{}`: {what}", self.id));
        if self.name.is_empty() {
            return within("it has no name".into());
        }
        if let Some(key) = repeated(params.iter().map(|param| param.key)) {
            return within(format!("parameter `{key}` is declared twice"));
        }
        if let Some(text) = self.texts().find(|text| text.contains('\0')) {
            return within(format!("the text `{}` contains a NUL", text.escape_debug()));
        }
        if let Some(name) = repeated(self.metrics.iter().map(|metric| metric.name.as_str())) {
            return within(format!("metric `{name}` is declared twice"));
        }
        if self.metrics.iter().any(|metric| metric.name.is_empty()) {
            return within("a metric has no name".into());
        }
        for name in self.metrics.iter().map(|metric| &metric.name) {
            if name.trim() != name {
                return within(format!("metric `{name}` begins or ends with a blank"));
            }
            if name.len() > 200 {
                return within(format!("metric `{name}` is longer than 200 bytes"));
            }
        }
        if let Some(name) = repeated(self.presets.iter().map(|preset| preset.name.as_str())) {
            return within(format!("preset `{name}` is declared twice"));
        }
        for preset in &self.presets {
            if preset.name.is_empty() || preset.name.contains(char::is_whitespace) {
                return within(format!("preset `{}` has no name, or one with blanks", preset.name));
            }
            if let Some(key) = repeated(preset.values.iter().map(|(key, _)| key.as_str())) {
                return within(format!("preset `{}` sets `{key}` twice", preset.name));
            }
            for (key, text) in &preset.values {
                let Some(param) = params.iter().find(|param| param.key == key) else {
                    return within(format!(
                        "preset `{}` sets `{key}`, which is not a parameter",
                        preset.name
                    ));
                };
                if let Err(error) = param.parse(text) {
                    return within(format!("preset `{}`: {error}", preset.name));
                }
            }
        }
        None
    }
}

/// A metric that the experiment logs. Undeclared metrics may be logged too, but have no unit or goal.
#[derive(Clone, Debug)]
pub struct Metric {
    pub(crate) name: String,
    pub(crate) unit: Option<String>,
    pub(crate) help: String,
    pub(crate) goal: Goal,
    pub(crate) headline_of: Option<String>,
    /// Bits of the ABI's `metric_flag`.
    pub(crate) flags: u32,
}

impl Metric {
    /// Creates a metric. `/` in a name separates groups.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            unit: None,
            help: String::new(),
            goal: Goal::None,
            headline_of: None,
            flags: 0,
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the unit.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Sets a one-line explanation.
    #[must_use]
    pub fn help(mut self, help: &str) -> Self {
        self.help = help.into();
        self
    }

    /// Sets whether lower or higher is better.
    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    /// Shows it in lists of runs.
    #[must_use]
    pub fn headline(mut self) -> Self {
        self.flags |= metric_flag::HEADLINE;
        self
    }

    /// Shows it in lists of runs, with its values of this split. The default is `test`, else `val` or `validation`,
    /// else no split, else the only split there is.
    #[must_use]
    pub fn headline_of(mut self, split: &str) -> Self {
        self.headline_of = Some(split.into());
        self.headline()
    }

    /// Fails the run when this metric is non-finite in every model and trial.
    #[must_use]
    pub fn guard(mut self) -> Self {
        self.flags |= metric_flag::GUARD;
        self
    }

    /// Draws it on a log axis.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.flags |= metric_flag::LOG;
        self
    }

    /// Declares that it depends on the clock (a rate, a duration), so that it may differ between otherwise equal runs.
    #[must_use]
    pub fn wall_clock(mut self) -> Self {
        self.flags |= metric_flag::WALL_CLOCK;
        self
    }
}

/// A named set of parameter values.
#[derive(Clone, Debug)]
pub struct Preset {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) values: Vec<(String, String)>,
}

impl Preset {
    /// Creates a preset.
    pub fn new(name: &str, help: &str, values: impl Into<PresetValues>) -> Self {
        Self { name: name.into(), help: help.into(), values: values.into().0 }
    }
}

/// The values of a preset: a text as on the command line, `steps=20 rates=0.1,0.2`, or pairs of key and text, which may
/// contain blanks.
#[derive(Clone, Debug)]
pub struct PresetValues(Vec<(String, String)>);

impl From<&str> for PresetValues {
    fn from(text: &str) -> Self {
        let pairs: Vec<_> = text.split_whitespace().map(|w| w.split_once('=').unwrap_or((w, ""))).collect();
        pairs.as_slice().into()
    }
}

impl From<&[(&str, &str)]> for PresetValues {
    fn from(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(key, text)| ((*key).into(), (*text).into())).collect())
    }
}

impl<const N: usize> From<&[(&str, &str); N]> for PresetValues {
    fn from(pairs: &[(&str, &str); N]) -> Self {
        pairs.as_slice().into()
    }
}

fn is_name(text: &str, also: char) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == also)
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Some(name);
        }
        seen.push(name);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_headline_of_a_split_goes_after_the_figures() {
        let info = || Info::new("a", "A", "").figures("[[figure]]\nid = \"f\"\n");
        assert_eq!(info().metric(Metric::new("loss")).figures_toml(), info().figures);
        assert_eq!(info().preset("p", "", "a=1 b= c=x,y").presets[0].values, {
            PresetValues::from(&[("a", "1"), ("b", ""), ("c", "x,y")]).0
        });
        let both = info().metric(Metric::new("val/\"loss\"").headline_of("te\\st\n"));
        assert!(both.metrics[0].flags & metric_flag::HEADLINE != 0);
        let text = both.figures_toml().unwrap();
        assert_eq!(
            text,
            "[[figure]]\nid = \"f\"\n\n[headline]\n\"val/\\\"loss\\\"\" = \"te\\\\st\\u000a\"\n"
        );
    }
}
