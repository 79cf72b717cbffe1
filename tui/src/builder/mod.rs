//! `gradtop plugin build`: builds a plugin's project with cargo or CMake.

mod binding;
mod cargo;
mod cmake;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result};
use gradtop_host::libtorch;

use crate::failure::Failure;

/// Builds the plugin in this folder. Returns the absolute paths of its libraries.
///
/// # Errors
/// There is no plugin, a tool is missing, or the build failed, in which case the tool has already printed why.
pub(crate) fn build(dir: &Path) -> Result<Vec<PathBuf>> {
    let (folder, (_, build, recipe)) = project(dir)?;
    let libraries = build(&folder)?;
    if libraries.is_empty() {
        return Err(Failure::new(format!("{} does not build a plugin", folder.display()))
            .help(*recipe)
            .into());
    }
    Ok(libraries)
}

/// The file of a build system, how a plugin is built with it, and what such a file needs.
type Project = (&'static str, fn(&Path) -> Result<Vec<PathBuf>>, &'static str);

const PROJECTS: [Project; 2] = [
    ("Cargo.toml", cargo::build, "its Cargo.toml needs  [lib] crate-type = [\"cdylib\"]"),
    (
        "CMakeLists.txt",
        cmake::build,
        "its CMakeLists.txt needs an add_library(… MODULE …) that exports gradtop_entry_v1",
    ),
];

/// Checks that a folder holds a project that could be built.
///
/// # Errors
/// It is not a folder, or holds no project.
pub(crate) fn check_folder(dir: &Path) -> Result<()> {
    project(dir).map(drop)
}

fn project(dir: &Path) -> Result<(PathBuf, &'static Project)> {
    let give = |message: String| Failure::usage(message).help(GIVE_A_FOLDER);
    let folder = dir.canonicalize().ok().filter(|d| d.is_dir());
    let folder = folder.ok_or_else(|| give(format!("{} is not a folder", dir.display())))?;
    let project = PROJECTS.iter().find(|(file, ..)| folder.join(file).is_file());
    let neither = || give(format!("{} has neither a Cargo.toml nor a CMakeLists.txt", dir.display()));
    Ok((folder.clone(), project.ok_or_else(neither)?))
}

const GIVE_A_FOLDER: &str = "give the plugin's folder; `gradtop plugin new NAME` creates one";

/// A program that a build needs, and how to install it.
struct Tool {
    /// The name shown to people.
    name: &'static str,
    /// Any of these programs will do.
    programs: &'static [&'static str],
    /// An environment variable that names another program.
    variable: &'static str,
    install: &'static str,
}

const C: Tool = Tool {
    name: "C compiler, with which Rust links,",
    programs: &["cc"],
    variable: "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
    install: "`sudo apt install gcc`, or `sudo dnf install gcc`",
};
const CPP: Tool = Tool {
    name: "C++ compiler",
    programs: &["c++", "g++", "clang++"],
    variable: "CXX",
    install: "`sudo apt install g++`, or `sudo dnf install gcc-c++`",
};
const MAKE: Tool = Tool {
    name: "make",
    programs: &["make", "ninja"],
    variable: "CMAKE_GENERATOR",
    install: "`sudo apt install make`, or `sudo dnf install make`",
};

impl Tool {
    fn is_missing(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        std::env::var_os(self.variable).is_none() && !self.programs.iter().any(found)
    }
}

/// Runs a tool and waits for it.
fn run(mut command: Command, install: &str) -> Result<(ExitStatus, Vec<u8>)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            anyhow::Error::new(Failure::new(format!("{program} is not installed")).help(install))
        }
        _ => anyhow::Error::new(e).context(format!("cannot start {program}")),
    })?;
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {program}"))?;
    Ok((output.status, output.stdout))
}

/// Explains why a build failed: a missing tool, else the compiler's own output.
fn failed(folder: &Path, tools: &[&Tool]) -> anyhow::Error {
    let folder = folder.display();
    match tools.iter().find(|tool| tool.is_missing()) {
        Some(tool) => Failure::new(format!("{folder} did not build: no {} was found", tool.name))
            .help(format!("install one: {}", tool.install)),
        None => Failure::new(format!("{folder} did not build")).help("the compiler's messages are above"),
    }
    .into()
}

/// Points a build to gradtop's libtorch.
fn with_libtorch(command: &mut Command) {
    match libtorch::find(None) {
        // LIBTORCH is the parent of the folder with the libraries.
        Ok(lib) => {
            command.env("LIBTORCH", lib.parent().unwrap_or(&lib));
        }
        Err(_) if std::env::var_os("LIBTORCH").is_some() => {}
        // A checkout's cargo configuration may set it to a folder that does not exist.
        Err(_) => {
            command.env_remove("LIBTORCH");
        }
    }
}

/// Parses cargo's messages of one kind.
fn parsed<'a>(messages: &'a str, reason: &'a str) -> impl Iterator<Item = serde_json::Value> + 'a {
    let all = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    all.filter(move |message| message["reason"] == reason)
}
