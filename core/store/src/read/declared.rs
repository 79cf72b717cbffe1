//! What several runs declare of one metric: one answer for tables, charts, rankings and reports.

use std::collections::BTreeSet;

use crate::folder::manifest::{Goal, MetricInfo};
use crate::read::average::Average;
use crate::read::headline::rank_of;

/// What each of several runs declares of one metric. What they do not agree on holds for none of them; it is never what the
/// first of them declares.
#[derive(Debug, Clone, Default)]
pub struct Declared<'a>(Vec<Option<&'a MetricInfo>>);

impl<'a> FromIterator<Option<&'a MetricInfo>> for Declared<'a> {
    fn from_iter<I: IntoIterator<Item = Option<&'a MetricInfo>>>(each: I) -> Self {
        Self(each.into_iter().collect())
    }
}

impl<'a> From<Option<&'a MetricInfo>> for Declared<'a> {
    fn from(of_one_run: Option<&'a MetricInfo>) -> Self {
        Self(vec![of_one_run])
    }
}

impl<'a> Declared<'a> {
    fn agreed<T: PartialEq>(&self, of: impl Fn(Option<&'a MetricInfo>) -> T) -> Option<T> {
        let mut all = self.0.iter().map(|info| of(*info));
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    /// Returns the mean of values of all of these runs: the geometric one if each run by itself has that.
    pub fn average(&self) -> Average {
        self.agreed(Average::of).unwrap_or_default()
    }

    /// Returns whether an axis for all of these runs is logarithmic.
    pub fn is_log(&self) -> bool {
        self.agreed(|info| info.is_some_and(|info| info.log)) == Some(true)
    }

    /// Returns which values are better. A run that says neither has nothing against what the others say.
    pub fn goal(&self) -> Goal {
        match self.goals()[..] {
            [goal] => goal,
            _ => Goal::None,
        }
    }

    /// Returns whether some runs say that lower values are better, and some that higher ones are.
    pub fn goals_differ(&self) -> bool {
        self.goals().len() > 1
    }

    fn goals(&self) -> Vec<Goal> {
        let declared = |goal: &Goal| self.0.iter().flatten().any(|info| info.goal == *goal);
        [Goal::Min, Goal::Max].into_iter().filter(declared).collect()
    }

    /// Returns the unit of all of these runs; `None` if they have none, or not the same.
    pub fn unit(&self) -> Option<&'a str> {
        self.agreed(unit).flatten()
    }

    /// Returns whether values of these runs can be compared and averaged: they have one unit, or none.
    pub fn has_one_unit(&self) -> bool {
        self.0.is_empty() || self.agreed(unit).is_some()
    }

    /// Returns the explanation that all of these runs give.
    pub fn help(&self) -> Option<&'a str> {
        self.agreed(|info| info.map(|info| info.help.as_str())).flatten().filter(|help| !help.is_empty())
    }

    /// Ranks a split as [`crate::split_rank`] does, by the one that all of these runs name.
    pub fn split_rank<'s>(&self, split: Option<&'s str>) -> (u8, Option<&'s str>) {
        rank_of(self.agreed(|info| info.and_then(|info| info.headline_of.as_deref())).flatten(), split)
    }

    /// Says why values of these runs cannot be compared: `units differ: ms, s`, `goals differ: min, max`.
    pub fn doubts(&self) -> Vec<String> {
        let units = units_differ(self.0.iter().map(|info| unit(*info)));
        let goals = self.goals_differ().then(|| "goals differ: min, max".to_owned());
        units.into_iter().chain(goals).collect()
    }
}

fn unit(info: Option<&MetricInfo>) -> Option<&str> {
    info?.unit.as_deref().filter(|unit| !unit.is_empty())
}

/// Says of values that they are in different units, if they are: `units differ: ms, none`.
pub fn units_differ<'a>(of_each: impl IntoIterator<Item = Option<&'a str>>) -> Option<String> {
    let units = of_each.into_iter().map(|unit| unit.filter(|unit| !unit.is_empty()).unwrap_or("none"));
    let units: Vec<&str> = units.collect::<BTreeSet<_>>().into_iter().collect();
    (units.len() > 1).then(|| format!("units differ: {}", units.join(", ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn info() -> impl Strategy<Value = Option<MetricInfo>> {
        let goal = prop_oneof![Just(Goal::None), Just(Goal::Min), Just(Goal::Max)];
        let unit = prop_oneof![Just(None), Just(Some("s".to_owned())), Just(Some("ms".to_owned()))];
        let split = prop_oneof![Just(None), Just(Some("val".to_owned())), Just(Some("extra".to_owned()))];
        let info = (any::<bool>(), goal, unit, split).prop_map(|(log, goal, unit, headline_of)| MetricInfo {
            name: "loss".to_owned(),
            log,
            goal,
            unit,
            headline_of,
            ..MetricInfo::default()
        });
        proptest::option::of(info)
    }

    type All = (Average, bool, Goal, Option<String>, bool, (u8, Option<&'static str>), Vec<String>);

    fn all(declared: &Declared<'_>) -> All {
        let unit = declared.unit().map(str::to_owned);
        let rank = declared.split_rank(Some("extra"));
        let (one, doubts) = (declared.has_one_unit(), declared.doubts());
        (declared.average(), declared.is_log(), declared.goal(), unit, one, rank, doubts)
    }

    proptest! {
        /// No run is the one that decides: neither the order of runs nor their number matters, and one run decides for itself.
        #[test]
        fn what_runs_declare_holds_for_all_of_them_or_for_none(infos in proptest::collection::vec(info(), 1..4)) {
            let each = || infos.iter().map(Option::as_ref);
            let declared: Declared<'_> = each().collect();
            prop_assert_eq!(all(&declared), all(&each().rev().collect()));
            prop_assert_eq!(all(&declared), all(&each().chain(each()).collect()));
            let has = |of: &dyn Fn(&Declared<'_>) -> bool| each().all(|info| of(&info.into()));
            prop_assert_eq!(declared.average() == Average::GeometricMean, has(&|one| one.average() == Average::GeometricMean));
            prop_assert_eq!(declared.is_log(), infos.iter().flatten().filter(|info| info.log).count() == infos.len());
            prop_assert!(declared.unit().is_none() || has(&|one| one.unit() == declared.unit()));
            let goal = declared.goal();
            prop_assert!(goal == Goal::None || has(&|one| one.goal() == goal || one.goal() == Goal::None));
            let differ = |word: &str| declared.doubts().iter().any(|doubt| doubt.starts_with(word));
            prop_assert_eq!(differ("units"), !declared.has_one_unit());
            prop_assert_eq!(differ("goals"), [Goal::Min, Goal::Max].iter().all(|goal| !has(&|one| one.goal() != *goal)));
        }
    }
}
