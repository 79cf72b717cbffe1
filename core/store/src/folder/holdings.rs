//! What the folder of a run held when it ended. Its last status says that, so that what is missing later is known.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::part::{list_parts, names};

/// Files that are written once or only added to.
const FILES: [&str; 5] = ["events.jsonl", "series.jsonl", "figures.toml", "console.log", "code.diff"];

/// What a folder held, except rows of metrics, which are counted anyway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holdings {
    /// Lengths of files in bytes.
    #[serde(default)]
    files: BTreeMap<String, u64>,
    /// Number of parts of each table; a merged one counts as those it was made of.
    #[serde(default)]
    tables: BTreeMap<String, u64>,
}

impl Holdings {
    pub(crate) fn of(run: &RunDir) -> Self {
        let files = FILES.into_iter().filter_map(|name| Some((name.to_owned(), len(run, name)?)));
        let tables = names(run, &run.tables()).unwrap_or_default().into_iter();
        let tables = tables.filter(|name| !name.starts_with('.')).filter_map(|name| {
            let parts = parts(run, &name).ok()?;
            Some((name, parts))
        });
        Self { files: files.collect(), tables: tables.collect() }
    }

    /// Returns what is wrong with a file of the folder that was longer, or is no longer there.
    pub(crate) fn missing_of(&self, run: &RunDir, path: &Path) -> Option<StoreError> {
        let name = path.strip_prefix(run.path()).ok()?.to_str()?;
        let held = *self.files.get(name)?;
        let message = match len(run, name) {
            None if inside::exists(run, path) => "it is not a regular file".to_owned(),
            None => "it is missing".to_owned(),
            Some(there) if there < held => format!("{} of its {held} bytes are missing", held - there),
            Some(_) => return None,
        };
        Some(StoreError::Damaged { path: path.to_owned(), message })
    }

    /// Returns what is wrong with all such files.
    pub(crate) fn missing_files(&self, run: &RunDir) -> Vec<StoreError> {
        FILES.iter().filter_map(|name| self.missing_of(run, &run.path().join(name))).collect()
    }

    /// Returns what is wrong with tables that lack parts.
    pub(crate) fn missing_parts(&self, run: &RunDir) -> Vec<StoreError> {
        if let Some(damage) = names(run, &run.tables()).err().filter(StoreError::is_damage) {
            return vec![damage];
        }
        let lacking = self.tables.iter().filter_map(|(name, held)| {
            let there = match parts(run, name) {
                Err(e) => return Some(e).filter(StoreError::is_damage),
                Ok(there) => there,
            };
            let message = match there {
                0 => "all of its rows are missing".to_owned(),
                _ => format!("{} of {held} parts are missing", held.saturating_sub(there)),
            };
            (there < *held).then(|| StoreError::Damaged { path: run.tables().join(name), message })
        });
        lacking.collect()
    }
}

fn len(run: &RunDir, name: &str) -> Option<u64> {
    let entry = inside::entry(run, &run.path().join(name)).ok()?;
    (entry.kind == inside::Kind::File).then_some(entry.len)
}

/// Counts the parts of a table.
fn parts(run: &RunDir, table: &str) -> Result<u64> {
    let parts = list_parts(run, &run.tables().join(table))?;
    Ok(parts.iter().map(|part| u64::from(part.last - part.first) + 1).sum())
}
