//! Recognizes whether a log that is read again still contains what was read before.

use std::collections::HashMap;
use std::time::Duration;

use gradtop_store::{Result, RunDir, SeriesKey, Tailer};

/// Each of this many first rows of a series is marked, then one of so many.
const FIRST: u64 = 128;
const EVERY: u64 = 1024;

/// A fingerprint of the rows of one series.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) rows: u64,
    hash: u64,
    marks: Vec<u64>,
}

impl Seen {
    /// Creates a fingerprint of rows of which only the number is known.
    pub(crate) fn of(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }

    pub(crate) fn add(&mut self, step: i64, value: f64) {
        let value = if value.is_nan() { f64::NAN } else { value };
        for word in [step as u64, value.to_bits()] {
            // The finalizer of SplitMix64.
            let mixed = (self.hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            self.hash = mixed ^ (mixed >> 31);
        }
        self.rows += 1;
        if self.rows <= FIRST || self.rows.is_multiple_of(EVERY) {
            self.marks.push(self.hash);
        }
    }

    /// Returns whether `again` may be the beginning of these rows, as far as they are marked.
    pub(crate) fn begins_with(&self, again: &Self) -> bool {
        if again.rows == self.rows {
            return again.hash == self.hash;
        }
        let marked = match again.rows {
            rows if rows <= FIRST => rows,
            rows => FIRST + rows / EVERY - FIRST / EVERY,
        };
        let last = usize::try_from(marked).unwrap_or(usize::MAX).min(self.marks.len()).min(again.marks.len());
        self.marks[..last].last() == again.marks[..last].last()
    }
}

/// Returns the fingerprints of a run's series; `None` if it is damaged and so cannot be compared.
pub(crate) fn of_run(run: &RunDir) -> Result<Option<HashMap<SeriesKey, Seen>>> {
    let mut found: HashMap<SeriesKey, Seen> = HashMap::new();
    let mut tailer = Tailer::new(run);
    while !tailer.at_end() {
        tailer.poll_slices(Duration::from_secs(1), |slice| {
            if !found.contains_key(slice.key) {
                found.insert(slice.key.clone(), Seen::default());
            }
            let Some(seen) = found.get_mut(slice.key) else { return };
            for (step, value) in slice.step.iter().zip(slice.value) {
                seen.add(*step, *value);
            }
        })?;
    }
    Ok(tailer.damage().is_empty().then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_again_and_others_are_not() {
        let seen = |rows: i64, other: i64| {
            let mut seen = Seen::default();
            (0..rows).for_each(|step| seen.add(step, if step == other { 1.5 } else { step as f64 }));
            seen
        };
        let all = seen(5000, -1);
        for rows in [0, 1, 127, 128, 129, 1023, 1024, 1025, 4999, 5000] {
            assert!(all.begins_with(&seen(rows, -1)), "{rows}");
        }
        for (rows, other) in [(1, 0), (100, 99), (129, 127), (1024, 130), (3000, 2000), (5000, 4999)] {
            assert!(!all.begins_with(&seen(rows, other)), "{rows} with {other}");
        }
    }
}
