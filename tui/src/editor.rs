//! Edits a text in the user's editor.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::failure::Failure;
use crate::files::first_free;
use crate::foreground;

/// Edits `text` in a temporary file named after `name`. Returns the new text.
///
/// `stopped` is passed to [`foreground::run`].
///
/// # Errors
/// There is no editor, or it failed; then nothing should be changed.
pub(crate) fn edit(name: &str, text: &str, stopped: impl FnMut()) -> Result<String> {
    let file = Temporary::new(name, text)?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // The variable may contain options, so a shell interprets it.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&file.0);
    let code = foreground::run(&mut command, stopped)?;
    if code != 0 {
        let why = format!("the editor `{editor}` failed; nothing was changed");
        return Err(Failure::new(why).help("set EDITOR to the one you use").into());
    }
    let bytes = fs::read(&file.0).context("cannot read what the editor wrote")?;
    String::from_utf8(bytes).map_err(|_| Failure::new("the note is not UTF-8; nothing was changed").into())
}

/// A private temporary file, removed on drop.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, text: &str) -> Result<Self> {
        let folder = std::env::temp_dir();
        let names = (0..).map(|n| folder.join(format!("gradtop-{name}-{}-{n}.md", std::process::id())));
        let open = |path: &Path| File::options().write(true).create_new(true).mode(0o600).open(path);
        let (path, mut file) = first_free(names, "write", open)?;
        let made = Self(path);
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", made.0.display()))?;
        Ok(made)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
