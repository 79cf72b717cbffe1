//! Sort keys of runs.

use std::cmp::Ordering;

use gradtop_store::ParamValue;

use crate::natural;

/// The sort key of a run in a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Key {
    Number(f64),
    /// The rank of its split, the split, its unit, and a number.
    Measured((u8, Option<String>, Option<String>), f64),
    Text(String),
    None,
}

impl Key {
    /// Sorts the smallest first, and missing numbers last.
    pub(crate) fn small(value: Option<f64>) -> Self {
        value.filter(|v| !v.is_nan()).map_or(Self::None, Self::Number)
    }

    /// Sorts the largest first.
    pub(crate) fn large(value: Option<f64>) -> Self {
        Self::small(value.map(|v| -v))
    }

    pub(crate) fn text(text: Option<&str>) -> Self {
        text.map_or(Self::None, |text| Self::Text(text.to_owned()))
    }

    pub(crate) fn of(value: &ParamValue) -> Self {
        match value {
            ParamValue::Int(v) => Self::Number(*v as f64),
            ParamValue::Float(v) => Self::small(Some(*v)),
            other => Self::Text(other.to_string()),
        }
    }

    /// Orders the kinds of keys: numbers first, missing values last.
    fn kind(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Measured(..) => 1,
            Self::Text(_) => 2,
            Self::None => 3,
        }
    }

    /// Orders two keys, each kind by itself: values of another split or unit and missing ones come last in either direction.
    pub(crate) fn order(&self, other: &Self, reversed: bool) -> Ordering {
        let directed = |order: Ordering| if reversed { order.reverse() } else { order };
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => directed(a.total_cmp(b)),
            (Self::Measured(s, a), Self::Measured(t, b)) => s.cmp(t).then(directed(a.total_cmp(b))),
            (Self::Text(a), Self::Text(b)) => directed(natural::order(a, b)),
            (Self::None, Self::None) => Ordering::Equal,
            (Self::None, _) | (_, Self::None) => self.kind().cmp(&other.kind()),
            _ => directed(self.kind().cmp(&other.kind())),
        }
    }
}
