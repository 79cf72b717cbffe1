//! Builds the program for older systems with Zig as the linker, which knows the symbols of every glibc.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::binary::glibc;
use crate::pip;
use crate::workspace::{SHIPPED, Workspace, cache_dir, succeed};

const PINNED: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];

/// The minimal glibc, 2.x; it is also in the wheel's tag.
const GLIBC: u32 = 28;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds `gradtop`, which needs no libtorch. Returns its path.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let tools = pip::ensure(&cache_dir()?, "zigbuild", &PINNED, "cargo-zigbuild and Zig (about 100 MB)")?;
    // Not in the folder of `cargo build`: build scripts are compiled for this machine, everything else by Zig.
    let folder = workspace.release.with_file_name("portable");
    let mut paths = vec![tools.join("bin")];
    paths.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut cargo = workspace.cargo();
    cargo
        .args(["zigbuild", "--release"])
        .args(SHIPPED)
        .args(["-p", "gradtop", "--bin", "gradtop", "--target"]);
    cargo.arg(format!("{TARGET}.2.{GLIBC}")).arg("--target-dir").arg(&folder);
    cargo.env("PATH", env::join_paths(paths)?).env("PYTHONPATH", &tools);
    cargo.env("CARGO_ZIGBUILD_ZIG_PATH", tools.join("ziglang/zig"));
    succeed(&mut cargo).context("building for older systems")?;
    let program = folder.join(TARGET).join("release/gradtop");
    check(&program)?;
    Ok(program)
}

/// Rejects a program that needs more than [`GLIBC`].
fn check(program: &Path) -> Result<()> {
    let needed = glibc(program)?;
    if needed > GLIBC {
        bail!("{} needs glibc 2.{needed}, not 2.{GLIBC}", program.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_program_linked_for_this_machine_is_refused() {
        // Building from source requires glibc 2.34, whose symbols this test uses.
        let refused = check(&env::current_exe().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("needs glibc 2.3"), "{refused}");
    }
}
