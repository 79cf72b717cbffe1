//! Packages that pip downloads to a folder of the user's cache: completely or not at all, and shared by all checkouts.
//!
//! pip writes to a temporary folder, which is verified and renamed. A lock makes a second process wait instead of downloading,
//! too; whoever holds it removes what an interrupted one has left.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::python;
use crate::failure::Failure;
use crate::files::Cannot as _;
use crate::print;

pub(crate) struct Packages<'a> {
    /// The name of the folder in the cache; different contents need different names.
    pub(crate) name: &'a str,
    /// The name in messages, such as "libtorch 2.11.0".
    pub(crate) what: &'a str,
    /// The approximate size of the download, for messages.
    pub(crate) size: &'a str,
    /// Additional arguments of `pip install`.
    pub(crate) pip: Vec<String>,
    /// Lines of a requirements file with hashes; then pip installs nothing else.
    pub(crate) hashed: Option<&'static str>,
    /// Verifies the finished folder before it is put into place.
    pub(crate) verify: fn(&Path) -> Result<()>,
}

/// The folder for downloaded packages.
pub(super) fn cache() -> Result<PathBuf> {
    Ok(gradtop_host::cache_dir().ok_or_else(|| {
        Failure::new("neither XDG_CACHE_HOME nor HOME is a folder")
            .help("set one of them to an absolute path")
    })?)
}

impl Packages<'_> {
    pub(crate) fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(self.name)
    }

    /// Downloads the packages unless they exist.
    pub(crate) fn ensure(&self, cache: &Path) -> Result<PathBuf> {
        self.ensure_by(cache, |target, scratch, lock| self.run_pip(target, scratch, lock))
    }

    fn ensure_by(&self, cache: &Path, fetch: impl Fn(&Path, &Path, &File) -> Result<()>) -> Result<PathBuf> {
        let folder = self.folder(cache);
        if folder.exists() {
            return Ok(folder);
        }
        fs::create_dir_all(cache).cannot("create", cache)?;
        let lock = self.lock(cache)?;
        if folder.exists() {
            return Ok(folder); // brought by the one we waited for
        }
        self.remove_leftovers(cache)?;
        let temporary = cache.join(format!("{}{}", self.leftover_prefix(), std::process::id()));
        let (target, scratch) = (temporary.join("packages"), temporary.join("scratch"));
        fs::create_dir_all(&scratch).cannot("create", &scratch)?;
        let brought = fetch(&target, &scratch, &lock)
            .and_then(|()| (self.verify)(&target).with_context(|| format!("{} is incomplete", self.what)))
            .and_then(|()| fs::rename(&target, &folder).cannot("create", &folder));
        let removed = remove(&temporary);
        brought?;
        removed?;
        Ok(folder)
    }

    fn lock(&self, cache: &Path) -> Result<File> {
        let path = cache.join(format!("{}.lock", self.name));
        let cannot = || format!("cannot lock {}", path.display());
        let file = File::options().create(true).append(true).open(&path).with_context(cannot)?;
        let mut locked = file.try_lock().map_err(io::Error::from);
        if locked.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) {
            print::note(&format!("waiting for another set-up, which is downloading {}", self.what));
            locked = file.lock();
        }
        locked.with_context(cannot).map(|()| file)
    }

    fn leftover_prefix(&self) -> String {
        format!(".{}.part-", self.name)
    }

    /// Called under the lock, so every temporary folder belongs to a process that has died.
    fn remove_leftovers(&self, cache: &Path) -> Result<()> {
        for entry in fs::read_dir(cache).cannot("read", cache)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with(&self.leftover_prefix()) {
                print::note("removing what an interrupted download left");
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn run_pip(&self, target: &Path, scratch: &Path, lock: &File) -> Result<()> {
        python::check_pip(&format!("bringing {}", self.what))?;
        print::note(&format!("downloading {} ({}), once for all checkouts", self.what, self.size));
        let mut hashed: Vec<OsString> = Vec::new();
        if let Some(lines) = self.hashed {
            let file = scratch.join("requirements.txt");
            fs::write(&file, lines).cannot("write", &file)?;
            hashed.extend(["--require-hashes".into(), "-r".into(), file.into_os_string()]);
        }
        let status = Command::new("python3")
            .args(["-m", "pip", "install"])
            .args(["--no-compile", "--only-binary=:all:", "--no-cache-dir", "--no-input"])
            .args(["--disable-pip-version-check", "--no-warn-script-location", "--target"])
            .arg(target)
            .args(&self.pip)
            .args(hashed)
            // Settings in some environments that conflict with --target.
            .env("PIP_USER", "0")
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .env("PIP_ROOT_USER_ACTION", "ignore")
            // pip unpacks in its temporary folder, which must be on the same file system and is removed with the rest.
            .env("TMPDIR", scratch)
            // pip does not read it, but holds the lock by it: if only gradtop is killed, nobody removes the folder.
            .stdin(Stdio::from(lock.try_clone().context("cannot hand the lock to pip")?))
            .stdout(print::stderr())
            .status()
            .context("cannot start python3")?;
        if !status.success() {
            return Err(Failure::new(format!("pip could not install {} ({status})", self.what))
                .help(
                    "its own words are above; look at the network, proxy and disk space, then run this again: \
                     it starts over cleanly",
                )
                .into());
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).cannot("remove", path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use anyhow::bail;

    use super::*;

    const PACKAGES: Packages<'static> = Packages {
        name: "thing-1",
        what: "the thing",
        size: "tiny",
        pip: Vec::new(),
        hashed: None,
        verify: has_file,
    };

    fn has_file(folder: &Path) -> Result<()> {
        fs::metadata(folder.join("file")).context("file is missing")?;
        Ok(())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn bring(target: &Path) -> Result<()> {
        fs::create_dir_all(target)?;
        Ok(fs::write(target.join("file"), "whole")?)
    }

    #[test]
    fn leftovers_of_this_download_go_and_others_stay() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(cache.path().join(".thing-1.part-77/packages")).unwrap();
        fs::create_dir_all(cache.path().join(".thing-2.part-78")).unwrap();
        let folder = PACKAGES.ensure_by(cache.path(), |target, _, _| bring(target)).unwrap();
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "whole");
        assert_eq!(names(cache.path()), [".thing-2.part-78", "thing-1", "thing-1.lock"]);
    }

    #[test]
    fn a_failed_or_incomplete_download_leaves_nothing_and_can_be_repeated() {
        let cache = tempfile::tempdir().unwrap();
        let failed = PACKAGES.ensure_by(cache.path(), |target, _, _| {
            bring(target)?;
            bail!("network down")
        });
        assert_eq!(failed.unwrap_err().to_string(), "network down");
        let incomplete = PACKAGES.ensure_by(cache.path(), |target, _, _| Ok(fs::create_dir_all(target)?));
        assert!(
            format!("{:#}", incomplete.unwrap_err()).contains("the thing is incomplete: file is missing")
        );
        assert_eq!(names(cache.path()), ["thing-1.lock"]);
        PACKAGES.ensure_by(cache.path(), |target, _, _| bring(target)).unwrap();
    }

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let cache = tempfile::tempdir().unwrap();
        let fetched = Cell::new(0);
        for _ in 0..2 {
            PACKAGES
                .ensure_by(cache.path(), |target, _, _| {
                    fetched.set(fetched.get() + 1);
                    bring(target)
                })
                .unwrap();
        }
        assert_eq!(fetched.get(), 1);
    }

    #[test]
    fn two_at_once_fetch_once() {
        let cache = tempfile::tempdir().unwrap();
        let fetched = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    PACKAGES
                        .ensure_by(cache.path(), |target, _, _| {
                            fetched.fetch_add(1, Ordering::SeqCst);
                            thread::sleep(Duration::from_millis(100));
                            bring(target)
                        })
                        .unwrap()
                });
            }
        });
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }
}
