//! `cargo xtask gpu-bundle`: a folder for checking a machine with a GPU that can neither build nor download: the unpacked
//! archive of `cargo xtask dist`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::dist::{lay_out, limited};
use crate::workspace::Workspace;
use crate::{run, setup};

/// The maximal size of the bundle, in bytes.
const LIMIT: u64 = 64_000_000;

/// Builds program and plugins, then lays them out in `target/gpu-bundle` or another folder.
pub(crate) fn gpu_bundle(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let target = match args {
        [] => workspace.root.join("target/gpu-bundle"),
        [folder] if !folder.starts_with('-') => std::path::absolute(folder)?,
        _ => bail!("`gpu-bundle` takes one folder at most, got {}", args.join(" ")),
    };
    setup::ensure(workspace)?;
    run::build(workspace)?;
    clear(&target)?;
    lay_out(workspace, &workspace.program(), &target, None)?;
    let size = size_of(&target)?;
    limited(&target, size, LIMIT)?;
    println!("{} ({:.1} MB)", target.display(), size as f64 / 1e6);
    let name = target.file_name().unwrap_or_default().display();
    eprintln!("Copy it to a machine with a GPU, and run there: python3 {name}/gpu-check.py");
    Ok(ExitCode::SUCCESS)
}

/// Removes an earlier bundle, and nothing else.
fn clear(target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    let is_empty = fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty && !target.join("gpu-check.py").is_file() {
        bail!("{} exists and is not a bundle; name another folder", target.display());
    }
    fs::remove_dir_all(target).with_context(|| format!("cannot remove {}", target.display()))
}

fn size_of(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        size += if path.is_dir() { size_of(&path)? } else { fs::metadata(&path)?.len() };
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_a_bundle_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let bundle = temp.path().join("bundle");
        clear(&bundle).unwrap();
        fs::create_dir(&bundle).unwrap();
        fs::write(bundle.join("gpu-check.py"), "").unwrap();
        fs::write(bundle.join("old"), "12345").unwrap();
        assert_eq!(size_of(temp.path()).unwrap(), 5);
        fs::write(temp.path().join("mine"), "").unwrap();
        let refused = clear(temp.path()).unwrap_err().to_string();
        assert!(refused.contains("is not a bundle"), "{refused}");
        clear(&bundle).unwrap();
        assert!(!bundle.exists() && temp.path().join("mine").exists());
    }
}
