//! Deletes runs, and nothing but runs.

use std::path::Path;
use std::time::{Duration, Instant};

use gradtop_store::{Life, Owner, RunDir, RunLock, StoreError, inside, is_locked, read_manifest, view};

use crate::error::{HostError, Result};
use crate::launcher::jobs;
use crate::run::allowed::{Action, Why, allowed};
use crate::run::queue::waiting::delete_queued;

/// How long to wait until a closed file has disappeared.
const CLOSING: Duration = Duration::from_secs(1);

/// Checks that a run may be deleted; the error says why not and what to do. `runs` is the folder of all runs. `force` also
/// permits deleting a run with an unreadable manifest, with foreign files in it, or that may be active on another machine.
///
/// # Errors
/// Why it may not be deleted.
pub fn may_delete(runs: &Path, run: &RunDir, force: bool) -> Result<()> {
    let refuse = |why: String| Err(HostError::NotDeleted { path: run.path().to_owned(), why });
    let real = std::fs::canonicalize(run.path()).map_err(HostError::at("find", run.path()))?;
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
        let runs = std::fs::canonicalize(runs).map_err(HostError::at("find", runs))?;
        if real.parent().and_then(Path::parent) != Some(&runs) {
            return refuse(format!("it is outside {}, and {e}", runs.display()));
        }
        if !force {
            return refuse(format!("{e}; `gradtop rm --force` deletes it anyway"));
        }
    }
    let foreign = gradtop_store::foreign(run)?;
    if !foreign.is_empty() && !force {
        let names = gradtop_store::abbreviated(&foreign, 3, |name| name.display().to_string());
        return refuse(format!("it contains other files ({names}); `gradtop rm --force` deletes them too"));
    }
    match view(run) {
        Ok(seen) => match allowed(&seen, Action::Delete) {
            Err(Why::Elsewhere { .. }) if force => Ok(()),
            answer => answer.map_err(HostError::not_allowed(run, Action::Delete)),
        },
        // An unreadable run that nobody is running.
        Err(_) if !(lockable(run) && is_locked(run)?) => Ok(()),
        Err(e) => refuse(format!("{e}, and it is at work; `gradtop stop --kill {}` ends it", run.name())),
    }
}

/// Returns whether the run's lock is a file or does not exist; anything else in its place cannot be held.
fn lockable(run: &RunDir) -> bool {
    !inside::exists(run, &run.lock()) || inside::is_file(run, &run.lock())
}

/// Deletes a run if [`may_delete`] permits it. Its folder is first hidden in one step and then removed, so that
/// observers see the whole run or none. Links in it are not followed.
///
/// # Errors
/// See [`may_delete`], or the folder cannot be removed.
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
    // Held during the removal, so that nobody resumes the run.
    let lock = match lockable(run).then(|| RunLock::acquire(run)).transpose() {
        // A leftover process holds the lock, so nobody else can take it.
        Err(StoreError::Locked { .. }) if view(run)?.life == (Life::Gone { held: true }) => None,
        lock => lock?,
    };
    let experiment = RunDir::new(path.parent().unwrap_or(path));
    let away = gradtop_store::tmp_beside(path);
    let failed = |what| HostError::at(what, path);
    inside::rename(&experiment, path, &away).map_err(failed("remove"))?;
    // Nothing is removed if a file system is mounted in the run.
    let mounted = |e: &std::io::Error| e.kind() == std::io::ErrorKind::CrossesDevices;
    let removed = inside::remove_dir(&experiment, &away).or_else(|e| {
        if mounted(&e) {
            return Err(e);
        }
        // Some network file systems keep an open file under another name in its folder until shortly after it is closed.
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
        // Show what is left, so that it can be deleted again.
        inside::rename_new(&experiment, &away, path).ok();
        return Err(failed(if mounted(&e) { "delete" } else { "delete all of" })(e));
    }
    gradtop_store::remove_unfinished(&experiment);
    // Only succeeds if this was the experiment's last run and the folder contains nothing else.
    drop(std::fs::remove_dir(experiment.path()));
    if let Some(runs) = experiment.path().parent() {
        crate::plugin::shared::prune(runs);
    }
    Ok(())
}
