//! The user's folders, and small values cached there.

use std::path::{Path, PathBuf};

use gradtop_store::user_dir;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// `$XDG_CACHE_HOME/gradtop`, else `~/.cache/gradtop`.
pub fn cache_dir() -> Option<PathBuf> {
    user_dir("XDG_CACHE_HOME", ".cache")
}

/// `$XDG_DATA_HOME/gradtop`, else `~/.local/share/gradtop`.
pub(crate) fn data_dir() -> Option<PathBuf> {
    user_dir("XDG_DATA_HOME", ".local/share")
}

/// `$XDG_CONFIG_HOME/gradtop`, else `~/.config/gradtop`.
pub fn config_dir() -> Option<PathBuf> {
    user_dir("XDG_CONFIG_HOME", ".config")
}

pub(crate) fn recall<T: DeserializeOwned>(place: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(place).ok()?).ok()
}

/// Writes a value to the cache. Failure is ignored.
pub(crate) fn remember(place: &Path, answer: &impl Serialize) {
    serde_json::to_vec(answer).ok().and_then(|text| write(place, &text).ok());
}

/// Writes a file of the cache atomically.
pub(crate) fn write(place: &Path, text: &[u8]) -> std::io::Result<()> {
    let tmp = place.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))?;
    std::fs::write(&tmp, text)?;
    std::fs::rename(&tmp, place)
}
