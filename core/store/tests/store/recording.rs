//! What a recorder does with what it is given.

use std::time::Duration;

use gradtop_store::{
    MAX_SERIES, Recorder, RecorderOptions, RunDir, SeriesKey, StoreError, checkpoints, read_series,
    series_keys,
};

use crate::common::{parts, series, small, until};

#[test]
fn rows_are_those_of_the_whole_run() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    for life in 0..3 {
        let recorder = Recorder::open(&run, small()).unwrap();
        assert_eq!(recorder.stats().rows, life * 20);
        let loss = series(&recorder, "loss");
        for step in 0..20 {
            recorder.log(step, None, [(loss, 0.5)]);
        }
        assert_eq!(recorder.stats().rows, life * 20 + 20);
        recorder.finish().unwrap();
    }
    assert_eq!(read_series(&run, |_| true).unwrap()[0].step.len(), 60);
}

#[test]
fn rows_come_back_as_they_were() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let odd = SeriesKey {
        metric: "naïve \"loss\"\n\u{7}".to_owned(),
        model: Some(String::new()),
        split: Some("τεστ".to_owned()),
        trial: Some(-3),
    };
    let odd_n = recorder.series(&odd, Some("nats")).unwrap();
    let plain = series(&recorder, "plain");
    assert_eq!(recorder.series(&odd, None).unwrap(), odd_n);
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 4.0, 0.1];
    for (i, v) in values.iter().enumerate() {
        recorder.log(i as i64 - 2, Some(i as f64 / 2.0), [(odd_n, *v)]);
    }
    // Steps may repeat and go back; the order is the one logged.
    for (step, v) in [(5, 1.0), (3, 2.0), (i64::MAX, 3.0), (3, 4.0), (i64::MIN, 5.0)] {
        recorder.log(step, None, [(plain, v), (99, 0.0)]);
    }
    assert_eq!(recorder.latest(plain), Some((i64::MIN, 5.0)));
    assert_eq!(recorder.latest(99), None);
    assert_eq!(recorder.stats().rows, 11, "a number nobody gave was recorded");
    until("rows to be flushed without a further call", || read_series(&run, |_| true).unwrap().len() == 2);
    let check = || {
        let read = read_series(&run, |_| true).unwrap();
        let (o, p) =
            (read.iter().find(|s| s.key == odd).unwrap(), read.iter().find(|s| s.key != odd).unwrap());
        assert_eq!(o.unit.as_deref(), Some("nats"));
        assert_eq!(o.value.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), values.map(f64::to_bits));
        assert_eq!(o.step, [-2, -1, 0, 1, 2, 3]);
        assert_eq!(o.epoch, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
        assert_eq!(p.step, [5, 3, i64::MAX, 3, i64::MIN]);
        assert_eq!(p.value, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(p.epoch.iter().all(|e| e.is_nan()));
    };
    check();
    recorder.finish().unwrap();
    check();
    recorder.log(9, None, [(plain, 9.0)]);
    recorder.finish().unwrap();
    check();
    assert_eq!(parts(&run), ["part-00001.parquet"]);
    assert_eq!(series_keys(&run).unwrap().len(), 2);
    let only = read_series(&run, |k| k.trial == Some(-3)).unwrap();
    assert_eq!((only.len(), only[0].step.len()), (1, 6));
}

#[test]
fn too_many_series_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(&RunDir::new(temp.path()), RecorderOptions::default()).unwrap();
    let key = |i: usize| SeriesKey { trial: Some(i as i32), ..SeriesKey::metric("m") };
    for i in 0..MAX_SERIES {
        assert_eq!(recorder.series(&key(i), None).unwrap() as usize, i);
    }
    for i in MAX_SERIES..MAX_SERIES + 10 {
        assert!(matches!(recorder.series(&key(i), None), Err(StoreError::TooManySeries)));
    }
    assert_eq!(recorder.series(&key(5), None).unwrap(), 5);
    recorder.finish().unwrap();
}

#[test]
fn logging_waits_for_the_disk_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let options = RecorderOptions { max_behind: 2000, ..RecorderOptions::default() };
    let recorder = Recorder::open(&run, options).unwrap();
    let a = series(&recorder, "a");
    for step in 0..200_000 {
        recorder.log(step, None, [(a, 1.0)]);
    }
    assert!(recorder.stats().wait > Duration::ZERO);
    recorder.finish().unwrap();
    assert_eq!(read_series(&run, |_| true).unwrap()[0].step.len(), 200_000, "a row was dropped");
}

#[test]
fn many_points_in_one_call_and_many_threads() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let n = 40_000u32;
    let all: Vec<u32> = (0..n)
        .map(|i| {
            recorder.series(&SeriesKey { trial: Some(i as i32), ..SeriesKey::metric("m") }, None).unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (recorder, all) = (recorder.clone(), &all);
            scope.spawn(move || recorder.log(thread, None, all.iter().map(|s| (*s, f64::from(*s)))));
        }
    });
    recorder.finish().unwrap();
    let read = read_series(&run, |_| true).unwrap();
    assert_eq!(read.len(), n as usize);
    for s in read {
        let mut steps = s.step;
        steps.sort_unstable();
        assert_eq!(steps, [0, 1, 2]);
        assert!(s.value.iter().all(|v| *v == f64::from(s.key.trial.unwrap())));
    }
}

#[test]
fn checkpoints_keep_the_newest_two() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path());
    let recorder = Recorder::open(&run, small()).unwrap();
    let a = series(&recorder, "a");
    for step in [10, 20, 30] {
        recorder.log(step, None, [(a, 1.0)]);
        let save = |dir: &std::path::Path| {
            std::fs::write(dir.join("m"), step.to_string()).map_err(|e| e.to_string())
        };
        let dir = recorder.checkpoint(step, Some(step as f64), None, save).unwrap();
        assert!(dir.ends_with(format!("step-{step}")));
    }
    let failed = recorder.checkpoint(40, None, None, |_| Err("no space".to_owned()));
    assert!(failed.unwrap_err().to_string().contains("no space"));
    // The same step again takes the old one's place.
    recorder
        .checkpoint(30, None, None, |dir| std::fs::write(dir.join("m"), "again").map_err(|e| e.to_string()))
        .unwrap();
    let kept = checkpoints(&run);
    assert_eq!(kept.iter().map(|c| c.step).collect::<Vec<_>>(), [20, 30]);
    assert_eq!(std::fs::read_to_string(kept[1].dir.join("m")).unwrap(), "again");
    assert_eq!((kept[0].epoch, kept[1].epoch), (Some(20.0), None));
    let names: Vec<_> =
        std::fs::read_dir(run.checkpoints()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    recorder.finish().unwrap();
}

#[test]
fn recorders_and_tailers_go_to_other_threads() {
    fn sent<T: Send>() -> &'static str {
        std::any::type_name::<T>()
    }
    fn shared<T: Send + Sync>() -> &'static str {
        std::any::type_name::<T>()
    }
    assert!(
        shared::<Recorder>().ends_with("Recorder") && sent::<gradtop_store::Tailer>().ends_with("Tailer")
    );
}
