//! A plugin's file, held open: what is hashed is what is inspected, copied and loaded, whatever its name comes to mean.

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
    /// Opens a plugin to look into it or to load it. One that lies in a run's folder must be the file that the run was
    /// started with, and this user's.
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

    /// Opens a run's plugin, whatever it is by now.
    pub(crate) fn of_run_as_it_is(run: &RunDir) -> Result<Self, Refusal> {
        let path = run.plugin();
        let file = inside::open(run, &path)?;
        Self { file, path }.if_regular()
    }

    /// Takes over a descriptor that was inherited; `path` is where the file lay.
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

    /// Where it lay when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The name by which this very file is opened again, for as long as this value lives.
    pub(crate) fn handle(&self) -> PathBuf {
        handle(&self.file)
    }

    /// Leaves the file open for as long as the process lives, so that [`Self::handle`] stays its name: the loader knows a
    /// library by its name, and backtraces find its symbols by it. Where it lay when it was opened.
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

/// The run whose plugin this is, by its place.
fn run_of(plugin: &Path) -> Option<RunDir> {
    let run = RunDir::new(plugin.parent()?);
    (plugin == run.plugin() && inside::exists(&run, &run.manifest())).then_some(run)
}

/// Refuses to run what another user has put into a run's folder. A run of a command has no plugin; of another one that lacks it,
/// opening it says so.
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
