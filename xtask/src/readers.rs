//! `DuckDB`, pandas, Polars and pyarrow for the tests that read logs with them, in a folder of the user's cache.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::pip;

const PINNED: [&str; 4] = ["duckdb==2.0.0", "pandas==3.1.1", "polars==2.1.0", "pyarrow==26.0.1"];

/// The folder to add to PYTHONPATH.
pub(crate) fn ensure(cache: &Path) -> Result<PathBuf> {
    pip::ensure(cache, "readers", &PINNED, "DuckDB, pandas, Polars and pyarrow for the tests (about 170 MB)")
}
