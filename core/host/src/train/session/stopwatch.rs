//! Measures how long a run has been at work, and how much of it was training, by one clock.

use std::time::{Duration, Instant};

/// Seconds of work and of training, over all processes of a run.
#[derive(Default)]
pub(crate) struct Stopwatch {
    /// Seconds of earlier processes.
    before: Worked,
    begun: Option<Instant>,
    own: Duration,
    since: Option<Instant>,
}

/// How long a run has been at work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Worked {
    /// Seconds since training began, pauses included.
    pub(crate) elapsed_s: f64,
    /// The part of them without pauses, and without what a resume set aside; `None` if unknown.
    pub(crate) trained_s: Option<f64>,
}

impl Stopwatch {
    pub(super) fn after(before: Worked) -> Self {
        Self { before, ..Self::default() }
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
        self.since.get_or_insert(now);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.own += self.since.take().map_or(Duration::ZERO, |since| now - since);
    }

    pub(super) fn read(&self, now: Instant) -> Worked {
        let from = |then: Option<Instant>| then.map_or(Duration::ZERO, |then| now - then);
        let trained = (self.own + from(self.since)).as_secs_f64();
        Worked {
            elapsed_s: self.before.elapsed_s + from(self.begun).as_secs_f64(),
            trained_s: self.before.trained_s.map(|before| before + trained),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_is_the_part_of_the_work_without_pauses() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut watch = Stopwatch::after(Worked { elapsed_s: 10.0, trained_s: Some(7.0) });
        let read = |watch: &Stopwatch, s: u64| {
            let worked = watch.read(at(s));
            (worked.elapsed_s, worked.trained_s)
        };
        assert_eq!(read(&watch, 5), (10.0, Some(7.0)), "it has not begun");
        watch.start(at(5));
        assert_eq!(read(&watch, 8), (13.0, Some(10.0)));
        watch.stop(at(8));
        assert_eq!(read(&watch, 20), (25.0, Some(10.0)));
        watch.start(at(20));
        assert_eq!(read(&watch, 21), (26.0, Some(11.0)));
        let mut unknown = Stopwatch::after(Worked { elapsed_s: 1.0, trained_s: None });
        unknown.start(at(0));
        assert_eq!(read(&unknown, 2), (3.0, None));
    }
}
