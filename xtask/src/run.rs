//! `cargo xtask run`: build in release, then become the program.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::setup;
use crate::workspace::{Workspace, succeed};

/// Comes back only with an error: the program takes this process's place, so that signals, the terminal, the
/// current folder and the exit code are its own.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    setup::ensure(workspace)?;
    build(workspace)?;
    let program = workspace.program();
    let mut command = Command::new(&program);
    command.args(args);
    workspace.clean_env(&mut command);
    Err(command.exec()).with_context(|| format!("cannot start {}", program.display()))
}

/// Program and plugins, in release.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    succeed(workspace.cargo().args(["build", "--release"]).args(workspace.product()?))
}
