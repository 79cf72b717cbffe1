//! Runs for tests of screens, created from values instead of folders.

use std::sync::Arc;

use gradtop_store::{SeriesData, SeriesKey};

use super::pyramid::{Pyramid, Sample};
use super::series::SeriesSnapshot;
use super::smooth::Ema;
use super::{RunData, XAxis};

/// Creates a series with one value per step from step 0 on, a second and a tenth of an epoch apart, smoothed by
/// `weight` unless that is 0.
pub fn series(key: SeriesKey, values: impl IntoIterator<Item = f64>, weight: f64) -> Arc<SeriesSnapshot> {
    let samples = values.into_iter().enumerate().map(|(i, value)| Sample {
        step: i as i64,
        epoch: i as f64 / 10.0,
        time_us: i as i64 * 1_000_000,
        value,
    });
    of_samples(key, samples, weight)
}

/// Creates a series of these samples.
pub(crate) fn of_samples(
    key: SeriesKey,
    samples: impl IntoIterator<Item = Sample>,
    weight: f64,
) -> Arc<SeriesSnapshot> {
    let (mut raw, mut smooth, mut ema) = (Pyramid::new(8192), Pyramid::new(8192), Ema::new(weight));
    for s in samples {
        raw.push(s);
        smooth.push(Sample { value: ema.push(s.step, s.value), ..s });
    }
    Arc::new(SeriesSnapshot {
        key: Arc::new(key),
        unit: None,
        generation: 1,
        started_us: Some(0),
        last: raw.last(),
        raw: raw.levels(),
        smooth: (weight > 0.0).then(|| (weight, smooth.levels())),
        details: Vec::new(),
        coarse: false,
    })
}

/// Creates a series of these rows, for a run that started at that time.
pub(crate) fn of_rows(rows: &SeriesData, started_us: i64) -> Arc<SeriesSnapshot> {
    let samples = (0..rows.value.len()).map(|i| Sample {
        step: rows.step[i],
        epoch: rows.epoch[i],
        time_us: rows.time_us[i],
        value: rows.value[i],
    });
    let series = Arc::unwrap_or_clone(of_samples(rows.key.clone(), samples, 0.0));
    Arc::new(SeriesSnapshot {
        unit: rows.unit.as_deref().map(Into::into),
        started_us: Some(started_us),
        ..series
    })
}

/// Creates a finished run with these series.
pub fn run(mut series: Vec<Arc<SeriesSnapshot>>) -> RunData {
    series.sort_by(|a, b| a.key().cmp(b.key()));
    let keys: Vec<_> = series.iter().map(|s| (s.key().clone(), s.unit().map(str::to_owned))).collect();
    RunData {
        names: Arc::new(super::names(keys.iter().map(|(k, _)| k.clone()))),
        keys: Arc::new(keys),
        series,
        started_us: Some(0),
        ..RunData::default()
    }
}

#[test]
fn the_helpers_make_what_they_say() {
    let data = run(vec![series(SeriesKey::metric("loss"), [3.0, 2.0, 1.0], 0.5)]);
    let only = data.of_metric("loss").next().map(|s| (s.count(), s.extent(XAxis::Epoch)));
    assert_eq!(only, Some((3, Some((0.0, 0.2)))));
}
