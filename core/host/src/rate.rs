//! How fast something counts up.

use std::time::Instant;

/// Time over which a rate is smoothed, in seconds.
const SMOOTHING_S: f64 = 10.0;

/// A smoothed rate, in units a second.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    last: Option<(Instant, f64)>,
    smooth: Option<f64>,
    weight_s: f64,
}

impl Rate {
    /// Takes note of a count. Only a change says something about speed; a count that falls begins anew.
    pub(crate) fn note(&mut self, now: Instant, count: f64) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, count));
            return;
        };
        if count < before {
            *self = Self { last: Some((now, count)), ..Self::default() };
            return;
        }
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        if count == before || seconds < 1e-3 {
            return;
        }
        self.last = Some((now, count));
        // The first seconds count in full; later ones fade.
        self.weight_s = (self.weight_s + seconds).min(SMOOTHING_S.max(seconds));
        let part = seconds / self.weight_s;
        let rate = (count - before) / seconds;
        self.smooth = Some(self.smooth.map_or(rate, |s| s + part * (rate - s)));
    }

    /// Forgets the time since the last change, as after a pause.
    pub(crate) fn rest(&mut self, now: Instant) {
        if let Some((then, _)) = &mut self.last {
            *then = now;
        }
    }

    /// Units a second; `None` before the first change, and less and less while nothing changes for long.
    pub(crate) fn per_second(&self, now: Instant) -> Option<f64> {
        let (then, _) = self.last?;
        let silent = now.saturating_duration_since(then).as_secs_f64();
        self.smooth.map(|s| if silent * s > 3.0 { s.min(3.0 / silent) } else { s })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::time::Duration;

    #[test]
    fn a_steady_count_has_its_rate_at_any_pace() {
        for pace in [0.01, 0.25, 7.0] {
            let start = Instant::now();
            let mut rate = Rate::default();
            let mut now = start;
            for i in 0..400 {
                now = start + Duration::from_secs_f64(pace * f64::from(i));
                rate.note(now, f64::from(i));
            }
            let got = rate.per_second(now).unwrap();
            assert!((got * pace - 1.0).abs() < 1e-6, "{got} at {pace}");
        }
    }

    #[test]
    fn silence_lowers_it_and_a_restart_forgets_it() {
        let start = Instant::now();
        let mut rate = Rate::default();
        rate.note(start, 0.0);
        rate.note(start + Duration::from_secs(1), 10.0);
        assert_eq!(rate.per_second(start + Duration::from_secs(1)), Some(10.0));
        assert!(rate.per_second(start + Duration::from_secs(31)).unwrap() <= 0.1);
        rate.note(start + Duration::from_secs(2), 0.0);
        assert_eq!(rate.per_second(start + Duration::from_secs(2)), None);
    }
}
