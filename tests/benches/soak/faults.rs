//! Faults of disk and clock in one table, with one way to cause them and one way to count their cost.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Duration;

use gradtop_store::State;
use gradtop_tests::disk::Mounted;
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, build, check, logged, until};

use crate::{Row, repeat};

/// A kind of fault.
#[derive(Clone, Copy)]
enum Wrong {
    /// The disk is full, on a file system of its own.
    Full,
    /// Every change of the runs' file system fails with this error.
    Writes(i32),
    /// The wall clock is off by so many seconds.
    Clock(i64),
}

/// When the fault occurs.
#[derive(Clone, Copy)]
enum When {
    /// While the run trains.
    Running,
    /// From before its last steps until it has finished them and waited.
    Ending,
    /// While the run is paused; then it is resumed.
    Paused,
    /// While the run is paused and ended by `stop --kill`.
    Killed,
    /// From between its stop and its resume on.
    Resumed,
}

pub(crate) struct Fault {
    what: &'static str,
    wrong: Wrong,
    when: When,
    lasts: Duration,
}

const fn fault(what: &'static str, wrong: Wrong, when: When, millis: u64) -> Fault {
    Fault { what, wrong, when, lasts: Duration::from_millis(millis) }
}

use When::{Ending, Killed, Paused, Resumed, Running};

pub(crate) const DISK: &[Fault] = &[
    fault("disk full for 0.2 s", Wrong::Full, Running, 200),
    fault("disk full for 1 s", Wrong::Full, Running, 1000),
    fault("disk full for 20 s", Wrong::Full, Running, 20_000),
    fault("disk full over the end of the run", Wrong::Full, Ending, 2000),
    fault("disk full while it is paused", Wrong::Full, Paused, 2000),
    fault("disk full, and a paused run is killed", Wrong::Full, Killed, 1000),
    fault("EDQUOT for 1 s", Wrong::Writes(libc::EDQUOT), Running, 1000),
    fault("EDQUOT over the end of the run", Wrong::Writes(libc::EDQUOT), Ending, 2000),
    fault("EIO for 1 s", Wrong::Writes(libc::EIO), Running, 1000),
    fault("EIO over the end of the run", Wrong::Writes(libc::EIO), Ending, 2000),
    fault("EROFS for 1 s", Wrong::Writes(libc::EROFS), Running, 1000),
    fault("EROFS over the end of the run", Wrong::Writes(libc::EROFS), Ending, 2000),
];

pub(crate) const CLOCKS: &[Fault] = &[
    fault("clock an hour back", Wrong::Clock(-3600), Running, 1000),
    fault("clock an hour ahead, then right again", Wrong::Clock(3600), Running, 1000),
    fault("clock an hour back over the end of the run", Wrong::Clock(-3600), Ending, 500),
    fault("clock a day back while it is paused", Wrong::Clock(-86_400), Paused, 500),
    fault("clock an hour back between stop and resume", Wrong::Clock(-3600), Resumed, 500),
];

/// The steps of a run, and how many of them precede the fault.
const STEPS: i64 = 3000;
const BEFORE: i64 = 1000;

/// A sandbox whose disk and clock can fail.
struct Place {
    sandbox: Sandbox,
    disk: Option<Mounted>,
    /// A file with the number of seconds by which the clock is off.
    clock: PathBuf,
}

impl Place {
    fn new(wrong: Wrong) -> Self {
        let sandbox = Sandbox::new();
        let clock = sandbox.path().join("clock");
        fs::write(&clock, [0; 8]).unwrap();
        let disk = match wrong {
            Wrong::Full => Mounted::small(&sandbox.runs(), 24 << 10),
            Wrong::Writes(_) => Mounted::faulty(&sandbox.runs(), sandbox.path()),
            Wrong::Clock(_) => {
                let library = build::fixture("clock.c", &sandbox.path().join("home"));
                let sandbox = sandbox
                    .and_env("LD_PRELOAD", library.to_str().unwrap())
                    .and_env("CLOCK_OFF", clock.to_str().unwrap());
                return Self { sandbox, disk: None, clock };
            }
        };
        assert!(disk.is_some(), "such a disk cannot be mounted here: it needs root, and libfuse 3");
        Self { sandbox, disk, clock }
    }

    fn begin(&self, wrong: Wrong) {
        match (wrong, &self.disk) {
            (Wrong::Full, Some(disk)) => disk.fill(),
            (Wrong::Writes(errno), Some(disk)) => disk.fail(errno),
            (Wrong::Clock(seconds), _) => self.set_clock(seconds),
            _ => {}
        }
    }

    fn end(&self, wrong: Wrong) {
        match (wrong, &self.disk) {
            (Wrong::Full, Some(disk)) => disk.make_room(),
            (Wrong::Writes(_), Some(disk)) => disk.fail(0),
            (Wrong::Clock(_), _) => self.set_clock(0),
            _ => {}
        }
    }

    /// Written in place, because the file is mapped.
    fn set_clock(&self, seconds: i64) {
        let file = File::options().write(true).open(&self.clock).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}

/// Causes a fault once. Returns the number of lost rows and their duration.
fn once(fault: &Fault, random: f64) -> (usize, Duration) {
    let place = Place::new(fault.wrong);
    let sandbox = &place.sandbox;
    let file = sandbox.path().join("logged");
    let sets = [format!("steps={STEPS}"), "rate=5000".to_owned(), format!("file={}", file.display())];
    let mut args = vec!["counter"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let run = sandbox.held(&args, "a", BEFORE);
    let nap = |time: Duration| std::thread::sleep(time);
    let done = |steps: i64| until("its steps", || (logged::all(&file).len() as i64 >= steps).then_some(()));
    let moment = Duration::from_secs_f64(0.1 * random);
    let mut killed = false;
    match fault.when {
        When::Running => {
            run.go_to(BEFORE + 200);
            sandbox.let_go("a", "2500");
            nap(moment);
            place.begin(fault.wrong);
            nap(fault.lasts);
            place.end(fault.wrong);
            done(2501);
            run.until_step(2500);
            run.go_on();
        }
        When::Ending => {
            place.begin(fault.wrong);
            run.go_on();
            done(STEPS);
            nap(fault.lasts + moment);
            place.end(fault.wrong);
        }
        When::Paused => {
            paused(sandbox, &run);
            place.begin(fault.wrong);
            nap(fault.lasts + moment);
            place.end(fault.wrong);
            run.go_on();
            sandbox.gradtop(&["resume", "a"]).expect_code(0);
        }
        When::Killed => {
            paused(sandbox, &run);
            nap(moment);
            place.begin(fault.wrong);
            sandbox.gradtop(&["stop", "a", "--kill"]).expect_code(0);
            nap(fault.lasts);
            place.end(fault.wrong);
            killed = true;
        }
        When::Resumed => {
            sandbox.gradtop(&["stop", "a"]).expect_code(0);
            run.wait().expect_code(3);
            nap(moment);
            place.begin(fault.wrong);
            run.go_on();
            sandbox.gradtop(&["resume", "a", "--detach"]).expect_code(0);
        }
    }
    let said = run.wait();
    assert_eq!(said.code, if killed { 3 } else { 0 }, "{}: {:?}", fault.what, run.view().status.cause);
    cost(fault, &run, &logged::all(&file))
}

fn paused(sandbox: &Sandbox, run: &Run<'_>) {
    sandbox.gradtop(&["pause", "a"]).expect_code(0);
    run.until_state(State::Paused);
}

/// The logged rows that are missing. No row may appear twice, and times must not decrease.
fn cost(fault: &Fault, run: &Run<'_>, logged: &[logged::Logged]) -> (usize, Duration) {
    let rows = check::sealed(&run.dir);
    check::no_row_twice(&rows);
    let loss = gradtop_store::read_series(&run.dir, |key| key.metric == "loss").unwrap().remove(0);
    assert!(loss.time_us.is_sorted(), "{}: times go back", fault.what);
    assert!(loss.step.iter().copied().eq(0..loss.step.len() as i64), "{}: a hole", fault.what);
    let status = run.view().status;
    assert!(status.started <= status.ended, "{}: it ended before it began", fault.what);
    let lost = logged.len().saturating_sub(loss.step.len());
    let time = logged.get(loss.step.len()).map(|first| logged[logged.len() - 1].since(first));
    (lost, time.unwrap_or_default())
}

/// Repeats every fault of a table.
pub(crate) fn all(faults: &[Fault], times: usize, seed: u64, print: &mut impl FnMut(Row)) {
    for fault in faults {
        let how = match fault.wrong {
            Wrong::Full => "a file fills a tmpfs of 24 MB",
            Wrong::Writes(_) => "a FUSE file system whose every change fails",
            Wrong::Clock(_) => "the C library's clock",
        };
        let outcome = match fault.when {
            When::Killed => "ended by `stop --kill` meanwhile, sealed afterwards",
            _ => "it waits, goes on and finishes",
        };
        // The moment is pseudo-random; it need not be a good generator.
        let random = |time: u64| (seed.wrapping_mul(31).wrapping_add(time * 17) % 100) as f64 / 100.0;
        print(repeat(fault.what, how, times, outcome, |time| once(fault, random(time))));
    }
}
