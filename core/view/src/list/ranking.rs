//! Ranks the parameter settings of many runs by their results.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_host::median;
use gradtop_store::{Declared, Goal, Headline, HeadlineLine, ParamValue, View};

use super::field::param;
use crate::run::headline;

/// Runs with the same setting.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The value of each requested parameter; `None` if its runs lack it.
    pub setting: Vec<Option<&'a ParamValue>>,
    /// The unit of its values; runs with another are another group.
    pub unit: Option<&'a str>,
    /// Number of runs with a finite value.
    pub runs: usize,
    /// Number of runs with a non-finite value.
    pub not_finite: usize,
    /// Median of the finite values; NaN if there is none.
    pub median: f64,
    /// The best value; NaN if there is none.
    pub best: f64,
    /// The run with the best value, and what that is of.
    pub best_run: Option<(&'a View, HeadlineLine<'a>)>,
}

/// The ranked groups.
#[derive(Debug, Clone)]
pub struct Ranking<'a> {
    /// The groups, of each unit those with the best median first.
    pub groups: Vec<Group<'a>>,
    /// Whether lower or higher is better.
    pub goal: Goal,
    /// Whether it is declared in both ways.
    pub goals_differ: bool,
    /// Why the values cannot be compared; see [`Declared::doubts`].
    pub doubts: Vec<String>,
    /// The split of all values.
    pub split: Option<&'a str>,
    /// The models that the values are of: of each run that of its best.
    pub models: BTreeSet<&'a str>,
    /// Number of runs that have not ended.
    pub live: usize,
    /// Number of runs without a value of that split.
    pub without: usize,
}

/// Ranks runs by the last value of a metric, grouped by the values of parameters. Returns `None` if no run has the
/// metric. Only values of one split are compared: a training loss never beats a test loss. `said`: which values are better,
/// whatever the experiment declares.
pub fn ranking<'a>(views: &'a [View], metric: &str, said: Option<Goal>, by: &[&str]) -> Option<Ranking<'a>> {
    let of = |view: &'a View| -> Option<Headline<'a>> {
        headline::all(view).into_iter().find(|headline| headline.metric == metric)
    };
    let found: Vec<(&View, Headline<'_>)> = views.iter().filter_map(|view| Some((view, of(view)?))).collect();
    let declared: Declared<'_> = found.iter().map(|(_, headline)| headline.info).collect();
    let goal = said.unwrap_or_else(|| declared.goal());
    // Without a goal the lowest come first.
    let first = if goal == Goal::Max { Goal::Max } else { Goal::Min };
    let (_, split) = shared_split(found.iter().map(|(_, headline)| headline), &declared)?;
    let mut groups: BTreeMap<Setting<'a>, Vec<(&View, HeadlineLine<'a>)>> = BTreeMap::new();
    for (view, headline) in &found {
        let Some(line) = headline.line_of(split, first) else { continue };
        let setting = by.iter().map(|key| param(view, key).map(ToString::to_string)).collect();
        let unit = Declared::from(headline.info).unit();
        groups.entry((unit, setting)).or_default().push((view, line));
    }
    let all = || groups.values().flatten();
    let models = all().filter_map(|(_, line)| line.model).collect();
    let live = all().filter(|(view, _)| !view.state.is_final()).count();
    let counted: usize = groups.values().map(Vec::len).sum();
    let towards = |a: f64, b: f64| if goal == Goal::Max { b.total_cmp(&a) } else { a.total_cmp(&b) };
    let mut groups: Vec<Group<'_>> = groups
        .into_iter()
        .map(|((unit, _), runs)| {
            let finite: Vec<(&View, HeadlineLine<'a>)> =
                runs.iter().copied().filter(|(_, line)| line.value.is_finite()).collect();
            let best = finite.iter().copied().min_by(|(_, a), (_, b)| towards(a.value, b.value));
            let values: Vec<f64> = finite.iter().map(|(_, line)| line.value).collect();
            Group {
                setting: by.iter().map(|key| param(runs[0].0, key)).collect(),
                unit,
                runs: finite.len(),
                not_finite: runs.len() - finite.len(),
                median: median(values).unwrap_or(f64::NAN),
                best: best.map_or(f64::NAN, |(_, line)| line.value),
                best_run: best,
            }
        })
        .collect();
    let by_value = |a: &Group<'_>, b: &Group<'_>| match (a.median.is_nan(), b.median.is_nan()) {
        (false, false) => towards(a.median, b.median).then(towards(a.best, b.best)),
        (a, b) => a.cmp(&b),
    };
    groups.sort_by(|a, b| a.unit.cmp(&b.unit).then_with(|| by_value(a, b)));
    let (doubts, without) = (declared.doubts(), views.len() - counted);
    let goals_differ = declared.goals_differ();
    Some(Ranking { groups, goal, goals_differ, doubts, split, models, live, without })
}

/// The unit and the setting of a group.
type Setting<'a> = (Option<&'a str>, Vec<Option<String>>);

/// A split, after how well it represents a metric: see [`Declared::split_rank`].
type RankedSplit<'a> = (u8, Option<&'a str>);

/// Returns the split in which runs are compared: of those that represent the metric equally well, the one that most runs have.
fn shared_split<'a: 'b, 'b>(
    headlines: impl Iterator<Item = &'b Headline<'a>>,
    declared: &Declared<'_>,
) -> Option<RankedSplit<'a>> {
    let mut counts: BTreeMap<RankedSplit<'_>, usize> = BTreeMap::new();
    for headline in headlines {
        let splits: BTreeSet<_> = headline.lines.iter().map(|line| declared.split_rank(line.split)).collect();
        for split in splits {
            *counts.entry(split).or_default() += 1;
        }
    }
    let best = counts.into_iter().min_by_key(|((rank, _), runs)| (*rank, std::cmp::Reverse(*runs)));
    best.map(|(split, _)| split)
}

#[cfg(test)]
mod tests {
    use gradtop_store::{HeadlineValue, SeriesKey, State};
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::*;

    #[test]
    fn settings_are_ordered_by_their_median_within_one_split() {
        let mut fixtures = RunFixtures::new();
        let mut views = Vec::new();
        let values =
            [("a", 1, 0.5, "test"), ("b", 1, 0.1, "test"), ("c", 1, f64::NAN, "test"), ("d", 2, 0.2, "test")];
        for (name, width, value, split) in values.into_iter().chain([("e", 2, 0.01, "train")]) {
            let spec = run("fit", name, 1).at(State::Finished, 10).with(|manifest, status| {
                manifest.params = vec![("width".to_owned(), ParamValue::Int(width))];
                let key = SeriesKey { split: Some(split.to_owned()), ..SeriesKey::metric("loss") };
                status.headline = vec![HeadlineValue { key, value }];
            });
            views.push(gradtop_store::view(&fixtures.make(&spec)).expect("it was made"));
        }
        let ranking = ranking(&views, "loss", None, &["width"]).expect("it has a metric");
        assert_eq!((ranking.split, ranking.without), (Some("test"), 1));
        let told: Vec<_> = ranking.groups.iter().map(|g| (g.runs, g.not_finite, g.median, g.best)).collect();
        assert_eq!(told, [(1, 0, 0.2, 0.2), (2, 1, 0.3, 0.1)]);
        assert!(super::ranking(&views, "none such", None, &[]).is_none());
    }

    #[test]
    fn runs_are_compared_in_the_split_that_most_have_and_each_says_of_what() {
        let mut fixtures = RunFixtures::new();
        let of = |model: &str, split: &str, value| {
            let (model, split) = (Some(model.to_owned()), Some(split.to_owned()));
            HeadlineValue { key: SeriesKey { model, split, ..SeriesKey::metric("loss") }, value }
        };
        let both = vec![of("deep", "apple", 0.9), of("deep", "pear", 0.3)];
        let runs = [("a", vec![of("deep", "pear", 0.2)]), ("b", vec![of("wide", "pear", 0.1)]), ("c", both)];
        let views: Vec<View> = runs
            .into_iter()
            .map(|(name, values)| {
                let spec = run("fit", name, 1).with(|_, status| status.headline = values);
                gradtop_store::view(&fixtures.make(&spec)).expect("it was made")
            })
            .collect();
        let ranking = ranking(&views, "loss", None, &[]).expect("it has a metric");
        assert_eq!((ranking.split, ranking.without), (Some("pear"), 0));
        assert_eq!(ranking.models.iter().copied().collect::<Vec<_>>(), ["deep", "wide"]);
        let best = ranking.groups[0].best_run.map(|(view, line)| (view.manifest.run.as_str(), line.model));
        assert_eq!(best, Some(("b", Some("wide"))));
    }

    #[test]
    fn the_model_that_stands_for_a_run_is_the_best_one_by_the_goal_that_was_said() {
        let mut fixtures = RunFixtures::new();
        let values = [("small", 0.1), ("big", 0.9)].map(|(model, value)| HeadlineValue {
            key: SeriesKey { model: Some(model.to_owned()), ..SeriesKey::metric("loss") },
            value,
        });
        let spec = run("fit", "a", 1).with(|_, status| status.headline = values.to_vec());
        let views = [gradtop_store::view(&fixtures.make(&spec)).expect("it was made")];
        let best = |said| ranking(&views, "loss", said, &[]).expect("it has a metric").groups[0].best;
        assert_eq!([Some(Goal::Max), Some(Goal::Min), None].map(best), [0.9, 0.1, 0.1]);
    }
}
