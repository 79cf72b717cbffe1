//! Reads a run once, as far as some figures need it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gradtop_store::figures::Figure;
use gradtop_store::{StoreError, View};

use super::feed::Feed;
use super::{RunData, SeriesFilter, WatchRequest};
use crate::runs::RunId;

/// Number of samples stored unthinned, over all series.
const MAX_SAMPLES: usize = 2 << 20;
/// Minimum number of samples stored per series before neighbours are joined.
const MIN_PER_SERIES: usize = 8192;

/// What was read of a run.
type Read = Result<(Arc<RunData>, Vec<StoreError>), StoreError>;

/// Reads what the figures need, with a moving average of a weight from 0 (none) to below 1. Also returns what is wrong with
/// files that lack rows.
///
/// # Errors
/// The run cannot be read at all.
pub fn read(view: &View, figures: &[Figure], smoothing: f64) -> Read {
    read_wanted(view, wanted(view, figures, smoothing))
}

/// Like [`read`], with all series of the run, and without an average.
///
/// # Errors
/// The run cannot be read at all.
pub fn read_all(view: &View, figures: &[Figure]) -> Read {
    read_wanted(view, WatchRequest { series: SeriesFilter::All, ..wanted(view, figures, 0.0) })
}

fn wanted(view: &View, figures: &[Figure], smoothing: f64) -> WatchRequest {
    let marks = || figures.iter().flat_map(|f| &f.panels).flat_map(|p| &p.marks);
    WatchRequest {
        series: SeriesFilter::Metrics(marks().filter_map(|m| m.metric.clone()).collect()),
        tables: marks().filter_map(|m| m.table.clone()).collect(),
        smoothing,
        // Read as if it had ended: as far as it is now.
        ..WatchRequest::of(RunId::new(&view.dir), false)
    }
}

fn read_wanted(view: &View, request: WatchRequest) -> Read {
    let mut feed = Feed::new(request, MAX_SAMPLES);
    while feed.read_on(Instant::now(), Instant::now() + Duration::from_secs(1))? {
        feed.set_cap((MAX_SAMPLES / feed.series_count().max(1)).max(MIN_PER_SERIES));
    }
    let mut data = feed.data();
    Arc::make_mut(&mut data).alive = !view.state.is_final();
    Ok((data, feed.into_damage()))
}
