//! What a viewer may believe about a run.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::ending::recorded_end;
use crate::error::Result;
use crate::inside;
use crate::lock::{is_locked, last_holder};
use crate::manifest::{Manifest, boot_id, host_name, read_manifest};
use crate::run_dir::RunDir;
use crate::status::{State, Status, Waiting, read_status};

/// Seconds after which a status says nothing of the present.
const SILENT_S: i64 = 3;
/// Seconds a new run may take to its first status.
const BIRTH_S: i64 = 15;

/// Whether a run belongs to this boot of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It was started here, since the machine came up: its lock tells the truth.
    Ours,
    /// Another machine, or an earlier boot: its lock says nothing for sure.
    Elsewhere,
}

/// A run as seen from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Its folder.
    pub dir: RunDir,
    /// What it was started with.
    pub manifest: Manifest,
    /// What it last wrote.
    pub status: Status,
    /// Its state, derived from status and lock.
    pub state: State,
    /// False if the state is only what was last written: show `running?` with the age.
    pub certain: bool,
    /// Time since the run last wrote anything.
    pub age_of_last_write: Duration,
}

impl View {
    /// Where the run lives or lived.
    pub fn life(&self) -> Life {
        life(&self.dir, &self.manifest)
    }

    /// Whether its processes are gone and left something undone: an end that is not written, or rows that are not sealed.
    pub fn is_unattended(&self) -> bool {
        self.certain && self.state.is_final() && (!self.status.state.is_final() || has_journal(&self.dir))
    }

    /// Whether the run was left unfinished by an earlier boot of this machine: it was last at work on a host of this name,
    /// in another boot, and has written nothing since this one began. Its processes are gone then, unless another machine of
    /// the same name and with the same files has it and keeps still.
    pub fn is_of_earlier_boot(&self) -> bool {
        let (host, boot) = last_at_work(&self.dir, &self.manifest);
        let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let up = Duration::from_secs(u64::try_from(up.tv_sec).unwrap_or(0));
        !self.state.is_final() && host == host_name() && boot != boot_id() && self.age_of_last_write > up
    }
}

/// Whether some rows of a run are not sealed.
pub fn has_journal(run: &RunDir) -> bool {
    crate::part::list_segments(run, &run.journal()).is_ok_and(|segments| !segments.is_empty())
}

/// Host and boot that ran it last.
fn last_at_work(run: &RunDir, manifest: &Manifest) -> (String, String) {
    last_holder(run).unwrap_or_else(|| (manifest.host.clone(), manifest.boot_id.clone()))
}

fn life(run: &RunDir, manifest: &Manifest) -> Life {
    if last_at_work(run, manifest) == (host_name(), boot_id()) { Life::Ours } else { Life::Elsewhere }
}

/// Looks at a run. A state that is not final with a free lock is [`State::Crashed`], unless the run is of another machine
/// or boot: then its state is as written and not certain. A run without any status is queued for its first 15 seconds.
pub fn view(run: &RunDir) -> Result<View> {
    let manifest = read_manifest(run)?;
    let mut status = read_or_queued(run)?;
    let mut state = status.state;
    let mut certain = true;
    if !state.is_final() {
        if life(run, &manifest) == Life::Elsewhere {
            certain = false;
        } else if !locked(run)? {
            // It may have ended between the two looks: its last status was written before the lock fell free.
            status = read_or_queued(run)?;
            let born = Timestamp::now().duration_since(manifest.created).as_secs();
            state = match status.state {
                // Its folder is there before it is locked, and its plugin is being copied perhaps.
                State::Queued if status.updated == Timestamp::UNIX_EPOCH && (0..BIRTH_S).contains(&born) => {
                    State::Queued
                }
                state if state.is_final() => state,
                _ => match recorded_end(run, &status) {
                    Some((end, time)) => {
                        (status.cause, status.ended) = (end.cause, Some(time));
                        end.state
                    }
                    None => State::Crashed,
                },
            };
        }
    }
    if certain && !state.is_final() {
        status.waiting = status.waiting.take().or_else(|| waits_unsaid(run, &status));
    }
    let age_of_last_write = last_write(run).and_then(|t| t.elapsed().ok()).unwrap_or_default();
    Ok(View { dir: run.clone(), manifest, status, state, certain, age_of_last_write })
}

/// A run is born locked; until its first status it is queued.
fn read_or_queued(run: &RunDir) -> Result<Status> {
    match read_status(run) {
        Err(crate::StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Status { schema: crate::SCHEMA, ..Status::default() })
        }
        // A power cut may leave it empty or torn: the events say how far it had come.
        Err(e @ crate::StoreError::Format { .. }) => Ok(from_events(run, &e)),
        r => r,
    }
}

/// What the events tell of a run whose status cannot be understood.
fn from_events(run: &RunDir, why: &crate::StoreError) -> Status {
    let mut status = Status { schema: crate::SCHEMA, state: State::Starting, ..Status::default() };
    let mut cause = None;
    for line in crate::read_events(run).unwrap_or_default() {
        status.updated = line.time;
        match line.event {
            crate::Event::State { state, cause: why } => {
                (status.state, cause) = (state, why);
                if state == State::Running {
                    status.started.get_or_insert(line.time);
                }
                status.ended = state.is_final().then_some(line.time);
            }
            crate::Event::Checkpoint { step, .. } => status.step = Some(step),
            _ => {}
        }
    }
    let note = format!("from events.jsonl: {why}");
    status.cause = Some(cause.map_or_else(|| note.clone(), |cause| format!("{cause} ({note})")));
    status
}

/// What can be seen from outside of a disk on which not even the status can be written.
fn waits_unsaid(run: &RunDir, status: &Status) -> Option<Waiting> {
    let silent = Timestamp::now().duration_since(status.updated).as_secs() >= SILENT_S;
    let disk = rustix::fs::statvfs(run.path()).ok().filter(|_| silent)?;
    let cause = if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        "the disk is read-only"
    } else if disk.f_bavail == 0 {
        "the disk is full"
    } else {
        return None;
    };
    Some(Waiting { cause: cause.to_owned(), rows: 0, since: status.updated })
}

/// A lock that looks free is looked at twice: between creating a run and locking it lie some microseconds.
fn locked(run: &RunDir) -> Result<bool> {
    if is_locked(run)? {
        return Ok(true);
    }
    std::thread::sleep(Duration::from_millis(2));
    is_locked(run)
}

fn last_write(run: &RunDir) -> Option<SystemTime> {
    let mut newest = None;
    let files = [run.manifest(), run.status(), run.events(), run.series()];
    let journal = run.journal();
    let segments = inside::names(run, &journal).unwrap_or_default().into_iter().map(|n| journal.join(n));
    for path in files.into_iter().chain(segments) {
        if let Ok(entry) = inside::entry(run, &path) {
            newest = newest.max(Some(entry.modified));
        }
    }
    newest
}
