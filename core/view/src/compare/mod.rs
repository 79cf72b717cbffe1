//! Comparison of runs: what they have in common, how they differ, and their curves on a shared axis.
//!
//! Pure, so that the monitor and `gradtop compare` show the same.

pub mod overlay;
mod read;
pub mod table;
#[cfg(test)]
mod tests;

pub use read::read;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gradtop_store::{Declared, SeriesKey, abbreviated, is_system_metric};
use serde::{Deserialize, Serialize};

use crate::figure::name_of;
use crate::figure::view::SHARE;
use crate::list::differing;
use crate::list::filter::PARAM;
use crate::live::{RunData, SeriesSnapshot, XAxis};
use crate::natural;
use crate::run::param;
use crate::runs::RunRow;
use gradtop_chart::cells::text::fit_distinct;
use gradtop_chart::colour::{Paint, assign};
use gradtop_host::text::clean;

/// A run that is compared.
#[derive(Clone, Debug)]
pub struct ComparedRun {
    /// What it was started with and how far it is.
    pub row: Arc<RunRow>,
    /// What it logged, as far as it has been read.
    pub data: Arc<RunData>,
}

impl ComparedRun {
    /// A parameter, or another thing runs are told apart by, as text.
    pub fn value(&self, key: &str) -> Option<String> {
        let m = &self.row.view.manifest;
        m.param(key).map(param::brief).or_else(|| match key {
            EXPERIMENT => Some(clean(&m.experiment.id)),
            SEED => m.seed.map(|seed| seed.to_string()),
            "device" => m.device.as_deref().map(clean),
            "threads" => m.threads.map(|threads| threads.to_string()),
            _ => None,
        })
    }
}

const EXPERIMENT: &str = "experiment";
const SEED: &str = "seed";
/// The most columns of a value in the name of a group.
const LONGEST_VALUE: usize = 24;
/// The most metrics of an experiment that are named.
const NAMED: usize = 5;

/// What runs along the horizontal axis, so that runs can be laid over each other: an [`XAxis`] of their series, or a share of
/// one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Align {
    /// The step.
    #[default]
    Step,
    /// The epoch.
    Epoch,
    /// Time since each run started.
    #[serde(alias = "relative")]
    Time,
    /// The time of day.
    #[serde(alias = "wall")]
    Clock,
    /// The step as a share of all steps of the run.
    Fraction,
}

impl From<XAxis> for Align {
    fn from(axis: XAxis) -> Self {
        match axis {
            XAxis::Step => Self::Step,
            XAxis::Epoch => Self::Epoch,
            XAxis::Time => Self::Time,
            XAxis::Clock => Self::Clock,
        }
    }
}

impl Align {
    /// All, in the order a key goes through them.
    pub const ALL: [Self; 5] = [Self::Step, Self::Epoch, Self::Time, Self::Clock, Self::Fraction];

    /// The next one, round and round.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|k| *k == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// What the axis is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fraction => SHARE,
            _ => self.native().name(),
        }
    }

    /// What it is called in a command.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fraction => "share",
            _ => self.native().key(),
        }
    }

    /// The one that a command calls so.
    pub fn named(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|align| align.key() == key)
    }

    /// A place in a range of it in words.
    pub fn place(self, x: f64, range: (f64, f64)) -> String {
        match self {
            Self::Fraction => format!("{:.1} % of the run", x * 100.0),
            _ => self.native().place(x, range),
        }
    }

    /// The axis that series know.
    pub fn native(self) -> XAxis {
        match self {
            Self::Step | Self::Fraction => XAxis::Step,
            Self::Epoch => XAxis::Epoch,
            Self::Time => XAxis::Time,
            Self::Clock => XAxis::Clock,
        }
    }
}

/// One chart of a comparison: a metric of one model and split, over all its trials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Facet {
    /// The metric.
    pub metric: String,
    /// The model, where runs train several.
    pub model: Option<String>,
    /// The split.
    pub split: Option<String>,
}

impl Facet {
    fn of(key: &SeriesKey) -> Self {
        Self { metric: key.metric.clone(), model: key.model.clone(), split: key.split.clone() }
    }

    /// As people list them.
    fn order(&self, other: &Self) -> Ordering {
        natural::order(&self.metric, &other.metric)
            .then_with(|| natural::order_optional(self.model.as_deref(), other.model.as_deref()))
            .then_with(|| natural::order_optional(self.split.as_deref(), other.split.as_deref()))
    }

    /// Returns what those of these runs that logged it declare of its metric. What has no number decides only if nothing has.
    pub fn declared<'a>(&self, runs: impl IntoIterator<Item = &'a ComparedRun>) -> Declared<'a> {
        let own = runs.into_iter().filter(|run| run.data.keys.iter().any(|(key, _)| self.takes(key)));
        let is_odd = |run: &&ComparedRun| {
            let mut read = self.series(std::iter::once(*run)).peekable();
            read.peek().is_some() && read.all(|series| series.min().is_none())
        };
        let (odd, others): (Vec<_>, Vec<_>) = own.partition(is_odd);
        let deciding = if others.is_empty() { odd } else { others };
        deciding.into_iter().map(|run| run.row.view.manifest.metric(&self.metric)).collect()
    }

    /// Whether a series belongs to it.
    pub fn takes(&self, key: &SeriesKey) -> bool {
        self.metric == key.metric && self.model == key.model && self.split == key.split
    }

    /// Ranks its split as [`gradtop_store::split_rank`] does.
    pub fn split_rank(&self, runs: &[ComparedRun]) -> (u8, Option<&str>) {
        self.declared(runs).split_rank(self.split.as_deref())
    }

    /// Returns the series of these runs that belong to it.
    pub fn series<'a>(
        &self,
        runs: impl Iterator<Item = &'a ComparedRun>,
    ) -> impl Iterator<Item = &'a SeriesSnapshot> {
        let all = runs.flat_map(|run| &run.data.series);
        all.filter(|series| self.takes(series.key())).map(AsRef::as_ref)
    }

    /// `loss`, or `loss deep · test`.
    pub fn title(&self) -> String {
        match name_of(self.model.as_deref(), self.split.as_deref(), None) {
            Some(name) => format!("{} {name}", self.metric),
            None => self.metric.clone(),
        }
    }
}

/// What can be compared: of runs of one experiment everything any of them logged; of several the metrics that each experiment
/// has, with all their models and splits. Only `metrics`, if any are named, even if not all have them. Headline metrics
/// first, then as declared; of each what all experiments have, then the others; after these, what at most half of the
/// runs have, and last what gradtop itself measures.
pub fn facets(runs: &[ComparedRun], metrics: &[String]) -> Vec<Facet> {
    let sets = by_experiment(runs);
    let compared = |metric: &String| match metrics {
        [] => is_shared(&sets, metric),
        named => named.contains(metric),
    };
    let all: BTreeSet<&Facet> = sets.values().flatten().filter(|facet| compared(&facet.metric)).collect();
    // Several experiments name their models as they like.
    let has = |s: &ComparedRun, f: &Facet| {
        let alike = |key: &SeriesKey| if sets.len() > 1 { key.metric == f.metric } else { f.takes(key) };
        s.data.keys.iter().any(|(key, _)| alike(key))
    };
    let of_few = |f: &Facet| runs.iter().filter(|s| has(s, f)).count() * 2 <= runs.len();
    let place = |f: &Facet| {
        let declared = runs.iter().find_map(|s| {
            let metrics = &s.row.view.manifest.metrics;
            metrics.iter().position(|m| m.name == f.metric).map(|at| (!metrics[at].headline, at))
        });
        let declared = declared.unwrap_or((true, usize::MAX));
        (is_system_metric(&f.metric), of_few(f), declared)
    };
    let common = |f: &Facet| sets.values().all(|own| own.contains(f));
    let mut placed: Vec<_> = all.into_iter().map(|facet| (place(facet), facet)).collect();
    placed.sort_by(|(a, f), (b, g)| {
        let by_metric = || natural::order(&f.metric, &g.metric);
        a.cmp(b).then_with(by_metric).then_with(|| common(g).cmp(&common(f))).then_with(|| f.order(g))
    });
    placed.into_iter().map(|(_, facet)| facet.clone()).collect()
}

/// Returns the metrics that only some of these experiments have, without what gradtop itself measures.
pub fn unshared(runs: &[ComparedRun]) -> BTreeSet<String> {
    let sets = by_experiment(runs);
    let metrics = sets.values().flatten().map(|facet| &facet.metric);
    metrics.filter(|metric| !is_system_metric(metric) && !is_shared(&sets, metric)).cloned().collect()
}

/// Returns what the runs of each experiment logged.
fn by_experiment(runs: &[ComparedRun]) -> BTreeMap<&str, BTreeSet<Facet>> {
    let mut sets: BTreeMap<&str, BTreeSet<Facet>> = BTreeMap::new();
    for s in runs {
        let own = sets.entry(s.row.experiment()).or_default();
        own.extend(s.data.keys.iter().map(|(key, _)| Facet::of(key)));
    }
    sets
}

fn is_shared(sets: &BTreeMap<&str, BTreeSet<Facet>>, metric: &str) -> bool {
    sets.values().all(|own| own.iter().any(|facet| facet.metric == metric))
}

/// Why [`facets`] has none.
pub fn why_none(runs: &[ComparedRun]) -> &'static str {
    if runs.iter().any(|s| s.row.experiment() != runs[0].row.experiment()) {
        "these experiments have no metric in common"
    } else if runs.iter().any(|s| s.row.live()) {
        "nothing is recorded yet"
    } else {
        "nothing was recorded"
    }
}

/// Returns the metrics of each experiment, some by name: `fit: loss, norm and 3 more`. What gradtop itself measures is named only
/// where there is nothing else.
pub fn metrics_by_experiment(runs: &[ComparedRun]) -> Vec<String> {
    let lives = |id: &str| runs.iter().any(|s| s.row.experiment() == id && s.row.live());
    let words = |(experiment, own): (&str, BTreeSet<Facet>)| {
        let mut all: Vec<&str> = own.iter().map(|f| f.metric.as_str()).collect();
        all.retain(|metric| !is_system_metric(metric));
        all.dedup();
        let named = match (own.is_empty(), lives(experiment)) {
            _ if !all.is_empty() => abbreviated(&all, NAMED, |metric| (*metric).to_owned()),
            (false, _) => "only measurements of the system".to_owned(),
            (true, true) => "nothing yet".to_owned(),
            (true, false) => "nothing".to_owned(),
        };
        clean(&format!("{experiment}: {named}"))
    };
    by_experiment(runs).into_iter().map(words).collect()
}

/// Returns whether none of these series is one that two of the runs logged.
pub fn none_shared(runs: &[ComparedRun], facets: &[Facet]) -> bool {
    let has = |s: &&ComparedRun, f: &Facet| s.data.keys.iter().any(|(key, _)| f.takes(key));
    let own = |f: &&Facet| !is_system_metric(&f.metric);
    runs.len() > 1 && facets.iter().filter(own).all(|f| runs.iter().filter(|s| has(s, f)).take(2).count() < 2)
}

/// What runs differ in: the experiment, parameters in the order declared, seed, device, threads. Of several experiments only
/// parameters that all have.
pub fn differing(runs: &[ComparedRun]) -> Vec<String> {
    let views: Vec<_> = runs.iter().map(|s| &s.row.view).collect();
    let several = runs.windows(2).any(|w| w[0].row.experiment() != w[1].row.experiment());
    let mut keys: Vec<String> = Vec::new();
    if several {
        keys.push(EXPERIMENT.to_owned());
    }
    let everywhere = |key: &&str| !several || views.iter().all(|v| v.manifest.param(key).is_some());
    keys.extend(param::differing(&views).into_iter().filter(everywhere).map(str::to_owned));
    for key in [SEED, "device", "threads"] {
        let differs = runs.windows(2).any(|w| w[0].value(key) != w[1].value(key));
        if differs && !keys.iter().any(|k| k == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

/// What runs are put together by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupBy {
    /// Nothing: each run by itself.
    #[default]
    Nothing,
    /// Everything but the seed.
    AllButSeed,
    /// One parameter.
    Key(String),
}

impl GroupBy {
    /// What these runs can be grouped by: nothing, all but the seed where that puts any together, and what they differ in.
    pub fn all(runs: &[ComparedRun]) -> Vec<Self> {
        let mut all = vec![Self::Nothing];
        let count = groups(runs, &Self::AllButSeed).len();
        if count < runs.len() {
            all.push(Self::AllButSeed);
        }
        let keys = differing(runs).into_iter().filter(|k| k != SEED);
        // Each by itself says nothing new.
        all.extend(keys.map(Self::Key).filter(|by| groups(runs, by).len() < runs.len()));
        all
    }

    /// For people.
    pub fn word(&self) -> String {
        match self {
            Self::Nothing => "no group".to_owned(),
            Self::AllButSeed => "all but the seed".to_owned(),
            Self::Key(key) => clean(key),
        }
    }
}

/// Runs that are drawn as one line: a run, or a group.
#[derive(Clone, Debug, PartialEq)]
pub struct RunGroup {
    /// Its name in legends and tables.
    pub name: String,
    /// Its runs, as places in the list of runs.
    pub members: Vec<usize>,
    /// Its colour and marker, which it keeps in whatever company.
    pub look: (Paint, u8),
}

impl RunGroup {
    /// Returns its runs.
    pub fn runs<'a>(&self, runs: &'a [ComparedRun]) -> impl Iterator<Item = &'a ComparedRun> {
        self.members.iter().filter_map(|at| runs.get(*at))
    }
}

/// The runs as groups, each with its look. Groups come in the order of their values.
pub fn groups(runs: &[ComparedRun], by: &GroupBy) -> Vec<RunGroup> {
    let keys: Vec<String> = match by {
        GroupBy::Nothing => Vec::new(),
        GroupBy::AllButSeed => differing(runs).into_iter().filter(|k| k != SEED).collect(),
        GroupBy::Key(key) => vec![key.clone()],
    };
    // Runs of several experiments may have one name.
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for s in runs {
        *named.entry(s.row.name()).or_default() += 1;
    }
    let mut groups: Vec<RunGroup> = Vec::new();
    for (i, s) in runs.iter().enumerate() {
        let name = match by {
            GroupBy::Nothing if named[s.row.name()] > 1 => {
                clean(&format!("{}/{}", s.row.experiment(), s.row.name()))
            }
            GroupBy::Nothing => clean(s.row.name()),
            _ if keys.is_empty() => "all runs".to_owned(),
            _ => setting(&keys, keys.iter().map(|key| value_or_not_set(s, key))),
        };
        match groups.iter_mut().find(|t| t.name == name && *by != GroupBy::Nothing) {
            Some(group) => group.members.push(i),
            None => groups.push(RunGroup { name, members: vec![i], look: (Paint::Grey, 0) }),
        }
    }
    if *by != GroupBy::Nothing && !shorten_values(runs, &needed(runs, &keys, &groups), &mut groups) {
        shorten_values(runs, &keys, &mut groups);
    }
    if let GroupBy::Key(key) = by {
        let number = |t: &RunGroup| {
            let s = t.members.first().and_then(|m| runs.get(*m))?;
            s.row.view.manifest.param(key)?.to_string().parse::<f64>().ok()
        };
        groups.sort_by(|a, b| match (number(a), number(b)) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            (x, y) => y.is_some().cmp(&x.is_some()).then_with(|| natural::order(&a.name, &b.name)),
        });
    }
    give_looks(runs, by, &mut groups);
    groups
}

fn value_or_not_set(run: &ComparedRun, key: &str) -> String {
    run.value(key).unwrap_or_else(|| "not set".to_owned())
}

/// Formats `lr 0.01, width 64`.
fn setting(keys: &[String], values: impl Iterator<Item = String>) -> String {
    let each = keys.iter().zip(values).map(|(key, value)| format!("{} {value}", clean(key)));
    each.collect::<Vec<_>>().join(", ")
}

/// Returns those of several keys that sweeps varied, or without which groups look alike.
fn needed(runs: &[ComparedRun], keys: &[String], groups: &[RunGroup]) -> Vec<String> {
    let first = |group: &RunGroup| Some(&runs.get(*group.members.first()?)?.row.view);
    let told = differing::differing(&groups.iter().filter_map(first).collect::<Vec<_>>());
    let tells = |key: &&String| {
        let own = told.iter().find(|own| own.name.trim_start_matches(PARAM) == key.as_str());
        keys.len() == 1 || *key == EXPERIMENT || own.is_some_and(|own| own.tells)
    };
    keys.iter().filter(tells).cloned().collect()
}

/// Names groups with the values of these keys, not much longer than usual ones, if the names stay different.
fn shorten_values(runs: &[ComparedRun], keys: &[String], groups: &mut [RunGroup]) -> bool {
    let first = |group: &RunGroup| group.members.first().and_then(|at| runs.get(*at));
    let column = |key: &String| {
        let values: Vec<String> = groups
            .iter()
            .map(|group| first(group).map(|run| value_or_not_set(run, key)).unwrap_or_default())
            .collect();
        fit_distinct(&values.iter().map(String::as_str).collect::<Vec<_>>(), LONGEST_VALUE, false)
    };
    let columns: Vec<Vec<String>> = keys.iter().map(column).collect();
    let name = |at: usize| setting(keys, columns.iter().map(|column| column[at].clone()));
    let names: Vec<String> = (0..groups.len()).map(name).collect();
    let distinct = !keys.is_empty() && names.iter().collect::<BTreeSet<_>>().len() == groups.len();
    if distinct {
        groups.iter_mut().zip(names).for_each(|(group, name)| group.name = name);
    }
    distinct
}

/// Colours and markers by name. Two runs of one name, of two experiments, are told apart by the experiment.
fn give_looks(runs: &[ComparedRun], by: &GroupBy, groups: &mut [RunGroup]) {
    let key = |t: &RunGroup| match (by, t.members.first().and_then(|m| runs.get(*m))) {
        (GroupBy::Nothing, Some(s)) => format!("{}/{}", s.row.experiment(), s.row.name()),
        _ => t.name.clone(),
    };
    let keys: Vec<String> = groups.iter().map(key).collect();
    let looks = assign(std::iter::empty(), keys.iter().map(String::as_str));
    for (group, key) in groups.iter_mut().zip(&keys) {
        group.look = looks.get(key).copied().unwrap_or((Paint::Grey, 0));
    }
}
