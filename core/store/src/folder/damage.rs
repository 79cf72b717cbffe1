//! `damage.jsonl`: the damaged files of a run, one JSON object per line.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::events::{Event, append_event};
use crate::folder::lines::check_lines;
use crate::folder::run_dir::RunDir;

/// A damaged file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Damage {
    /// When it was found.
    pub time: Timestamp,
    /// The file's path when it was found, relative to the run's folder.
    pub file: PathBuf,
    /// Where it was moved to, relative to the run's folder, if it was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    damage: &'a Damage,
}

/// Reads the damage found so far by sealing, merging and recovery; of a file that is damaged itself, that. Invalid lines are skipped.
///
/// # Errors
/// The file cannot be read.
pub fn known_damage(run: &RunDir) -> Result<Vec<Damage>> {
    let path = run.damage();
    let text = inside::if_there(inside::read(run, &path, inside::TEXT_LIMIT)).at("read", &path);
    if let Some(e) = text.as_ref().err().filter(|e| e.is_damage()) {
        let file = path.strip_prefix(run.path()).unwrap_or(&path).to_owned();
        return Ok(vec![Damage { time: Timestamp::now(), file, kept: None, message: e.what() }]);
    }
    let text = text?.unwrap_or_default();
    Ok(text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Reads `damage.jsonl` through.
///
/// # Errors
/// It cannot be read, or a line of it is invalid.
pub(crate) fn check_damage(run: &RunDir) -> Result<()> {
    check_lines(run, &run.damage(), |line| serde_json::from_slice::<Damage>(line).is_ok())
}

/// Moves a damaged file to `damaged/`, where nothing reads it, and reports it once.
pub(crate) fn set_aside(run: &RunDir, path: &Path, error: &StoreError) -> Result<()> {
    let dir = run.damaged();
    inside::create_dir_all(run, &dir).at("create", &dir)?;
    let name = path.file_name().unwrap_or_default();
    let mut to = dir.join(name);
    for n in 2.. {
        if !inside::exists(run, &to) {
            break;
        }
        to = dir.join(format!("{n}-{}", name.to_string_lossy()));
    }
    // Reported first: a kill in between only repeats the report.
    tell(run, path, Some(&to), error)?;
    inside::rename(run, path, &to).at("move", path)?;
    inside::sync_dir(run, &dir).at("sync", &dir)
}

/// Records that a file is damaged and logs a warning, unless that has been done before or the events are what is damaged.
pub(crate) fn tell(run: &RunDir, path: &Path, kept: Option<&Path>, error: &StoreError) -> Result<()> {
    let below = |path: &Path| path.strip_prefix(run.path()).unwrap_or(path).to_owned();
    let damage =
        Damage { time: Timestamp::now(), file: below(path), kept: kept.map(below), message: error.what() };
    let same = |d: &Damage| (&d.file, &d.kept, &d.message) == (&damage.file, &damage.kept, &damage.message);
    if known_damage(run)?.iter().any(same) {
        return Ok(());
    }
    let file = run.damage();
    let mut text = serde_json::to_vec(&Line { schema: crate::schema::SCHEMA, damage: &damage })
        .format_at("encode", &file)?;
    text.push(b'\n');
    inside::append(run, &file)
        .and_then(|mut f| std::io::Write::write_all(&mut f, &text))
        .at("append to", &file)?;
    // A new line would hide how much shorter it is.
    if path == run.events() {
        return Ok(());
    }
    let kept = damage.kept.map(|kept| format!("; kept as {}", kept.display())).unwrap_or_default();
    let message = format!("{} is damaged: {}{kept}", damage.file.display(), damage.message);
    append_event(run, &Event::Warning { message })
}
