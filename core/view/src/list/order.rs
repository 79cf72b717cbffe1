//! Sorts runs in a list.

use gradtop_store::View;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::column;
use super::key::Key;

/// The sort order of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sort {
    /// The column: `age`, `state`, …, `param:` and the name of a parameter, or the name of a parameter or metric.
    pub by: String,
    /// Whether the column's usual order is reversed.
    pub reversed: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: "age".to_owned(), reversed: false }
    }
}

/// Sorts by a column; runs without a value come last in either direction. The sort is stable, so equal runs stay newest first.
pub fn sort_runs<R: Clone>(sort: &Sort, now: Timestamp, rows: &mut [R], view: impl Fn(&R) -> &View) {
    let keys = column::keys(&rows.iter().map(&view).collect::<Vec<_>>(), &sort.by, now);
    let mut keyed: Vec<(Key, R)> = keys.into_iter().zip(rows.iter().cloned()).collect();
    keyed.sort_by(|(a, _), (b, _)| a.order(b, sort.reversed));
    for (place, (_, row)) in rows.iter_mut().zip(keyed) {
        *place = row;
    }
}

#[cfg(test)]
mod tests {
    use gradtop_store::{Goal, HeadlineValue, MetricInfo, SeriesKey, State};
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::super::field::METRIC;
    use super::*;

    #[test]
    fn runs_with_only_a_value_of_another_split_come_after_in_either_direction() {
        let mut fixtures = RunFixtures::new();
        let mut view = |name: &str, split: Option<&str>, value: f64| {
            let spec = run("fit", name, 1).at(State::Finished, 10).with(|_, status| {
                let key = SeriesKey { split: split.map(str::to_owned), ..SeriesKey::metric("loss") };
                status.headline = vec![HeadlineValue { key, value }];
            });
            gradtop_store::view(&fixtures.make(&spec)).expect("it was made")
        };
        let runs = [
            view("a", Some("val"), 0.5),
            view("b", None, 0.02),
            view("c", Some("train"), 0.01),
            view("d", Some("val"), 0.1),
        ];
        let sorted = |reversed| {
            let mut rows: Vec<&View> = runs.iter().collect();
            let sort = Sort { by: "loss".to_owned(), reversed };
            sort_runs(&sort, Timestamp::now(), &mut rows, |row| row);
            rows.iter().map(|view| view.manifest.run.clone()).collect::<String>()
        };
        assert_eq!(sorted(false), "dabc");
        assert_eq!(sorted(true), "adbc");
    }

    /// The second declares nothing of its own, as an import; a third has another unit, and a fourth contradicts the first.
    #[test]
    fn no_run_decides_alone_how_values_of_a_metric_are_ordered() {
        let mut fixtures = RunFixtures::new();
        let mut view = |name: &str, info: Option<MetricInfo>, value: f64| {
            let spec = run("fit", name, 1).at(State::Finished, 10).with(|manifest, status| {
                manifest.metrics =
                    info.into_iter().map(|i| MetricInfo { name: "loss".to_owned(), ..i }).collect();
                let key = SeriesKey { split: Some("test".to_owned()), ..SeriesKey::metric("loss") };
                status.headline = vec![HeadlineValue { key, value }];
            });
            gradtop_store::view(&fixtures.make(&spec)).expect("it was made")
        };
        let to = |goal| MetricInfo { goal, headline_of: Some("test".to_owned()), ..MetricInfo::default() };
        let up = to(Goal::Max);
        let other = MetricInfo { unit: Some("ms".to_owned()), ..up.clone() };
        let [a, b, c] = [("a", Some(up), 0.9), ("b", None, 0.5), ("c", Some(to(Goal::None)), 0.3)]
            .map(|(name, info, value)| view(name, info, value));
        let (d, e) = (view("d", Some(other), 7.0), view("e", Some(to(Goal::Min)), 0.4));
        let sorted = |by: &str, mut rows: Vec<&View>| {
            let sort = Sort { by: by.to_owned(), reversed: false };
            sort_runs(&sort, Timestamp::now(), &mut rows, |row| row);
            rows.iter().map(|view| view.manifest.run.clone()).collect::<String>()
        };
        for by in ["loss", METRIC, "of"] {
            assert_eq!(sorted(by, vec![&d, &c, &b, &a]), "abcd", "{by}");
            assert_eq!(
                sorted(by, vec![&d, &c, &b, &a, &e]),
                "cebad",
                "goals differ: the lowest first, by {by}"
            );
        }
    }
}
