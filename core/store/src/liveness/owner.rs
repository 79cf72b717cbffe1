//! Who works on a run, for machines that do not see each other's locks.
//!
//! On a shared file system a lock may be visible on one node only, and nobody sees the processes of another. So the
//! keeper of a run also has a file `owner-<term>` in the run's folder, which it renews every [`RENEW`]. The highest
//! term counts. A term is taken with a hard link, which only one of several nodes can make; an owner that finds a
//! higher term has lost the run. An owner on another machine counts as dead only if its file is unchanged for [`STALE_AFTER`]
//! by the clock of the observer, or if the batch system has restarted its job.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::disk::temporary::tmp_beside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::run_dir::{OWNER, RunDir};
use crate::folder::status::{State, read_status};
use crate::liveness::holder::last_holder;
use crate::liveness::machine::Place;

/// How often an owner renews its file.
pub const RENEW: Duration = Duration::from_secs(10);
/// How long the file of an owner must be unchanged for the owner to count as dead.
pub(crate) const STALE_AFTER: Duration = Duration::from_mins(1);
/// How often to check a file that may be stale.
const LOOK: Duration = Duration::from_secs(1);
/// Number of attempts to read a folder in which owners change.
const LOOKS: usize = 5;
/// Environment variables that identify a batch job, the most specific first.
const JOBS: [&[&str]; 2] = [&["SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"], &["SLURM_JOB_ID"]];
const RESTARTS: &str = "SLURM_RESTART_COUNT";

/// The process that works on a run, or last did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    schema: u32,
    /// The number of this owner: how many the run has had, including this one.
    pub(crate) term: u32,
    /// Where it runs.
    #[serde(flatten)]
    pub(crate) place: Place,
    /// Its batch job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// How often that job was restarted.
    #[serde(default)]
    restarts: u64,
    /// A unique token.
    token: String,
    /// How often it was renewed.
    beat: u64,
    /// Whether it has written that the run is active: from then on, a final state is its own.
    #[serde(default)]
    begun: bool,
    /// Whether it has finished and written the end.
    #[serde(default)]
    over: bool,
    /// Whether the end of an earlier owner was not seen, so that owner may still write.
    #[serde(default)]
    pub(crate) unseen: bool,
}

/// An owner's file as it was when read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) owner: Owner,
    modified: SystemTime,
}

impl Seen {
    /// Returns the time since it was renewed, by the clocks of this machine and of the file system.
    pub(crate) fn age(&self) -> Duration {
        self.modified.elapsed().unwrap_or_default()
    }
}

/// Returns the terms for which there are files.
fn terms(run: &RunDir) -> io::Result<Vec<u32>> {
    let names = inside::names(run, run.path())?;
    Ok(names.iter().filter_map(|name| name.to_str()?.strip_prefix(OWNER)?.parse().ok()).collect())
}

fn read(run: &RunDir, term: u32) -> io::Result<Seen> {
    let path = run.owner(term);
    let modified = inside::entry(run, &path)?.modified;
    let bytes = inside::read(run, &path, inside::NOTE_LIMIT)?;
    let owner = serde_json::from_slice(&bytes).map_err(io::Error::from)?;
    Ok(Seen { owner, modified })
}

/// Returns all terms, and the owner with the highest one. There is no owner if its file is incomplete, as after a power cut.
fn latest(run: &RunDir) -> io::Result<(Vec<u32>, Option<Seen>)> {
    let mut looks = 0..LOOKS;
    loop {
        let all = terms(run)?;
        let Some(term) = all.iter().max() else { return Ok((all, None)) };
        match read(run, *term) {
            // The next owner has the run by now, or the file was being replaced.
            Err(_) if looks.next().is_some() => {}
            seen => return Ok((all, seen.ok())),
        }
    }
}

/// Returns the owner with the highest term, if its file can be read.
pub(crate) fn current(run: &RunDir) -> Option<Seen> {
    latest(run).ok()?.1
}

/// Returns the owner if it runs, or died, where this machine cannot see its locks and processes.
pub(crate) fn remote_owner(run: &RunDir) -> Option<Seen> {
    current(run).filter(|seen| seen.owner.is_elsewhere(run))
}

/// Returns whether a run has an owner on another machine, or one that died there before it had written the end.
pub fn is_owned_elsewhere(run: &RunDir) -> bool {
    remote_owner(run).is_some()
}

/// Returns whether that owner is an earlier start of the batch job of this process. It still works only if its node has
/// lost contact with the batch system.
pub fn is_of_earlier_start(run: &RunDir) -> bool {
    current(run).is_some_and(|seen| !seen.owner.over && seen.owner.is_before(&Owner::here(0, false)))
}

impl Owner {
    fn here(term: u32, unseen: bool) -> Self {
        let place = Place::here();
        let job = JOBS.iter().find_map(|names| {
            let parts: Option<Vec<String>> = names.iter().map(|name| std::env::var(name).ok()).collect();
            Some(parts?.join("_"))
        });
        let restarts = std::env::var(RESTARTS).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        // Temporary names are unique, so this makes a unique token.
        let token = tmp_beside(&PathBuf::from(&place.host)).to_string_lossy().into_owned();
        let schema = crate::schema::SCHEMA;
        Self { schema, term, place, job, restarts, token, beat: 0, begun: false, over: false, unseen }
    }

    /// Returns whether this owner is of an earlier start of the same job.
    fn is_before(&self, other: &Self) -> bool {
        self.job.is_some() && self.job == other.job && self.restarts < other.restarts
    }

    fn is_elsewhere(&self, run: &RunDir) -> bool {
        let (then, here) = (&self.place, Place::here());
        // Nodes of a cluster may share one installation, and thereby the machine's id.
        let rebooted = then.same_machine(&here) && then.host == here.host;
        let copied = || last_holder(run).is_some_and(|holder| holder.copied_from(run).is_some());
        let unknown = !self.over && then.boot.is_some() && (!then.same_boot(&here) && !rebooted || copied());
        // Killed just after it had written the end, or that its job is to be restarted: the status says so.
        let done = |state: State| state.is_final() || state == State::Queued;
        unknown && !(self.begun && read_status(run).is_ok_and(|status| done(status.state)))
    }

    /// Makes this process the owner of a run whose lock it holds. Continues as the owner that was claimed for it before
    /// the lock was passed on.
    ///
    /// # Errors
    /// [`StoreError::Owned`] if another machine has the run or may have it, or claimed it first.
    pub fn claim(run: &RunDir) -> Result<Self> {
        let (all, before) = latest(run).at("list", run.path())?;
        match before.map(|seen| seen.owner) {
            Some(owner) if owner.is_elsewhere(run) => Err(owner.has(run)),
            // This process holds the lock, so whoever claimed the run here is not working on it.
            Some(owner) if !owner.begun && !owner.over && owner.place.same_boot(&Place::here()) => Ok(owner),
            Some(owner) => Self::follow(run, &all, owner.unseen),
            None => Self::follow(run, &all, false),
        }
    }

    /// Like [`Self::claim`], but returns `None` on a file system without exclusive creation of files.
    ///
    /// # Errors
    /// As [`Self::claim`].
    pub fn claim_if_possible(run: &RunDir) -> Result<Option<Self>> {
        match Self::claim(run) {
            Err(StoreError::Io { source, .. })
                if is_refused(&source) || source.kind() == io::ErrorKind::IsADirectory =>
            {
                Ok(None)
            }
            claimed => claimed.map(Some),
        }
    }

    /// Takes a run from an owner on another machine, or from an earlier start of this job, for the next one to claim.
    /// Call it only if a user or the batch system says that the owner is gone, or its file is stale.
    ///
    /// # Errors
    /// Another process was faster.
    pub fn take_over(run: &RunDir) -> Result<()> {
        let (all, before) = latest(run).at("list", run.path())?;
        match before {
            Some(seen) if seen.owner.is_elsewhere(run) || is_of_earlier_start(run) => {
                Self::follow(run, &all, true).map(|own| own.end(run))
            }
            _ => Ok(()),
        }
    }

    /// Takes the term that follows all of these.
    fn follow(run: &RunDir, all: &[u32], unseen: bool) -> Result<Self> {
        let owner = Self::here(all.iter().max().map_or(1, |term| term.saturating_add(1)), unseen);
        let path = run.owner(owner.term);
        let bytes = owner.encode(run)?;
        let tmp = tmp_beside(&path);
        let taken = (|| {
            inside::replace(run, &tmp, &bytes, false)?;
            match inside::hard_link(run, &tmp, &path) {
                // Without hard links, a rename that does not replace also works.
                Err(e) if is_refused(&e) => inside::rename_new(run, &tmp, &path),
                linked => linked,
            }
        })();
        inside::remove_file(run, &tmp).ok();
        match taken {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(match current(run) {
                    Some(seen) => seen.owner.has(run),
                    None => StoreError::Locked(path),
                });
            }
            taken => taken.at("create", &path)?,
        }
        // A listing of a changing folder may miss both the new owner and the old one.
        if terms(run).at("list", run.path())?.iter().any(|term| *term > owner.term) {
            inside::remove_file(run, &path).ok();
            return Err(StoreError::Locked(path));
        }
        for term in all {
            inside::remove_file(run, &run.owner(*term)).ok();
        }
        Ok(owner)
    }

    /// Returns the error for a process that wants a run of this owner.
    pub(crate) fn has(&self, run: &RunDir) -> StoreError {
        StoreError::Owned { path: run.path().to_owned(), host: self.name() }
    }

    /// Returns the machine's name, and its job if there is one.
    pub(crate) fn name(&self) -> String {
        match &self.job {
            Some(job) => format!("{} (job {job})", self.place.host),
            None => self.place.host.clone(),
        }
    }

    fn encode(&self, run: &RunDir) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self).format_at("encode", &run.owner(self.term))?;
        text.push(b'\n');
        Ok(text)
    }

    /// Renews the file. Returns `false` if another owner has the run, so that this one may write no more.
    ///
    /// # Errors
    /// The folder cannot be read or written at all.
    pub fn renew(&mut self, run: &RunDir) -> Result<bool> {
        let path = run.owner(self.term);
        let higher = terms(run).at("list", run.path())?.iter().any(|term| *term > self.term);
        let other = read(run, self.term).is_ok_and(|seen| seen.owner.token != self.token);
        if higher || other {
            return Ok(false);
        }
        self.beat += 1;
        let bytes = self.encode(run)?;
        if inside::replace(run, &path, &bytes, false).is_err() {
            // Timestamps can be updated even on a full disk.
            inside::touch(run, &path).at("write", &path)?;
        }
        Ok(true)
    }

    /// Records that the first status is written.
    ///
    /// # Errors
    /// See [`Self::renew`].
    pub fn begin(&mut self, run: &RunDir) -> Result<bool> {
        self.begun = true;
        self.renew(run)
    }

    /// Records the end. If it was the only owner of the run, its file is removed.
    pub fn end(mut self, run: &RunDir) {
        let path = run.owner(self.term);
        if self.term == 1 && !self.unseen {
            inside::remove_file(run, &path).ok();
            return;
        }
        self.over = true;
        if let Ok(bytes) = self.encode(run) {
            inside::replace(run, &path, &bytes, false).ok();
        }
    }

    /// Like [`Self::end`], for an owner that died on this machine, once its end is written.
    pub fn end_of_dead(run: &RunDir) {
        if let Some(seen) = current(run).filter(|seen| !seen.owner.is_elsewhere(run)) {
            seen.owner.end(run);
        }
    }
}

/// Returns whether the file system does not support the kind of call.
fn is_refused(e: &io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [Errno::PERM, Errno::NOSYS, Errno::OPNOTSUPP, Errno::INVAL, Errno::MLINK];
    Errno::from_io_error(e).is_some_and(|e| refusals.contains(&e))
}

/// Watches the file of an owner on another machine. Returns `true` once the file is unchanged for a minute, and `false`
/// if it is renewed, replaced by another owner or absent, or once `go_on` returns false.
pub fn wait_until_stale(run: &RunDir, mut go_on: impl FnMut() -> bool) -> bool {
    let Some(first) = remote_owner(run) else { return false };
    let start = Instant::now();
    while start.elapsed() < STALE_AFTER {
        std::thread::sleep(LOOK);
        if !go_on() || remote_owner(run).as_ref() != Some(&first) {
            return false;
        }
    }
    true
}

/// Returns the segment after which a recorder continues. Leaves room for the segments of an earlier owner that may still write.
pub(crate) fn last_segment(run: &RunDir, last: u32) -> u32 {
    /// Far more segments than an owner writes between two checks of its ownership.
    const ROOM: u32 = 1_000;
    match current(run) {
        Some(seen) if seen.owner.unseen => last.next_multiple_of(ROOM).max(ROOM),
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::{RunLock, Status};

    fn run() -> (tempfile::TempDir, RunDir) {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        (temp, run)
    }

    /// As another machine would write it.
    fn move_away(run: &RunDir, owner: &Owner) {
        let mut away = owner.clone();
        away.place = Place { host: "far".to_owned(), boot: Some("another".to_owned()), ..Place::default() };
        inside::replace(run, &run.owner(owner.term), &away.encode(run).unwrap(), false).unwrap();
    }

    #[test]
    fn owners_follow_each_other_and_the_only_one_leaves_nothing() {
        let (_temp, run) = run();
        let mut first = Owner::claim(&run).unwrap();
        assert!(first.renew(&run).unwrap());
        assert_eq!(Owner::claim(&run).unwrap().token, first.token, "who was handed the lock goes on with it");
        assert!(first.begin(&run).unwrap());
        let mut second = Owner::claim(&run).unwrap();
        assert_eq!((first.term, second.term), (1, 2));
        assert!(!first.renew(&run).unwrap(), "it has lost the run");
        assert!(second.renew(&run).unwrap());
        assert_eq!(terms(&run).unwrap(), [2]);
        second.end(&run);
        assert!(current(&run).unwrap().owner.over, "the next has a higher term");
        let (_temp, run) = self::run();
        Owner::claim(&run).unwrap().end(&run);
        assert_eq!(terms(&run).unwrap(), [0; 0]);
    }

    #[test]
    fn the_run_of_another_machine_is_neither_locked_nor_claimed_until_it_is_taken_over() {
        let (_temp, run) = run();
        let lock = RunLock::acquire(&run).unwrap();
        let owner = Owner::claim(&run).unwrap();
        drop(lock);
        move_away(&run, &owner);
        let before = std::fs::read(run.lock()).unwrap();
        let refused = RunLock::acquire(&run).unwrap_err().to_string();
        assert!(refused.contains("far"), "{refused}");
        assert_eq!(std::fs::read(run.lock()).unwrap(), before, "it is not signed either");
        assert!(!wait_until_stale(&run, || false));
        Owner::take_over(&run).unwrap();
        RunLock::acquire(&run).unwrap();
        let mut next = Owner::claim(&run).unwrap();
        assert_eq!((next.term, last_segment(&run, 17)), (3, 1_000));
        assert!(next.renew(&run).unwrap());
        // What the other one writes late is not taken for one's own.
        move_away(&run, &owner);
        assert!(next.renew(&run).unwrap());
        move_away(&run, &Owner { token: "other".to_owned(), ..next.clone() });
        assert!(!next.renew(&run).unwrap());
    }

    #[test]
    fn a_torn_file_owns_nothing_and_its_term_is_not_given_again() {
        let (_temp, run) = run();
        std::fs::write(run.owner(4), "").unwrap();
        assert_eq!(Owner::claim(&run).unwrap().term, 5);
    }

    #[test]
    fn a_later_start_of_a_job_knows_the_earlier_ones() {
        let of = |job: Option<&str>, restarts| Owner {
            job: job.map(str::to_owned),
            restarts,
            ..Owner::here(1, false)
        };
        assert!(of(Some("7_1"), 0).is_before(&of(Some("7_1"), 1)));
        for (first, second) in [
            (of(Some("7_1"), 1), of(Some("7_1"), 1)),
            (of(Some("7_1"), 0), of(Some("7_2"), 1)),
            (of(None, 0), of(None, 1)),
        ] {
            assert!(!first.is_before(&second), "{first:?}");
        }
    }

    #[test]
    fn one_that_left_its_run_to_the_queue_has_it_no_more() {
        let (_temp, run) = run();
        let owner = Owner { begun: true, ..Owner::claim(&run).unwrap() };
        move_away(&run, &owner);
        for (state, owned) in [(State::Running, true), (State::Queued, false), (State::Crashed, false)] {
            crate::write_status(&run, &Status { state, ..Status::default() }).unwrap();
            assert_eq!(is_owned_elsewhere(&run), owned, "{state}");
        }
        move_away(&run, &Owner { begun: false, ..owner });
        assert!(is_owned_elsewhere(&run), "it is about to begin");
    }
}
