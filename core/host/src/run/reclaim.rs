//! Disk space of ended runs that can be reclaimed: what a resume set aside, and all checkpoints but the newest and the best.

use std::path::PathBuf;

use gradtop_store::{Checkpoint, Goal, RunLock, View, checkpoints, headlines, inside, read_series, size};

use crate::error::{HostError, Result};
use crate::run::allowed::{Action, allowed};

/// A removable folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    /// What it is, in a word or two.
    pub what: &'static str,
    /// Its folder.
    pub path: PathBuf,
    /// Its disk usage in bytes.
    pub bytes: u64,
}

/// Returns what can be removed; nothing if the run has not ended or may continue elsewhere.
pub fn spare(view: &View) -> Vec<Spare> {
    // Removing needs the same conditions as deleting the run.
    if allowed(view, Action::Delete).is_err() {
        return Vec::new();
    }
    let run = &view.dir;
    let found = |what, path: PathBuf| {
        let bytes = size(run, &path);
        Spare { what, path, bytes }
    };
    let superseded = run.superseded();
    let aside = inside::is_dir(run, &superseded).then(|| found("superseded rows", superseded));
    let mut saved = checkpoints(run);
    let newest = saved.pop();
    let best = newest.iter().chain(&saved).map(|c| (value_at(view, c), c.step)).fold(None, better);
    let old = saved.into_iter().filter(|checkpoint| best.is_none_or(|(_, step)| step != checkpoint.step));
    aside.into_iter().chain(old.map(|c| found("old checkpoint", c.dir))).collect()
}

/// Returns the better of two checkpoints by a value to minimize; the first (newer) one if they are equal.
fn better(best: Option<(f64, i64)>, (value, step): (Option<f64>, i64)) -> Option<(f64, i64)> {
    match (best, value) {
        (Some((low, _)), Some(value)) if value >= low => best,
        (_, Some(value)) => Some((value, step)),
        (best, None) => best,
    }
}

/// Returns the value of the metric that represents the run at a checkpoint, negated if higher is better; `None` without a goal.
fn value_at(view: &View, checkpoint: &Checkpoint) -> Option<f64> {
    let headlines = headlines(&view.status.headline, &view.manifest.metrics);
    let (headline, line) = headlines.iter().find_map(|headline| Some((headline, headline.line()?)))?;
    let goal = headline.info.map_or(Goal::None, |info| info.goal);
    let series = read_series(&view.dir, |key| {
        key.metric == headline.metric
            && (key.model.as_deref(), key.split.as_deref()) == (line.model, line.split)
    });
    let values = series.ok()?.into_iter().filter_map(|series| {
        let at = series.step.iter().rposition(|step| *step <= checkpoint.step)?;
        Some(series.value[at])
    });
    let mean = line.average.of_finite(values.filter(|value| value.is_finite()))?;
    match goal {
        Goal::Min => Some(mean),
        Goal::Max => Some(-mean),
        Goal::None => None,
    }
}

/// Removes what can be removed and is still unused, and returns the number of bytes freed.
///
/// # Errors
/// The run was resumed in the meantime, or something cannot be removed.
pub fn reclaim(view: &View) -> Result<u64> {
    let run = &view.dir;
    let _lock = RunLock::acquire(run)?;
    let now = gradtop_store::view(run)?;
    // This process holds the lock itself, so check the status only.
    if !now.status.state.is_final() {
        return Ok(0);
    }
    let mut freed = 0;
    for Spare { path, bytes, .. } in spare(&now) {
        let removed = inside::remove_dir(run, &path);
        removed.map_err(HostError::at("remove", &path))?;
        freed += bytes;
    }
    Ok(freed)
}
