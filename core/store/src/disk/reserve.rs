//! Disk space reserved for a run's end: a file whose blocks the status takes over when the disk is full.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;

/// Size of the reserve in bytes.
const KEPT: usize = 64 << 10;
/// The smallest allocation of a file.
const BLOCK: u64 = 4 << 10;

fn path(run: &RunDir) -> PathBuf {
    run.path().join(".reserve")
}

/// Reserves disk space in a run's folder for its end. Failure is harmless.
pub fn keep_reserve(run: &RunDir) {
    let path = path(run);
    if inside::entry(run, &path).is_ok_and(|e| e.len >= KEPT as u64) {
        return;
    }
    // Spaces, which JSON allows after its end.
    if inside::replace(run, &path, &vec![b' '; KEPT], false).is_err() {
        inside::remove_file(run, &path).ok();
    }
}

/// Releases the reserve, for the last event or because the run has ended.
pub fn give_up_reserve(run: &RunDir) {
    inside::remove_file(run, &path(run)).ok();
    // A status that took over the reserve is followed by the rest of its spaces: cut them off.
    let text = inside::read(run, &run.status(), inside::TEXT_LIMIT).unwrap_or_default();
    if let Some(last) = text.iter().rposition(|b| !b.is_ascii_whitespace()) {
        inside::cut(run, &run.status(), last as u64 + 1).ok();
    }
}

/// Writes the first of `texts` that fits over the reserve and exchanges it with `target`. No step needs a new block.
pub(crate) fn replace(run: &RunDir, target: &Path, texts: &[Vec<u8>]) -> Result<()> {
    let path = path(run);
    let len = inside::entry(run, &path).at("read", &path)?.len;
    let file = inside::edit(run, &path).at("open", &path)?;
    let room = usize::try_from(len.next_multiple_of(BLOCK)).unwrap_or(KEPT);
    let Some(text) = texts.iter().find(|text| text.len() <= room) else {
        return Err(StoreError::Damaged { path, message: "it is too short".to_owned() });
    };
    let mut text = text.clone();
    text.resize(text.len().max(len as usize), b' ');
    file.write_all_at(&text, 0).at("write", &path)?;
    if !inside::exchange(run, &path, target).at("exchange", &path)? {
        inside::rename(run, &path, target).at("replace", target)?;
    }
    Ok(())
}
