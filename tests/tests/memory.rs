//! What the log holds in memory does not grow with the rows of a run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "it counts allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gradtop_store::{ExperimentInfo, Manifest, Recorder, RecorderOptions, SeriesKey, create_run};

/// Bytes in use now, and at most.
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: it passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: by the caller's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const PARTS: usize = 20;

/// The most bytes that are taken while parts of so many rows each become one.
fn merging(rows: i64) -> usize {
    let temp = tempfile::tempdir().unwrap();
    let experiment = ExperimentInfo { id: "demo".to_owned(), ..ExperimentInfo::default() };
    let run = create_run(temp.path(), &Manifest::new("r", experiment)).unwrap();
    let options = RecorderOptions {
        seal_rows: rows as usize,
        seal_age: (Duration::from_hours(1), Duration::from_hours(1)),
        merge_parts: usize::MAX,
        ..RecorderOptions::default()
    };
    let recorder = Recorder::open(&run, options).unwrap();
    let series = ["loss", "accuracy"].map(|m| recorder.series(&SeriesKey::metric(m), None).unwrap());
    let parts = || fs::read_dir(run.metrics()).map_or(0, |dir| dir.flatten().filter(is_part).count());
    for part in 0..PARTS {
        for step in part as i64 * rows / 2..(part as i64 + 1) * rows / 2 {
            let value = (step as f64).sin();
            recorder.log(step, None, [(series[0], value), (series[1], -value)]);
        }
        while parts() <= part {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    recorder.finish().unwrap();
    assert_eq!(parts(), 1);
    MOST.load(Ordering::Relaxed) - before
}

fn is_part(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("part-")
}

#[test]
fn merging_holds_pages_not_rows() {
    let (few, many) = (merging(20_000), merging(100_000));
    assert!(many < few + (16 << 20), "{few} bytes for 400,000 rows, {many} for 2,000,000");
}
