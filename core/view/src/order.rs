//! The order of runs in a list.

use std::cmp::Ordering;

use gradtop_store::{Goal, ParamValue, View, split_rank};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{natural, state};

/// How the runs of a group are sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sort {
    /// The column: `age`, `state`, …, `param:` and the name of a parameter, or the name of a parameter or metric.
    pub by: String,
    /// Against the column's usual order.
    pub reversed: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: "age".to_owned(), reversed: false }
    }
}

/// Sorts by a column; runs without a value come last whichever way. What is equal keeps its order, newest first.
pub fn by<R: Clone>(sort: &Sort, now: Timestamp, rows: &mut [R], view: impl Fn(&R) -> &View) {
    let mut keyed: Vec<(Key, R)> =
        rows.iter().map(|row| (key(view(row), &sort.by, now), row.clone())).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let order = a.order(b);
        if sort.reversed && *a != Key::None && *b != Key::None { order.reverse() } else { order }
    });
    for (place, (_, row)) in rows.iter_mut().zip(keyed) {
        *place = row;
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Number(f64),
    /// How well its split speaks for a run, and a number.
    OfSplit(u8, f64),
    Text(String),
    None,
}

impl Key {
    /// The place of its kind: numbers first, what there is not last.
    fn kind(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::OfSplit(..) => 1,
            Self::Text(_) => 2,
            Self::None => 3,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::OfSplit(s, a), Self::OfSplit(t, b)) => s.cmp(t).then(a.total_cmp(b)),
            (Self::Text(a), Self::Text(b)) => natural::order(a, b),
            (Self::None, Self::None) => Ordering::Equal,
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

fn key(view: &View, by: &str, now: Timestamp) -> Key {
    let (manifest, status) = (&view.manifest, &view.status);
    // The largest first, but where small is good.
    let large = |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or(Key::None, |v| Key::Number(-v));
    let small = |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or(Key::None, Key::Number);
    if let Some(name) = by.strip_prefix("param:") {
        return match manifest.params.iter().find(|(n, _)| n == name).map(|(_, v)| v) {
            Some(ParamValue::Int(v)) => Key::Number(*v as f64),
            Some(ParamValue::Float(v)) => small(Some(*v)),
            Some(other) => Key::Text(other.to_string()),
            None => Key::None,
        };
    }
    match by {
        "state" => Key::Number(state::rank(view.state) as f64),
        "name" => Key::Text(manifest.run.clone()),
        "progress" => large(state::progress(view).map(|(done, all)| done as f64 / all as f64)),
        "step" => large(state::step(status).map(|s| s as f64)),
        "epoch" => large(state::epoch(view)),
        "rate" => large(state::rate(view)),
        "eta" => small(state::eta(view)),
        "age" => small(Some(now.duration_since(manifest.created).as_secs_f64())),
        "created" => large(Some(now.duration_since(manifest.created).as_secs_f64())),
        "took" => small(state::took(view, now)),
        "seed" => Key::Number(manifest.seed as f64),
        "threads" => small(Some(f64::from(manifest.threads))),
        "rows" => large(Some(status.rows as f64)),
        "experiment" => Key::Text(manifest.experiment.id.clone()),
        "device" => Key::Text(manifest.device.clone()),
        "host" => Key::Text(manifest.host.clone()),
        "preset" | "cause" => {
            let text = if by == "preset" { &manifest.preset } else { &status.cause };
            text.clone().map_or(Key::None, Key::Text)
        }
        _ if manifest.params.iter().any(|(name, _)| name == by) => key(view, &format!("param:{by}"), now),
        _ => {
            let headlines = state::headlines(view);
            let first = match by {
                "metric" | "of" => headlines.first(),
                by => headlines.iter().find(|h| h.metric == by),
            };
            let Some((first, line)) = first.and_then(|h| Some((h, h.line()?))) else {
                return Key::None;
            };
            let up = first.info.is_some_and(|i| i.goal == Goal::Max);
            match if up { large(Some(line.value)) } else { small(Some(line.value)) } {
                // A training loss is not compared with a test loss.
                Key::Number(v) => Key::OfSplit(split_rank(first.info, line.split).0, v),
                key => key,
            }
        }
    }
}
