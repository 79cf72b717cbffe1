//! Puts rows into the order of their times. A log is in that order, but a file may have one series after the other.

/// Maximum number of rows in memory: 320 MB, and half of that to sort them. A longer file must be in order to half of this.
const MOST: usize = 8_000_000;

/// Clocks of several processes differ by less than this.
const APART_US: i64 = 1_000_000;

/// Returns whether a row that follows one of another time gets quite another time than its own.
pub(crate) fn is_moved(time: i64, before: i64) -> bool {
    time.saturating_add(APART_US) <= before
}

/// A row whose time is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timed {
    /// Microseconds since 1970, UTC.
    pub(crate) time: i64,
    pub(crate) step: i64,
    pub(crate) epoch: Option<f64>,
    pub(crate) series: u32,
    pub(crate) value: f64,
}

/// Rows that have been read but not recorded.
#[derive(Debug)]
pub(crate) struct InOrder {
    rows: Vec<Timed>,
    /// Time of the last row in the run.
    pub(crate) recorded_us: i64,
    /// How many values could not keep their time; a row of a file has several.
    pub(crate) moved: u64,
}

impl Default for InOrder {
    fn default() -> Self {
        Self { rows: Vec::new(), recorded_us: i64::MIN, moved: 0 }
    }
}

impl InOrder {
    pub(crate) fn push(&mut self, row: Timed) {
        self.rows.push(row);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= MOST
    }

    /// Takes the older half of the rows, or all. Rows of the same time stay in the order of the file.
    pub(crate) fn take(&mut self, all: bool) -> Vec<Timed> {
        self.rows.sort_by_key(|row| row.time);
        let later = if all { Vec::new() } else { self.rows.split_off(self.rows.len() / 2) };
        std::mem::replace(&mut self.rows, later)
    }

    /// Notes that rows of a time are in the run.
    pub(crate) fn record(&mut self, time: i64, rows: usize) {
        if is_moved(time, self.recorded_us) {
            self.moved += rows as u64;
        }
        self.recorded_us = self.recorded_us.max(time);
    }

    /// Returns what of the rows is not as it was in the source, in a sentence.
    pub(crate) fn left_out(&self) -> Option<String> {
        let times = match self.moved {
            0 => return None,
            1 => "the time of 1 value is".to_owned(),
            n => format!("the times of {n} values are"),
        };
        Some(format!("{times} left out: older than that of the value before, or no time of a training"))
    }
}
