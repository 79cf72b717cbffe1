//! Detects when steps become slower than ever before.
//!
//! The last stretch of a run is compared with every earlier one of the same length, so that occasional slowness
//! (evaluations, bursts) counts as normal. The stretch must be slow throughout.

/// Minimum length of a stretch in seconds.
pub const STRETCH_S: f64 = 15.0;
/// Minimum number of steps in a stretch.
pub const STEPS: f64 = 16.0;
/// How much longer than the stretch the time before it must be.
const BEFORE: f64 = 1.5;
/// The rate fell if it is below this fraction of the slowest earlier stretch.
pub const FELL: f64 = 2.0 / 3.0;
/// Number of parts into which a stretch is divided to check that it is slow throughout.
const PARTS: usize = 5;
const EVEN: std::ops::Range<f64> = 0.6..1.5;
/// Stretches are considered equally slow up to this factor.
const ALIKE: f64 = 1.03;
/// Ratio of consecutive lengths of stretches.
const LONGER: f64 = 1.08;

/// A point of a run's progress.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Seconds of training.
    pub seconds: f64,
    /// Steps done.
    pub step: f64,
    /// Microseconds since 1970.
    pub time_us: i64,
}

/// A stretch that is slower than all before.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    /// Seconds of training at its start.
    pub from: f64,
    /// Steps per second in it.
    pub rate: f64,
    /// Steps per second before it.
    pub before: f64,
    /// Steps per second in the slowest stretch before it.
    pub slowest: f64,
}

/// Returns whether a series that begins at `time_us` may be the cause of a slow stretch of so many seconds: it begins
/// with the stretch or later, and not with the run. `(first, from)` are the starts of run and stretch in microseconds.
pub fn begins_late(time_us: i64, (first, from): (i64, i64), seconds: f64) -> bool {
    let slack = (0.1 * seconds).max(3.0) * 1e6;
    time_us as f64 >= from as f64 - slack && time_us > first
}

/// Returns the steps done at a time, linearly interpolated.
fn step_at(way: &[Done], seconds: f64) -> f64 {
    let next = way.partition_point(|p| p.seconds <= seconds);
    match (next.checked_sub(1).and_then(|i| way.get(i)), way.get(next)) {
        (Some(a), Some(b)) if b.seconds > a.seconds => {
            a.step + (b.step - a.step) * (seconds - a.seconds) / (b.seconds - a.seconds)
        }
        (Some(a), _) => a.step,
        (None, b) => b.map_or(0.0, |b| b.step),
    }
}

/// Returns whether a run of so many seconds is long enough for its last stretch to be compared with an earlier one.
pub fn is_comparable(seconds: f64) -> bool {
    (1.0 + BEFORE) * STRETCH_S <= seconds
}

/// Returns where the rate fell if the last stretch of a run is slower than all before.
pub fn slow(way: &[Done]) -> Option<Slow> {
    let (start, end) = (way.first()?.seconds, way.last()?.seconds);
    let rate = |from: f64, to: f64| (step_at(way, to) - step_at(way, from)) / (to - from);
    // Every earlier stretch of a length, at offsets of a fifth of it.
    let slowest_before = |from: f64, length: f64| {
        let offsets = (0..).map(|i| from - length - length / PARTS as f64 * f64::from(i));
        offsets.take_while(|at| *at >= start).map(|at| rate(at, at + length)).fold(f64::INFINITY, f64::min)
    };
    let (mut found, mut least) = (None, f64::INFINITY);
    let mut length = STRETCH_S;
    while (1.0 + BEFORE) * length <= end - start {
        let from = end - length;
        let now = rate(from, end);
        let part = length / PARTS as f64;
        let even = (0..PARTS).all(|i| {
            let at = from + part * i as f64;
            now > 0.0 && EVEN.contains(&(rate(at, at + part) / now))
        });
        if even && now * length >= STEPS {
            let slowest = slowest_before(from, length);
            let share = now / slowest;
            // The longest of those that are clearly slower: a longer one includes some of the time before.
            if slowest.is_finite() && share < FELL && share <= ALIKE * least {
                least = least.min(share);
                found = Some(length);
            }
        }
        length *= LONGER;
    }
    let length = found?;
    let from = change(way, end - 2.0 * length, end - length + length / PARTS as f64)?;
    let slowest = slowest_before(from, length.min(from - start));
    Some(Slow { from, rate: rate(from, end), before: rate(start, from), slowest })
}

/// Returns the time in `after..=latest` that best divides what follows `after` into two stretches of a constant rate
/// each, the second slower (least squares).
fn change(way: &[Done], after: f64, latest: f64) -> Option<f64> {
    let (begin, end) = (step_at(way, after), way.last()?);
    let explained = |at: &Done| {
        let (before, since) = (at.seconds - after, end.seconds - at.seconds);
        let (fast, slow) = ((at.step - begin) / before, (end.step - at.step) / since);
        (fast > slow).then_some(fast * fast * before + slow * slow * since)
    };
    let candidates =
        way.iter().filter(|p| p.seconds > after && p.seconds <= latest && p.seconds < end.seconds);
    candidates
        .filter_map(|p| Some((explained(p)?, p.seconds)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, seconds)| seconds)
}
