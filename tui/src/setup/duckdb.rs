//! DuckDB's command-line program: found on this machine, or downloaded to the user's cache.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use gradtop_host::cache_dir;

use super::packages::Packages;
use crate::failure::Failure;
use crate::print;

/// The environment variable that names the program.
const GIVEN: &str = "GRADTOP_DUCKDB";
const VERSION: &str = "1.5.6";
/// The approximate size of the download.
const SIZE: &str = "21 MB";
/// The only package that pip may install.
const REQUIREMENT: &str =
    "duckdb-cli==1.5.6 --hash=sha256:9797555bd39095d730eb0d0b3bf29e95e148c96a4cdce1e363f01c7bf7003a44\n";

/// Finds the program: named by [`GIVEN`], on the PATH, or in the cache.
///
/// # Errors
/// The program named by the variable cannot be started.
pub(crate) fn find() -> Result<Option<PathBuf>> {
    if let Some(given) = std::env::var_os(GIVEN).filter(|given| !given.is_empty()).map(PathBuf::from) {
        if is_program(&given) {
            return Ok(Some(given));
        }
        return Err(Failure::new(format!("{GIVEN} cannot be used: {} is not a program", given.display()))
            .help("unset it, or set it to the file of DuckDB's command-line program")
            .into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("duckdb")).find(|file| is_program(file));
    Ok(on_path
        .or_else(|| cache_dir().map(|cache| program(&packages().folder(&cache))))
        .filter(|f| is_program(f)))
}

/// Finds or downloads the program.
///
/// # Errors
/// The download failed; the message says what to do.
pub(crate) fn ensure() -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    Ok(program(&packages().ensure(&super::packages::cache()?)?))
}

/// Finds the program, else asks whether to download it.
///
/// # Errors
/// There is none, and the user declined.
pub(crate) fn find_or_ask() -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    match print::ask(&format!("DuckDB is needed and not installed. Download version {VERSION} ({SIZE})?")) {
        Some(true) => ensure(),
        _ => Err(Failure::new("DuckDB's command-line program is needed, and not installed")
            .help("`gradtop setup --duckdb` downloads it; GRADTOP_DUCKDB names one that you have")
            .into()),
    }
}

fn packages() -> Packages<'static> {
    // Wheels for this system have these tags, whichever Python runs pip.
    let tags = ["manylinux_2_17_x86_64", "manylinux2014_x86_64"];
    let platform = tags.iter().flat_map(|tag| ["--platform".to_owned(), (*tag).to_owned()]);
    Packages {
        name: "duckdb-1.5.6",
        what: "DuckDB 1.5.6",
        size: SIZE,
        pip: platform.chain(["--no-deps".to_owned()]).collect(),
        hashed: Some(REQUIREMENT),
        verify: |folder| {
            let file = program(folder);
            // pip drops the permission when it installs for another system.
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
            if !is_program(&file) {
                bail!("duckdb_cli/duckdb is missing");
            }
            Ok(())
        },
    }
}

fn program(folder: &Path) -> PathBuf {
    folder.join("duckdb_cli/duckdb")
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
