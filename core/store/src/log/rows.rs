//! Points as columns in memory.

use std::ops::Range;

use crate::log::parallel::{each, threads};

/// Points, one column each; all columns have the same length.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rows {
    pub(crate) series: Vec<u32>,
    pub(crate) step: Vec<i64>,
    /// NaN if there is no epoch.
    pub(crate) epoch: Vec<f64>,
    /// Microseconds since 1970, UTC.
    pub(crate) time: Vec<i64>,
    pub(crate) value: Vec<f64>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Returns the series and range of each block of neighbouring rows of one series.
    pub(crate) fn by_series(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        let mut start = 0;
        self.series.chunk_by(|a, b| a == b).map(move |run| {
            let rows = start..start + run.len();
            start = rows.end;
            (run[0], rows)
        })
    }

    pub(crate) fn append(&mut self, other: &Self) {
        self.append_some(other, 0..other.len());
    }

    /// Appends a range of rows of another value.
    pub(crate) fn append_some(&mut self, other: &Self, some: Range<usize>) {
        self.series.extend_from_slice(&other.series[some.clone()]);
        self.step.extend_from_slice(&other.step[some.clone()]);
        self.epoch.extend_from_slice(&other.epoch[some.clone()]);
        self.time.extend_from_slice(&other.time[some.clone()]);
        self.value.extend_from_slice(&other.value[some]);
    }

    /// Keeps only the first `len` rows.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.series.truncate(len);
        self.step.truncate(len);
        self.epoch.truncate(len);
        self.time.truncate(len);
        self.value.truncate(len);
    }

    /// Returns the given rows, in their order.
    pub(crate) fn picked(&self, rows: impl Iterator<Item = usize> + Clone) -> Self {
        fn pick<T: Copy>(column: &[T], rows: impl Iterator<Item = usize>) -> Vec<T> {
            rows.map(|i| column[i]).collect()
        }
        Self {
            series: pick(&self.series, rows.clone()),
            step: pick(&self.step, rows.clone()),
            epoch: pick(&self.epoch, rows.clone()),
            time: pick(&self.time, rows.clone()),
            value: pick(&self.value, rows),
        }
    }

    /// Returns the rows sorted by the rank of their series, stable within a series. `ranks[series]` is a permutation of
    /// the series' numbers.
    pub(crate) fn sorted(&self, ranks: &[u32]) -> Self {
        let mut next = vec![0usize; ranks.len() + 1];
        for &s in &self.series {
            next[ranks[s as usize] as usize + 1] += 1;
        }
        for i in 1..next.len() {
            next[i] += next[i - 1];
        }
        let bounds = next.clone();
        let places: Vec<u32> = self
            .series
            .iter()
            .map(|&s| {
                let slot = &mut next[ranks[s as usize] as usize];
                *slot += 1;
                (*slot - 1) as u32
            })
            .collect();
        let halves = [(&self.time, &self.epoch), (&self.step, &self.value)];
        let sort = |(ints, floats): (&Vec<i64>, &Vec<f64>)| (scatter(ints, &places), moved(floats, &places));
        let mut sorted = each(threads(self.len()), halves.into(), sort);
        let (step, value) = sorted.pop().unwrap_or_default();
        let (time, epoch) = sorted.pop().unwrap_or_default();
        let mut series = vec![0; self.len()];
        for (number, rank) in ranks.iter().enumerate() {
            let rank = *rank as usize;
            series[bounds[rank]..bounds[rank + 1]].fill(number as u32);
        }
        Self { series, step, epoch, time, value }
    }
}

/// Like [`scatter`], but a column of only NaN, as in runs without epochs, is returned unchanged.
fn moved(from: &[f64], places: &[u32]) -> Vec<f64> {
    if from.iter().all(|v| v.is_nan()) { vec![f64::NAN; from.len()] } else { scatter(from, places) }
}

fn scatter<T: Copy + Default>(from: &[T], places: &[u32]) -> Vec<T> {
    let mut to = vec![T::default(); from.len()];
    for (v, &p) in from.iter().zip(places) {
        to[p as usize] = *v;
    }
    to
}
