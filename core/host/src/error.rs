//! Why something was refused or failed: what, where, and what to do.

use std::path::PathBuf;

use gradtop_store::{RunDir, StoreError};
use serde::{Deserialize, Serialize};

use crate::run::allowed::{Action, Why};

/// A result of this crate.
pub type Result<T, E = HostError> = std::result::Result<T, E>;

/// Why a file is no plugin that can be used. Serialisable: it comes out of a child process, and is cached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// In a run's folder, and another user's.
    #[error("belongs to another user (uid {owner}), whose code would run with your rights")]
    Foreign {
        /// What of the run is: its folder, manifest or plugin.
        what: String,
        /// That user.
        owner: u32,
    },
    /// In a run's folder, and not the file the run was started with.
    #[error(
        "is not the file the run was started with: its SHA-256 is {}, but {} was recorded",
        short(found),
        short(recorded)
    )]
    Changed {
        /// The hash that the file has.
        found: String,
        /// The hash that `run.toml` has.
        recorded: String,
    },
    /// Something else than an ELF file.
    #[error("is not an ELF file: a plugin is a shared library (cdylib)")]
    NotElf,
    /// A damaged or cut ELF file.
    #[error("is a damaged ELF file ({0}): rebuild it")]
    DamagedElf(String),
    /// An ELF file, but a program or an object file.
    #[error("is {0}, not a shared library: build it as a cdylib")]
    NotALibrary(String),
    /// For another machine.
    #[error("is built for {found}, but this gradtop for {wanted}: build it on this machine")]
    WrongArchitecture {
        /// What it is built for.
        found: String,
        /// What it should be built for.
        wanted: String,
    },
    /// A library, but no plugin.
    #[error(
        "exports no gradtop_entry_v{}: it is not a gradtop plugin (does it call export_experiments!?)",
        gradtop_abi::ABI_MAJOR
    )]
    NoEntry,
    /// A plugin of another ABI major, by the name of its entry.
    #[error("is a plugin for ABI {0}, but this gradtop uses ABI {ours}: {what}", ours = gradtop_abi::ABI_MAJOR, what = newer_or_older(*.0))]
    OtherMajor(u32),
    /// Libraries it needs are not there.
    #[error("needs {}, which {} not found; looked in {}", missing.join(", "), if missing.len() == 1 { "is" } else { "are" }, looked_in(looked))]
    MissingLibraries {
        /// Their names.
        missing: Vec<String>,
        /// Where they were looked for.
        looked: Vec<PathBuf>,
    },
    /// It was built on a newer system than this one.
    #[error(
        "is built for a newer system: it needs {version} of {library}{}; build it on this machine",
        have(here.as_deref())
    )]
    NewerSystem {
        /// The library that is too old here.
        library: String,
        /// The version of its symbols that is wanted.
        version: String,
        /// What is here, where that is known.
        here: Option<String>,
    },
    /// libtorch is not there.
    #[error(
        "needs libtorch, and {library} was not found; looked in {}. Run `gradtop setup`, or set GRADTOP_LIBTORCH to the folder that contains it",
        looked_in(looked)
    )]
    MissingLibtorch {
        /// The library that is missing.
        library: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The loader refused it.
    #[error("cannot be opened: {0}")]
    Open(String),
    /// The entry function returned null.
    #[error("its entry function returned null")]
    NullEntry,
    /// The entry does not begin with the magic number.
    #[error(
        "its entry begins with {0:#010x} instead of {magic:#010x}: it is not a gradtop plugin",
        magic = gradtop_abi::MAGIC
    )]
    Magic(u32),
    /// A struct is smaller than the first version of its major.
    #[error("its {what} has {found} bytes, but needs at least {needed}: build it against this gradtop.h")]
    TooShort {
        /// Which struct.
        what: String,
        /// Its size as the plugin states it.
        found: u32,
        /// The least size.
        needed: u32,
    },
    /// The entry states another major than its symbol.
    #[error("its entry states ABI {0}, but this gradtop uses ABI {ours}: {what}", ours = gradtop_abi::ABI_MAJOR, what = newer_or_older(*.0))]
    Major(u32),
    /// A function of the entry is null.
    #[error("its entry has no function `{0}` (null)")]
    NullFunction(String),
    /// There is no descriptor where one should be; a plugin says why on its standard error.
    #[error("{}", no_descriptor(*index, words))]
    NoDescriptor {
        /// The experiment's index.
        index: u32,
        /// What the plugin wrote, a line.
        words: String,
    },
    /// A descriptor breaks a rule.
    #[error("{place}: {problem}")]
    BadDescriptor {
        /// Which experiment and which part of it.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// It did not describe itself in time.
    #[error("did not describe itself within {0} s: its entry or a static constructor is slow or hangs")]
    TimeOut(u64),
    /// The describing process died.
    #[error("ended its process while being described ({how}){}", said(output))]
    Died {
        /// Signal or exit code.
        how: String,
        /// The last it wrote.
        output: String,
    },
    /// The describing process could not be started or understood.
    #[error("could not be described: {0}")]
    Internal(String),
}

impl Refusal {
    /// The file changes while it is read.
    pub(crate) fn being_written() -> Self {
        Self::Unreadable("it is still being written: try again".to_owned())
    }

    /// Whether it may have to do with the state of the machine rather than with the file, which need not change to be
    /// taken another time.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::MissingLibraries { .. }
                | Self::MissingLibtorch { .. }
                | Self::NewerSystem { .. }
                | Self::Open { .. }
                | Self::NoDescriptor { .. }
                | Self::Internal { .. }
                | Self::TimeOut { .. }
                | Self::Died { .. }
        )
    }
}

/// The file cannot be read.
impl From<std::io::Error> for Refusal {
    fn from(e: std::io::Error) -> Self {
        Self::Unreadable(e.to_string())
    }
}

fn have(here: Option<&str>) -> String {
    here.map(|here| format!(", but {here} is installed")).unwrap_or_default()
}

fn newer_or_older(found: u32) -> &'static str {
    if found > gradtop_abi::ABI_MAJOR {
        "use a newer gradtop"
    } else {
        "build the plugin against a newer gradtop"
    }
}

/// The beginning of a hash, enough to tell two apart.
fn short(hash: &str) -> String {
    if hash.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{}…", hash.chars().take(12).collect::<String>())
    }
}

fn looked_in(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "the system's folders".to_owned();
    }
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn no_descriptor(index: u32, words: &str) -> String {
    match words.strip_prefix(OWN_WORDS) {
        Some(words) => format!("does not describe itself: {words}"),
        None => format!("returned no descriptor for experiment {index} (null){}", said(words)),
    }
}

/// How the SDK's plugins begin a line about what is wrong with them.
pub(crate) const OWN_WORDS: &str = "gradtop plugin: ";

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it wrote: {output}") }
}

/// A parameter or preset that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// No such parameter.
    #[error("there is no parameter {key:?}{}", near_or_all(near, all))]
    Unknown {
        /// The key given.
        key: String,
        /// Keys that come near.
        near: Vec<String>,
        /// All keys.
        all: Vec<String>,
    },
    /// No such preset.
    #[error("there is no preset {name:?}{}", near_or_all(near, all))]
    UnknownPreset {
        /// The name given.
        name: String,
        /// Names that come near.
        near: Vec<String>,
        /// All names.
        all: Vec<String>,
    },
    /// Not a value of its type.
    #[error("{key} = {value:?}: expected {wanted}")]
    Type {
        /// The parameter.
        key: String,
        /// The text given.
        value: String,
        /// What is wanted, in words.
        wanted: String,
    },
    /// Outside its range.
    #[error("{key} = {value} {}", out_of(range))]
    Range {
        /// The parameter.
        key: String,
        /// The value given.
        value: String,
        /// The range, as `(0, 10]`.
        range: String,
    },
    /// Not one of the choices.
    #[error("{key} = {value:?}: expected one of {}{}", choices.join(", "), did_you_mean(near))]
    Choice {
        /// The parameter.
        key: String,
        /// The text given.
        value: String,
        /// Choices that come near.
        near: Vec<String>,
        /// All choices.
        choices: Vec<String>,
    },
    /// The same key twice.
    #[error("{0} is set twice")]
    Twice(String),
}

fn out_of(range: &str) -> String {
    if range.starts_with(['[', '(']) { format!("is outside {range}") } else { format!("is not {range}") }
}

fn near_or_all(near: &[String], all: &[String]) -> String {
    match (near, all) {
        ([], []) => "; it has none".to_owned(),
        ([], all) => format!("; it has: {}", all.join(", ")),
        (near, _) => did_you_mean(near),
    }
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// What can go wrong when a run is started or asked for something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The run folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The plugin.
    #[error("{}: {refusal}", path.display())]
    Plugin {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        refusal: Refusal,
    },
    /// A run's plugin is not what the run was started with, or not this user's.
    #[error(
        "cannot resume {run}: its {} {refusal}. To run it anyway: gradtop resume {run} --trust",
        if let Refusal::Foreign { what, .. } = refusal { what.as_str() } else { "plugin.so" }
    )]
    Untrusted {
        /// The run's name.
        run: String,
        /// Why.
        refusal: Refusal,
    },
    /// A parameter.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The plugin has no such experiment.
    #[error("{} has no experiment {experiment:?}; it has: {}", path.display(), has.join(", "))]
    NoSuchExperiment {
        /// The plugin.
        path: PathBuf,
        /// The id asked for.
        experiment: String,
        /// The ids it has.
        has: Vec<String>,
    },
    /// The experiment itself refuses the parameters.
    #[error("{message}")]
    Refused {
        /// The experiment's id.
        experiment: String,
        /// Why, in its words.
        message: String,
    },
    /// The device asked for cannot be used.
    #[error("{device} cannot be used: {why}")]
    Device {
        /// Such as `cuda:1`.
        device: String,
        /// Why.
        why: String,
    },
    /// It was in the queue, and is not any more.
    #[error("{0} does not wait in the queue: `gradtop list` shows what became of it")]
    NotQueued(String),
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A command that cannot be started.
    #[error("there is no program {program:?} to run: {why}")]
    NoProgram {
        /// As it was given.
        program: String,
        /// Why.
        why: String,
    },
    /// The run's processes did not come up.
    #[error("the run {run} did not start: {why}")]
    NotStarted {
        /// The run's name.
        run: String,
        /// Why.
        why: String,
    },
    /// Slurm refuses, or does not answer.
    #[error("cannot {what}: {why}")]
    Slurm {
        /// What was wanted.
        what: &'static str,
        /// Why it was not done, in Slurm's words.
        why: String,
    },
    /// It may not be done to this run.
    #[error("{run} {why}")]
    NotAllowed {
        /// The run's name.
        run: String,
        /// What was asked.
        action: Action,
        /// Why not.
        why: Why,
    },
    /// Asked to delete what is not a run, or not only one.
    #[error("{} was not deleted: {why}", path.display())]
    NotDeleted {
        /// The folder.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
}

impl HostError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn not_allowed(run: &RunDir, action: Action) -> impl FnOnce(Why) -> Self {
        let run = run.name();
        move |why| Self::NotAllowed { run, action, why }
    }
}
