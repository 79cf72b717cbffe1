//! One file for all runs of a plugin: `<runs>/.plugins/<sha256>.so` is hard-linked into each run's folder as
//! `plugin.so`, so that a run needs no copy and its folder is complete when copied elsewhere.
//!
//! File names there are not trusted: a file is linked only if it belongs to this user, is read-only, and has the hash
//! in its name. If links are not possible, a run gets a copy.

use std::cell::OnceCell;
use std::ffi::CString;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gradtop_store::RunDir;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat, statat, unlinkat};

use crate::machine::file::{At, handle, sha256};
use crate::plugin::file::PluginFile;

/// The folder, within the folder of runs.
const FOLDER: &str = ".plugins";
/// Prefix of a file that is being made.
const TMP: &str = ".tmp-";
/// Age at which such a file must have been abandoned.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// The shared file of a plugin, kept open once it has been verified so that it stays the same.
#[derive(Default)]
pub(crate) struct Shared(OnceCell<File>);

impl Shared {
    /// Puts a plugin with the hash `hash` at `to`, in the folder of a run that is being created.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::ResourceBusy`] if the file's content has changed since it was hashed.
    pub(crate) fn put(&self, runs: &Path, plugin: &PluginFile, hash: &str, to: &Path) -> Result<()> {
        if self.0.get().is_some_and(|file| give(file, to).is_ok()) {
            return Ok(());
        }
        match link(runs, plugin, hash, to) {
            Ok(file) => {
                self.0.set(file).ok();
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::ResourceBusy => Err(e),
            Err(_) => {
                let mut copy =
                    File::options().write(true).read(true).create_new(true).mode(0o600).open(to)?;
                fill(&mut copy, plugin, hash)
            }
        }
    }
}

fn give(shared: &File, to: &Path) -> rustix::io::Result<()> {
    linkat(CWD, handle(shared), CWD, to, AtFlags::SYMLINK_FOLLOW)
}

fn link(runs: &Path, plugin: &PluginFile, hash: &str, to: &Path) -> Result<File> {
    let folder = open_folder(runs, true)?;
    let name = name(&folder, hash);
    // Other processes may create or remove the file at any time by starting and deleting runs.
    for _ in 0..4 {
        match usable(&folder, &name, hash)? {
            Some(shared) => match give(&shared, to) {
                Err(rustix::io::Errno::NOENT) if to.parent().is_some_and(Path::exists) => {}
                done => return Ok(done.map(|()| shared)?),
            },
            None => make(&folder, plugin, hash, &name)?,
        }
    }
    Err(Error::other("the shared copy of the plugin goes as soon as it is made"))
}

/// Opens the folder itself, never through a link in its place.
fn open_folder(runs: &Path, make: bool) -> Result<OwnedFd> {
    let path = runs.join(FOLDER);
    if make {
        gradtop_store::create_shared(runs, &path).map_err(Error::other)?;
    }
    Ok(openat(CWD, &path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Returns `<hash>.so`, or a name specific to this user if another user owns that file.
fn name(folder: &OwnedFd, hash: &str) -> String {
    let us = rustix::process::geteuid().as_raw();
    let plain = format!("{hash}.so");
    match statat(folder, &plain, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(meta) if meta.st_uid != us => format!("{hash}-{us}.so"),
        _ => plain,
    }
}

/// Returns the shared file if it is valid; removes it if it is this user's and invalid.
fn usable(folder: &OwnedFd, name: &str, hash: &str) -> Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match openat(folder, name, flags, Mode::empty()) {
        Ok(opened) => Some(File::from(opened)),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        // A link, or a file that not even its owner may read.
        Err(_) => None,
    };
    if let Some(file) = opened {
        let meta = file.metadata()?;
        let ours = meta.uid() == rustix::process::geteuid().as_raw();
        if ours && meta.is_file() && meta.mode() & 0o222 == 0 && sha256(&file)? == hash {
            return Ok(Some(file));
        }
    }
    unlinkat(folder, name, AtFlags::empty())?;
    Ok(None)
}

/// Creates the shared file under a temporary name and then renames it, unless another process was faster.
fn make(folder: &OwnedFd, plugin: &PluginFile, hash: &str, name: &str) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let tmp = format!("{TMP}{}-{}.so", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, &tmp, flags, Mode::from_raw_mode(0o600))?);
    let made = fill(&mut file, plugin, hash).and_then(|()| {
        file.sync_data()?;
        match linkat(folder, &tmp, folder, name, AtFlags::empty()) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            done => Ok(done?),
        }
    });
    unlinkat(folder, &tmp, AtFlags::empty())?;
    if made.is_ok() {
        // A new build of a plugin: a good time to remove unused older ones.
        prune_in(folder, Some(name));
    }
    made
}

/// Copies the plugin into `to` and makes it read-only.
fn fill(to: &mut File, plugin: &PluginFile, hash: &str) -> Result<()> {
    std::io::copy(&mut At { file: plugin.file(), offset: 0 }, to)?;
    if sha256(to)? != hash {
        return Err(Error::new(ErrorKind::ResourceBusy, "it is still being written: try again"));
    }
    let mode = plugin.file().metadata()?.mode() & 0o444 | 0o400;
    to.set_permissions(PermissionsExt::from_mode(mode))
}

/// Removes the shared plugins that no run uses. Failures are ignored.
pub fn prune(runs: &Path) {
    if let Ok(folder) = open_folder(runs, false) {
        prune_in(&folder, None);
        // Only succeeds if it is empty.
        std::fs::remove_dir(runs.join(FOLDER)).ok();
    }
}

/// Returns the size of the shared plugins that no run uses, in bytes.
pub fn unused(runs: &Path) -> u64 {
    let Ok(folder) = open_folder(runs, false) else { return 0 };
    unused_in(&folder, None).map(|(_, bytes)| bytes).sum()
}

fn prune_in(folder: &OwnedFd, keep: Option<&str>) {
    for (name, _) in unused_in(folder, keep) {
        unlinkat(folder, name, AtFlags::empty()).ok();
    }
}

/// Returns names and sizes of this user's unused files.
fn unused_in(folder: &OwnedFd, keep: Option<&str>) -> impl Iterator<Item = (CString, u64)> {
    let us = rustix::process::geteuid().as_raw();
    let now = jiff::Timestamp::now().as_second();
    rustix::fs::Dir::read_from(folder).into_iter().flatten().flatten().filter_map(move |entry| {
        let name = entry.file_name();
        let meta = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let text = name.to_string_lossy();
        let old = now - meta.st_mtime > LEFT_BEHIND.as_secs().cast_signed();
        let unused = match kind(&text) {
            Kind::Plugin => meta.st_nlink == 1 && keep != Some(&text),
            Kind::Unfinished => old,
            Kind::Foreign => false,
        };
        (unused && meta.st_uid == us).then(|| (name.to_owned(), u64::try_from(meta.st_size).unwrap_or(0)))
    })
}

#[derive(Debug, PartialEq)]
enum Kind {
    Plugin,
    Unfinished,
    Foreign,
}

/// Classifies a name: `<hash>.so`, `<hash>-<user>.so`, `.tmp-<process>-<number>.so`, or foreign.
fn kind(name: &str) -> Kind {
    let Some(stem) = name.strip_suffix(".so") else { return Kind::Foreign };
    let numbers = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if let Some(rest) = stem.strip_prefix(TMP) {
        return if numbers(rest) { Kind::Unfinished } else { Kind::Foreign };
    }
    match stem.split_at_checked(64) {
        Some((hash, user)) if hash.bytes().all(|b| b.is_ascii_hexdigit()) && numbers(user) => Kind::Plugin,
        _ => Kind::Foreign,
    }
}

/// Returns the disk usage of a run's plugin if other runs share the file.
pub fn shared_plugin(run: &RunDir) -> Option<SharedPlugin> {
    let meta = std::fs::symlink_metadata(run.plugin()).ok().filter(std::fs::Metadata::is_file)?;
    let runs = run.path().parent()?.parent()?;
    let same = |other: &RunDir| {
        let other = std::fs::symlink_metadata(other.plugin());
        other.is_ok_and(|m| (m.dev(), m.ino()) == (meta.dev(), meta.ino()))
    };
    let others =
        gradtop_store::list_runs(runs).iter().filter(|other| *other != run && same(other)).count() as u64;
    (others > 0).then(|| SharedPlugin {
        bytes: meta.len(),
        share: meta.len() / (meta.nlink() - 1).max(1),
        others,
    })
}

/// A plugin file shared by several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedPlugin {
    /// Its size.
    pub bytes: u64,
    /// The part of it that [`gradtop_store::size`] counts for each run.
    pub share: u64,
    /// Number of other runs that share it.
    pub others: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_made_here_are_removed_here() {
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(kind(&format!("{hash}.so")), Kind::Plugin);
        assert_eq!(kind(&format!("{hash}-1000.so")), Kind::Plugin);
        assert_eq!(kind(".tmp-12-0.so"), Kind::Unfinished);
        for name in
            ["notes.so", ".tmp-notes", ".tmp-notes.so", "my-own-plugin.so", &hash, &format!("{hash}-a.so")]
        {
            assert_eq!(kind(name), Kind::Foreign, "{name}");
        }
    }
}
