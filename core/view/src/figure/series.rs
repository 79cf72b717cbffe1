//! Lines and bands from metrics: which series make a line, and what is averaged.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_store::figures::{Aggregate, Mark, MarkX, OneOrMany};
use gradtop_store::{SeriesData, SeriesKey};

use super::Data;
use crate::natural;

/// A line's worth of data in the order logged, with the range where several series were averaged. Where the steps go back the
/// line is interrupted: there x is NaN.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Curve {
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// Places where a member that goes on is not finite, so that the value is of the others.
    pub(super) partial: usize,
    /// The row logged last; of several series the average of theirs.
    pub(super) last: Option<f64>,
    /// How often it is interrupted.
    pub(super) lifts: usize,
}

impl Curve {
    /// Nothing joins what came before to what comes after.
    fn lift(&mut self) {
        self.x.push(f64::NAN);
        self.y.push(0.0);
        self.lifts += 1;
    }
}

/// For each row, how often the steps had gone back: values are averaged only with those of the same lap.
fn laps(series: &SeriesData) -> impl Iterator<Item = usize> {
    let back = series.step.windows(2).map(|w| w[1] < w[0]);
    std::iter::once(false).chain(back).scan(0, |lap, back| {
        *lap += usize::from(back);
        Some(*lap)
    })
}

/// The series that make one line.
pub(super) struct Group<'a> {
    pub(super) name: Option<String>,
    pub(super) members: Vec<&'a SeriesData>,
}

/// `deep · test`: model, split and trial, as far as there are any.
pub fn name_of(model: Option<&str>, split: Option<&str>, trial: Option<i32>) -> Option<String> {
    let trial = trial.map(|t| format!("#{t}"));
    let parts: Vec<&str> = [model, split, trial.as_deref()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// Model, split and trial, as far as they separate.
type Key<'a> = (Option<&'a str>, Option<&'a str>, Option<i32>);

/// The series of a mark, grouped by what separates its lines (model and split unless it says otherwise).
pub(super) fn groups<'a>(mark: &Mark, data: &'a Data) -> Vec<Group<'a>> {
    let default = ["model".to_owned(), "split".to_owned()];
    let by: &[String] = mark.by.as_deref().unwrap_or(&default);
    let separates = |what: &str| by.iter().any(|b| b == what);
    let mut groups: BTreeMap<Key<'_>, Vec<&SeriesData>> = BTreeMap::new();
    for series in data.series.iter().filter(|s| wanted(mark, &s.key)) {
        let key = (
            series.key.model.as_deref().filter(|_| separates("model")),
            series.key.split.as_deref().filter(|_| separates("split")),
            series.key.trial.filter(|_| separates("trial")),
        );
        groups.entry(key).or_default().push(series);
    }
    let mut groups: Vec<(Key<'_>, Vec<&SeriesData>)> = groups.into_iter().collect();
    groups.sort_by(|(a, _), (b, _)| {
        natural::maybe(a.0, b.0).then_with(|| natural::maybe(a.1, b.1)).then_with(|| a.2.cmp(&b.2))
    });
    groups
        .into_iter()
        .map(|((model, split, trial), members)| Group { name: name_of(model, split, trial), members })
        .collect()
}

/// Whether a mark is of a series. `""` filters those without a model or split.
pub fn wanted(mark: &Mark, key: &SeriesKey) -> bool {
    static WITHOUT: String = String::new();
    let text = |filter: &Option<OneOrMany<String>>, value: &Option<String>| {
        filter.as_ref().is_none_or(|f| f.contains(value.as_ref().unwrap_or(&WITHOUT)))
    };
    mark.metric.as_deref() == Some(&key.metric)
        && text(&mark.model, &key.model)
        && text(&mark.split, &key.split)
        && mark.trial.as_ref().is_none_or(|f| key.trial.is_some_and(|t| f.contains(&t)))
}

/// The horizontal axis of a mark from metrics.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Horizontal {
    Step,
    Epoch,
    Time,
}

pub(super) fn horizontal(mark: &Mark) -> Horizontal {
    match &mark.x {
        Some(MarkX::Source(s)) if s == "epoch" => Horizontal::Epoch,
        Some(MarkX::Source(s)) if s == "time" => Horizontal::Time,
        _ => Horizontal::Step,
    }
}

/// The members of a group as one curve, and a sentence if some of them stopped being finite: the average is then of the
/// others.
pub(super) fn curve(
    members: &[&SeriesData],
    x: Horizontal,
    aggregate: Aggregate,
    started_us: i64,
) -> (Curve, Option<String>) {
    let place = |s: &SeriesData, i: usize| match x {
        Horizontal::Step => s.step[i] as f64,
        Horizontal::Epoch => s.epoch[i],
        Horizontal::Time => (s.time_us[i] - started_us) as f64 / 1e6,
    };
    let [first, rest @ ..] = members else { return (Curve::default(), None) };
    let mut lasts: Vec<f64> = members.iter().filter_map(|s| s.value.last().copied()).collect();
    let last = (!lasts.is_empty()).then(|| summary(&mut lasts, aggregate).0);
    let mut curve = Curve { last, ..Curve::default() };
    // Time goes on whatever the steps do.
    let broken = x != Horizontal::Time;
    let mut before = 0;
    if rest.is_empty() {
        for (i, lap) in laps(first).enumerate().take(first.step.len()) {
            if broken && lap != std::mem::replace(&mut before, lap) {
                curve.lift();
            }
            curve.x.push(place(first, i));
            curve.y.push(first.value[i]);
        }
        return (curve, None);
    }
    let mut add = |lap: usize, x: f64, values: &mut Vec<f64>| {
        if broken && lap != std::mem::replace(&mut before, lap) {
            curve.lift();
            curve.low.push(f64::NAN);
            curve.high.push(f64::NAN);
        }
        let (mean, low, high) = summary(values, aggregate);
        curve.x.push(x);
        curve.y.push(mean);
        curve.low.push(low);
        curve.high.push(high);
    };
    let mut values = Vec::with_capacity(members.len());
    if rest.iter().all(|s| s.step == first.step) {
        for (i, lap) in laps(first).enumerate().take(first.step.len()) {
            values.clear();
            values.extend(members.iter().map(|s| s.value[i]));
            add(lap, place(first, i), &mut values);
        }
    } else {
        let mut rows: BTreeMap<(usize, i64), (f64, Vec<f64>)> = BTreeMap::new();
        for s in members {
            for (i, lap) in laps(s).enumerate().take(s.step.len()) {
                let row = rows.entry((lap, s.step[i])).or_insert_with(|| (place(s, i), Vec::new()));
                row.1.push(s.value[i]);
            }
        }
        for ((lap, _), (x, mut values)) in rows {
            add(lap, x, &mut values);
        }
    }
    // A trial has stopped being finite where none of its values is from the first on that is not. One that came back lacks
    // some values, and its last may be one of them.
    let finite = |s: &SeriesData| {
        let stop = s.value.iter().rposition(|v| v.is_finite()).map_or(0, |i| i + 1);
        if s.value[..stop].iter().all(|v| v.is_finite()) { stop } else { s.value.len() }
    };
    let mut odd = BTreeSet::new();
    for s in members {
        odd.extend((0..finite(s)).filter(|i| !s.value[*i].is_finite()).map(|i| s.step[i]));
    }
    let told = |s: &&SeriesData, i: usize| s.value[i].is_finite() && odd.contains(&s.step[i]);
    if !odd.is_empty() {
        let seen = members.iter().flat_map(|s| (0..s.step.len()).filter(|i| told(s, *i)).map(|i| s.step[i]));
        curve.partial = seen.collect::<BTreeSet<i64>>().len();
    }
    let broken: Vec<i64> = members.iter().filter_map(|s| s.step.get(finite(s)).copied()).collect();
    let note = broken.iter().min().filter(|_| broken.len() < members.len()).map(|step| {
        let are = if broken.len() == 1 { "is" } else { "are" };
        format!(
            "{} of {} trials {are} not finite (from step {step}); the line is of the others",
            broken.len(),
            members.len()
        )
    });
    (curve, note)
}

/// Average, least and greatest of the finite values; of none, the first value stands for all.
pub(super) fn summary(values: &mut Vec<f64>, aggregate: Aggregate) -> (f64, f64, f64) {
    let first = values.first().copied().unwrap_or(f64::NAN);
    values.retain(|v| v.is_finite());
    if values.is_empty() {
        return (first, first, first);
    }
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values[0], values[values.len() - 1]);
    let middle = match aggregate {
        Aggregate::Mean => values.iter().sum::<f64>() / values.len() as f64,
        Aggregate::Median => f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]),
    };
    (middle, low, high)
}
