//! Which value of a metric represents a run.
//!
//! Only values of one split are compared: the declared one, else a test split, else a validation split, else values
//! without a split, else the only split there is. A training split comes last.

use crate::folder::manifest::{Goal, MetricInfo};
use crate::folder::status::HeadlineValue;
use crate::read::average::Average;

/// Ranks how well a split represents a metric; the lowest rank represents the run. Ranks are equal only for the same split.
pub fn split_rank<'a>(info: Option<&MetricInfo>, split: Option<&'a str>) -> (u8, Option<&'a str>) {
    rank_of(info.and_then(|m| m.headline_of.as_deref()), split)
}

/// Ranks a split where that one is declared to represent the metric.
pub(crate) fn rank_of<'a>(declared: Option<&str>, split: Option<&'a str>) -> (u8, Option<&'a str>) {
    let lower = split.map(str::to_lowercase);
    let begins = |words: &[&str]| lower.as_ref().is_some_and(|s| words.iter().any(|w| s.starts_with(w)));
    let rank = match split {
        Some(_) if split == declared => 0,
        _ if begins(&["test"]) => 1,
        _ if begins(&["val", "dev", "eval", "holdout"]) => 2,
        None => 3,
        _ if lower.as_deref() == Some("tr") || begins(&["train", "fit", "batch", "mini"]) => 5,
        Some(_) => 4,
    };
    (rank, split)
}

/// The latest values of a headline metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Headline<'a> {
    /// The metric.
    pub metric: &'a str,
    /// Its declaration.
    pub info: Option<&'a MetricInfo>,
    /// One line for each model and split, in the given order.
    pub lines: Vec<HeadlineLine<'a>>,
}

/// The latest values of a metric, averaged over trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadlineLine<'a> {
    /// The model, if there are several.
    pub model: Option<&'a str>,
    /// The split.
    pub split: Option<&'a str>,
    /// Number of trials.
    pub trials: usize,
    /// Number of finite trials.
    pub finite: usize,
    /// How they are averaged.
    pub average: Average,
    /// The average of the finite values; if there are none, the first value.
    pub value: f64,
}

impl<'a> Headline<'a> {
    /// Returns the lines of the split that represents the run.
    pub fn of_split(&self) -> impl Iterator<Item = &HeadlineLine<'a>> {
        let rank = |l: &HeadlineLine<'a>| split_rank(self.info, l.split);
        let first = self.lines.iter().map(rank).min();
        self.lines.iter().filter(move |l| Some(rank(l)) == first)
    }

    /// Returns the line that represents the run: the best of that split by the metric's goal, or the first if there is no goal.
    pub fn line(&self) -> Option<HeadlineLine<'a>> {
        self.line_of(self.of_split().next()?.split, self.info.map_or(Goal::None, |m| m.goal))
    }

    /// Returns the best line of a split by this goal, or its first without a goal.
    pub fn line_of(&self, split: Option<&str>, goal: Goal) -> Option<HeadlineLine<'a>> {
        let own = || self.lines.iter().filter(|l| l.split == split);
        let mut finite = own().filter(|l| l.value.is_finite());
        let best = match goal {
            Goal::Min => finite.min_by(|a, b| a.value.total_cmp(&b.value)),
            Goal::Max => finite.max_by(|a, b| a.value.total_cmp(&b.value)),
            Goal::None => finite.next(),
        };
        best.or_else(|| own().next()).copied()
    }
}

/// Returns the headline metrics that have values, in declaration order.
pub fn headlines<'a>(values: &'a [HeadlineValue], declared: &'a [MetricInfo]) -> Vec<Headline<'a>> {
    let mut out: Vec<Headline<'a>> = Vec::new();
    let mut groups: Vec<(usize, usize, Vec<f64>)> = Vec::new();
    for HeadlineValue { key, value } in values {
        let at = out.iter().position(|h| h.metric == key.metric).unwrap_or_else(|| {
            let info = declared.iter().find(|m| m.name == key.metric);
            out.push(Headline { metric: &key.metric, info, lines: Vec::new() });
            out.len() - 1
        });
        let (model, split) = (key.model.as_deref(), key.split.as_deref());
        let lines = &mut out[at].lines;
        let line = lines.iter().position(|l| (l.model, l.split) == (model, split)).unwrap_or_else(|| {
            lines.push(HeadlineLine {
                model,
                split,
                trials: 0,
                finite: 0,
                average: Average::Mean,
                value: f64::NAN,
            });
            lines.len() - 1
        });
        match groups.iter_mut().find(|(a, l, _)| (*a, *l) == (at, line)) {
            Some((_, _, trials)) => trials.push(*value),
            None => groups.push((at, line, vec![*value])),
        }
    }
    for (at, line, trials) in groups {
        let average = Average::of(out[at].info).over(trials.iter().copied());
        let line = &mut out[at].lines[line];
        line.trials = trials.len();
        line.finite = trials.iter().filter(|v| v.is_finite()).count();
        line.average = average;
        line.value = average.of_finite(trials).unwrap_or(f64::NAN);
    }
    out.sort_by_key(|h| declared.iter().position(|m| m.name == h.metric).unwrap_or(usize::MAX));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::series::SeriesKey;

    fn value(model: &str, split: Option<&str>, trial: i32, value: f64) -> HeadlineValue {
        let key = SeriesKey {
            model: Some(model.to_owned()),
            split: split.map(str::to_owned),
            trial: Some(trial),
            ..SeriesKey::metric("loss")
        };
        HeadlineValue { key, value }
    }

    fn chosen(splits: &[Option<&str>], headline_of: Option<&str>) -> Option<String> {
        let info = MetricInfo {
            name: "loss".to_owned(),
            goal: Goal::Min,
            headline_of: headline_of.map(str::to_owned),
            ..MetricInfo::default()
        };
        // The later, the lower: by value alone the last would be taken.
        let values: Vec<_> =
            splits.iter().zip(0i32..).map(|(s, i)| value("m", *s, 0, -f64::from(i))).collect();
        let found = headlines(&values, std::slice::from_ref(&info));
        found[0].line().and_then(|l| l.split.map(str::to_owned))
    }

    #[test]
    fn one_split_stands_for_a_metric_and_a_training_loss_only_where_there_is_no_other() {
        let all = [Some("test"), Some("val"), Some("validation"), None, Some("extra"), Some("train")];
        for from in 0..all.len() {
            assert_eq!(chosen(&all[from..], None).as_deref(), all[from]);
        }
        for [better, worse] in
            [["Test", "val"], ["eval", "Train"], ["Valid", "batch"], ["dev", "extra"], ["extra", "fit"]]
        {
            assert_eq!(chosen(&[Some(better), Some(worse)], None).as_deref(), Some(better));
        }
        assert_eq!(chosen(&[None, Some("Train")], None), None, "without a split");
        assert_eq!(chosen(&all, Some("train")).as_deref(), Some("train"), "declared");
        assert_eq!(chosen(&all[1..], Some("test")).as_deref(), Some("val"), "declared, and not logged");
    }

    #[test]
    fn a_line_is_the_mean_of_its_trials_and_the_best_model_stands_for_the_run() {
        let info = MetricInfo { name: "loss".to_owned(), goal: Goal::Min, ..MetricInfo::default() };
        let values = [
            value("deep", Some("train"), 0, 0.1),
            value("deep", Some("test"), 0, 3.0),
            value("deep", Some("test"), 1, 1.0),
            value("wide", Some("test"), 0, 4.0),
            value("wide", Some("test"), 1, f64::NAN),
        ];
        let found = headlines(&values, std::slice::from_ref(&info));
        assert_eq!(found[0].lines.len(), 3);
        let line = HeadlineLine {
            model: Some("deep"),
            split: Some("test"),
            trials: 2,
            finite: 2,
            average: Average::Mean,
            value: 2.0,
        };
        assert_eq!(found[0].line(), Some(line));
        let wide = found[0].lines[2];
        assert_eq!((wide.trials, wide.finite, wide.value.to_bits()), (2, 1, 4.0f64.to_bits()));
        let huge = [value("deep", None, 0, 1.5e308), value("deep", None, 1, 1.5e308)];
        assert_eq!(headlines(&huge, &[])[0].lines[0].value, 1.5e308);
    }

    /// Two low losses and a high one have the highest arithmetic mean, and the lowest geometric one.
    #[test]
    fn trials_of_a_logarithmic_metric_have_a_geometric_mean() {
        let info =
            |log| MetricInfo { name: "loss".to_owned(), goal: Goal::Min, log, ..MetricInfo::default() };
        let of =
            |model, losses: [f64; 3]| losses.into_iter().zip(0..).map(move |(v, t)| value(model, None, t, v));
        let mut values: Vec<_> = of("deep", [1e-4, 1e-4, 2e-3]).chain(of("middle", [5e-4; 3])).collect();
        let best = |values: &[HeadlineValue], log| {
            let info = info(log);
            let line = headlines(values, std::slice::from_ref(&info))[0].line().expect("it has values");
            (line.model.map(str::to_owned), line.average, line.value)
        };
        assert_eq!(best(&values, false), (Some("middle".to_owned()), Average::Mean, 5e-4));
        let (model, average, mean) = best(&values, true);
        assert_eq!((model.as_deref(), average), (Some("deep"), Average::GeometricMean));
        assert!((mean - 2.714e-4).abs() < 1e-7, "{mean}");
        // There is none of a zero. The other lines keep theirs: in a comparison, they have the same.
        values[5].value = 0.0;
        let info = info(true);
        let found = headlines(&values, std::slice::from_ref(&info));
        let means: Vec<_> = found[0].lines.iter().map(|line| (line.model, line.average)).collect();
        assert_eq!(means, [(Some("deep"), Average::GeometricMean), (Some("middle"), Average::Mean)]);
    }
}
