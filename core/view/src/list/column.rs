//! Columns of a list of runs: their names, content and sort order. `list` and the monitor share them. What every run has is
//! in `field.rs`.

use std::collections::BTreeMap;

use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Declared, Headline, HeadlineLine, MetricInfo, ParamValue, View};
use jiff::Timestamp;

use super::field::{FIELDS, Field, METRIC, OF, STATE, headline_key, param};
use super::filter::PARAM;
use super::key::Key;
use super::{field, filter};
use crate::run::param::brief;
use crate::run::{headline, state};

/// Returns whether the runs are from different machines, so that the host should be shown.
pub fn several_hosts<'a>(views: impl IntoIterator<Item = &'a View>) -> bool {
    let mut hosts = views.into_iter().map(|view| &view.manifest.host);
    hosts.next().is_some_and(|first| hosts.any(|host| host != first))
}

/// Returns the heading of a column.
pub fn title(name: &str) -> String {
    clean(name.strip_prefix(PARAM).unwrap_or(name))
}

/// Returns the heading of a column of these runs, which says that values of a metric are their last.
pub fn heading<'a>(name: &str, mut runs: impl Iterator<Item = &'a View>) -> String {
    let is_metric = name != METRIC && runs.any(|run| headline_of(run, name).is_some());
    if is_metric { headline::title(name, None) } else { title(name) }
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
            field::headline(run, Some(name)).map(|(_, line)| number::value(line.value)).unwrap_or_default()
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
pub(crate) fn keys(runs: &[&View], name: &str, now: Timestamp) -> Vec<Key> {
    let named = if name == OF { METRIC } else { name };
    let found: Vec<_> = runs.iter().map(|run| headline_of(run, named)).collect();
    let declared = declared(found.iter().flatten().map(|(headline, _)| headline));
    let keyed = |(of, run): (&Option<_>, &&View)| match of {
        Some(of) if !name.starts_with(PARAM) => headline_key(of, &declared[of.0.metric]),
        _ => key(run, name, now),
    };
    found.iter().zip(runs).map(keyed).collect()
}

/// Returns what runs declare of each of their metrics.
fn declared<'h, 'a: 'h>(found: impl Iterator<Item = &'h Headline<'a>>) -> BTreeMap<&'a str, Declared<'a>> {
    let mut declared: BTreeMap<&'a str, Vec<Option<&'a MetricInfo>>> = BTreeMap::new();
    for headline in found {
        declared.entry(headline.metric).or_default().push(headline.info);
    }
    declared.into_iter().map(|(metric, infos)| (metric, infos.into_iter().collect())).collect()
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

/// Returns what a run's value in a column of a metric is of: `ms · deep · test · mean of 5`. The column `metric` has one of its own.
pub fn of(run: &View, name: &str) -> String {
    let Some((headline, line)) = headline_of(run, name).filter(|_| name != METRIC) else {
        return String::new();
    };
    let unit = Declared::from(headline.info).unit().map(clean);
    let words = unit.into_iter().chain([headline::line_words(&line, true)]).filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(" · ")
}

/// Returns what all values in a column are of, if that is the same; else each says it.
pub fn of_all<'a>(runs: impl Iterator<Item = &'a View>, name: &str) -> Option<String> {
    let mut all = runs.filter(|run| headline_of(run, name).is_some()).map(|run| of(run, name));
    let first = all.next().unwrap_or_default();
    all.all(|other| other == first).then_some(first)
}

/// Says why the order of runs by a column means little: `goals differ: min, max`, `units differ: ms, s`. Values of another unit come
/// after the others.
pub fn doubts<'a>(runs: impl Iterator<Item = &'a View>, name: &str) -> Vec<String> {
    let name = if name == OF { METRIC } else { name };
    let found: Vec<_> = runs.filter_map(|run| headline_of(run, name)).collect();
    declared(found.iter().map(|(headline, _)| headline)).values().flat_map(Declared::doubts).collect()
}

fn headline_of<'a>(run: &'a View, name: &str) -> Option<(Headline<'a>, HeadlineLine<'a>)> {
    match (name == METRIC, Field::named(name), param(run, name)) {
        (true, ..) => field::headline(run, None),
        (_, None, None) => field::headline(run, Some(name)),
        _ => None,
    }
}
