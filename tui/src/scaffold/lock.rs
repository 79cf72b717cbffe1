//! Generates the lock files of new plugins from committed ones.

use anyhow::{Context as _, Result};

/// The name of the crate in the committed lock files.
pub(super) const PLACEHOLDER: &str = "scaffold-placeholder";

const SEPARATOR: &str = "\n[[package]]\n";

/// Renames the crate in a lock file and sorts it as cargo would: `--locked` compares the text.
pub(super) fn rename(lock: &str, name: &str) -> Result<String> {
    let mut parts = lock.split(SEPARATOR);
    let head = parts.next().unwrap_or_default();
    let mut packages: Vec<String> = parts.map(|package| format!("{}\n", package.trim_end())).collect();
    let own = packages
        .iter_mut()
        .find(|package| package_name(package) == PLACEHOLDER)
        .context("the lock file in this program names no crate of its own")?;
    *own = own.replace(PLACEHOLDER, name);
    // The sort is stable, so versions of one crate keep their order.
    packages.sort_by(|a, b| package_name(a).cmp(package_name(b)));
    let separated = packages.iter().flat_map(|package| [SEPARATOR, package]);
    Ok(std::iter::once(head).chain(separated).collect())
}

/// Returns whether the lock file contains this package.
pub(super) fn contains(lock: &str, name: &str) -> bool {
    lock.split(SEPARATOR).any(|package| package_name(package) == name)
}

fn package_name(package: &str) -> &str {
    let line = package.lines().find_map(|line| line.strip_prefix("name = \""));
    line.and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}
