//! `DuckDB`, pandas, Polars and pyarrow for the tests that read logs with them, in a folder of the user's cache.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::download::Download;
use crate::toolchain;

const PINNED: [&str; 4] = ["duckdb==2.0.0", "pandas==3.1.1", "polars==2.1.0", "pyarrow==26.0.1"];

/// The folder to put on PYTHONPATH.
pub(crate) fn ensure(cache: &Path) -> Result<PathBuf> {
    toolchain::check_pip("bringing the readers of the logs")?;
    // Compiled for one version of Python each.
    let python = toolchain::python("import sys; print('py%d.%d' % sys.version_info[:2])")?;
    let versions = PINNED.map(|pin| pin.replace("==", "-")).join("_");
    let download = Download {
        name: &format!("readers-{python}-{versions}"),
        what: "DuckDB, pandas, Polars and pyarrow for the tests",
        size: "about 170 MB",
        pip: PINNED.map(str::to_owned).into(),
        verify: |folder| {
            for package in ["duckdb", "pandas", "polars", "pyarrow"] {
                if !folder.join(package).join("__init__.py").exists() {
                    bail!("{package} is missing");
                }
            }
            Ok(())
        },
    };
    download.ensure(cache)
}
