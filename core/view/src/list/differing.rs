//! The columns in which runs of one experiment differ, in the order in which they tell the runs apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gradtop_store::{CommandInfo, View};

use super::field::{Field, SEED, param};
use super::filter::PARAM;
use crate::run::param;

/// A column in which runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The column: a parameter with the prefix [`PARAM`], or what every run has.
    pub name: String,
    /// Whether runs look alike without it: a sweep varied it, or it tells runs apart that those before it do not.
    pub tells: bool,
}

/// A parameter that differs: the value of each run as a number.
struct Varied<'a> {
    key: &'a str,
    values: Vec<usize>,
    /// Whether it differs between runs with a tag in common, as those of a sweep have.
    swept: bool,
    /// Whether runs that have it have the same value.
    single: bool,
}

/// Returns the columns in which these runs differ. First come the parameters that sweeps varied, then others that are needed to
/// tell runs apart, of both what tells the most apart first; then device, threads and seed, where runs differ in nothing else;
/// last what tells nothing more.
pub fn differing(views: &[&View]) -> Vec<Differing> {
    let sweeps = sweeps(views);
    let keys = param::differing(views);
    let mut left: Vec<Varied<'_>> = keys.iter().map(|key| Varied::of(key, views, &sweeps)).collect();
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut alike = Alike(vec![0; views.len()]);
    while !left.is_empty() {
        let worth = |varied: &Varied<'_>| {
            (
                varied.swept,
                !varied.single,
                alike.told_apart(&varied.values),
                param::told_apart(&varied.values),
            )
        };
        let worths: Vec<_> = left.iter().map(worth).collect();
        // Of equals the one declared first.
        let best = (0..left.len())
            .rev()
            .max_by(|a, b| worths[*a].partial_cmp(&worths[*b]).expect("no share is NaN"));
        let at = best.unwrap_or_default();
        let (varied, (swept, _, more, _)) = (left.remove(at), worths[at]);
        let tells = swept || more > 0;
        alike.divide(&varied.values);
        let list = if tells { &mut first } else { &mut last };
        list.push(Differing { name: format!("{PARAM}{}", varied.key), tells });
    }
    for name in ["device", "threads", SEED] {
        let value = |view: &&View| Field::named(name).map(|field| field.cell(view, view.manifest.created));
        let values = numbered(views.iter().map(value));
        let counts = name != SEED || used_seeds(views);
        if counts && !keys.contains(&name) && alike.told_apart(&values) > 0 {
            alike.divide(&values);
            first.push(Differing { name: name.to_owned(), tells: true });
        }
    }
    first.extend(last);
    first
}

impl<'a> Varied<'a> {
    fn of(key: &'a str, views: &[&View], sweeps: &[Vec<usize>]) -> Self {
        let texts: Vec<Option<String>> =
            views.iter().map(|view| param(view, key).map(ToString::to_string)).collect();
        let known: BTreeSet<&String> = texts.iter().flatten().collect();
        let single = known.len() == 1;
        let values = numbered(texts.into_iter());
        let swept = sweeps.iter().any(|runs| runs.iter().any(|run| values[*run] != values[runs[0]]));
        Self { key, values, swept, single }
    }
}

/// Each text as a number, the same for the same text.
fn numbered(texts: impl Iterator<Item = Option<String>>) -> Vec<usize> {
    let mut known = HashMap::new();
    let number = |text| {
        let next = known.len();
        *known.entry(text).or_insert(next)
    };
    texts.map(number).collect()
}

/// The runs of each tag.
fn sweeps(views: &[&View]) -> Vec<Vec<usize>> {
    let mut sweeps: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (run, view) in views.iter().enumerate() {
        for tag in &view.notes.tags {
            sweeps.entry(tag).or_default().push(run);
        }
    }
    sweeps.into_values().collect()
}

/// Runs that look alike so far have the same number.
struct Alike(Vec<usize>);

impl Alike {
    /// Returns how many pairs of runs that look alike these values tell apart.
    fn told_apart(&self, values: &[usize]) -> usize {
        let before = pairs(self.0.iter());
        if before == 0 { 0 } else { before - pairs(self.0.iter().zip(values)) }
    }

    fn divide(&mut self, values: &[usize]) {
        let mut known = HashMap::new();
        for (run, value) in self.0.iter_mut().zip(values) {
            let next = known.len();
            *run = *known.entry((*run, *value)).or_insert(next);
        }
    }
}

/// Returns how many pairs are the same.
fn pairs<T: Eq + std::hash::Hash>(all: impl Iterator<Item = T>) -> usize {
    let mut counts: HashMap<T, usize> = HashMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts.values().map(|count| count * (count - 1) / 2).sum()
}

/// Of a hundred thousand drawn seeds, of 32 bits, one or two are smaller.
const SMALL_SEED: u64 = 1 << 16;

/// Returns whether a seed of these runs was used.
fn used_seeds(views: &[&View]) -> bool {
    let mut seeds: BTreeSet<u64> = BTreeSet::new();
    let used = |view: &&View| {
        let Some(seed) = view.manifest.seed else { return false };
        // A seed was drawn for a command, too. It was chosen if it is too small for one that was drawn, another run has
        // it, or the command line contains it.
        let chosen = |command: &CommandInfo| {
            seed < SMALL_SEED || command.argv.iter().any(|word| word.contains(&seed.to_string()))
        };
        !seeds.insert(seed) || view.manifest.command.as_ref().is_none_or(chosen)
    };
    views.iter().any(used)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::ParamValue;
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::*;

    /// What runs differ in that have these values of `a`, `b` and `c`, this tag and this seed.
    fn of(runs: &[([i64; 3], &str, u64)]) -> String {
        let mut fixtures = RunFixtures::new();
        let view = |(n, (values, tag, seed)): (usize, &([i64; 3], &str, u64))| {
            let spec = run("fit", &format!("r{n}"), 1).with(|m, _| m.seed = Some(*seed));
            let spec = ["a", "b", "c"]
                .iter()
                .zip(values)
                .fold(spec, |spec, (name, value)| spec.param(name, ParamValue::Int(*value)));
            let mut view = gradtop_store::view(&fixtures.make(&spec)).unwrap();
            view.notes.tags = tag.split_whitespace().map(str::to_owned).collect();
            view
        };
        let views: Vec<View> = runs.iter().enumerate().map(view).collect();
        let words = differing(&views.iter().collect::<Vec<_>>()).into_iter().map(|own| {
            let name = own.name.trim_start_matches(PARAM).to_owned();
            if own.tells { name } else { format!("({name})") }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_sweeps_varied_comes_first_then_what_is_needed_to_tell_runs_apart() {
        // `a` tells all runs apart, so `b` says nothing more.
        assert_eq!(of(&[([1, 1, 5], "", 1), ([2, 1, 5], "", 1), ([3, 2, 5], "", 1)]), "a (b)");
        // Unless a sweep varied it.
        let swept = [([1, 1, 5], "x", 1), ([2, 2, 5], "x", 1), ([3, 2, 6], "y", 1)];
        assert_eq!(of(&swept), "a b (c)");
        let other = [([1, 1, 5], "", 1), ([2, 1, 5], "x", 1), ([2, 2, 6], "x", 1), ([3, 2, 6], "", 1)];
        assert_eq!(of(&other), "b c a");
        assert_eq!(
            of(&[([1, 1, 1], "", 1), ([1, 2, 2], "", 1), ([2, 2, 3], "", 1), ([2, 1, 3], "", 1)]),
            "c b (a)"
        );
        // Runs that differ in nothing but their seed have it.
        assert_eq!(of(&[([1, 1, 5], "", 1), ([1, 1, 5], "", 2), ([2, 1, 5], "", 1)]), "a seed");
        assert_eq!(of(&[([1, 1, 5], "", 1), ([2, 1, 5], "", 2)]), "a");
    }
}
