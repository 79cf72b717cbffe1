//! A window that is being dragged has many sizes; the last one is drawn.

use std::time::{Duration, Instant};

/// A size that has stayed for so long is the last one.
const QUIET: Duration = Duration::from_millis(120);
/// After so long one is drawn that may not be the last.
const LONGEST: Duration = Duration::from_secs(1);

/// Sizes that came and were not drawn: when the first did, and the last.
#[derive(Debug, Default)]
pub(super) struct Settling(Option<(Instant, Instant)>);

impl Settling {
    /// The terminal has another size.
    pub(super) fn resized(&mut self, now: Instant) {
        let first = self.0.map_or(now, |(first, _)| first);
        self.0 = Some((first, now));
    }

    /// When to look at the size; nothing is drawn until then.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.map(|(first, last)| (last + QUIET).min(first + LONGEST))
    }

    /// Whether it is to be looked at now, once.
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
            let mut settling = Settling::default();
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
