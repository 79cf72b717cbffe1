//! The file of the monitor's settings.

use std::path::PathBuf;

use anyhow::Result;

use crate::files::{make_folder, replace};
use crate::screens::settings::Settings;
use gradtop_chart::cells::theme::ThemeName;

/// `$XDG_STATE_HOME/gradtop/view.toml`, else below `~/.local/state`; `None` without a home folder.
fn path() -> Option<PathBuf> {
    Some(gradtop_store::user_dir("XDG_STATE_HOME", ".local/state")?.join("view.toml"))
}

/// Loads the settings; `theme` overrides the saved one. Unreadable parts get their defaults.
pub(super) fn load(theme: Option<ThemeName>) -> Settings {
    let text = path().and_then(|p| std::fs::read_to_string(p).ok()).unwrap_or_default();
    let kept: Settings = toml::from_str(&text).unwrap_or_default();
    Settings { theme: theme.unwrap_or(kept.theme), ..kept }
}

/// Saves the settings atomically.
pub(super) fn save(settings: &Settings) -> Result<()> {
    let Some(path) = path() else { return Ok(()) };
    let text = toml::to_string_pretty(settings)?;
    path.parent().map_or(Ok(()), make_folder)?;
    replace(&path, text.as_bytes())
}
