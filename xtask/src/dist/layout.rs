//! Lays out the folder that is packed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::VERSION;
use super::binary::{commit, glibc, strip};
use crate::workspace::{Workspace, place_studies, succeed};

/// Files that are copied unchanged: path in the checkout, folder in the archive.
const COPIED: [(&str, &str); 10] = [
    ("README.md", ""),
    ("CHANGELOG.md", ""),
    ("LICENSE-MIT", ""),
    ("LICENSE-APACHE", ""),
    ("docs", ""),
    ("datasets/README.md", "datasets"),
    ("datasets/mnist", "datasets"),
    ("xtask/dist/gpu-check.py", ""),
    ("python/gradtop.py", "python"),
    ("python/examples", "python"),
];

/// Completion scripts by shell, with the names that shells expect.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "gradtop"), ("zsh", "_gradtop"), ("fish", "gradtop.fish")];

/// Lays out the program, the built plugins and everything that belongs to them in a new folder `target`. Debug information goes to
/// `debug`, if given.
pub(crate) fn lay_out(
    workspace: &Workspace,
    program: &Path,
    target: &Path,
    debug: Option<&Path>,
) -> Result<()> {
    let make = |folder: &Path| {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
    };
    make(target)?;
    let plugins = workspace.plugin_files()?;
    for file in std::iter::once(program).chain(plugins.iter().map(PathBuf::as_path)) {
        strip(file, &target.join(file.file_name().context("a file with a name")?), debug)?;
    }
    for (from, to) in COPIED {
        let (from, to) = (workspace.root.join(from), target.join(to));
        make(&to)?;
        copy(&from, &to)?;
    }
    place_studies(&workspace.root, target)?;

    let stripped = target.join("gradtop");
    let completions = target.join("completions");
    make(&completions)?;
    for (shell, name) in COMPLETIONS {
        write(Command::new(&stripped).args(["completions", shell]), &completions.join(name))?;
    }
    let man = target.join("man/man1");
    make(&man)?;
    succeed(Command::new(&stripped).arg("man").arg(&man))?;

    let mut packages = workspace.plugin_packages()?;
    packages.push("gradtop".to_owned());
    licences(workspace, &packages, &target.join("THIRD-PARTY-LICENCES.txt"))?;
    let needed = plugins.iter().map(|plugin| glibc(plugin)).collect::<Result<Vec<_>>>()?;
    let text = format!(
        "version  {VERSION}\ncommit   {}\nprogram  glibc 2.{} or newer\nplugins  glibc 2.{} or newer, libtorch 2.11.0\n",
        commit(&workspace.root),
        glibc(program)?,
        needed.iter().max().context("there are no plugins")?,
    );
    let build = target.join("BUILD");
    fs::write(&build, text).with_context(|| format!("cannot write {}", build.display()))
}

/// Writes the licences of all crates that are linked into these packages.
pub(super) fn licences(workspace: &Workspace, packages: &[String], to: &Path) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let mut cargo = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut python = Command::new("python3");
    python.arg(workspace.root.join("xtask/dist/licences.py")).args(packages);
    python.stdin(cargo.stdout.take().context("cargo has no output")?);
    let written = write(&mut python, to);
    let status = cargo.wait()?;
    written?;
    if !status.success() {
        bail!("`cargo metadata` failed ({status})");
    }
    Ok(())
}

/// Runs a command and writes its output to a file.
fn write(command: &mut Command, to: &Path) -> Result<()> {
    let file = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    succeed(command.stdout(file))
}

/// Copies a file or folder into a folder.
fn copy(from: &Path, folder: &Path) -> Result<()> {
    let to = folder.join(from.file_name().context("a file with a name")?);
    if from.is_dir() {
        fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
        for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
            copy(&entry?.path(), &to)?;
        }
        return Ok(());
    }
    fs::copy(from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
