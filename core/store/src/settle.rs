//! What a status says of a run that lost rows in the end.

use crate::manifest::Goal;
use crate::run_dir::RunDir;
use crate::status::Status;
use crate::summary::summarize;

/// Where fewer rows are kept than the status counts, makes its step, rows and headline those of the rows that are: what was only
/// in memory is gone. A log that cannot be read changes nothing.
pub fn settle(run: &RunDir, status: &mut Status) {
    let Ok((series, _)) = summarize(run, |_| true, |_| Goal::None) else { return };
    let rows: u64 = series.iter().map(|s| s.rows).sum();
    if rows >= status.rows {
        return;
    }
    status.rows = rows;
    let experiments = series.iter().filter(|s| !s.key.metric.starts_with("system/"));
    status.step = experiments.max_by_key(|s| s.last.time_us).map(|s| s.last.step);
    status.headline.retain_mut(|value| {
        let kept = series.iter().find(|s| {
            let key = &s.key;
            (&key.metric, &key.model, &key.split, key.trial)
                == (&value.metric, &value.model, &value.split, value.trial)
        });
        kept.map(|s| value.value = s.last.value).is_some()
    });
}
