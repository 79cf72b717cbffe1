//! Stops runs of a sweep early by the median rule: a run is stopped if its best value so far is worse than the median
//! of the other runs' running averages up to the same step (Golovin et al. 2017, "Google Vizier: A Service for
//! Black-Box Optimization", section 3.2.2). Only the logs of the runs are read; their processes do not communicate.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use gradtop_store::{
    Goal, Manifest, MetricInfo, RunDir, SeriesKey, State, Tailer, list_runs, read_manifest, read_notes,
    read_status, split_rank,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::short;

/// Minimum number of other runs that must have reached the same step.
const OTHERS: usize = 3;
/// By default, runs are judged after this fraction of their steps.
const QUARTER: u64 = 4;
/// Maximum number of buckets of steps stored for a run.
const BUCKETS: usize = 2048;
/// Time budget for reading a run's rows.
const READING: Duration = Duration::from_millis(100);

/// When to stop runs of a sweep early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyStop {
    /// The tag of the runs to compare.
    pub tag: String,
    /// The metric to compare.
    pub metric: String,
    /// Whether lower or higher is better; not [`Goal::None`].
    pub goal: Goal,
    /// The first step at which to stop; `None` for a quarter of the run's steps or, if that number is unknown, of the
    /// longest other run.
    pub after: Option<u64>,
}

/// The values of a run in buckets of steps.
#[derive(Debug)]
struct Curve {
    /// Number of steps per bucket.
    width: i64,
    /// Sum and count of each bucket's values.
    buckets: BTreeMap<i64, (f64, u64)>,
    last: i64,
}

impl Default for Curve {
    fn default() -> Self {
        Self { width: 1, buckets: BTreeMap::new(), last: i64::MIN }
    }
}

impl Curve {
    fn push(&mut self, step: i64, value: f64) {
        let bucket = self.buckets.entry(step.div_euclid(self.width)).or_default();
        *bucket = (bucket.0 + value, bucket.1 + 1);
        self.last = self.last.max(step);
        if self.buckets.len() > BUCKETS {
            self.width = self.width.saturating_mul(2);
            let mut wider: BTreeMap<i64, (f64, u64)> = BTreeMap::new();
            for (at, (sum, n)) in std::mem::take(&mut self.buckets) {
                let bucket = wider.entry(at.div_euclid(2)).or_default();
                *bucket = (bucket.0 + sum, bucket.1 + n);
            }
            self.buckets = wider;
        }
    }

    /// Returns its best value, where each bucket counts as its mean. Not finite if there is no finite value.
    fn best(&self, goal: Goal) -> f64 {
        let means = self.buckets.values().map(|(sum, n)| sum / *n as f64).filter(|mean| mean.is_finite());
        match goal {
            Goal::Max => means.fold(f64::NEG_INFINITY, f64::max),
            _ => means.fold(f64::INFINITY, f64::min),
        }
    }

    /// Returns the mean of its values up to a step, or the worst possible value if the mean is not finite.
    fn average(&self, step: i64, goal: Goal) -> f64 {
        let until = self.buckets.range(..=step.div_euclid(self.width)).map(|(_, bucket)| bucket);
        let (sum, n) = until.fold((0.0, 0), |(sum, n), bucket| (sum + bucket.0, n + bucket.1));
        let mean = sum / n as f64;
        match goal {
            _ if mean.is_finite() => mean,
            Goal::Max => f64::NEG_INFINITY,
            _ => f64::INFINITY,
        }
    }
}

/// A run whose values are followed.
struct Followed {
    run: RunDir,
    tailer: Tailer,
    info: Option<MetricInfo>,
    /// The rank of the split that represents the run.
    rank: u8,
    curve: Curve,
    /// How often it was set back by a resume.
    restarts: u64,
    /// Whether it counts: it did not fail and can be read.
    counts: bool,
    /// When its status was written, if that was its end and all rows up to it have been read. It may be resumed later.
    ended: Option<Timestamp>,
}

impl Followed {
    fn new(run: &RunDir, manifest: &Manifest, metric: &str) -> Self {
        let wanted = metric.to_owned();
        let reads = move |key: &SeriesKey| key.metric == wanted || key.path() == wanted;
        Self {
            run: run.clone(),
            tailer: Tailer::filtered(run, reads),
            info: manifest.metric(metric).cloned(),
            rank: u8::MAX,
            curve: Curve::default(),
            restarts: 0,
            counts: true,
            ended: None,
        }
    }

    fn look(&mut self) {
        let status = read_status(&self.run).ok();
        let ended = status.as_ref().filter(|status| status.state.is_final()).map(|status| status.updated);
        if ended.is_some() && ended == self.ended {
            return;
        }
        // Rows that cannot be read now are read next time.
        let Ok(restarts) = self.tailer.look_back() else { return };
        if restarts != self.restarts {
            // All rows are returned again, without those that the resume set aside.
            (self.restarts, self.rank, self.curve) = (restarts, u8::MAX, Curve::default());
        }
        let (info, rank, curve) = (self.info.as_ref(), &mut self.rank, &mut self.curve);
        let mut whole = false;
        while !whole {
            let read = self.tailer.poll_slices(READING, |slice| {
                let (of, _) = split_rank(info, slice.key.split.as_deref());
                if of < *rank {
                    (*rank, *curve) = (of, Curve::default());
                }
                if of == *rank {
                    slice.step.iter().zip(slice.value).for_each(|(step, value)| curve.push(*step, *value));
                }
            });
            if read.is_err() {
                return;
            }
            whole = self.tailer.at_end();
        }
        self.counts = status.is_some_and(|s| !matches!(s.state, State::Failed | State::Crashed));
        self.ended = ended;
    }
}

/// Compares a run with the others of its sweep.
pub(crate) struct Median {
    rule: EarlyStop,
    runs: PathBuf,
    experiment: String,
    own: Followed,
    others: HashMap<PathBuf, Option<Followed>>,
}

impl Median {
    pub(crate) fn new(run: &RunDir, manifest: &Manifest, rule: EarlyStop) -> Option<Self> {
        Some(Self {
            runs: run.path().parent()?.parent()?.to_owned(),
            experiment: manifest.experiment.id.clone(),
            own: Followed::new(run, manifest, &rule.metric),
            others: HashMap::new(),
            rule,
        })
    }

    /// Reads new rows and returns why the run is to be stopped, if it is.
    pub(crate) fn look(&mut self) -> Option<String> {
        let before = self.own.curve.last;
        self.own.look();
        if self.own.curve.last == before {
            return None;
        }
        self.find();
        let others = || self.others.values().flatten().filter(|other| other.counts);
        let step = self.own.curve.last;
        let status = read_status(&self.own.run).unwrap_or_default();
        let longest = || others().filter(|other| other.ended.is_some()).map(|other| other.curve.last).max();
        let far_enough = match (self.rule.after, status.total) {
            (Some(after), _) => step.try_into().is_ok_and(|step: u64| step >= after),
            (None, Some(total)) => status.done >= Some(total.div_ceil(QUARTER)),
            (None, None) => longest().is_some_and(|last| step >= last.div_euclid(QUARTER.cast_signed())),
        };
        let averages: Vec<f64> = others()
            .filter(|other| other.curve.last >= step)
            .map(|other| other.curve.average(step, self.rule.goal))
            .collect();
        if !far_enough || averages.len() < OTHERS {
            return None;
        }
        let (best, count) = (self.own.curve.best(self.rule.goal), averages.len());
        let median = median(averages)?;
        let worse = if self.rule.goal == Goal::Max { best < median } else { best > median };
        worse.then(|| {
            let metric = &self.rule.metric;
            let best = if best.is_finite() { short(best) } else { "not finite".to_owned() };
            format!(
                "stopped early by the median rule: its best {metric} until step {step} is {best}, the median of the averages of {count} \
                 others is {}",
                short(median)
            )
        })
    }

    /// Finds and reads the other runs of the sweep.
    fn find(&mut self) {
        for run in list_runs(&self.runs) {
            let known = self.others.contains_key(run.path());
            if known || run.is_queued() || run.path() == self.own.run.path() {
                continue;
            }
            let Ok(manifest) = read_manifest(&run) else { continue };
            let tagged = read_notes(&run).is_ok_and(|notes| notes.tags.contains(&self.rule.tag));
            let is_other = tagged && manifest.experiment.id == self.experiment;
            let other = is_other.then(|| Followed::new(&run, &manifest, &self.rule.metric));
            self.others.insert(run.path().to_owned(), other);
        }
        for other in self.others.values_mut().flatten() {
            other.look();
        }
    }
}

/// Returns the median; `None` for an empty list.
pub fn median(mut of: Vec<f64>) -> Option<f64> {
    of.sort_by(f64::total_cmp);
    let (low, high) = (*of.get(of.len().checked_sub(1)? / 2)?, *of.get(of.len() / 2)?);
    // Halve first, because the sum of two large values could overflow.
    Some(if low == high { low } else { low / 2.0 + high / 2.0 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::{Recorder, RecorderOptions, RunLock, Status, prepare_resume, write_status};
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::*;

    #[test]
    fn a_run_that_crashed_counts_again_once_it_is_resumed() {
        let mut fixtures = RunFixtures::new();
        let dir = fixtures.make(&run("fit", "a", 60).at(State::Crashed, 0));
        let log = |steps: std::ops::RangeInclusive<i64>, value: f64| {
            let recorder = Recorder::open(&dir, RecorderOptions::default()).unwrap();
            let loss = recorder.series(&SeriesKey::metric("loss"), None).unwrap();
            for step in steps {
                recorder.log(step, None, [(loss, value)]);
                if step == 2 {
                    recorder.checkpoint(step, None, None, |_| Ok(())).unwrap();
                }
            }
            recorder.finish().unwrap();
        };
        let mut followed = Followed::new(&dir, &read_manifest(&dir).unwrap(), "loss");
        log(1..=4, 1.0);
        followed.look();
        assert_eq!((followed.counts, followed.curve.last), (false, 4));
        // It ends before it is looked at again.
        prepare_resume(&dir, &RunLock::acquire(&dir).unwrap(), None).unwrap();
        log(3..=8, 5.0);
        let before = read_status(&dir).unwrap();
        let updated = before.updated + Duration::from_secs(1);
        write_status(&dir, &Status { state: State::Finished, updated, ..before }).unwrap();
        followed.look();
        assert_eq!((followed.counts, followed.curve.last), (true, 8));
        // The rows that the resume set aside are forgotten.
        assert_eq!(followed.curve.average(8, Goal::Min), (2.0 * 1.0 + 6.0 * 5.0) / 8.0);
    }

    #[test]
    fn averages_and_the_best_are_those_of_the_values() {
        let mut curve = Curve::default();
        for step in 0..10_000 {
            curve.push(step, f64::from(u32::try_from(step).unwrap_or(0)));
        }
        assert!(curve.buckets.len() <= BUCKETS);
        // The bucket that holds the step is taken whole.
        let width = curve.width as f64;
        assert!((curve.average(4_999, Goal::Min) - 2_499.5).abs() <= width / 2.0);
        assert_eq!(curve.average(9_999, Goal::Min), 4_999.5);
        assert_eq!(curve.best(Goal::Min), (width - 1.0) / 2.0);
        curve.push(10_000, f64::NAN);
        assert_eq!(curve.average(10_000, Goal::Min), f64::INFINITY);
        assert_eq!(curve.average(10_000, Goal::Max), f64::NEG_INFINITY);
        assert!(Curve::default().best(Goal::Max).is_infinite());
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![f64::INFINITY, 1.0, f64::INFINITY]), Some(f64::INFINITY));
        assert_eq!(median(vec![f64::MAX, f64::MAX]), Some(f64::MAX));
    }
}
