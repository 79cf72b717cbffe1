//! Describes the events of a run.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::Event;

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
