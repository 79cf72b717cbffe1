//! The active Python: its `PyTorch` and its pip.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::failure::Failure;

/// The `PyTorch` folder of the active Python, found without importing it, which would take seconds.
pub(super) fn torch() -> Option<PathBuf> {
    // `''` is the current folder, where any folder named torch would match.
    let code = "import sys, importlib.util as u\nsys.path = [p for p in sys.path if p]\n\
                s = u.find_spec('torch')\nprint(s.origin or '' if s else '')";
    let said = python(&["-c", code]).ok().filter(|output| output.status.success())?;
    let origin = String::from_utf8(said.stdout).ok()?;
    Some(Path::new(origin.trim()).parent()?.to_owned()).filter(|folder| folder.is_absolute())
}

pub(super) fn check_pip(purpose: &str) -> Result<()> {
    let missing = |what: &str, install: &str| {
        Err(Failure::new(format!("{purpose} needs {what}")).help(format!("install it: {install}")).into())
    };
    if !python(&["-c", "import sys"]).is_ok_and(|output| output.status.success()) {
        let install = "`sudo apt install python3 python3-pip`, or `sudo dnf install python3 python3-pip`";
        return missing("python3, which does not start", install);
    }
    if !python(&["-m", "pip", "--version"]).is_ok_and(|output| output.status.success()) {
        let install = "`sudo apt install python3-pip`, or `sudo dnf install python3-pip`, or \
                       `python3 -m ensurepip --user`";
        return missing("pip, which this python3 does not have", install);
    }
    Ok(())
}

fn python(args: &[&str]) -> Result<std::process::Output> {
    Command::new("python3").args(args).stdin(Stdio::null()).output().context("cannot start python3")
}
