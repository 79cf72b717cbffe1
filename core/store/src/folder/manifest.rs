//! `run.toml`: what a run was started with. Written once, before anything runs.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::folder::unknown;
use crate::liveness::machine::{boot_id, host_name};

/// Everything a run was started with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file, [`crate::SCHEMA`].
    pub schema: u32,
    /// What executes the run.
    #[serde(default)]
    pub kind: Kind,
    /// The run's name; the folder is `run=<name>`.
    #[serde(default)]
    pub run: String,
    /// When the run was asked for.
    pub created: Timestamp,
    /// The seed all random numbers derive from, if it is known.
    #[serde(default, with = "big_u64", skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// `cpu` or `cuda:<n>`, if it is known; empty in the file if not.
    #[serde(default, with = "unknown")]
    pub device: Option<String>,
    /// Why this device was chosen, if gradtop chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_reason: Option<String>,
    /// Number of threads the training may use; unknown, and 0 in the file, of commands and imports.
    #[serde(default, with = "unknown")]
    pub threads: Option<u32>,
    /// Seconds between checkpoints; 0 for only those requested.
    #[serde(default)]
    pub checkpoint_every_s: u64,
    /// The preset the parameters started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Alert rules given for this run, as the user wrote them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// Name of the machine, if it is known; empty in the file if not.
    #[serde(default, with = "unknown")]
    pub host: Option<String>,
    /// The machine's boot id: a run of an earlier boot cannot be alive.
    #[serde(default, with = "unknown")]
    pub boot_id: Option<String>,
    /// Commit of the checkout it was started in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The experiment.
    pub experiment: ExperimentInfo,
    /// The plugin, if the run is of [`Kind::Plugin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginInfo>,
    /// The command, if the run is of [`Kind::Command`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandInfo>,
    /// The source, if the run is of [`Kind::Import`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportInfo>,
    /// Versions of the programs that executed it.
    #[serde(default)]
    pub versions: Versions,
    /// Every parameter with its value, in the experiment's order.
    #[serde(default, with = "ordered_map")]
    pub params: Vec<(String, ParamValue)>,
    /// The metrics that the experiment declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricInfo>,
}

impl Manifest {
    /// The declaration of a metric, if there is one.
    pub fn metric(&self, name: &str) -> Option<&MetricInfo> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The value of a parameter, if there is one of this name.
    pub fn param(&self, key: &str) -> Option<&ParamValue> {
        self.params.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    /// Returns the parameters as JSON.
    pub fn params_json(&self) -> serde_json::Value {
        self.params.iter().map(|(key, value)| (key.clone(), value.json())).collect()
    }

    /// Creates the manifest of a run that begins now, on this machine and with this version. The caller fills in the rest.
    pub fn new(run: &str, experiment: ExperimentInfo) -> Self {
        Self {
            schema: crate::SCHEMA,
            run: run.to_owned(),
            created: Timestamp::now(),
            host: Some(host_name()),
            boot_id: Some(boot_id()),
            experiment,
            versions: Versions { gradtop: Some(env!("CARGO_PKG_VERSION").to_owned()), ..Versions::default() },
            ..Self::default()
        }
    }
}

/// What executes a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A plugin, in a trainer.
    #[default]
    Plugin,
    /// A command of the user, whose metrics a sink records.
    Command,
    /// Another tool, whose log was imported.
    Import,
}

/// The command of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CommandInfo {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The same with `{key}` in place of parameter values, if it was given that way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template: Vec<String>,
    /// The parameters given with the command, as typed; the command has named the others itself.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub given: std::collections::BTreeMap<String, String>,
    /// The working folder.
    pub dir: String,
    /// Seconds the command may take to end when asked to stop, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<f64>,
    /// Total units of work, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Logs that the command writes, which are imported as they grow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogInfo>,
    /// The branch checked out around its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<String>,
    /// Whether tracked files differed from the commit, if git was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_dirty: Option<bool>,
    /// The process, if the run was attached to a running one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<AttachedTo>,
    /// Environment variables that are useful to know and contain no secrets.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub env: std::collections::BTreeMap<String, String>,
}

/// A log that a command writes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogInfo {
    /// `tensorboard`, `csv` or `jsonl`.
    pub format: String,
    /// The file, or the folder of event files.
    pub path: String,
}

/// A running process that a run was attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedTo {
    /// Its id.
    pub pid: u32,
    /// Field `starttime` of its `/proc/<pid>/stat`.
    pub start: u64,
}

impl CommandInfo {
    /// Returns the command as a shell accepts it.
    pub fn in_words(&self) -> String {
        shell_words(&self.argv)
    }
}

/// Quotes a program and its arguments for a shell.
pub fn shell_words(argv: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = |arg: &String| {
        if !arg.is_empty() && arg.chars().all(plain) {
            arg.clone()
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    };
    argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The source of an imported run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportInfo {
    /// The file or folder that was read.
    pub source: String,
    /// The program that wrote it, such as `TensorBoard`.
    pub format: String,
}

/// The experiment of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExperimentInfo {
    /// Its id, which is also the folder `exp=<id>`. If the folder was renamed, the new name.
    pub id: String,
    /// Its id in the plugin, if that differs.
    #[serde(skip)]
    pub in_plugin: Option<String>,
    /// Its title.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// A one-line summary.
    #[serde(default)]
    pub summary: String,
    /// Whether it can resume from a checkpoint.
    #[serde(default)]
    pub resumable: bool,
    /// Whether it uses a GPU.
    #[serde(default)]
    pub uses_device: bool,
}

impl ExperimentInfo {
    /// Returns its id in the plugin.
    pub fn plugin_id(&self) -> &str {
        self.in_plugin.as_deref().unwrap_or(&self.id)
    }
}

/// The plugin of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PluginInfo {
    /// The run's own copy of the library, relative to the run folder.
    pub file: String,
    /// SHA-256 of that copy, in hexadecimal.
    pub sha256: String,
    /// The compiler and libraries that the plugin reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_with: Option<String>,
    /// Where the plugin was found.
    pub original_path: String,
}

/// Versions of the programs that executed a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// gradtop's version, if it is known; empty in the file if not.
    #[serde(with = "unknown")]
    pub gradtop: Option<String>,
    /// The plugin ABI, as `major.minor`, if there is a plugin.
    #[serde(with = "unknown", skip_serializing_if = "Option::is_none")]
    pub abi: Option<String>,
    /// libtorch's version, if the plugin uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libtorch: Option<String>,
    /// The Python version of the client in the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The PyTorch version that the client has imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torch: Option<String>,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// A Boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A text, including choices.
    Text(String),
}

impl ParamValue {
    /// Interprets a value as typed: as a number or Boolean if it is one, else as text.
    pub fn typed(text: &str) -> Self {
        let whole = || text.parse().map(Self::Int).ok();
        let float = || text.parse().map(Self::Float).ok();
        let truth = || text.parse().map(Self::Bool).ok();
        whole().or_else(float).or_else(truth).unwrap_or_else(|| Self::Text(text.to_owned()))
    }

    /// Returns it as JSON; a number that JSON cannot express is `"NaN"`, `"inf"` or `"-inf"`.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Float(v) if !v.is_finite() => v.to_string().into(),
            value => serde_json::to_value(value).unwrap_or_default(),
        }
    }

    /// Returns it as a number, 0 or 1 for a Boolean; `None` for a text.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(v) => Some(f64::from(u8::from(*v))),
            Self::Int(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            Self::Text(_) => None,
        }
    }
}

impl std::fmt::Display for ParamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            // Else 1e-300 would have 300 zeros.
            Self::Float(v) if *v != 0.0 && v.is_finite() && !(1e-5..1e16).contains(&v.abs()) => {
                write!(f, "{v:e}")
            }
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
        }
    }
}

/// Whether lower or higher values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Neither is better.
    #[default]
    None,
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

impl Goal {
    /// Which values are better, in words; empty if neither is.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Min => "lower is better",
            Self::Max => "higher is better",
        }
    }

    /// Splits `METRIC`, `METRIC:min` or `METRIC:max` into the metric and what is said to be better.
    pub fn said_of(text: &str) -> (&str, Option<Self>) {
        match text.rsplit_once(':') {
            Some((metric, "min")) => (metric, Some(Self::Min)),
            Some((metric, "max")) => (metric, Some(Self::Max)),
            _ => (text, None),
        }
    }
}

/// A metric declared by its experiment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MetricInfo {
    /// Its name.
    pub name: String,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// A one-line explanation.
    #[serde(default)]
    pub help: String,
    /// Whether lower or higher is better.
    #[serde(default)]
    pub goal: Goal,
    /// Whether overviews show it.
    #[serde(default)]
    pub headline: bool,
    /// The split that represents the run, if the experiment names one; see [`crate::split_rank`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline_of: Option<String>,
    /// Whether the run fails once the metric is non-finite in every model and trial.
    #[serde(default)]
    pub guard: bool,
    /// Whether its axis is logarithmic.
    #[serde(default)]
    pub log: bool,
    /// Whether it depends on the wall clock, so that equal seeds may give different values.
    #[serde(default)]
    pub wall_clock: bool,
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

/// Reads a run's manifest. `run` and the experiment's `id` are taken from the folders' names, so that a copied or
/// renamed run is known by its new name everywhere.
///
/// # Errors
/// The file cannot be read or parsed, or a newer version wrote it.
pub fn read_manifest(run: &RunDir) -> Result<Manifest> {
    let path = run.manifest();
    let text =
        crate::disk::inside::read_text(run, &path, crate::disk::inside::TEXT_LIMIT).at("read", &path)?;
    // The schema first, because a newer file may lack fields that this version requires.
    let Schema { schema } = toml::from_str(&text).format_at("understand", &path)?;
    check_schema(schema, &path)?;
    let mut manifest: Manifest = toml::from_str(&text).format_at("understand", &path)?;
    manifest.run = run.name();
    // Older versions recorded 0 of an import.
    manifest.seed = manifest.seed.filter(|_| manifest.import.is_none());
    let folder = run.path().parent().and_then(Path::file_name).and_then(|name| name.to_str());
    if let Some(id) = folder.and_then(|name| name.strip_prefix("exp="))
        && id != manifest.experiment.id
    {
        let declared = std::mem::replace(&mut manifest.experiment.id, id.to_owned());
        manifest.experiment.in_plugin = Some(declared);
    }
    Ok(manifest)
}

/// Replaces a run's manifest. Only for the holder of its lock, who may learn more later, such as the parameters of an
/// import whose source names them at its end.
///
/// # Errors
/// The file cannot be written.
pub fn replace_manifest(run: &RunDir, manifest: &Manifest) -> Result<()> {
    let path = run.manifest();
    let text = toml::to_string(manifest).format_at("encode", &path)?;
    // A file that cannot be parsed again, for example because of a repeated key, would make the run unreadable.
    toml::from_str::<Manifest>(&text).format_at("encode", &path)?;
    crate::disk::inside::replace(run, &path, text.as_bytes(), true).at("write", &path)
}

/// Returns an error if `found` is newer than this crate supports.
pub(crate) fn check_schema(found: u32, path: &Path) -> Result<()> {
    if found > crate::schema::SCHEMA {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: crate::schema::SCHEMA,
        });
    }
    Ok(())
}

/// TOML's integers are signed, so larger seeds are written as text.
mod big_u64 {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(v: &Option<u64>, s: S) -> Result<S::Ok, S::Error> {
        match v.map(|v| i64::try_from(v).map_err(|_| v)) {
            None => s.serialize_none(),
            Some(Ok(i)) => s.serialize_i64(i),
            Some(Err(v)) => s.serialize_str(&v.to_string()),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Repr {
        Number(u64),
        Text(String),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
        match Repr::deserialize(d)? {
            Repr::Number(v) => Ok(Some(v)),
            Repr::Text(t) => t.parse().map(Some).map_err(serde::de::Error::custom),
        }
    }
}

/// Serializes a list of pairs as a map that keeps its order.
mod ordered_map {
    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    use super::ParamValue;

    pub(super) fn serialize<S: Serializer>(v: &[(String, ParamValue)], s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(v.iter().map(|(k, v)| (k, v)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<(String, ParamValue)>, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(String, ParamValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table of parameters")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    out.push(pair);
                }
                Ok(out)
            }
        }
        d.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_value_in_json() {
        let values =
            ["nan", "inf", "-inf", "0.5", "3", "true", "adam"].map(|text| ParamValue::typed(text).json());
        assert_eq!(
            serde_json::Value::from(values.to_vec()).to_string(),
            r#"["NaN","inf","-inf",0.5,3,true,"adam"]"#
        );
    }
}
