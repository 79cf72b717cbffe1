//! Describes the events of a run.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Event, RunDir, State, read_events};

/// Describes an event in one line.
pub fn words(event: &Event) -> String {
    match event {
        Event::State { state, cause } => {
            let cause = cause.as_deref().map(|cause| format!(": {}", clean(cause))).unwrap_or_default();
            format!("{}{cause}", state.word())
        }
        Event::Checkpoint { step, path } => {
            format!("checkpoint of step {} in {}", number::whole(*step), clean(path))
        }
        Event::Resumed { step, checkpoint } => {
            format!("continues from step {}, {}", number::whole(*step), clean(checkpoint))
        }
        Event::Paused => "paused".to_owned(),
        Event::Unpaused => "resumed".to_owned(),
        Event::Request { what } => format!("asked to {}", clean(what)),
        Event::Warning { message } => format!("warning: {}", clean(message)),
        Event::Alert { message } => format!("alert: {}", clean(message)),
        Event::Log { level, message } => format!("[{}] {}", clean(level), clean(message)),
        Event::Signal { name, process } => format!("{} sent to the {}", clean(name), clean(process)),
        Event::Unknown => "(an event unknown to this gradtop)".to_owned(),
    }
}

/// Returns the seconds a run was active: from each start to its end, without the time between an end and the next
/// resume. A crash may have been noticed much later, so only the time until the run's last write counts.
pub fn worked_s(run: &RunDir) -> Option<f64> {
    let events = read_events(run).ok()?;
    let (mut sum, mut since, mut before) = (0.0, None, 0.0);
    for line in events {
        let now = line.time.as_microsecond() as f64 / 1e6;
        if let Event::State { state, .. } = line.event {
            if state == State::Starting {
                since = Some(now);
            } else if state.is_final()
                && let Some(start) = since.take()
            {
                sum += if state == State::Crashed { before } else { now } - start;
            }
        }
        before = now;
    }
    (sum > 0.0).then_some(sum)
}
