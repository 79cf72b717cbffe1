//! An open plugin file: what is hashed is what is inspected, copied and loaded, even if its path changes.

use std::fs::File;
use std::os::fd::IntoRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gradtop_store::{RunDir, inside, read_manifest};

use crate::error::Refusal;
use crate::machine::file::{handle, identity, sha256};

#[derive(Debug)]
pub(crate) struct PluginFile {
    file: File,
    path: PathBuf,
}

impl PluginFile {
    /// Opens a plugin. One in a run's folder must be the file that the run was started with, and belong to this user.
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        let path = std::path::absolute(path)?;
        if let Some(run) = run_of(&path) {
            let manifest = read_manifest(&run).map_err(|e| Refusal::Unreadable(e.to_string()))?;
            check_owner(&run)?;
            let plugin =
                manifest.plugin.ok_or_else(|| Refusal::Unreadable("the run has no plugin".to_owned()))?;
            return Self::of_run(&run, &plugin.sha256);
        }
        // A pipe would block, and a folder cannot be read.
        let path = path.canonicalize()?;
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(&path)?;
        Self { file, path }.if_regular()
    }

    /// Opens a run's plugin, which must have this hash.
    pub(crate) fn of_run(run: &RunDir, sha256: &str) -> Result<Self, Refusal> {
        let opened = Self::of_run_as_it_is(run)?;
        let found = opened.sha256()?;
        if found == sha256 {
            Ok(opened)
        } else {
            Err(Refusal::Changed { found, recorded: sha256.to_owned() })
        }
    }

    /// Opens a run's plugin without checking its hash.
    pub(crate) fn of_run_as_it_is(run: &RunDir) -> Result<Self, Refusal> {
        let path = run.plugin();
        let file = inside::open(run, &path)?;
        Self { file, path }.if_regular()
    }

    /// Takes over an inherited descriptor; `path` is where the file was opened.
    pub(crate) fn inherited(file: File, path: &Path) -> Result<Self, Refusal> {
        Self { file, path: path.to_owned() }.if_regular()
    }

    fn if_regular(self) -> Result<Self, Refusal> {
        if self.file.metadata()?.is_file() {
            Ok(self)
        } else {
            Err(Refusal::Unreadable("it is not a regular file".to_owned()))
        }
    }

    /// Returns the path at which it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Returns a path that names this very file for as long as this value lives.
    pub(crate) fn handle(&self) -> PathBuf {
        handle(&self.file)
    }

    /// Keeps the file open for the lifetime of the process, so that [`Self::handle`] remains valid: the loader and
    /// backtraces use that name. Returns the path at which it was opened.
    pub(crate) fn stay_open(self) -> PathBuf {
        let _descriptor: i32 = self.file.into_raw_fd();
        self.path
    }

    pub(crate) fn identity(&self) -> std::io::Result<(u64, i128)> {
        identity(&self.handle())
    }

    pub(crate) fn sha256(&self) -> std::io::Result<String> {
        sha256(&self.file)
    }
}

/// Returns the run whose plugin this is, according to its path.
fn run_of(plugin: &Path) -> Option<RunDir> {
    let run = RunDir::new(plugin.parent()?);
    (plugin == run.plugin() && inside::exists(&run, &run.manifest())).then_some(run)
}

/// Refuses to run a plugin that another user has put into a run's folder. A run without a plugin passes.
pub(crate) fn check_owner(run: &RunDir) -> Result<(), Refusal> {
    let us = rustix::process::geteuid().as_raw();
    let parts = [("folder", run.path()), ("run.toml", &run.manifest()), ("plugin.so", &run.plugin())];
    for (what, path) in parts {
        let meta = match std::fs::metadata(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && what == "plugin.so" => continue,
            read => read?,
        };
        if meta.uid() != us {
            return Err(Refusal::Foreign { what: what.to_owned(), owner: meta.uid() });
        }
    }
    Ok(())
}
