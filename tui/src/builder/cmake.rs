//! Builds plugins written in C or C++, with a `CMakeLists.txt`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{CPP, MAKE};
use crate::files::Cannot as _;
use crate::print;

const INSTALL: &str = "`sudo apt install cmake g++`, or `sudo dnf install cmake gcc-c++`";

/// An empty file that asks CMake's file API to describe all targets.
const QUERY: &str = ".cmake/api/v1/query/client-gradtop/codemodel-v2";
const REPLY: &str = ".cmake/api/v1/reply";

/// Configures and builds in `build/`. Returns the libraries that are plugins.
pub(super) fn build(folder: &Path) -> Result<Vec<PathBuf>> {
    let build = folder.join("build");
    let query = build.join(QUERY);
    std::fs::create_dir_all(query.parent().unwrap_or(&build))
        .and_then(|()| std::fs::write(&query, ""))
        .cannot("write", &query)?;
    let cmake = || {
        let mut command = Command::new("cmake");
        command.stdin(Stdio::null()).stdout(print::stderr());
        super::with_libtorch(&mut command);
        command
    };
    let mut configure = cmake();
    configure
        .args(["--log-level=NOTICE", "-DCMAKE_BUILD_TYPE=Release", "-S"])
        .arg(folder)
        .arg("-B")
        .arg(&build);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut compile = cmake();
    compile.arg("--build").arg(&build).args(["--config", "Release", "--parallel", &jobs.to_string()]);
    for step in [configure, compile] {
        if !super::run(step, INSTALL)?.0.success() {
            return Err(super::failed(folder, &[&CPP, &MAKE]));
        }
    }
    let libraries =
        libraries(&build).with_context(|| format!("cannot read what CMake wrote in {}", build.display()))?;
    let is_plugin = |file: &PathBuf| gradtop_host::inspect(file).is_ok_and(|i| i.exports_entry.is_some());
    Ok(libraries.into_iter().filter(is_plugin).collect())
}

/// Finds the shared libraries among the targets.
fn libraries(build: &Path) -> Result<Vec<PathBuf>> {
    let reply = build.join(REPLY);
    let read =
        |name: &str| -> Result<Value> { Ok(serde_json::from_str(&crate::files::read(&reply.join(name))?)?) };
    let names = std::fs::read_dir(&reply)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // The last name in alphabetical order is the newest.
    let index = names.filter(|name| name.starts_with("index-")).max().context("there is no index")?;
    let codemodel = read(text(&read(&index)?["reply"]["client-gradtop"]["codemodel-v2"]["jsonFile"])?)?;
    let mut found = Vec::new();
    for target in codemodel["configurations"][0]["targets"].as_array().into_iter().flatten() {
        let target = read(text(&target["jsonFile"])?)?;
        if ["MODULE_LIBRARY", "SHARED_LIBRARY"].contains(&text(&target["type"])?) {
            for artifact in target["artifacts"].as_array().into_iter().flatten() {
                found.push(build.join(text(&artifact["path"])?));
            }
        }
    }
    Ok(found)
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("text is missing")
}
