//! Checkpoints: `checkpoints/step-<n>/`, each with a record of the log's position.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::disk::temporary::TMP;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::log::part::names;

/// The record in a checkpoint's folder.
const RECORD: &str = "checkpoint.toml";
/// Number of checkpoints to keep.
const KEEP: usize = 2;

/// A saved checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The last step it includes.
    pub step: i64,
    /// The epoch, if the experiment counts epochs.
    pub epoch: Option<f64>,
    /// Seconds of training up to the checkpoint; unknown for older versions.
    pub trained_s: Option<f64>,
    /// Its folder, with what the experiment saved and `checkpoint.toml`.
    pub dir: PathBuf,
}

/// `checkpoint.toml`: the log's position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) schema: u32,
    pub(crate) step: i64,
    pub(crate) epoch: Option<f64>,
    pub(crate) trained_s: Option<f64>,
    pub(crate) time: Timestamp,
    /// The last journal segment it includes; 0 for none.
    pub(crate) segment: u32,
    /// The last part of each table it includes.
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, u32>,
}

/// Makes a temporary folder to save a checkpoint into.
pub(crate) fn begin(run: &RunDir, step: i64) -> Result<PathBuf> {
    let path = run.checkpoints().join(format!("{TMP}step-{step}"));
    inside::remove_dir(run, &path).at("remove", &path)?;
    inside::create_dir_all(run, &path).at("create", &path)?;
    Ok(path)
}

/// Writes the record, gives the folder its final name and removes all but the newest two checkpoints.
pub(crate) fn commit(run: &RunDir, tmp: &Path, record: &Record) -> Result<PathBuf> {
    let text = toml::to_string(record).format_at("encode", tmp)?;
    inside::sync_all(run, tmp).at("sync", tmp)?;
    let record_path = tmp.join(RECORD);
    inside::replace(run, &record_path, text.as_bytes(), true).at("write", &record_path)?;
    let dir = run.checkpoints();
    let path = dir.join(format!("step-{}", record.step));
    let remove = |path: &Path| inside::remove_dir(run, path).at("remove", path);
    let rename = |from: &Path, to: &Path| inside::rename(run, from, to).at("rename", from);
    if inside::exists(run, &path) {
        // The same step may be saved again after a resume: the old checkpoint is removed only after the new one has its name.
        if inside::exchange(run, tmp, &path).at("exchange", &path)? {
            remove(tmp)?;
        } else {
            let old = dir.join(format!("{TMP}old-{}", record.step));
            rename(&path, &old)?;
            rename(tmp, &path)?;
            remove(&old)?;
        }
    } else {
        rename(tmp, &path)?;
    }
    inside::sync_dir(run, &dir).at("sync", &dir)?;
    let kept = list(run);
    for (old, _) in &kept[..kept.len().saturating_sub(KEEP)] {
        remove(&old.dir)?;
    }
    Ok(path)
}

/// Lists checkpoints with their records, oldest first.
pub(crate) fn list(run: &RunDir) -> Vec<(Checkpoint, Record)> {
    let mut found: Vec<_> = names(run, &run.checkpoints())
        .unwrap_or_default()
        .into_iter()
        .filter(|n| n.starts_with("step-"))
        .filter_map(|n| {
            let dir = run.checkpoints().join(n);
            let record = read_record(run, &dir).ok()?;
            let Record { step, epoch, trained_s, .. } = record;
            Some((Checkpoint { step, epoch, trained_s, dir }, record))
        })
        .collect();
    found.sort_by_key(|(_, r)| (r.segment, r.time, r.step));
    found
}

/// Returns what is wrong with records of checkpoints that cannot be understood: such checkpoints are not listed.
pub(crate) fn unreadable_records(run: &RunDir) -> Vec<StoreError> {
    let names = names(run, &run.checkpoints()).unwrap_or_default().into_iter();
    let dirs = names.filter(|name| name.starts_with("step-")).map(|name| run.checkpoints().join(name));
    let errors = dirs.filter_map(|dir| read_record(run, &dir).err());
    errors.filter(|error| !error.is_gone()).collect()
}

fn read_record(run: &RunDir, dir: &Path) -> Result<Record> {
    let path = dir.join(RECORD);
    let text = inside::read_text(run, &path, inside::TEXT_LIMIT).at("read", &path)?;
    let record: Record = toml::from_str(&text).format_at("understand", &path)?;
    crate::folder::manifest::check_schema(record.schema, &path)?;
    Ok(record)
}

/// Lists the run's complete checkpoints, oldest first.
pub fn checkpoints(run: &RunDir) -> Vec<Checkpoint> {
    list(run).into_iter().map(|(c, _)| c).collect()
}

/// Returns the segments that precede a checkpoint: metrics are not merged across them.
pub(crate) fn boundaries(run: &RunDir) -> BTreeSet<u32> {
    list(run).into_iter().map(|(_, r)| r.segment).collect()
}

/// Like [`boundaries`], for the parts of a table.
pub(crate) fn table_boundaries(run: &RunDir, table: &str) -> BTreeSet<u32> {
    list(run).into_iter().filter_map(|(_, r)| r.tables.get(table).copied()).collect()
}
