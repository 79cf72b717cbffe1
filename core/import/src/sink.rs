//! The interface between readers and what receives their data.

use gradtop_store::{ParamValue, SeriesKey};

use crate::error::Result;

/// The position of a row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct At {
    /// The step, as counted by the tool.
    pub step: i64,
    /// The epoch, if it was logged.
    pub epoch: Option<f64>,
    /// Microseconds since 1970, UTC, if it was logged.
    pub time_us: Option<i64>,
}

/// The year 1990: earlier times cannot belong to a training.
pub(crate) const MIN_US: i64 = 631_152_000_000_000;

/// Converts seconds since 1970 to microseconds; `None` if it cannot be a time.
pub(crate) fn micros(seconds: f64) -> Option<i64> {
    (seconds > 0.0 && seconds < 1e11).then(|| (seconds * 1e6).round() as i64)
}

/// A tool's name of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag<'a> {
    /// The name.
    pub name: &'a str,
    /// The split, if the format states it separately.
    pub split: Option<&'static str>,
    /// All that identifies the series, if the format states it.
    pub whole: Option<&'a SeriesKey>,
}

impl<'a> From<&'a str> for Tag<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, split: None, whole: None }
    }
}

/// How the training ended according to the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Properly.
    Finished,
    /// With this cause.
    Failed(String),
}

/// Receives the content of a source, in order.
pub trait Sink {
    /// Sets parameters of the run; earlier values are replaced.
    fn params(&mut self, params: Vec<(String, ParamValue)>) -> Result<()>;

    /// Sets the number of steps that the training is to have.
    fn total(&mut self, steps: u64) -> Result<()>;

    /// Returns the number of a series, the same for the same tag.
    fn series(&mut self, tag: Tag<'_>) -> Result<u32>;

    /// Logs values of one step, each with the number of its series.
    fn row(&mut self, at: At, values: &[(u32, f64)]) -> Result<()>;

    /// Logs a text.
    fn text(&mut self, at: At, tag: &str, text: &str) -> Result<()>;

    /// Logs a histogram: lower edge, upper edge and count of each bin.
    fn histogram(&mut self, at: At, tag: &str, bins: &[[f64; 3]]) -> Result<()>;

    /// Reports how the training ended.
    fn ended(&mut self, end: End) -> Result<()>;

    /// Reports what was left out and why. A repeated message is ignored.
    fn warning(&mut self, message: String) -> Result<()>;

    /// The source is read again from its start, so that rows are repeated.
    fn again(&mut self) -> Result<()>;
}
