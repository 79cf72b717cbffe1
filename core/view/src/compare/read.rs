//! Reads runs once for a comparison.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ComparedRun;
use crate::live::engine::WatchedRuns;
use crate::live::{SeriesFilter, WatchRequest};
use crate::runs::RunRow;

/// Reads runs completely, or live runs as far as they are, with a moving average of the weight `smoothing` (0 for
/// none). Read errors are stored in the run's data.
pub fn read(rows: &[Arc<RunRow>], wanted: &SeriesFilter, smoothing: f64) -> Vec<ComparedRun> {
    // Read as if they had ended: as far as they are now.
    let request = |row: &Arc<RunRow>| WatchRequest {
        series: wanted.clone(),
        smoothing,
        ..WatchRequest::of(row.id.clone(), false)
    };
    let mut runs = WatchedRuns::new();
    runs.watch(rows.iter().map(request).collect(), Instant::now());
    while runs.work(Instant::now(), Duration::from_millis(500)).next == Some(Duration::ZERO) {}
    let data = runs.snapshot();
    let run = |row: &Arc<RunRow>| {
        let mut data = data.run(&row.id).cloned().unwrap_or_default();
        Arc::make_mut(&mut data).alive = row.live();
        ComparedRun { row: Arc::clone(row), data }
    };
    rows.iter().map(run).collect()
}
