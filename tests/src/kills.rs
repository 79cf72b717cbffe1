//! SIGKILL of the trainer, the keeper, or both, at random moments: at most 250 ms of rows are lost, none appears twice, every
//! Parquet file is readable, and the run is `crashed`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use gradtop_store::{RunDir, State};
use rustix::process::Signal;

use crate::logged::{self, Logged};
use crate::sandbox::Run;
use crate::{Sandbox, check, in_parallel, until};

/// The most that a SIGKILL may cost.
pub const LOSS: Duration = Duration::from_millis(250);
/// The size of the fixture's file in steps; no run reaches the last one.
const STEPS: usize = 20_000_000;

/// A generator for the moments, seeded so that failures can be repeated.
pub struct Random(pub u64);

impl Random {
    /// Returns a number in [0, 1) (splitmix64).
    #[expect(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The process that is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Victim {
    /// The trainer alone.
    Trainer,
    /// The keeper alone.
    Keeper,
    /// Both, the keeper first.
    Both,
}

/// What the run is doing when it is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    /// Starting: in the first 400 ms.
    Start,
    /// Flushing, and sealing by age: a slow run, some seconds old.
    Age,
    /// Sealing a full segment: a run with many rows.
    Full,
    /// Merging 32 segments: a run with a checkpoint every few milliseconds, each of which ends a segment.
    Merge,
    /// Saving a requested checkpoint.
    Checkpoint,
}

/// A kill.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// Determines the exact moment.
    pub seed: u64,
    /// The process.
    pub victim: Victim,
    /// The phase of the run.
    pub moment: Moment,
}

/// The steps of `loss` in the sealed parts and the journal, in order.
fn steps(run: &RunDir) -> Vec<i64> {
    let series = gradtop_store::read_series(run, |key| key.metric == "loss").unwrap();
    check::no_step_twice(&series);
    series.into_iter().flat_map(|s| s.step).collect()
}

/// Checks that all rows before some `n` exist, that no row was invented, and that missing rows were logged in the last 250 ms.
/// Returns the number of lost rows and their duration.
fn check_loss(kill: Kill, times: &[Logged], steps: &[i64]) -> (usize, Duration) {
    let holds = steps.len();
    assert!(steps.iter().copied().eq(0..holds as i64), "{kill:?}: a hole within {holds} steps");
    // One row may have been logged but not yet noted in the file.
    assert!(holds <= times.len() + 1, "{kill:?}: {holds} steps, of {} that were logged", times.len());
    let Some(first_lost) = times.get(holds) else { return (0, Duration::ZERO) };
    let last = times.last().unwrap();
    let lost = last.beats_since(first_lost);
    assert!(lost <= LOSS, "{kill:?}: {lost:?} lost, {} rows of {}", times.len() - holds, times.len());
    (times.len() - holds, last.since(first_lost))
}

fn start<'a>(sandbox: &'a Sandbox, kill: Kill, file: &Path) -> Run<'a> {
    let name = format!("kill-{}", kill.seed);
    let (rate, burst) = match kill.moment {
        Moment::Start | Moment::Checkpoint => (2_000, 1),
        Moment::Age => (2_000, 20),
        Moment::Full => (150_000, 10_000),
        Moment::Merge => (5_000, 10),
    };
    let sets = [format!("steps={STEPS}"), format!("rate={rate}"), format!("burst={burst}")];
    let file = format!("file={}", file.display());
    let args = ["counter", "--set", &sets[0], "--set", &sets[1], "--set", &sets[2], "--set", &file];
    sandbox.start(&args, &name)
}

/// Waits until the moment of the kill.
fn live(run: &Run<'_>, kill: Kill, file: &Path, random: &mut Random) {
    let nap = |seconds: f64| std::thread::sleep(Duration::from_secs_f64(seconds));
    let going = || until("the first step", || logged::any(file).then_some(()));
    match kill.moment {
        Moment::Start => nap(0.4 * random.next()),
        Moment::Age => {
            going();
            until("rows sealed by their age", || {
                (!check::files(&run.dir.metrics()).is_empty()).then_some(())
            });
            nap(2.5 * random.next());
        }
        Moment::Full => {
            // The next segment begins while the full one is sealed.
            until("a full segment", || (check::files(&run.dir.journal()).len() > 1).then_some(()));
            // Sealing takes some tens of milliseconds: where nobody is left to recover, a kill is sure to hit it.
            if kill.victim != Victim::Both {
                nap(0.08 * random.next());
            }
        }
        Moment::Merge => {
            going();
            // Up to 60 segments: parts are merged at 32.
            let segments = 20 + (40.0 * random.next()) as usize;
            until("many checkpoints", || {
                gradtop_store::request(&run.dir, gradtop_store::Request::Checkpoint).unwrap();
                (newest_segment(&run.dir) >= segments).then_some(())
            });
        }
        Moment::Checkpoint => {
            going();
            gradtop_store::request(&run.dir, gradtop_store::Request::Checkpoint).unwrap();
            until("a checkpoint", || gradtop_store::checkpoints(&run.dir).pop());
            gradtop_store::request(&run.dir, gradtop_store::Request::Checkpoint).unwrap();
            // Control files are read every 100 ms.
            nap(0.15 * random.next());
        }
    }
}

/// The number of the last segment, from the names of parts: `part-00001-00032.parquet` covers 32 of them.
fn newest_segment(run: &RunDir) -> usize {
    let last = |path: &PathBuf| path.file_stem()?.to_str()?.rsplit_once('-')?.1.parse().ok();
    check::files(&run.metrics()).iter().filter_map(last).max().unwrap_or(0)
}

/// The state that a kill left, and its cost.
pub struct Hit {
    /// Which kill.
    pub kill: Kill,
    /// The number of lost rows and their duration.
    pub lost: (usize, Duration),
    /// The sealed parts before recovery, including merged ones.
    pub parts: usize,
    /// The merged parts before recovery.
    pub merged: usize,
    /// The journal segments before recovery.
    pub segments: usize,
    /// The checkpoints before recovery.
    pub checkpoints: usize,
}

/// Starts a run, kills it and recovers it.
fn kill_once(kill: Kill) -> Hit {
    // A sandbox for each, because every command recovers all dead runs.
    let sandbox = &Sandbox::new();
    // Described beforehand, so that the first 400 ms are those of the run.
    sandbox.gradtop(&["experiments"]).expect_code(0);
    let mut random = Random(kill.seed);
    let file = sandbox.path().join(format!("times-{}", kill.seed));
    let run = start(sandbox, kill, &file);
    until("the keeper", || run.view().status.keeper_pid);
    live(&run, kill, &file, &mut random);
    let met = match kill.victim {
        Victim::Trainer => until("a trainer to kill", || run.signal_trainer(Signal::KILL).then_some(true)),
        Victim::Keeper => run.signal_keeper(Signal::KILL),
        Victim::Both => {
            // The keeper first, so that it cannot see its child die.
            let keeper = run.signal_keeper(Signal::KILL);
            run.signal_trainer(Signal::KILL);
            keeper
        }
    };
    assert!(met, "{kill:?}: nobody was there to kill: {}", run.events());

    // Without its keeper, the trainer saves a checkpoint and exits, which takes a moment.
    until("the run's lock to fall free", || (!gradtop_store::is_locked(&run.dir).unwrap()).then_some(()));
    assert_eq!(run.view().state, State::Crashed, "{kill:?}: {:?}", run.status());
    let times = logged::all(&file);
    check::no_row_twice(&check::sealed_rows(&run.dir));
    let parts = check::files(&run.dir.metrics());
    // part-00001-00032.parquet covers 32 segments, part-00033.parquet one.
    let merged = |p: &&PathBuf| p.file_stem().is_some_and(|s| s.len() > "part-00001".len());
    let mut hit = Hit {
        kill,
        lost: (0, Duration::ZERO),
        parts: parts.len(),
        merged: parts.iter().filter(merged).count(),
        segments: check::files(&run.dir.journal()).len(),
        checkpoints: gradtop_store::checkpoints(&run.dir).len(),
    };
    let before = steps(&run.dir);
    hit.lost = check_loss(kill, &times, &before);
    if kill.victim == Victim::Keeper {
        assert_eq!(before.len(), times.len(), "{kill:?}: the trainer had all the time it wanted");
    }

    // Any command recovers the run, unless a living keeper has done so.
    sandbox.gradtop(&["list"]).expect_code(0);
    let status = run.status();
    let cause = status.cause.unwrap_or_default();
    assert_eq!(status.state, State::Crashed, "{kill:?}");
    assert_eq!(steps(&run.dir), before, "{kill:?}: recovery changed what readers see");
    let sealed = check::sealed(&run.dir);
    check::no_row_twice(&sealed);
    assert_eq!(status.rows, Some(sealed.len() as u64), "{kill:?}: the status counts what is kept");
    let series = gradtop_store::read_series(&run.dir, |_| true).unwrap();
    let last = series.iter().filter_map(|series| series.time_us.last()).max();
    let ended = status.ended.map(jiff::Timestamp::as_microsecond);
    assert!(ended.as_ref() >= last, "{kill:?}: it ended at {ended:?}, before its row of {last:?}");
    if kill.victim == Victim::Trainer {
        assert!(cause.contains("SIGKILL"), "{kill:?}: {cause}");
        assert!(run.events().contains("SIGKILL"), "{kill:?}: {}", run.events());
    } else {
        assert!(!cause.is_empty(), "{kill:?}");
    }
    // That runs resume from their checkpoints is tested in lifecycle.rs; here only that they are complete.
    for checkpoint in gradtop_store::checkpoints(&run.dir) {
        assert!(checkpoint.dir.join("complete").is_file(), "{kill:?}: half a checkpoint");
        assert!(checkpoint.step < before.len() as i64, "{kill:?}: a checkpoint of rows that are lost");
    }
    let exit = run.wait();
    assert_eq!(exit.code, 4, "{kill:?}: {exit:#?}");
    hit
}

/// Performs `count` kills, four at a time, with every victim in every phase. Panics at the first that costs more than it may.
pub fn kills(count: u64, seed: u64) -> Vec<Hit> {
    let victims = [Victim::Trainer, Victim::Both, Victim::Keeper];
    let moments = [Moment::Start, Moment::Age, Moment::Full, Moment::Merge, Moment::Checkpoint];
    let kill = |n: u64| Kill {
        seed: seed.wrapping_add(n),
        victim: victims[n as usize % victims.len()],
        moment: moments[n as usize % moments.len()],
    };
    let hits = Mutex::new(Vec::new());
    in_parallel(4, (0..count).map(kill).collect(), |kill| {
        let hit = kill_once(kill);
        hits.lock().unwrap().push(hit);
    });
    hits.into_inner().unwrap()
}
