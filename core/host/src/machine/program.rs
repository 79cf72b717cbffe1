//! Starting this program again as its own child.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Sets the program to run as keeper, trainer and so on, for programs whose `main` does not call
/// [`crate::hidden_main`], such as test runners. Only the first call counts.
pub fn set_program(path: PathBuf) {
    PROGRAM.get_or_init(|| path);
}

/// Returns a command that starts this program again: by its path if that is still this program, else (if it was
/// replaced or removed) through the kernel's link to it.
pub(crate) fn command() -> Command {
    let link = Path::new("/proc/self/exe");
    let path = PROGRAM.get().cloned().unwrap_or_else(|| {
        let same = |path: &PathBuf| match (std::fs::metadata(path), std::fs::metadata(link)) {
            (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
            _ => false,
        };
        std::fs::read_link(link).ok().filter(same).unwrap_or_else(|| link.to_owned())
    });
    let mut command = Command::new(path);
    command.arg0("gradtop");
    command
}
