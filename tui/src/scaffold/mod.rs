//! `gradtop plugin new`: generates a plugin project that builds and runs unchanged, in any folder.
//!
//! The SDK's sources or headers are embedded in this program and copied into the project.

mod cpp;
mod lock;
mod rust;
mod sources;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::failure::Failure;
use crate::files::{Cannot as _, make_folder};

const LONGEST_NAME: usize = 40;

/// The kind of a new plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// C++ instead of Rust.
    pub(crate) cpp: bool,
    /// With libtorch.
    pub(crate) torch: bool,
}

/// Creates a project at `path`, whose last component is its name. Returns the folder.
///
/// # Errors
/// The name is invalid ([`validate_name`]), the path exists, or writing failed; then everything written is removed.
pub(crate) fn create(path: &Path, kind: Kind) -> Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    validate_name(name, kind)?;
    if fs::symlink_metadata(path).is_ok() {
        return Err(Failure::usage(format!("{} already exists", path.display()))
            .help("choose another name, or remove it first")
            .into());
    }
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let files = if kind.cpp { cpp::files(name, kind) } else { rust::files(name, kind)? };
    let written = write_all(path, &files);
    if written.is_err() {
        // The first error is the one to report.
        fs::remove_dir_all(path).ok();
    }
    written?;
    fs::canonicalize(path).cannot("find", path)
}

/// Checks that a plugin can have this name, which becomes that of the project, the library and the experiment.
pub(crate) fn validate_name(name: &str, kind: Kind) -> Result<()> {
    if !is_name(name) {
        let near = name.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
        let near = if is_name(&near) { format!("; `{near}` could") } else { String::new() };
        let help = "use lower-case letters, digits and single dashes, beginning with a letter, at most";
        return Err(Failure::usage(format!("`{name}` cannot name a plugin{near}"))
            .help(format!("{help} {LONGEST_NAME} characters"))
            .into());
    }
    if !kind.cpp {
        rust::validate_name(name)?;
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--")
        && name.len() <= LONGEST_NAME
}

/// A file of a new plugin: its path within the project, and its text.
type File = (PathBuf, String);

fn write_all(root: &Path, files: &[File]) -> Result<()> {
    for (path, text) in files {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).cannot("create", parent)?;
        }
        fs::write(&path, text).cannot("write", &path)?;
    }
    Ok(())
}

/// The name of the library in `lib<name>.so`.
fn library(name: &str) -> String {
    name.replace('-', "_")
}
