//! `cargo xtask bench`: the benchmarks of benches/, on a release build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, succeed};
use crate::{run, setup};

/// Runs the scripts of benches/ by name, all without one. Each gets the program's path in `GRADTOP_BIN`.
pub(crate) fn bench(workspace: &Workspace, names: &[String]) -> Result<ExitCode> {
    let scripts = scripts(workspace)?;
    for name in names {
        if !scripts.iter().any(|script| stem(script) == *name) {
            let known: Vec<String> = scripts.iter().map(|script| stem(script)).collect();
            bail!("no benchmark is called `{name}`; there are: {}", known.join(", "));
        }
    }
    setup::ensure(workspace)?;
    run::build(workspace)?;
    for script in scripts.iter().filter(|script| names.is_empty() || names.contains(&stem(script))) {
        eprintln!("== {}", stem(script));
        let interpreter =
            if script.extension().is_some_and(|kind| kind == "py") { "python3" } else { "bash" };
        let mut command = Command::new(interpreter);
        command.arg(script).current_dir(&workspace.root).env("GRADTOP_BIN", workspace.program());
        workspace.clean_env(&mut command);
        succeed(&mut command)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn stem(script: &Path) -> String {
    script.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn scripts(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.root.join("benches");
    let mut scripts = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let kind = path.extension().unwrap_or_default();
        if kind == "sh" || kind == "py" {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}
