//! `cargo xtask gpu-bundle`: a folder that checks a machine with a GPU, where nothing can be built or fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, place_studies, succeed};
use crate::{run, setup};

/// The whole bundle stays below this, in bytes.
const LIMIT: u64 = 60_000_000;

/// Builds program and plugins, then packs them into a fresh `target/gpu-bundle`, or the folder that is named.
pub(crate) fn gpu_bundle(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let target = match args {
        [] => workspace.root.join("target/gpu-bundle"),
        [folder] if !folder.starts_with('-') => std::path::absolute(folder)?,
        _ => bail!("`gpu-bundle` takes one folder at most, got {}", args.join(" ")),
    };
    setup::ensure(workspace)?;
    run::build(workspace)?;
    let mut libraries = vec![workspace.program()];
    for name in workspace.plugin_libraries()? {
        libraries.push(workspace.release.join(name));
    }
    let size = pack(&workspace.root, &libraries, &commit(&workspace.root), &target)?;
    println!("{} ({:.1} MB)", target.display(), size as f64 / 1e6);
    eprintln!("Copy it to a machine with a GPU, and run there: python3 {}/check.py", folder_name(&target));
    Ok(ExitCode::SUCCESS)
}

fn folder_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What the program was built from.
fn commit(root: &Path) -> String {
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(root).output().ok()?;
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    match (git(&["rev-parse", "HEAD"]), git(&["status", "--porcelain"])) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit} with changes"),
        (None, _) => "unknown".to_owned(),
    }
}

/// Puts the stripped `binaries`, the data set in the checkout and the script into `target`; gives the size in bytes.
fn pack(root: &Path, binaries: &[PathBuf], commit: &str, target: &Path) -> Result<u64> {
    clear(target)?;
    let datasets = target.join("datasets/mnist");
    fs::create_dir_all(&datasets).with_context(|| format!("cannot create {}", datasets.display()))?;
    for file in binaries {
        succeed(Command::new("strip").arg("-o").arg(target.join(folder_name(file))).arg(file))
            .context("stripping needs binutils: `sudo apt install binutils`")?;
    }
    let mnist = root.join("datasets/mnist");
    for entry in fs::read_dir(&mnist).with_context(|| format!("cannot read {}", mnist.display()))? {
        copy(&entry?.path(), &datasets)?;
    }
    for file in ["xtask/gpu-bundle/check.py", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root.join(file), target)?;
    }
    copy(&root.join("datasets/README.md"), &target.join("datasets"))?;
    place_studies(root, target)?;
    fs::write(target.join("commit"), format!("{commit}\n"))
        .with_context(|| format!("cannot write {}", target.display()))?;
    let size = size_of(target)?;
    if size > LIMIT {
        bail!("{} has {size} bytes, more than the {LIMIT} that are allowed", target.display());
    }
    Ok(size)
}

/// Removes an earlier bundle, and nothing else.
fn clear(target: &Path) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    let is_empty = fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty && !target.join("check.py").is_file() {
        bail!("{} exists and is not a bundle; name another folder", target.display());
    }
    fs::remove_dir_all(target).with_context(|| format!("cannot remove {}", target.display()))
}

fn copy(file: &Path, folder: &Path) -> Result<()> {
    fs::copy(file, folder.join(folder_name(file)))
        .with_context(|| format!("cannot copy {} to {}", file.display(), folder.display()))?;
    Ok(())
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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Every file below a folder, relative to it.
    fn files(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = folder_name(&path);
            if path.is_dir() {
                found.extend(files(&path).into_iter().map(|file| format!("{name}/{file}")));
            } else {
                found.push(name);
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_bundle_is_whole_stripped_and_replaces_only_a_bundle() {
        let temp = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        // Any program and any library will do; this one has symbols to lose.
        let (program, plugin) = (temp.path().join("gradtop"), temp.path().join("libplugin.so"));
        for file in [&program, &plugin] {
            fs::copy(std::env::current_exe().unwrap(), file).unwrap();
        }
        let target = temp.path().join("bundle");
        let binaries = [program.clone(), plugin];
        let size = pack(root, &binaries, "abc", &target).unwrap();
        let expected = [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "check.py",
            "commit",
            "datasets/README.md",
            "datasets/mnist/t10k-images-idx3-ubyte.gz",
            "datasets/mnist/t10k-labels-idx1-ubyte.gz",
            "datasets/mnist/train-images-idx3-ubyte.gz",
            "datasets/mnist/train-labels-idx1-ubyte.gz",
            "gradtop",
            "libplugin.so",
            "theory.plan.toml",
            "theory.report.toml",
        ];
        assert_eq!(files(&target), expected);
        assert!(size < LIMIT);
        let packed = fs::metadata(target.join("gradtop")).unwrap();
        assert!(packed.len() < fs::metadata(&program).unwrap().len(), "it still has its symbols");
        assert_eq!(packed.permissions().mode() & 0o111, 0o111);

        fs::write(target.join("old"), "").unwrap();
        pack(root, &binaries, "abc", &target).unwrap();
        assert_eq!(files(&target), expected, "what an earlier bundle held is gone");
        fs::write(temp.path().join("mine"), "").unwrap();
        let refused = pack(root, &binaries, "abc", temp.path()).unwrap_err().to_string();
        assert!(refused.contains("is not a bundle"), "{refused}");
        assert!(program.exists());
    }
}
