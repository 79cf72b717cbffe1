//! Temporary names.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Start of every temporary name; recovery removes what begins so.
pub(crate) const TMP: &str = ".tmp-";

/// End of the names that are made here.
const NEW: &str = ".new";

/// A temporary name beside `path`, unlike any other in this and other processes: of containers that share a folder, each may
/// have a process of the same id.
pub fn tmp_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SALT: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish() >> 32);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{TMP}{}-{:x}-{n}-{name}{NEW}", std::process::id(), *SALT))
}

/// Whether a path has such a name: what lies there is seen by nobody else yet, or any more.
pub(crate) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(TMP) && name.ends_with(NEW)
}
