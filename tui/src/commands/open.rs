//! `gradtop open`: shows the logs of another tool in the monitor while they grow.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use gradtop_import::{Follower, ImportError, News, Target};

use super::{Context, import, monitor};
use crate::failure::Failure;
use crate::print::{self, clean};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file or folder, as `import` takes it
    path: PathBuf,
    /// Print one frame and end
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(context: Context, args: &Args) -> Result<i32> {
    let runs = match &context.runs {
        Some(runs) => runs.clone(),
        None => folder_of(&args.path)?,
    };
    let sources = gradtop_import::find(&args.path)?;
    let target =
        Target { runs: runs.clone(), experiment: gradtop_import::experiment_of(&args.path), name: None };
    let context = Context { runs: Some(runs), ..context };
    let shown = args.path.canonicalize().unwrap_or_else(|_| args.path.clone());
    let monitor = monitor::Args::showing(&shown, args.once);
    if args.once || !print::terminal().tty {
        if sources.is_empty() {
            return Err(import::no_logs(&args.path));
        }
        for source in &sources {
            let imported = gradtop_import::Import::whole(&target, source, || false)?;
            if let Some(error) = imported.error {
                print::error(&clean(&error.to_string()), None);
            }
        }
        return monitor::run(&context, &monitor);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let path = args.path.clone();
    let reading = std::thread::Builder::new().name("follow".to_owned()).spawn(move || {
        let mut troubles = Vec::new();
        let mut news = |news| {
            if let News::Trouble(source, error) = news {
                troubles.push(format!("{}: {error}", source.name));
            }
        };
        let follower = Follower::new(&path, target, &mut news);
        let done = follower.and_then(|mut follower| follower.run(|| stopped.load(Ordering::Relaxed), news));
        match done {
            // By another monitor, and this one shows it all the same.
            Ok(()) | Err(ImportError::Followed(_)) => {}
            Err(error) => troubles.push(error.to_string()),
        }
        troubles
    })?;
    let code = monitor::run(&context, &monitor);
    stop.store(true, Ordering::Relaxed);
    let troubles = reading.join().unwrap_or_else(|_| vec!["reading the logs panicked".to_owned()]);
    for trouble in &troubles {
        print::error(&clean(trouble), None);
    }
    code.map(|code| if troubles.is_empty() { code } else { code.max(crate::failure::ERROR) })
}

/// The runs folder for a path: a folder in the cache that is reused the next time.
fn folder_of(path: &Path) -> Result<PathBuf> {
    let cache = gradtop_host::cache_dir().ok_or_else(|| {
        Failure::new("there is no folder for a cache").help("set HOME or XDG_CACHE_HOME, or give --runs")
    })?;
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let name: String = path.to_string_lossy().trim_start_matches('/').chars().map(plain).collect();
    // The end of the path makes the name readable, the checksum makes it unique.
    let end = &name[name.len().saturating_sub(80)..];
    let sum = gradtop_chart::colour::fnv1a(path.as_os_str().as_encoded_bytes());
    Ok(cache.join("opened").join(format!("{end}-{sum:016x}")))
}
