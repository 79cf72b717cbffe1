//! Guard metrics: which series have become NaN or infinite, and when that ends a run.
//!
//! Divergence is tracked per *unit*, a model in a trial: all its splits measure one network, so one non-finite split is enough. A
//! run fails when every unit of a guard metric has diverged. A unit exists once one of its series is interned, so an experiment
//! that trains trial after trial should intern all series first, or it fails with its first trial.

use std::collections::HashMap;

use gradtop_store::SeriesKey;

/// The state of a run's guard metrics.
#[derive(Debug, Default)]
pub(crate) struct Divergence {
    units: Vec<Unit>,
    by_name: HashMap<(String, Option<String>, Option<i32>), usize>,
    by_series: HashMap<u32, Watched>,
    /// Incremented with each change, so that a watcher can detect changes.
    pub(crate) generation: u64,
}

#[derive(Debug)]
struct Unit {
    metric: String,
    /// Number of series that are not finite now.
    bad: u32,
    /// The step at which the first of them became non-finite.
    since: i64,
}

#[derive(Debug)]
struct Watched {
    unit: usize,
    key: SeriesKey,
    bad: bool,
    announced: bool,
}

impl Divergence {
    /// Starts to track a series of a guard metric.
    pub(crate) fn watch(&mut self, series: u32, key: &SeriesKey) {
        if self.by_series.contains_key(&series) {
            return;
        }
        let name = (key.metric.clone(), key.model.clone(), key.trial);
        let next = self.units.len();
        let unit = *self.by_name.entry(name).or_insert(next);
        if unit == next {
            self.units.push(Unit { metric: key.metric.clone(), bad: 0, since: 0 });
        }
        self.by_series.insert(series, Watched { unit, key: key.clone(), bad: false, announced: false });
        self.generation += 1;
    }

    /// Processes a value. Returns a message for the first non-finite value of a series.
    pub(crate) fn note(&mut self, series: u32, step: i64, value: f64) -> Option<String> {
        let watched = self.by_series.get_mut(&series)?;
        let bad = !value.is_finite();
        if bad == watched.bad {
            return None;
        }
        watched.bad = bad;
        self.generation += 1;
        let unit = &mut self.units[watched.unit];
        if !bad {
            unit.bad -= 1;
            return None;
        }
        if unit.bad == 0 {
            unit.since = step;
        }
        unit.bad += 1;
        if watched.announced {
            return None;
        }
        watched.announced = true;
        Some(format!("{} is {value} at step {step}", describe(&watched.key)))
    }

    /// Returns whether a guard metric of the same unit as a series is not finite now.
    pub(crate) fn is_bad(&self, key: &SeriesKey) -> bool {
        let same = |w: &SeriesKey| (&w.model, &w.split, w.trial) == (&key.model, &key.split, key.trial);
        self.by_series.values().any(|w| w.bad && same(&w.key))
    }

    /// Returns why the run has failed, if it has.
    pub(crate) fn verdict(&self) -> Option<String> {
        let mut metrics: Vec<&str> = self.units.iter().map(|u| u.metric.as_str()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        metrics.into_iter().find_map(|metric| {
            let of = || self.units.iter().filter(|u| u.metric == metric);
            if of().any(|u| u.bad == 0) {
                return None;
            }
            let since = of().map(|u| u.since).max()?;
            Some(match of().count() {
                1 => format!("{metric} is not finite since step {since}"),
                _ => format!("{metric} is not finite in every model and trial since step {since}"),
            })
        })
    }
}

fn describe(key: &SeriesKey) -> String {
    let mut text = key.metric.clone();
    let trial = key.trial.map(|t| format!("trial {t}"));
    let parts: Vec<&str> =
        [key.model.as_deref(), key.split.as_deref(), trial.as_deref()].into_iter().flatten().collect();
    if !parts.is_empty() {
        text = format!("{text} ({})", parts.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(model: &str, split: &str, trial: i32) -> SeriesKey {
        SeriesKey {
            metric: "loss".to_owned(),
            model: Some(model.to_owned()),
            split: Some(split.to_owned()),
            trial: Some(trial),
        }
    }

    #[test]
    fn a_run_fails_with_its_last_unit() {
        let mut d = Divergence::default();
        d.watch(0, &key("deep", "train", 0));
        d.watch(1, &key("deep", "test", 0));
        d.watch(2, &key("deep", "train", 1));
        assert_eq!(d.verdict(), None);
        let told = d.note(0, 7, f64::NAN);
        assert_eq!(told.as_deref(), Some("loss (deep, train, trial 0) is NaN at step 7"));
        assert_eq!(d.note(0, 8, f64::NAN), None);
        let accuracy =
            |split: &str, trial| SeriesKey { metric: "accuracy".to_owned(), ..key("deep", split, trial) };
        assert!(d.is_bad(&accuracy("train", 0)));
        assert!(!d.is_bad(&accuracy("train", 1)) && !d.is_bad(&accuracy("test", 0)));
        // The test split of trial 0 still holds an old, finite value; the trial is lost all the same.
        assert_eq!(d.verdict(), None);
        d.note(2, 9, f64::INFINITY);
        assert_eq!(d.verdict().as_deref(), Some("loss is not finite in every model and trial since step 9"));
        d.note(2, 10, 1.0);
        assert_eq!(d.verdict(), None);
        // Told once a series, however often it changes.
        assert_eq!(d.note(2, 11, f64::NAN), None);
        assert!(d.verdict().is_some());
    }

    #[test]
    fn a_series_interned_but_not_logged_counts_as_well() {
        let mut d = Divergence::default();
        d.watch(0, &key("deep", "train", 0));
        d.watch(1, &key("deep", "train", 1));
        d.note(0, 1, f64::NAN);
        assert_eq!(d.verdict(), None);
    }
}
