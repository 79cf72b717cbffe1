//! Reading a run's series: sealed parts and journal together, each row once.

use crate::error::Result;
use crate::run_dir::RunDir;
use crate::series::SeriesKey;

/// All rows of one series, by step, then in the order logged.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesData {
    /// Which series.
    pub key: SeriesKey,
    /// The unit of its values.
    pub unit: Option<String>,
    /// The steps.
    pub step: Vec<i64>,
    /// The epochs; NaN where none was given.
    pub epoch: Vec<f64>,
    /// When each row was logged, microseconds since 1970, UTC.
    pub time_us: Vec<i64>,
    /// The values.
    pub value: Vec<f64>,
}

/// Reads the series that `filter` takes, in the order of their keys. Safe while the run goes on.
pub fn read_series(_run: &RunDir, _filter: impl Fn(&SeriesKey) -> bool) -> Result<Vec<SeriesData>> {
    Err(crate::not_yet())
}

/// The run's series with their units, in the order first used.
pub fn series_keys(_run: &RunDir) -> Result<Vec<(SeriesKey, Option<String>)>> {
    Err(crate::not_yet())
}
