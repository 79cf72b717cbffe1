//! `run.toml`: what a run was started with. Written once, before anything runs.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::machine::{boot_id, host_name};
use crate::folder::run_dir::RunDir;

/// Everything a run was started with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file, [`crate::SCHEMA`].
    pub schema: u32,
    /// What does its work.
    #[serde(default)]
    pub kind: Kind,
    /// The run's name; the folder is `run=<name>`.
    #[serde(default)]
    pub run: String,
    /// When the run was asked for.
    pub created: Timestamp,
    /// The seed all random numbers derive from.
    #[serde(default, with = "big_u64")]
    pub seed: u64,
    /// `cpu` or `cuda:<n>`; empty where nobody knows.
    #[serde(default)]
    pub device: String,
    /// Why this device, where gradtop chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_reason: Option<String>,
    /// Threads the training may use; 0 where nobody knows.
    #[serde(default)]
    pub threads: u32,
    /// Seconds between checkpoints; 0 for none but those asked for.
    #[serde(default)]
    pub checkpoint_every_s: u64,
    /// The preset the parameters started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Rules of alerts that were given for this run, as a person writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// Name of the machine.
    #[serde(default)]
    pub host: String,
    /// The machine's boot: a run of an earlier boot cannot be alive.
    #[serde(default)]
    pub boot_id: String,
    /// Commit of the checkout it was started in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The experiment.
    pub experiment: ExperimentInfo,
    /// The plugin it came from, of a run of [`Kind::Plugin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginInfo>,
    /// The command, of a run of [`Kind::Command`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandInfo>,
    /// What was read, of a run of [`Kind::Import`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportInfo>,
    /// What wrote and ran it.
    #[serde(default)]
    pub versions: Versions,
    /// Every parameter with its value, in the experiment's order.
    #[serde(default, with = "ordered_map")]
    pub params: Vec<(String, ParamValue)>,
    /// The metrics the experiment declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricInfo>,
}

impl Manifest {
    /// Of a run that is begun now, here and by this version. The rest is for the caller to say.
    pub fn new(run: &str, experiment: ExperimentInfo) -> Self {
        Self {
            schema: crate::SCHEMA,
            run: run.to_owned(),
            created: Timestamp::now(),
            host: host_name(),
            boot_id: boot_id(),
            experiment,
            versions: Versions { gradtop: env!("CARGO_PKG_VERSION").to_owned(), ..Versions::default() },
            ..Self::default()
        }
    }

    /// SHA-256 of its plugin, shortened for people; `None` if it has none.
    pub fn plugin_hash(&self) -> Option<&str> {
        self.plugin.as_ref().map(|plugin| plugin.sha256.get(..12).unwrap_or(&plugin.sha256))
    }
}

/// What does the work of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A plugin, in a trainer.
    #[default]
    Plugin,
    /// A command of the user, whose values a sink records.
    Command,
    /// Another tool, whose log was read.
    Import,
}

/// The command of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CommandInfo {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The same with `{key}` where values of parameters stand, where it was given so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template: Vec<String>,
    /// The parameters that were given with it, by their texts as they were typed; the others it has named itself.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub given: std::collections::BTreeMap<String, String>,
    /// The folder it works in.
    pub dir: String,
    /// Seconds it may take to end once it is asked to stop, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<f64>,
    /// Units of work in all, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Logs that it writes, which are recorded as they grow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogInfo>,
    /// The branch checked out around its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<String>,
    /// Whether tracked files differed from the commit, where git was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_dirty: Option<bool>,
    /// The process, where the run was begun by one that was already at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<AttachedTo>,
    /// The variables of its environment that are worth knowing and give nothing away.
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

/// A process that a run was begun by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedTo {
    /// Its id.
    pub pid: u32,
    /// Field `starttime` of its `/proc/<pid>/stat`.
    pub start: u64,
}

impl CommandInfo {
    /// The command as a shell takes it.
    pub fn in_words(&self) -> String {
        shell_words(&self.argv)
    }
}

/// A program and its arguments as a shell takes them.
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

/// Where an imported run comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportInfo {
    /// The file or folder that was read.
    pub source: String,
    /// What wrote it, such as `TensorBoard`.
    pub format: String,
}

/// The experiment of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExperimentInfo {
    /// Its id, also the folder `exp=<id>`: of a folder that was renamed the new name.
    pub id: String,
    /// What its plugin calls it, if that is something else by now.
    #[serde(skip)]
    pub in_plugin: Option<String>,
    /// Its title.
    #[serde(default)]
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// What it does, in a line.
    #[serde(default)]
    pub summary: String,
    /// Whether it can go on from a checkpoint.
    #[serde(default)]
    pub resumable: bool,
    /// Whether it makes use of a GPU.
    #[serde(default)]
    pub uses_device: bool,
}

impl ExperimentInfo {
    /// Its id in its plugin.
    pub fn plugin_id(&self) -> &str {
        self.in_plugin.as_deref().unwrap_or(&self.id)
    }
}

/// The plugin of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PluginInfo {
    /// The run's own copy, relative to the run folder.
    pub file: String,
    /// SHA-256 of that copy, in hexadecimal.
    pub sha256: String,
    /// What the plugin says it was built with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_with: Option<String>,
    /// Where the plugin was found.
    pub original_path: String,
}

/// Versions of what made a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// gradtop's version.
    pub gradtop: String,
    /// The plugin ABI, as `major.minor`; empty without a plugin.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub abi: String,
    /// libtorch's version, if the plugin uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libtorch: Option<String>,
    /// The Python that a client in the command runs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// The PyTorch that it has imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub torch: Option<String>,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A text or a choice.
    Text(String),
}

impl ParamValue {
    /// A value as it was typed: a number or a truth value where it is one.
    pub fn typed(text: &str) -> Self {
        let whole = || text.parse().map(Self::Int).ok();
        let float = || text.parse().map(Self::Float).ok();
        let truth = || text.parse().map(Self::Bool).ok();
        whole().or_else(float).or_else(truth).unwrap_or_else(|| Self::Text(text.to_owned()))
    }
}

impl std::fmt::Display for ParamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
        }
    }
}

/// Which way a metric should go.
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

/// A metric as its experiment declared it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent flags of a declaration")]
pub struct MetricInfo {
    /// Its name.
    pub name: String,
    /// Its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it means, in a line.
    #[serde(default)]
    pub help: String,
    /// Which way it should go.
    #[serde(default)]
    pub goal: Goal,
    /// Whether overviews show it.
    #[serde(default)]
    pub headline: bool,
    /// The split whose values stand for a run, where the experiment says so; see [`crate::split_rank`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline_of: Option<String>,
    /// Whether the run fails once it is non-finite in every model and trial.
    #[serde(default)]
    pub guard: bool,
    /// Whether its axis is logarithmic.
    #[serde(default)]
    pub log: bool,
    /// Whether it depends on the clock, so that equal seeds need not give equal values.
    #[serde(default)]
    pub wall_clock: bool,
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

/// Reads a run's manifest. Its `run` and its experiment's `id` are the folders' names, whatever the file says: what was copied or
/// renamed is known by its new name everywhere.
///
/// # Errors
/// It cannot be read or understood, or a newer version wrote it.
pub fn read_manifest(run: &RunDir) -> Result<Manifest> {
    let path = run.manifest();
    let text =
        crate::folder::inside::read_text(run, &path, crate::folder::inside::TEXT_LIMIT).at("read", &path)?;
    // The schema first: a newer file may lack what this version requires.
    let Schema { schema } = toml::from_str(&text).format_at("understand", &path)?;
    check_schema(schema, &path)?;
    let mut manifest: Manifest = toml::from_str(&text).format_at("understand", &path)?;
    manifest.run = run.name();
    let folder = run.path().parent().and_then(Path::file_name).and_then(|name| name.to_str());
    if let Some(id) = folder.and_then(|name| name.strip_prefix("exp="))
        && id != manifest.experiment.id
    {
        let declared = std::mem::replace(&mut manifest.experiment.id, id.to_owned());
        manifest.experiment.in_plugin = Some(declared);
    }
    Ok(manifest)
}

/// Replaces a run's manifest: for whoever holds its lock and has learnt more of what it was started with, such as
/// parameters that an import's source names only at its end.
///
/// # Errors
/// The disk does not take it.
pub fn replace_manifest(run: &RunDir, manifest: &Manifest) -> Result<()> {
    let path = run.manifest();
    let text = toml::to_string(manifest).format_at("encode", &path)?;
    // What cannot be read again, such as a name given twice, would make the run one that nobody can open.
    toml::from_str::<Manifest>(&text).format_at("encode", &path)?;
    crate::folder::inside::replace(run, &path, text.as_bytes(), true).at("write", &path)
}

/// An error if `found` is newer than this crate.
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

/// TOML's integers are signed: a seed beyond them is written as text.
mod big_u64 {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(v: &u64, s: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*v) {
            Ok(i) => s.serialize_i64(i),
            Err(_) => s.serialize_str(&v.to_string()),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Repr {
        Number(u64),
        Text(String),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
        match Repr::deserialize(d)? {
            Repr::Number(v) => Ok(v),
            Repr::Text(t) => t.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A list of pairs as a map that keeps its order.
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
