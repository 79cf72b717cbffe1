//! `cargo xtask run`: builds in release mode, then executes the program.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::setup;
use crate::workspace::{Workspace, succeed};

/// Returns only on errors: the program replaces this process, so that signals, the terminal, the current folder and the exit
/// code are its own.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    setup::ensure(workspace)?;
    build(workspace)?;
    let program = workspace.program();
    let mut command = Command::new(&program);
    command.args(args);
    workspace.clean_env(&mut command);
    Err(command.exec()).with_context(|| format!("cannot start {}", program.display()))
}

/// Builds program and plugins in release mode.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    succeed(workspace.cargo().args(["build", "--release"]).args(workspace.product()?))
}
