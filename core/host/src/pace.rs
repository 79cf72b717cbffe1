//! Steps that take longer than they ever did.
//!
//! The last stretch of a run is compared with every earlier one of the same length, so that what is slow now and then
//! (evaluations, bursts) is usual. It has to be slow all the way.

/// Seconds of the shortest stretch.
pub const STRETCH_S: f64 = 15.0;
/// Steps in it at least.
pub const STEPS: f64 = 16.0;
/// How much longer the time before has to be.
const BEFORE: f64 = 1.5;
/// Below this part of the slowest stretch before, a rate fell.
pub const FELL: f64 = 2.0 / 3.0;
/// Parts of a stretch, and how far each may be from the whole.
const PARTS: usize = 5;
const EVEN: std::ops::Range<f64> = 0.6..1.5;
/// Stretches are as slow as each other up to this factor.
const ALIKE: f64 = 1.03;
/// From one length of a stretch to the next.
const LONGER: f64 = 1.08;

/// A point of the way: seconds of training, steps done.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Seconds of training.
    pub seconds: f64,
    /// Steps done.
    pub step: f64,
    /// Microseconds since 1970.
    pub time_us: i64,
}

/// Of a stretch that is slower than all before.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    /// Seconds of training at its begin.
    pub from: f64,
    /// Steps a second in it.
    pub rate: f64,
    /// Steps a second before it.
    pub before: f64,
    /// The same of the slowest of the stretches before.
    pub slowest: f64,
}

/// Whether a series that begins at a time may be what takes the time of a slow stretch of so many seconds: it begins with it or later, and
/// not with the run. `(first, from)` are the begins of run and stretch, in microseconds.
pub fn begins_late(time_us: i64, (first, from): (i64, i64), seconds: f64) -> bool {
    let slack = (0.1 * seconds).max(3.0) * 1e6;
    time_us as f64 >= from as f64 - slack && time_us > first
}

/// Steps done at a time, in between by a straight line.
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

/// The longest last stretch that is slower than all before.
pub fn slow(way: &[Done]) -> Option<Slow> {
    let (start, end) = (way.first()?.seconds, way.last()?.seconds);
    let rate = |from: f64, to: f64| (step_at(way, to) - step_at(way, from)) / (to - from);
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
            // Every earlier stretch of this length, in steps of a fifth of it.
            let mut slowest = f64::INFINITY;
            let mut to = from;
            while to - length >= start {
                slowest = slowest.min(rate(to - length, to));
                to -= part;
            }
            let share = now / slowest;
            // The longest of those that are slower than most: a longer one has some of the time before in it.
            if slowest.is_finite() && share < FELL && share <= ALIKE * least {
                least = least.min(share);
                found = Some(Slow { from, rate: now, before: rate(start, from), slowest });
            }
        }
        length *= LONGER;
    }
    found
}
