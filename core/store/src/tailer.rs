//! Following a run while it goes on.

use std::time::Duration;

use crate::error::Result;
use crate::run_dir::RunDir;
use crate::series::SeriesKey;

/// A point, as followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Which series: an index into [`Tailer::series`].
    pub series: u32,
    /// The step.
    pub step: i64,
    /// The epoch; NaN if none was given.
    pub epoch: f64,
    /// When it was logged, microseconds since 1970, UTC.
    pub time_us: i64,
    /// The value.
    pub value: f64,
}

/// Follows a run's rows: first those there are, then each new one, once, across sealing and merging.
#[derive(Debug)]
pub struct Tailer {}

impl Tailer {
    /// A tailer that has read nothing yet.
    pub fn new(_run: &RunDir) -> Self {
        Self {}
    }

    /// The next rows, at most `max_rows`, giving up for now once `budget` is spent. Empty: nothing new.
    pub fn poll(&mut self, _max_rows: usize, _budget: Duration) -> Result<Vec<Row>> {
        Err(crate::not_yet())
    }

    /// The series seen so far, by number.
    pub fn series(&self) -> &[(SeriesKey, Option<String>)] {
        &[]
    }

    /// Whether the last poll came to the end of what is there.
    pub fn at_end(&self) -> bool {
        false
    }

    /// How often the run was set back by a resume since this tailer began: rows given before may be superseded, so a
    /// reader that sees it grow begins anew.
    pub fn restarts(&self) -> u64 {
        0
    }
}
