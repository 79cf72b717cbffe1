//! The checkout's libtorch: the program finds or downloads it, and `.libtorch` points to it.
//!
//! `.libtorch` is a folder with one link, `torch`: .cargo/config.toml sets LIBTORCH to `.libtorch/torch`, whatever the name of
//! the real folder.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::toolchain;
use crate::workspace::{Workspace, cache_dir, succeed};

/// `cargo xtask setup`: builds the program, which needs no libtorch, and lets it choose one.
pub(crate) fn setup(workspace: &Workspace, cuda: bool) -> Result<()> {
    toolchain::check_platform()?;
    toolchain::check_compiler(&workspace.release.join("xtask-check"))?;
    // With the plugins' packages selected, so that the features are those of every other build.
    let build = ["build", "--release", "--bin", "gradtop"];
    succeed(workspace.cargo().args(build).args(workspace.product()?))?;
    let chosen = ask_program(workspace, cuda.then_some("--cuda"))?;
    let before = links_cuda(&link_path(&workspace.root));
    if point(&workspace.root, &chosen)? && workspace.release.join("build").exists() {
        forget_builds(workspace, before != links_cuda(&chosen))?;
    }
    Ok(())
}

/// Called by `run` and `test`: does nothing if the checkout is set up, unless LIBTORCH names another one.
pub(crate) fn ensure(workspace: &Workspace) -> Result<()> {
    let link = link_path(&workspace.root);
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
    (folder != link_path(&workspace.root)).then_some(folder)
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

/// The path that .cargo/config.toml names.
fn link_path(root: &Path) -> PathBuf {
    root.join(".libtorch/torch")
}

/// Points `.libtorch/torch` to `folder`. Returns whether that is a change.
fn point(root: &Path, folder: &Path) -> Result<bool> {
    let link = link_path(root);
    if fs::read_link(&link).is_ok_and(|target| target == folder) {
        return Ok(false);
    }
    replace(root, folder)
        .with_context(|| format!("cannot make {} point at {}", link.display(), folder.display()))?;
    Ok(true)
}

fn replace(root: &Path, folder: &Path) -> std::io::Result<()> {
    let holder = root.join(".libtorch");
    if !fs::symlink_metadata(&holder).is_ok_and(|found| found.is_dir()) {
        match fs::remove_file(&holder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&holder)?,
        }
    }
    // Renamed into place, so that concurrent builds never find it missing.
    let fresh = holder.join(format!("torch.{}", std::process::id()));
    symlink(folder, &fresh)?;
    fs::rename(&fresh, holder.join("torch"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_link_is_made_kept_and_moved() {
        let temp = tempfile::tempdir().unwrap();
        let (root, one, two) = (temp.path(), temp.path().join("one"), temp.path().join("two"));
        assert!(point(root, &one).unwrap());
        assert!(!point(root, &one).unwrap(), "nothing to do the second time");
        assert!(point(root, &two).unwrap());
        assert_eq!(fs::read_link(link_path(root)).unwrap(), two);
        assert_eq!(fs::read_dir(root.join(".libtorch")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_link_in_place_of_the_folder_gives_way_and_its_target_stays() {
        let temp = tempfile::tempdir().unwrap();
        let old = temp.path().join("old");
        fs::create_dir(&old).unwrap();
        fs::write(old.join("keep"), "").unwrap();
        symlink(&old, temp.path().join(".libtorch")).unwrap();
        assert!(point(temp.path(), Path::new("/new")).unwrap());
        assert_eq!(fs::read_link(link_path(temp.path())).unwrap(), Path::new("/new"));
        assert_eq!(fs::read_dir(&old).unwrap().count(), 1, "the old target is untouched");
    }
}
