//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{IoContext as _, Result};

/// Start of every temporary name; recovery removes what begins so.
pub(crate) const TMP: &str = ".tmp-";

/// A temporary name beside `path`, unlike any other in this and other processes.
pub(crate) fn tmp_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{TMP}{}-{n}-{name}.new", std::process::id()))
}

/// Writes `bytes` to `path` by way of a temporary file and a rename.
/// With `durable`, file and folder are on the disk when this returns.
pub(crate) fn replace(path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
    let tmp = tmp_beside(path);
    let written = (|| {
        let mut file = File::create_new(&tmp).at("create", &tmp)?;
        file.write_all(bytes).at("write", &tmp)?;
        if durable {
            file.sync_all().at("sync", &tmp)?;
        }
        fs::rename(&tmp, path).at("replace", path)
    })();
    if written.is_err() {
        fs::remove_file(&tmp).ok();
        return written;
    }
    if durable { sync_dir(path.parent().unwrap_or(Path::new("."))) } else { Ok(()) }
}

/// Puts a folder's entries on the disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).at("sync", dir)
}

/// Removes a file; no error if it is already gone.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        r => r.at("remove", path),
    }
}

/// Removes a folder and everything in it; no error if it is already gone.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        r => r.at("remove", path),
    }
}

/// Exchanges two folders in one step. `false`: this file system cannot.
pub(crate) fn exchange(a: &Path, b: &Path) -> Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    #[cfg(test)]
    if hook::no_exchange() {
        return Ok(false);
    }
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(e) => Err(e).at("exchange", a),
    }
}

/// A point a crash test can stop at: the test's hook sees the folder as a kill here would leave it.
pub(crate) fn stage(name: &'static str) {
    #[cfg(test)]
    hook::call(name);
    #[cfg(not(test))]
    let _ = name;
}

#[cfg(test)]
pub(crate) mod hook {
    use std::cell::{Cell, RefCell};

    type Hook = Box<dyn FnMut(&'static str)>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
        static NO_EXCHANGE: Cell<bool> = const { Cell::new(false) };
    }

    /// Makes this thread's file systems unable to exchange folders.
    pub(crate) fn set_no_exchange(yes: bool) {
        NO_EXCHANGE.set(yes);
    }

    pub(super) fn no_exchange() -> bool {
        NO_EXCHANGE.get()
    }

    /// Calls `f` at every stage this thread passes.
    pub(crate) fn set(f: Option<Hook>) {
        HOOK.with_borrow_mut(|h| *h = f);
    }

    pub(super) fn call(name: &'static str) {
        HOOK.with_borrow_mut(|h| {
            if let Some(f) = h {
                f(name);
            }
        });
    }
}
