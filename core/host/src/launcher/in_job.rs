//! The job that a keeper is in: its end in time, and being started again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use crate::launcher::ask::ask;
use crate::launcher::jobs::{Known, jobs, variable};

/// Time for a checkpoint after SIGTERM. Slurm sends SIGKILL 30 s after it unless a site has set another time.
pub(crate) const GRACE: Duration = Duration::from_secs(25);
/// How long before the end of its time a run saves a checkpoint and makes way: a tenth of its time, within these bounds.
const LEAD: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_mins(2);
/// How long until Slurm is asked again that had no answer.
const AGAIN: Duration = Duration::from_mins(1);

/// Why a run makes way whose job has little time left.
pub(crate) const TIME_OVER: &str = "the time of its job is nearly over";
/// The same once it has made way, or was ended.
const WAS_OVER: &str = "the time of its job was over";

/// The job that a keeper is in.
pub(crate) struct InJob {
    id: u64,
    /// Starts before this one.
    restarts: u64,
    /// Its run can go on in another start.
    resumable: bool,
    /// Its time is over, or nearly so if the run can go on later.
    late: Arc<AtomicBool>,
}

impl InJob {
    /// The job of this process. Tells `early` when its time is nearly over, if the run can go on later.
    pub(crate) fn here(resumable: bool, early: &Arc<OnceLock<String>>) -> Option<Self> {
        let id = variable("SLURM_JOB_ID")?;
        let restarts = variable("SLURM_RESTART_COUNT").unwrap_or(0);
        let late = Arc::new(AtomicBool::new(false));
        let (is_late, early) = (late.clone(), early.clone());
        let watch = move || {
            wait_for_time(id, resumable);
            is_late.store(true, Ordering::Release);
            if resumable {
                early.set(TIME_OVER.to_owned()).ok();
            }
        };
        // Where no thread can be started, the run loses what it did since its last checkpoint.
        std::thread::Builder::new().name("time".to_owned()).spawn(watch).ok();
        Some(Self { id, restarts, resumable, late })
    }

    /// Whether the run goes on in another start of this job, now that it has stopped though no person asked: why. Asks for that start
    /// unless Slurm sees to it.
    ///
    /// # Errors
    /// It should, but Slurm refuses.
    pub(crate) fn starts_again(&self) -> Result<Option<String>, String> {
        let why = match known(self.id) {
            Some(known) if known.restarts > self.restarts => return Ok(Some("requeued by Slurm".to_owned())),
            Some(known) if known.preempted => "preempted",
            _ if self.resumable && self.late.load(Ordering::Acquire) => WAS_OVER,
            _ => return Ok(None),
        };
        ask("scontrol", &["requeue", &self.id.to_string()])?;
        Ok(Some(why.to_owned()))
    }

    /// Why Slurm has ended the run, of one that does not go on.
    pub(crate) fn ended_because(&self) -> Option<&'static str> {
        (!self.resumable && self.late.load(Ordering::Acquire)).then_some(WAS_OVER)
    }
}

/// What Slurm says of a job.
fn known(id: u64) -> Option<Known> {
    jobs(Some(id)).ok()?.into_iter().find(|known| known.id == id)
}

/// How long it is until then.
fn left(then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(Timestamp::now())).unwrap_or_default()
}

/// Waits until the time of the job is over, or `ahead` of that. It may be given more meanwhile, so Slurm is asked once more before.
fn wait_for_time(id: u64, ahead: bool) {
    let announced = || known(id)?.ends;
    // Slurm gives it to jobs since 23.02.
    let given =
        variable("SLURM_JOB_END_TIME").and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok());
    let mut end = given.or_else(announced);
    while end.is_none() {
        std::thread::sleep(AGAIN);
        end = announced();
    }
    let Some(mut end) = end else { return };
    let lead = if ahead { (left(end) / 10).clamp(*LEAD.start(), *LEAD.end()) } else { Duration::ZERO };
    loop {
        std::thread::sleep(left(end).saturating_sub(lead));
        match announced() {
            Some(later) if left(later) > lead => end = later,
            _ => return,
        }
    }
}
