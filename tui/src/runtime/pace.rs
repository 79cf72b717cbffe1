//! Limits how often data is drawn.

use std::time::{Duration, Instant};

/// Bytes that may be written at once before the bandwidth limit applies: a whole screen of charts.
const BURST: f64 = 20e3;

/// How a frame affects the time of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Not at all: the user was waiting for it.
    Free,
    /// It counts as data.
    Data,
    /// New data waits until a whole frame has been sent over a slow line.
    Size,
}

/// Limits the rate of frames caused by data, and their bandwidth.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    bytes_per_s: Option<f64>,
    /// Bytes that may be written now; if negative, drawing must wait.
    credit: f64,
    counted: Instant,
    next: Instant,
}

impl Pace {
    /// At most `fps` frames and, on average, `kbps` kilobytes per second; 0 kilobytes for no limit.
    pub(super) fn new(fps: f64, kbps: f64) -> Self {
        let gap = Duration::try_from_secs_f64(1.0 / fps.max(1e-3)).unwrap_or(Duration::from_secs(1));
        let now = Instant::now();
        let bytes_per_s = (kbps > 0.0).then_some(kbps * 1e3);
        Self { gap, bytes_per_s, credit: BURST, counted: now, next: now }
    }

    /// The earliest time for the next frame of data.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Records a frame. New data that appears because of a key does not have to wait for that key.
    pub(super) fn drawn(&mut self, now: Instant, bytes: usize, cost: Cost) {
        let mut wait = if cost == Cost::Data { self.gap } else { Duration::ZERO };
        if let Some(rate) = self.bytes_per_s.filter(|_| cost != Cost::Free) {
            let earned = rate * now.saturating_duration_since(self.counted).as_secs_f64();
            self.credit = (self.credit + earned).min(BURST) - bytes as f64;
            self.counted = now;
            let owed = if cost == Cost::Size { bytes as f64 } else { -self.credit };
            let debt = Duration::try_from_secs_f64(owed / rate).unwrap_or_default();
            wait = wait.max(debt.min(Duration::from_secs(10)));
        }
        self.next = self.next.max(now + wait);
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
        pace.drawn(start, 100_000, Cost::Free);
        assert!(pace.next() <= start + MS, "data that a key asked for is drawn at once");
        pace.drawn(start, 100_000, Cost::Data);
        assert_eq!(pace.next(), start + 100 * MS);
        pace.drawn(start + 10 * MS, 0, Cost::Free);
        assert_eq!(pace.next(), start + 100 * MS, "a key does not put data off");
    }

    #[test]
    fn bandwidth_is_kept_on_average() {
        let mut pace = Pace::new(10.0, 5.0);
        let start = Instant::now();
        let mut now = start;
        let mut sent = 0;
        while now < start + 10_000 * MS {
            pace.drawn(now, 2_000, Cost::Data);
            sent += 2_000;
            now = pace.next();
        }
        assert!((65_000..=72_000).contains(&sent), "{sent} bytes in 10 s at 5 kB/s after 20 kB at once");
        let before = pace.next();
        pace.drawn(now, 50_000, Cost::Free);
        assert_eq!(pace.next(), before, "a frame for a key costs nothing");
    }

    #[test]
    fn data_waits_until_a_new_size_has_come() {
        let start = Instant::now();
        for (kbps, waits) in [(4.0, 1_500), (0.0, 0)] {
            let mut pace = Pace::new(10.0, kbps);
            pace.drawn(start, 6_000, Cost::Size);
            let next = pace.next().saturating_duration_since(start).as_millis();
            assert!((waits..waits + 20).contains(&next), "{next} ms at {kbps} kB/s");
        }
    }
}
