//! Edits a text in the user's editor.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::failure::Failure;
use crate::foreground;

/// Edits `text` in a temporary file named after `name`. Returns the new text.
///
/// `stopped` is passed to [`foreground::run`].
///
/// # Errors
/// There is no editor, or it failed; then nothing should be changed.
pub(crate) fn edit(name: &str, text: &str, stopped: impl FnMut()) -> Result<String> {
    let named = format!("gradtop-{name}-");
    let mut file = tempfile::Builder::new().prefix(&named).suffix(".md").tempfile()?;
    file.write_all(text.as_bytes()).context("cannot write a file for the editor")?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // The variable may contain options, so a shell interprets it.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path());
    let code = foreground::run(&mut command, stopped)?;
    if code != 0 {
        let why = format!("the editor `{editor}` failed; nothing was changed");
        return Err(Failure::new(why).help("set EDITOR to the one you use").into());
    }
    let bytes = fs::read(file.path()).context("cannot read what the editor wrote")?;
    String::from_utf8(bytes).map_err(|_| Failure::new("the note is not UTF-8; nothing was changed").into())
}
