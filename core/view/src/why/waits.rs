//! Detects rows that wait for the disk, and training that waited for its log.

use gradtop_chart::number;
use gradtop_store::Event;

use super::verdict::{Confidence, Diagnosis, Evidence, Rule, Verdict};
use crate::run::remark;

/// Minimum seconds of waiting, and their share of the training time, for the log to count as a bottleneck.
const LONG_S: f64 = 5.0;
const SHARE: f64 = 0.1;

pub(super) fn judge(evidence: &Evidence<'_>, found: &mut Diagnosis) {
    let status = &evidence.view.status;
    if let (Some(words), Some(waiting)) = (remark::waiting(evidence.view), &status.waiting) {
        let since = evidence.clock(waiting.since);
        let mut proof = vec![format!("the recorder waits since {since}; no row is lost while it does")];
        proof.extend(evidence.free.map(|free| format!("free on its disk: {}", number::amount(free as f64))));
        found.verdicts.push(Verdict {
            rule: Rule::Waits,
            confidence: Confidence::Certain,
            text: format!("waits for the disk: {words}"),
            since: Some(waiting.since),
            step: status.step,
            proof,
        });
        return;
    }
    if ended_waiting(evidence, found) {
        return;
    }
    let waited = status.log_wait_ms.unwrap_or(0.0) / 1e3;
    let trained = status.trained_s.or(status.elapsed_s).unwrap_or(0.0);
    if waited >= LONG_S && trained > 0.0 && waited >= SHARE * trained {
        let share = 100.0 * (waited / trained).min(1.0);
        found.verdicts.push(Verdict {
            rule: Rule::Waits,
            confidence: Confidence::Certain,
            text: format!("training waited for its log for {share:.0} % of the time"),
            since: None,
            step: None,
            proof: vec![format!(
                "{} of waiting, measured in the training thread, in {} of training",
                number::duration(waited),
                number::duration(trained)
            )],
        });
    } else if evidence.view.manifest.import.is_none() {
        let words = if waited < 0.001 { "none".to_owned() } else { number::duration(waited) };
        found.examined.push(format!("waits for disk and log: {words}"));
    }
}

/// Detects a run that was still waiting for its disk when it ended.
fn ended_waiting(evidence: &Evidence<'_>, found: &mut Diagnosis) -> bool {
    if !evidence.view.state.is_final() {
        return false;
    }
    let mut last = None;
    for line in evidence.events {
        let Event::Warning { message } = &line.event else { continue };
        if let Some(cause) = message.strip_suffix(gradtop_host::ROWS_WAIT) {
            last = Some((line.time, cause));
        } else if message.starts_with(gradtop_host::DISK_ACCEPTS) {
            last = None;
        }
    }
    let Some((since, cause)) = last else { return false };
    let cause = gradtop_host::text::clean(cause);
    found.verdicts.push(Verdict {
        rule: Rule::Waits,
        confidence: Confidence::Certain,
        text: format!("waited for the disk when it ended: {cause}"),
        since: Some(since),
        step: evidence.view.status.step,
        proof: vec![format!(
            "{}: {cause}; no later event says that the disk accepted data again",
            evidence.clock(since)
        )],
    });
    true
}
