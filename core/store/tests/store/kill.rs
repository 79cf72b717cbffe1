//! Real processes, really killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gradtop_store::{
    Recorder, RecorderOptions, RunDir, RunLock, SeriesData, State, Status, is_locked, read_series, recover,
    view, write_status,
};

use crate::common::{new_run, parts, series, until};

/// What is lost is counted on a clock that stands still while the logging process gets no processor.
static BEATS: AtomicU64 = AtomicU64::new(0);
/// How often the clock of a child that logs goes on.
const BEAT: Duration = Duration::from_millis(10);

const ROLE: &str = "GRADTOP_STORE_TEST_CHILD";

/// Starts this test binary again as `role` of the test `child`, on a run.
fn spawn(role: &str, run: &RunDir) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env("GRADTOP_STORE_TEST_RUN", run.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads the child's lines until one is `word`.
fn wait_for(out: &mut BufReader<ChildStdout>, word: &str) {
    let mut line = String::new();
    while line.trim() != word {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the child ended without saying {word}");
    }
}

/// The body of child processes; as a test of its own it only checks that it is nobody's child.
#[test]
fn child() {
    let role = std::env::var(ROLE).unwrap_or_default();
    let run = RunDir::new(std::env::var_os("GRADTOP_STORE_TEST_RUN").unwrap_or_default());
    let mut out = std::io::stdout();
    match role.as_str() {
        "hold" => {
            let lock = RunLock::acquire(&run).unwrap();
            writeln!(out, "\nlocked").unwrap();
            std::thread::sleep(Duration::from_mins(1));
            drop(lock);
        }
        "log" => {
            let lock = RunLock::acquire(&run).unwrap();
            // Segments end often, so that some kills come while one is being sealed or merged.
            let options = RecorderOptions {
                seal_rows: 300,
                seal_age: (Duration::from_millis(30), Duration::from_millis(30)),
                merge_parts: 3,
                merge_table_parts: 3,
                ..RecorderOptions::default()
            };
            let recorder = Recorder::open(&run, options).unwrap();
            let (a, b) = (series(&recorder, "a"), series(&recorder, "b"));
            writeln!(out, "\nlogging").unwrap();
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(BEAT);
                    BEATS.fetch_add(1, Ordering::Relaxed);
                }
            });
            for step in 0.. {
                // What is said is logged at once; what is lost is what was said and is not found.
                recorder.log(step, None, [(a, step as f64), (b, -step as f64)]);
                writeln!(out, "{step} {}", BEATS.load(Ordering::Relaxed)).unwrap();
                std::thread::sleep(Duration::from_micros(300));
            }
            drop(lock);
        }
        _ => assert_eq!(role, "", "unknown role"),
    }
}

#[test]
fn a_kill_costs_at_most_a_quarter_of_a_second() {
    for (sealed, after) in [(false, 40), (false, 155), (true, 10), (true, 110)] {
        let temp = tempfile::tempdir().unwrap();
        let run = new_run(temp.path(), "victim");
        let (mut child, mut out) = spawn("log", &run);
        wait_for(&mut out, "logging");
        // The pipe must be read, or the child waits.
        let reader = std::thread::spawn(move || {
            let mut said: Vec<(i64, i64)> = Vec::new();
            for line in out.lines().map_while(Result::ok) {
                if let Some((step, time)) = line.split_once(' ') {
                    said.push((step.parse().unwrap(), time.parse().unwrap_or(0)));
                }
            }
            said
        });
        if sealed {
            until("sealed rows", || !parts(&run).is_empty());
        }
        // Only which moment it is depends on this.
        std::thread::sleep(Duration::from_millis(after));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut said = reader.join().unwrap();
        // The last line may be cut.
        said.pop();

        let lock = RunLock::acquire(&run).unwrap();
        let before = read_series(&run, |_| true).unwrap();
        recover(&run, &lock).unwrap();
        let read = read_series(&run, |_| true).unwrap();
        let rows = |all: &[SeriesData]| -> Vec<_> {
            all.iter().map(|s| (s.key.clone(), s.step.clone(), s.time_us.clone(), s.value.clone())).collect()
        };
        assert!(rows(&read) == rows(&before), "recovery changed what was to be seen");
        let found = read.first().map_or(0, |s| s.step.len());
        for s in &read {
            assert!(s.step.iter().enumerate().all(|(i, step)| *step == i as i64), "rows missing or twice");
        }
        if found < said.len() {
            let lost = BEAT * (said.last().unwrap().1 - said[found].1) as u32;
            assert!(lost <= Duration::from_millis(250), "{lost:?} of rows lost");
        }
        assert!(std::fs::read_dir(run.journal()).unwrap().next().is_none());
    }
}

#[test]
fn a_run_is_crashed_once_its_lock_is_free() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "held");
    assert!(!is_locked(&run).unwrap());
    assert_eq!(view(&run).unwrap().state, State::Crashed, "a run is born locked");
    let (mut child, mut out) = spawn("hold", &run);
    wait_for(&mut out, "locked");
    assert!(is_locked(&run).unwrap());
    assert_eq!(view(&run).unwrap().state, State::Queued);
    let status = Status { schema: 1, state: State::Running, step: Some(7), ..Status::default() };
    write_status(&run, &status).unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.certain), (State::Running, true));
    assert!(matches!(RunLock::acquire(&run), Err(gradtop_store::StoreError::Locked { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.certain, seen.status.state), (State::Crashed, true, State::Running));

    write_status(&run, &Status { state: State::Finished, ..status }).unwrap();
    assert_eq!(view(&run).unwrap().state, State::Finished);
}
