//! The checked description of a plugin.

use std::path::PathBuf;

use gradtop_store::MetricInfo;
use serde::{Deserialize, Serialize};

/// A plugin and its experiments. All strings are free of control characters, and all rules of the ABI have been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginDesc {
    /// The file.
    pub file: PathBuf,
    /// The compiler and libraries that it reports.
    pub built_with: Option<String>,
    /// Major and minor version of its ABI.
    pub abi: (u32, u32),
    /// Whether it needs libtorch.
    pub needs_libtorch: bool,
    /// Its experiments.
    pub experiments: Vec<ExperimentDesc>,
    /// Warnings about things that are odd but allowed.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl PluginDesc {
    /// Returns the experiment with that id and its index in the plugin.
    pub fn experiment(&self, id: &str) -> Option<(u32, &ExperimentDesc)> {
        self.experiments.iter().enumerate().find(|(_, e)| e.id == id).map(|(i, e)| (i as u32, e))
    }
}

/// An experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentDesc {
    /// `[a-z][a-z0-9-]*`, unique in the plugin.
    pub id: String,
    /// Its title.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A one-line summary.
    pub summary: String,
    /// Whether it writes checkpoints and can resume from one.
    pub resumable: bool,
    /// Whether it uses the assigned device.
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
    /// Returns the name of the type for display.
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
    /// Default as text; guaranteed to be valid.
    pub default: String,
    /// The values of a [`ParamKind::Choice`].
    pub choices: Vec<String>,
    /// Minimum; `None` for no bound.
    #[serde(with = "exact")]
    pub min: Option<f64>,
    /// Maximum; `None` for no bound.
    #[serde(with = "exact")]
    pub max: Option<f64>,
    /// Whether the minimum itself is excluded.
    pub min_excluded: bool,
    /// Whether the maximum itself is excluded.
    pub max_excluded: bool,
    /// Whether to show and sample it on a log scale.
    pub log: bool,
}

impl ParamDesc {
    /// Creates a parameter that accepts any text.
    pub fn text(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// Formats the range as `[1, 10)`, `≥ 1` or `< 10`; `None` if there is none.
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
    /// The values it sets; other parameters keep their defaults.
    pub values: Vec<(String, String)>,
}

/// Serializes bounds as text: JSON numbers may change in their last bit, and a default may lie on its bound.
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
