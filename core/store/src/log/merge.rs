//! Merging: many small parts become few.
//!
//! The merged folder is built beside the old one, untouched parts as hard links, and the two are exchanged in one step: a
//! glob sees either all old parts or all new ones. Where the file system cannot exchange, parts are merged only at the end of
//! a run or in recovery, one group at a time: a list says which parts a finished merged file stands for, they are removed,
//! and the file gets its name. Recovery obeys the list.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::disk::temporary::{TMP, tmp_beside};
use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::damage::tell;
use crate::folder::run_dir::RunDir;
use crate::log::part::{Part, list_parts, part_name};
use crate::sealed::file::Sealed;
use crate::stages::stage;

/// When and how far to merge.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Merge once so many parts could be merged; at the end, two are enough.
    pub(crate) parts: usize,
    /// Rows of a merged part at most.
    pub(crate) rows: u64,
    /// Bytes of the parts merged into one, at most.
    pub(crate) bytes: u64,
    /// Nothing else is written any more: merge what can be, if need be without an exchange.
    pub(crate) last: bool,
}

impl Policy {
    pub(crate) fn new(parts: usize, last: bool) -> Self {
        Self { parts, rows: 2_000_000, bytes: 64 << 20, last }
    }
}

/// The list that recovery obeys, where folders cannot be exchanged.
const LIST: &str = ".tmp-merge-list.json";

#[derive(Serialize, Deserialize)]
struct List {
    schema: u32,
    /// The finished merged file, still under its temporary name.
    merged: String,
    /// The name it is to have.
    name: String,
    /// The parts it stands for.
    covers: Vec<String>,
}

/// What merging needs to know of a kind of part.
pub(crate) trait PartKind {
    /// Writes the rows of `parts` to one new file at `out`, and puts it on the disk.
    fn merge(&self, run: &RunDir, parts: &[&Sealed], out: &Path) -> Result<()>;
}

/// Merges the parts in `dir` if the policy says so. No merged part spans a boundary: a segment after which a kept checkpoint
/// stands. A damaged part stays as it is, and is told of. Returns how many parts there were less than before.
pub(crate) fn merge(
    run: &RunDir,
    dir: &Path,
    kind: &dyn PartKind,
    boundaries: &BTreeSet<u32>,
    policy: &Policy,
) -> Result<usize> {
    let mut damaged: BTreeSet<PathBuf> = BTreeSet::new();
    loop {
        let merged = merge_all_but(&damaged, run, dir, kind, boundaries, policy);
        let Err(e) = &merged else { return merged };
        match e.damaged_file().filter(|_| e.is_damage()) {
            // Found while it was read.
            Some(path) if path.parent() == Some(dir) && damaged.insert(path.to_owned()) => {
                tell(run, path, None, e)?;
            }
            _ => return merged,
        }
    }
}

fn merge_all_but(
    damaged: &BTreeSet<PathBuf>,
    run: &RunDir,
    dir: &Path,
    kind: &dyn PartKind,
    boundaries: &BTreeSet<u32>,
    policy: &Policy,
) -> Result<usize> {
    let parts = list_parts(run, dir)?;
    if parts.len() < policy.parts.max(2) && !policy.last {
        return Ok(0);
    }
    let groups = plan(run, &parts, damaged, boundaries, policy)?;
    let merged: usize = groups.iter().map(|g| g.parts.len()).sum();
    if merged < policy.parts && !policy.last || groups.is_empty() {
        return Ok(0);
    }
    let staging =
        run.path().join(format!("{TMP}merge-{}", dir.file_name().unwrap_or_default().to_string_lossy()));
    inside::remove_dir(run, &staging).at("remove", &staging)?;
    inside::create_dir_all(run, &staging).at("create", &staging)?;
    let result = (|| {
        let mut done = Vec::new();
        for group in &groups {
            let covered = &parts[group.parts.clone()];
            let name = part_name(covered[0].first, covered[covered.len() - 1].last);
            let out = staging.join(&name);
            kind.merge(run, &group.opened.iter().collect::<Vec<_>>(), &out)?;
            stage("merge: written");
            done.push((name, out, covered));
        }
        if exchange(run, dir, &staging, &parts, &groups)? {
            return Ok(merged - groups.len());
        }
        if !policy.last {
            return Ok(0);
        }
        for (name, out, parts) in done {
            replace_by_list(run, dir, &name, &out, parts)?;
        }
        Ok(merged - groups.len())
    })();
    let cleared = inside::remove_dir(run, &staging).at("remove", &staging);
    stage("merge: cleared");
    result.and_then(|n| cleared.map(|_| n))
}

/// Neighbouring parts that become one.
struct Group {
    parts: Range<usize>,
    opened: Vec<Sealed>,
    rows: u64,
    bytes: u64,
}

/// Which runs of neighbours become one part each.
fn plan(
    run: &RunDir,
    parts: &[Part],
    damaged: &BTreeSet<PathBuf>,
    boundaries: &BTreeSet<u32>,
    policy: &Policy,
) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for (i, part) in parts.iter().enumerate().filter(|(_, part)| !damaged.contains(&part.path)) {
        let opened = Sealed::open(run, &part.path)?;
        let (rows, bytes) = (opened.rows() as u64, opened.len());
        // A part this large gains nothing from being written again.
        if rows >= policy.rows / 2 || bytes >= policy.bytes / 2 {
            continue;
        }
        let joined = groups.last_mut().filter(|group| {
            group.rows + rows <= policy.rows
                && group.bytes + bytes <= policy.bytes
                && group.parts.end == i
                && boundaries.range(parts[i.saturating_sub(1)].last..part.first).next().is_none()
        });
        match joined {
            Some(group) => {
                group.parts.end = i + 1;
                group.opened.push(opened);
                group.rows += rows;
                group.bytes += bytes;
            }
            None => groups.push(Group { parts: i..i + 1, opened: vec![opened], rows, bytes }),
        }
    }
    groups.retain(|g| g.parts.len() > 1);
    Ok(groups)
}

/// Completes the staged folder with links to all other files and exchanges it with `dir`. `false`: not possible here.
fn exchange(run: &RunDir, dir: &Path, staging: &Path, parts: &[Part], groups: &[Group]) -> Result<bool> {
    let merged: BTreeSet<&Path> =
        groups.iter().flat_map(|g| &parts[g.parts.clone()]).map(|p| p.path.as_path()).collect();
    for part in parts.iter().filter(|p| !merged.contains(p.path.as_path())) {
        let link = staging.join(part.path.file_name().unwrap_or_default());
        if inside::hard_link(run, &part.path, &link).is_err() {
            return Ok(false);
        }
    }
    inside::sync_dir(run, staging).at("sync", staging)?;
    stage("merge: staged");
    if !inside::exchange(run, staging, dir).at("exchange", dir)? {
        return Ok(false);
    }
    stage("merge: exchanged");
    let above = dir.parent().unwrap_or(dir);
    inside::sync_dir(run, above).at("sync", above)?;
    Ok(true)
}

/// Puts one merged file in the place of the parts it covers, by way of the list.
fn replace_by_list(run: &RunDir, dir: &Path, name: &str, out: &Path, parts: &[Part]) -> Result<()> {
    let tmp = tmp_beside(&dir.join(name));
    inside::rename(run, out, &tmp).at("move", out)?;
    let file_name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let list = List {
        schema: crate::schema::SCHEMA,
        merged: file_name(&tmp),
        name: name.to_owned(),
        covers: parts.iter().map(|p| file_name(&p.path)).collect(),
    };
    let path = dir.join(LIST);
    let text = serde_json::to_vec_pretty(&list).format_at("encode", &path)?;
    inside::sync_dir(run, dir).at("sync", dir)?;
    stage("merge: before the list");
    inside::replace(run, &path, &text, true).at("write", &path)?;
    stage("merge: listed");
    obey_list(run, dir)
}

/// Whether parts of `dir` are being replaced by way of a list just now, so that some rows are out of sight.
pub(crate) fn list_pending(run: &RunDir, dir: &Path) -> bool {
    inside::exists(run, &dir.join(LIST))
}

/// Finishes what a list began. Nothing to do without one.
pub(crate) fn obey_list(run: &RunDir, dir: &Path) -> Result<()> {
    let path = dir.join(LIST);
    let text = inside::if_there(inside::read(run, &path, inside::TEXT_LIMIT)).at("read", &path)?;
    let Some(text) = text else { return Ok(()) };
    let list: List = serde_json::from_slice(&text).format_at("understand", &path)?;
    crate::folder::manifest::check_schema(list.schema, &path)?;
    let (merged, name) = (dir.join(&list.merged), dir.join(&list.name));
    let remove = |path: &Path| inside::remove_file(run, path).at("remove", path);
    if inside::exists(run, &merged) {
        for part in list.covers.iter().filter(|c| **c != list.name) {
            remove(&dir.join(part))?;
            stage("merge: one removed");
        }
        inside::rename(run, &merged, &name).at("rename", &merged)?;
        stage("merge: renamed");
        inside::sync_dir(run, dir).at("sync", dir)?;
    }
    remove(&path).map(drop)
}

/// Removes what unfinished work left in a folder: names that begin with `.tmp-`.
pub(crate) fn remove_tmp(run: &RunDir, dir: &Path) -> Result<()> {
    for name in crate::log::part::names(run, dir)?.iter().filter(|n| n.starts_with(TMP)) {
        let path: PathBuf = dir.join(name);
        inside::remove_dir(run, &path).at("remove", &path)?;
    }
    Ok(())
}
