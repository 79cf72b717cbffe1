//! The state that alert rules keep about series: first and best values, GPU idle time, and the pace of steps.

use std::collections::VecDeque;
use std::time::Duration;

use gradtop_store::{Goal, Manifest, SeriesKey};

use crate::pace::{Done, Slow, begins_late, slow};
use crate::run::alerts::rules::Rule;
use crate::run::cause::seconds;
use crate::text::short;

/// Number of values at the beginning and at the end of a series to compare.
const MEANT: usize = 20;
/// A series has diverged if it exceeds its beginning by this factor, and by this multiple of the beginning's spread.
const TIMES: f64 = 3.0;
const SPREADS: f64 = 5.0;
/// A GPU is idle if its utilization is at most this, in percent.
const IDLE: f64 = 5.0;
/// Rows about resource usage come every second: a longer gap is a pause.
const PAUSE_US: i64 = 10_000_000;
/// How often the pace of steps is evaluated, in rows that come every second.
const EVERY: usize = 10;
/// Maximum number of rows kept; beyond it, every second one is dropped.
const POINTS: usize = 1 << 14;

/// The state of a rule for one series.
pub(crate) enum Trend {
    Drift(Drift),
    Best(Best),
    Idle(Idle),
}

/// Whether the latest values exceed the first ones by far.
#[derive(Default)]
pub(crate) struct Drift {
    first: Vec<f64>,
    last: VecDeque<f64>,
}

/// How long a series has had no better value.
pub(crate) struct Best {
    /// The best value and its step.
    so_far: Option<(f64, i64)>,
    /// Whether higher is better.
    up: bool,
    patience: i64,
}

/// How long a GPU has been idle.
pub(crate) struct Idle {
    since: Option<i64>,
    last: i64,
    limit: Duration,
}

impl Trend {
    /// Creates the state for a series; `None` if the rule is not about it or needs no state.
    pub(crate) fn of(rule: &Rule, key: &SeriesKey, manifest: &Manifest) -> Option<Self> {
        let declared = manifest.metric(&key.metric);
        let goal = || declared.map_or(Goal::None, |m| m.goal);
        if !rule.reads(key) {
            return None;
        }
        match rule {
            Rule::Diverged(None) => {
                let is_loss = match goal() {
                    Goal::Min => true,
                    Goal::None => key.metric.to_lowercase().contains("loss"),
                    Goal::Max => false,
                };
                // Other losses rise when a network over-fits, and times when the machine is busy.
                let trains = key.split.as_deref().is_none_or(|split| split.contains("train"));
                let is_time = declared.is_some_and(|m| m.wall_clock);
                (is_loss && trains && !is_time).then(|| Self::Drift(Drift::default()))
            }
            Rule::Diverged(Some(_)) => Some(Self::Drift(Drift::default())),
            Rule::Plateau { steps, .. } => {
                Some(Self::Best(Best { so_far: None, up: goal() == Goal::Max, patience: *steps }))
            }
            Rule::GpuIdle(limit) => Some(Self::Idle(Idle { since: None, last: i64::MIN, limit: *limit })),
            _ => None,
        }
    }

    /// Processes a row. Returns a description with the step if the rule's condition holds now.
    pub(crate) fn push(&mut self, step: i64, time_us: i64, value: f64) -> Option<String> {
        match self {
            Self::Drift(drift) => drift.push(step, value),
            Self::Best(best) => best.push(step, value),
            Self::Idle(idle) => idle.push(step, time_us, value),
        }
    }
}

impl Drift {
    fn push(&mut self, step: i64, value: f64) -> Option<String> {
        let Self { first, last } = self;
        if !value.is_finite() {
            return None;
        }
        if first.len() < MEANT {
            first.push(value);
            return None;
        }
        if last.len() == MEANT {
            last.pop_front();
        }
        last.push_back(value);
        let (begin, now) = (mean(first.iter()), mean(last.iter()));
        let most = first.iter().copied().fold(f64::MIN, f64::max);
        let spread = most - first.iter().copied().fold(f64::MAX, f64::min);
        let far = now > most + (TIMES - 1.0) * begin.abs() && now > most + SPREADS * spread;
        (last.len() == MEANT && far).then(|| {
            let (now, begin) = (short(now), short(begin));
            format!("{now} at step {step} on average of {MEANT} values, and was {begin} at its beginning")
        })
    }
}

impl Best {
    fn push(&mut self, step: i64, value: f64) -> Option<String> {
        let better = |than: f64| if self.up { value > than } else { value < than };
        let Some((best, since)) = self.so_far.as_mut().filter(|(best, _)| !better(*best)) else {
            if !value.is_nan() {
                self.so_far = Some((value, step));
            }
            return None;
        };
        // A lower step belongs to another network or a restarted count.
        *since = step.min(*since);
        let waited = step - *since;
        (waited >= self.patience).then(|| {
            let (now, best) = (short(value), short(*best));
            format!("{now} at step {step}, and was for {waited} steps no better than {best} at step {since}")
        })
    }
}

impl Idle {
    fn push(&mut self, step: i64, time_us: i64, value: f64) -> Option<String> {
        let paused = time_us.saturating_sub(self.last) > PAUSE_US;
        self.last = time_us;
        if value > IDLE || paused {
            self.since = None;
        }
        if value > IDLE {
            return None;
        }
        let idle = time_us - *self.since.get_or_insert(time_us);
        (idle >= i64::try_from(self.limit.as_micros()).unwrap_or(i64::MAX)).then(|| {
            format!("{value:.0} %, and at most {IDLE} % for {}, at step {step}", seconds(self.limit))
        })
    }
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let count = values.len() as f64;
    values.map(|value| value / count).sum()
}

/// The pace of steps, from the rows of the elapsed training time.
#[derive(Default)]
pub(crate) struct Pace {
    way: Vec<Done>,
    seen: usize,
    stride: usize,
    /// When the newest series began.
    newest: i64,
}

impl Pace {
    pub(crate) fn begins(&mut self, time_us: i64) {
        self.newest = self.newest.max(time_us);
    }

    /// Processes a row; returns whether the pace is due for evaluation.
    pub(crate) fn push(&mut self, step: i64, time_us: i64, trained: f64) -> bool {
        let now = Done { seconds: trained, step: step as f64, time_us };
        if self.way.last().is_some_and(|last| now.step < last.step || now.seconds < last.seconds) {
            // The step has gone back or now counts something else.
            *self = Self { newest: self.newest, ..Self::default() };
        }
        self.seen += 1;
        if self.seen.is_multiple_of(self.stride.max(1)) {
            self.way.push(now);
        }
        if self.way.len() == POINTS {
            let mut odd = false;
            self.way.retain(|_| {
                odd = !odd;
                odd
            });
            self.stride = 2 * self.stride.max(1);
        }
        self.seen.is_multiple_of(EVERY)
    }

    /// Returns the last stretch if it is slower than all before and no new series has begun since its start.
    pub(crate) fn slow(&self) -> Option<Slow> {
        let (first, last) = (self.way.first()?, self.way.last()?);
        let slow = slow(&self.way)?;
        let from = self.way.iter().find(|p| p.seconds >= slow.from).map_or(last.time_us, |p| p.time_us);
        let other_work = begins_late(self.newest, (first.time_us, from), last.seconds - slow.from);
        (!other_work).then_some(slow)
    }
}
