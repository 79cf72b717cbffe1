//! `gradtop plugin dev`: rebuilds and installs a plugin whenever its sources are saved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::install;
use crate::commands::signals::Signals;
use crate::files::Cannot as _;
use crate::print;

/// How often the sources are read, and how long they must be unchanged before a build: an editor may write several files.
const POLL: Duration = Duration::from_millis(200);

/// The modification time and size of every source file.
type Sources = BTreeMap<PathBuf, (SystemTime, u64)>;

pub(super) fn run(dir: &Path) -> Result<i32> {
    let mut signals = Signals::new()?;
    // Fails at once if the folder holds no plugin.
    crate::builder::check_folder(dir)?;
    let folder = dir.canonicalize().cannot("find", dir)?;
    loop {
        let seen = sources(&folder);
        build(&folder);
        if signals.any() {
            break;
        }
        print::dim("waiting for changes; Ctrl-C to stop");
        if !changed(&folder, &seen, &mut signals) {
            break;
        }
    }
    Ok(0)
}

/// Builds and installs the plugin. Errors are printed, and then nothing is installed.
fn build(folder: &Path) {
    let done = crate::builder::build(folder).and_then(|libraries| {
        for library in libraries {
            install(&library)?;
        }
        Ok(())
    });
    if let Err(error) = done {
        crate::failure::report(&error);
    }
}

/// Waits for a change of the sources. Returns `false` if a signal came.
fn changed(folder: &Path, seen: &Sources, signals: &mut Signals) -> bool {
    let mut before = seen.clone();
    while !signals.any() {
        std::thread::sleep(POLL);
        let now = sources(folder);
        if now != *seen && now == before {
            return true;
        }
        before = now;
    }
    false
}

/// Lists the source files, without hidden files and build output (`target/`, `build/`).
fn sources(folder: &Path) -> Sources {
    let mut found = Sources::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(dir) = folders.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let built = dir == folder && ["target", "build", "Cargo.lock"].contains(&&*name);
            if built || name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else if let Ok(changed) = meta.modified() {
                found.insert(entry.path(), (changed, meta.len()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_a_build_writes_is_no_source() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["src/lib.rs", "Cargo.toml", "build.rs", "target/x", "build/y", ".git/z", "src/lib.rs~"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found: Vec<PathBuf> = sources(dir.path())
            .into_keys()
            .map(|path| path.strip_prefix(dir.path()).unwrap().to_owned())
            .collect();
        assert_eq!(found, ["Cargo.toml", "build.rs", "src/lib.rs"].map(PathBuf::from));
    }
}
