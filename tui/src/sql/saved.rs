//! Saved queries: built-in ones, and the user's own in `queries/NAME.sql` in the settings folder.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::failure::Failure;
use crate::files;
use crate::print::clean;

const OURS: &str = include_str!("queries.sql");

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// What it answers, in one line.
    pub(crate) about: String,
    pub(crate) sql: String,
}

/// All queries by name; the user's own take precedence.
pub(crate) fn all() -> Result<BTreeMap<String, Saved>> {
    let mut all: BTreeMap<String, Saved> = ours().collect();
    let folder = gradtop_host::config_dir().map(|dir| dir.join("queries"));
    for path in folder.iter().flat_map(|folder| files::entries(folder)) {
        let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
        let (Some(name), true) = (name, path.extension().is_some_and(|end| end == "sql")) else { continue };
        let sql = files::read(&path)?;
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

/// Returns the query of this name.
///
/// # Errors
/// There is none; the message suggests a similar one.
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
