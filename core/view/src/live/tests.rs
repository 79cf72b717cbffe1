//! The engine on runs of the real recorder.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradtop_store::{
    Average, Event, Recorder, RecorderOptions, RunDir, RunLock, SeriesKey, State, append_event, read_events,
    read_series,
};
use gradtop_tests::run_fixtures::{RunFixtures, run as fixture};
use gradtop_tests::synthetic::{self, LiveRun, metric};

use super::engine::WatchedRuns;
use super::feed::POLL_ENDED;
use super::live_series::LiveSeries;
use super::pyramid::{Bucket, Pyramid, Sample};
use super::series::Values;
use super::{LiveSnapshot, RunData, SeriesFilter, SeriesSnapshot, WatchRequest, Window, XAxis, testing};
use crate::runs::{RunId, RunRow, RunsSnapshot};

fn request(run: &RunDir, alive: bool, metrics: &[u32]) -> WatchRequest {
    let names: BTreeSet<String> = metrics.iter().map(|n| metric(*n)).collect();
    WatchRequest { series: SeriesFilter::Metrics(names), ..WatchRequest::of(RunId::new(run), alive) }
}

/// Reads until `done`; only a broken run takes that long.
fn until(runs: &mut WatchedRuns, run: &RunDir, done: impl Fn(&RunData) -> bool) -> Arc<RunData> {
    let end = Instant::now() + Duration::from_mins(3);
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

/// The column of a step.
fn around(step: f64) -> (f64, f64) {
    (step - 0.4, step + 0.4)
}

fn whole(data: &RunData) -> bool {
    !data.progress.reading && !data.series.is_empty()
}

fn finished(dir: &Path, points: u64) -> RunDir {
    synthetic::finished(dir, "done", points).unwrap()
}

#[test]
fn step_and_values_of_a_live_run_in_lists_are_those_of_its_charts() {
    let mut fixtures = RunFixtures::new();
    let key = SeriesKey::metric("loss");
    let mut shown = |state: State| {
        let spec = fixture("fit", state.word(), 1).logged(key.clone(), &[(0, 3.0), (1, 2.0)]).at(state, 1);
        let row = RunRow::of(gradtop_store::view(&fixtures.make(&spec)).unwrap());
        let data = testing::run(vec![testing::series(key.clone(), [3.0, 2.0, 1.5], 0.0)]);
        let live = LiveSnapshot { runs: [(row.id.clone(), Arc::new(data))].into() };
        let mut runs = Arc::new(RunsSnapshot::new("runs".into(), vec![Arc::new(row)], Vec::new()));
        live.update(&mut runs);
        let status = &runs.rows[0].view.status;
        (status.step, status.headline[0].value)
    };
    assert_eq!((shown(State::Running), shown(State::Finished)), ((Some(2), 1.5), (Some(1), 2.0)));
}

#[test]
fn a_finished_run_is_what_its_rows_are() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600_000);
    let mut runs = WatchedRuns::new();
    let all = WatchRequest { series: SeriesFilter::All, ..WatchRequest::of(RunId::new(&run), false) };
    runs.watch(vec![all], Instant::now());
    let outline = until(&mut runs, &run, |d| !d.series.is_empty());
    assert!(outline.series.iter().all(|s| s.is_coarse()), "its outline comes first");
    let mut runs = WatchedRuns::new();
    runs.watch(vec![request(&run, false, &[0, 7])], Instant::now());
    let data = until(&mut runs, &run, |d| whole(d) && d.series.len() == 2);
    assert_eq!(data.keys.len(), 20);
    for s in &data.series {
        let [rows] = read_series(&run, |k| k == s.key()).unwrap().try_into().unwrap();
        assert_eq!(s.count() as usize, rows.value.len());
        assert_eq!(s.min(), rows.value.iter().copied().reduce(f64::min));
        assert_eq!(s.max(), rows.value.iter().copied().reduce(f64::max));
        assert_eq!(s.last().map(|l| l.value), rows.value.last().copied());
        assert_eq!(s.extent(XAxis::Step), Some((0.0, 29_999.0)));
    }
    let left = runs.work(Instant::now(), Duration::from_millis(20));
    assert_eq!((left.changed, left.next), (false, Some(POLL_ENDED)), "a finished run is read once");
}

#[test]
fn between_an_end_and_a_resume_nothing_is_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600);
    for state in [State::Running, State::Stopped, State::Running] {
        append_event(&run, &Event::State { state, cause: None }).unwrap();
    }
    let events = read_events(&run).unwrap();
    let [.., ended, resumed] = events.as_slice() else { panic!("{events:?}") };
    let gap = (ended.time.as_microsecond(), resumed.time.as_microsecond());
    let (data, _) = super::read_once::read(&gradtop_store::view(&run).unwrap(), &[], 0.0).unwrap();
    assert!(data.pauses.contains(&gap), "{gap:?} in {:?}", data.pauses);
}

#[test]
fn a_run_that_has_not_finished_is_not_all_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = LiveRun::start(dir.path(), "part", 1000).unwrap();
    let run = live.dir().clone();
    append_event(&run, &Event::State { state: State::Running, cause: None }).unwrap();
    let steps = || {
        let (data, _) = super::read_once::read(&gradtop_store::view(&run).unwrap(), &[], 0.0).unwrap();
        data.extent(XAxis::Step)
    };
    (0..=250).for_each(|step| live.step(step));
    live.report().unwrap();
    assert_eq!(steps(), Some((1000.0, 1000.0)));
    live.finish().unwrap();
    assert_eq!(steps(), Some((250.0, 250.0)), "it ended early");
}

#[test]
fn no_bucket_reaches_across_a_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = LiveRun::start(dir.path(), "rested", 20_002).unwrap();
    let run = live.dir().clone();
    (0..10_001).for_each(|step| live.step(step));
    for event in [Event::Paused, Event::Unpaused] {
        append_event(&run, &event).unwrap();
    }
    (10_001..20_002).for_each(|step| live.step(step));
    live.finish().unwrap();
    let mut runs = WatchedRuns::new();
    runs.watch(vec![WatchRequest { smoothing: 0.9, ..request(&run, false, &[0]) }], Instant::now());
    let data = until(&mut runs, &run, |d| whole(d) && d.series[0].count() == 20_002);
    // The other is after its end.
    let [(from, to), _] = data.pauses[..] else { panic!("{:?}", data.pauses) };
    let (_, smooth) = data.series[0].smooth.as_ref().unwrap();
    for levels in [&data.series[0].raw, smooth] {
        assert!(levels.leaf > 1, "there are too many rows to keep each");
        let across = |b: &&Bucket| b.time.0 <= from && to <= b.time.1;
        assert_eq!(levels.buckets().find(across), None, "across {from} to {to}");
    }
}

#[test]
fn series_of_one_moment_count_time_from_the_same_start() {
    let mut series = LiveSeries::new(SeriesKey::metric("loss"), None, 512, 0.0);
    let zero = |series: &mut LiveSeries, started| series.snapshot(Some(started), 1).started_us;
    assert_eq!([1, 2].map(|started| zero(&mut series, started)), [Some(1), Some(2)]);
}

#[test]
fn the_geometric_mean_of_many_is_that_of_their_logarithms() {
    let huge = [1e-300, 5e-324, 1e300, 2.0, f64::MAX];
    for values in [&[0.25][..], &[1e-9, 3.0], &[0.1, 0.5, 0.7], &huge, &[1e-200, 1e200]] {
        let mut all = Pyramid::new(128);
        for step in 0..10_000_i64 {
            let value = values[step as usize % values.len()];
            all.push(Sample { step, epoch: f64::NAN, time_us: step, value });
        }
        let logs: f64 = (0..10_000).map(|i| values[i % values.len()].ln()).sum();
        let (mean, of_logs) = (all.levels().total.unwrap().mean(Average::GeometricMean), (logs / 1e4).exp());
        assert!((mean / of_logs - 1.0).abs() < 1e-11, "{values:?}: {mean:e}, {of_logs:e}");
    }
}

#[test]
fn what_is_read_once_says_whether_more_may_come() {
    let dir = tempfile::tempdir().unwrap();
    let mut view = gradtop_store::view(&finished(dir.path(), 10)).unwrap();
    for (state, alive) in [(State::Running, true), (State::Finished, false)] {
        view.state = state;
        let row = Arc::new(crate::runs::RunRow::of(view.clone()));
        let compared = crate::compare::read(&[row], &SeriesFilter::None, 0.0);
        let (read, _) = super::read_once::read(&view, &[], 0.0).unwrap();
        assert_eq!((read.alive, compared[0].data.alive), (alive, alive));
    }
}

#[test]
fn reading_comes_to_its_end_whatever_time_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 60_000);
    let mut runs = WatchedRuns::new();
    // Asked for one after the other, they are several ways through the rows.
    for metrics in [&[0][..], &[0, 1], &[0, 1, 2]] {
        runs.watch(vec![request(&run, false, metrics)], Instant::now());
        runs.work(Instant::now(), Duration::ZERO);
    }
    let mut rounds = 0;
    while runs.work(Instant::now(), Duration::ZERO).next != Some(POLL_ENDED) {
        rounds += 1;
        assert!(rounds < 10_000, "{:?}", runs.snapshot().run(&RunId::new(&run)).unwrap().progress);
    }
    let data = Arc::clone(runs.snapshot().run(&RunId::new(&run)).unwrap());
    assert!(whole(&data) && data.series.iter().all(|s| s.count() == 3_000), "{:?}", data.progress);
}

#[test]
fn what_is_kept_does_not_depend_on_how_fast_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<RunDir> =
        ["a", "b", "c"].map(|name| synthetic::finished(dir.path(), name, 160_000).unwrap()).into();
    let kept = |budget: Duration| {
        let mut runs = WatchedRuns::new();
        let of = |run| WatchRequest { series: SeriesFilter::All, ..WatchRequest::of(RunId::new(run), false) };
        runs.watch(all.iter().map(of).collect(), Instant::now());
        while runs.work(Instant::now(), budget).next == Some(Duration::ZERO) {}
        let data = runs.snapshot();
        let of = |run| data.run(&RunId::new(run)).unwrap().series.clone();
        let rows = |s: Arc<SeriesSnapshot>| {
            s.rows(XAxis::Step, (0.0, 8_000.0), Values::Logged, Average::Mean).count()
        };
        all.iter().flat_map(of).map(rows).collect::<Vec<_>>()
    };
    let (at_once, slowly) = (kept(Duration::from_mins(1)), kept(Duration::ZERO));
    assert_eq!(at_once, slowly);
    assert!(at_once.iter().all(|rows| (2_000..8_000).contains(rows)), "{at_once:?}");
}

#[test]
fn a_close_look_has_every_sample() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600_000);
    let mut runs = WatchedRuns::new();
    let window = Window { metric: Some(metric(3)), x: XAxis::Step, range: (12_000.0, 12_100.0) };
    let asked = WatchRequest { windows: vec![window], smoothing: 0.9, ..request(&run, false, &[3]) };
    runs.watch(vec![asked], Instant::now());
    let exact = |d: &RunData| {
        d.series.first().and_then(|s| s.at(XAxis::Step, 12_050.0, around(12_050.0))).is_some_and(|r| r.n == 1)
    };
    let data = until(&mut runs, &run, |d| whole(d) && exact(d));
    let [rows] = read_series(&run, |k| k.metric == metric(3)).unwrap().try_into().unwrap();
    for step in 12_000..12_100usize {
        let r = data.series[0].at(XAxis::Step, step as f64, around(step as f64)).unwrap();
        assert_eq!((r.value, r.n), (rows.value[step], 1));
    }
    // Far outside it is as coarse as ever.
    assert!(data.series[0].at(XAxis::Step, 25_000.0, around(25_000.0)).unwrap().n > 1);
}

#[test]
fn smoothing_is_of_all_rows_however_it_came_about() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path(), 600_000);
    let [rows] = read_series(&run, |k| k.metric == metric(0)).unwrap().try_into().unwrap();
    let mut ema = super::smooth::Ema::new(0.99);
    let expected = rows.step.iter().zip(&rows.value).map(|(s, v)| ema.push(*s, *v)).last().unwrap();
    let mut runs = WatchedRuns::new();
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
    let mut runs = WatchedRuns::new();
    runs.watch(vec![request(&run, true, &[0])], Instant::now());
    until(&mut runs, &run, |d| d.of_metric(&metric(0)).any(|s| s.count() == 300));
    // Another metric later: all its rows, and both go on.
    runs.watch(vec![request(&run, true, &[0, 1])], Instant::now());
    for step in 300..400 {
        live.step(step);
    }
    until(&mut runs, &run, |d| d.series.len() == 2 && d.series.iter().all(|s| s.count() == 400));
    live.mark(400, 42.0);
    let data = until(&mut runs, &run, |d| d.of_metric(&metric(0)).any(|s| s.last().unwrap().value == 42.0));
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
fn a_close_look_at_the_end_goes_on_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = LiveRun::start(dir.path(), "live", 100_000).unwrap();
    let run = live.dir().clone();
    (0..40_000).for_each(|step| live.step(step));
    let mut runs = WatchedRuns::new();
    let window = Window { metric: None, x: XAxis::Step, range: (39_950.0, 40_100.0) };
    let asked = WatchRequest { windows: vec![window], smoothing: 0.9, ..request(&run, true, &[0]) };
    runs.watch(vec![asked], Instant::now());
    let exact = |d: &RunData, step: f64| {
        d.series
            .first()
            .and_then(|s| s.at(XAxis::Step, step, around(step)))
            .is_some_and(|r| r.n == 1 && r.x == (step, step))
    };
    until(&mut runs, &run, |d| whole(d) && exact(d, 39_990.0));
    // What comes now lies at the end of the window: it is exact too, raw and smoothed.
    (40_000..40_050).for_each(|step| live.step(step));
    let data = until(&mut runs, &run, |d| exact(d, 40_049.0));
    let series = &data.series[0];
    assert!(series.at(XAxis::Step, 20_000.0, around(20_000.0)).unwrap().n > 1, "elsewhere it is thinned");
    let [rows] = read_series(&run, |k| k.metric == metric(0)).unwrap().try_into().unwrap();
    let mut ema = super::smooth::Ema::new(0.9);
    let smooth: Vec<f64> = rows.step.iter().zip(&rows.value).map(|(s, v)| ema.push(*s, *v)).collect();
    for (step, expected) in smooth.into_iter().enumerate().skip(39_960) {
        let at = step as f64;
        assert_eq!(series.at(XAxis::Step, at, around(at)).unwrap().value, rows.value[step]);
        let mean = series.smooth_at(XAxis::Step, at, around(at)).unwrap();
        assert!((mean - expected).abs() < 1e-6, "{step}: {mean} {expected}");
    }
    live.finish().unwrap();
}

#[test]
fn a_resume_takes_back_what_came_after_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let made = LiveRun::start(dir.path(), "resumed", 1000).unwrap();
    let run = made.dir().clone();
    drop(made);
    let lock = RunLock::acquire(&run).unwrap();
    let key = gradtop_store::SeriesKey::metric("loss");
    let log = |recorder: &Recorder, steps: std::ops::Range<i64>, value: f64| {
        let number = recorder.series(&key, None).unwrap();
        for step in steps {
            recorder.log(step, None, [(number, value)]);
        }
    };
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    log(&recorder, 0..51, 1.0);
    recorder.checkpoint(50, None, None, |_| Ok::<(), String>(())).unwrap();
    log(&recorder, 51..100, 2.0);
    let mut runs = WatchedRuns::new();
    let asked = WatchRequest { series: SeriesFilter::All, ..WatchRequest::of(RunId::new(&run), true) };
    runs.watch(vec![asked], Instant::now());
    let of = |d: &RunData| d.of_metric("loss").next().map(|s| (s.count(), s.last().unwrap().value));
    until(&mut runs, &run, |d| of(d) == Some((100, 2.0)));
    // It dies, and goes on from its checkpoint: the later rows are no part of it any more.
    recorder.finish().unwrap();
    drop(recorder);
    let from = gradtop_store::prepare_resume(&run, &lock, None).unwrap();
    assert_eq!(from.step, 50);
    let checkpoint = "checkpoints/step-50".to_owned();
    gradtop_store::append_event(&run, &gradtop_store::Event::Resumed { step: 50, checkpoint }).unwrap();
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    log(&recorder, 51..70, 3.0);
    let data = until(&mut runs, &run, |d| of(d) == Some((70, 3.0)) && !d.resumes.is_empty());
    let series = data.of_metric("loss").next().unwrap();
    assert_eq!(series.max(), Some(3.0), "nothing of the other history is left");
    assert_eq!(series.extent(XAxis::Step), Some((0.0, 69.0)));
    assert_eq!(data.resumes.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [50]);
    recorder.finish().unwrap();
    drop(lock);
}

#[test]
fn series_become_known_although_nobody_reads_any() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = LiveRun::start(dir.path(), "live", 1000).unwrap();
    let run = live.dir().clone();
    let mut runs = WatchedRuns::new();
    runs.watch(vec![WatchRequest::of(RunId::new(&run), true)], Instant::now());
    until(&mut runs, &run, |d| d.alive);
    live.step(0);
    until(&mut runs, &run, |d| d.keys.len() == 20);

    // What another program wrote has rows and no list of its series.
    let run = finished(dir.path(), 100);
    std::fs::remove_file(run.series()).unwrap();
    let mut runs = WatchedRuns::new();
    runs.watch(vec![WatchRequest::of(RunId::new(&run), true)], Instant::now());
    until(&mut runs, &run, |d| !d.keys.is_empty());
}

/// The niceness of the threads of this process with that name.
#[cfg(target_os = "linux")]
fn niceness(name: &str) -> Vec<i64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let named = stats.filter(|stat| stat.contains(&format!("({name})")));
    named.filter_map(|stat| stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn reading_gives_way_to_drawing() {
    let _engine = super::Engine::start(|_| true);
    let end = Instant::now() + Duration::from_mins(3);
    while !niceness("live").iter().any(|nice| *nice >= 5) {
        assert!(Instant::now() < end, "{:?}", niceness("live"));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_run_that_is_not_there_is_an_error_in_words() {
    let mut runs = WatchedRuns::new();
    let run = RunDir::new("/nowhere/exp=a/run=b");
    runs.watch(vec![request(&run, false, &[0])], Instant::now());
    let data = until(&mut runs, &run, |d| d.error.is_some());
    assert!(data.error.as_deref().unwrap().contains("run=b"), "{:?}", data.error);
}
