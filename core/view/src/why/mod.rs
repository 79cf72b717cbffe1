//! Diagnoses a run: verdicts with their evidence.
//!
//! A verdict names its rule, the rows that prove it and its confidence. Without proof there is no verdict;
//! [`Diagnosis::examined`] then lists what was examined. Apart from reading ([`Reader`]), everything is pure.

mod finite;
mod rate;
mod run_summary;
mod stalled;
#[cfg(test)]
mod tests;
mod verdict;
mod waits;

use std::time::Duration;

use gradtop_store::{State, View};
use jiff::Timestamp;

pub use run_summary::{Reader, RunSummary};
pub use verdict::{Confidence, Diagnosis, Evidence, Rule, Verdict};

/// How long rows are read at a time.
const READ_BUDGET: Duration = Duration::from_millis(200);

/// Judges a run.
pub(crate) fn diagnose(evidence: &Evidence<'_>) -> Diagnosis {
    let mut found = Diagnosis { end: end(evidence.view), ..Diagnosis::default() };
    // Of a run that waits to be started there is nothing else to examine.
    if evidence.view.queued.is_some() {
        found.examined.extend(crate::run::remark::job_words(evidence.view, evidence.now));
        return found;
    }
    waits::judge(evidence, &mut found);
    finite::judge(evidence, &mut found);
    stalled::judge(evidence, &mut found);
    if found.verdicts.iter().all(|v| v.rule != Rule::Stalled) {
        rate::judge(evidence, &mut found);
    }
    found.examined.extend(crate::run::remark::job_words(evidence.view, evidence.now));
    found.verdicts.sort_by_key(|v| v.since.unwrap_or(Timestamp::MAX));
    found
}

/// Reads what is new of a run, looks at its processes and its disk, and judges it. `dated`: for text that is read elsewhere.
///
/// # Errors
/// When its events or rows cannot be read; files that are damaged are passed over, see [`Reader::damage`].
pub fn diagnose_run(reader: &mut Reader, view: &View, dated: bool) -> gradtop_store::Result<Diagnosis> {
    let events = gradtop_store::read_events(&view.dir)?;
    while !reader.read(READ_BUDGET)? {}
    let threads = gradtop_host::threads::threads(view);
    let disk = rustix::fs::statvfs(view.dir.path()).ok();
    let evidence = Evidence {
        view,
        events: &events,
        summary: reader.summary(),
        threads: threads.as_deref(),
        free: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        now: Timestamp::now(),
        dated,
    };
    Ok(diagnose(&evidence))
}

/// `failed: loss is not finite since step 9`, `queued: #2, after warm-up`.
fn end(view: &View) -> Option<String> {
    if let Some(queued) = &view.queued {
        let words = crate::run::remark::queue_words(queued);
        return Some(format!("{}: {words}", view.state)).filter(|_| !words.is_empty());
    }
    if !matches!(view.state, State::Failed | State::Crashed | State::Stopped) {
        return None;
    }
    Some(format!("{}{}", view.state, crate::run::remark::because(view)))
}
