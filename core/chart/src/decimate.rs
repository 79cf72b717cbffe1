//! Downsampling that keeps extremes: a column of pixels needs only its first, smallest, largest and last point.

/// The points of a line in one column of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// The column's index, from the left.
    pub at: i32,
    /// The first value.
    pub first: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The last value.
    pub last: f64,
}

/// Why a point cannot be part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unplottable {
    /// Not a number.
    Nan,
    /// Plus infinity.
    Above,
    /// Minus infinity.
    Below,
    /// Zero or less on a logarithmic axis.
    NotPositive,
}

impl Unplottable {
    /// Returns why a value is not plotted; `takes` returns whether a finite one has a position on the axis.
    pub(crate) fn of(v: f64, takes: impl Fn(f64) -> bool) -> Option<Self> {
        match v {
            v if v.is_nan() => Some(Self::Nan),
            f64::INFINITY => Some(Self::Above),
            f64::NEG_INFINITY => Some(Self::Below),
            v if !takes(v) => Some(Self::NotPositive),
            _ => None,
        }
    }
}

/// A downsampled line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thinned {
    /// Uninterrupted segments, separated by at least one point that cannot be drawn.
    pub segments: Vec<Vec<Column>>,
    /// Columns with points that cannot be drawn, each column and reason once.
    pub unplottable: Vec<(i32, Unplottable)>,
}

impl Thinned {
    /// Returns the columns in which the line goes beyond a range, and whether above it: all between others beyond it, in which
    /// nothing of the line is seen. Of the others that are less than `apart` columns from each other only the first.
    pub(crate) fn beyond(&self, (low, high): (f64, f64), apart: i32) -> impl Iterator<Item = (i32, bool)> {
        let all = self.segments.iter().flat_map(move |segment| {
            (0..segment.len()).flat_map(move |i| {
                let near = &segment[i.saturating_sub(1)..(i + 2).min(segment.len())];
                let unseen = [near.iter().all(|c| c.max < low), near.iter().all(|c| c.min > high)];
                let c = segment[i];
                [(c.at, c.min < low, false, unseen[0]), (c.at, c.max > high, true, unseen[1])]
            })
        });
        let mut next = [i32::MIN; 2];
        all.filter_map(move |(at, is_beyond, above, unseen)| {
            let next = &mut next[usize::from(above)];
            if !is_beyond || at < *next && !unseen {
                return None;
            }
            *next = at + apart;
            Some((at, above))
        })
    }
}

/// Downsamples points in their order. `column` returns a point's column, or `None` if its x has no position, in which
/// case the line is interrupted; `takes` returns whether a finite value has a position on the y axis.
pub fn thin(
    points: impl Iterator<Item = (f64, f64)>,
    column: impl Fn(f64) -> Option<i32>,
    takes: impl Fn(f64) -> bool,
) -> Thinned {
    let mut out = Thinned::default();
    let mut segment: Vec<Column> = Vec::new();
    for (x, y) in points {
        let at = column(x);
        match (at, Unplottable::of(y, &takes)) {
            (Some(at), None) => match segment.last_mut() {
                Some(c) if c.at == at => {
                    c.min = c.min.min(y);
                    c.max = c.max.max(y);
                    c.last = y;
                }
                _ => segment.push(Column { at, first: y, min: y, max: y, last: y }),
            },
            (at, odd) => {
                if !segment.is_empty() {
                    out.segments.push(std::mem::take(&mut segment));
                }
                let odd = at.zip(odd);
                out.unplottable.extend(odd.filter(|odd| out.unplottable.last() != Some(odd)));
            }
        }
    }
    if !segment.is_empty() {
        out.segments.push(segment);
    }
    out.unplottable.sort_unstable();
    out.unplottable.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![
            20 => -1e9f64..1e9,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
            1 => Just(0.0),
        ]
    }

    #[test]
    fn what_lies_beyond_an_axis_is_marked_where_it_begins_and_where_nothing_of_it_is_seen() {
        let value = |x: i32| match x {
            10..=14 => 9.0,
            20..=40 => [9.0, 0.0][x as usize % 2],
            60 => -9.0,
            _ => 0.0,
        };
        let points = (0..100).map(|x| (f64::from(x), value(x)));
        let thinned = thin(points, |x| Some(x as i32), |_| true);
        let beyond: Vec<_> = thinned.beyond((-1.0, 1.0), 12).collect();
        let above = [10, 11, 12, 13, 26, 38].map(|at| (at, true));
        assert_eq!(beyond, [&above[..], &[(60, false)]].concat());
        assert_eq!(thinned.beyond((-9.0, 9.0), 12).count(), 0);
    }

    proptest! {
        #[test]
        fn every_column_keeps_its_extremes_and_nothing_odd_is_lost(
            y in prop::collection::vec(values(), 0..2000), width in 1i32..300, log in any::<bool>(),
        ) {
            let takes = |v: f64| !log || v > 0.0;
            let n = y.len();
            let column = |x: f64| Some((x * f64::from(width) / n as f64) as i32);
            let thinned = thin(y.iter().enumerate().map(|(i, y)| (i as f64, *y)), column, takes);

            let mut expected: BTreeMap<i32, (f64, f64)> = BTreeMap::new();
            let mut odd: Vec<i32> = Vec::new();
            for (i, v) in y.iter().enumerate() {
                let at = column(i as f64).unwrap_or_default();
                if v.is_finite() && takes(*v) {
                    let e = expected.entry(at).or_insert((*v, *v));
                    *e = (e.0.min(*v), e.1.max(*v));
                } else {
                    odd.push(at);
                }
            }
            let mut found: BTreeMap<i32, (f64, f64)> = BTreeMap::new();
            for c in thinned.segments.iter().flatten() {
                let e = found.entry(c.at).or_insert((c.min, c.max));
                *e = (e.0.min(c.min), e.1.max(c.max));
                prop_assert!(c.min <= c.first && c.first <= c.max && c.min <= c.last && c.last <= c.max);
            }
            prop_assert_eq!(found, expected);
            odd.sort_unstable();
            odd.dedup();
            let mut marked: Vec<i32> = thinned.unplottable.iter().map(|(at, _)| *at).collect();
            marked.dedup();
            prop_assert_eq!(marked, odd);
            // A line is never drawn over a point that has no place.
            let drawable: usize = y.split(|v| !(v.is_finite() && takes(*v))).filter(|s| !s.is_empty()).count();
            prop_assert_eq!(thinned.segments.len(), drawable);
        }
    }

    #[test]
    fn a_point_without_a_place_on_x_interrupts() {
        let points = [(1.0, 1.0), (f64::NAN, 2.0), (3.0, 3.0)];
        let thinned = thin(points.into_iter(), |x| x.is_finite().then_some(x as i32), |_| true);
        assert_eq!(thinned.segments.len(), 2);
        assert_eq!(thinned.unplottable, []);
    }
}
