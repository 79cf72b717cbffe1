//! Queries with names: those that come with gradtop, and the user's own, each a file `queries/NAME.sql` in the folder of settings.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use crate::failure::Failure;
use crate::print::clean;

const OURS: &str = include_str!("queries.sql");

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// What it answers, in a line.
    pub(crate) about: String,
    pub(crate) sql: String,
}

/// All of them by name; of two with one name, the user's own.
///
/// # Errors
/// One of the user's cannot be read.
pub(crate) fn all() -> Result<BTreeMap<String, Saved>> {
    let mut all: BTreeMap<String, Saved> = ours().collect();
    let folder = gradtop_host::config_dir().map(|dir| dir.join("queries"));
    for entry in folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        let (Some(name), true) = (name, path.extension().is_some_and(|end| end == "sql")) else { continue };
        let sql = crate::files::read(&path)?;
        let about = sql.lines().next().and_then(|line| line.strip_prefix("--")).unwrap_or_default();
        all.insert(name, Saved { about: about.trim().to_owned(), sql });
    }
    Ok(all)
}

fn ours() -> impl Iterator<Item = (String, Saved)> {
    OURS.split("\n\n").filter_map(|block| {
        let (head, sql) = block.trim_start().split_once('\n')?;
        let (name, about) = head.strip_prefix("-- ")?.split_once(": ")?;
        Some((name.to_owned(), Saved { about: about.to_owned(), sql: sql.to_owned() }))
    })
}

/// The query of a name.
///
/// # Errors
/// There is none; the error names one that is near.
pub(crate) fn named(name: &str) -> Result<Saved> {
    let mut all = all()?;
    if let Some(saved) = all.remove(name) {
        return Ok(saved);
    }
    let message = format!("no query is called @{}", clean(name));
    Err(Failure::unknown(message, name, all.keys().map(String::as_str), "queries").into())
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn ten_queries_come_with_it() {
        let all: Vec<_> = ours().collect();
        assert_eq!(all.len(), 10);
        for (name, saved) in all {
            assert!(!saved.about.is_empty() && saved.sql.trim_end().ends_with(';'), "{name}");
            assert_eq!(saved.sql.matches(';').count(), 1, "{name} is one statement");
        }
    }
}
