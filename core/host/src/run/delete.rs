//! Deleting a run, and only a run.

use std::path::Path;
use std::time::{Duration, Instant};

use gradtop_store::{Life, Owner, RunDir, RunLock, StoreError, inside, is_locked, read_manifest, view};

use crate::error::{HostError, Result};
use crate::launcher::jobs;
use crate::run::allowed::{Action, Why, allowed};
use crate::run::waiting::delete_queued;

/// How long it may take until a file that was closed is gone.
const CLOSING: Duration = Duration::from_secs(1);

/// Whether a run may be deleted; if not, an error that says why, and what would have to be so. `runs` is the folder of all
/// runs. With `force`, these may go too: one whose manifest cannot be read, one with files of others in it,
/// and one that may be running on another machine.
///
/// # Errors
/// What speaks against it.
pub fn may_delete(runs: &Path, run: &RunDir, force: bool) -> Result<()> {
    let refuse = |why: String| Err(HostError::NotDeleted { path: run.path().to_owned(), why });
    let real = std::fs::canonicalize(run.path()).map_err(HostError::io("find the run's folder"))?;
    if std::fs::symlink_metadata(run.path()).is_ok_and(|m| m.is_symlink()) {
        return refuse(format!("it is a link to {}", real.display()));
    }
    let named = |path: Option<&Path>, prefix: &str| {
        path.and_then(Path::file_name).is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    if !(run.is_queued() || named(Some(&real), "run=") && named(real.parent(), "exp=")) {
        return refuse("the folder of a run is called exp=<experiment>/run=<name>".to_owned());
    }
    if let Err(e) = read_manifest(run) {
        let runs = std::fs::canonicalize(runs).map_err(HostError::io("find the runs folder"))?;
        if real.parent().and_then(Path::parent) != Some(&runs) {
            return refuse(format!("it is outside {}, and {e}", runs.display()));
        }
        if !force {
            return refuse(format!("{e}; `gradtop rm --force` deletes it anyway"));
        }
    }
    let foreign = gradtop_store::foreign(run)?;
    if !foreign.is_empty() && !force {
        let more = if foreign.len() > 3 { format!(" and {} more", foreign.len() - 3) } else { String::new() };
        let names: Vec<_> = foreign.iter().take(3).map(|name| name.display().to_string()).collect();
        let names = names.join(", ");
        return refuse(format!(
            "it contains other files ({names}{more}); `gradtop rm --force` deletes them too"
        ));
    }
    match view(run) {
        Ok(seen) => match allowed(&seen, Action::Delete) {
            Err(Why::Elsewhere { .. }) if force => Ok(()),
            answer => answer.map_err(HostError::not_allowed(run, Action::Delete)),
        },
        // Nothing more is known of it than that nobody runs it.
        Err(_) if !(lockable(run) && is_locked(run)?) => Ok(()),
        Err(e) => refuse(format!("{e}, and it is at work; `gradtop stop --kill {}` ends it", run.name())),
    }
}

/// Whether the run's lock is a file, or could be: what has anything else in its place is held by nobody.
fn lockable(run: &RunDir) -> bool {
    !inside::exists(run, &run.lock()) || inside::is_file(run, &run.lock())
}

/// Deletes a run that may be deleted, see [`may_delete`]. Its folder is moved out of sight in one step, then emptied: whoever
/// looks meanwhile sees the whole run or none. No link in it is followed.
///
/// # Errors
/// As [`may_delete`]; or the disk does not let it go.
pub fn delete(runs: &Path, run: &RunDir, force: bool) -> Result<()> {
    may_delete(runs, run, force)?;
    if run.is_queued() {
        return delete_queued(run);
    }
    let path = run.path();
    if view(run).is_ok_and(|seen| seen.queued.is_some()) {
        jobs::cancel(run)?;
    }
    if force {
        Owner::take_over(run)?;
    }
    // Held while the folder goes, so that nobody resumes it meanwhile.
    let lock = match lockable(run).then(|| RunLock::acquire(run)).transpose() {
        // What it left behind holds it, so nobody else can either.
        Err(StoreError::Locked { .. }) if view(run)?.life == (Life::Gone { held: true }) => None,
        lock => lock?,
    };
    let experiment = RunDir::new(path.parent().unwrap_or(path));
    let away = gradtop_store::tmp_beside(path);
    let failed = |what| HostError::io(format!("{what} {}", path.display()));
    inside::rename(&experiment, path, &away).map_err(failed("delete"))?;
    // Nothing is removed of a run in which something is mounted.
    let mounted = |e: &std::io::Error| e.kind() == std::io::ErrorKind::CrossesDevices;
    let removed = inside::remove_dir(&experiment, &away).or_else(|e| {
        if mounted(&e) {
            return Err(e);
        }
        // Some file systems of other machines keep a file that is open, under another name in its folder, until a moment after it
        // is closed.
        drop(lock);
        let start = Instant::now();
        loop {
            match inside::remove_dir(&experiment, &away) {
                Err(_) if start.elapsed() < CLOSING => std::thread::sleep(CLOSING / 50),
                removed => return removed,
            }
        }
    });
    if let Err(e) = removed {
        // What is left is shown, and can be deleted again.
        inside::rename_new(&experiment, &away, path).ok();
        return Err(failed(if mounted(&e) { "delete" } else { "delete all of" })(e));
    }
    gradtop_store::remove_unfinished(&experiment);
    // The experiment's folder goes with its last run; anything else in it keeps it.
    drop(std::fs::remove_dir(experiment.path()));
    if let Some(runs) = experiment.path().parent() {
        crate::plugin::shared::prune(runs);
    }
    Ok(())
}
