//! The engine on runs of the real recorder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradtop_store::synthetic::{self, LiveRun, metric};
use gradtop_store::{RunDir, read_series};

use super::engine::Runs;
use super::{RunData, SeriesFilter, WatchRequest, Window, XKind};
use crate::app::runs::RunId;

fn request(run: &RunDir, alive: bool, metrics: &[u32]) -> WatchRequest {
    let names: BTreeSet<String> = metrics.iter().map(|n| metric(*n)).collect();
    WatchRequest { series: SeriesFilter::Metrics(names), ..WatchRequest::of(RunId::new(run), alive) }
}

/// Reads until `done`, at most half a minute.
fn until(runs: &mut Runs, run: &RunDir, done: impl Fn(&RunData) -> bool) -> Arc<RunData> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let left = runs.work(Instant::now(), Duration::from_millis(20));
        let data = Arc::clone(runs.snapshot().run(&RunId::new(run)).unwrap());
        if done(&data) {
            return data;
        }
        assert!(Instant::now() < end, "never came: {:?} {:?}", data.progress, data.error);
        std::thread::sleep(left.next.unwrap_or(Duration::from_millis(5)).min(Duration::from_millis(5)));
    }
}

fn whole(data: &RunData) -> bool {
    !data.progress.reading && !data.series.is_empty()
}

fn finished(dir: &Path, points: u64) -> RunDir {
    synthetic::finished(dir, "done", points).unwrap()
}

#[test]
fn a_finished_run_is_what_its_rows_are() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600_000);
    let mut runs = Runs::new();
    let all = WatchRequest { series: SeriesFilter::All, ..WatchRequest::of(RunId::new(&run), false) };
    runs.watch(vec![all], Instant::now());
    let outline = until(&mut runs, &run, |d| !d.series.is_empty());
    assert!(outline.series.iter().all(|s| s.is_coarse()), "its outline comes first");
    let mut runs = Runs::new();
    runs.watch(vec![request(&run, false, &[0, 7])], Instant::now());
    let data = until(&mut runs, &run, |d| whole(d) && d.series.len() == 2);
    assert_eq!(data.keys.len(), 20);
    for s in &data.series {
        let [rows] = read_series(&run, |k| k == s.key()).unwrap().try_into().unwrap();
        assert_eq!(s.count() as usize, rows.value.len());
        assert_eq!(s.min(), rows.value.iter().copied().reduce(f64::min));
        assert_eq!(s.max(), rows.value.iter().copied().reduce(f64::max));
        assert_eq!(s.last().map(|l| l.value), rows.value.last().copied());
        assert_eq!(s.extent(XKind::Step), Some((0.0, 29_999.0)));
    }
    let left = runs.work(Instant::now(), Duration::from_millis(20));
    assert_eq!((left.changed, left.next), (false, None), "a finished run is read once");
}

#[test]
fn a_close_look_has_every_sample() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600_000);
    let mut runs = Runs::new();
    let window = Window { metric: Some(metric(3)), x: XKind::Step, range: (12_000.0, 12_100.0) };
    let asked = WatchRequest { windows: vec![window], smoothing: 0.9, ..request(&run, false, &[3]) };
    runs.watch(vec![asked], Instant::now());
    let exact = |d: &RunData| {
        d.series.first().and_then(|s| s.at(XKind::Step, 12_050.0, 0.4)).is_some_and(|r| r.n == 1)
    };
    let data = until(&mut runs, &run, |d| whole(d) && exact(d));
    let [rows] = read_series(&run, |k| k.metric == metric(3)).unwrap().try_into().unwrap();
    for step in 12_000..12_100usize {
        let r = data.series[0].at(XKind::Step, step as f64, 0.4).unwrap();
        assert_eq!((r.value, r.n), (rows.value[step], 1));
    }
    // Far outside it is as coarse as ever.
    assert!(data.series[0].at(XKind::Step, 25_000.0, 0.4).unwrap().n > 1);
}

#[test]
fn smoothing_is_of_all_rows_however_it_came_about() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600_000);
    let [rows] = read_series(&run, |k| k.metric == metric(0)).unwrap().try_into().unwrap();
    let mut ema = super::smooth::Ema::new(0.99);
    let expected = rows.value.iter().map(|v| ema.push(*v)).last().unwrap();
    let mut runs = Runs::new();
    let asked = WatchRequest { smoothing: 0.99, ..request(&run, false, &[0]) };
    runs.watch(vec![asked.clone()], Instant::now());
    let near = |d: &RunData| {
        d.series.first().and_then(|s| s.last_smooth()).is_some_and(|v| (v - expected).abs() < 1e-9)
    };
    until(&mut runs, &run, |d| whole(d) && near(d));
    // Another weight and back: the rows are read again for it.
    runs.watch(vec![WatchRequest { smoothing: 0.5, ..asked.clone() }], Instant::now());
    until(&mut runs, &run, |d| whole(d) && !near(d));
    runs.watch(vec![asked], Instant::now());
    until(&mut runs, &run, |d| whole(d) && near(d));
}

#[test]
fn a_living_run_is_followed_and_parked_metrics_come_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = LiveRun::start(dir.path(), "live", 1000).unwrap();
    let run = live.dir().clone();
    for step in 0..300 {
        live.step(step);
    }
    let mut runs = Runs::new();
    runs.watch(vec![request(&run, true, &[0])], Instant::now());
    until(&mut runs, &run, |d| d.of_metric(&metric(0)).any(|s| s.count() == 300));
    // Another metric later: all its rows, and both go on.
    runs.watch(vec![request(&run, true, &[0, 1])], Instant::now());
    for step in 300..400 {
        live.step(step);
    }
    until(&mut runs, &run, |d| d.series.len() == 2 && d.series.iter().all(|s| s.count() == 400));
    let asked = Instant::now();
    live.mark(400, 42.0);
    let data = until(&mut runs, &run, |d| d.of_metric(&metric(0)).any(|s| s.last().unwrap().value == 42.0));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(data.alive);
    // Nobody wants the first one for a while, then again.
    let later = Instant::now() + Duration::from_mins(1);
    runs.watch(vec![request(&run, true, &[1])], Instant::now());
    runs.work(Instant::now(), Duration::from_millis(20));
    runs.work(later, Duration::from_millis(20));
    let data = until(&mut runs, &run, |d| d.of_metric(&metric(0)).next().is_none());
    assert_eq!(data.series.len(), 1);
    runs.watch(vec![request(&run, true, &[0, 1])], Instant::now());
    until(&mut runs, &run, |d| d.of_metric(&metric(0)).any(|s| s.count() == 401));
    live.finish().unwrap();
    runs.watch(vec![request(&run, false, &[0, 1])], Instant::now());
    let data = until(&mut runs, &run, |d| !d.alive && whole(d));
    assert_eq!(data.series.iter().map(|s| s.count()).collect::<Vec<_>>(), [401, 400]);
}

#[test]
fn series_become_known_although_nobody_reads_any() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = LiveRun::start(dir.path(), "live", 1000).unwrap();
    let run = live.dir().clone();
    let mut runs = Runs::new();
    runs.watch(vec![WatchRequest::of(RunId::new(&run), true)], Instant::now());
    until(&mut runs, &run, |d| d.alive);
    live.step(0);
    until(&mut runs, &run, |d| d.keys.len() == 20);
}

#[test]
fn a_run_that_is_not_there_is_an_error_in_words() {
    let mut runs = Runs::new();
    let run = RunDir::new("/nowhere/exp=a/run=b");
    runs.watch(vec![request(&run, false, &[0])], Instant::now());
    let data = until(&mut runs, &run, |d| d.error.is_some());
    assert!(data.error.as_deref().unwrap().contains("run=b"), "{:?}", data.error);
}
