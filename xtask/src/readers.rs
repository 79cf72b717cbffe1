//! `DuckDB`, pandas, Polars and pyarrow for the tests that read logs with them, in a folder of the user's cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::toolchain::python;
use crate::workspace::succeed;

const PINNED: [&str; 4] = ["duckdb==2.0.0", "pandas==3.1.1", "polars==2.1.0", "pyarrow==26.0.1"];

/// The folder to put on PYTHONPATH.
pub(crate) fn ensure(cache: &Path) -> Result<PathBuf> {
    // Compiled for one version of Python each.
    let version = python("import sys; print('py%d.%d' % sys.version_info[:2])")?;
    let folder =
        cache.join(format!("readers-{version}-{}", PINNED.map(|pin| pin.replace("==", "-")).join("_")));
    if folder.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = File::create(folder.with_added_extension("lock")).context("cannot make a lock")?;
    lock.lock().context("cannot wait for another checkout's download")?;
    if !folder.exists() {
        let fresh = folder.with_added_extension("part");
        fs::remove_dir_all(&fresh).ok();
        eprintln!(
            "Downloading DuckDB, pandas, Polars and pyarrow for the tests (about 170 MB), once for all checkouts"
        );
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--target"]);
        pip.arg(&fresh).args(PINNED).stdin(Stdio::null());
        // Settings that some set-ups make for the user's own packages, and that do not go with --target.
        pip.envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")]);
        succeed(&mut pip).context("pip is needed (`sudo apt install python3-pip`), and the network")?;
        fs::rename(&fresh, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(folder)
}
