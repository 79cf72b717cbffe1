//! Keeps imported runs up to date while their logs grow.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{ImportError, Result};
use crate::find::{Source, find};
use crate::into_run::Import;
use crate::reader::Progress;
use crate::recording::Target;

/// How often to check files and search folders for new ones.
const LOOK: Duration = Duration::from_millis(150);
const SEARCH: Duration = Duration::from_secs(1);
/// A source that has not changed for this time counts as ended; if it grows later, its run continues.
const QUIET: Duration = Duration::from_hours(1);
/// Number of runs kept open at the same time: the most recently changed ones.
const OPEN: usize = 32;

/// An event of a follower.
#[derive(Debug)]
pub enum News {
    /// A run is now being followed.
    Begun(gradtop_store::RunDir),
    /// Everything was read once, and nothing has a row yet.
    Waiting,
    /// A source cannot be read further, for this reason.
    Trouble(Source, ImportError),
}

struct Followed {
    source: Source,
    import: Import,
    announced: Option<String>,
    grew: Instant,
}

/// Keeps all runs of a path up to date.
pub struct Follower {
    path: PathBuf,
    target: Target,
    known: HashSet<PathBuf>,
    followed: Vec<Followed>,
    searched: Instant,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Follower {
    /// Opens what is there, and has read nothing yet.
    ///
    /// # Errors
    /// The path cannot be searched, it is one log that cannot be read, or another process follows something of it.
    pub fn new(path: &Path, target: Target, mut news: impl FnMut(News)) -> Result<Self> {
        let (known, followed, searched) = (HashSet::new(), Vec::new(), Instant::now());
        let mut new = Self { path: path.to_owned(), target, known, followed, searched };
        let found = find(path)?;
        let only = found.len() == 1;
        for (source, e) in new.open(found) {
            if only || matches!(e, ImportError::Followed(_)) {
                return Err(e);
            }
            news(News::Trouble(source, e));
        }
        Ok(new)
    }

    /// Reads until every run has ended or `stop` returns true, which is called at least every 150 ms.
    ///
    /// # Errors
    /// A run cannot be written, or another process has begun to follow the path.
    pub fn run(&mut self, mut stop: impl FnMut() -> bool, mut news: impl FnMut(News)) -> Result<()> {
        let done = self.turn_until(&mut stop, &mut news);
        for followed in &mut self.followed {
            match &done {
                Ok(()) => followed.import.stop()?,
                Err(e) => followed.import.fail(e)?,
            }
        }
        done
    }

    fn turn_until(&mut self, stop: &mut impl FnMut() -> bool, news: &mut impl FnMut(News)) -> Result<()> {
        let mut more = self.turn(stop, news)?;
        if self.followed.iter().all(|f| f.announced.is_none()) {
            news(News::Waiting);
        }
        loop {
            let over = !self.followed.is_empty() && self.followed.iter().all(|f| f.import.over);
            if stop() || over {
                return Ok(());
            }
            if !more {
                std::thread::sleep(LOOK);
            }
            more = self.turn(stop, news)?;
        }
    }

    /// Checks everything once; returns whether there is more to read.
    fn turn(&mut self, stop: &mut impl FnMut() -> bool, news: &mut impl FnMut(News)) -> Result<bool> {
        if self.searched.elapsed() >= SEARCH {
            self.searched = Instant::now();
            // A followed path may be moved temporarily.
            for (source, e) in self.open(find(&self.path).unwrap_or_default()) {
                news(News::Trouble(source, e));
            }
        }
        let mut more = false;
        let mut open = self.followed.iter().filter(|f| f.import.recording.is_open()).count();
        for at in 0..self.followed.len() {
            let followed = &mut self.followed[at];
            if followed.import.over {
                continue;
            }
            let before = followed.import.recording.rows();
            // Existing runs are read one by one, so that few are open at the same time.
            loop {
                match followed.import.read() {
                    Ok(Progress::More) => {
                        if followed.import.recording.beat(false)? || stop() {
                            break;
                        }
                    }
                    Ok(Progress::UpToDate) => break,
                    Err(e @ (ImportError::Store(_) | ImportError::Followed(_))) => return Err(e),
                    Err(e) => {
                        followed.import.fail(&e)?;
                        news(News::Trouble(followed.source.clone(), e));
                        break;
                    }
                }
            }
            if stop() {
                return Ok(false);
            }
            followed.import.tell_left_out()?;
            let grew = followed.import.recording.rows() > before;
            if grew {
                followed.grew = Instant::now();
                more = true;
            }
            // A run that was read before is active again, whether or not there is something new.
            let ended = followed.import.over || followed.import.recording.end().is_some();
            if !ended && followed.grew.elapsed() < QUIET && open < OPEN {
                open += usize::from(followed.import.recording.go_on()?);
            }
            if followed.import.recording.beat(true)? {
                followed.import.stop()?;
            } else if followed.import.recording.end().is_some() && !grew {
                followed.import.end()?;
            }
            let run = followed.import.run().cloned();
            if let Some(run) = run.filter(|run| followed.announced.as_ref() != Some(&run.name())) {
                followed.announced = Some(run.name());
                news(News::Begun(run));
            }
        }
        self.close_quiet()?;
        Ok(more)
    }

    /// Starts to follow the new ones of these sources; returns those that cannot be.
    fn open(&mut self, found: Vec<Source>) -> Vec<(Source, ImportError)> {
        let mut refused = Vec::new();
        for source in found {
            if !self.known.insert(source.path.clone()) {
                continue;
            }
            match Import::begin(&self.target, &source) {
                Ok(import) => {
                    let grew = last_change(&source.path);
                    self.followed.push(Followed { source, import, announced: None, grew });
                }
                Err(e) => refused.push((source, e)),
            }
        }
        refused
    }

    /// Closes runs that have been quiet for long, and those beyond the maximum number.
    fn close_quiet(&mut self) -> Result<()> {
        let mut open: Vec<usize> =
            (0..self.followed.len()).filter(|at| self.followed[*at].import.recording.is_open()).collect();
        open.sort_by_key(|at| std::cmp::Reverse(self.followed[*at].grew));
        for (place, at) in open.into_iter().enumerate() {
            let followed = &mut self.followed[at];
            if place >= OPEN || followed.grew.elapsed() >= QUIET {
                followed.import.end()?;
            }
        }
        Ok(())
    }
}

/// Returns when a file, or the newest file in a folder, was last changed.
fn last_change(path: &Path) -> Instant {
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let inside = std::fs::read_dir(path).into_iter().flatten().flatten().take(10_000);
    let newest = inside.filter_map(|entry| changed(&entry.path())).chain(changed(path)).max();
    let age = newest.and_then(|then| SystemTime::now().duration_since(then).ok()).unwrap_or_default();
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
}
