//! Diagnoses a run: verdicts with their evidence.
//!
//! A verdict names its rule, the rows that prove it and its confidence. Without proof there is no verdict;
//! [`Diagnosis::looked`] then lists what was examined. Apart from reading ([`Reader`]), everything is pure.

mod finite;
mod rate;
mod record;
mod stalled;
#[cfg(test)]
mod tests;
mod verdict;
mod waits;

use std::time::Duration;

use gradtop_host::text::clean;
use gradtop_store::{State, View};
use jiff::Timestamp;

pub use record::{Reader, Record};
pub use verdict::{Confidence, Diagnosis, Known, Rule, Verdict};

/// How long rows are read at a time.
const READING: Duration = Duration::from_millis(200);

/// Judges a run.
pub(crate) fn diagnose(known: &Known<'_>) -> Diagnosis {
    let mut found = Diagnosis { end: end(known.view), ..Diagnosis::default() };
    waits::judge(known, &mut found);
    finite::judge(known, &mut found);
    stalled::judge(known, &mut found);
    if found.verdicts.iter().all(|v| v.rule != Rule::Stalled) {
        rate::judge(known, &mut found);
    }
    found.looked.extend(crate::state::job_words(known.view, known.now));
    found.verdicts.sort_by_key(|v| v.since.unwrap_or(Timestamp::MAX));
    found
}

/// Reads what is new of a run, looks at its processes and its disk, and judges it.
///
/// # Errors
/// When its events or rows cannot be read; files that are damaged are passed over, see [`Reader::damage`].
pub fn look(reader: &mut Reader, view: &View) -> gradtop_store::Result<Diagnosis> {
    let events = gradtop_store::read_events(&view.dir)?;
    while !reader.read(READING)? {}
    let threads = gradtop_host::threads::threads(view);
    let disk = rustix::fs::statvfs(view.dir.path()).ok();
    let known = Known {
        view,
        events: &events,
        record: reader.record(),
        threads: threads.as_deref(),
        free: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        now: Timestamp::now(),
    };
    Ok(diagnose(&known))
}

/// `failed: loss is not finite since step 9`.
fn end(view: &View) -> Option<String> {
    if !matches!(view.state, State::Failed | State::Crashed | State::Stopped) {
        return None;
    }
    let cause = view.status.cause.as_deref().filter(|cause| !cause.is_empty());
    Some(cause.map_or_else(|| view.state.to_string(), |cause| format!("{}: {}", view.state, clean(cause))))
}
