//! `gradtop rm`: delete runs.

use std::path::Path;

use anyhow::{Context as _, Result};
use gradtop_store::{RunDir, RunLock, View};

use super::{Context, short};
use crate::failure::Failure;
use crate::print::{self, clean, number};

/// Arguments of `rm`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The runs, by their whole names
    #[arg(required = true, value_name = "RUN")]
    names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let mut runs: Vec<RunDir> = Vec::new();
    for name in &args.names {
        let dir = context.find(name)?;
        let view: Option<View> = match super::view(&dir) {
            Ok(view) => Some(view),
            // Nothing is known of it but that nobody runs it; it can still go.
            Err(_) if !gradtop_store::is_locked(&dir)? => None,
            Err(e) => return Err(e),
        };
        let run = &dir.name();
        // The beginning of a name is a help in looking, and a trap in deleting.
        if !(name == run || name.trim_end_matches('/').rsplit(['/', '=']).next() == Some(run)) {
            return Err(Failure::usage(format!("there is no run named {name:?}; nothing was deleted"))
                .help(format!("deleting needs the whole name: gradtop rm {run}"))
                .into());
        }
        if let Some(view) = view.filter(|v| !v.state.is_final()) {
            let what = if view.certain { "is" } else { "may be" };
            return Err(Failure::new(format!(
                "{} {what} {}: nothing was deleted",
                view.manifest.run, view.state
            ))
            .help(format!("stop it first: gradtop stop {}", view.manifest.run))
            .into());
        }
        if !runs.contains(&dir) {
            runs.push(dir);
        }
    }
    if !args.yes {
        let names: Vec<String> =
            runs.iter().map(|r| format!("{} ({})", r.name(), number::bytes(size(r.path())))).collect();
        match print::ask(&format!("Delete {} for ever?", names.join(", "))) {
            Some(true) => {}
            Some(false) => return Err(Failure::new("nothing was deleted").into()),
            None => return Err(Failure::usage("deleting needs a yes").help("add --yes").into()),
        }
    }
    for run in runs {
        delete(&run)?;
        print::line(&format!("deleted {}", clean(&run.name())));
    }
    Ok(0)
}

/// Moves the folder out of sight in one step, then deletes it: whoever looks meanwhile sees the whole run or none.
pub(crate) fn delete(run: &RunDir) -> Result<()> {
    let path = run.path();
    // Held while the folder goes, so that nobody resumes it meanwhile.
    let lock = RunLock::acquire(run)?;
    let parent = path.parent().unwrap_or(path);
    let away = parent.join(format!(".deleted-{}-{}", run.name(), std::process::id()));
    std::fs::rename(path, &away).with_context(|| format!("cannot delete {}", short(path)))?;
    drop(lock);
    std::fs::remove_dir_all(&away).with_context(|| format!("cannot delete all of {}", short(&away)))?;
    // The experiment's folder goes with its last run; anything else in it keeps it.
    drop(std::fs::remove_dir(parent));
    Ok(())
}

/// Bytes of all files in a folder.
pub(crate) fn size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .filter_map(std::result::Result::ok)
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
            _ => 0,
        })
        .sum()
}
