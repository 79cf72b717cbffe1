//! The speed of a run, and when it is unusually quiet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The speed of a run.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    steps: Pace,
    work: Pace,
    phase: Option<String>,
    /// The pace of steps since the phase changed, and when that was; another phase may have another pace, or no steps at all.
    of_phase: Option<(Instant, Pace)>,
}

/// A phase that has lasted this long has a pace of its own; shorter ones alternate.
const PHASE: Duration = Duration::from_secs(1);

impl Speed {
    /// Records the phase, the last step, and the units of work done of the total, 0 if unknown.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        phase: Option<String>,
        step: Option<i64>,
        done: u64,
        total: u64,
    ) {
        if phase != self.phase {
            (self.phase, self.of_phase) = (phase, Some((now, Pace::default())));
        }
        if let Some(step) = step {
            for pace in self.of_phase.iter_mut().map(|(_, pace)| pace).chain([&mut self.steps]) {
                pace.note(now, step as f64, 0.0);
            }
        }
        let lasts = |(since, _): &mut (Instant, Pace)| now.saturating_duration_since(*since) >= PHASE;
        if let Some((_, pace)) = self.of_phase.take_if(lasts) {
            self.steps = pace;
        }
        // Unknown until the plugin reports its progress: earlier progress of a resumed run says nothing about speed.
        if total > 0 {
            self.work.note(now, done as f64, total as f64);
        }
    }

    /// Ignores the time since the last change, for a pause.
    pub(crate) fn rest(&mut self, now: Instant) {
        for pace in self.of_phase.iter_mut().map(|(_, pace)| pace).chain([&mut self.steps, &mut self.work]) {
            pace.rest(now);
        }
    }

    /// Returns steps per second, and the seconds for the units of work that are left. If these are steps, both are of the
    /// same pace, so that their product is what is left.
    pub(crate) fn now(&self, now: Instant, left: u64, by_steps: bool) -> (Option<f64>, Option<f64>) {
        let work = self.work.per_second(now);
        let steps = work.filter(|_| by_steps).or_else(|| self.steps.per_second(now));
        (steps, work.map(|rate| left as f64 / rate))
    }
}

/// Silence counts once it is longer than this many leaps take.
const LEAPS: f64 = 3.0;
/// The pace is measured over at least this many seconds.
const LEAST_S: f64 = 10.0;
/// The fraction of all work over which the pace is measured.
const PART: f64 = 0.15;
/// Number of points stored for that fraction.
const POINTS: f64 = 15.0;

/// The pace of a counter over its last part. Training alternates with evaluations, which take time but count no units, so
/// of work with a known total that is longer than the last seconds.
#[derive(Debug, Default)]
struct Pace {
    /// Past seconds of training and units done; the last is the newest.
    points: VecDeque<(f64, f64)>,
    now: Option<(Instant, f64)>,
    active_s: f64,
    /// The size of the last change: what is logged only now and then comes in leaps.
    leap: f64,
}

impl Pace {
    /// Records the units done of the total, 0 if unknown. Only a change affects the pace; a decreasing count starts again.
    fn note(&mut self, now: Instant, done: f64, total: f64) {
        match self.now {
            Some((_, before)) if done == before => return,
            Some((then, before)) if done > before => {
                self.active_s += now.saturating_duration_since(then).as_secs_f64();
                self.leap = done - before;
            }
            _ => *self = Self::default(),
        }
        self.now = Some((now, done));
        if self.points.back().is_none_or(|(_, units)| done - units >= total * PART / POINTS) {
            self.points.push_back((self.active_s, done));
        }
        // The first point kept is the last one that is far enough back.
        let far =
            |(seconds, units): (f64, f64)| done - units >= total * PART && self.active_s - seconds >= LEAST_S;
        while self.points.get(1).copied().is_some_and(far) {
            self.points.pop_front();
        }
    }

    /// Ignores the time since the last change, for a pause.
    fn rest(&mut self, now: Instant) {
        if let Some((then, _)) = &mut self.now {
            *then = now;
        }
    }

    /// Returns units per second; `None` before the first change. Silence lowers it once it is long enough.
    fn per_second(&self, now: Instant) -> Option<f64> {
        let ((then, done), (seconds, units)) = self.now.zip(self.points.front().copied())?;
        let (done, seconds) = (done - units, self.active_s - seconds);
        let rate = Some(done / seconds).filter(|rate| rate.is_finite() && *rate > 0.0)?;
        let silent = now.saturating_duration_since(then).as_secs_f64();
        let leaps = LEAPS * self.leap;
        Some(if silent * rate > leaps { rate.min((done + leaps) / (seconds + silent)) } else { rate })
    }
}

/// How long a run must have been quiet at least, and how many times as long as ever before.
const QUIET: Duration = Duration::from_secs(10);
const TIMES: u32 = 2;
/// Until it has logged for so long, what is usual is not known, and it must have been quiet for as long: the first
/// evaluation may still be to come.
const KNOWN: Duration = Duration::from_mins(1);

/// Notices when a run logs nothing for longer than is usual for it.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// The last count of what was logged, and when it changed; no time before it first did.
    signs: u64,
    last: Option<Instant>,
    longest: Duration,
    /// How long it has logged, without pauses.
    logged: Duration,
}

impl Quiet {
    /// `signs` counts what was logged before.
    pub(crate) fn after(signs: u64) -> Self {
        Self { signs, ..Self::default() }
    }

    /// Records the count of what was logged. Returns how long nothing was, if that is unusual.
    pub(crate) fn note(&mut self, now: Instant, signs: u64) -> Option<Duration> {
        let quiet = self.last.map(|then| now.saturating_duration_since(then));
        if signs != self.signs {
            self.longest = self.longest.max(quiet.unwrap_or_default());
            self.logged += quiet.unwrap_or_default();
            (self.signs, self.last) = (signs, Some(now));
            return None;
        }
        let least = if self.logged < KNOWN { KNOWN } else { QUIET };
        quiet.filter(|quiet| *quiet >= least && *quiet > TIMES * self.longest)
    }

    /// Ignores the time since the last change, for a pause.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.last = self.last.map(|_| now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_was_done_before_is_no_speed() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for second in 0..5u32 {
            let done = 10_000.0 + 100.0 * f64::from(second);
            pace.note(start + Duration::from_secs(second.into()), done, 20_000.0);
        }
        let now = pace.per_second(start + Duration::from_secs(4)).unwrap();
        assert!((now - 100.0).abs() < 1e-6, "{now}");
    }

    #[test]
    fn a_steady_count_has_its_rate_at_any_pace() {
        for pace in [0.01, 0.25, 7.0] {
            let start = Instant::now();
            let mut rate = Pace::default();
            let mut now = start;
            for i in 0..400 {
                now = start + Duration::from_secs_f64(pace * f64::from(i));
                rate.note(now, f64::from(i), 0.0);
            }
            let got = rate.per_second(now).unwrap();
            assert!((got * pace - 1.0).abs() < 1e-6, "{got} at {pace}");
        }
    }

    #[test]
    fn what_is_logged_now_and_then_has_its_rate_in_between_too() {
        // 20 steps every 3.6 s, looked at every quarter of a second.
        let start = Instant::now();
        let (mut rate, mut pace) = (Pace::default(), Pace::default());
        for tick in 0..400 {
            let seconds = 0.25 * f64::from(tick);
            let (now, count) = (start + Duration::from_secs_f64(seconds), 20.0 * (seconds / 3.6).floor());
            rate.note(now, count, 0.0);
            pace.note(now, count, 10_000.0);
            if seconds > 20.0 {
                for got in [rate.per_second(now), pace.per_second(now)] {
                    let got = got.unwrap();
                    assert!((got * 3.6 / 20.0 - 1.0).abs() < 0.06, "{got} after {seconds} s");
                }
            }
        }
    }

    #[test]
    fn silence_lowers_it_and_a_restart_forgets_it() {
        let start = Instant::now();
        let mut rate = Pace::default();
        rate.note(start, 0.0, 0.0);
        rate.note(start + Duration::from_secs(1), 10.0, 0.0);
        assert_eq!(rate.per_second(start + Duration::from_secs(1)), Some(10.0));
        let later = rate.per_second(start + Duration::from_secs(31)).unwrap();
        assert!((later - 40.0 / 31.0).abs() < 1e-9, "{later}");
        rate.note(start + Duration::from_secs(2), 0.0, 0.0);
        assert_eq!(rate.per_second(start + Duration::from_secs(2)), None);
    }

    #[test]
    fn what_is_left_takes_as_long_as_what_was_done() {
        // 100 steps in 4 s, then an evaluation of 12 s, over and over: 6.25 a second.
        let start = Instant::now();
        let mut speed = Speed::default();
        let mut now = start;
        let mut seen = Vec::new();
        for round in 0..20 {
            for tick in 1..=64 {
                now += Duration::from_millis(250);
                let done = 100 * round + 25 * tick.min(16) / 4;
                let step = done as i64 / 10 * 10;
                speed.note(now, None, Some(step), done, 2000);
                if round >= 5 {
                    let (rate, left) = speed.now(now, 2000 - done, true);
                    seen.push(rate.unwrap());
                    let ahead = rate.unwrap() * left.unwrap();
                    assert!((ahead - (2000 - done) as f64).abs() < 1e-6, "{ahead} at {done}");
                }
            }
        }
        let (low, high) = seen.iter().fold((f64::MAX, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
        assert!(low > 6.25 / 1.5 && high < 6.25 * 1.5, "{low} to {high}");
        // Steps that are no units of work have the pace of the last seconds, and a total is needed for what is left.
        assert!(speed.now(now, 0, false).0.unwrap() < low);
        let mut endless = Speed::default();
        endless.note(start, None, Some(0), 0, 0);
        endless.note(start + Duration::from_secs(1), None, Some(5), 0, 0);
        assert_eq!(endless.now(start + Duration::from_secs(1), 0, false), (Some(5.0), None));
    }

    #[test]
    fn a_phase_that_lasts_has_its_own_pace() {
        /// So many seconds, of which each quarter has so many steps, in a phase of that name.
        type Part = (u64, i64, fn(u64) -> String);
        let start = Instant::now();
        let rate = |parts: &[Part]| {
            let (mut speed, mut now, mut step) = (Speed::default(), start, 0);
            for (seconds, steps, phase) in parts {
                for tick in 0..seconds * 4 {
                    speed.note(now, Some(phase(tick)), Some(step), 0, 1000);
                    step += steps;
                    now += Duration::from_millis(250);
                }
            }
            speed.now(now, 1000, false).0
        };
        let train: fn(u64) -> String = |_| "training".to_owned();
        let measure: fn(u64) -> String = |_| "measuring".to_owned();
        let each: fn(u64) -> String = |tick| format!("batch {tick}");
        assert_eq!(rate(&[(20, 60, train), (3, 6, measure)]), Some(24.0));
        assert_eq!(rate(&[(20, 60, train), (3, 0, measure)]), None, "no step was made");
        assert_eq!(rate(&[(20, 60, each)]), Some(240.0), "one that never lasts");
    }

    #[test]
    fn a_lasting_change_of_pace_is_believed() {
        // 100 a second for 2,000 of 3,000 units, then 10 a second.
        let start = Instant::now();
        let (mut now, mut pace) = (start, Pace::default());
        for done in 0..=2400u32 {
            now += Duration::from_millis(if done <= 2000 { 10 } else { 100 });
            pace.note(now, f64::from(done), 3000.0);
        }
        let rate = pace.per_second(now).unwrap();
        assert!((9.9..12.0).contains(&rate), "{rate}");
        pace.rest(now + Duration::from_mins(10));
        assert_eq!(pace.per_second(now + Duration::from_mins(10)), Some(rate));
    }

    #[test]
    fn a_run_is_quiet_once_that_is_unusual_for_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let quiet = |log: &[u64], now| {
            let mut quiet = Quiet::after(7);
            assert_eq!(quiet.note(at(600), 7), None, "it has not begun to log");
            for (seconds, signs) in log.iter().zip(8..) {
                assert_eq!(quiet.note(at(*seconds), signs), None);
            }
            let signs = 7 + log.len() as u64;
            let found = quiet.note(at(now), signs).map(|quiet| quiet.as_secs());
            quiet.rest(at(now));
            assert_eq!(quiet.note(at(now), signs), None, "after a pause");
            found
        };
        assert_eq!(quiet(&[1, 2, 3], 15), None, "a first evaluation");
        assert_eq!(quiet(&[1, 2, 3], 63), Some(60));
        let minute: Vec<u64> = (0..=60).collect();
        assert_eq!((quiet(&minute, 69), quiet(&minute, 70)), (None, Some(10)));
        assert_eq!(quiet(&[60, 120, 180], 299), None, "a row a minute");
        assert_eq!(quiet(&[60, 120, 180], 301), Some(121));
    }
}
