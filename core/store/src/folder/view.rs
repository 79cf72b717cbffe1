//! What a viewer can believe about a run: its last status, checked against its lock and processes.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::disk::inside;
use crate::error::Result;
use crate::folder::ending::recorded_end;
use crate::folder::events::{RaisedAlert, last_alert};
use crate::folder::job::{Job, JobStage, NOT_QUEUED, read_job};
use crate::folder::manifest::{Manifest, read_manifest};
use crate::folder::notes::{Notes, read_notes};
use crate::folder::rebuild::rebuild;
use crate::folder::run_dir::RunDir;
use crate::folder::settle::settle;
use crate::folder::status::{Ending, State, Status, Waiting, read_status};
use crate::liveness::holder::{Holder, last_holder};
use crate::liveness::lock::{holders, is_locked};
use crate::liveness::machine::{Place, ProcessState, is_started_for, process_state};
use crate::liveness::owner::{self, STALE_AFTER, remote_owner};
use crate::log::part::list_segments;
use crate::runs::queue::{InQueue, in_queue};
use crate::stages::stage;

/// An active run that has written nothing for so long is considered silent. It writes its status every [`HEARTBEAT`].
const SILENT: Duration = Duration::from_secs(10);
/// How often a run that is not paused writes its status, even if it is unchanged.
pub const HEARTBEAT: Duration = Duration::from_secs(3);

/// What is known of a run's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The run has ended and recorded its end.
    Ended,
    /// They hold its lock.
    Alive {
        /// Whether their ids are of this process's namespace, so that signals reach them.
        within_reach: bool,
        /// Which of them is suspended by a signal, as far as can be seen.
        suspended: Option<Suspended>,
    },
    /// They are gone.
    Gone {
        /// Whether something they left behind still holds the lock.
        held: bool,
    },
    /// The run was last active on another machine or in an unknown place.
    Unknown,
}

/// Processes of a run that are suspended until they receive SIGCONT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// The trainer.
    Trainer,
    /// The keeper, without which a run neither ends nor can be stopped by force.
    Keeper,
    /// Both.
    Both,
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
    /// What is known of its processes.
    pub life: Life,
    /// False if the state is only the last one written: show `running?` with its age.
    pub certain: bool,
    /// The name of the machine on which it was last active, if it is known.
    pub host: Option<String>,
    /// The folder on this machine from which it was copied while it was active there.
    pub copied_from: Option<PathBuf>,
    /// Time since its owner on another machine renewed its file, as far as clocks agree. `None` if locks and processes
    /// can be checked.
    pub seen: Option<Duration>,
    /// Time since the run last wrote anything.
    pub age_of_last_write: Duration,
    /// The user's notes; empty if they cannot be read.
    pub notes: Notes,
    /// Why it waits, if it is in the queue.
    pub queued: Option<InQueue>,
    /// The last alert since it was started or resumed.
    pub alert: Option<RaisedAlert>,
    /// The batch job that is or was to execute it.
    pub job: Option<Job>,
    size: Seen,
}

/// Disk usage, once computed. Ignored when views are compared.
#[derive(Debug, Clone, Default)]
struct Seen(OnceLock<u64>);

impl PartialEq for Seen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl View {
    /// Sets its place in the queue to that of a list of runs, if it waits: each run on its own would count at another moment.
    #[must_use]
    pub fn listed_at(mut self, place: usize) -> Self {
        if let Some(counted) =
            self.queued.as_mut().and_then(|queued| queued.place.as_mut()).filter(|_| place > 0)
        {
            *counted = place;
        }
        self
    }

    /// Describes where a run is or was last active if its processes cannot be seen: `on node7`, or `a copy of /data/run=a`.
    pub fn whereabouts(&self) -> String {
        match (&self.copied_from, &self.host) {
            (Some(folder), _) => format!("a copy of {}", folder.display()),
            (None, Some(host)) => format!("on {host}"),
            (None, None) => "on an unknown machine".to_owned(),
        }
    }

    /// Returns the disk usage of its files in bytes, as of the first call: a folder may have many files.
    pub fn size(&self) -> u64 {
        *self.size.0.get_or_init(|| crate::size(&self.dir, self.dir.path()))
    }

    /// Returns how long an active run has been silent: it writes nothing at all, or logs nothing for longer than is usual
    /// for it. `None` if it is not silent, is not expected to write, waits for the disk, or is not known to be alive.
    pub fn silent_for(&self) -> Option<Duration> {
        if self.gives_no_sign() {
            return Some(self.age_of_last_write);
        }
        let logs = matches!(self.life, Life::Alive { .. })
            && matches!(self.state, State::Running | State::Stopping)
            && self.status.waiting.is_none();
        let quiet = self.status.updated.duration_since(self.status.quiet_since.filter(|_| logs)?);
        Some(quiet.unsigned_abs() + self.age_of_last_write)
    }

    /// Returns whether an active run writes nothing at all, not even a sign of life.
    pub fn gives_no_sign(&self) -> bool {
        let Life::Alive { suspended, .. } = self.life else { return false };
        let moves = matches!(self.state, State::Starting | State::Running | State::Stopping);
        let silent = self.status.waiting.is_none() && self.age_of_last_write >= SILENT;
        let still = matches!(suspended, Some(Suspended::Trainer | Suspended::Both));
        moves && (silent || still)
    }

    /// Returns whether its processes are gone and left work undone: an end that is not written, or rows that are not sealed.
    pub fn is_unattended(&self) -> bool {
        self.certain
            && self.state.is_final()
            && (!self.status.state.is_final() || self.status.unsettled || has_journal(&self.dir))
    }

    /// Returns which of its processes are suspended by a signal.
    pub fn suspended(&self) -> Option<Suspended> {
        let Life::Alive { suspended, .. } = self.life else { return None };
        suspended
    }

    /// Returns whether the run was interrupted by a reboot of this machine, judged by the host name alone: it was last
    /// active on a host of this name in another boot, and has written nothing since this boot began. Its processes are
    /// gone then, unless another machine of the same name shares its files and is silent.
    pub fn is_of_earlier_boot(&self) -> bool {
        let (then, here) = (last_at_work(&self.dir, &self.manifest).place, Place::here());
        let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let up = Duration::from_secs(u64::try_from(up.tv_sec).unwrap_or(0));
        let unrecorded = then.machine.is_none() && then.boot.is_some();
        self.life == Life::Unknown && unrecorded && then.host == here.host && self.age_of_last_write > up
    }
}

/// Returns whether some rows of a run are not sealed.
pub fn has_journal(run: &RunDir) -> bool {
    list_segments(run, &run.journal()).is_ok_and(|segments| !segments.is_empty())
}

/// Returns the last lock holder. Versions that did not sign the lock only recorded where the run was started.
fn last_at_work(run: &RunDir, manifest: &Manifest) -> Holder {
    last_holder(run).unwrap_or_else(|| {
        let (host, boot) = (manifest.host.clone().unwrap_or_default(), manifest.boot_id.clone());
        Holder::at(Place { host, boot, ..Place::default() })
    })
}

/// Determines what is known of the processes of a run that has not written its end.
fn life(
    run: &RunDir,
    then: &Place,
    status: &Status,
    far: Option<&owner::Seen>,
    copied: bool,
) -> Result<Life> {
    let here = Place::here();
    // Requests do not reach a copy, however recent its status is.
    if copied {
        return Ok(Life::Unknown);
    }
    if let Some(far) = far {
        let alive = Life::Alive { within_reach: false, suspended: None };
        return Ok(if far.age() < STALE_AFTER { alive } else { Life::Unknown });
    }
    if !then.same_boot(&here) {
        // If the lock is held after all, this machine shares its id with another one.
        let gone = then.same_machine(&here) && then.boot.is_some() && !is_locked(run)?;
        return Ok(if gone { Life::Gone { held: false } } else { Life::Unknown });
    }
    if !is_locked(run)? {
        // They may hold another file than the current lock: it was removed, or restored from a backup.
        let mut processes = [status.keeper_pid, status.trainer_pid].into_iter().flatten();
        return Ok(if processes.any(|pid| is_started_for(run, pid)) {
            Life::Alive { within_reach: true, suspended: None }
        } else {
            Life::Gone { held: false }
        });
    }
    let within_reach = then.same_pids(&here);
    let processes = || {
        let trainer = process_state(status.trainer_pid?, status.trainer_start?);
        Some((process_state(status.keeper_pid?, status.keeper_start?), trainer))
    };
    let (keeper, trainer) =
        within_reach.then(processes).flatten().unwrap_or((ProcessState::There, ProcessState::There));
    let suspended = match (keeper, trainer) {
        (ProcessState::Gone, ProcessState::Gone) => {
            // The lock may have been released with the last of them.
            let held = is_locked(run)?;
            // Whatever the status says, a process of this run that holds its lock is alive.
            if held && holders(run).iter().any(|pid| is_started_for(run, *pid)) {
                return Ok(Life::Alive { within_reach: false, suspended: None });
            }
            return Ok(Life::Gone { held });
        }
        (ProcessState::Suspended, ProcessState::Suspended) => Some(Suspended::Both),
        (ProcessState::Suspended, _) => Some(Suspended::Keeper),
        (_, ProcessState::Suspended) => Some(Suspended::Trainer),
        _ => None,
    };
    Ok(Life::Alive { within_reach, suspended })
}

/// Inspects a run. If it has not written its end and its processes are gone, it is [`State::Crashed`]. If nobody can
/// tell whether they are, its state is the last one written and not certain.
///
/// # Errors
/// The manifest or the status cannot be read.
pub fn view(run: &RunDir) -> Result<View> {
    let manifest = read_manifest(run)?;
    let status = read_or_queued(run)?;
    stage("status read");
    let at_rest = status.state.is_final() || run.is_queued();
    let LastPlace { place, copied_from, remote } = last_place(run, &manifest, at_rest)?;
    let life = match status.state {
        state if state.is_final() => Life::Ended,
        // It has not been started.
        _ if run.is_queued() => Life::Gone { held: false },
        _ => life(run, &place, &status, remote.as_ref(), copied_from.is_some())?,
    };
    // A new holder may have taken the lock and signed it in the meantime.
    if life == (Life::Gone { held: true }) && read_or_queued(run)?.updated != status.updated {
        return view(run);
    }
    let job = read_job(run);
    let Judged { mut status, life, state, queued } = judge(run, status, life, job.as_ref())?;
    if matches!(life, Life::Alive { .. }) {
        status.waiting = status.waiting.take().or_else(|| detect_full_disk(run, &status));
    }
    let age_of_last_write = last_write(run, &status).and_then(|time| time.elapsed().ok());
    // The job is named elsewhere.
    let name = |seen: owner::Seen| if job.is_some() { seen.owner.place.host } else { seen.owner.name() };
    Ok(View {
        dir: run.clone(),
        manifest,
        status,
        state,
        life,
        certain: life != Life::Unknown,
        copied_from,
        seen: remote.as_ref().map(owner::Seen::age),
        host: Some(remote.map_or(place.host, name)).filter(|host| !host.is_empty()),
        age_of_last_write: age_of_last_write.unwrap_or_default(),
        notes: read_notes(run).unwrap_or_default(),
        queued,
        alert: last_alert(run),
        job,
        size: Seen::default(),
    })
}

/// Where a run was last active.
struct LastPlace {
    place: Place,
    /// The folder from which it was copied, if that was here while it was active.
    copied_from: Option<PathBuf>,
    /// Its owner on another machine.
    remote: Option<owner::Seen>,
}

/// Determines where a run was last active; `at_rest` if it is not expected to be.
fn last_place(run: &RunDir, manifest: &Manifest, at_rest: bool) -> Result<LastPlace> {
    let holder = last_at_work(run, manifest);
    if at_rest {
        return Ok(LastPlace { place: holder.place, copied_from: None, remote: None });
    }
    let here = Place::here();
    let is_here = holder.place.same_boot(&here) || holder.place.same_machine(&here);
    let copied_from = if is_here { holder.copied_from(run) } else { None };
    let place = holder.place;
    // The lock's text may be of a process that lost the run to the current owner. Only a version without owner files
    // holds a lock while another machine owns the run.
    let remote = match remote_owner(run) {
        Some(seen) if seen.age() >= STALE_AFTER && place.same_boot(&here) && is_locked(run)? => None,
        remote => remote,
    };
    Ok(LastPlace { place, copied_from, remote })
}

/// The judgement of a run.
struct Judged {
    status: Status,
    life: Life,
    state: State,
    queued: Option<InQueue>,
}

/// Derives the state of a run from what is known of its processes, its batch job and the queue.
fn judge(run: &RunDir, mut status: Status, mut life: Life, job: Option<&Job>) -> Result<Judged> {
    let mut by_job = ByJob::default();
    let is_job_decisive = matches!(life, Life::Gone { held: false } | Life::Unknown) && !run.is_queued();
    if let Some(job) = job.filter(|_| is_job_decisive) {
        // It may have ended or begun between the two reads.
        status = read_or_queued(run)?;
        (life, by_job) = judged_by_job(job, life, &status);
    }
    let mut state = by_job.state.unwrap_or(status.state);
    let queued = if by_job.waits {
        Some(InQueue::default())
    } else if life == (Life::Gone { held: false }) {
        in_queue(run)
    } else {
        None
    };
    if queued.is_some() {
        state = State::Queued;
    } else if let Life::Gone { held } = life {
        // It may have ended between the two reads: the last status is written before the lock is released.
        status = read_or_queued(run)?;
        if status.state.is_final() {
            (life, state) = (Life::Ended, status.state);
        } else {
            state = state_without_processes(run, &mut status, by_job.end, held);
        }
    }
    Ok(Judged { status, life, state, queued })
}

/// Returns the state of a run whose processes are gone without a final status, and sets the cause as far as it is known.
fn state_without_processes(run: &RunDir, status: &mut Status, by_job: Option<Ending>, held: bool) -> State {
    if let Some((end, time)) = recorded_end(run, status) {
        (status.cause, status.ended) = (end.cause, Some(time));
        return end.state;
    }
    if let Some(end) = by_job {
        status.cause = end.cause;
        return end.state;
    }
    if held {
        let who = match holders(run).into_iter().map(process_name).collect::<Vec<_>>() {
            who if who.is_empty() => "another user's process".to_owned(),
            who => format!("process {}", who.join(", ")),
        };
        status.cause = Some(format!(
            "both of its processes are gone, but {who}, which they left behind, holds its lock"
        ));
    }
    State::Crashed
}

/// What the batch job says about its run.
#[derive(Default)]
struct ByJob {
    /// Whether it waits in the batch system.
    waits: bool,
    /// The run's state, if it differs from the last one written.
    state: Option<State>,
    /// How the run ended, if nothing else tells.
    end: Option<Ending>,
}

/// Interprets a run whose lock nobody is seen to hold by what the batch system reported about its job. A report from
/// before the run's last write is outdated and ignored.
fn judged_by_job(job: &Job, life: Life, status: &Status) -> (Life, ByJob) {
    let gone = Life::Gone { held: false };
    let far = Life::Alive { within_reach: false, suspended: None };
    let nothing = ByJob::default();
    let waits = status.state == State::Queued;
    let seen = job.seen.as_ref().filter(|seen| seen.asked >= status.updated);
    match seen.map(|seen| (seen.stage(), seen.state.as_str())) {
        _ if status.state.is_final() => (Life::Ended, nothing),
        Some((JobStage::Waits, _)) => (gone, ByJob { waits: true, ..nothing }),
        // As far as is known.
        None if waits => (gone, ByJob { waits: true, ..nothing }),
        // The job is about to take the lock.
        Some((JobStage::Works, _)) if waits => (far, ByJob { state: Some(State::Starting), ..nothing }),
        Some((JobStage::Works, _)) if life == Life::Unknown => (far, nothing),
        Some((JobStage::Over, word)) => {
            let taken_away = word == "CANCELLED" || word == NOT_QUEUED;
            let state = if waits && taken_away { State::Stopped } else { State::Crashed };
            let how = if word == NOT_QUEUED {
                "is in the queue no more, and has not begun"
            } else {
                &format!("ended: {word}")
            };
            let cause = format!("job {} of {} {how}", job.name().unwrap_or_default(), job.launcher);
            (gone, ByJob { end: Some(Ending { state, cause: Some(cause) }), ..nothing })
        }
        // The lock is free here, and the batch system no longer knows the job.
        Some((JobStage::Unknown, _)) if life == gone && !waits => (gone, nothing),
        _ => (Life::Unknown, nothing),
    }
}

/// Returns a process with its name, such as `4242 (sleep)`.
fn process_name(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{pid} ({})", name.trim_end())
}

/// Reads the status. A run without one is queued, or was written whole by another program if it was never locked. How far a
/// run came whose end no status tells, its rows tell.
fn read_or_queued(run: &RunDir) -> Result<Status> {
    let schema = crate::schema::SCHEMA;
    let mut status = match read_status(run) {
        Err(e) if e.is_gone() && !inside::exists(run, &run.lock()) => {
            Status { schema, state: State::Finished, ..Status::default() }
        }
        // A power cut may leave the file empty or torn; the events then tell the state.
        Err(e) if e.is_gone() || e.is_damage() => match rebuild(run, &e) {
            Some(told) if e.is_damage() || !run.is_queued() => told,
            _ => Status { schema, ..Status::default() },
        },
        r => return r,
    };
    if status.state.is_final() {
        settle(run, &mut status);
    }
    Ok(status)
}

/// Detects from outside that the disk is so full that not even the status can be written.
fn detect_full_disk(run: &RunDir, status: &Status) -> Option<Waiting> {
    let silent = Timestamp::now().duration_since(status.updated).as_secs_f64() > HEARTBEAT.as_secs_f64();
    let disk = rustix::fs::statvfs(run.path()).ok().filter(|_| silent)?;
    let cause = if disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        "the disk is read-only"
    } else if disk.f_bavail == 0 {
        "the disk is full"
    } else {
        return None;
    };
    Some(Waiting { cause: cause.to_owned(), rows: None, since: status.updated })
}

/// Returns when the run last wrote something. What has ended wrote its status last.
fn last_write(run: &RunDir, status: &Status) -> Option<SystemTime> {
    let written = |path: PathBuf| Some(inside::entry(run, &path).ok()?.modified);
    if status.state.is_final() {
        return written(run.status());
    }
    let files = [run.manifest(), run.status(), run.events(), run.series()];
    let journal = run.journal();
    let segments = inside::names(run, &journal).unwrap_or_default().into_iter().map(|n| journal.join(n));
    files.into_iter().chain(segments).filter_map(written).max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::Command;

    use super::*;
    use crate::liveness::machine::process_start;
    use crate::stages::hook;
    use crate::{RunLock, write_status};

    #[test]
    fn who_takes_a_run_while_it_is_looked_at_is_not_left_behind_by_who_had_it() {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        let manifest =
            "schema = 1\nkind = \"import\"\ncreated = \"2026-01-02T03:04:05Z\"\n[experiment]\nid = \"a\"\n";
        std::fs::write(run.manifest(), manifest).unwrap();
        let by = |pid: u32, start: u64, state| Status {
            state,
            updated: Timestamp::now(),
            keeper_pid: Some(pid),
            keeper_start: Some(start),
            trainer_pid: Some(pid),
            trainer_start: Some(start),
            ..Status::default()
        };
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        write_status(&run, &by(dead.id(), 1, State::Queued)).unwrap();
        let _lock = RunLock::acquire(&run).unwrap();
        assert_eq!(view(&run).unwrap().life, Life::Gone { held: true }, "this process is none of a run");
        let me = std::process::id();
        let (taken, now) = (run.clone(), by(me, process_start(me).unwrap(), State::Starting));
        hook::set(Some(Box::new(move |stage| {
            if stage == "status read" {
                write_status(&taken, &now).unwrap();
            }
        })));
        let seen = view(&run);
        hook::set(None);
        let seen = seen.unwrap();
        assert_eq!((seen.state, seen.certain), (State::Starting, true), "{:?}", seen.life);
    }
}
