//! Where libtorch is.

use std::path::{Path, PathBuf};

/// The folder with `libtorch_cpu.so`: of `GRADTOP_LIBTORCH`, of a RUNPATH of `plugin`, or of the set-up's record.
/// `None` with the places looked at.
pub fn find(_plugin: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    Err(Vec::new())
}

/// The file in which the set-up records its torch folder: `$XDG_CACHE_HOME/gradtop/libtorch`.
pub fn record() -> Option<PathBuf> {
    None
}

/// The version of the libtorch in a library folder, from the `version.py` or `build-version` beside it.
pub fn version(_lib: &Path) -> Option<String> {
    None
}
