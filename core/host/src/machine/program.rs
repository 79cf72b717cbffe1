//! This program as its own child, and where it keeps what may be deleted.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program to run as keeper, trainer and describing child instead of this one: for programs whose `main` does
/// not call [`hidden_main`], such as test runners. Only the first call counts.
pub fn set_program(path: PathBuf) {
    PROGRAM.get_or_init(|| path);
}

/// If the arguments (without the program's name) are those of a hidden sub-command, runs it and returns its exit code.
/// Call it first thing in `main`, before threads exist and before arguments are parsed.
pub fn hidden_main(args: &[OsString]) -> Option<i32> {
    let dir = || args.get(1).map(Path::new);
    match args.first()?.to_str()? {
        "__describe" => Some(crate::plugin::describe::describe_main(dir()?)),
        "__validate" => {
            let text = |a: &OsString| a.to_string_lossy().into_owned();
            let params: Vec<String> = args.iter().skip(3).map(text).collect();
            Some(crate::plugin::validate::validate_main(dir()?, &text(args.get(2)?), &params))
        }
        "__probe_cuda" => Some(crate::machine::device::probe_main(dir()?)),
        "__keeper" => {
            Some(crate::run::keeper::keeper_main(dir()?, crate::run::keeper::GoOn::from_args(args).as_ref()))
        }
        "__trainer" => {
            Some(crate::train::trainer::trainer_main(dir()?, crate::run::keeper::GoOn::from_args(args)))
        }
        _ => None,
    }
}

/// A command that runs this program again: by its path if that still is this program, else (it was replaced or removed
/// since) through the kernel's link to it.
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

/// `$XDG_CACHE_HOME/gradtop`, else `~/.cache/gradtop`.
pub fn cache_dir() -> Option<PathBuf> {
    user_dir("XDG_CACHE_HOME", ".cache")
}

/// `$XDG_DATA_HOME/gradtop`, else `~/.local/share/gradtop`.
pub fn data_dir() -> Option<PathBuf> {
    user_dir("XDG_DATA_HOME", ".local/share")
}

fn user_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    Some(set(variable).or_else(|| Some(set("HOME")?.join(below_home)))?.join("gradtop"))
}
