//! Columns of a list of runs: their names, what stands in them, and how runs are sorted by them. `list` and the monitor take
//! all of it from here; a new column is one entry of `COLUMNS`.

use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Goal, ParamValue, View, split_rank};
use jiff::Timestamp;

use crate::filter::PARAM;
use crate::key::Key;
use crate::{clock, filter, state};

/// A column that every run has.
struct Column {
    name: &'static str,
    align: Align,
    /// Empty where a run has nothing.
    cell: fn(&View, Timestamp) -> String,
    key: fn(&View, Timestamp) -> Key,
}

const COLUMNS: [Column; 24] = [
    Column {
        name: "state",
        align: Align::Left,
        cell: |run, _| state::words(run),
        key: |run, _| Key::Number(state::rank(run.state) as f64),
    },
    Column {
        name: "name",
        align: Align::Left,
        cell: |run, _| clean(&run.manifest.run),
        key: |run, _| Key::text(Some(&run.manifest.run)),
    },
    Column {
        name: "experiment",
        align: Align::Left,
        cell: |run, _| clean(&run.manifest.experiment.id),
        key: |run, _| Key::text(Some(&run.manifest.experiment.id)),
    },
    Column {
        name: "progress",
        align: Align::Right,
        cell: |run, _| or_empty(state::progress(run).map(|(done, total)| number::percent(done, total))),
        key: |run, _| Key::large(state::progress(run).map(|(done, total)| done as f64 / total as f64)),
    },
    Column {
        name: "step",
        align: Align::Right,
        cell: |run, _| or_empty(state::step(&run.status).map(|step| number::count(step as f64))),
        key: |run, _| Key::large(state::step(&run.status).map(|step| step as f64)),
    },
    Column {
        name: "epoch",
        align: Align::Right,
        cell: |run, _| or_empty(state::epoch(run).map(epoch)),
        key: |run, _| Key::large(state::epoch(run)),
    },
    Column {
        name: "rate",
        align: Align::Right,
        cell: |run, _| or_empty(state::rate(run).map(number::rate)),
        key: |run, _| Key::large(state::rate(run)),
    },
    Column {
        name: "eta",
        align: Align::Right,
        cell: |run, _| or_empty(state::eta(run).map(number::time_left)),
        key: |run, _| Key::small(state::eta(run)),
    },
    Column {
        name: "metric",
        align: Align::Point,
        cell: |run, _| state::headline_cells(run, None).0,
        key: |run, _| headline_key(run, None),
    },
    Column {
        name: "of",
        align: Align::Left,
        cell: |run, _| state::headline_cells(run, None).1,
        key: |run, _| headline_key(run, None),
    },
    Column {
        name: "age",
        align: Align::Right,
        cell: |run, now| number::age(age(run, now).max(0.0)),
        key: |run, now| Key::small(Some(age(run, now))),
    },
    Column {
        name: "took",
        align: Align::Right,
        cell: |run, now| or_empty(state::took(run, now).map(number::duration)),
        key: |run, now| Key::small(state::took(run, now)),
    },
    Column {
        name: "created",
        align: Align::Left,
        cell: |run, _| clock::moment(run.manifest.created),
        key: |run, now| Key::small(Some(age(run, now))),
    },
    Column {
        name: "device",
        align: Align::Left,
        cell: |run, _| clean(&run.manifest.device),
        key: |run, _| Key::text(Some(&run.manifest.device)),
    },
    Column {
        name: "host",
        align: Align::Left,
        cell: |run, _| clean(&run.manifest.host),
        key: |run, _| Key::text(Some(&run.manifest.host)),
    },
    Column {
        name: "preset",
        align: Align::Left,
        cell: |run, _| or_empty(run.manifest.preset.as_deref().map(clean)),
        key: |run, _| Key::text(run.manifest.preset.as_deref()),
    },
    Column {
        name: "seed",
        align: Align::Right,
        cell: |run, _| or_empty(state::seed(&run.manifest).map(|seed| seed.to_string())),
        key: |run, _| Key::small(state::seed(&run.manifest).map(|seed| seed as f64)),
    },
    Column {
        name: "threads",
        align: Align::Right,
        cell: |run, _| or_empty(threads(run).map(|threads| threads.to_string())),
        key: |run, _| Key::small(threads(run).map(f64::from)),
    },
    Column {
        name: "rows",
        align: Align::Right,
        cell: |run, _| number::count(run.status.rows as f64),
        key: |run, _| Key::large(Some(run.status.rows as f64)),
    },
    Column {
        name: "cause",
        align: Align::Left,
        cell: |run, _| or_empty(run.status.cause.as_deref().map(clean)),
        key: |run, _| Key::text(run.status.cause.as_deref()),
    },
    Column {
        name: "size",
        align: Align::Right,
        cell: |run, _| number::bytes(run.size()),
        key: |run, _| Key::large(Some(run.size() as f64)),
    },
    Column {
        name: "star",
        align: Align::Left,
        cell: |run, _| or_empty(run.notes.starred.then(|| state::STAR.to_owned())),
        key: |run, _| Key::large(run.notes.starred.then_some(1.0)),
    },
    Column {
        name: "tags",
        align: Align::Left,
        cell: |run, _| clean(&run.notes.tags.join(" ")),
        key: |run, _| Key::text(run.notes.tags.first().map(String::as_str)),
    },
    Column {
        name: "note",
        align: Align::Left,
        cell: |run, _| clean(run.notes.headline()),
        key: |run, _| Key::text(Some(run.notes.headline()).filter(|note| !note.is_empty())),
    },
];

fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// The name as it is, of a column that some run has something in: of what every run has, else of a parameter, else of a metric.
pub fn named<'a>(name: &str, runs: impl Iterator<Item = &'a View> + Clone) -> Option<String> {
    all(runs).into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// Everything that can be a column of these runs.
pub fn all<'a>(runs: impl Iterator<Item = &'a View> + Clone) -> Vec<String> {
    COLUMNS.iter().map(|column| column.name.to_owned()).chain(filter::fields_of(runs)).collect()
}

/// How its texts are aligned.
pub fn align<'a>(name: &str, mut runs: impl Iterator<Item = &'a View>) -> Align {
    let is_text = |run| matches!(param(run, name), Some(ParamValue::Text(_) | ParamValue::Bool(_)));
    match column(name) {
        Some(column) => column.align,
        None if runs.any(is_text) => Align::Left,
        None => Align::Point,
    }
}

/// The cell of a run in a column, or after [`PARAM`] of a parameter whatever it is called; empty where it has nothing.
pub fn cell(run: &View, name: &str, now: Timestamp) -> String {
    if let Some(name) = name.strip_prefix(PARAM) {
        return or_empty(param(run, name).map(state::param));
    }
    match (column(name), param(run, name)) {
        (Some(column), _) => (column.cell)(run, now),
        (None, Some(value)) => state::param(value),
        (None, None) => {
            let headlines = state::headlines(run);
            let line = headlines.iter().find(|h| h.metric == name).and_then(gradtop_store::Headline::line);
            or_empty(line.map(|line| state::headline_value(line.value)))
        }
    }
}

/// The colour of a cell.
pub fn ink(run: &View, name: &str) -> Ink {
    match name {
        "state" => state::ink(run.state),
        "name" => Ink::Bold,
        "of" | "age" => Ink::Dim,
        _ => Ink::Text,
    }
}

/// What a run is sorted by in a column, or after [`PARAM`] by a parameter.
pub(crate) fn key(run: &View, name: &str, now: Timestamp) -> Key {
    if let Some(name) = name.strip_prefix(PARAM) {
        return param(run, name).map_or(Key::None, Key::of);
    }
    match (column(name), param(run, name)) {
        (Some(column), _) => (column.key)(run, now),
        (None, Some(value)) => Key::of(value),
        (None, None) => headline_key(run, Some(name)),
    }
}

/// By the value of a metric that stands for the run, the best first; of its first metric where none is named.
fn headline_key(run: &View, metric: Option<&str>) -> Key {
    let headlines = state::headlines(run);
    let headline = headlines.iter().find(|h| metric.is_none_or(|metric| h.metric == metric));
    let Some((headline, line)) = headline.and_then(|h| Some((h, h.line()?))) else {
        return Key::None;
    };
    let up = headline.info.is_some_and(|i| i.goal == Goal::Max);
    match if up { Key::large(Some(line.value)) } else { Key::small(Some(line.value)) } {
        // A training loss is not compared with a test loss.
        Key::Number(v) => Key::OfSplit(split_rank(headline.info, line.split).0, v),
        key => key,
    }
}

fn or_empty(text: Option<String>) -> String {
    text.unwrap_or_default()
}

/// One digit after the point, so that it keeps its width while it counts.
fn epoch(epoch: f64) -> String {
    if epoch < 9_999.95 { format!("{epoch:.1}") } else { number::count(epoch) }
}

/// Seconds since the run was asked for.
fn age(run: &View, now: Timestamp) -> f64 {
    now.duration_since(run.manifest.created).as_secs_f64()
}

/// Of a command or an import they are not known.
fn threads(run: &View) -> Option<u32> {
    Some(run.manifest.threads).filter(|threads| *threads > 0)
}

pub(crate) fn param<'a>(run: &'a View, name: &str) -> Option<&'a ParamValue> {
    run.manifest.params.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
