//! Waits for a resize to settle: a window that is being dragged has many sizes, but only the last one needs to be drawn.

use std::time::{Duration, Instant};

/// A size that lasts for so long is final.
const QUIET: Duration = Duration::from_millis(120);
/// After so long, a frame is drawn even if the size is not final.
const LONGEST: Duration = Duration::from_secs(1);

/// The time of the first and the last resize that was not drawn yet.
#[derive(Debug, Default)]
pub(super) struct ResizeDebounce(Option<(Instant, Instant)>);

impl ResizeDebounce {
    /// Records a resize.
    pub(super) fn resized(&mut self, now: Instant) {
        let first = self.0.map_or(now, |(first, _)| first);
        self.0 = Some((first, now));
    }

    /// When to check again; nothing is drawn until then.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.map(|(first, last)| (last + QUIET).min(first + LONGEST))
    }

    /// Returns whether the size has settled; true once.
    pub(super) fn settled(&mut self, now: Instant) -> bool {
        let settled = self.due().is_some_and(|due| now >= due);
        if settled {
            self.0 = None;
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn twenty_sizes_are_one_and_a_window_dragged_for_long_is_drawn_now_and_then() {
        for (sizes, drawn) in [(20, 1), (60, 3)] {
            let start = Instant::now();
            let mut settling = ResizeDebounce::default();
            assert_eq!(settling.due(), None);
            let mut count = 0;
            for ms in 0..4_000 {
                let now = start + ms * MS;
                if ms % 40 == 0 && ms / 40 < sizes {
                    settling.resized(now);
                }
                count += u32::from(settling.settled(now));
            }
            assert_eq!(count, drawn, "of {sizes} sizes");
            assert_eq!(settling.due(), None);
        }
    }
}
