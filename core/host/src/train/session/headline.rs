//! Selects the headline values for a status, for runs that train more networks than an overview can show.

use std::cmp::Ordering;
use std::collections::HashMap;

use gradtop_store::{Average, Goal, HeadlineValue, MetricInfo, split_rank};

/// The trials of one line, as indices of the values.
struct Group<'a> {
    split: Option<&'a str>,
    members: Vec<usize>,
    mean: f64,
}

/// Returns at most `most` of the values in their order: whole groups of trials, the best of each metric in turn,
/// beginning with the split that represents the run. An overview shows the best of the values it is given, so these
/// must include the best of all.
pub(super) fn best<'a>(
    values: Vec<HeadlineValue>,
    info: impl Fn(&str) -> Option<&'a MetricInfo>,
    most: usize,
) -> Vec<HeadlineValue> {
    if values.len() <= most {
        return values;
    }
    let mut metrics: Vec<(&str, Vec<Group<'_>>)> = Vec::new();
    for group in groups(&values, &info) {
        let name = values[group.members[0]].key.metric.as_str();
        match metrics.iter_mut().find(|(metric, _)| *metric == name) {
            Some((_, own)) => own.push(group),
            None => metrics.push((name, vec![group])),
        }
    }
    let mut metrics: Vec<_> =
        metrics.into_iter().map(|(name, own)| ordered(own, info(name)).into_iter()).collect();
    let mut kept = vec![false; values.len()];
    let mut left = most;
    loop {
        let before = left;
        for ordered in &mut metrics {
            // Part of a group would have another mean, so a group that does not fit is left out, except the first.
            let Some(group) = ordered.find(|g| g.members.len() <= left || left == most) else { continue };
            for at in group.members.into_iter().take(left) {
                kept[at] = true;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    values.into_iter().zip(kept).filter_map(|(value, kept)| kept.then_some(value)).collect()
}

/// Returns the groups, best first.
fn ordered<'a>(mut own: Vec<Group<'a>>, info: Option<&MetricInfo>) -> Vec<Group<'a>> {
    let goal = info.map_or(Goal::None, |m| m.goal);
    own.sort_by(|a, b| {
        // Groups without a finite value come last within their split, whatever the goal.
        let before = (split_rank(info, a.split), a.mean.is_nan());
        before.cmp(&(split_rank(info, b.split), b.mean.is_nan())).then_with(|| match goal {
            Goal::Min => a.mean.total_cmp(&b.mean),
            Goal::Max => b.mean.total_cmp(&a.mean),
            Goal::None => Ordering::Equal,
        })
    });
    own
}

fn groups<'a, 'b>(
    values: &'b [HeadlineValue],
    info: &impl Fn(&str) -> Option<&'a MetricInfo>,
) -> Vec<Group<'b>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = HashMap::new();
    for (at, HeadlineValue { key, .. }) in values.iter().enumerate() {
        let place = *places.entry((&key.metric, &key.model, &key.split)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group { split: key.split.as_deref(), members: Vec::new(), mean: f64::NAN });
        }
        groups[place].members.push(at);
    }
    for group in &mut groups {
        let metric = values[group.members[0]].key.metric.as_str();
        let finite = group.members.iter().map(|at| values[*at].value).filter(|v| v.is_finite());
        group.mean = Average::of(info(metric)).of_finite(finite).unwrap_or(f64::NAN);
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use gradtop_store::SeriesKey;

    use super::*;

    fn value(metric: &str, model: &str, trial: i32, value: f64) -> HeadlineValue {
        let (model, trial) = (Some(model.to_owned()), Some(trial));
        HeadlineValue { key: SeriesKey { model, trial, ..SeriesKey::metric(metric) }, value }
    }

    fn told(values: &[HeadlineValue]) -> Vec<String> {
        let name = |v: &HeadlineValue| v.key.model.clone().unwrap_or_default();
        values.iter().map(|v| format!("{} {} {}", v.key.metric, name(v), v.value)).collect()
    }

    fn goal(metric: &str) -> Option<&'static MetricInfo> {
        static DECLARED: LazyLock<[MetricInfo; 2]> = LazyLock::new(|| {
            [("loss", Goal::Min), ("accuracy", Goal::Max)].map(|(name, goal)| MetricInfo {
                name: name.to_owned(),
                goal,
                ..MetricInfo::default()
            })
        });
        DECLARED.iter().find(|m| m.name == metric)
    }

    #[test]
    fn the_split_that_stands_for_the_run_is_kept_before_better_values_of_others() {
        let of = |split: &str, v| {
            let mut value = value("loss", "a", 0, v);
            value.key.split = Some(split.to_owned());
            value
        };
        let kept = best(vec![of("train", 0.1), of("test", 3.0), of("val", 0.2)], goal, 1);
        assert_eq!(kept[0].key.split.as_deref(), Some("test"));
    }

    #[test]
    fn of_too_many_the_best_are_kept_in_their_order_and_whole() {
        let accuracy = |width: i32| {
            (0..2).map(move |trial| {
                value("accuracy", &format!("w{width}"), trial, f64::from(width * 10 + trial))
            })
        };
        let all: Vec<HeadlineValue> = (1..=4).flat_map(accuracy).collect();
        assert_eq!(best(all.clone(), goal, 8), all);
        let kept = ["accuracy w3 30", "accuracy w3 31", "accuracy w4 40", "accuracy w4 41"];
        assert_eq!(told(&best(all.clone(), goal, 5)), kept, "no part of a group");
        assert_eq!(told(&best(all, goal, 1)), ["accuracy w4 40"]);
    }

    #[test]
    fn each_metric_has_its_turn_and_what_diverged_comes_last() {
        let all = vec![
            value("loss", "a", 0, f64::NAN),
            value("loss", "b", 0, 3.0),
            value("loss", "c", 0, 1.0),
            value("speed", "a", 0, 7.0),
            value("speed", "b", 0, 9.0),
        ];
        assert_eq!(told(&best(all.clone(), goal, 2)), ["loss c 1", "speed a 7"]);
        assert_eq!(told(&best(all, goal, 4)), ["loss b 3", "loss c 1", "speed a 7", "speed b 9"]);
    }
}
