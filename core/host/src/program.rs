//! This program as its own child.

use std::ffi::OsString;
use std::path::PathBuf;
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
    match args.first()?.to_str()? {
        "__describe" => Some(crate::describe_main(std::path::Path::new(args.get(1)?))),
        _ => None,
    }
}
