//! Sorts runs in a list.

use gradtop_store::View;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::column;
use crate::key::Key;

/// The sort order of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sort {
    /// The column: `age`, `state`, …, `param:` and the name of a parameter, or the name of a parameter or metric.
    pub by: String,
    /// Whether the column's usual order is reversed.
    pub reversed: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: "age".to_owned(), reversed: false }
    }
}

/// Sorts by a column; runs without a value come last in either direction. The sort is stable, so equal runs stay newest first.
pub fn sort_runs<R: Clone>(sort: &Sort, now: Timestamp, rows: &mut [R], view: impl Fn(&R) -> &View) {
    let mut keyed: Vec<(Key, R)> =
        rows.iter().map(|row| (column::key(view(row), &sort.by, now), row.clone())).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let order = a.order(b);
        if sort.reversed && *a != Key::None && *b != Key::None { order.reverse() } else { order }
    });
    for (place, (_, row)) in rows.iter_mut().zip(keyed) {
        *place = row;
    }
}
