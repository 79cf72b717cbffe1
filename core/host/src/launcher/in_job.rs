//! The batch job of a keeper: its time limit, and requeueing it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use crate::launcher::ask::ask;
use crate::launcher::jobs::{Known, jobs, variable};

/// Time for a checkpoint after SIGTERM. By default, Slurm sends SIGKILL 30 s later.
pub(crate) const GRACE: Duration = Duration::from_secs(25);
/// How long before its time limit a run saves a checkpoint and ends: a tenth of the limit, within these bounds.
const LEAD: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_mins(2);
/// Delay until Slurm is asked again after it did not answer.
const AGAIN: Duration = Duration::from_mins(1);

/// Why a run ends shortly before its job's time limit.
pub(crate) const TIME_OVER: &str = "the time of its job is nearly over";
/// Why a run has ended at its job's time limit.
const WAS_OVER: &str = "the time of its job was over";

/// The batch job of a keeper.
pub(crate) struct InJob {
    id: u64,
    /// Number of earlier starts.
    restarts: u64,
    /// Whether the run can continue in a later start.
    resumable: bool,
    /// Set once the time limit is reached, or close if the run can continue later.
    late: Arc<AtomicBool>,
}

impl InJob {
    /// Returns the job of this process. If the run can continue later, `early` is set shortly before the time limit.
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
        // Without the thread, the run loses what it did since its last checkpoint.
        std::thread::Builder::new().name("time".to_owned()).spawn(watch).ok();
        Some(Self { id, restarts, resumable, late })
    }

    /// Decides whether a run that stopped without a user's request continues in another start of this job, and why.
    /// Requests that start unless Slurm does so itself.
    ///
    /// # Errors
    /// The run should continue, but Slurm refuses.
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

    /// Returns why Slurm has ended a run that does not continue.
    pub(crate) fn ended_because(&self) -> Option<&'static str> {
        (!self.resumable && self.late.load(Ordering::Acquire)).then_some(WAS_OVER)
    }
}

fn known(id: u64) -> Option<Known> {
    jobs(Some(id)).ok()?.into_iter().find(|known| known.id == id)
}

/// Returns the time until `then`.
fn left(then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(Timestamp::now())).unwrap_or_default()
}

/// Waits until the job's time limit, or `ahead` of it. The limit may be extended, so Slurm is asked again before returning.
fn wait_for_time(id: u64, ahead: bool) {
    let announced = || known(id)?.ends;
    // Slurm sets this variable since 23.02.
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
