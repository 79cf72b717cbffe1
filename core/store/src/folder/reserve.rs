//! Room kept for the last words: a file whose blocks a status takes over when the disk is full.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::inside;
use crate::folder::run_dir::RunDir;
use crate::folder::status::Status;

/// Bytes kept.
const KEPT: usize = 64 << 10;
/// What a file of any length has at least.
const BLOCK: u64 = 4 << 10;

fn path(run: &RunDir) -> PathBuf {
    run.path().join(".reserve")
}

/// Keeps room in a run's folder for what must be said when the disk is full. Nothing is lost if it cannot be had.
pub fn keep_reserve(run: &RunDir) {
    let path = path(run);
    if inside::entry(run, &path).is_ok_and(|e| e.len >= KEPT as u64) {
        return;
    }
    // Spaces, as JSON may have after its end.
    if inside::replace(run, &path, &vec![b' '; KEPT], false).is_err() {
        inside::remove_file(run, &path).ok();
    }
}

/// Gives the room back, for the last event or because the run has ended.
pub fn give_up_reserve(run: &RunDir) {
    inside::remove_file(run, &path(run)).ok();
    // A status that took the reserve's place keeps what follows its text until here.
    let text = inside::read(run, &run.status(), inside::TEXT_LIMIT).unwrap_or_default();
    if let Some(last) = text.iter().rposition(|b| !b.is_ascii_whitespace()) {
        inside::cut(run, &run.status(), last as u64 + 1).ok();
    }
}

/// Writes a status over the reserve, and lets the two change places: no step needs a new block.
pub(crate) fn replace_status(run: &RunDir, status: &Status) -> Result<()> {
    let (path, target) = (path(run), run.status());
    let len = inside::entry(run, &path).at("look at", &path)?.len;
    let file = inside::edit(run, &path).at("open", &path)?;
    let room = usize::try_from(len.next_multiple_of(BLOCK)).unwrap_or(KEPT);
    let mut text = serde_json::to_vec(status).format_at("encode", &path)?;
    if text.len() > room {
        let short = Status { headline: Vec::new(), ..status.clone() };
        text = serde_json::to_vec(&short).format_at("encode", &path)?;
    }
    if text.len() > room {
        return Err(StoreError::Damaged { path, message: "it is too short".to_owned() });
    }
    text.resize(text.len().max(len as usize), b' ');
    file.write_all_at(&text, 0).at("write", &path)?;
    if !inside::exchange(run, &path, &target).at("exchange", &path)? {
        inside::rename(run, &path, &target).at("replace", &target)?;
    }
    Ok(())
}
