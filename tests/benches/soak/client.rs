//! The overhead of the Python client, and the cost of a dying Python or recording process.

use std::fs;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use gradtop_store::{RunDir, read_series};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, paths, until};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Row, repeat};

/// 10 values in each of 100,000 calls.
const CALLS: &str = r#"
import json, time
before = time.perf_counter()
import gradtop
imported = time.perf_counter()
run = gradtop.init()
begun = time.perf_counter()
names = [f"metric_{k}" for k in range(10)]
rows = [{name: step * 0.001 + k * 1.7 for k, name in enumerate(names)} for step in range(100_000)]
calls = []
moment, start = time.time(), time.perf_counter()
for step, row in enumerate(rows):
    then = time.perf_counter_ns()
    run.log(row, step=step)
    calls.append(time.perf_counter_ns() - then)
run.finish()
took = time.perf_counter() - start
calls.sort()
print(json.dumps([(imported - before) * 1e3, (begun - imported) * 1e3, 1e6 / took, calls[50_000] / 1e3, calls[99_000] / 1e3, moment]))
"#;

/// Logs its own time for ever, and counts the calls that have returned in a file.
const COUNTING: &str = r#"
import gradtop, mmap, os, struct, sys, time
run = gradtop.init()
with open(sys.argv[1], "r+b") as file:
    shared = mmap.mmap(file.fileno(), 16)
struct.pack_into("q", shared, 8, os.getpid())
for step in range(10**9):
    run.log(step, at=time.time())
    struct.pack_into("q", shared, 0, step + 1)
"#;

/// Prints a row for each kind of death, each repeated, and the speed.
pub(crate) fn client(times: usize, seed: u64) -> Vec<Row> {
    println!("speed, of five runs: {}", speed());
    let moment = |time: u64, most: u64| {
        let drawn = BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, time));
        Duration::from_millis(1 + drawn % most)
    };
    let python = repeat(
        "SIGKILL of Python",
        "1 to 800 ms after its first call",
        times,
        "`crashed`, with every row of a call that had returned",
        |time| killed(moment(time, 800), Victim::Python),
    );
    let sink = repeat(
        "SIGKILL of the recording process",
        "the same, Python at work",
        times,
        "another one records on; Python logs to it",
        |time| killed(moment(time, 800), Victim::Sink),
    );
    vec![python, sink]
}

fn sandbox() -> Sandbox {
    let client = paths::checkout().join("python");
    let sandbox = Sandbox::with(&[]);
    sandbox.and_env("PYTHONPATH", client.to_str().unwrap()).and_env("PYTHONDONTWRITEBYTECODE", "1")
}

/// Median, minimum and maximum of: import, start, points per second until `finish` returns, median call and p99, points per
/// second until sealed Parquet, and bytes per point.
fn speed() -> String {
    const RUNS: usize = 5;
    let compiled = tempfile::tempdir().unwrap();
    // Modules installed by pip are compiled.
    let sandbox = Sandbox::with(&[])
        .and_env("PYTHONPATH", paths::checkout().join("python").to_str().unwrap())
        .and_env("PYTHONPYCACHEPREFIX", compiled.path().to_str().unwrap());
    let mut measured: Vec<Vec<f64>> = vec![Vec::new(); 7];
    for n in 0..RUNS {
        let name = format!("speed-{n}");
        let args = ["exec", "--name", &name, "--", "python3", "-c", CALLS];
        sandbox.gradtop(&args).expect_code(0);
        let run = sandbox.find(&name);
        let text = fs::read_to_string(run.dir.console()).unwrap();
        let mut numbers: Vec<f64> = serde_json::from_str(text.trim()).unwrap();
        let ended = run.status().ended.unwrap().as_microsecond() as f64 / 1e6;
        let moment = numbers.pop().unwrap();
        numbers.extend([1e6 / (ended - moment), bytes(&run.dir) as f64 / 1e6]);
        measured.iter_mut().zip(numbers).for_each(|(all, number)| all.push(number));
        sandbox.gradtop(&["rm", &name, "--yes"]).expect_code(0);
    }
    let names = [
        "import ms",
        "init ms",
        "points/s",
        "call p50 µs",
        "call p99 µs",
        "points/s to sealed Parquet",
        "bytes a point",
    ];
    let words = names.iter().zip(&mut measured).map(|(name, all)| {
        all.sort_by(f64::total_cmp);
        format!("{name} {:.4} ({:.4} to {:.4})", all[RUNS / 2], all[0], all[RUNS - 1])
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The size of the metrics in bytes.
fn bytes(run: &RunDir) -> u64 {
    let parts = fs::read_dir(run.metrics()).unwrap();
    parts.map(|part| part.unwrap().metadata().unwrap().len()).sum()
}

#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Python,
    Sink,
}

/// Kills one process of a run some time after its first call. Returns the number of rows lost from calls that had returned, and
/// their duration.
fn killed(moment: Duration, victim: Victim) -> (usize, Duration) {
    let sandbox = sandbox();
    let counted = sandbox.path().join("counted");
    fs::write(&counted, [0; 16]).unwrap();
    let exec =
        ["exec", "--detach", "--name", "a", "--", "python3", "-c", COUNTING, counted.to_str().unwrap()];
    sandbox.gradtop(&exec).expect_code(0);
    let run = sandbox.find("a");
    let number = |at: usize| {
        let bytes = fs::read(&counted).unwrap();
        i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    };
    let calls = || number(0);
    until("the first call", || (calls() > 0).then_some(()));
    std::thread::sleep(moment);
    let python = Pid::from_raw(i32::try_from(number(8)).unwrap()).unwrap();
    if victim == Victim::Sink {
        let (sink, before) = (run.status().trainer_pid, calls());
        assert!(run.signal_trainer(Signal::KILL));
        until("another sink", || (run.status().trainer_pid != sink).then_some(()));
        until("Python to go on", || (calls() > before + 1000).then_some(()));
    }
    kill_process(python, Signal::KILL).unwrap();
    run.wait();
    let calls = calls();
    let kept = rows(&run);
    let lost = calls.saturating_sub(i64::try_from(kept.len()).unwrap()).max(0);
    (usize::try_from(lost).unwrap(), longest_gap(&kept))
}

/// The steps and times of all rows in order; no step may appear twice. Times are Python's: rows that waited for another sink
/// are recorded with the time of their arrival there.
fn rows(run: &Run<'_>) -> Vec<(i64, f64)> {
    let series = read_series(&run.dir, |key| key.metric == "at").unwrap();
    let mut rows: Vec<(i64, f64)> =
        series.iter().flat_map(|s| s.step.iter().copied().zip(s.value.iter().copied())).collect();
    rows.sort_unstable_by_key(|row| row.0);
    assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "a step is there twice");
    rows
}

/// The longest period without steps.
fn longest_gap(rows: &[(i64, f64)]) -> Duration {
    let gaps = rows.windows(2).filter(|pair| pair[1].0 > pair[0].0 + 1).map(|pair| pair[1].1 - pair[0].1);
    Duration::from_secs_f64(gaps.fold(0.0, f64::max))
}
