//! The checkout's libtorch: the program finds or downloads it, and `.libtorch` points to it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, cache_dir, succeed};
use crate::{link, toolchain};

/// `cargo xtask setup`: builds the program, which needs no libtorch, and lets it choose one.
pub(crate) fn setup(workspace: &Workspace, cuda: bool) -> Result<()> {
    toolchain::check_platform()?;
    toolchain::check_compiler(&workspace.release.join("xtask-check"))?;
    // With the plugins' packages selected, so that the features are those of every other build.
    let build = ["build", "--release", "--bin", "gradtop"];
    succeed(workspace.cargo().args(build).args(workspace.product()?))?;
    let chosen = ask_program(workspace, cuda.then_some("--cuda"))?;
    let before = links_cuda(&link::link_path(&workspace.root));
    if link::point(&workspace.root, &chosen)? && workspace.release.join("build").exists() {
        forget_builds(workspace, before != links_cuda(&chosen))?;
    }
    Ok(())
}

/// Called by `run` and `test`: does nothing if the checkout is set up, unless LIBTORCH names another one.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let link = link::link_path(&workspace.root);
    let moved = given(workspace).is_some_and(|folder| folder.canonicalize().ok() != link.canonicalize().ok());
    let is_recorded = cache_dir()?.join("libtorch").exists();
    if link.join("lib/libtorch_cpu.so").exists() && is_recorded && !moved {
        return Ok(());
    }
    setup(workspace, false)
}

/// LIBTORCH as set by the user. cargo sets the same variable to the checkout's own link, which does not count.
fn given(workspace: &Workspace) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("LIBTORCH").filter(|value| !value.is_empty())?);
    (folder != link::link_path(&workspace.root)).then_some(folder)
}

/// DuckDB's program for the tests, found or downloaded by the program.
pub(crate) fn duckdb(workspace: &Workspace) -> Result<PathBuf> {
    ask_program(workspace, Some("--duckdb"))
}

/// The output of `gradtop setup`: the torch folder, or the program that an option asks for.
fn ask_program(workspace: &Workspace, option: Option<&str>) -> Result<PathBuf> {
    let mut program = Command::new(workspace.program());
    program.arg("setup").args(option).stdin(Stdio::null()).stderr(Stdio::inherit());
    workspace.clean_env(&mut program);
    if let Some(folder) = given(workspace) {
        program.env("LIBTORCH", folder);
    }
    let done = program.output().context("cannot start `gradtop setup`")?;
    if !done.status.success() {
        bail!("`gradtop setup` failed ({})", done.status);
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&done.stdout).trim_end()))
}

fn links_cuda(torch: &Path) -> bool {
    torch.join("lib/libtorch_cuda.so").exists()
}

/// Removes builds that contain the old path: LIBTORCH keeps its value when the link moves, so cargo cannot notice. torch-sys,
/// which takes minutes, is rebuilt only if it links differently.
fn forget_builds(workspace: &Workspace, links_other: bool) -> Result<()> {
    let mut packages = workspace.plugin_packages()?;
    packages.extend(["gradtop-toolkit", "gradtop-torch"].map(str::to_owned));
    if links_other {
        packages.push("torch-sys".to_owned());
    }
    for profile in ["release", "dev"] {
        let mut cargo = workspace.cargo();
        cargo.args(["clean", "--quiet", "--profile", profile]);
        for package in &packages {
            cargo.args(["-p", package]);
        }
        succeed(&mut cargo)?;
    }
    Ok(())
}
