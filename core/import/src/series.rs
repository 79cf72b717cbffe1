//! The series of a run that is written from a source.

use gradtop_store::{HeadlineValue, Manifest, Recorder, SeriesKey};

use crate::error::Result;
use crate::seen::Seen;

/// A series of a run with the rows that came of its source.
pub(crate) struct Series {
    pub(crate) key: SeriesKey,
    /// Its number in the recorder, if that is open.
    pub(crate) number: Option<u32>,
    /// Its rows in the run.
    pub(crate) seen: Seen,
    /// Number of its rows read since the source was opened.
    pub(crate) come: u64,
    /// The step and the epoch of its last row in the run.
    pub(crate) step: Option<i64>,
    pub(crate) epoch: Option<f64>,
    /// The time of its last row read.
    pub(crate) time_us: i64,
    /// Its rows read while the source is compared with the run.
    pub(crate) again: Seen,
}

impl Series {
    pub(crate) fn new(key: SeriesKey, seen: Seen) -> Self {
        Self {
            key,
            number: None,
            seen,
            come: 0,
            step: None,
            epoch: None,
            time_us: i64::MIN,
            again: Seen::default(),
        }
    }

    pub(crate) fn number(&mut self, recorder: &Recorder) -> Result<u32> {
        Ok(match self.number {
            Some(number) => number,
            None => *self.number.insert(recorder.series(&self.key, None)?),
        })
    }
}

/// The result of comparing a source with an existing run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The rows read so far match the run.
    SoFar,
    /// All rows of the run were repeated.
    Same,
    /// The source contains other rows.
    Other,
}

/// Returns the last values of the headline metrics; a series without a new row has the one `before`.
pub(crate) fn headline(
    manifest: &Manifest,
    series: &[Series],
    recorder: &Recorder,
    before: &[HeadlineValue],
) -> Vec<HeadlineValue> {
    let shown = |key: &SeriesKey| manifest.metrics.iter().any(|m| m.headline && m.name == key.metric);
    let value = |s: &Series| {
        let new = s.number.and_then(|number| recorder.latest(number));
        let new = new.map(|(_, value)| HeadlineValue { key: s.key.clone(), value });
        new.or_else(|| before.iter().find(|value| value.key == s.key).cloned())
    };
    series.iter().filter(|s| shown(&s.key)).filter_map(value).collect()
}
