//! A text in the user's own editor.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::failure::Failure;

/// Has `text` edited, in a file that is named after `name`; what it became.
///
/// The editor shares the terminal and its signals with us, so a Ctrl-Z in it stops it alone where we have a handler for that:
/// `stopped` is called then, and is to return once both are to continue.
///
/// # Errors
/// There is no editor, or it ended with an error: then nothing is to be changed.
pub(crate) fn edit(name: &str, text: &str, stopped: impl FnMut()) -> Result<String> {
    let file = Temporary::new(name, text)?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // A shell reads it: it may have options.
    let child = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&file.0).spawn();
    let code = wait(&child.context("cannot start sh")?, stopped)?;
    if code != 0 {
        let why = format!("the editor `{editor}` failed; nothing was changed");
        return Err(Failure::new(why).help("set EDITOR to the one you use").into());
    }
    let bytes = fs::read(&file.0).context("cannot read what the editor wrote")?;
    String::from_utf8(bytes).map_err(|_| Failure::new("the note is not UTF-8; nothing was changed").into())
}

/// Waits for a child; its exit code, or 128 and more for a signal.
fn wait(child: &Child, mut stopped: impl FnMut()) -> Result<i32> {
    let id =
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("the editor has no process id")?;
    loop {
        match waitpid(Some(id), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => stopped(),
            Ok(Some((_, status))) => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return Ok(status.exit_status().or(signal).unwrap_or(1));
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e).context("cannot wait for the editor"),
        }
    }
}

/// A file of this user alone that is gone when this is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, text: &str) -> Result<Self> {
        let folder = std::env::temp_dir();
        for n in 0.. {
            let path = folder.join(format!("gradtop-{name}-{}-{n}.md", std::process::id()));
            match File::options().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => {
                    let made = Self(path);
                    file.write_all(text.as_bytes()).with_context(|| cannot(&made.0))?;
                    return Ok(made);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e).with_context(|| cannot(&path)),
            }
        }
        unreachable!("a name is free at last")
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
