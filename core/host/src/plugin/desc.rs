//! What a plugin says of itself, once it has been checked.

use std::path::PathBuf;

use gradtop_store::MetricInfo;
use serde::{Deserialize, Serialize};

/// A plugin and its experiments. Every string is free of control characters; every rule of the ABI has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginDesc {
    /// The file.
    pub file: PathBuf,
    /// What it says it was built with.
    pub built_with: Option<String>,
    /// Major and minor of its ABI.
    pub abi: (u32, u32),
    /// Whether it needs libtorch.
    pub needs_libtorch: bool,
    /// Its experiments.
    pub experiments: Vec<ExperimentDesc>,
    /// What is odd but allowed, each in a sentence.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl PluginDesc {
    /// The experiment of that id, with its index at the plugin.
    pub fn experiment(&self, id: &str) -> Option<(u32, &ExperimentDesc)> {
        self.experiments.iter().enumerate().find(|(_, e)| e.id == id).map(|(i, e)| (i as u32, e))
    }
}

/// An experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentDesc {
    /// `[a-z][a-z0-9-]*`, unique in the plugin.
    pub id: String,
    /// Title for people.
    pub name: String,
    /// Version of the experiment.
    pub version: String,
    /// What it does, in a line.
    pub summary: String,
    /// Whether it writes checkpoints and can go on from one.
    pub resumable: bool,
    /// Whether it uses the device it is given.
    pub uses_device: bool,
    /// Parameters, in the order declared.
    pub params: Vec<ParamDesc>,
    /// Presets, in the order declared.
    pub presets: Vec<PresetDesc>,
    /// Metrics, in the order declared.
    pub metrics: Vec<MetricInfo>,
    /// Figures as TOML, already checked.
    pub figures: Option<String>,
}

/// Type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamKind {
    /// 64-bit signed integer.
    I64,
    /// 64-bit float.
    F64,
    /// `true` or `false`.
    Bool,
    /// Any text.
    #[default]
    Str,
    /// One of the choices.
    Choice,
}

impl ParamKind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::I64 => "integer",
            Self::F64 => "number",
            Self::Bool => "true or false",
            Self::Str => "text",
            Self::Choice => "choice",
        }
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParamDesc {
    /// `[a-z][a-z0-9_]*`, unique in the experiment.
    pub key: String,
    /// One line.
    pub help: String,
    /// Unit.
    pub unit: Option<String>,
    /// Type.
    pub kind: ParamKind,
    /// Default as text; it parses and is in range.
    pub default: String,
    /// What a [`ParamKind::Choice`] may be.
    pub choices: Vec<String>,
    /// Least value; `None` for no bound.
    #[serde(with = "exact")]
    pub min: Option<f64>,
    /// Greatest value; `None` for no bound.
    #[serde(with = "exact")]
    pub max: Option<f64>,
    /// Whether the least value itself is not allowed.
    pub min_excluded: bool,
    /// Whether the greatest value itself is not allowed.
    pub max_excluded: bool,
    /// Whether to show and sample it on a log scale.
    pub log: bool,
}

impl ParamDesc {
    /// One that takes any text, and says no more of itself.
    pub fn text(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// The range as `[1, 10)`, `≥ 1`, `< 10`; `None` if there is none.
    pub fn range(&self) -> Option<String> {
        let low = if self.min_excluded { ">" } else { "≥" };
        let high = if self.max_excluded { "<" } else { "≤" };
        match (self.min, self.max) {
            (None, None) => None,
            (Some(min), None) => Some(format!("{low} {min}")),
            (None, Some(max)) => Some(format!("{high} {max}")),
            (Some(min), Some(max)) => Some(format!(
                "{}{min}, {max}{}",
                if self.min_excluded { '(' } else { '[' },
                if self.max_excluded { ')' } else { ']' }
            )),
        }
    }
}

/// A named set of parameter values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PresetDesc {
    /// Its name.
    pub name: String,
    /// One line.
    pub help: String,
    /// What it sets; the rest keeps its default.
    pub values: Vec<(String, String)>,
}

/// Bounds as text: JSON numbers may come back changed in their last bit, and a default may lie on its bound.
mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(v: &Option<f64>, s: S) -> Result<S::Ok, S::Error> {
        v.map(|v| v.to_string()).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        text.map(|t| t.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
