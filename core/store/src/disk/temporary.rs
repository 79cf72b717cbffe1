//! Temporary file names.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Prefix of every temporary name; recovery removes such files.
pub(crate) const TMP: &str = ".tmp-";

/// Suffix of the names made by [`tmp_beside`].
const NEW: &str = ".new";

/// Returns a unique temporary name in the folder of `path`. Process ids alone are not unique among containers that
/// share the folder.
pub fn tmp_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SALT: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish() >> 32);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{TMP}{}-{:x}-{n}-{name}{NEW}", std::process::id(), *SALT))
}

/// Returns whether a path has such a name, so that nobody else uses it.
pub(crate) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(TMP) && name.ends_with(NEW)
}
