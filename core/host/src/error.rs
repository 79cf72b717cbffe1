//! Errors of this crate. Each says what failed, where, and what to do.

use std::path::{Path, PathBuf};

use gradtop_store::{RunDir, StoreError, did_you_mean};
use serde::{Deserialize, Serialize};

use crate::run::allowed::{Action, Why};

/// The result type of this crate.
pub type Result<T, E = HostError> = std::result::Result<T, E>;

/// Why a file cannot be used as a plugin. Serializable, because it comes from a child process and is cached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The plugin in a run's folder belongs to another user.
    #[error("belongs to another user (uid {owner}), whose code would run with your rights")]
    Foreign {
        /// What belongs to that user: the run's folder, manifest or plugin.
        what: String,
        /// The user's id.
        owner: u32,
    },
    /// The plugin in a run's folder is not the file the run was started with.
    #[error(
        "is not the file the run was started with: its SHA-256 is {}, but {} was recorded",
        short(found),
        short(recorded)
    )]
    Changed {
        /// The hash of the file.
        found: String,
        /// The hash in `run.toml`.
        recorded: String,
    },
    /// It is not an ELF file.
    #[error("is not a shared library: a plugin is a compiled .so file, such as `gradtop plugin build` makes")]
    NotElf,
    /// It is a damaged or truncated ELF file.
    #[error("is a damaged shared library ({0}): build or copy it again")]
    DamagedElf(String),
    /// It is an ELF file, but a program or an object file.
    #[error("is {0}, not a shared library: build it as one (in Rust: crate-type cdylib)")]
    NotALibrary(String),
    /// It is built for another architecture.
    #[error("is built for {found}, but this gradtop for {wanted}: build it on this machine")]
    WrongArchitecture {
        /// The architecture it is built for.
        found: String,
        /// The architecture of this machine.
        wanted: String,
    },
    /// It is a library, but exports no plugin entry.
    #[error(
        "exports no gradtop_entry_v{}: it is not a gradtop plugin (one in Rust calls export_experiments!)",
        gradtop_abi::ABI_MAJOR
    )]
    NoEntry,
    /// Its entry is for another major version of the ABI.
    #[error("is a plugin for ABI {0}, but this gradtop uses ABI {ours}: {what}", ours = gradtop_abi::ABI_MAJOR, what = newer_or_older(*.0))]
    OtherMajor(u32),
    /// Libraries it needs are missing.
    #[error("needs {}, which {} not found; looked in {}", missing.join(", "), if missing.len() == 1 { "is" } else { "are" }, looked_in(looked))]
    MissingLibraries {
        /// Their names.
        missing: Vec<String>,
        /// The folders that were searched.
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
        /// The symbol version that is needed.
        version: String,
        /// The version on this machine, if known.
        here: Option<String>,
    },
    /// It needs libtorch, which was not found.
    #[error(
        "needs libtorch, and {library} was not found; looked in {}. Run `gradtop setup`, or set GRADTOP_LIBTORCH to the folder that contains it",
        looked_in(looked)
    )]
    MissingLibtorch {
        /// The library that is missing.
        library: String,
        /// The folders that were searched.
        looked: Vec<PathBuf>,
    },
    /// The loader could not open it.
    #[error("cannot be opened: {0}")]
    Open(String),
    /// The entry function returned null.
    #[error("returned null from its entry function")]
    NullEntry,
    /// The entry does not begin with the magic number.
    #[error(
        "has an entry that begins with {0:#010x} instead of {magic:#010x}: it is not a gradtop plugin",
        magic = gradtop_abi::MAGIC
    )]
    Magic(u32),
    /// A struct is smaller than in the first version of its major.
    #[error("has a {what} of {found} bytes, but needs at least {needed}: build it against this gradtop.h")]
    TooShort {
        /// Which struct.
        what: String,
        /// Its size as the plugin states it.
        found: u32,
        /// The minimum size.
        needed: u32,
    },
    /// The entry states another major version than its symbol.
    #[error("states ABI {0} in its entry, but this gradtop uses ABI {ours}: {what}", ours = gradtop_abi::ABI_MAJOR, what = newer_or_older(*.0))]
    Major(u32),
    /// A function of the entry is null.
    #[error("has no function `{0}` in its entry (null)")]
    NullFunction(String),
    /// A descriptor is missing; a plugin prints the reason to standard error.
    #[error("{}", no_descriptor(*index, words))]
    NoDescriptor {
        /// The experiment's index.
        index: u32,
        /// The line that the plugin printed.
        words: String,
    },
    /// A descriptor violates a rule.
    #[error("describes itself wrongly: {place}: {problem}")]
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
        /// The signal or exit code.
        how: String,
        /// The end of its output.
        output: String,
    },
    /// The describing process could not be started, or its answer not be parsed.
    #[error("could not be described: {0}")]
    Internal(String),
}

impl Refusal {
    /// Creates the error for a file that changes while it is read.
    pub(crate) fn being_written() -> Self {
        Self::Unreadable("it is still being written: try again".to_owned())
    }

    /// Returns whether the cause may lie in the machine's state rather than the file, so that another attempt may
    /// succeed with the same file.
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

/// Converts an I/O error while reading the file.
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

/// Prefix of the line in which an SDK plugin reports its own error.
pub(crate) const OWN_WORDS: &str = "gradtop plugin: ";

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it wrote: {output}") }
}

/// A parameter or preset is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// There is no such parameter or preset.
    #[error("there is no {what} {name:?}{}", near_or_all(near, all))]
    Unknown {
        /// `parameter` or `preset`.
        what: &'static str,
        /// The name given.
        name: String,
        /// Similar names.
        near: Vec<String>,
        /// All names.
        all: Vec<String>,
    },
    /// The value is not of the parameter's type.
    #[error("{key} = {value:?}: expected {wanted}")]
    Type {
        /// The parameter.
        key: String,
        /// The text given.
        value: String,
        /// A description of what is expected.
        wanted: String,
    },
    /// The value is outside the parameter's range.
    #[error("{key} = {value} {}", out_of(range))]
    Range {
        /// The parameter.
        key: String,
        /// The value given.
        value: String,
        /// The range, as `(0, 10]`.
        range: String,
    },
    /// The value is not one of the choices.
    #[error("{key} = {value:?}: expected one of {}{}", choices.join(", "), did_you_mean(near))]
    Choice {
        /// The parameter.
        key: String,
        /// The text given.
        value: String,
        /// Similar choices.
        near: Vec<String>,
        /// All choices.
        choices: Vec<String>,
    },
    /// A key is given twice.
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

/// An error when a run is started or asked for something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// An error in the run's folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A plugin cannot be used.
    #[error("{}: {refusal}", path.display())]
    Plugin {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        refusal: Refusal,
    },
    /// A run's plugin belongs to another user or differs from the one the run was started with.
    #[error(
        "cannot resume {run}: its {} {refusal}. To run it anyway: gradtop resume {run} --trust",
        if let Refusal::Foreign { what, .. } = refusal { what.as_str() } else { "plugin.so" }
    )]
    Untrusted {
        /// The run's name.
        run: String,
        /// The reason.
        refusal: Refusal,
    },
    /// An invalid parameter.
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
    /// The experiment refuses the parameters.
    #[error("{message}")]
    Refused {
        /// The experiment's id.
        experiment: String,
        /// The experiment's message.
        message: String,
    },
    /// The requested device cannot be used.
    #[error("{device} cannot be used: {why}")]
    Device {
        /// Such as `cuda:1`.
        device: String,
        /// The reason.
        why: String,
    },
    /// The run is no longer in the queue.
    #[error("{0} does not wait in the queue: `gradtop list` shows what became of it")]
    NotQueued(String),
    /// The run waits in the queue, but is not held.
    #[error("{run} is not held: it waits for {}", waits_for(after))]
    NotHeld {
        /// The run's name.
        run: String,
        /// The runs that must have finished first, as `<experiment>/<name>`.
        after: Vec<String>,
    },
    /// The operating system refused an operation.
    #[error("cannot {what}: {source}")]
    Io {
        /// The operation.
        what: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The process to record does not exist.
    #[error("there is no process {0} to record")]
    NoProcess(u32),
    /// A command cannot be started.
    #[error("there is no program {program:?} to run: {why}")]
    NoProgram {
        /// The program as given.
        program: String,
        /// The reason.
        why: String,
    },
    /// The run's processes did not start.
    #[error("the run {run} did not start: {why}")]
    NotStarted {
        /// The run's name.
        run: String,
        /// The reason.
        why: String,
    },
    /// Slurm refused a request or did not answer.
    #[error("cannot {what}: {why}")]
    Slurm {
        /// The request.
        what: &'static str,
        /// Slurm's message.
        why: String,
    },
    /// The action is not allowed on this run.
    #[error("{run} {why}")]
    NotAllowed {
        /// The run's name.
        run: String,
        /// The action.
        action: Action,
        /// The reason.
        why: Why,
    },
    /// The folder to delete is not a run, or contains other files too.
    #[error("{} was not deleted: {why}", path.display())]
    NotDeleted {
        /// The folder.
        path: PathBuf,
        /// The reason, and what to do.
        why: String,
    },
}

impl HostError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Like [`Self::io`], for an operation on a file or folder.
    pub(crate) fn at(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(format!("{what} {}", path.display()))
    }

    pub(crate) fn not_allowed(run: &RunDir, action: Action) -> impl FnOnce(Why) -> Self {
        let run = run.name();
        move |why| Self::NotAllowed { run, action, why }
    }
}

/// What a run waits for that is not held.
fn waits_for(after: &[String]) -> String {
    let names: Vec<&str> = after.iter().map(|run| run.rsplit('/').next().unwrap_or(run)).collect();
    if names.is_empty() { "a free slot".to_owned() } else { names.join(", ") }
}
