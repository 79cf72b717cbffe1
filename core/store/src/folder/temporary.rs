//! Temporary names, and the points that crash tests stop at.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Start of every temporary name; recovery removes what begins so.
pub(crate) const TMP: &str = ".tmp-";

/// A temporary name beside `path`, unlike any other in this and other processes: of containers that share a folder, each may
/// have a process of the same id.
pub fn tmp_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SALT: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish() >> 32);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{TMP}{}-{:x}-{n}-{name}.new", std::process::id(), *SALT))
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

    pub(crate) fn no_exchange() -> bool {
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
