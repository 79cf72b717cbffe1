//! Columns of a list of runs: their names, content and sort order. `list` and the monitor share them. What every run has is
//! in `field.rs`.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Declared, Headline, HeadlineLine, MetricInfo, ParamValue, View};
use jiff::Timestamp;

use super::field::{FIELDS, Field, METRIC, OF, STATE, headline, headline_key, param};
use super::filter;
use super::filter::PARAM;
use super::key::Key;
use crate::run::param::brief;
use crate::run::state;

/// Returns whether the runs are from different machines, so that the host should be shown.
pub fn several_hosts<'a>(views: impl IntoIterator<Item = &'a View>) -> bool {
    let mut hosts = views.into_iter().map(|view| &view.manifest.host);
    hosts.next().is_some_and(|first| hosts.any(|host| host != first))
}

/// Returns the heading of a column.
pub fn title(name: &str) -> String {
    clean(name.strip_prefix(PARAM).unwrap_or(name))
}

/// Resolves the name of a column that is not empty for some run: one that every run has, else a parameter, else a metric.
pub fn named<'a>(name: &str, runs: impl Iterator<Item = &'a View> + Clone) -> Option<String> {
    let own = FIELDS.iter().find(|field| field.is_called(name)).map(|field| field.name().to_owned());
    own.or_else(|| filter::fields_of(runs).into_iter().find(|known| known.eq_ignore_ascii_case(name)))
}

/// Returns the names of all possible columns of these runs, those that not every run has first.
pub fn all<'a>(runs: impl Iterator<Item = &'a View> + Clone) -> Vec<String> {
    filter::fields_of(runs).into_iter().chain(FIELDS.iter().map(|field| field.name().to_owned())).collect()
}

/// Returns the alignment of a column.
pub fn align<'a>(name: &str, mut runs: impl Iterator<Item = &'a View>) -> Align {
    let is_text = |run| matches!(param(run, name), Some(ParamValue::Text(_) | ParamValue::Bool(_)));
    match Field::named(name) {
        Some(field) => field.align,
        None if runs.any(is_text) => Align::Left,
        None => Align::Point,
    }
}

/// Returns the text of a run's cell; empty if it has none. With the prefix [`PARAM`], the name means a parameter.
pub fn cell(run: &View, name: &str, now: Timestamp) -> String {
    if let Some(name) = name.strip_prefix(PARAM) {
        return param(run, name).map(brief).unwrap_or_default();
    }
    match (Field::named(name), param(run, name)) {
        (Some(field), _) => field.cell(run, now),
        (None, Some(value)) => brief(value),
        (None, None) => {
            headline(run, Some(name)).map(|(_, line)| number::value(line.value)).unwrap_or_default()
        }
    }
}

/// Returns the colour of a cell.
pub fn ink(run: &View, name: &str) -> Ink {
    match name {
        STATE => state::ink(run.state),
        "name" => Ink::Bold,
        OF | "age" => Ink::Dim,
        _ => Ink::Text,
    }
}

/// Returns the sort keys of runs in a column. No run decides how the values of a metric are ordered: all that have it do.
pub(crate) fn keys<'a>(runs: &[&'a View], name: &str, now: Timestamp) -> Vec<Key> {
    let named = if name == OF { METRIC } else { name };
    let found: Vec<_> = runs.iter().map(|run| headline_of(run, named)).collect();
    let mut declared: BTreeMap<&'a str, Vec<Option<&'a MetricInfo>>> = BTreeMap::new();
    for (headline, _) in found.iter().flatten() {
        declared.entry(headline.metric).or_default().push(headline.info);
    }
    let declared: BTreeMap<&str, Declared<'_>> =
        declared.into_iter().map(|(metric, infos)| (metric, infos.into_iter().collect())).collect();
    let keyed = |(of, run): (&Option<_>, &&View)| match of {
        Some(of) if !name.starts_with(PARAM) => headline_key(of, &declared[of.0.metric]),
        _ => key(run, name, now),
    };
    found.iter().zip(runs).map(keyed).collect()
}

/// Returns the sort key of a run in a column that is no metric. With the prefix [`PARAM`], the name means a parameter.
fn key(run: &View, name: &str, now: Timestamp) -> Key {
    if let Some(name) = name.strip_prefix(PARAM) {
        return param(run, name).map_or(Key::None, Key::of);
    }
    match (Field::named(name), param(run, name)) {
        (Some(field), _) => field.key(run, now),
        (None, Some(value)) => Key::of(value),
        (None, None) => Key::None,
    }
}

/// Returns whether a column has values of several splits, which are not comparable and are sorted each by itself.
pub fn has_several_splits<'a>(name: &str, runs: impl Iterator<Item = &'a View>) -> bool {
    let splits = runs.filter_map(|run| headline_of(run, name)).map(|(_, line)| line.split.map(str::to_owned));
    splits.collect::<BTreeSet<_>>().len() > 1
}

/// Returns the split that a run's value in a column is of.
pub fn split(run: &View, name: &str) -> String {
    headline_of(run, name).and_then(|(_, line)| line.split.map(clean)).unwrap_or_default()
}

fn headline_of<'a>(run: &'a View, name: &str) -> Option<(Headline<'a>, HeadlineLine<'a>)> {
    match (name == METRIC, Field::named(name), param(run, name)) {
        (true, ..) => headline(run, None),
        (_, None, None) => headline(run, Some(name)),
        _ => None,
    }
}
