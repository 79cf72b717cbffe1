//! How often data may be drawn.

use std::time::{Duration, Instant};

/// Keeps frames caused by data below a rate, and what is written below a bandwidth.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    bytes_per_s: Option<f64>,
    next: Instant,
}

impl Pace {
    /// At most `fps` frames and `kbps` kilobytes a second; 0 kilobytes for no limit.
    pub(super) fn new(fps: f64, kbps: f64) -> Self {
        let gap = Duration::try_from_secs_f64(1.0 / fps.max(1e-3)).unwrap_or(Duration::from_secs(1));
        Self { gap, bytes_per_s: (kbps > 0.0).then_some(kbps * 1e3), next: Instant::now() }
    }

    /// When data may be drawn next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A frame of so many bytes was drawn, `urgent` if a person waited for it. What a frame costs more than its share delays
    /// the next; what data a key brings to the screen need not wait because of the key.
    pub(super) fn drawn(&mut self, now: Instant, bytes: usize, urgent: bool) {
        let cost = self.bytes_per_s.map_or(0.0, |rate| bytes as f64 / rate);
        let cost = Duration::try_from_secs_f64(cost).unwrap_or_default();
        let debt = self.next.saturating_duration_since(now).saturating_sub(self.gap);
        let gap = if urgent { Duration::ZERO } else { self.gap };
        self.next = self.next.max(now + gap.max((debt + cost).min(Duration::from_secs(10))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn frames_keep_their_distance() {
        let mut pace = Pace::new(10.0, 0.0);
        let start = Instant::now();
        pace.drawn(start, 100_000, true);
        assert!(pace.next() <= start + MS, "data that a key asked for is drawn at once");
        pace.drawn(start, 100_000, false);
        assert_eq!(pace.next(), start + 100 * MS);
        pace.drawn(start + 10 * MS, 0, true);
        assert_eq!(pace.next(), start + 100 * MS, "a key does not put data off");
    }

    #[test]
    fn bandwidth_is_kept_on_average() {
        let mut pace = Pace::new(10.0, 5.0);
        let start = Instant::now();
        let mut now = start;
        let mut sent = 0;
        while now < start + 10_000 * MS {
            pace.drawn(now, 2_000, false);
            sent += 2_000;
            now = pace.next();
        }
        assert!((45_000..=52_000).contains(&sent), "{sent} bytes in 10 s at 5 kB/s");
    }
}
