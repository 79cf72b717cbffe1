//! The speed of a run, and when it is unusually quiet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The speed of a run: the rate of its current phase, and the pace of all work, which tells the time left.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    work: Pace,
    of_phase: Paces,
    phase: Option<Phase>,
}

#[derive(Debug)]
struct Phase {
    name: Option<String>,
    since: Instant,
    /// How many phases in a row before this one were brief.
    brief: u32,
    /// The paces since it began, if those of the brief ones before count until it has lasted.
    own: Option<Paces>,
}

/// The paces of steps and of units of work.
#[derive(Debug, Default)]
struct Paces {
    steps: Pace,
    units: Pace,
    /// The step and the units of the phase before, which say nothing about this one.
    before: (Option<i64>, Option<u64>),
}

/// Phases that last less than this are brief.
const BRIEF: Duration = Duration::from_secs(1);
/// After so many brief phases, phases alternate too fast to have a rate each, and have one together.
const ALTERNATE: u32 = 3;
/// Over so many seconds it does not matter that units of work are seen only every quarter of a second.
const ROUGH_S: f64 = 5.0;

impl Speed {
    /// Records the phase, the last step with the time at which it was logged, and the units of work done of the total, 0 if
    /// unknown.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        phase: Option<String>,
        step: Option<(i64, Instant)>,
        done: u64,
        total: u64,
    ) {
        // Unknown until the plugin reports its progress: earlier progress of a resumed run says nothing about speed.
        let done = (total > 0).then_some(done);
        if self.phase.as_ref().is_none_or(|known| known.name != phase) {
            self.enter(now, phase, (step.map(|(step, _)| step), done));
        }
        let Some(phase) = &mut self.phase else { return };
        for paces in [&mut self.of_phase].into_iter().chain(&mut phase.own) {
            paces.note(now, step, done, total);
        }
        if now.saturating_duration_since(phase.since) >= BRIEF
            && let Some(own) = phase.own.take()
        {
            self.of_phase = own;
        }
        if let Some(done) = done {
            self.work.note(now, done as f64, total as f64);
        }
    }

    fn enter(&mut self, now: Instant, name: Option<String>, at: (Option<i64>, Option<u64>)) {
        let last = self.phase.take();
        let is_brief = |last: &Phase| now.saturating_duration_since(last.since) < BRIEF;
        let brief = last.as_ref().filter(|last| is_brief(last)).map_or(0, |last| last.brief + 1);
        let own = if brief < ALTERNATE {
            let before = last.map_or((None, None), |_| at);
            self.of_phase = Paces { before, ..Paces::default() };
            None
        } else {
            Some(Paces { before: at, ..Paces::default() })
        };
        self.phase = Some(Phase { name, since: now, brief, own });
    }

    /// Ignores the time since the last change, for a pause.
    pub(crate) fn rest(&mut self, now: Instant) {
        let own = self.phase.iter_mut().filter_map(|phase| phase.own.as_mut());
        let paces = own.chain([&mut self.of_phase]).flat_map(|paces| [&mut paces.steps, &mut paces.units]);
        paces.chain([&mut self.work]).for_each(|pace| pace.rest(now));
    }

    /// Returns steps per second in the current phase, and the seconds for the units of work that are left. Of a phase that
    /// has lasted, units of work that are steps tell the rate, so that its product with the seconds is what is left; when
    /// each was done is known only roughly.
    pub(crate) fn now(&self, now: Instant, left: u64, by_steps: bool) -> (Option<f64>, Option<f64>) {
        let Paces { steps, units, .. } = &self.of_phase;
        let is_rough = units.active_s < ROUGH_S;
        let (steps, units) = (steps.per_second(now), units.per_second(now).filter(|_| by_steps));
        let rate = if is_rough { steps.or(units) } else { units.or(steps) };
        (rate, self.work.per_second(now).map(|rate| left as f64 / rate))
    }
}

impl Paces {
    fn note(&mut self, now: Instant, step: Option<(i64, Instant)>, done: Option<u64>, total: u64) {
        if let Some((step, at)) = step.filter(|(step, _)| self.before.0 != Some(*step)) {
            self.steps.note(at, step as f64, 0.0);
        }
        if let Some(done) = done.filter(|done| self.before.1 != Some(*done)) {
            self.units.note(now, done as f64, total as f64);
        }
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
                speed.note(now, None, Some((step, now)), done, 2000);
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
        let later = start + Duration::from_secs(1);
        endless.note(start, None, Some((0, start)), 0, 0);
        endless.note(later, None, Some((5, later)), 0, 0);
        assert_eq!(endless.now(later, 0, false), (Some(5.0), None));
    }

    /// The rates seen every quarter of a second: in each phase, steps are made at intervals of so many milliseconds.
    fn rates(phases: &[(&str, u64, Option<u64>)], by_steps: bool) -> Vec<Option<f64>> {
        let start = Instant::now();
        let (mut speed, mut seen, mut step, mut began) = (Speed::default(), Vec::new(), 0, 0);
        let mut last = None;
        for (name, ticks, every) in phases {
            let made = |ms: u64| every.map_or(0, |every| (ms - began) / every);
            for tick in 1..=*ticks {
                let ms = began + 250 * tick;
                let now = start + Duration::from_millis(ms);
                let logged = every.filter(|every| ms - began >= *every);
                last = logged.map(|every| start + Duration::from_millis(began + made(ms) * every)).or(last);
                let done = step + made(ms);
                let at = last.map(|last| (i64::try_from(done).unwrap(), last));
                speed.note(now, Some((*name).to_owned()), at, done, 100_000);
                seen.push(speed.now(now, 0, by_steps).0);
            }
            (step, began) = (step + made(began + 250 * ticks), began + 250 * ticks);
        }
        seen
    }

    #[test]
    fn the_rate_is_that_of_the_phase_from_its_second_row_on() {
        for by_steps in [false, true] {
            let phases = [
                ("train", 80, Some(4)),
                ("measure", 8, None),
                ("train", 8, Some(2)),
                ("slow", 40, Some(700)),
            ];
            let seen = rates(&phases, by_steps);
            let is = |at: std::ops::Range<usize>, rate: f64| {
                seen[at].iter().all(|seen| seen.is_some_and(|seen| (seen / rate - 1.0).abs() < 0.08))
            };
            assert!(is(2..80, 250.0), "{by_steps} {:?}", &seen[..80]);
            assert_eq!(seen[80..88], [None; 8], "no step is made");
            assert_eq!(seen[88], None, "not known yet");
            assert!(is(90..96, 500.0), "{by_steps} {:?}", &seen[88..96]);
            // Two steps after 1.4 s.
            assert_eq!(seen[96..101], [None; 5]);
            assert!(is(102..136, 1.0 / 0.7), "{by_steps} {:?}", &seen[96..]);
        }
    }

    #[test]
    fn phases_that_alternate_have_a_rate_together() {
        let names: Vec<String> = (0..40).map(|n| format!("batch {n}")).collect();
        let brief: Vec<_> = names.iter().map(|name| (name.as_str(), 1, Some(50))).collect();
        let seen = rates(&brief, false);
        assert!(
            seen[8..].iter().all(|seen| seen.is_some_and(|seen| (seen / 20.0 - 1.0).abs() < 0.08)),
            "{seen:?}"
        );
        let lasting: Vec<_> = brief.into_iter().chain([("measure", 8, None)]).collect();
        assert_eq!(rates(&lasting, false).last(), Some(&None), "one that lasts makes no step");
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
